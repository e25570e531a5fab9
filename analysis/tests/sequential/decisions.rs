//! The worked numbers of the specification: noise, evidence, compliance, ratio, split, history.

use serinus_analysis::sequential::{
    AbsoluteCompliance, AbsoluteEvidence, AbsoluteLimit, BlockDispersion, CountLaw, Dispersion,
    ErrorRate, EvidenceConfig, IntervalCounts, NoiseHistory, NoiseState, RelativeCompliance,
    RelativeEvidence, RelativeLimit, Side, SplitEvidence, TwoSidedEvidence, first_crossing,
    log_mean_exp, ratio_interval,
};
use serinus_analysis::series::ArmCount;

use super::support::{assert_all_near, assert_near, counts};

/// Intervals `(x, 1000, y, 9000)`.
fn series(canary: &[f64], control: &[f64]) -> Vec<IntervalCounts> {
    canary
        .iter()
        .zip(control)
        .map(|(&x, &y)| counts(x, 1000.0, y, 9000.0))
        .collect()
}

/// The rollout of section 4.5.
fn worse() -> Vec<IntervalCounts> {
    series(
        &[12.0, 10.0, 14.0, 9.0, 13.0, 11.0, 12.0, 10.0, 15.0, 11.0],
        &[27.0, 25.0, 30.0, 26.0, 28.0, 27.0, 24.0, 29.0, 27.0, 26.0],
    )
}

fn above(ratio: f64) -> RelativeLimit {
    RelativeLimit::new(ratio, 0.0, Side::Above).unwrap()
}

fn without_history(longest_rollout_intervals: usize) -> EvidenceConfig {
    EvidenceConfig {
        longest_rollout_intervals,
        history: None,
    }
}

fn block(block_length: usize, dispersion: f64, degrees_of_freedom: f64) -> BlockDispersion {
    BlockDispersion {
        block_length,
        dispersion,
        degrees_of_freedom,
    }
}

/// Section 4.3. With 4 intervals the lengths beyond 2 have no blocks, so more of them change nothing.
#[test]
fn the_dispersion_of_four_intervals_is_that_of_the_specification() {
    let intervals = series(&[4.0, 2.0, 7.0, 3.0], &[27.0, 30.0, 25.0, 29.0]);
    let dispersion = |history: Option<NoiseHistory>| {
        let mut noise = NoiseState::relative(history);
        for counts in &intervals {
            noise.push(counts);
        }
        noise.dispersion(0)
    };
    let actual = dispersion(None);
    assert_near(actual.value, 2.197_148_779_973_747_7, 1e-9, "D");
    assert_near(actual.degrees_of_freedom, 6.0, 1e-9, "nu");
    let history = NoiseHistory::new(900.0, vec![block(1, 1.4, 239.0), block(2, 1.6, 119.0)]);
    let actual = dispersion(Some(history.unwrap()));
    assert_near(actual.value, 1.583_032_873_415_339_8, 1e-9, "D");
    assert_near(actual.degrees_of_freedom, 31.0, 1e-9, "nu");
}

#[test]
fn the_evidence_of_the_specification_is_met() {
    let expected = [
        0.501_000_351,
        1.518_108_539,
        3.070_974_075,
        4.212_113_173,
        5.864_394_572,
        7.382_433_933,
        9.111_242_963,
        10.395_820_311,
        12.152_358_225,
        13.829_741_178,
    ];
    let path = RelativeEvidence::replay(above(1.0), &without_history(16), &worse());
    assert_all_near(&path, &expected, 1e-8, "ln E");
    assert_eq!(first_crossing(&path, ErrorRate::ROLLBACK), Some(4));
    let nothing = [counts(0.0, 1000.0, 0.0, 9000.0)];
    let path = RelativeEvidence::replay(above(1.0), &without_history(16), &nothing);
    assert_near(path[0], 0.0, 1e-15, "no events");
}

#[test]
fn the_compliance_of_the_specification_is_met() {
    let limit = RelativeLimit::new(2.0, 0.0, Side::Below).unwrap();
    let mut compliance = RelativeCompliance::new(limit, 0).unwrap();
    let mut noise = NoiseState::relative(None);
    for interval in 1..=10 {
        let counts = counts(3.0, 1000.0, 27.0, 9000.0);
        noise.push(&counts);
        compliance.push(&counts);
        // Never before the eighth interval, whatever the evidence.
        if interval < 8 {
            let error_rate = ErrorRate::new(0.9).unwrap();
            assert!(!compliance.is_shown(&noise, error_rate));
        }
    }
    let dispersion = Dispersion {
        value: 1.0,
        degrees_of_freedom: 12.0,
    };
    assert_eq!(noise.dispersion(0).value, dispersion.value);
    assert_near(noise.dispersion(0).degrees_of_freedom, 12.0, 1e-9, "nu");
    let log_evidence = compliance.log_evidence(&noise);
    assert_near(log_evidence, 4.725_564_261_723_032, 1e-9, "ln E'");
    assert!(compliance.is_shown(&noise, ErrorRate::PROMOTION));
}

#[test]
fn the_ratio_of_the_specification_is_met() {
    let mut evidence = RelativeEvidence::new(above(1.0), &without_history(16));
    for counts in worse() {
        evidence.push(&counts);
    }
    let dispersion = evidence.dispersion();
    assert_near(dispersion.value, 1.015_763_820_517_575, 1e-9, "D");
    assert_near(dispersion.degrees_of_freedom, 12.0, 1e-9, "nu");
    let ratio = ratio_interval(&worse(), dispersion, ErrorRate::PROMOTION).unwrap();
    assert_near(
        ratio.value.unwrap(),
        3.914_498_141_263_940_6,
        1e-12,
        "ratio",
    );
    assert_near(
        ratio.interval.lower(),
        2.532_913_808_870_073_3,
        1e-6,
        "lower",
    );
    assert_near(ratio.interval.upper(), 5.897_963_022_627_881, 1e-6, "upper");
}

#[test]
fn a_ratio_without_events_has_no_bounds() {
    let ratio = |intervals: &[IntervalCounts]| {
        ratio_interval(intervals, Dispersion::NONE, ErrorRate::PROMOTION)
    };
    assert_eq!(ratio(&[]), None);
    assert_eq!(ratio(&[counts(1.0, 0.0, 1.0, 9000.0)]), None);
    let nothing = ratio(&series(&[0.0; 4], &[0.0; 4])).unwrap();
    assert_eq!(nothing.value, None);
    assert_eq!(nothing.interval.lower(), 0.0);
    assert_eq!(nothing.interval.upper(), f64::INFINITY);
    let only_canary = ratio(&series(&[50.0; 4], &[0.0; 4])).unwrap();
    assert_eq!(only_canary.value, None);
    assert!(only_canary.interval.lower() > 10.0);
    assert_eq!(only_canary.interval.upper(), f64::INFINITY);
    let only_control = ratio(&series(&[0.0; 4], &[500.0; 4])).unwrap();
    assert_eq!(only_control.value, Some(0.0));
    assert_eq!(only_control.interval.lower(), 0.0);
    assert!(only_control.interval.upper() < 0.1);
}

#[test]
fn the_split_of_the_specification_is_a_mismatch_at_interval_13() {
    let mut evidence = SplitEvidence::new(64).unwrap();
    let mut first = None;
    for interval in 1..=20 {
        evidence.push(600.0, 29_400.0, 0.01);
        if evidence.is_mismatch() && first.is_none() {
            first = Some(interval);
        }
    }
    assert_eq!(first, Some(13));
    let above = evidence.log_evidence_of(Side::Above);
    let below = evidence.log_evidence_of(Side::Below);
    assert_near(above, 8.302_453_947_643_647, 1e-8, "up");
    assert_near(below, -1.050_409_208_650_156, 1e-8, "down");
    assert_near(evidence.log_evidence(), 7.609_393_480_103_643, 1e-8, "mean");
}

#[test]
fn a_split_that_is_right_or_unknown_is_no_mismatch() {
    let mut evidence = SplitEvidence::new(64).unwrap();
    for _ in 0..60 {
        evidence.push(315.0, 29_685.0, 0.01);
        evidence.push(315.0, 29_685.0, 1.0);
        evidence.push(315.0, 29_685.0, f64::NAN);
        assert!(!evidence.is_mismatch());
    }
    assert!(evidence.log_evidence() < 0.0);
}

/// Section 13.
#[test]
fn the_history_of_the_specification_is_met() {
    let canary = [3, 5, 2, 4, 6, 3, 4, 5, 2, 7, 3, 4, 5, 3, 4, 6].map(f64::from);
    let control = [
        28, 25, 30, 27, 26, 29, 24, 28, 27, 25, 31, 26, 28, 27, 25, 29,
    ]
    .map(f64::from);
    let history = NoiseHistory::measure(&series(&canary, &control)).unwrap();
    assert_near(history.mean_effective_exposure(), 900.0, 1e-12, "h");
    let [one, two] = history.by_block_length() else {
        panic!("{history:?}");
    };
    assert_eq!((one.block_length, two.block_length), (1, 2));
    assert_near(one.dispersion, 0.538_514_075_283_604_3, 1e-9, "D 1");
    assert_near(one.degrees_of_freedom, 15.0, 1e-9, "nu 1");
    assert_near(two.dispersion, 0.240_763_825_634_649_93, 1e-9, "D 2");
    assert_near(two.degrees_of_freedom, 7.0, 1e-9, "nu 2");
    // As it comes out of a store.
    let stored = serde_json::to_string(&history).unwrap();
    assert_eq!(
        serde_json::from_str::<NoiseHistory>(&stored).unwrap(),
        history
    );
    let broken = stored.replace("900.0", "-900.0");
    assert!(serde_json::from_str::<NoiseHistory>(&broken).is_err());
}

#[test]
fn too_little_history_is_none() {
    let few = series(&[3.0; 7], &[27.0; 7]);
    assert_eq!(NoiseHistory::measure(&few), None);
    let silent = series(&[0.0; 100], &[0.0; 100]);
    assert_eq!(NoiseHistory::measure(&silent), None);
    assert_eq!(NoiseHistory::measure(&[]), None);
    let limit = AbsoluteLimit::new(0.01, Side::Above, CountLaw::Bernoulli).unwrap();
    let single: Vec<ArmCount> = series(&[9.0, 12.0], &[0.0; 2])
        .iter()
        .map(|counts| counts.canary)
        .cycle()
        .take(16)
        .collect();
    let history = NoiseHistory::measure_absolute(&single, &limit).unwrap();
    assert_near(history.mean_effective_exposure(), 1000.0, 1e-12, "h");
    assert_eq!(history.by_block_length().len(), 2);
}

#[test]
fn histories_that_say_nothing_are_refused() {
    for (h, blocks) in [
        (900.0, vec![]),
        (0.0, vec![block(1, 1.0, 9.0)]),
        (f64::NAN, vec![block(1, 1.0, 9.0)]),
        (900.0, vec![block(3, 1.0, 9.0)]),
        (900.0, vec![block(2, 1.0, 9.0), block(1, 1.0, 9.0)]),
        (900.0, vec![block(1, f64::NAN, 9.0)]),
        (900.0, vec![block(1, 1.0, 0.0)]),
    ] {
        assert!(NoiseHistory::new(h, blocks).is_err());
    }
}

/// Section 9: where more is better, and limits on both sides.
#[test]
fn a_loss_is_a_violation_where_more_is_better() {
    let limit = RelativeLimit::new(0.95, 0.0, Side::Below).unwrap();
    let half = vec![counts(50.0, 1000.0, 900.0, 9000.0); 30];
    let path = RelativeEvidence::replay(limit, &without_history(60), &half);
    assert!(first_crossing(&path, ErrorRate::ROLLBACK).is_some());
    let same = vec![counts(100.0, 1000.0, 900.0, 9000.0); 30];
    let path = RelativeEvidence::replay(limit, &without_history(60), &same);
    assert_eq!(first_crossing(&path, ErrorRate::ROLLBACK), None);
    let mut noise = NoiseState::relative(None);
    let kept = RelativeLimit::new(0.8, 0.0, Side::Above).unwrap();
    let mut compliance = RelativeCompliance::new(kept, 0).unwrap();
    for counts in &same {
        noise.push(counts);
        compliance.push(counts);
    }
    assert!(compliance.is_shown(&noise, ErrorRate::PROMOTION));
}

#[test]
fn two_sided_evidence_is_the_mean_of_both_sides() {
    let mut both = TwoSidedEvidence::new(0.2, &without_history(40)).unwrap();
    let mut upper = RelativeEvidence::new(above(1.2), &without_history(40));
    let lower = RelativeLimit::new(0.8, 0.0, Side::Below).unwrap();
    let mut lower = RelativeEvidence::new(lower, &without_history(40));
    for counts in worse().iter().cycle().take(40) {
        let expected = log_mean_exp(&[upper.push(counts), lower.push(counts)]);
        assert_eq!(both.push(counts), expected);
        assert_eq!(both.log_evidence_of(Side::Above), upper.log_evidence());
    }
    assert!(both.log_evidence() > ErrorRate::ROLLBACK.log_threshold());
    let replayed: Vec<IntervalCounts> = worse().into_iter().cycle().take(40).collect();
    let path = TwoSidedEvidence::replay(0.2, &without_history(40), &replayed).unwrap();
    assert_eq!(path.last(), Some(&both.log_evidence()));
    for tolerance in [0.0, 1.0, f64::NAN] {
        assert!(TwoSidedEvidence::new(tolerance, &without_history(40)).is_err());
    }
}

/// Section 5: the control is tested against the same limit, and both can be shown to keep it.
#[test]
fn an_absolute_limit_is_broken_and_kept() {
    let limit = |side| AbsoluteLimit::new(0.01, side, CountLaw::Bernoulli).unwrap();
    let bad = vec![
        ArmCount {
            events: 30.0,
            exposure: 1000.0
        };
        20
    ];
    let good = vec![
        ArmCount {
            events: 1.0,
            exposure: 1000.0
        };
        20
    ];
    let crossing = |intervals: &[ArmCount]| {
        let path = AbsoluteEvidence::replay(limit(Side::Above), &without_history(60), intervals);
        first_crossing(&path, ErrorRate::ROLLBACK)
    };
    assert!(crossing(&bad).is_some());
    assert_eq!(crossing(&good), None);
    let mut noise = NoiseState::absolute(&limit(Side::Above), None);
    let mut compliance = AbsoluteCompliance::new(limit(Side::Below), 0);
    for count in &good {
        noise.push_single(count);
        compliance.push(count);
    }
    assert!(compliance.is_shown(&noise, ErrorRate::PROMOTION));
    assert_eq!(
        (compliance.stage_start(), compliance.stage_intervals()),
        (0, 20)
    );
}

/// The circuit breaker needs no estimate of the noise.
#[test]
fn a_crash_is_found_at_once() {
    let mut intervals = vec![counts(3.0, 3000.0, 27.0, 27_000.0); 60];
    intervals.extend([counts(600.0, 3000.0, 27.0, 27_000.0); 3]);
    let path = RelativeEvidence::replay(above(1.25), &without_history(480), &intervals);
    let crossing = first_crossing(&path, ErrorRate::ROLLBACK).unwrap();
    assert!((60..=61).contains(&crossing), "{crossing}");
}

/// Section 2, rule 5: zero traffic is time, and nothing else.
#[test]
fn an_interval_without_traffic_counts_as_time_only() {
    let gap = counts(0.0, 0.0, 27.0, 9000.0);
    let mut evidence = RelativeEvidence::new(above(1.0), &without_history(480));
    assert_near(evidence.push(&gap), 0.0, 1e-14, "a gap at the start");
    assert_eq!(evidence.noise().intervals(), 1);
    let mut before = 0.0;
    for counts in worse().iter().take(5) {
        before = evidence.push(counts);
    }
    let after = evidence.push(&gap);
    assert!((after - before).abs() < 0.3, "{before} {after}");
}
