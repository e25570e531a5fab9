//! What the method of counts answers to data of the kinds that it was made for, asked after every interval. Each
//! kind rolled back good versions or let bad ones pass before.
//!
//! Source: docs/design/counts.md, "9. Many checks, all stages".

use super::*;
use crate::judge::{Course, judge_on};
use crate::pipeline::{Limit, SplitCheck};

/// Failures and requests of the canary, then of the control, in an interval.
type Row = (f64, f64, f64, f64);

/// The answers after each interval of a stage that begins with the first.
fn answers(checks: Vec<Check>, rows: &[Row]) -> Vec<StageVerdict> {
    answers_of(checks, |_| (), rows)
}

fn answers_of(
    checks: Vec<Check>,
    change: impl FnOnce(&mut Pipeline),
    rows: &[Row],
) -> Vec<StageVerdict> {
    let mut pipeline = pipeline(checks);
    decided_by(&mut pipeline, Method::Sequential);
    pipeline.stages.truncate(1);
    pipeline.stages[0].duration_minutes = 30.0;
    pipeline.analysis.split_check = SplitCheck::Off;
    change(&mut pipeline);
    let course = Course::of_rollout(&pipeline);
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
    let all: Vec<PairedInterval> = rows.iter().enumerate().map(interval).collect();
    let mut carried = None;
    let mut answers = Vec::new();
    for count in 1..=all.len() {
        let counted = MetricData::Counts(PairedCounts {
            intervals: all[..count].to_vec(),
            ..PairedCounts::default()
        });
        let mut data = data(count, vec![("error_rate", counted)]);
        data.settled_intervals = count;
        let (told, kept) = judge_on(&course, carried, &pipeline, &pipeline.stages[0], &data);
        carried = kept;
        answers.push(told);
    }
    answers
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

/// Independent failures: Poisson numbers of a generator that needs no crate (xorshift64*).
struct Random(u64);

impl Random {
    fn uniform(&mut self) -> f64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let bits = self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 11;
        bits as f64 / 9_007_199_254_740_992.0
    }

    fn events(&mut self, mean: f64) -> f64 {
        let (mut events, mut arrival) = (-1.0, 0.0);
        while arrival < mean {
            arrival -= libm::log(1.0 - self.uniform());
            events += 1.0;
        }
        events
    }
}

/// Intervals of 30 s of a service, of which the canary has a share and fails `times` as often.
fn traffic(seed: u64, count: usize, (rps, share): (f64, f64), rate: f64, times: f64) -> Vec<Row> {
    let mut random = Random(seed);
    let (n, m) = (30.0 * rps * share, 30.0 * rps * (1.0 - share));
    let row = |_| {
        (
            random.events(n * rate * times),
            n,
            random.events(m * rate),
            m,
        )
    };
    (0..count).map(row).collect()
}

/// D1: one user's 12 failures in one interval of the canary, none in the control, then quiet.
#[test]
fn d01_one_cluster_of_failures_rolls_nothing_back() {
    let quiet = (0.0, 30.0, 0.0, 570.0);
    let mut rows = vec![quiet; 60];
    rows[2].0 = 12.0;
    let answers = answers(relative(1.1), &rows);
    assert_eq!(first(&answers, Verdict::Rollback), None);
    let noise = answers[4].checks[0].evidence.as_ref().unwrap().dispersion;
    assert!((noise.unwrap() - 7.32).abs() < 0.01, "{noise:?}");
}

/// D3: 39 % against 30 % under a limit of 1.1 was promoted.
#[test]
fn d03_a_canary_that_fails_a_third_more_is_rolled_back_and_never_promoted() {
    for seed in 1..=5 {
        let rows = traffic(seed, 120, (100.0, 0.05), 0.3, 1.3);
        let answers = answers(relative(1.1), &rows);
        assert_eq!(first(&answers, Verdict::Promote), None, "{seed}");
        assert!(first(&answers, Verdict::Rollback).is_some(), "{seed}");
    }
}

/// D4: what is visibly beyond its own limit is not promoted, and the answer says what it shows.
#[test]
fn d04_what_shows_half_as_much_again_is_not_promoted() {
    let row = (1.5, 100.0, 9.0, 900.0);
    let answers = answers(relative(1.1), &vec![row; 60]);
    assert_eq!(first(&answers, Verdict::Promote), None);
    let told = last(&answers);
    assert_eq!(told.reason_code, ReasonCode::Suspected, "{}", told.reason);
    assert!(
        told.reason.contains("shows 1.5 times the control"),
        "{}",
        told.reason
    );
}

/// D5: of a service without errors no multiple can be shown.
#[test]
fn d05_a_service_without_errors_is_promoted_below_the_offset() {
    let row = (0.0, 150.0, 0.0, 2_850.0);
    let told = answers(relative(1.1), &vec![row; 60]);
    let promoted = first(&told, Verdict::Promote);
    assert!(
        promoted.is_some_and(|minutes| (29.0..=30.0).contains(&minutes)),
        "{promoted:?}"
    );
    let told = answers_of(
        relative(1.1),
        |pipeline| {
            for check in &mut pipeline.stages[0].checks {
                check.promotion_limit = Limit::relative(true, 2.0, 0.0);
            }
        },
        &vec![row; 60],
    );
    assert_eq!(last(&told).verdict, Verdict::Hold);
    let fails = (0.75, 150.0, 0.0, 2_850.0);
    let told = answers(relative(1.1), &vec![fails; 60]);
    assert!(first(&told, Verdict::Rollback).is_some());
}

/// D7: a control that breaks the number itself shields no canary that is ten times worse, an incident that both
/// have holds while it lasts, and nothing of it is left behind.
#[test]
fn d07_a_control_beyond_the_number_shields_nobody() {
    let both = (3.9, 300.0, 35.1, 2_700.0);
    let worse = (39.0, 300.0, 35.1, 2_700.0);
    let mut rows = vec![both; 120];
    rows[60..].fill(worse);
    let told = answers(absolute(0.01), &rows);
    let found = first(&told, Verdict::Rollback).unwrap();
    assert!((30.0..45.0).contains(&found), "{found}");
    assert_eq!(told[50].reason_code, ReasonCode::Environment);

    let good = (0.9, 300.0, 8.1, 2_700.0);
    let incident = (15.0, 300.0, 135.0, 2_700.0);
    let mut rows = vec![good; 120];
    rows[2..12].fill(incident);
    let told = answers(absolute(0.01), &rows);
    assert_eq!(first(&told, Verdict::Rollback), None);
    assert_eq!(told[8].reason_code, ReasonCode::Environment);
    assert!(first(&told, Verdict::Promote).is_some_and(|minutes| minutes <= 60.0));
}

/// D22: incidents that both have, again and again, hide no canary that is twice as bad, and blame no good one.
#[test]
fn d22_shared_incidents_neither_hide_nor_blame() {
    let rows = |times: f64| {
        let mut rows = traffic(7, 120, (50.0, 0.1), 0.01, times);
        for (interval, row) in rows.iter_mut().enumerate() {
            if interval % 30 < 6 {
                row.0 *= 10.0;
                row.2 *= 10.0;
            }
        }
        rows
    };
    let told = answers(relative(1.1), &rows(2.5));
    assert!(first(&told, Verdict::Rollback).is_some());
    let told = answers(relative(1.1), &rows(1.0));
    assert_eq!(first(&told, Verdict::Rollback), None);
}

/// D27: a thousand failures at one moment are one event, at two moments they are two.
#[test]
fn d27_a_thousand_failures_at_once_are_no_proof_and_twice_they_are() {
    let quiet = (1.5, 1_500.0, 13.5, 13_500.0);
    let mut rows = vec![quiet; 60];
    rows[10].0 = 1_000.0;
    assert_eq!(
        first(&answers(relative(1.1), &rows), Verdict::Rollback),
        None
    );
    rows[20].0 = 1_000.0;
    assert!(first(&answers(relative(1.1), &rows), Verdict::Rollback).is_some());
}

/// Four good hours hide nothing that begins then: evidence has starts all along.
#[test]
fn d23_a_fault_that_begins_after_hours_is_found_in_minutes() {
    let mut rows = traffic(3, 480, (50.0, 0.5), 0.01, 1.0);
    let told = answers(relative(1.1), &rows);
    assert_eq!(first(&told, Verdict::Rollback), None);
    rows.extend(traffic(4, 80, (50.0, 0.5), 0.01, 3.0));
    let found = first(&answers(relative(1.1), &rows), Verdict::Rollback);
    assert!(
        found.is_some_and(|minutes| minutes < 240.0 + 40.0),
        "{found:?}"
    );
}
