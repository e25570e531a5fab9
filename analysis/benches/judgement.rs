//! What a judgement costs by the age of its stage, of each kind of check: at most 25 microseconds for a new interval of
//! a check, whatever the age, and at most 5 ms for the replay of 480 intervals.

use std::collections::BTreeMap;
use std::error::Error;
use std::hint::black_box;

use criterion::{BatchSize, Criterion};
use ndarray::Array2;
use serinus_analysis::data::{MetricData, StageData};
use serinus_analysis::judge::{Carried, Course, judge_on};
use serinus_analysis::pipeline::{Pipeline, parse};
use serinus_analysis::series::{
    Apart, ArmCount, Grid, PairedCounts, PairedGauge, PairedHistogram, PairedInterval, Populations,
};
use serinus_analysis::simulate::{Random, RandomKey};

const INTERVAL_MS: i64 = 30_000;
/// Four hours, a day and a week of intervals of 30 seconds.
const AGES: [u32; 3] = [480, 2_880, 20_160];

/// A check of each kind.
const CHECKS: [&str; 3] = [
    "error_rate < baseline * 1.1",
    "latency_p99 < baseline * 1.2",
    "memory_usage < baseline * 1.25",
];

/// The bounds of a histogram, in seconds: those of the client libraries.
const BOUNDS: [f64; 12] = [
    0.005,
    0.01,
    0.025,
    0.05,
    0.1,
    0.25,
    0.5,
    1.0,
    2.5,
    5.0,
    10.0,
    f64::INFINITY,
];

/// Pods of the control and of the canary.
const PODS: Populations<u32> = Populations {
    control: 10,
    canary: 3,
};

fn pipeline_of(check: &str) -> Result<Pipeline, Box<dyn Error>> {
    let stage = format!("{{traffic_percent: 10, duration_minutes: 60, metrics: [{check}]}}");
    let file = format!("canary_pipeline: {{stage_1: {stage}, stage_2: {stage}}}");
    Ok(parse(&file, "benchmark").map_err(|error| format!("{error:?}"))?)
}

/// Random numbers of a subject by itself: the first intervals are the same however many there are.
fn random_of(subject: &str) -> Random {
    Random::new(&RandomKey::new(1, "bench", subject), 0)
}

/// 1,000 requests per second, 10 % at the canary, errors of about 0.1 %.
fn counts(count: u32) -> PairedCounts {
    let mut random = random_of("counts");
    let mut arm = |exposure: f64| ArmCount {
        events: (exposure * 0.002 * random.uniform()).round(),
        exposure,
    };
    let intervals = (0..count).map(|first| PairedInterval {
        first: first as usize,
        length: 1,
        canary: arm(3_000.0),
        control: arm(27_000.0),
    });
    PairedCounts {
        intervals: intervals.collect(),
        ..PairedCounts::default()
    }
}

/// The same requests, exponential with a mean of 100 ms that varies a little.
fn histogram(count: u32) -> PairedHistogram {
    let arm = |name: &str, requests: f64| {
        let mut random = random_of(name);
        let mut rows = Array2::zeros((count as usize, BOUNDS.len()));
        for mut row in rows.rows_mut() {
            let mean = 0.1 * (0.9 + 0.2 * random.uniform());
            for (cell, bound) in row.iter_mut().zip(BOUNDS) {
                *cell = (requests * -(-bound / mean).exp_m1()).round();
            }
        }
        rows
    };
    PairedHistogram {
        upper_bounds: BOUNDS.to_vec(),
        spans: (0..count as usize).map(|first| (first, 1)).collect(),
        control: arm("slow control", 27_000.0),
        canary: arm("slow canary", 3_000.0),
        ..PairedHistogram::default()
    }
}

/// A gauge of some pods that varies by a tenth.
fn gauge(count: u32) -> PairedGauge {
    let of_pods = |name: &str, pods: u32| {
        let mut random = random_of(name);
        let mut row = || {
            let values = (0..pods).map(|pod| (pod, 0.95 + 0.1 * random.uniform()));
            values.collect()
        };
        Apart {
            names: (0..pods).map(|pod| format!("{name}-{pod}")).collect(),
            rows: (0..count).map(|_| row()).collect(),
        }
    };
    let pods: Populations<Apart<f64>> = Populations {
        control: of_pods("old", PODS.control),
        canary: of_pods("new", PODS.canary),
    };
    let mean = |rows: &[(u32, f64)]| {
        Some(rows.iter().map(|(_, value)| value).sum::<f64>() / rows.len() as f64)
    };
    let means = pods.control.rows.iter().zip(&pods.canary.rows);
    let intervals = means.map(|(control, canary)| Populations {
        control: mean(control),
        canary: mean(canary),
    });
    PairedGauge {
        intervals: intervals.collect(),
        behind: vec![PODS; count as usize],
        scrape_ms: Some(INTERVAL_MS),
        pods,
        ..PairedGauge::default()
    }
}

/// What was read of all kinds, of which the first intervals are settled.
fn data(count: u32, settled: u32) -> StageData {
    let read = [
        ("error_rate", MetricData::Counts(counts(count))),
        ("latency_p99", MetricData::Histogram(histogram(count))),
        ("memory_usage", MetricData::Gauge(gauge(count))),
    ];
    let grid = Grid::covering(0, i64::from(count) * INTERVAL_MS, INTERVAL_MS);
    StageData {
        metrics: BTreeMap::from(read.map(|(name, found)| (name.to_owned(), found))),
        settled_intervals: settled as usize,
        ..StageData::empty(grid)
    }
}

/// What a judgement leaves for the next.
fn judged(pipeline: &Pipeline, data: &StageData) -> Option<Carried> {
    let stage = pipeline.stages.first()?;
    judge_on(&Course::of_rollout(pipeline), None, pipeline, stage, data).1
}

fn benchmark(criterion: &mut Criterion) -> Result<(), Box<dyn Error>> {
    let whole = data(480, 480);
    let ages: Vec<(u32, StageData, StageData)> = AGES
        .map(|age| (age, data(age - 1, age - 1), data(age, age)))
        .to_vec();
    for check in CHECKS {
        let pipeline = pipeline_of(check)?;
        let stage = pipeline.stages.first().ok_or("no stage")?;
        let course = Course::of_rollout(&pipeline);
        criterion.bench_function(&format!("{check}: anew after 480 intervals"), |bench| {
            bench.iter(|| judge_on(&course, None, &pipeline, stage, black_box(&whole)));
        });
        for (age, before, now) in &ages {
            let carried = judged(&pipeline, before);
            criterion.bench_function(&format!("{check}: next after {age} intervals"), |bench| {
                bench.iter_batched(
                    || carried.clone(),
                    |carried| judge_on(&course, carried, &pipeline, stage, black_box(now)),
                    BatchSize::LargeInput,
                );
            });
        }
    }
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut criterion = Criterion::default().configure_from_args();
    benchmark(&mut criterion)?;
    criterion.final_summary();
    Ok(())
}
