//! Little traffic, a canary between the limit and what must be shown, and slowdowns that both share.

use super::*;

/// D5: at 20 requests a second, of which one is the canary's.
#[test]
fn d05_little_traffic_decides_within_the_stage() {
    for seed in 0..4 {
        let same = answers_about(
            &half_an_hour(RELATIVE),
            &slower(20.0, LN_8, 1.0),
            seed,
            HALF_HOUR,
        );
        assert_eq!(same.last().verdict, Verdict::Promote, "{}", same.reasons());
        let twice = answers_about(
            &half_an_hour(RELATIVE),
            &slower(20.0, LN_8, 2.0),
            seed,
            HALF_HOUR,
        );
        assert!(
            twice.has(Verdict::Rollback, 5.0 + 15.0),
            "{}",
            twice.reasons()
        );
        for told in [same, twice] {
            assert!(
                !told.reasons().contains("500 requests"),
                "{}",
                told.reasons()
            );
        }
    }
}

/// D5: before the control tells where its p99 is, the answer says what it waits for.
#[test]
fn d05_the_first_hundred_requests_of_the_control_are_waited_for() {
    // 28 requests of the control in an interval.
    let description = slower(1.0, LN_8, 1.0);
    let pipeline = stage_of(RELATIVE, "duration_minutes: 30, warm_up: 0s", "");
    let histogram = histogram_of(&description, 0, 10);
    let told = asked(&pipeline, &read(&["latency_p99"], &histogram), 1..=10);
    let early = &told.at(1.0).checks[0];
    let seen: f64 = (0..2).map(|row| histogram.control[[row, 11]]).sum();
    assert_eq!(
        early.reason,
        format!("{RELATIVE}: the first 100 control requests tell the p99: {seen} so far")
    );
    assert!(early.needs.is_some());
    let later = &told.at(5.0).checks[0].reason;
    assert!(!later.contains("the first 100"), "{later}");
}

/// D7: half as slow again lies between the limit and what a promotion must show.
#[test]
fn d07_a_canary_half_as_slow_again_is_never_promoted() {
    for seed in 0..8 {
        let told = answers_about(
            &half_an_hour(RELATIVE),
            &slower(100.0, LN_8, 1.5),
            seed,
            HALF_HOUR,
        );
        assert_eq!(told.first(Verdict::Promote), None, "{}", told.reasons());
        let last = told.last();
        assert!(
            last.verdict == Verdict::Rollback || last.reason_code == ReasonCode::Suspected,
            "{}",
            last.reason
        );
    }
}

/// D8: both four times as slow for five minutes.
#[test]
fn d08_a_slowdown_that_both_share_is_in_both_counts() {
    let description = LatencyFleetDescription {
        disturbance: Disturbance {
            shared: Fault::Within(20, 30, 4.0),
            ..Disturbance::NONE
        },
        ..slower(500.0, LN_8, 1.0)
    };
    for seed in 0..4 {
        let histogram = histogram_of(&description, seed, HALF_HOUR);
        let whole = read(&["latency_p99"], &histogram);
        let told = asked(&half_an_hour(RELATIVE), &whole, (4..=HALF_HOUR).step_by(4));
        assert_eq!(told.last().verdict, Verdict::Promote, "{}", told.reasons());
        assert_eq!(told.first(Verdict::Rollback), None);
        let codes = told.answers.iter().map(|one| one.reason_code);
        assert_eq!(
            codes
                .filter(|code| *code == ReasonCode::Environment)
                .count(),
            0
        );
    }
}
