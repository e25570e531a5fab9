//! Reading the reference values.

use serde_json::Value;
use serinus_analysis::proof::{Counted, Interval, Line, PastNoise, Settings};
use serinus_analysis::sequential::{AbsoluteLimit, CountLaw, IntervalCounts, RelativeLimit, Side};
use serinus_analysis::series::ArmCount;

pub(crate) fn numbers(value: &Value) -> Vec<f64> {
    let list = value
        .as_array()
        .unwrap_or_else(|| panic!("no list: {value}"));
    list.iter().map(|one| one.as_f64().unwrap()).collect()
}

pub(crate) fn wholes(value: &Value) -> Vec<usize> {
    let list = value.as_array().unwrap().iter();
    list.map(|one| usize::try_from(one.as_u64().unwrap()).unwrap())
        .collect()
}

/// Relative above 1, absolute below.
pub(crate) fn assert_near(actual: f64, expected: f64, what: &str) {
    let error = (actual - expected).abs() / expected.abs().max(1.0);
    assert!(
        error <= 1e-8,
        "{what}: {actual} is not {expected}, off by {error:e}"
    );
}

pub(crate) fn assert_all_near(actual: &[f64], expected: &[f64], what: &str) {
    assert_eq!(actual.len(), expected.len(), "{what}");
    for (index, (actual, expected)) in actual.iter().zip(expected).enumerate() {
        assert_near(*actual, *expected, &format!("{what} at {index}"));
    }
}

/// Rows of `x, n, y, m`.
pub(crate) fn rows(value: &Value) -> Vec<IntervalCounts> {
    let list = value.as_array().unwrap().iter();
    list.map(|row| counts(&numbers(row))).collect()
}

pub(crate) fn counts(row: &[f64]) -> IntervalCounts {
    IntervalCounts {
        canary: ArmCount {
            events: row[0],
            exposure: row[1],
        },
        control: ArmCount {
            events: row[2],
            exposure: row[3],
        },
    }
}

pub(crate) fn interval(counts: IntervalCounts) -> [Interval; 1] {
    [Interval::from(counts)]
}

/// The settings of a case of `evidence`.
pub(crate) fn settings(options: &Value) -> Settings {
    let flag = |key: &str| options[key].as_bool();
    let number = |key: &str| options[key].as_f64();
    let is_higher = flag("higher").unwrap_or(false);
    let side = if is_higher { Side::Below } else { Side::Above };
    let line = if let Some(limit) = number("p0") {
        let law = if flag("poisson").unwrap_or(false) {
            CountLaw::Poisson
        } else {
            CountLaw::Bernoulli
        };
        Line::Absolute {
            limit: AbsoluteLimit::new(limit, Side::Above, law).unwrap(),
            has_control: flag("has_control").unwrap_or(true),
        }
    } else {
        let offset = number("delta").unwrap_or(0.0);
        let offset = if is_higher { -offset } else { offset };
        Line::Relative(RelativeLimit::new(number("r").unwrap(), offset, side).unwrap())
    };
    let past = options
        .get("history")
        .filter(|past| past.is_object())
        .map(|past| {
            let mut by_length: Vec<(usize, f64, f64)> = past["L"]
                .as_object()
                .unwrap()
                .iter()
                .map(|(length, pair)| {
                    let pair = numbers(pair);
                    (length.parse().unwrap(), pair[0], pair[1])
                })
                .collect();
            by_length.sort_by_key(|one| one.0);
            PastNoise::new(past["h"].as_f64().unwrap(), by_length)
                .unwrap()
                .into()
        });
    Settings {
        line,
        interval_seconds: number("seconds").unwrap_or(30.0),
        counted: if flag("traffic").unwrap_or(false) {
            Counted::Traffic
        } else {
            Counted::Events
        },
        past,
    }
}
