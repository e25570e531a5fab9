//! What the scrapes saw: the counts that any reader of the same source must arrive at.
//!
//! A source says only which scrape was stored when (by the gauge `truth_scrape`); what that scrape
//! was given comes from the pods' own record. The rule:
//!
//! * A pod with a sample at the window's start counts what its scrapes gained since.
//! * A pod that appears inside the window counts from zero if it tells that its process was started
//!   inside the window; otherwise its first sample is a starting point and counts nothing.
//! * After a restart the new process counts from zero.
//! * A pod that ends counts up to its last sample; a missed scrape is made good by the next.
//! * A series of a pod that is seen already counts from zero: its first error is an error. So does
//!   one that was forgotten and is back, and what it counted before stays counted.
//! * A sample that is 1 too low takes nothing away: the next one is right.
//! * A pod that is scraped twice counts once.

use std::collections::BTreeMap;

use anyhow::{Context, bail, ensure};
use serde_json::Value;

use super::counters::Counts;
use super::pod::Pod;
use super::process::{Scraper, Served};
use super::{SCRAPE_INTERVAL_MS, TruthFleet};
use crate::query_api::QueryApi;

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
    /// Those that took at most 50 ms: what the bucket with the bound 0.05 counted.
    pub fast: u64,
    /// Restarts seen by the scrapes.
    pub restarts: u32,
    /// Processes started inside the window and seen for the first time.
    pub births: u32,
    /// Births that show an error in the very first sample.
    pub births_with_error: u32,
    /// Pods seen for the first time whose process is older than the window, or tells no start.
    pub late_discoveries: u32,
    /// Pods seen at first, and no more at the end.
    pub deaths: u32,
    /// Pods that had no error at first and had one later: a series born in the window.
    pub first_errors: u32,
    /// Pods that showed a series of 503, and no more in the next sample of the same process.
    pub forgotten: u32,
    /// Those that showed it again later.
    pub returned: u32,
    /// Samples that are 1 too low.
    pub dips: u32,
    /// Pods of which there are two samples of everything.
    pub scraped_twice: u32,
    /// Scrapes that failed as the test asked for.
    pub missed_scrapes: u32,
}

impl TrackTruth {
    fn counts(&self) -> [u64; 3] {
        [self.requests, self.errors, self.fast]
    }

    fn add(&mut self, other: &Self) {
        self.requests += other.requests;
        self.errors += other.errors;
        self.fast += other.fast;
        self.restarts += other.restarts;
        self.births += other.births;
        self.births_with_error += other.births_with_error;
        self.late_discoveries += other.late_discoveries;
        self.deaths += other.deaths;
        self.first_errors += other.first_errors;
        self.forgotten += other.forgotten;
        self.returned += other.returned;
        self.dips += other.dips;
        self.scraped_twice += other.scraped_twice;
        self.missed_scrapes += other.missed_scrapes;
    }
}

impl TruthFleet {
    /// Returns what the scrapes that a source stored in the window saw, by track.
    ///
    /// # Errors
    ///
    /// When the window starts while a pod misses scrapes: whether its next sample is a starting
    /// point would then depend on milliseconds. When the two jobs that scrape a pod saw different
    /// counts: it has to be quiet at the edges of the window.
    pub async fn truth(
        &self,
        source: &QueryApi,
        window: Window,
    ) -> anyhow::Result<BTreeMap<String, TrackTruth>> {
        let stored = stored_scrapes(source, window).await?;
        let mut tracks = BTreeMap::<String, TrackTruth>::new();
        for pod in &self.pods {
            let seen = of_pod(pod, source, &stored, window)
                .with_context(|| format!("pod {} of {}", pod.number, source.name()))?;
            tracks.entry(pod.plan.track.clone()).or_default().add(&seen);
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

/// The stored samples of a pod, which its number names, by job.
type Stored = BTreeMap<(usize, String), Vec<StoredScrape>>;

/// Reads which scrape was stored when, from a little before the window's start.
async fn stored_scrapes(source: &QueryApi, window: Window) -> anyhow::Result<Stored> {
    let length_ms = window.end_ms - window.start_ms + 10 * SCRAPE_INTERVAL_MS;
    let query = format!("truth_scrape[{length_ms}ms]");
    let mut stored = Stored::new();
    for series in source.query(&query, window.end_ms).await? {
        let label = |name: &str| {
            let text = series.pointer(&format!("/metric/{name}"));
            text.and_then(Value::as_str)
                .with_context(|| format!("a series without {name}: {series}"))
        };
        let number: usize = label("number")?.parse()?;
        let job = label("job")?.to_owned();
        let samples = series
            .pointer("/values")
            .and_then(Value::as_array)
            .context("a series without samples")?;
        let samples: Vec<_> = samples
            .iter()
            .filter_map(|sample| stored_scrape(sample).transpose())
            .collect::<anyhow::Result<_>>()?;
        ensure!(
            stored.insert((number, job), samples).is_none(),
            "two series of one job: {series}"
        );
    }
    Ok(stored)
}

/// Reads a sample `[seconds, "value"]`. Times have three decimals. Nothing for a marker of
/// staleness, which only VictoriaMetrics shows.
fn stored_scrape(sample: &Value) -> anyhow::Result<Option<StoredScrape>> {
    let seconds = sample.pointer("/0").and_then(Value::as_f64);
    let scrape = sample.pointer("/1").and_then(Value::as_str);
    let scrape = scrape.context("a sample without a value")?;
    if scrape == "NaN" {
        return Ok(None);
    }
    #[expect(
        clippy::cast_possible_truncation,
        reason = "milliseconds since 1970 are far below 2^53"
    )]
    Ok(Some(StoredScrape {
        at_ms: (seconds.context("a sample without a time")? * 1_000.0).round() as i64,
        scrape: scrape.parse()?,
    }))
}

/// What was seen of a pod. By whichever job: the counts must be the same.
fn of_pod(
    pod: &Pod,
    source: &QueryApi,
    stored: &Stored,
    window: Window,
) -> anyhow::Result<TrackTruth> {
    let state = pod.state();
    let mut first: Option<TrackTruth> = None;
    for job in pod.plan.monitors.jobs() {
        let Some(scraper) = state.scraper(source.name(), job) else {
            continue;
        };
        let samples = stored.get(&(pod.number, (*job).to_owned()));
        let seen = of_job(scraper, samples.map_or(&[][..], Vec::as_slice), window)?;
        match &mut first {
            None => first = Some(seen),
            Some(first) => {
                ensure!(
                    first.counts() == seen.counts(),
                    "its two jobs saw {first:?} and {seen:?}: let it be quiet at the edges"
                );
                first.scraped_twice = 1;
            }
        }
    }
    Ok(first.unwrap_or_default())
}

fn of_job(
    scraper: &Scraper,
    stored: &[StoredScrape],
    window: Window,
) -> anyhow::Result<TrackTruth> {
    let was_missed_inside = |at_ms: &&i64| window.start_ms < **at_ms && **at_ms <= window.end_ms;
    let missed = scraper.missed_at_ms.iter().filter(was_missed_inside);
    let mut truth = TrackTruth {
        missed_scrapes: u32::try_from(missed.count())?,
        ..TrackTruth::default()
    };

    let mut previous: Option<&Served> = None;
    let mut last_seen_ms = None;
    let mut errors_at_first = None;
    let mut was_forgotten = false;
    for sample in stored {
        let served = scraper
            .served
            .iter()
            .find(|served| served.scrape == sample.scrape)
            .with_context(|| format!("scrape {} was never served", sample.scrape))?;
        if sample.at_ms > window.start_ms {
            count_sample(&mut truth, previous, served, window);
            note_forgotten(&mut truth, &mut was_forgotten, previous, served);
            last_seen_ms = Some(sample.at_ms);
        }
        errors_at_first.get_or_insert(served.counts.errors);
        let is_new_error = errors_at_first == Some(0) && served.counts.errors > 0;
        if is_new_error && sample.at_ms > window.start_ms {
            truth.first_errors += 1;
            errors_at_first = Some(served.counts.errors);
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
    truth.deaths += u32::from(
        newest_ms.is_some_and(|at_ms| window.end_ms - at_ms > SCRAPE_INTERVAL_MS * 3 / 2),
    );
    Ok(truth)
}

/// Counts what a sample inside the window adds to the one before it.
fn count_sample(
    truth: &mut TrackTruth,
    previous: Option<&Served>,
    served: &Served,
    window: Window,
) {
    let counts = served.counts;
    let before = match previous {
        Some(before) if before.process == served.process => before.counts,
        Some(_) => {
            truth.restarts += 1;
            Counts::default()
        }
        None if served
            .told_start_ms
            .is_some_and(|start_ms| start_ms >= window.start_ms) =>
        {
            truth.births += 1;
            truth.births_with_error += u32::from(counts.errors > 0);
            Counts::default()
        }
        None => {
            truth.late_discoveries += 1;
            counts
        }
    };
    truth.requests += counts.requests - before.requests;
    truth.errors += counts.errors - before.errors;
    truth.fast += counts.fast - before.fast;
    truth.dips += u32::from(served.is_dip);
}

/// Notes whether a process stopped or began again to show the series of 503.
fn note_forgotten(
    truth: &mut TrackTruth,
    was_forgotten: &mut bool,
    previous: Option<&Served>,
    served: &Served,
) {
    let Some(before) = previous.filter(|before| before.process == served.process) else {
        *was_forgotten = false;
        return;
    };
    match (before.shows_503, served.shows_503) {
        (true, false) => {
            truth.forgotten += 1;
            *was_forgotten = true;
        }
        (false, true) if *was_forgotten => {
            truth.returned += 1;
            *was_forgotten = false;
        }
        _ => {}
    }
}
