//! Noise, steps, leaks and counts.

use super::*;

/// Both populations one pod with noise of .3, correlated by a half from minute to minute.
fn noisy<'a>() -> Side<'a> {
    Side::constant(1.0).noisy(0.3, 0.5)
}

/// 8b.3: the same version, 16 minutes.
#[test]
fn g03_noise_of_identical_versions_is_hardly_ever_rolled_back_and_mostly_promoted() {
    let clock = Clock::minutes(16);
    let pipeline = early(QUARTER);
    let (mut promoted, mut rolled_back) = (0, 0);
    for seed in 0..100 {
        let told = all_answers(&pipeline, clock, (&noisy(), &noisy()), seed);
        rolled_back += usize::from(told.first(Verdict::Rollback).is_some());
        promoted += usize::from(told.has(Verdict::Promote, 15.0));
    }
    assert_part(promoted, 100, 0.85);
    // Of these seeds one, at its third sample; of 2,000 in the design's own table two.
    assert!(rolled_back <= 1, "{rolled_back}");
}

/// 8b.4: a step at minute 30 of 60.
#[test]
fn g04_a_step_in_the_middle_is_found() {
    let pipeline = an_hour(QUARTER);
    let mut later: Vec<f64> = (200..240)
        .map(|seed| {
            let canary = Side::step(1.0, 30.0, 3.0).noisy(0.3, 0.5);
            let whole = read(Clock::minutes(90), &canary, &noisy(), seed);
            let told = asked(&pipeline, &whole, 30..=90);
            told.first(Verdict::Rollback).unwrap() - 30.0
        })
        .collect();
    later.sort_by(f64::total_cmp);
    assert!(later[0] >= 3.0, "{later:?}");
    assert!((8.0..=16.0).contains(&later[20]), "{later:?}");
    let in_time = later.iter().filter(|minutes| **minutes <= 28.0).count();
    assert_part(in_time, 40, 0.95);
    let twice = (0..40).filter(|seed| {
        let canary = Side::step(1.0, 30.0, 2.0).noisy(0.3, 0.5);
        let whole = read(Clock::minutes(90), &canary, &noisy(), *seed);
        asked(&pipeline, &whole, [90]).last().verdict == Verdict::Rollback
    });
    assert_part(twice.count(), 40, 0.8);
}

/// 8b.5: a leak of the only pod, and of one of three.
#[test]
fn g05_leaks_are_found() {
    let pipeline = an_hour(QUARTER);
    let quiet = Side::constant(1.0).noisy(0.05, 0.9);
    for seed in 0..8 {
        let leaking = Side::of(1, |_, at| Some(1.0 + 0.05 * at)).noisy(0.05, 0.9);
        let whole = read(Clock::minutes(60), &leaking, &quiet, seed);
        let told = asked(&pipeline, &whole, [60]);
        assert_eq!(told.last().verdict, Verdict::Rollback, "{}", told.reasons());
        let one = |pod: usize, at: f64| Some(if pod == 0 { 1.0 + 9.0 * at / 30.0 } else { 1.0 });
        let leaking = Side::of(3, one).noisy(0.05, 0.9);
        let ten = Side::constant(1.0).pods(10).noisy(0.05, 0.9);
        let whole = read(Clock::minutes(30), &leaking, &ten, seed);
        let told = asked(&pipeline, &whole, [30]);
        assert_eq!(told.last().verdict, Verdict::Rollback, "{}", told.reasons());
    }
}

/// 8b.27: half of the limit for a while, and then beyond it: what was before is no noise of what is now.
#[test]
fn g27_a_heap_that_fills_later_is_found() {
    let pipeline = staged(
        ", unit: fraction",
        "60s",
        "duration_minutes: 120",
        "load < 90%",
    );
    let control = Side::constant(0.5).noisy(0.01, 0.5);
    let mut later: Vec<f64> = (0..8)
        .map(|seed| {
            let canary = Side::step(0.5, 45.0, 1.0).noisy(0.01, 0.5);
            let whole = read(Clock::minutes(120), &canary, &control, seed);
            let told = asked(&pipeline, &whole, 45..=120);
            told.first(Verdict::Rollback).unwrap_or(f64::NAN) - 45.0
        })
        .collect();
    later.sort_by(f64::total_cmp);
    assert!(
        (20.0..=50.0).contains(&later[4]) && later[7] <= 75.0,
        "{later:?}"
    );
    let sooner = (0..20).filter(|seed| {
        let canary = Side::step(0.5, 15.0, 1.0).noisy(0.01, 0.5);
        let whole = read(Clock::minutes(60), &canary, &control, *seed);
        asked(&pipeline, &whole, [60]).last().verdict == Verdict::Rollback
    });
    assert_part(sooner.count(), 20, 0.6);
}

/// 8b.34: Poisson numbers on the limit, three pods.
#[test]
fn g34_counts_on_their_limit_are_not_promoted() {
    let pipeline = staged(
        ", unit: number",
        "60s",
        "duration_minutes: 60, promote_early: true",
        "load < 1",
    );
    let never = (0..100).filter(|seed| {
        let canary = Side::constant(1.0).pods(3).counted();
        let control = Side::constant(1.0 / 1.3).pods(10).counted();
        let told = all_answers(&pipeline, Clock::minutes(60), (&canary, &control), *seed);
        told.first(Verdict::Promote).is_none()
    });
    assert_part(never.count(), 100, 0.97);
}
