//! What the method of counts answers to data of the kinds that it was made for, asked after every interval. Each
//! kind rolled back good versions or let bad ones pass before. The numbers are those of the list that the method was
//! built against; what is not here needs a service or a source: `d09`, `d10`, `d26` also in the gate's own tests.
//!
//! Those of latency quantiles and of gauges are in [`latency`] and [`gauges`], each with a list of its numbers.
//!
//! Source: docs/design/counts.md, "The method of counts".

mod clusters;
mod gauges;
mod latency;
mod limits;
mod played;
mod rollouts;

use super::*;
use crate::judge::{Course, after_stage, judge_on};
use crate::pipeline::{Limit, SplitCheck};
use crate::simulate::{Random, RandomKey, poisson};

/// Failures and requests of the canary, then of the control, in an interval.
type Row = (f64, f64, f64, f64);

/// The answers after each interval of a stage of 30 minutes that begins with the first.
fn answers(checks: Vec<Check>, rows: &[Row]) -> Vec<StageVerdict> {
    answers_of(checks, |_| (), rows)
}

fn answers_of(
    checks: Vec<Check>,
    change: impl FnOnce(&mut Pipeline),
    rows: &[Row],
) -> Vec<StageVerdict> {
    let mut pipeline = sequential(vec![checks]);
    change(&mut pipeline);
    let course = Course::of_rollout(&pipeline);
    stage_answers(&course, &pipeline, 0, rows)
}

/// A pipeline of a stage of 30 minutes for each of these checks.
fn sequential(stages: Vec<Vec<Check>>) -> Pipeline {
    let mut pipeline = pipeline(Vec::new());
    let names = ["stage_1", "stage_2", "stage_3"];
    let stages = names.into_iter().zip(stages);
    pipeline.stages = stages
        .map(|(name, checks)| Stage {
            duration_minutes: 30.0,
            ..stage(name, 10.0, checks)
        })
        .collect();
    decided_by(&mut pipeline, Method::Sequential);
    pipeline.analysis.split_check = SplitCheck::Off;
    pipeline
}

/// The answers after each interval of a stage of a rollout that has come so far.
fn stage_answers(
    course: &Course,
    pipeline: &Pipeline,
    place: usize,
    rows: &[Row],
) -> Vec<StageVerdict> {
    let mut carried = None;
    let mut answers = Vec::new();
    for count in 1..=rows.len() {
        let data = of_rows(pipeline, &rows[..count]);
        let (told, kept) = judge_on(course, carried, pipeline, &pipeline.stages[place], &data);
        carried = kept;
        answers.push(told);
    }
    answers
}

/// What was read of these intervals.
fn of_rows(pipeline: &Pipeline, rows: &[Row]) -> StageData {
    let interval = |(first, row): (usize, &Row)| PairedInterval {
        first,
        length: 1,
        canary: ArmCount {
            events: row.0,
            exposure: row.1,
        },
        control: ArmCount {
            events: row.2,
            exposure: row.3,
        },
    };
    let counted = MetricData::Counts(PairedCounts {
        intervals: rows.iter().enumerate().map(interval).collect(),
        ..PairedCounts::default()
    });
    let mut data = data(rows.len(), vec![("error_rate", counted)]);
    let start_ms = data.grid.start_ms();
    let interval_ms = i64::from(pipeline.analysis.interval_seconds) * 1_000;
    let length_ms = i64::try_from(rows.len()).unwrap() * interval_ms;
    data.grid = Grid::covering(start_ms, start_ms + length_ms, interval_ms);
    data.settled_intervals = rows.len();
    data
}

fn relative(ratio: f64) -> Vec<Check> {
    let text = format!("error_rate < baseline * {ratio}");
    let written = written("error_rate", &text, below_baseline(ratio));
    vec![written.resolved(subject("error_rate"), &AnalysisSettings::default())]
}

fn absolute(limit: f64) -> Vec<Check> {
    let text = format!("error_rate < {limit}");
    vec![check("error_rate", &text, below(limit))]
}

/// The first answer of a verdict, in minutes from the stage's start.
fn first(answers: &[StageVerdict], verdict: Verdict) -> Option<f64> {
    let place = answers.iter().position(|one| one.verdict == verdict)?;
    Some((place + 1) as f64 / 2.0)
}

fn last(answers: &[StageVerdict]) -> &StageVerdict {
    answers.last().unwrap()
}

fn random(seed: u64) -> Random {
    Random::new(&RandomKey::new(seed, "behaviours", ""), 0)
}

/// Intervals of 30 s of independent failures of a service, of which the canary has a share and fails `times` as
/// often.
fn traffic(seed: u64, count: usize, (rps, share): (f64, f64), rate: f64, times: f64) -> Vec<Row> {
    let mut random = random(seed);
    let (n, m) = (30.0 * rps * share, 30.0 * rps * (1.0 - share));
    let mut failed = |mean: f64| poisson(&mut random, mean) as f64;
    let row = |_| (failed(n * rate * times), n, failed(m * rate), m);
    (0..count).map(row).collect()
}
