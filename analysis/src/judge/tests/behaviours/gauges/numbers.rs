//! Limits that are numbers: near, far, and beside a control that breaks them too.

use super::*;

fn heap(check: &str) -> Pipeline {
    let stage = "duration_minutes: 60, promote_early: true";
    staged(", unit: fraction", "60s", stage, check)
}

/// 8b.20: the control over the limit as well.
#[test]
fn g20_what_the_control_does_too_is_the_environments() {
    let pipeline = an_hour("load < 1");
    let noisy = |side: Side<'static>| side.noisy(0.02, 0.5);
    let both = noisy(Side::constant(1.2));
    let told = all_answers(&pipeline, Clock::minutes(30), (&both, &both), 1);
    assert_eq!(told.first(Verdict::Rollback), None, "{}", told.reasons());
    let last = told.last();
    assert_eq!(
        (last.verdict, last.reason_code),
        (Verdict::Hold, ReasonCode::Environment),
        "{}",
        last.reason
    );
    let shared = noisy(Side::step(0.8, 30.0, 1.28));
    for seed in 0..10 {
        let whole = read(Clock::minutes(90), &shared, &shared, seed);
        let told = asked(&pipeline, &whole, [90]);
        assert_ne!(told.last().verdict, Verdict::Rollback, "{}", told.reasons());
    }
    // Both for a while, and then the canary alone.
    let canary = noisy(Side::step(0.8, 30.0, 1.28));
    let back = |_, at: f64| Some(if at > 30.0 && at <= 60.0 { 1.28 } else { 0.8 });
    let mut later: Vec<f64> = (0..12)
        .map(|seed| {
            let control = noisy(Side::of(1, back));
            let whole = read(Clock::minutes(120), &canary, &control, seed);
            let told = asked(&pipeline, &whole, 60..=120);
            told.first(Verdict::Rollback).unwrap_or(f64::NAN) - 60.0
        })
        .collect();
    later.sort_by(f64::total_cmp);
    assert!(later[0] >= 15.0 && later[11] <= 45.0, "{later:?}");
    assert!((20.0..=35.0).contains(&later[6]), "{later:?}");
}

/// 8b.23: numbers that are near, each decided by its distance and by what it varies by.
#[test]
fn g23_a_number_is_decided_by_the_distance_from_it() {
    let first = |pipeline: &Pipeline, clock: Clock, level: f64, deviation: f64, seed| {
        let side = || Side::constant(level).noisy(deviation, 0.5);
        let control = Side::constant(level / 1.3).noisy(deviation, 0.5);
        let told = all_answers(pipeline, clock, (&side(), &control), seed);
        [Verdict::Promote, Verdict::Rollback].map(|verdict| told.first(verdict))
    };
    for seed in 0..4 {
        let memory = staged(
            "",
            "60s",
            "duration_minutes: 60, promote_early: true",
            "load < 512",
        );
        for (pipeline, level, deviation) in
            [(heap("load < 90%"), 0.82, 0.01), (memory, 488.0, 0.006)]
        {
            let [promoted, rolled_back] =
                first(&pipeline, Clock::minutes(30), level, deviation, seed);
            assert!(
                promoted.is_some_and(|at| at <= 12.0),
                "{level}: {promoted:?}"
            );
            assert_eq!(rolled_back, None);
        }
        let [promoted, found] = first(&heap("load < 90%"), Clock::minutes(30), 0.95, 0.01, seed);
        assert!(
            promoted.is_none() && found.is_some_and(|at| at <= 30.0),
            "{found:?}"
        );
    }
    let neither = (0..40).filter(|seed| {
        let found = first(&heap("load < 90%"), Clock::minutes(60), 0.9, 0.01, *seed);
        found == [None, None]
    });
    assert_part(neither.count(), 40, 0.97);
}

/// 8b.24: control pods that are near the limit, and some that are beyond it.
#[test]
fn g24_control_pods_beyond_a_number_excuse_one_of_the_canary() {
    let ten = |beyond: usize| {
        let level = move |pod: usize, _| {
            Some(if pod < beyond {
                0.92 + 0.025 * pod as f64
            } else {
                0.6 + 0.028 * pod as f64
            })
        };
        Side::of(10, level).noisy(0.01, 0.5)
    };
    let told = |level: f64, beyond: usize| {
        let canary = Side::constant(level).noisy(0.01, 0.5);
        all_answers(
            &heap("load < 90%"),
            Clock::minutes(60),
            (&canary, &ten(beyond)),
            1,
        )
    };
    let good = told(0.82, 0);
    assert!(good.has(Verdict::Promote, 30.0), "{}", good.reasons());
    let bad = told(0.95, 0);
    assert!(bad.has(Verdict::Rollback, 30.0), "{}", bad.reasons());
    let excused = told(0.95, 3);
    assert_eq!(
        excused.first(Verdict::Rollback),
        None,
        "{}",
        excused.reasons()
    );
    assert_eq!(excused.last().verdict, Verdict::Hold);
    let reason = &excused.last().checks[0].reason;
    assert!(
        reason.contains("3 of 10 control pods are over 90 % as well"),
        "{reason}"
    );
}
