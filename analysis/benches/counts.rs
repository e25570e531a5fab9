//! What a judgement of counts costs by the age of its stage: at most 25 microseconds for a new interval of a check,
//! whatever the age, and at most 5 ms for the replay of 480 intervals.

use std::collections::BTreeMap;
use std::error::Error;
use std::hint::black_box;

use criterion::{BatchSize, Criterion};
use serinus_analysis::data::{Findings, History, MetricData, Purpose, StageData};
use serinus_analysis::judge::{Carried, Course, judge_on};
use serinus_analysis::pipeline::{Pipeline, parse};
use serinus_analysis::series::{ArmCount, Grid, PairedCounts, PairedInterval};
use serinus_analysis::simulate::{Random, RandomKey};

const INTERVAL_MS: i64 = 30_000;
/// Four hours, a day and a week of intervals of 30 seconds.
const AGES: [u32; 3] = [480, 2_880, 20_160];

const PIPELINE: &str = "
canary_pipeline:
  stage_1: {traffic_percent: 10, duration_minutes: 60, metrics: [error_rate < baseline * 1.1]}
  stage_2: {traffic_percent: 50, duration_minutes: 60, metrics: [error_rate < baseline * 1.1]}
";

/// 1,000 requests per second, 10 % at the canary, errors of about 0.1 %.
fn intervals(count: u32) -> Vec<PairedInterval> {
    let mut random = Random::new(&RandomKey::new(1, "bench", "counts"), 0);
    let mut arm = |exposure: f64| ArmCount {
        events: (exposure * 0.002 * random.uniform()).round(),
        exposure,
    };
    (0..count)
        .map(|first| PairedInterval {
            first: first as usize,
            length: 1,
            canary: arm(3_000.0),
            control: arm(27_000.0),
        })
        .collect()
}

fn data(count: u32, settled: u32) -> StageData {
    let counts = PairedCounts {
        intervals: intervals(count),
        ..PairedCounts::default()
    };
    StageData {
        grid: Grid::covering(0, i64::from(count) * INTERVAL_MS, INTERVAL_MS),
        purpose: Purpose::Decide,
        starts_with_stage: true,
        canary_starts_ms: None,
        metrics: BTreeMap::from([("error_rate".to_owned(), MetricData::Counts(counts))]),
        source_warnings: BTreeMap::new(),
        source_remarks: BTreeMap::new(),
        pods_before: BTreeMap::new(),
        gauges_before: BTreeMap::new(),
        settled_intervals: settled as usize,
        history: History::default(),
        error_budget: None,
        findings: Findings::default(),
    }
}

/// What a judgement leaves for the next.
fn judged(pipeline: &Pipeline, data: &StageData) -> Option<Carried> {
    let stage = pipeline.stages.first()?;
    judge_on(&Course::of_rollout(pipeline), None, pipeline, stage, data).1
}

fn benchmark(criterion: &mut Criterion) -> Result<(), Box<dyn Error>> {
    let pipeline = parse(PIPELINE, "benchmark").map_err(|error| format!("{error:?}"))?;
    let stage = pipeline.stages.first().ok_or("no stage")?;
    let course = Course::of_rollout(&pipeline);
    let whole = data(480, 480);
    criterion.bench_function("judgement anew after 480 intervals", |bench| {
        bench.iter(|| judge_on(&course, None, &pipeline, stage, black_box(&whole)));
    });
    for age in AGES {
        let carried = judged(&pipeline, &data(age - 1, age - 1));
        let now = data(age, age);
        criterion.bench_function(&format!("next judgement after {age} intervals"), |bench| {
            bench.iter_batched(
                || carried.clone(),
                |carried| judge_on(&course, carried, &pipeline, stage, black_box(&now)),
                BatchSize::LargeInput,
            );
        });
    }
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut criterion = Criterion::default().configure_from_args();
    benchmark(&mut criterion)?;
    criterion.final_summary();
    Ok(())
}
