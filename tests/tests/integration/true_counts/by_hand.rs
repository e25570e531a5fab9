//! The same counts by hand, from all raw samples of a source: the truth is asked of Serinus only
//! where it can be read from what a source shows.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Context;
use serde_json::{Value, json};
use serinus_tests::{RealSource, Window};

use super::scene::TRACKS;

/// What is read of the time before a window: whether a target was there.
const BEFORE_MS: i64 = 20_000;

/// What tells one target from another, the job last: of two jobs one counts.
const TARGET: [&str; 5] = ["track", "instance", "pod", "k8s_pod_name", "job"];

/// The values of [`TARGET`].
type Target = [String; TARGET.len()];

/// The samples of a series by time, in milliseconds.
type Samples = BTreeMap<i64, f64>;

/// One series of a name.
struct Series {
    target: Target,
    code: String,
    samples: Samples,
}

/// Everything that is read.
struct Raw {
    start: Vec<Series>,
    requests: Vec<Series>,
    requests_created: Vec<Series>,
    fast: Vec<Series>,
    observations: Vec<Series>,
    histogram_created: Vec<Series>,
    /// When each target was scraped.
    scrapes: BTreeMap<Target, BTreeSet<i64>>,
}

/// Counts a window, and returns the counts in the form of an answer of Serinus.
pub(super) async fn counted_by_hand(source: &RealSource, window: Window) -> anyhow::Result<Value> {
    let raw = Raw::read(source, window).await?;
    let population = |track: &str| {
        let is_error = |series: &Series| series.code.starts_with('5');
        let requests = raw.counted(&raw.requests, &raw.requests_created, window, track, |_| {
            true
        });
        let errors = raw.counted(
            &raw.requests,
            &raw.requests_created,
            window,
            track,
            is_error,
        );
        let fast = raw.counted(&raw.fast, &raw.histogram_created, window, track, |_| true);
        let created = &raw.histogram_created;
        let observations = raw.counted(&raw.observations, created, window, track, |_| true);
        [
            json!({"events": errors, "total": requests}),
            json!({"events": fast, "total": observations}),
        ]
    };
    let [control, canary] = TRACKS.map(population);
    let checks: Vec<Value> = control
        .into_iter()
        .zip(canary)
        .map(|(control, canary)| json!({"control": control, "canary": canary}))
        .collect();
    Ok(json!({"checks": checks}))
}

impl Raw {
    async fn read(source: &RealSource, window: Window) -> anyhow::Result<Self> {
        let read = async |selector: &str| series_of(source, selector, window).await;
        let mut raw = Self {
            start: read("process_start_time_seconds").await?,
            requests: read("http_requests_total").await?,
            requests_created: read("http_requests_created").await?,
            fast: read("http_request_duration_seconds_bucket{le=\"0.05\"}").await?,
            observations: read("http_request_duration_seconds_count").await?,
            histogram_created: read("http_request_duration_seconds_created").await?,
            scrapes: BTreeMap::new(),
        };
        for series in raw.start.iter().chain(&raw.requests) {
            let scrapes = raw.scrapes.entry(series.target.clone()).or_default();
            scrapes.extend(series.samples.keys());
        }
        Ok(raw)
    }

    /// The sum over the series of a track.
    fn counted(
        &self,
        counters: &[Series],
        created: &[Series],
        window: Window,
        track: &str,
        counts: impl Fn(&Series) -> bool,
    ) -> f64 {
        let of_track = counters.iter().filter(|series| series.target[0] == track);
        of_track
            .filter(|series| counts(series) && !self.is_copy(&series.target))
            .map(|series| self.gained(series, created, window))
            .sum()
    }

    /// Whether another job scrapes the same pod, and counts.
    fn is_copy(&self, target: &Target) -> bool {
        let [rest @ .., job] = target;
        self.scrapes
            .keys()
            .any(|[other_rest @ .., other_job]| other_rest == rest && other_job < job)
    }

    /// What one series gained in a window.
    fn gained(&self, series: &Series, created: &[Series], window: Window) -> f64 {
        let told = created
            .iter()
            .find(|one| one.target == series.target && one.code == series.code)
            .or_else(|| self.start.iter().find(|one| one.target == series.target));
        let start = |at_ms: i64| told.and_then(|one| one.samples.get(&at_ms).copied());
        let scrapes = self.scrapes.get(&series.target);
        let was_scraped = |mut within: std::ops::Range<i64>| {
            within.start += 1;
            scrapes.is_some_and(|scrapes| scrapes.range(within).next().is_some())
        };
        let mut sum = 0.0;
        let mut largest = 0.0_f64;
        let mut previous: Option<(i64, f64)> = None;
        for (&at_ms, &value) in &series.samples {
            let begins_anew = match previous {
                None => {
                    was_scraped(i64::MIN..at_ms)
                        || start(at_ms)
                            .is_some_and(|seconds| seconds * 1_000.0 >= window.start_ms as f64)
                }
                Some((before_ms, highest)) => match start(before_ms).zip(start(at_ms)) {
                    Some((old, new)) if new - old > 0.000_5 => true,
                    // Forgotten while its target lived.
                    _ if value < highest && was_scraped(before_ms..at_ms) => true,
                    Some(_) => false,
                    None => value < highest && value <= (3.0 * largest).max(10.0),
                },
            };
            let (gain, base) = match previous {
                _ if begins_anew => (value, value),
                Some((_, highest)) if value >= highest => {
                    largest = largest.max(value - highest);
                    (value - highest, value)
                }
                // The process is known to be the same.
                Some((_, highest)) if start(at_ms).is_some() => (0.0, highest),
                _ => (0.0, value),
            };
            if window.start_ms < at_ms && at_ms <= window.end_ms {
                sum += gain;
            }
            previous = Some((at_ms, base));
        }
        sum
    }
}

async fn series_of(
    source: &RealSource,
    selector: &str,
    window: Window,
) -> anyhow::Result<Vec<Series>> {
    let length_ms = window.end_ms - window.start_ms + BEFORE_MS;
    let query = format!("{selector}[{length_ms}ms]");
    let found = source.api().query(&query, window.end_ms).await?;
    found.iter().map(series).collect()
}

fn series(found: &Value) -> anyhow::Result<Series> {
    let label = |name: &str| {
        let text = found.pointer(&format!("/metric/{name}"));
        text.and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    let values = found.pointer("/values").and_then(Value::as_array);
    let mut samples = Samples::new();
    for sample in values.context("no values")? {
        let seconds = sample.pointer("/0").and_then(Value::as_f64);
        let value = sample.pointer("/1").and_then(Value::as_str);
        let value: f64 = value.context("no value")?.parse()?;
        // A marker of staleness, which VictoriaMetrics shows.
        if !value.is_nan() {
            #[expect(
                clippy::cast_possible_truncation,
                reason = "milliseconds since 1970 are far below 2^53"
            )]
            let at_ms = (seconds.context("no time")? * 1_000.0).round() as i64;
            samples.insert(at_ms, value);
        }
    }
    Ok(Series {
        target: TARGET.map(label),
        code: label("code"),
        samples,
    })
}
