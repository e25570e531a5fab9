//! Gauges that hardly move: decided within minutes, both ways.

use super::*;

/// 8b.1: a queue of 900 beside one of 3, each 15 s, after the usual warm-up.
#[test]
fn g01_a_constant_beyond_a_number_is_rolled_back_and_one_within_is_promoted() {
    let clock = Clock::each(15, 15);
    let stage = "duration_minutes: 12, warm_up: 2m";
    let told = |check: &str, canary: f64, control: f64| {
        let sides = (Side::constant(canary), Side::constant(control));
        let pipeline = staged("", "15s", stage, check);
        all_answers(&pipeline, clock, (&sides.0, &sides.1), 1)
    };
    let gross = told("load < 100", 900.0, 3.0);
    let found = gross.first(Verdict::Rollback).unwrap();
    assert!(
        found > 2.0 && found <= 2.0 + 3.0,
        "{found}: {}",
        gross.reasons()
    );
    for (check, value) in [
        ("load < 100", 3.0),
        ("load < 1000", 0.0),
        (QUARTER, 0.0),
        (QUARTER, 0.1),
    ] {
        let good = told(check, value, value);
        assert_eq!(good.first(Verdict::Rollback), None, "{check} {value}");
        let promoted = good.first(Verdict::Promote).unwrap_or(f64::NAN);
        assert!(
            (11.75..=12.0).contains(&promoted),
            "{check} {value}: {}",
            good.reasons()
        );
        assert_eq!(good.last().verdict, Verdict::Promote);
    }
}

/// 8b.2: an error ratio of 1 beside 0 is broken, and nothing else is.
#[test]
fn g02_what_is_broken_is_named() {
    let clock = Clock::minutes(10);
    let errors = read(clock, &Side::constant(1.0), &Side::constant(0.0), 1);
    let cpu = read(clock, &Side::constant(0.3), &Side::constant(0.3), 1);
    let mut whole = errors.clone();
    whole
        .metrics
        .insert("cpu".to_owned(), cpu.metrics["load"].clone());
    let pipeline = file(
        "metrics: {load: {gauge: errors, unit: fraction}, cpu: {gauge: cpu}}\n\
         analysis: {interval: 60s, split_check: off, warm_up: 0s}\n\
         canary_pipeline: {only: {traffic_percent: 10, duration_minutes: 30, metrics: \
         [cpu < baseline * 1.2, load < baseline * 1.1 + 1%]}}\n",
    );
    let told = asked(&pipeline, &whole, 1..=10);
    assert!(told.has(Verdict::Rollback, 5.0), "{}", told.reasons());
    let place = told
        .answers
        .iter()
        .position(|one| one.verdict == Verdict::Rollback);
    let reason = &told.answers[place.unwrap()].reason;
    assert!(
        reason.starts_with("load < baseline * 1.1 + 1%: broken"),
        "{reason}"
    );
    assert!(!reason.contains("cpu"), "{reason}");
}

/// 8b.13: three minutes are three samples.
#[test]
fn g13_a_stage_of_three_minutes_is_decided_by_its_third_sample() {
    let clock = Clock::minutes(3);
    let pipeline = staged(
        "",
        "60s",
        "duration_minutes: 3, max_duration_minutes: 3",
        QUARTER,
    );
    let sides = (Side::constant(10.0), Side::constant(1.0));
    let told = all_answers(&pipeline, clock, (&sides.0, &sides.1), 1);
    assert_eq!(
        told.first(Verdict::Rollback),
        Some(3.0),
        "{}",
        told.reasons()
    );
}

/// 8b.26: whole numbers on a limit and below it.
#[test]
fn g26_whole_numbers_are_promoted_as_fast_as_counts_would_be() {
    let clock = Clock::minutes(30);
    let first = |check: &str, value: f64| {
        let pipeline = staged(
            ", unit: number",
            "60s",
            "duration_minutes: 60, promote_early: true",
            check,
        );
        let sides = (Side::constant(value), Side::constant(value));
        let told = all_answers(&pipeline, clock, (&sides.0, &sides.1), 1);
        assert_eq!(told.first(Verdict::Rollback), None, "{}", told.reasons());
        told.first(Verdict::Promote)
    };
    assert!(first("load <= 1", 1.0).is_some_and(|minutes| minutes <= 10.0));
    assert_eq!(first("load < 1", 1.0), None);
    let promoted = first("load < 1", 0.0);
    assert!(
        promoted.is_some_and(|at| (9.0..=11.0).contains(&at)),
        "{promoted:?}"
    );
}
