//! All faults at once, read in every way that counts are read: in parts while they come, from what
//! is kept, at once by a process that knows nothing, and by two rollouts that began at other times.

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use futures_util::future::try_join;
use serde_json::{Value, json};
use serinus_tests::{
    HistogramSeries, Miss, Monitors, PodId, PodPlan, RealSource, SerinusProcess, ToldStart,
    TrackTruth, Window, wait_until,
};
use tokio::sync::watch;

use super::readings::{Allowed, Readings, analysis_of, pipeline, truth_of};
use super::scene::{Scene, sleep_to_boundary};
use crate::contract::{analyse, request, rfc3339, set};

/// How long the fleet is watched, in seconds, unless the variable says otherwise.
const DEFAULT_SECONDS: u64 = 45;

/// Names the number of seconds.
const SECONDS_VARIABLE: &str = "SERINUS_COUNTS_SECONDS";

/// How long a round lasts, about.
const ROUND: Duration = Duration::from_secs(25);

/// The last part of the window is quiet: a scrape that is missed at the very end leaves counts that
/// belong to the time after the window.
const QUIET: Duration = Duration::from_secs(5);

/// The shortest window: sources take up to ten seconds to follow a change of the targets, which is
/// made in the first round.
const SHORTEST: Duration = Duration::from_secs(36);

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
    let (is_over, over) = watch::channel(false);
    let (begins, begun) = watch::channel(None);
    let play = async {
        let played = story
            .play(Duration::from_secs(seconds), &readers, &begins)
            .await;
        // Also where it fails: the readers must not go on without it.
        is_over.send_replace(true);
        played
    };
    let (played, ()) = try_join(play, poll(&readers, &begun, &over)).await?;

    let mut readings = Readings::without_latency();
    for (index, (source, reader)) in story.scene.sources.iter().zip(&readers).enumerate() {
        let rollouts = played.rollouts.iter().filter_map(|both| both.get(index));
        let rollouts: Vec<&String> = rollouts.collect();
        story
            .hold(&mut readings, source, reader, played.window, &rollouts)
            .await?;
    }
    readings.conclude()
}

/// Reads what there is, again and again, until all is over: nothing of it is held against the truth,
/// which is not known yet, but it is kept.
async fn poll(
    readers: &[SerinusProcess],
    begun: &watch::Receiver<Option<i64>>,
    over: &watch::Receiver<bool>,
) -> anyhow::Result<()> {
    while !*over.borrow() {
        let start_ms = *begun.borrow();
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

/// Everything that the proof claims to cover must have been seen by the scrapes.
fn assert_story_happened(track: &str, truth: &TrackTruth) {
    assert!(truth.requests > 1_000, "{track}: {truth:?}");
    // Restarts that are told, that only `_created` tells, and that nothing tells.
    assert!(truth.restarts >= 5, "{track}: {truth:?}");
    assert!(truth.births >= 1, "{track}: {truth:?}");
    assert!(truth.births_with_error >= 1, "{track}: {truth:?}");
    assert!(truth.late_discoveries >= 1, "{track}: {truth:?}");
    assert!(truth.deaths >= 1, "{track}: {truth:?}");
    assert!(truth.first_errors >= 1, "{track}: {truth:?}");
    assert!(truth.missed_scrapes >= 2, "{track}: {truth:?}");
    assert!(truth.forgotten >= 1, "{track}: {truth:?}");
    assert!(truth.returned >= 1, "{track}: {truth:?}");
    assert!(truth.dips >= 1, "{track}: {truth:?}");
    assert!(truth.scraped_twice >= 1, "{track}: {truth:?}");
}

/// The fleet and what happens to it: of each kind of pod one of each track.
struct Story {
    scene: Scene,
    /// Restarts.
    restarting: [PodId; 2],
    /// Is killed, or taken from the targets.
    dying: [PodId; 2],
    /// Has no error at first.
    faultless: [PodId; 2],
    /// Only misses scrapes.
    missing: [PodId; 2],
    /// Is old, and found late.
    hidden: [PodId; 2],
    /// Forgets its errors.
    forgetful: [PodId; 2],
    /// Is one lower for a scrape.
    dipping: [PodId; 2],
    /// Is scraped by two jobs.
    twice: [PodId; 2],
    /// Has a name and no instance, and restarts.
    named: [PodId; 2],
    /// Tells its restarts by `_created` alone.
    created: [PodId; 2],
    /// Does not tell its restarts.
    untold: [PodId; 2],
}

/// What was played.
struct Played {
    window: Window,
    /// The rollouts that were started, at one time after the other: of each source one.
    rollouts: Vec<Vec<String>>,
}

impl Story {
    /// Starts the fleet and the sources, and waits until every pod is scraped.
    async fn begin() -> anyhow::Result<Self> {
        let mut scene = Scene::new(2_026)?;
        let healthy = PodPlan::healthy("");
        let failing = PodPlan {
            error_rate: 0.1,
            ..healthy.clone()
        };
        let named = PodPlan {
            monitors: Monitors::WithoutInstance,
            ..failing.clone()
        };
        // From these the others without an instance have to be told apart.
        scene.add_to_both(&named).await?;
        let mut story = Self {
            restarting: scene.add_to_both(&healthy).await?,
            dying: scene.add_to_both(&healthy).await?,
            faultless: scene
                .add_to_both(&PodPlan {
                    error_rate: 0.0,
                    ..healthy.clone()
                })
                .await?,
            missing: scene.add_to_both(&healthy).await?,
            hidden: scene
                .add_to_both(&PodPlan {
                    is_listed: false,
                    age: Duration::from_hours(2),
                    requests_before: 2_000,
                    ..failing.clone()
                })
                .await?,
            forgetful: scene
                .add_to_both(&PodPlan {
                    error_rate: 0.2,
                    histogram: HistogramSeries::ByCode,
                    ..healthy.clone()
                })
                .await?,
            dipping: scene
                .add_to_both(&PodPlan {
                    requests_before: 5_000,
                    ..failing.clone()
                })
                .await?,
            twice: scene
                .add_to_both(&PodPlan {
                    monitors: Monitors::Two,
                    ..failing.clone()
                })
                .await?,
            named: scene.add_to_both(&named).await?,
            created: scene
                .add_to_both(&PodPlan {
                    told_start: ToldStart::Created,
                    restart_is_overtaken: true,
                    ..failing.clone()
                })
                .await?,
            untold: scene
                .add_to_both(&PodPlan {
                    told_start: ToldStart::Untold,
                    requests_before: 5_000,
                    ..failing
                })
                .await?,
            scene,
        };
        story.scene.open().await?;
        Ok(story)
    }

    /// Lets things happen for that long, in a window of whole intervals of the grid, and starts
    /// rollouts at its start and after the first round.
    async fn play(
        &mut self,
        length: Duration,
        readers: &[SerinusProcess],
        begins: &watch::Sender<Option<i64>>,
    ) -> anyhow::Result<Played> {
        let mut rollouts = Vec::new();
        let (start_ms, started) = self.begin_at_an_edge(readers, &mut rollouts).await?;
        begins.send_replace(Some(start_ms));
        let mut round = 0;
        self.change_targets().await?;
        while round == 0 || started.elapsed() + ROUND + QUIET < length {
            self.play_round(round).await?;
            if round == 0 {
                self.begin_at_an_edge(readers, &mut rollouts).await?;
            }
            round += 1;
        }
        for pod in self.twice {
            self.scene.fleet.fall_quiet(pod).await?;
        }
        let least = length.max(started.elapsed() + QUIET).max(SHORTEST);
        let window = self.scene.end(start_ms, least).await?;
        Ok(Played { window, rollouts })
    }

    /// Starts rollouts at a time at which both jobs that scrape a pod have seen the same.
    async fn begin_at_an_edge(
        &mut self,
        readers: &[SerinusProcess],
        rollouts: &mut Vec<Vec<String>>,
    ) -> anyhow::Result<(i64, Instant)> {
        for pod in self.twice {
            self.scene.fleet.fall_quiet(pod).await?;
        }
        let edge_ms = sleep_to_boundary().await?;
        let edge = Instant::now();
        let mut started = Vec::new();
        for reader in readers {
            started.push(start_rollout(reader, edge_ms).await?);
        }
        rollouts.push(started);
        // The next scrape of each is after the edge.
        tokio::time::sleep(Duration::from_millis(1_100)).await;
        for pod in self.twice {
            self.scene.fleet.serve_again(pod)?;
        }
        Ok((edge_ms, edge))
    }

    /// Pods are born, found late, killed and taken away.
    async fn change_targets(&mut self) -> anyhow::Result<()> {
        let newborn = PodPlan {
            error_before_first_scrape: true,
            ..PodPlan::healthy("")
        };
        self.scene.add_to_both(&newborn).await?;
        self.scene
            .add_to_both(&PodPlan {
                told_start: ToldStart::Created,
                ..newborn
            })
            .await?;
        for pod in self.hidden {
            self.scene.fleet.discover(pod)?;
        }
        self.scene.fleet.kill(self.dying[0])?;
        self.scene.fleet.remove(self.dying[1])
    }

    /// Each kind of thing happens once; dips in every second round, because what falls all the time
    /// is no counter.
    async fn play_round(&mut self, round: u32) -> anyhow::Result<()> {
        let pause = async || tokio::time::sleep(Duration::from_millis(1_300)).await;
        let fleet = &mut self.scene.fleet;
        for pod in self.forgetful {
            // In the first round all of them, later one of two.
            fleet
                .forget_errors(pod, if round == 0 { 500 } else { 503 })
                .await?;
        }
        if round.is_multiple_of(2) {
            for pod in self.dipping {
                fleet.dip(pod)?;
            }
        }
        pause().await;
        fleet
            .restart(self.restarting[0], Duration::from_millis(2_400))
            .await?;
        fleet.miss_next(self.missing[1], 1, Miss::ServerError)?;
        fleet.set_error_rate(self.faultless[1], 0.2)?;
        pause().await;
        // So short that hardly a scrape notices the connection refused.
        for pod in [self.restarting[1], self.created[0], self.named[1]] {
            fleet.restart(pod, Duration::from_millis(300)).await?;
        }
        fleet.miss_next(self.missing[0], 2, Miss::ConnectionCut)?;
        fleet.set_error_rate(self.faultless[0], 0.2)?;
        pause().await;
        for pod in self.forgetful {
            // Fewer than before: what comes back is lower than what was forgotten.
            fleet.set_error_rate(pod, 0.05)?;
        }
        for pod in [self.untold[0], self.created[1], self.named[0]] {
            fleet.restart(pod, Duration::from_millis(300)).await?;
        }
        pause().await;
        fleet.miss_next(self.missing[1], 3, Miss::ConnectionCut)?;
        fleet
            .restart(self.untold[1], Duration::from_millis(300))
            .await?;
        pause().await;
        // An error before the restart and one after: the counter of errors does not fall.
        for pod in self.faultless {
            fleet.restart(pod, Duration::from_millis(1_500)).await?;
        }
        for pod in self.forgetful {
            // So many by the next round that those which come back then are fewer again.
            fleet.set_error_rate(pod, 0.3)?;
        }
        pause().await;
        pause().await;
        Ok(())
    }

    /// Holds all readings of a source against the truth.
    async fn hold(
        &self,
        readings: &mut Readings,
        source: &RealSource,
        reader: &SerinusProcess,
        window: Window,
        rollouts: &[&String],
    ) -> anyhow::Result<()> {
        let name = source.kind().name();
        let fleet = &self.scene.fleet;
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
