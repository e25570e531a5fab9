//! Samples that are missing, a control below 0, and what no clock may end.

use super::*;

const ENDED: &str = "metrics: {load: {gauge: load_now}}\n\
     analysis: {interval: 60s, split_check: off, warm_up: 0s, on_inconclusive: promote}\n";

fn ended(minutes: usize, check: &str) -> Pipeline {
    file(&format!(
        "{ENDED}canary_pipeline: {{only: {{traffic_percent: 10, duration_minutes: {minutes}, \
         max_duration_minutes: {minutes}, metrics: [{check}]}}}}\n"
    ))
}

/// 8b.14: seen for two of fifteen minutes.
#[test]
fn g14_a_canary_that_was_hardly_seen_is_not_promoted_by_the_clock() {
    let canary = Side::of(1, |_, at| (at <= 2.0).then_some(1.0));
    let control = Side::constant(1.0);
    let told = all_answers(
        &ended(15, QUARTER),
        Clock::minutes(15),
        (&canary, &control),
        1,
    );
    let last = told.last();
    assert_eq!(
        (last.verdict, last.reason_code),
        (Verdict::Hold, ReasonCode::NoData),
        "{}",
        last.reason
    );
}

/// 8b.14: of a gauge that is scraped each five minutes a stage of 14 minutes has two samples, which nobody judges.
#[test]
fn g14_two_samples_are_too_few_for_the_clock() {
    let clock = Clock {
        scrape_seconds: 300,
        ..Clock::minutes(14)
    };
    let sides = (Side::constant(1.0), Side::constant(1.0));
    let told = all_answers(&ended(14, QUARTER), clock, (&sides.0, &sides.1), 1);
    assert_eq!(told.first(Verdict::Promote), None, "{}", told.reasons());
    let reason = &told.last().reason;
    assert!(reason.contains("does not end by its clock"), "{reason}");
    // The third sample is as far at each minute between two of them.
    for minute in [5.0, 7.0, 9.0, 12.0] {
        let reason = &told.at(minute).reason;
        assert!(reason.contains("that takes 15 minutes"), "{reason}");
    }
}

/// 8b.31: degrees below 0.
#[test]
fn g31_a_multiple_of_what_is_below_0_has_no_meaning() {
    let told = |check: &str, canary: f64| {
        let canary = Side::constant(canary).noisy(0.01, 0.5);
        let control = Side::constant(-4.0).noisy(0.01, 0.5);
        all_answers(&an_hour(check), Clock::minutes(30), (&canary, &control), 1)
    };
    for canary in [-4.0, -3.0, 40.0] {
        let told = told(QUARTER, canary);
        assert_eq!(told.first(Verdict::Rollback), None, "{canary}");
        let last = &told.last().checks[0];
        assert_eq!(
            (last.outcome, last.reason_code),
            (Outcome::NoData, ReasonCode::BaselineNegative)
        );
        assert!(
            last.reason.contains("give an absolute limit"),
            "{}",
            last.reason
        );
    }
    let warm = told("load < 0", 3.0);
    assert!(
        warm.first(Verdict::Rollback).is_some(),
        "{}",
        warm.reasons()
    );
    let cold = told("load < 0", -4.0);
    assert_eq!(
        cold.last().checks[0].outcome,
        Outcome::Pass,
        "{}",
        cold.reasons()
    );
}

/// 8b.32: a sample that is missing is left out, and more than a fifth are no data.
#[test]
fn g32_a_few_samples_that_are_missing_change_nothing() {
    let given = |check: &str, lost: &'static [f64], lost_of_control: &'static [f64], level: f64| {
        let has = |lost: &[f64], at: f64| !lost.iter().any(|one| (one - at).abs() < 0.1);
        let canary = Side::of(1, move |_, at| has(lost, at).then_some(level)).noisy(0.1, 0.5);
        let control =
            Side::of(1, move |_, at| has(lost_of_control, at).then_some(1.0)).noisy(0.1, 0.5);
        all_answers(&an_hour(check), Clock::minutes(30), (&canary, &control), 1)
    };
    let of = |lost, lost_of_control, level| given(QUARTER, lost, lost_of_control, level);
    for (level, verdict) in [(1.0, Verdict::Hold), (3.0, Verdict::Rollback)] {
        let whole = of(&[], &[], level);
        let missing = of(&[12.0], &[20.0], level);
        assert_eq!(whole.last().verdict, verdict, "{}", whole.reasons());
        assert_eq!(missing.last().verdict, verdict, "{}", missing.reasons());
        assert_eq!(
            missing.last().checks[0].outcome,
            whole.last().checks[0].outcome
        );
    }
    let tight = "{check: load < baseline * 1.25, promote_ratio: 1.3}";
    let open = given(tight, &[12.0], &[20.0], 1.0);
    let reason = &open.last().checks[0].reason;
    assert!(reason.contains("28 samples, about "), "{reason}");
    let fifth = of(&[4.0, 8.0, 12.0, 16.0, 20.0, 24.0, 28.0], &[], 1.0);
    let check = &fifth.last().checks[0];
    assert_eq!(check.outcome, Outcome::NoData, "{}", check.reason);
    let why = "the canary has no value in 7 of 30 intervals";
    assert!(check.reason.contains(why), "{}", check.reason);
}

/// 8b.33: 1.4 times the control under a limit of 1.25.
#[test]
fn g33_what_is_visibly_beyond_is_not_promoted_by_the_clock() {
    for seed in 0..5 {
        let canary = Side::constant(1.4).noisy(0.02, 0.5);
        let control = Side::constant(1.0).noisy(0.02, 0.5);
        let told = all_answers(
            &ended(20, QUARTER),
            Clock::minutes(20),
            (&canary, &control),
            seed,
        );
        assert_eq!(told.first(Verdict::Promote), None, "{}", told.reasons());
        let last = told.last();
        assert_eq!(
            (last.verdict, last.reason_code),
            (Verdict::Hold, ReasonCode::Suspected),
            "{}",
            last.reason
        );
    }
}
