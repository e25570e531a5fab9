//! What the method of counts answers to data of the kinds that it was made for, asked after every interval. Each
//! kind rolled back good versions or let bad ones pass before. The numbers are those of the list that the method was
//! built against.
//!
//! Counts. Where no file is named the test is here; `i/` is `tests/tests/integration`, on a real Prometheus.
//!
//! | number | tests |
//! |---|---|
//! | D1, D2, D19, D22, D23, D27 | `clusters::d01`, `d02`, `d19`, `d22`, `d23`, `d27` |
//! | D3, D4, D5, D16, D20, D24 | `limits::d03`, `d04`, `d05`, `d16`, `d20`, `d24` |
//! | D6 | `limits::d06`; what is refused and warned of: `pipeline::remarks`, `analysis/tests/pipeline/meaning.rs` |
//! | D7 | `limits::d07` |
//! | D8 | `i/counts.rs`: `d08` |
//! | D9 | `rollouts::d09`; between stages: `i/between_stages.rs`; who asks when: `i/polling.rs` |
//! | D10 | `rollouts::d10`; what is told: `service/src/rollouts/tests/telling.rs` |
//! | D11 | `i/counts.rs`: `d11`; `i/selectors.rs` |
//! | D12 | `holds::d12` |
//! | D13 | `i/counts.rs`: `d13`; where it begins: `super::absence` |
//! | D14 | `limits::d14` |
//! | D15 | `holds::d15`; `super::words` |
//! | D17 | `history::d17`; one target, and what is read: `i/history.rs` |
//! | D18 | `clusters::d18` |
//! | D21 | `i/grid.rs`: `d21` |
//! | D25 | `i/counts.rs`: `d25` |
//! | D26 | `rollouts::d26` |
//! | D28 | `i/counts.rs`: `d11`, and **not as listed**: a canary that has repaired its failures holds, since one that does not count them looks the same; `events_may_be_absent: true` promotes it (`docs/design/gate.md`) |
//!
//! Those of latency quantiles and of gauges are in [`latency`] and [`gauges`], each with a list of its numbers.
//!
//! Source: docs/design/counts.md, "The method of counts".

mod clusters;
mod gauges;
mod history;
mod holds;
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
