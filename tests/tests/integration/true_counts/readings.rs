//! What Serinus counted, held against the truth: number by number, and the difference is printed.

use std::collections::BTreeMap;
use std::fmt::Write;

use anyhow::{Context, ensure};
use serde_json::{Value, json};
use serinus_tests::{RealSource, SerinusProcess, TrackTruth, TruthFleet, Window};

use super::by_hand::counted_by_hand;
use super::scene::{INTERVAL_MS, Scene, TRACKS};
use crate::contract::{analyse, pipeline_with, request, set};

/// The populations of an answer, and their tracks.
const POPULATIONS: [(&str, &str); 2] = [("control", TRACKS[0]), ("canary", TRACKS[1])];

/// A number of an answer whose truth is known.
struct Number {
    what: &'static str,
    check: usize,
    field: &'static str,
    truth: fn(&TrackTruth) -> u64,
    /// How many series of a pod make it up at most.
    series: u64,
    /// Whether it is what a check of latency looks at.
    is_of_latency: bool,
}

/// All of them.
const NUMBERS: [Number; 5] = [
    Number {
        what: "errors",
        check: 0,
        field: "events",
        truth: |truth| truth.errors,
        series: 2,
        is_of_latency: false,
    },
    Number {
        what: "requests",
        check: 0,
        field: "total",
        truth: |truth| truth.requests,
        series: 4,
        is_of_latency: false,
    },
    Number {
        what: "requests of one bucket",
        check: 1,
        field: "events",
        truth: |truth| truth.fast,
        series: 1,
        is_of_latency: false,
    },
    Number {
        what: "requests of the histogram",
        check: 1,
        field: "total",
        truth: |truth| truth.requests,
        series: 1,
        is_of_latency: false,
    },
    Number {
        what: "requests of all buckets",
        check: 2,
        field: "total",
        truth: |truth| truth.requests,
        series: 1,
        is_of_latency: true,
    },
];

/// How far a count may be from the truth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Allowed {
    /// Not at all.
    Nothing,
    /// What each dip of each series took away may be counted again: without a known start nobody
    /// can tell it from new requests.
    EachDipOnce,
}

/// The pipeline that asks for all numbers, with a stage of that many minutes.
pub(super) fn pipeline(duration_minutes: f64) -> Value {
    let mut pipeline = pipeline_with(
        &json!({
            "error_rate": {
                "errors": "http_requests_total{code=~\"5..\"}",
                "total": "http_requests_total",
            },
            "fast": {
                "events": "http_request_duration_seconds_bucket{le=\"0.05\"}",
                "total": "http_request_duration_seconds_count",
                "better": "higher",
            },
            "latency_p90": {"quantile": 0.9, "histogram": "http_request_duration_seconds"},
        }),
        &json!([
            "error_rate < baseline * 1.1",
            "fast > baseline * 0.9",
            "latency_p90 < baseline * 1.2",
        ]),
        duration_minutes,
    );
    let interval = format!("{}s", INTERVAL_MS / 1_000);
    set(
        &mut pipeline,
        "analysis",
        json!({"method": "wilson", "interval": interval, "lag": "4s", "split_check": "off"}),
    );
    pipeline
}

/// What was read, and where it differs from the truth.
#[derive(Debug)]
pub(super) struct Readings {
    wrong: String,
    holds_latency: bool,
}

impl Readings {
    /// Readings of which every number is held against the truth.
    fn of_everything() -> Self {
        Self {
            wrong: String::new(),
            holds_latency: true,
        }
    }

    /// Readings in which the canary has new processes all the time: latency leaves out so much that
    /// its number of requests tells nothing.
    pub(super) fn without_latency() -> Self {
        Self {
            wrong: String::new(),
            holds_latency: false,
        }
    }

    /// Reads the counts of a window from each source, by a Serinus that knows nothing yet, and holds
    /// them against the truth. `happened` is asked whether the scrapes saw what the test is about.
    pub(super) async fn of_scene(
        scene: &Scene,
        window: Window,
        allowed: Allowed,
        happened: impl Fn(&TrackTruth) -> bool,
    ) -> anyhow::Result<()> {
        let mut readings = Self::of_everything();
        for source in &scene.sources {
            let truth = truth_of(&scene.fleet, source, window).await?;
            for (track, seen) in &truth {
                ensure!(
                    happened(seen),
                    "the scrapes of {track} did not see it: {seen:?}"
                );
            }
            readings
                .hold_by_hand(source, window, &truth, allowed)
                .await?;
            let serinus = SerinusProcess::serve(source.url()).await?;
            let answer = analysis_of(&serinus, window).await?;
            readings.hold(source.kind().name(), &answer, &truth, allowed);
        }
        readings.conclude()
    }

    /// Holds what is counted by hand against the truth.
    pub(super) async fn hold_by_hand(
        &mut self,
        source: &RealSource,
        window: Window,
        truth: &BTreeMap<String, TrackTruth>,
        allowed: Allowed,
    ) -> anyhow::Result<()> {
        let counted = counted_by_hand(source, window).await?;
        let how = format!("{}, by hand", source.kind().name());
        let holds_latency = std::mem::replace(&mut self.holds_latency, false);
        self.hold(&how, &counted, truth, allowed);
        self.holds_latency = holds_latency;
        Ok(())
    }

    /// Holds the numbers of an analysis against the truth of its window, and prints each.
    #[expect(clippy::print_stdout, reason = "the figures of the proof")]
    pub(super) fn hold(
        &mut self,
        how: &str,
        analysis: &Value,
        truth: &BTreeMap<String, TrackTruth>,
        allowed: Allowed,
    ) {
        let mut has_difference = false;
        // Of a canary's process that is new, latency leaves out the first while.
        let has_new_canary = truth
            .get(TRACKS[1])
            .is_some_and(|canary| canary.restarts > 0 || canary.births > 0);
        let holds_latency = self.holds_latency && !has_new_canary;
        for (population, track) in POPULATIONS {
            let Some(truth) = truth.get(track) else {
                continue;
            };
            for number in &NUMBERS {
                if number.is_of_latency && !holds_latency {
                    continue;
                }
                let at = format!("/checks/{}/{population}/{}", number.check, number.field);
                let counted = analysis.pointer(&at).and_then(Value::as_f64);
                let expected = (number.truth)(truth);
                let line = compare(counted, expected);
                println!("{how}: {population} {}: {line}", number.what);
                let most = match allowed {
                    Allowed::Nothing => 0,
                    Allowed::EachDipOnce => u64::from(truth.dips) * number.series,
                };
                let is_right = counted.is_some_and(|counted| {
                    (expected as f64..=(expected + most) as f64).contains(&counted)
                });
                if !is_right {
                    has_difference = true;
                    // Writing to a string cannot fail.
                    let _ = writeln!(self.wrong, "{how}: {population} {}: {line}", number.what);
                }
            }
        }
        if has_difference {
            let reason = analysis.pointer("/gate/reason").unwrap_or(&Value::Null);
            let warnings = analysis.pointer("/warnings").unwrap_or(&Value::Null);
            let _ = writeln!(self.wrong, "  it says {reason}, warnings {warnings}");
        }
    }

    /// Fails with every number that is wrong.
    pub(super) fn conclude(self) -> anyhow::Result<()> {
        ensure!(
            self.wrong.is_empty(),
            "counts that are wrong:\n{}",
            self.wrong
        );
        Ok(())
    }
}

/// What Serinus says of a window.
pub(super) async fn analysis_of(serinus: &SerinusProcess, window: Window) -> anyhow::Result<Value> {
    let asked = request(&pipeline(1.0), Some(window))?;
    Ok(analyse(serinus, &asked).await?.body)
}

/// What the scrapes of a source saw of both tracks.
#[expect(clippy::print_stdout, reason = "the figures of the proof")]
pub(super) async fn truth_of(
    fleet: &TruthFleet,
    source: &RealSource,
    window: Window,
) -> anyhow::Result<BTreeMap<String, TrackTruth>> {
    source.flush().await?;
    let truth = fleet.truth(source.api(), window).await?;
    for track in TRACKS {
        let seen = truth.get(track).context("a track without pods")?;
        println!("{}: {track}: {seen:?}", source.kind().name());
        ensure!(seen.requests > 0 && seen.errors > 0, "{track}: {seen:?}");
    }
    Ok(truth)
}

fn compare(counted: Option<f64>, expected: u64) -> String {
    match counted {
        Some(counted) => {
            let difference = counted - expected as f64;
            format!("counted {counted}, true {expected}, difference {difference}")
        }
        None => format!("not counted, true {expected}"),
    }
}
