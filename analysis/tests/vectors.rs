//! The reference vectors of `data/vectors`: numbers made elsewhere (60-digit decimals, scipy,
//! statsmodels), which this crate must reproduce. Each test states how many there are, so that it
//! cannot pass on an empty list.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests stand outside of test functions"
)]

use serde_json::Value;
use serinus_analysis::interval::{
    Confidence, Count, Interval, classify, newcombe_difference, wilson_interval,
};
use serinus_analysis::judge::Classification;
use serinus_analysis::pipeline::Better;
use serinus_analysis::rank::{
    Alternative, KayentaParameters, NoDataCause, RankClass, kayenta_classification, mann_whitney,
    mann_whitney_exact,
};

/// The vectors of a group, which must be as many as said.
fn group(name: &str, expected_count: usize) -> Vec<Value> {
    let text = include_str!("data/vectors/vectors.json");
    let all: Value = serde_json::from_str(text).unwrap();
    let vectors = all[name].as_array().unwrap().clone();
    assert_eq!(vectors.len(), expected_count, "number of vectors in {name}");
    vectors
}

fn number(vector: &Value, key: &str) -> f64 {
    vector[key]
        .as_f64()
        .unwrap_or_else(|| panic!("no number {key} in {vector}"))
}

fn numbers(vector: &Value, key: &str) -> Vec<f64> {
    vector[key]
        .as_array()
        .unwrap()
        .iter()
        .map(|value| value.as_f64().unwrap())
        .collect()
}

fn count(vector: &Value, events: &str, total: &str) -> Count {
    Count::new(number(vector, events), number(vector, total)).unwrap()
}

fn confidence(vector: &Value) -> Confidence {
    Confidence::new(number(vector, "confidence")).unwrap()
}

/// Relative above 1, absolute below.
fn assert_near(actual: f64, expected: f64, tolerance: f64, vector: &Value) {
    let scale = expected.abs().max(1.0);
    let error = (actual - expected).abs() / scale;
    assert!(
        error <= tolerance,
        "{actual} is not {expected}: off by {error:e} in {vector}"
    );
}

#[test]
fn wilson_intervals_are_those_of_sixty_digits() {
    for vector in group("wilson", 242) {
        let confidence = confidence(&vector);
        assert_near(
            confidence.normal_quantile(),
            number(&vector, "z"),
            1e-13,
            &vector,
        );
        let interval = wilson_interval(count(&vector, "errors", "n"), confidence);
        for (actual, key) in [(interval.lower(), "lo"), (interval.upper(), "hi")] {
            let expected = number(&vector, key);
            assert_near(actual, expected, 1e-13, &vector);
            // More than the vectors ask for: tiny bounds keep their digits too.
            assert!(
                (actual - expected).abs() <= 2e-13 * expected,
                "{actual} in {vector}"
            );
        }
    }
}

#[test]
fn overlap_is_classified_as_in_the_vectors() {
    for vector in group("wilson_overlap", 36) {
        let confidence = confidence(&vector);
        let control = wilson_interval(count(&vector, "control_errors", "control_n"), confidence);
        let canary = wilson_interval(count(&vector, "canary_errors", "canary_n"), confidence);
        for (interval, key) in [(control, "control_ci"), (canary, "canary_ci")] {
            let expected = numbers(&vector, key);
            assert_near(interval.lower(), expected[0], 1e-13, &vector);
            assert_near(interval.upper(), expected[1], 1e-13, &vector);
        }
        let (when_less_is_better, when_more_is_better) = match vector["verdict"].as_str().unwrap() {
            "REGRESSION" => (Classification::Regression, Classification::Improvement),
            "IMPROVEMENT" => (Classification::Improvement, Classification::Regression),
            "NEUTRAL" => (Classification::Neutral, Classification::Neutral),
            other => panic!("unknown verdict {other}"),
        };
        assert_eq!(
            classify(control, canary, Better::Lower),
            when_less_is_better,
            "{vector}"
        );
        assert_eq!(
            classify(control, canary, Better::Higher),
            when_more_is_better,
            "{vector}"
        );
    }
}

#[test]
fn intervals_that_touch_overlap() {
    let lower = Interval::new(0.1, 0.2).unwrap();
    let upper = Interval::new(0.2, 0.3).unwrap();
    assert_eq!(
        classify(lower, upper, Better::Lower),
        Classification::Neutral
    );
    assert_eq!(
        classify(upper, lower, Better::Lower),
        Classification::Neutral
    );
}

#[test]
fn newcombe_differences_are_those_of_statsmodels() {
    for vector in group("newcombe_hybrid_score_difference", 42) {
        let (a, b) = (count(&vector, "x1", "n1"), count(&vector, "x2", "n2"));
        let difference = newcombe_difference(a, b, confidence(&vector)).unwrap();
        assert_near(difference.value, number(&vector, "diff"), 1e-12, &vector);
        assert_near(
            difference.interval.lower(),
            number(&vector, "lo"),
            1e-12,
            &vector,
        );
        assert_near(
            difference.interval.upper(),
            number(&vector, "hi"),
            1e-12,
            &vector,
        );
    }
}

#[test]
fn mann_whitney_is_that_of_scipy() {
    let alternatives = [
        ("two-sided", Alternative::TwoSided),
        ("greater", Alternative::Greater),
        ("less", Alternative::Less),
    ];
    let mut exact_count = 0;
    for vector in group("mannwhitney", 15) {
        let (canary, control) = (numbers(&vector, "x"), numbers(&vector, "y"));
        for (name, alternative) in alternatives {
            for (suffix, corrects_continuity) in [("cc", true), ("nocc", false)] {
                let expected = &vector[format!("asymptotic_{name}_{suffix}")];
                let test = mann_whitney(&canary, &control, alternative, corrects_continuity);
                let test = test.unwrap();
                assert_near(test.u, number(expected, "U1"), 1e-15, &vector);
                assert!(
                    (test.p_value / number(expected, "p") - 1.0).abs() < 1e-12,
                    "{test:?} in {vector}"
                );
                let effect = number(&vector, "cles_p_x_gt_y_plus_half_ties");
                assert_near(test.effect, effect, 1e-15, &vector);
            }
            let key = format!("exact_{name}");
            if !vector[&key].is_null() {
                exact_count += 1;
                let test = mann_whitney_exact(&canary, &control, alternative).unwrap();
                assert!(
                    (test.p_value / number(&vector, &key) - 1.0).abs() < 1e-13,
                    "{vector}"
                );
            }
        }
    }
    assert_eq!(exact_count, 12, "exact p values");
}

#[test]
fn kayenta_classes_are_those_of_the_vectors() {
    let mut classes = 0;
    for vector in group("mannwhitney", 15) {
        let (canary, control) = (numbers(&vector, "x"), numbers(&vector, "y"));
        for level in ["0.95", "0.98"] {
            let expected = &vector["kayenta_style_root"][level];
            let parameters = KayentaParameters {
                confidence: Confidence::new(level.parse().unwrap()).unwrap(),
                ..KayentaParameters::default()
            };
            let report = kayenta_classification(&canary, &control, &parameters);
            assert!(
                expected["error"].is_null(),
                "a vector without a root: {vector}"
            );
            let interval = report.interval.unwrap();
            let bounds = numbers(expected, "ci");
            assert_near(interval.lower(), bounds[0], 1e-3, &vector);
            assert_near(interval.upper(), bounds[1], 1e-3, &vector);
            assert_near(
                report.estimate.unwrap(),
                number(expected, "estimate"),
                1e-3,
                &vector,
            );
        }
        let report = kayenta_classification(&canary, &control, &KayentaParameters::default());
        let expected = match vector["kayenta_default_classification_direction_either"].as_str() {
            Some("High") => RankClass::High,
            Some("Low") => RankClass::Low,
            Some("Pass") => RankClass::Pass,
            other => panic!("unknown class {other:?}"),
        };
        assert_eq!(report.class, expected, "{vector}");
        classes += 1;
    }
    assert_eq!(classes, 15);
}

#[test]
fn the_mean_must_rise_by_the_allowed_increase() {
    let canary = [1.0, 1.1, 1.2, 1.3, 1.15, 1.25];
    let control = [0.5, 0.55, 0.6, 0.52, 0.57, 0.58];
    let class = |allowed_increase| {
        let parameters = KayentaParameters {
            allowed_increase,
            ..KayentaParameters::default()
        };
        kayenta_classification(&canary, &control, &parameters).class
    };
    assert_eq!(class(1.0), RankClass::High);
    assert_eq!(class(3.0), RankClass::Pass);
    let parameters = KayentaParameters {
        allowed_decrease: 0.3,
        ..KayentaParameters::default()
    };
    assert_eq!(
        kayenta_classification(&control, &canary, &parameters).class,
        RankClass::Pass
    );
    let parameters = KayentaParameters::default();
    assert_eq!(
        kayenta_classification(&control, &canary, &parameters).class,
        RankClass::Low
    );
}

#[test]
fn a_scale_below_the_absolute_tolerance_is_seen_with_the_relative_one() {
    // An error rate a hundred times worse, in fractions; overlapping so that the roots are inside.
    let canary: Vec<f64> = (1..=20).map(|k| f64::from(k) * 1e-6).collect();
    let control: Vec<f64> = (1..=20).map(|k| f64::from(k) * 1e-7).collect();
    let absolute = kayenta_classification(&canary, &control, &KayentaParameters::default());
    assert_ne!(
        absolute.class,
        RankClass::High,
        "Kayenta's weakness: {absolute:?}"
    );
    let parameters = KayentaParameters {
        relative_tolerance: true,
        ..KayentaParameters::default()
    };
    let relative = kayenta_classification(&canary, &control, &parameters);
    assert_eq!(relative.class, RankClass::High, "{relative:?}");
}

#[test]
fn what_cannot_be_judged_is_no_data_and_never_a_pass() {
    let judge = |canary: &[f64], control: &[f64], parameters: &KayentaParameters| {
        kayenta_classification(canary, control, parameters).class
    };
    let default = KayentaParameters::default();
    let no_data = |cause| RankClass::NoData(cause);
    assert_eq!(judge(&[], &[1.0], &default), no_data(NoDataCause::NoCanary));
    assert_eq!(
        judge(&[1.0], &[], &default),
        no_data(NoDataCause::NoControl)
    );
    assert_eq!(
        judge(&[1.0, f64::NAN], &[1.0], &default),
        no_data(NoDataCause::NotFinite)
    );
    assert_eq!(
        judge(&[1.0], &[f64::INFINITY], &default),
        no_data(NoDataCause::NotFinite)
    );
    assert_eq!(
        judge(&[f64::MAX], &[f64::MIN], &default),
        no_data(NoDataCause::NotFinite)
    );
    assert_eq!(
        judge(&[5.0], &[3.0], &default),
        no_data(NoDataCause::NoSpread)
    );
    for invalid in [
        KayentaParameters {
            tolerance: f64::NAN,
            ..default
        },
        KayentaParameters {
            tolerance: -0.1,
            ..default
        },
        KayentaParameters {
            allowed_increase: f64::NAN,
            ..default
        },
        KayentaParameters {
            allowed_decrease: 0.0,
            ..default
        },
        KayentaParameters {
            root_tolerance: 0.0,
            ..default
        },
    ] {
        let class = judge(&[1.0, 2.0], &[3.0, 4.0], &invalid);
        assert_eq!(
            class,
            no_data(NoDataCause::InvalidParameters),
            "{invalid:?}"
        );
    }
}

#[test]
fn the_same_values_in_another_order_pass() {
    let report = kayenta_classification(
        &[3.0, 1.0, 2.0],
        &[1.0, 2.0, 3.0],
        &KayentaParameters::default(),
    );
    assert_eq!((report.class, report.estimate), (RankClass::Pass, None));
    let report = kayenta_classification(&[7.0; 4], &[7.0; 9], &KayentaParameters::default());
    assert_eq!(report.class, RankClass::Pass);
}
