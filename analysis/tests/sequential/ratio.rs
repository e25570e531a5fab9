//! The ratio of counts that may be asked for after every interval.

use serinus_analysis::sequential::{Dispersion, ErrorRate, IntervalCounts, ratio_interval};

use super::support::{assert_near, counts};

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

#[test]
fn the_ratio_of_the_specification_is_met() {
    let dispersion = Dispersion {
        value: 1.015_763_820_517_575,
        degrees_of_freedom: 12.0,
    };
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
