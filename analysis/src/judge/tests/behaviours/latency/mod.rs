//! What the method of latency quantiles answers to data of the kinds that it was made for, as
//! [`super`] does for counts: a pipeline file, the histograms of a simulated fleet, and the gate asked interval after
//! interval. Unless a test says otherwise the canary has 5 % of the traffic and begins with the stage of 30 minutes,
//! so that its first five minutes are not judged; laws are [`Latencies`] at four places among the buckets.
//!
//! | number | where |
//! |---|---|
//! | D1, D2, D3, D4 | `laws` |
//! | D5, D7, D8 | `traffic` |
//! | D6 | recorded canaries, by `scripts/prove-real-data.py` |
//! | D9, D10, D11, D12 | `bounds` |
//! | D13, D14, D15, D16 | `readings` |
//! | D17, D19, D20 | `rollout` |
//! | D18, D21 | `plan` |
//!
//! Source: docs/design/latency.md, "The method of latency quantiles".

mod bounds;
mod laws;
mod plan;
mod readings;
mod rollout;
mod traffic;

use super::played::{Told, asked, file, read_of};
use super::*;
use crate::series::{Apart, Lives, PodBuckets, PodLife};
use crate::simulate::operating::laws::Fault;
use crate::simulate::operating::{
    Buckets, Disturbance, Latencies, LatencyFleet, LatencyFleetDescription, Servers,
};

const LN_8: Latencies = Latencies::log_normal(0.8);
const HIT: Latencies = Latencies::hit(0.03, 20.0);
/// Where laws lie among the buckets, in seconds.
const SCALES: [f64; 4] = [0.03, 0.045, 0.07, 0.11];
/// The same for laws with two humps.
const TWO_HUMPS: [f64; 4] = [0.0319, 0.0268, 0.05, 0.01];
const STEP_MS: i64 = 30_000;
/// Intervals of 30 minutes.
const HALF_HOUR: usize = 60;

/// Both populations with these laws, 5 % of so many requests a second at the canary.
fn fleet(rps: f64, laws: [Latencies; 2]) -> LatencyFleetDescription {
    LatencyFleetDescription {
        requests_per_second: rps,
        interval_seconds: 30.0,
        laws,
        scales: SCALES,
        fault: Fault::Times(1.0),
        buckets: Buckets::Default,
        disturbance: Disturbance::NONE,
        servers: Servers::ONE,
    }
}

/// The canary so many times as slow, all of it.
fn slower(rps: f64, law: Latencies, times: f64) -> LatencyFleetDescription {
    fleet(rps, [law, law.times(times)])
}

/// What is read of it: the histogram of so many intervals, of which the canary's processes begin with the first.
fn histogram_of(
    description: &LatencyFleetDescription,
    seed: u64,
    intervals: usize,
) -> PairedHistogram {
    let mut fleet = LatencyFleet::new(*description, 7, seed);
    let bounds: Vec<f64> = fleet.bounds().to_vec();
    let columns = bounds.len() + 1;
    let (mut control, mut canary) = (Vec::new(), Vec::new());
    let mut pods: Populations<Vec<Vec<(u32, PodBuckets)>>> = Populations::default();
    for _ in 0..intervals {
        let rows = fleet.next(0.05);
        for (counts, pods, servers) in [
            (&mut control, &mut pods.control, &rows.control),
            (&mut canary, &mut pods.canary, &rows.canary),
        ] {
            let each: Vec<Vec<f64>> = servers.iter().map(|row| cumulative(row)).collect();
            counts.extend((0..columns).map(|at| each.iter().map(|row| row[at]).sum::<f64>()));
            let buckets = each.iter().map(|row| PodBuckets::of_cumulative(row));
            pods.push((0..).zip(buckets).collect());
        }
    }
    let shaped = |counts| ndarray::Array2::from_shape_vec((intervals, columns), counts).unwrap();
    let Servers {
        canary: canaries,
        control: controls,
        ..
    } = description.servers;
    PairedHistogram {
        upper_bounds: bounds.into_iter().chain([f64::INFINITY]).collect(),
        spans: (0..intervals).map(|first| (first, 1)).collect(),
        control: shaped(control),
        canary: shaped(canary),
        pods: Populations {
            control: apart("control", controls, pods.control),
            canary: apart("canary", canaries, pods.canary),
        },
        lives: Populations {
            control: Lives::new(),
            canary: new_processes("canary", canaries),
        },
        ..PairedHistogram::default()
    }
}

/// Counts at or below each bound.
fn cumulative(row: &[f64]) -> Vec<f64> {
    let mut below = 0.0;
    let each = row.iter().map(|count| {
        below += count;
        below
    });
    each.collect()
}

fn apart(name: &str, pods: usize, rows: Vec<Vec<(u32, PodBuckets)>>) -> Apart<PodBuckets> {
    Apart {
        names: (0..pods).map(|pod| format!("{name}-{pod}")).collect(),
        rows,
    }
}

/// Processes that began with the stage.
fn new_processes(name: &str, pods: usize) -> Lives {
    let start_ms = grid(0).start_ms();
    let life = PodLife {
        first_sample_ms: start_ms + STEP_MS,
        start_ms: Some(start_ms),
    };
    (0..pods)
        .map(|pod| (format!("{name}-{pod}"), life))
        .collect()
}

/// A stage of 30 minutes, at most an hour, with 5 % of the traffic.
fn half_an_hour(checks: &str) -> Pipeline {
    stage_of(checks, "duration_minutes: 30", "")
}

fn stage_of(checks: &str, stage: &str, analysis: &str) -> Pipeline {
    file(&format!(
        "analysis: {{interval: 30s, split_check: off{analysis}}}\n\
         canary_pipeline: {{only: {{traffic_percent: 5, {stage}, metrics: [{checks}]}}}}\n"
    ))
}

/// What was read of some metrics, each of the same requests.
fn read(metrics: &[&str], histogram: &PairedHistogram) -> StageData {
    let each = metrics
        .iter()
        .map(|name| (*name, MetricData::Histogram(histogram.clone())));
    read_of(histogram.spans.len(), STEP_MS, each.collect())
}

/// The answers about a fleet's p99, every five minutes and at the end.
fn answers_about(
    pipeline: &Pipeline,
    description: &LatencyFleetDescription,
    seed: u64,
    intervals: usize,
) -> Told {
    let histogram = histogram_of(description, seed, intervals);
    let looks = (10..intervals).step_by(10).chain([intervals]);
    asked(pipeline, &read(&["latency_p99"], &histogram), looks)
}

const RELATIVE: &str = "latency_p99 < baseline * 1.2";
