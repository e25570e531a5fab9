//! All faults at once, read in every way that counts are read: in parts while they come, from what
//! is kept, at once by a process that knows nothing, and by two rollouts that began at other times.

use std::time::Duration;

use anyhow::{Context, ensure};
use futures_util::future::try_join;
use serde_json::{Value, json};
use serinus_tests::{RealSource, SerinusProcess, TruthFleet, Window, wait_until};
use tokio::sync::watch;

use super::readings::{Allowed, Readings, analysis_of, pipeline, truth_of};
use super::story::{Story, assert_story_happened};
use crate::contract::{analyse, request, rfc3339, set};

/// How long the fleet is watched, in seconds, unless the variable says otherwise.
const DEFAULT_SECONDS: u64 = 45;

/// Names the number of seconds.
const SECONDS_VARIABLE: &str = "SERINUS_COUNTS_SECONDS";

/// How often the counts are read while they come.
const POLL_EVERY: Duration = Duration::from_secs(2);

/// How long a rollout may take to be judged up to a time.
const JUDGED_WITHIN: Duration = Duration::from_secs(30);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_faults_at_once_leave_no_difference_however_the_counts_are_read() -> anyhow::Result<()>
{
    let seconds = match std::env::var(SECONDS_VARIABLE) {
        Ok(text) => text.parse().context(SECONDS_VARIABLE)?,
        Err(_) => DEFAULT_SECONDS,
    };
    let mut story = Story::begin().await?;
    let mut readers = Vec::new();
    for source in &story.scene.sources {
        readers.push(SerinusProcess::serve(source.url()).await?);
    }
    // Of each source those of one time after the other.
    let mut rollouts = vec![Vec::new(); readers.len()];
    let (start, started) = watch::channel(None);
    let (is_over, over) = watch::channel(false);
    let play = async {
        let played = story.play(Duration::from_secs(seconds), async |begins_ms| {
            for (reader, rollouts) in readers.iter().zip(&mut rollouts) {
                rollouts.push(start_rollout(reader, begins_ms).await?);
            }
            start.send_if_modified(|first| {
                let is_first = first.is_none();
                first.get_or_insert(begins_ms);
                is_first
            });
            Ok(())
        });
        let window = played.await;
        // Also where it fails: the readers must not go on without it.
        is_over.send_replace(true);
        window
    };
    let (window, ()) = try_join(play, poll(&readers, &started, &over)).await?;

    let mut readings = Readings::without_latency();
    let each = story.scene.sources.iter().zip(&readers).zip(&rollouts);
    for ((source, reader), rollouts) in each {
        let read = Read {
            fleet: &story.scene.fleet,
            source,
            reader,
        };
        read.hold(&mut readings, window, rollouts).await?;
    }
    readings.conclude()
}

/// Reads what there is, again and again, until all is over: nothing of it is held against the truth,
/// which is not known yet, but it is kept.
async fn poll(
    readers: &[SerinusProcess],
    started: &watch::Receiver<Option<i64>>,
    over: &watch::Receiver<bool>,
) -> anyhow::Result<()> {
    while !*over.borrow() {
        let start_ms = *started.borrow();
        if let Some(start_ms) = start_ms {
            let mut asked = request(&pipeline(1.0), None)?;
            set(&mut asked, "start", json!(rfc3339(start_ms)?));
            for reader in readers {
                // Nothing is old enough at first, which is not what this is about.
                let reply = reader.post("/v1/analyses", &asked).await?;
                ensure!(reply.status < 500, "{} {}", reply.status, reply.body);
            }
        }
        tokio::time::sleep(POLL_EVERY).await;
    }
    Ok(())
}

/// Starts a rollout of the tracks, and returns its id.
async fn start_rollout(reader: &SerinusProcess, start_ms: i64) -> anyhow::Result<String> {
    let body = json!({
        "pipeline": pipeline(30.0),
        "key": format!("since-{start_ms}"),
        "control": {"track": "stable"},
        "canary": {"track": "canary"},
        "start": rfc3339(start_ms)?,
    });
    let reply = reader.post("/v1/rollouts", &body).await?;
    ensure!(reply.status == 201, "{} {}", reply.status, reply.body);
    Ok(reply.text("/rollout").to_owned())
}

/// The analysis of a rollout that was judged at least up to a time.
async fn judged_until(
    reader: &SerinusProcess,
    rollout: &str,
    end_ms: i64,
) -> anyhow::Result<(Value, Window)> {
    wait_until("the rollout is judged", JUDGED_WITHIN, async || {
        let shown = reader.get(&format!("/v1/rollouts/{rollout}")).await?;
        let analysis = shown.body.get("analysis").cloned().unwrap_or_default();
        let at_ms = |pointer: &str| -> Option<i64> {
            let text = analysis.pointer(pointer)?.as_str()?;
            let time = chrono::DateTime::parse_from_rfc3339(text).ok()?;
            Some(time.timestamp_millis())
        };
        let window = at_ms("/window/start").zip(at_ms("/window/end"));
        let judged = window.filter(|(_, judged_end_ms)| *judged_end_ms >= end_ms);
        Ok(judged.map(|(start_ms, end_ms)| (analysis, Window { start_ms, end_ms })))
    })
    .await
}

/// A source, and the Serinus that read it while all happened.
struct Read<'a> {
    fleet: &'a TruthFleet,
    source: &'a RealSource,
    reader: &'a SerinusProcess,
}

impl Read<'_> {
    /// Holds all readings of a source against the truth.
    async fn hold(
        &self,
        readings: &mut Readings,
        window: Window,
        rollouts: &[String],
    ) -> anyhow::Result<()> {
        let Self {
            fleet,
            source,
            reader,
        } = *self;
        let name = source.kind().name();
        let truth = truth_of(fleet, source, window).await?;
        for (track, seen) in &truth {
            assert_story_happened(track, seen);
        }
        readings
            .hold_by_hand(source, window, &truth, Allowed::Nothing)
            .await?;
        let fresh = SerinusProcess::serve(source.url()).await?;
        let at_once = analysis_of(&fresh, window).await?;
        let in_parts = analysis_of(reader, window).await?;
        let kept = analysis_of(reader, window).await?;
        for (how, analysis) in [
            ("at once", &at_once),
            ("in parts", &in_parts),
            ("from what is kept", &kept),
        ] {
            let how = format!("{name}, {how}");
            readings.hold(&how, analysis, &truth, Allowed::Nothing);
        }
        for (number, rollout) in (1..).zip(rollouts) {
            let (analysis, judged) = judged_until(reader, rollout, window.end_ms).await?;
            let truth = truth_of(fleet, source, judged).await?;
            let how = format!("{name}, rollout {number}");
            readings.hold(&how, &analysis, &truth, Allowed::Nothing);
            // By a process that never saw the other one.
            let other = SerinusProcess::serve(source.url()).await?;
            let asked = request(&pipeline(1.0), Some(judged))?;
            let analysis = analyse(&other, &asked).await?.body;
            let how = format!("{how}, its window at once");
            readings.hold(&how, &analysis, &truth, Allowed::Nothing);
        }
        Ok(())
    }
}
