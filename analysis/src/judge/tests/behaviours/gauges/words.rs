//! What is told of a gauge.

use super::*;
use crate::judge::SpreadSource;
use crate::pipeline::RemarkCode;

/// 8b.15: a stage that ends before a gauge of one pod can pass.
#[test]
fn g15_a_stage_that_is_too_short_for_one_pod_says_what_helps() {
    let stage = "duration_minutes: 5, max_duration_minutes: 5";
    let pipeline = staged("", "60s", stage, "load < baseline * 1.5");
    let told = |pipeline: &Pipeline| -> Vec<String> {
        let remarks = pipeline.remarks().into_iter();
        let short = remarks.filter(|one| one.code == RemarkCode::TooFewIntervals);
        short.map(|one| one.message).collect()
    };
    let ways = ["max_duration_minutes", "promote_ratio", "critical: false"];
    let remarks = told(&pipeline).join("\n");
    assert!(ways.iter().all(|way| remarks.contains(way)), "{remarks}");
    let one = || Side::constant(1.0).noisy(0.02, 0.5);
    let held = all_answers(&pipeline, Clock::minutes(5), (&one(), &one()), 1);
    assert_eq!(held.first(Verdict::Promote), None, "{}", held.reasons());
    let first = &held.at(3.0).reason;
    assert!(ways.iter().all(|way| first.contains(way)), "{first}");
    let ten = Side::constant(1.0).pods(10).noisy(0.02, 0.5);
    let passed = all_answers(&pipeline, Clock::minutes(5), (&one(), &ten), 1);
    assert!(passed.has(Verdict::Promote, 5.0), "{}", passed.reasons());
    let longer = staged(
        "",
        "60s",
        "duration_minutes: 10, max_duration_minutes: 10",
        "load < baseline * 1.5",
    );
    let remarks = told(&longer).join("\n");
    assert!(!remarks.contains("promote_ratio"), "{remarks}");
    let rare = "metrics: {load: {gauge: load_now}}\nanalysis: {interval: 300s}\n\
         canary_pipeline: {only: {traffic_percent: 10, duration_minutes: 10, max_duration_minutes: 10, \
         metrics: [load < 3]}}\n";
    assert!(crate::pipeline::parse(rare, "test").is_err());
}

/// 8b.22: a ratio with its interval, and how long it will take.
#[test]
fn g22_the_ratio_and_what_is_needed_are_told() {
    let canary = Side::constant(1.3).noisy(0.5, 0.5);
    let control = Side::constant(1.0).noisy(0.5, 0.5);
    for seed in 0..5 {
        let told = all_answers(
            &an_hour(QUARTER),
            Clock::minutes(30),
            (&canary, &control),
            seed,
        );
        for answer in &told.answers[3..] {
            let check = &answer.checks[0];
            let interval = check.ratio.as_ref().unwrap().interval.unwrap();
            assert!(interval.lower() >= 0.0, "{interval:?}");
            let source = check.spread.as_ref().unwrap().source;
            let told = match source {
                SpreadSource::Assumed => "assumed spread of",
                SpreadSource::Samples => "% by its samples",
                SpreadSource::Pods | SpreadSource::Past => panic!("{source:?}"),
            };
            let is_open = check.outcome == Outcome::Undecided;
            assert!(!is_open || check.reason.contains(told), "{}", check.reason);
            if answer.reason_code == ReasonCode::Undecided {
                assert!(check.needs.is_some(), "{}", check.reason);
                assert!(check.reason.contains("minute"), "{}", check.reason);
                assert!(!check.reason.contains("requests"), "{}", check.reason);
            }
        }
    }
}

/// How long an open check takes follows from what its samples vary by, not from what is assumed of any.
#[test]
fn the_minutes_of_a_noisy_gauge_are_not_those_of_a_quiet_one() {
    let pipeline = staged(
        ", unit: fraction",
        "60s",
        "duration_minutes: 120",
        "load < 90%",
    );
    let (canary, control) = (Side::constant(0.75).noisy(0.08, 0.0), Side::constant(0.5));
    for seed in 0..5 {
        let whole = read(Clock::minutes(120), &canary, &control, seed);
        let told = asked(&pipeline, &whole, 6..=120);
        let early = &told.answers[0].checks[0];
        let needed = early.needs.as_ref().unwrap().canary_total;
        let passed = told
            .answers
            .iter()
            .position(|one| one.checks[0].outcome == Outcome::Pass);
        let taken = told.minutes[passed.unwrap()];
        assert!(needed > 10.0, "{}", early.reason);
        assert!(
            (0.4..2.5).contains(&(taken / needed)),
            "{taken} minutes: {}",
            early.reason
        );
    }
}
