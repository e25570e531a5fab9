//! Reading the reference vectors.

use serde_json::Value;
use serinus_analysis::sequential::IntervalCounts;
use serinus_analysis::series::ArmCount;

/// The vectors of a group, which must be as many as said, so that no test passes on an empty list.
pub(crate) fn group(name: &str, expected_count: usize) -> Vec<Value> {
    let text = include_str!("../data/vectors/vectors.json");
    let all: Value = serde_json::from_str(text).unwrap();
    let vectors = all[name].as_array().unwrap().clone();
    assert_eq!(vectors.len(), expected_count, "number of vectors in {name}");
    vectors
}

pub(crate) fn number(vector: &Value, key: &str) -> f64 {
    vector[key]
        .as_f64()
        .unwrap_or_else(|| panic!("no number {key} in {vector}"))
}

pub(crate) fn whole(vector: &Value, key: &str) -> usize {
    let value = vector[key]
        .as_u64()
        .unwrap_or_else(|| panic!("no whole number {key} in {vector}"));
    usize::try_from(value).unwrap()
}

pub(crate) fn numbers(vector: &Value, key: &str) -> Vec<f64> {
    vector[key]
        .as_array()
        .unwrap_or_else(|| panic!("no list {key} in {vector}"))
        .iter()
        .map(|value| value.as_f64().unwrap())
        .collect()
}

/// Relative above 1, absolute below.
pub(crate) fn assert_near(actual: f64, expected: f64, tolerance: f64, what: &str) {
    let error = (actual - expected).abs() / expected.abs().max(1.0);
    assert!(
        error <= tolerance,
        "{what}: {actual} is not {expected}, off by {error:e}"
    );
}

pub(crate) fn assert_all_near(actual: &[f64], expected: &[f64], tolerance: f64, what: &str) {
    assert_eq!(actual.len(), expected.len(), "{what}");
    for (index, (actual, expected)) in actual.iter().zip(expected).enumerate() {
        assert_near(*actual, *expected, tolerance, &format!("{what} at {index}"));
    }
}

/// An interval, in the order of the formulas.
pub(crate) fn counts(x: f64, n: f64, y: f64, m: f64) -> IntervalCounts {
    IntervalCounts {
        canary: ArmCount {
            events: x,
            exposure: n,
        },
        control: ArmCount {
            events: y,
            exposure: m,
        },
    }
}
