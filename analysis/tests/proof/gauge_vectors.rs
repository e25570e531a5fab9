//! Reading `gauges.json`.

use serde_json::Value;
use serinus_analysis::sequential::Side;

/// Below it the reference takes `ln Phi` from the first term of its series, with three digits.
const FAR_BELOW: f64 = -3.5;

pub(crate) fn all() -> Value {
    serde_json::from_str(include_str!("../data/vectors/gauges.json")).unwrap()
}

pub(crate) fn group(name: &str, expected: usize) -> Vec<Value> {
    let cases = match &all()[name] {
        Value::Array(cases) => cases.clone(),
        one => vec![one.clone()],
    };
    assert_eq!(cases.len(), expected, "{name}");
    cases
}

pub(crate) fn number(case: &Value, key: &str) -> f64 {
    case[key]
        .as_f64()
        .unwrap_or_else(|| panic!("{key} of {case}"))
}

pub(crate) fn optional(list: &Value) -> Vec<Option<f64>> {
    list.as_array().unwrap().iter().map(Value::as_f64).collect()
}

pub(crate) fn flags(list: &Value) -> Vec<bool> {
    list.as_array()
        .unwrap()
        .iter()
        .map(|one| one.as_bool().unwrap())
        .collect()
}

pub(crate) fn side(is_higher_better: bool) -> Side {
    if is_higher_better {
        Side::Below
    } else {
        Side::Above
    }
}

/// To a billionth, absolute below 1; far below 0 as exact as the reference's tail.
pub(crate) fn assert_evidence(actual: f64, expected: f64, what: &str) {
    let error = (actual - expected).abs() / expected.abs().max(1.0);
    let most = if expected < FAR_BELOW { 4e-4 } else { 1e-9 };
    assert!(
        error <= most,
        "{what}: {actual} is not {expected}, off by {error:e}"
    );
}
