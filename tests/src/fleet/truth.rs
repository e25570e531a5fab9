//! What the scrapes saw: the counts that any reader of the same Prometheus must arrive at.
//!
//! Prometheus says only which scrape was stored when (by the gauge `truth_scrape`); what that
//! scrape was given comes from the pods' own record. The rule:
//!
//! * A pod with a sample at the window's start counts what its scrapes gained since.
//! * A pod that appears inside the window counts from zero if its process was started inside the
//!   window; otherwise its first sample is a starting point and counts nothing.
//! * After a restart the new process counts from zero.
//! * A pod that ends counts up to its last sample; a missed scrape is made good by the next.
//! * A series of a pod that is seen already counts from zero: its first error is an error.

use std::collections::BTreeMap;

use anyhow::{Context, bail};
use serde_json::Value;

use super::pod::{Pod, Served};
use super::{JOB, SCRAPE_INTERVAL_MS, TruthFleet};
use crate::prometheus::RealPrometheus;

/// A stretch of time: what was scraped after the start, up to and including the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// Start in milliseconds since 1970.
    pub start_ms: i64,
    /// End in milliseconds since 1970.
    pub end_ms: i64,
}

/// What happened in the pods of one track, and what they counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TrackTruth {
    /// Requests.
    pub requests: u64,
    /// Those with a 5xx answer.
    pub errors: u64,
    /// Restarts seen by the scrapes.
    pub restarts: u32,
    /// Processes started inside the window and seen for the first time.
    pub births: u32,
    /// Births that show an error in the very first sample.
    pub births_with_error: u32,
    /// Pods seen for the first time whose process is older than the window.
    pub late_discoveries: u32,
    /// Pods seen at first, and no more at the end.
    pub deaths: u32,
    /// Pods that had no error at first and had one later: a series born in the window.
    pub first_errors: u32,
    /// Scrapes that failed as the test asked for.
    pub missed_scrapes: u32,
}

impl TruthFleet {
    /// Returns what the scrapes that Prometheus stored in the window saw, by track.
    ///
    /// # Errors
    ///
    /// When the window starts while a pod misses scrapes: whether its next sample is a starting
    /// point would then depend on milliseconds.
    pub async fn truth(
        &self,
        prometheus: &RealPrometheus,
        window: Window,
    ) -> anyhow::Result<BTreeMap<String, TrackTruth>> {
        let stored = stored_scrapes(prometheus, window).await?;
        let mut tracks = BTreeMap::<String, TrackTruth>::new();
        for pod in &self.pods {
            let instance = pod.instance();
            let samples = stored.get(&instance).map_or(&[][..], Vec::as_slice);
            add_pod(
                tracks.entry(pod.plan.track.clone()).or_default(),
                pod,
                samples,
                window,
            )
            .with_context(|| format!("pod {instance}"))?;
        }
        Ok(tracks)
    }
}

/// One stored sample of `truth_scrape`.
#[derive(Debug, Clone, Copy)]
struct StoredScrape {
    at_ms: i64,
    scrape: u64,
}

/// Reads which scrape was stored when, by instance, from a little before the window's start.
async fn stored_scrapes(
    prometheus: &RealPrometheus,
    window: Window,
) -> anyhow::Result<BTreeMap<String, Vec<StoredScrape>>> {
    let length_ms = window.end_ms - window.start_ms + 10 * SCRAPE_INTERVAL_MS;
    let query = format!("truth_scrape{{job=\"{JOB}\"}}[{length_ms}ms]");
    let mut stored = BTreeMap::new();
    for series in prometheus.query(&query, window.end_ms).await? {
        let instance = series
            .pointer("/metric/instance")
            .and_then(Value::as_str)
            .context("a series without an instance")?;
        let samples = series
            .pointer("/values")
            .and_then(Value::as_array)
            .context("a series without samples")?;
        let samples = samples.iter().map(stored_scrape);
        stored.insert(
            instance.to_owned(),
            samples.collect::<anyhow::Result<Vec<_>>>()?,
        );
    }
    Ok(stored)
}

/// Reads a sample `[seconds, "value"]`. Prometheus writes times with three decimals.
fn stored_scrape(sample: &Value) -> anyhow::Result<StoredScrape> {
    let seconds = sample.pointer("/0").and_then(Value::as_f64);
    let scrape = sample.pointer("/1").and_then(Value::as_str);
    #[expect(
        clippy::cast_possible_truncation,
        reason = "milliseconds since 1970 are far below 2^53"
    )]
    Ok(StoredScrape {
        at_ms: (seconds.context("a sample without a time")? * 1_000.0).round() as i64,
        scrape: scrape.context("a sample without a value")?.parse()?,
    })
}

fn add_pod(
    track: &mut TrackTruth,
    pod: &Pod,
    stored: &[StoredScrape],
    window: Window,
) -> anyhow::Result<()> {
    let state = pod.state();
    let was_missed_inside = |at_ms: &&i64| window.start_ms < **at_ms && **at_ms <= window.end_ms;
    track.missed_scrapes +=
        u32::try_from(state.missed_at_ms.iter().filter(was_missed_inside).count())?;

    let mut previous: Option<&Served> = None;
    let mut last_seen_ms = None;
    let mut errors_at_first = None;
    for sample in stored {
        let served = state
            .served
            .iter()
            .find(|served| served.scrape == sample.scrape)
            .with_context(|| format!("scrape {} was never served", sample.scrape))?;
        if sample.at_ms > window.start_ms {
            count_sample(track, previous, served, window);
            last_seen_ms = Some(sample.at_ms);
        }
        errors_at_first.get_or_insert(served.errors);
        let is_new_error = errors_at_first == Some(0) && served.errors > 0;
        if is_new_error && sample.at_ms > window.start_ms {
            track.first_errors += 1;
            errors_at_first = Some(served.errors);
        }
        previous = Some(served);
    }

    let before = stored
        .iter()
        .rfind(|sample| sample.at_ms <= window.start_ms);
    if before.is_some_and(|sample| window.start_ms - sample.at_ms > SCRAPE_INTERVAL_MS * 3 / 2) {
        bail!("the window starts while the pod misses scrapes: start it in a quiet second");
    }
    let newest_ms = last_seen_ms.or(before.map(|sample| sample.at_ms));
    track.deaths += u32::from(
        newest_ms.is_some_and(|at_ms| window.end_ms - at_ms > SCRAPE_INTERVAL_MS * 3 / 2),
    );
    Ok(())
}

/// Counts what a sample inside the window adds to the one before it.
fn count_sample(
    track: &mut TrackTruth,
    previous: Option<&Served>,
    served: &Served,
    window: Window,
) {
    match previous {
        Some(before) if before.process_start_ms == served.process_start_ms => {
            track.requests += served.requests - before.requests;
            track.errors += served.errors - before.errors;
        }
        Some(_) => {
            track.restarts += 1;
            track.requests += served.requests;
            track.errors += served.errors;
        }
        None if served.process_start_ms >= window.start_ms => {
            track.births += 1;
            track.births_with_error += u32::from(served.errors > 0);
            track.requests += served.requests;
            track.errors += served.errors;
        }
        None => track.late_discoveries += 1,
    }
}
