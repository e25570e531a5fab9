//! Shares of which more is better, near 1: judged by what fails.

use super::*;

fn success(check: &str, clock: Clock) -> Pipeline {
    let stage = "duration_minutes: 60, promote_early: true";
    let interval = format!("{}s", clock.interval_seconds);
    staged(", unit: fraction, better: higher", &interval, stage, check)
}

/// 8b.23: against a number.
#[test]
fn g23_a_share_of_successes_is_decided_in_minutes() {
    let clock = Clock::each(30, 60);
    let told = |level: f64, deviation: f64| {
        let pipeline = success("load > 95%", clock);
        let side = Side::constant(level).noisy(deviation, 0.5);
        all_answers(&pipeline, clock, (&side, &Side::constant(0.995)), 1)
    };
    for (level, deviation) in [(0.995, 0.002), (1.0, 0.0)] {
        let told = told(level, deviation);
        assert_eq!(told.first(Verdict::Rollback), None, "{}", told.reasons());
        assert_eq!(told.last().verdict, Verdict::Promote, "{}", told.reasons());
        // Shown at its fifth sample; no stage is promoted before five minutes.
        let fifth = &told.at(2.5).checks[0];
        assert_eq!(fifth.outcome, Outcome::Pass, "{}", fifth.reason);
        assert_ne!(told.at(2.0).checks[0].outcome, Outcome::Pass);
    }
    let broken = told(0.2, 0.0);
    assert_eq!(
        broken.first(Verdict::Rollback),
        Some(2.5),
        "{}",
        broken.reasons()
    );
}

/// 8b.25: beside a control of 99.5 %.
#[test]
fn g25_a_share_of_successes_is_compared_by_its_failures() {
    let clock = Clock::minutes(60);
    let pipeline = success("load > baseline * 0.99", clock);
    let told = |level: f64, seed| {
        let canary = Side::constant(level).noisy(0.001, 0.5);
        let control = Side::constant(0.995).noisy(0.001, 0.5);
        all_answers(&pipeline, clock, (&canary, &control), seed)
    };
    for seed in 0..5 {
        for level in [0.85, 0.95] {
            let told = told(level, seed);
            assert!(
                told.has(Verdict::Rollback, 10.0),
                "{level}: {}",
                told.reasons()
            );
            assert_eq!(told.first(Verdict::Promote), None);
        }
        let same = told(0.995, seed);
        assert!(same.has(Verdict::Promote, 10.0), "{}", same.reasons());
        let worse = told(0.97, seed);
        assert_eq!(worse.first(Verdict::Promote), None, "{}", worse.reasons());
    }
}
