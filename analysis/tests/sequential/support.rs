//! Reading the reference vectors.

use serde_json::Value;
use serinus_analysis::sequential::{BlockDispersion, IntervalCounts, NoiseHistory, Side};
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

pub(crate) fn text<'a>(vector: &'a Value, key: &str) -> &'a str {
    vector[key].as_str().unwrap()
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

/// A list of rows of numbers.
fn rows(vector: &Value, key: &str) -> Vec<Vec<f64>> {
    vector[key]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| {
            let row = row.as_array().unwrap();
            row.iter().map(|value| value.as_f64().unwrap()).collect()
        })
        .collect()
}

/// Rows `x, n, y, m`.
pub(crate) fn intervals(vector: &Value) -> Vec<IntervalCounts> {
    rows(vector, "intervals_x_n_y_m")
        .iter()
        .map(|row| counts(row[0], row[1], row[2], row[3]))
        .collect()
}

/// Rows `x, y, n, m`.
pub(crate) fn intervals_x_y_n_m(vector: &Value) -> Vec<IntervalCounts> {
    rows(vector, "intervals_x_y_n_m")
        .iter()
        .map(|row| counts(row[0], row[2], row[1], row[3]))
        .collect()
}

/// Rows `x, n`.
pub(crate) fn single_intervals(vector: &Value) -> Vec<ArmCount> {
    rows(vector, "intervals_x_n")
        .iter()
        .map(|row| ArmCount {
            events: row[0],
            exposure: row[1],
        })
        .collect()
}

pub(crate) fn history(stored: &Value) -> Option<NoiseHistory> {
    let by_length = stored["by_block_length"].as_object()?;
    let mut blocks: Vec<BlockDispersion> = by_length
        .iter()
        .map(|(length, entry)| BlockDispersion {
            block_length: length.parse().unwrap(),
            dispersion: number(entry, "D"),
            degrees_of_freedom: number(entry, "nu"),
        })
        .collect();
    blocks.sort_by_key(|block| block.block_length);
    Some(NoiseHistory::new(number(stored, "h"), blocks).unwrap())
}

/// The side that the names of the vectors mean.
pub(crate) fn side(kind: &str) -> Side {
    match kind {
        "up" | "above" => Side::Above,
        "down" | "below" => Side::Below,
        _ => panic!("no side {kind}"),
    }
}
