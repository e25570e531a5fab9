//! What pods of one version differ by, and what one of each cannot tell.

use super::*;

/// Ten pods of the control that hardly vary.
fn ten_quiet<'a>() -> Side<'a> {
    Side::constant(1.0).pods(10).noisy(0.02, 0.5)
}

/// 8b.6: pods of the control that differ by 30 % explain a canary pod at 1.6; those that differ by 3 % do not.
#[test]
fn g06_a_canary_pod_among_pods_that_differ_is_one_of_them() {
    let pipeline = an_hour(QUARTER);
    let canary = || Side::constant(1.6).noisy(0.02, 0.5);
    let rolled_back = |between: f64, seed| {
        let control = ten_quiet().differing(between);
        let whole = read(Clock::minutes(60), &canary(), &control, seed);
        let told = asked(&pipeline, &whole, (5..=60).step_by(5));
        assert_eq!(told.first(Verdict::Promote), None, "{}", told.reasons());
        told.first(Verdict::Rollback).is_some()
    };
    let kept = (0..40).filter(|seed| !rolled_back(0.3, *seed)).count();
    assert_part(kept, 40, 0.95);
    let found = (0..40).filter(|seed| rolled_back(0.03, *seed)).count();
    assert_part(found, 40, 0.9);
}

/// 8b.7: a limit that is tighter than what one pod against one pod can tell.
#[test]
fn g07_a_limit_within_a_quarter_is_promoted_up_to_a_quarter() {
    let told = |check: &str, canary: f64, control: &Side<'_>, minutes: usize| {
        let canary = Side::constant(canary).noisy(0.02, 0.5);
        all_answers(
            &early(check),
            Clock::minutes(minutes),
            (&canary, control),
            1,
        )
    };
    let tight = "load < baseline * 1.1";
    let one = || Side::constant(1.0).noisy(0.02, 0.5);
    let fifth = told(tight, 1.2, &one(), 60);
    assert_eq!(fifth.first(Verdict::Rollback), None, "{}", fifth.reasons());
    assert_eq!(
        fifth.last().verdict,
        Verdict::Promote,
        "{}",
        fifth.reasons()
    );
    let reason = &fifth.last().checks[0].reason;
    let why = "over 1.1, within 1.25, which one pod each cannot tell apart";
    assert!(reason.contains(why), "{reason}");
    let insisted = told(
        "{check: load < baseline * 1.1, promote_ratio: 1.2}",
        1.2,
        &one(),
        60,
    );
    assert_eq!(
        insisted.first(Verdict::Promote),
        None,
        "{}",
        insisted.reasons()
    );
    assert_eq!(insisted.last().verdict, Verdict::Hold);
    let thrice = told(tight, 3.0, &one(), 5);
    assert!(thrice.has(Verdict::Rollback, 5.0), "{}", thrice.reasons());
    let beside_ten = told(tight, 1.6, &ten_quiet(), 30);
    assert!(
        beside_ten.has(Verdict::Rollback, 30.0),
        "{}",
        beside_ten.reasons()
    );
}

/// 8b.8: half as much again, quiet.
#[test]
fn g08_half_as_much_again_is_never_promoted_at_a_quarter() {
    for seed in 0..10 {
        let canary = Side::constant(1.5).noisy(0.05, 0.9);
        let control = Side::constant(1.0).noisy(0.05, 0.9);
        let told = all_answers(
            &early(QUARTER),
            Clock::minutes(60),
            (&canary, &control),
            seed,
        );
        assert_eq!(told.first(Verdict::Promote), None, "{}", told.reasons());
    }
}

/// 8b.28: a canary that is cold beside ten old pods, after the usual warm-up.
#[test]
fn g28_a_cold_canary_is_judged_as_one_pod() {
    let rolled_back = |level: &dyn Fn(f64) -> f64, cold_start: &str, minutes: usize, seed| {
        let stage = format!("duration_minutes: 60, warm_up: 5m{cold_start}");
        let pipeline = staged("", "60s", &stage, QUARTER);
        let canary = Side::of(1, |_, at| Some(level(at))).noisy(0.1, 0.5);
        let control = Side::constant(1.0).pods(10).noisy(0.1, 0.5);
        let whole = read(Clock::minutes(60), &canary, &control, seed);
        asked(&pipeline, &whole, [minutes]).last().verdict == Verdict::Rollback
    };
    let warming = |at: f64| 1.0 + 2.0 * libm::exp(-at / 10.0);
    let cache = |at: f64| if at <= 15.0 { 2.0 } else { 1.0 };
    for level in [&warming as &dyn Fn(f64) -> f64, &cache] {
        let usual = (0..40).filter(|seed| !rolled_back(level, "", 60, *seed));
        assert_part(usual.count(), 40, 0.97);
        let none = (0..20).filter(|seed| rolled_back(level, ", cold_start: 0s", 60, *seed));
        assert_part(none.count(), 20, 0.9);
    }
    let stays = (0..20).filter(|seed| rolled_back(&|_| 3.0, "", 10, *seed));
    assert_part(stays.count(), 20, 0.95);
}

/// 8b.29: eight cores are no eight pods.
#[test]
fn g29_the_series_of_one_pod_are_one_pod() {
    let clock = Clock::minutes(60);
    let cores = |name: &str, level: f64, is_old: bool| -> Vec<Series> {
        let side = Side {
            is_old,
            ..Side::constant(level).noisy(0.02, 0.5)
        };
        let core = |core: usize| {
            let mut series = side.series_of(&format!("{name}/{core}"), 0, (60, 60), 1);
            series.labels.insert("pod".to_owned(), name.to_owned());
            series.labels.insert("cpu".to_owned(), core.to_string());
            series
        };
        (0..8).map(core).collect()
    };
    let of = |pod_label: Option<&str>| {
        let (canary, control) = (cores("canary-0", 1.2, false), cores("control-0", 1.0, true));
        read_on(grid_of(60, 60_000), pod_label, &canary, &control)
    };
    let gauge = of(None);
    let whole = read_of(clock.intervals(), 60_000, vec![("load", gauge)]);
    let told = asked(&early("load < baseline * 1.0"), &whole, 1..=60);
    assert_eq!(told.first(Verdict::Rollback), None, "{}", told.reasons());
    let early = &told.at(2.0).reason;
    assert!(
        early.contains("assumed spread of 22.8 %: one pod each"),
        "{early}"
    );
    let why = "over 1, within 1.25, which one pod each cannot tell apart";
    assert!(
        told.last().checks[0].reason.contains(why),
        "{}",
        told.reasons()
    );
    // Where they are pods the file says so.
    let pipeline = staged(", pod_label: cpu", "60s", "duration_minutes: 60", QUARTER);
    let MetricKind::Gauge { pod_label, .. } = &pipeline.metrics["load"].kind else {
        unreachable!()
    };
    let apart = read_of(60, 60_000, vec![("load", of(pod_label.as_deref()))]);
    let told = asked(&pipeline, &apart, [30]);
    let spread = told.last().checks[0].spread.clone();
    assert_eq!(spread.unwrap().pods, 8);
}
