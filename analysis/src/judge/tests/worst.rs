//! The worst is told first: one test for each rung, and what is told beside it.

use super::*;
use crate::judge::worst::Severity::{Leaning, Missing};
use crate::judge::worst::{Finding, told};

const LEANING: ((f64, f64), (f64, f64)) = ((90.0, 90_000.0), (13.0, 10_000.0));

fn error_rate_data(of: ((f64, f64), (f64, f64)), intervals: usize) -> (&'static str, MetricData) {
    ("error_rate", counts(intervals, of.0, of.1))
}

fn cpu(control: f64, canary: f64, intervals: usize) -> (&'static str, MetricData) {
    let pair = Populations {
        control: Some(control),
        canary: Some(canary),
    };
    // The newest ones of the window.
    let before = vec![Populations::default(); 31_usize.saturating_sub(intervals)];
    let gauge = PairedGauge {
        intervals: [before, vec![pair; intervals]].concat(),
        ..PairedGauge::default()
    };
    ("cpu_usage", MetricData::Gauge(gauge))
}

fn cpu_check() -> Check {
    check(
        "cpu_usage",
        "cpu_usage < baseline * 1.5",
        below_baseline(1.5),
    )
}

/// What is told of a stage with the gauge first in its file.
fn told_of(checks: Vec<Check>, metrics: Vec<(&str, MetricData)>) -> StageVerdict {
    let verdict = second_stage(&pipeline(checks), &data(31, metrics));
    assert_eq!(verdict.verdict, Verdict::Hold, "{}", verdict.reason);
    verdict
}

fn both_checks() -> Vec<Check> {
    [vec![cpu_check()], error_rate_checks()].concat()
}

#[test]
fn what_leans_towards_a_violation_is_told_before_what_is_missing() {
    let metrics = vec![cpu(1.0, 1.0, 2), error_rate_data(LEANING, 31)];
    let verdict = told_of(both_checks(), metrics);
    assert_eq!(verdict.reason_code, ReasonCode::Undecided);
    let (first, second) = verdict.reason.split_once("; cpu_usage").unwrap();
    assert!(
        first.starts_with("error_rate < baseline * 1.1: undecided"),
        "{first}"
    );
    assert!(first.contains("canary 0.13 %"), "{first}");
    assert!(second.contains("about 6 minutes more"), "{second}");

    let without_cpu = vec![error_rate_data(LEANING, 31)];
    let verdict = told_of(both_checks(), without_cpu);
    assert_eq!(
        verdict.reason_code,
        ReasonCode::Undecided,
        "as the sentence"
    );
    assert!(
        verdict.reason.starts_with("error_rate"),
        "{}",
        verdict.reason
    );
    assert!(verdict.reason.contains("cpu_usage"), "{}", verdict.reason);
}

#[test]
fn a_gauge_without_enough_intervals_leans_by_its_values() {
    let good = vec![cpu(1.0, 9.0, 2), error_rate_data(GOOD, 31)];
    let verdict = told_of([error_rate_checks(), vec![cpu_check()]].concat(), good);
    assert!(
        verdict.reason.starts_with(
            "cpu_usage < baseline * 1.5: undecided, canary 9, control 1; 2 samples, about 2 minutes more"
        ),
        "{}",
        verdict.reason
    );
}

#[test]
fn a_violation_that_may_not_act_is_told_before_everything_else() {
    let mut holds_only = written_error_rate();
    holds_only.rollback = Some(false);
    let checks = vec![
        cpu_check(),
        check("conversion", "conversion < 0.1%", below(0.001)),
        holds_only.resolved(subject("error_rate"), &settings()),
    ];
    let leaning = counts(31, (1.0, 1_000.0), (3.0, 2_000.0));
    let verdict = told_of(
        checks,
        vec![error_rate_data(BAD, 31), ("conversion", leaning)],
    );
    assert_eq!(verdict.reason_code, ReasonCode::CheckFailed);
    assert!(
        verdict.reason.starts_with("error_rate"),
        "{}",
        verdict.reason
    );
    assert!(
        verdict.reason.contains("it may hold but not roll back"),
        "{}",
        verdict.reason
    );
}

#[test]
fn an_environment_beyond_the_kill_switch_is_told_before_what_is_missing() {
    let mut pipeline = pipeline(both_checks());
    pipeline.kill_switch = vec![switch(
        "error_rate",
        "error_rate > 5%",
        Condition::Absolute {
            comparison: Comparison::Greater,
            limit: 0.05,
        },
    )];
    let outage = counts(31, (90_000.0, 900_000.0), (10_000.0, 100_000.0));
    let data = data(31, vec![("error_rate", outage)]);
    let verdict = second_stage(&pipeline, &data);
    assert_eq!(verdict.reason_code, ReasonCode::Environment);
    assert!(
        verdict
            .reason
            .starts_with("error_rate > 5%: canary and control"),
        "{}",
        verdict.reason
    );
}

#[test]
fn of_what_leans_the_strongest_is_told_first() {
    let checks = vec![
        check("conversion", "conversion < 0.1%", below(0.001)),
        written_error_rate().resolved(subject("error_rate"), &settings()),
    ];
    let a_little = counts(31, (1.0, 1_000.0), (11.0, 10_000.0));
    let much = counts(31, (1.0, 1_000.0), (4.0, 1_000.0));
    let verdict = told_of(checks, vec![("conversion", a_little), ("error_rate", much)]);
    assert!(
        verdict.reason.starts_with("error_rate"),
        "{}",
        verdict.reason
    );
}

#[test]
fn what_is_missing_is_told_in_the_order_of_the_rules() {
    let silent = vec![error_rate_data(((9.0, 9_000.0), (1.0, 1_000.0)), 31)];
    let verdict = told_of([error_rate_checks(), vec![cpu_check()]].concat(), silent);
    assert_eq!(verdict.reason_code, ReasonCode::NoData);
    assert_eq!(
        verdict.reason,
        "cpu_usage < baseline * 1.5: nothing was read for its metric"
    );
}

#[test]
fn the_clock_ends_nothing_while_data_is_missing_whatever_is_told_first() {
    let mut pipeline = pipeline(both_checks());
    pipeline.analysis.on_inconclusive = OnInconclusive::Promote;
    let at_the_end = |metrics| second_stage(&pipeline, &data(2 * STAGE_INTERVALS, metrics));
    let leaning = || error_rate_data(LEANING, 2 * STAGE_INTERVALS);
    let without_cpu = at_the_end(vec![leaning()]);
    assert_eq!(without_cpu.verdict, Verdict::Hold, "{}", without_cpu.reason);
    assert_eq!(without_cpu.reason_code, ReasonCode::Undecided);
    let with_cpu = at_the_end(vec![leaning(), cpu(1.0, 1.0, 2 * STAGE_INTERVALS)]);
    assert_eq!(with_cpu.verdict, Verdict::Promote, "{}", with_cpu.reason);
}

#[test]
fn a_second_thing_is_told_only_where_there_is_room() {
    let finding = |severity, about: &str, length| {
        let mut report = super::super::conclude::empty_report(&cpu_check(), Method::Wilson, true);
        report.condition = about.to_owned();
        report.reason = about.repeat(length);
        Finding::of(severity, &report)
    };
    let sentence = |found: &[Finding]| told(found).unwrap().1;
    let [a, b] = [finding(Missing, "a", 10), finding(Leaning, "b", 10)];
    assert_eq!(sentence(&[a.clone(), b.clone()]), "bbbbbbbbbb; aaaaaaaaaa");
    assert_eq!(sentence(&[a.clone(), a]), "aaaaaaaaaa");
    assert_eq!(sentence(&[finding(Missing, "a", 295), b]), "bbbbbbbbbb");
    assert_eq!(told(&[]), None);
}
