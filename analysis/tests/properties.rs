//! What holds for intervals and rank tests whatever the numbers.
#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests stand outside of test functions"
)]
#![expect(clippy::float_cmp, reason = "exact where powers of two and ends are")]

use proptest::prelude::*;
use serinus_analysis::interval::{
    Confidence, Count, Interval, classify, mean_interval, newcombe_difference,
    poisson_rate_interval, proportion_ratio, rate_ratio, wilson_interval,
};
use serinus_analysis::judge::Classification;
use serinus_analysis::pipeline::Better;
use serinus_analysis::rank::{
    Alternative, KayentaParameters, RankClass, kayenta_classification, mann_whitney,
    mann_whitney_exact,
};

/// Rounding of a few operations.
const ROUNDING: f64 = 1e-14;

fn confidences() -> impl Strategy<Value = Confidence> {
    // From one that is next to 0 to one that is next to 1, and those in use.
    let value = prop_oneof![
        4 => 0.5..0.9999_f64,
        1 => prop::num::f64::POSITIVE.prop_filter("below 1", |value| *value < 1.0),
        1 => (1e-15..0.1_f64).prop_map(|rest| 1.0 - rest),
    ];
    value.prop_map(|value| Confidence::new(value).unwrap())
}

/// Counts as they come, from one request to 1e15, whole or not, with none, few or all of them events.
fn counts() -> impl Strategy<Value = Count> {
    let total = (0.0..15.0_f64).prop_map(|exponent| 10.0_f64.powf(exponent).round());
    let share = prop_oneof![
        Just(0.0),
        Just(1.0),
        0.0..1.0_f64,
        (-12.0..0.0_f64).prop_map(|exponent| 10.0_f64.powf(exponent)),
    ];
    (total, share, any::<bool>()).prop_map(|(total, share, is_whole)| {
        let events = if is_whole {
            (total * share).floor()
        } else {
            total * share
        };
        Count::new(events, total).unwrap()
    })
}

/// Anything that the constructor takes.
fn wild_counts() -> impl Strategy<Value = Count> {
    let number = || prop_oneof![Just(0.0), Just(f64::MAX), prop::num::f64::POSITIVE];
    (number(), number()).prop_filter_map("no count", |(a, b)| Count::new(a.min(b), a.max(b)).ok())
}

fn values() -> impl Strategy<Value = Vec<f64>> {
    // Steps of 1/64, so that there are ties and powers of two scale exactly.
    prop::collection::vec(
        (-6400_i32..6400).prop_map(|step| f64::from(step) / 64.0),
        1..40,
    )
}

fn is_ordered(interval: Interval) -> bool {
    interval.lower() <= interval.upper()
}

proptest! {
    #[test]
    fn wilson_stays_in_its_bounds_around_the_share(
        count in wild_counts(), confidence in confidences(),
    ) {
        let interval = wilson_interval(count, confidence);
        prop_assert!(0.0 <= interval.lower() && interval.upper() <= 1.0);
        prop_assert!(is_ordered(interval));
        if let Some(share) = count.share() {
            prop_assert!(interval.lower() <= share && share <= interval.upper());
        } else {
            prop_assert_eq!((interval.lower(), interval.upper()), (0.0, 1.0));
        }
        if count.events() <= 0.0 {
            prop_assert_eq!(interval.lower(), 0.0);
        }
        if count.events() >= count.total() {
            prop_assert_eq!(interval.upper(), 1.0);
        }
    }

    #[test]
    fn wilson_rises_with_the_events(
        count in counts(), more in 0.0..1.0_f64, confidence in confidences(),
    ) {
        let events = count.events() + more * (count.total() - count.events());
        prop_assume!(events <= count.total());
        let with_more = Count::new(events, count.total()).unwrap();
        let (before, after) =
            (wilson_interval(count, confidence), wilson_interval(with_more, confidence));
        prop_assert!(after.lower() >= before.lower() * (1.0 - ROUNDING));
        prop_assert!(after.upper() >= before.upper() * (1.0 - ROUNDING));
    }

    #[test]
    fn wilson_of_the_others_is_the_mirror_image(
        total in 1_u32..1_000_000, part in 0.0..=1.0_f64, confidence in confidences(),
    ) {
        let total = f64::from(total);
        let events = (part * total).floor();
        let interval = wilson_interval(Count::new(events, total).unwrap(), confidence);
        let mirror = wilson_interval(Count::new(total - events, total).unwrap(), confidence);
        prop_assert!((interval.lower() + mirror.upper() - 1.0).abs() < ROUNDING);
        prop_assert!((interval.upper() + mirror.lower() - 1.0).abs() < ROUNDING);
    }

    #[test]
    fn wilson_narrows_with_the_data(
        count in counts(), factor in 1.0..1000.0_f64, confidence in confidences(),
    ) {
        let larger = Count::new(count.events() * factor, count.total() * factor);
        prop_assume!(larger.is_ok());
        let width = |interval: Interval| interval.upper() - interval.lower();
        let before = width(wilson_interval(count, confidence));
        let after = width(wilson_interval(larger.unwrap(), confidence));
        prop_assert!(after <= before + ROUNDING);
    }

    #[test]
    fn wilson_widens_with_the_confidence(
        count in counts(), a in confidences(), b in confidences(),
    ) {
        let (less, more) = if a.value() <= b.value() { (a, b) } else { (b, a) };
        let (narrow, wide) = (wilson_interval(count, less), wilson_interval(count, more));
        prop_assert!(wide.lower() <= narrow.lower() * (1.0 + ROUNDING));
        prop_assert!(wide.upper() >= narrow.upper() * (1.0 - ROUNDING));
    }

    #[test]
    fn classification_turns_round_with_the_sides_and_with_what_is_better(
        a in counts(), b in counts(), confidence in confidences(),
    ) {
        let (a, b) = (wilson_interval(a, confidence), wilson_interval(b, confidence));
        let forward = classify(a, b, Better::Lower);
        let opposite = match forward {
            Classification::Regression => Classification::Improvement,
            Classification::Improvement => Classification::Regression,
            Classification::Neutral => Classification::Neutral,
        };
        prop_assert_eq!(classify(b, a, Better::Lower), opposite);
        prop_assert_eq!(classify(a, b, Better::Higher), opposite);
    }

    #[test]
    fn newcombe_turns_round_with_the_sides(
        a in counts(), b in counts(), confidence in confidences(),
    ) {
        let difference = newcombe_difference(a, b, confidence).unwrap();
        let back = newcombe_difference(b, a, confidence).unwrap();
        prop_assert!((difference.value + back.value).abs() <= 0.0);
        prop_assert!((difference.interval.lower() + back.interval.upper()).abs() < ROUNDING);
        prop_assert!((difference.interval.upper() + back.interval.lower()).abs() < ROUNDING);
    }

    #[test]
    fn differences_and_ratios_are_total(
        a in wild_counts(), b in wild_counts(), confidence in confidences(),
    ) {
        let is_empty = a.is_empty() || b.is_empty();
        let difference = newcombe_difference(a, b, confidence);
        let ratio = proportion_ratio(a, b, confidence);
        prop_assert_eq!(difference.is_none(), is_empty);
        prop_assert_eq!(ratio.is_none(), is_empty);
        if let (Some(difference), Some(ratio)) = (difference, ratio) {
            let interval = difference.interval;
            prop_assert!(-1.0 <= interval.lower() && interval.upper() <= 1.0);
            prop_assert!(interval.lower() <= difference.value);
            prop_assert!(difference.value <= interval.upper());
            prop_assert!(0.0 <= ratio.interval.lower() && is_ordered(ratio.interval));
            if let Some(value) = ratio.value {
                prop_assert!(value.is_finite());
                prop_assert!(ratio.interval.lower() <= value && value <= ratio.interval.upper());
            }
        }
    }

    #[test]
    fn the_ratio_of_the_sides_exchanged_is_the_inverse(
        a in counts(), b in counts(), confidence in confidences(),
    ) {
        let ratio = proportion_ratio(a, b, confidence).unwrap().interval;
        let back = proportion_ratio(b, a, confidence).unwrap().interval;
        for (bound, inverse) in [(ratio.lower(), back.upper()), (ratio.upper(), back.lower())] {
            if bound > 0.0 && bound.is_finite() && inverse.is_finite() {
                prop_assert!((bound * inverse - 1.0).abs() < 1e-12, "{bound} {inverse}");
            } else {
                prop_assert!(bound * inverse <= 0.0 || (bound * inverse).is_nan());
            }
        }
    }

    #[test]
    fn a_rate_has_the_unit_of_its_exposure(
        events in prop_oneof![Just(0.0), 0.0..1e6_f64, (0_u32..200).prop_map(f64::from)],
        exposure in 1e-3..1e6_f64,
        scale in 1e-9..1e9_f64,
        confidence in (0.5..0.9999_f64).prop_map(|value| Confidence::new(value).unwrap()),
    ) {
        let rate = poisson_rate_interval(events, exposure, confidence).unwrap();
        prop_assert!(rate.interval.lower() <= rate.value && rate.value <= rate.interval.upper());
        prop_assert!(rate.interval.lower() >= 0.0 && rate.interval.upper().is_finite());
        prop_assert_eq!(rate.interval.lower() <= 0.0, events <= 0.0);
        let scaled = poisson_rate_interval(events, exposure * scale, confidence).unwrap();
        let factor = scaled.interval.upper() * scale / rate.interval.upper();
        prop_assert!((factor - 1.0).abs() < ROUNDING);
        let fewer = poisson_rate_interval(events, exposure, Confidence::new(0.4).unwrap()).unwrap();
        prop_assert!(fewer.interval.upper() <= rate.interval.upper());
        let more = poisson_rate_interval(events + 1.0, exposure, confidence).unwrap();
        prop_assert!(more.interval.lower() >= rate.interval.lower() * (1.0 - ROUNDING));
        prop_assert!(more.interval.upper() >= rate.interval.upper() * (1.0 - ROUNDING));
    }

    #[test]
    fn rates_are_total(
        events in any::<f64>(), exposure in any::<f64>(), confidence in confidences(),
    ) {
        if let Some(rate) = poisson_rate_interval(events, exposure, confidence) {
            prop_assert!(events >= 0.0 && exposure > 0.0 && rate.value.is_finite());
            prop_assert!(is_ordered(rate.interval) && rate.interval.lower() >= 0.0);
            let ratio = rate_ratio((events, exposure), (5.0, 1.0), confidence).unwrap();
            prop_assert!(is_ordered(ratio.interval));
        }
    }

    #[test]
    fn means_move_and_stretch_with_their_values(
        values in values(), confidence in confidences(), exponent in -30..30_i32,
    ) {
        let Some(mean) = mean_interval(&values, confidence) else {
            prop_assert!(values.len() < 2);
            return Ok(());
        };
        prop_assert!(mean.interval.lower() <= mean.value && mean.value <= mean.interval.upper());
        let scale = 2.0_f64.powi(exponent);
        let scaled: Vec<f64> = values.iter().map(|value| value * scale).collect();
        let again = mean_interval(&scaled, confidence).unwrap();
        prop_assert_eq!(again.value, mean.value * scale);
        prop_assert_eq!(again.interval.lower(), mean.interval.lower() * scale);
        prop_assert_eq!(again.interval.upper(), mean.interval.upper() * scale);
        let mirrored: Vec<f64> = values.iter().map(|value| -value).collect();
        let mirror = mean_interval(&mirrored, confidence).unwrap();
        prop_assert_eq!(mirror.interval.lower(), -mean.interval.upper());
    }

    #[test]
    fn means_are_total(
        values in prop::collection::vec(any::<f64>(), 0..6), confidence in confidences(),
    ) {
        let is_judgeable = values.len() >= 2 && values.iter().all(|value| value.is_finite());
        let mean = mean_interval(&values, confidence);
        prop_assert_eq!(mean.is_some(), is_judgeable);
        if let Some(mean) = mean {
            prop_assert!(mean.value.is_finite() && is_ordered(mean.interval));
        }
    }

    #[test]
    fn rank_tests_turn_round_with_the_sides(canary in values(), control in values()) {
        let both = [
            (Alternative::Greater, Alternative::Less),
            (Alternative::Less, Alternative::Greater),
            (Alternative::TwoSided, Alternative::TwoSided),
        ];
        for (alternative, turned) in both {
            let asymptotic = (
                mann_whitney(&canary, &control, alternative, true),
                mann_whitney(&control, &canary, turned, true),
            );
            let exact = (
                mann_whitney_exact(&canary, &control, alternative),
                mann_whitney_exact(&control, &canary, turned),
            );
            for pair in [asymptotic, exact] {
                if let (Some(forward), Some(back)) = pair {
                    prop_assert!((forward.p_value - back.p_value).abs() < 1e-13);
                    prop_assert!((forward.effect + back.effect - 1.0).abs() < ROUNDING);
                    prop_assert!((0.0..=1.0).contains(&forward.p_value));
                } else {
                    prop_assert_eq!(pair.0, pair.1);
                }
            }
        }
    }

    #[test]
    fn ranks_have_no_unit(
        canary in values(), control in values(), exponent in -30..30_i32,
    ) {
        let scale = 2.0_f64.powi(exponent);
        let scaled = |values: &[f64]| values.iter().map(|v| v * scale).collect::<Vec<f64>>();
        let (canary_scaled, control_scaled) = (scaled(&canary), scaled(&control));
        prop_assert_eq!(
            mann_whitney(&canary, &control, Alternative::TwoSided, true),
            mann_whitney(&canary_scaled, &control_scaled, Alternative::TwoSided, true)
        );
        let parameters =
            KayentaParameters { relative_tolerance: true, ..KayentaParameters::default() };
        let report = kayenta_classification(&canary, &control, &parameters);
        let again = kayenta_classification(&canary_scaled, &control_scaled, &parameters);
        prop_assert_eq!(report.class, again.class);
        prop_assert_eq!(report.estimate.map(|estimate| estimate * scale), again.estimate);
    }

    #[test]
    fn kayenta_finds_a_class_for_any_finite_values(canary in values(), control in values()) {
        let report = kayenta_classification(&canary, &control, &KayentaParameters::default());
        let is_constant = |values: &[f64]| values.iter().all(|value| value == &values[0]);
        match report.class {
            RankClass::NoData(cause) => {
                prop_assert!(is_constant(&canary) && is_constant(&control), "{cause}");
            }
            RankClass::High => prop_assert!(report.interval.unwrap().lower() > 0.0),
            RankClass::Low => prop_assert!(report.interval.unwrap().upper() < 0.0),
            RankClass::Pass => {}
        }
    }

    #[test]
    fn kayenta_is_total(
        canary in prop::collection::vec(any::<f64>(), 0..8),
        control in prop::collection::vec(any::<f64>(), 0..8),
    ) {
        let report = kayenta_classification(&canary, &control, &KayentaParameters::default());
        let has_faults = canary.is_empty()
            || control.is_empty()
            || !canary.iter().chain(&control).all(|value| value.is_finite());
        if has_faults {
            prop_assert!(matches!(report.class, RankClass::NoData(_)));
        }
        prop_assert!(report.estimate.is_none_or(f64::is_finite));
    }
}

#[test]
fn what_is_no_count_is_refused() {
    for (events, total) in [
        (f64::NAN, 1.0),
        (1.0, f64::NAN),
        (-1.0, 1.0),
        (0.0, -1.0),
        (1.0, f64::INFINITY),
        (2.0, 1.0),
    ] {
        assert!(Count::new(events, total).is_err(), "{events} of {total}");
    }
    let message = Count::new(2.0, 1.0).unwrap_err().to_string();
    assert_eq!(
        message,
        "cannot count 2 events of 1: there are more events than the total"
    );
}
