//! How the checks of a stage share what may be rolled back wrongly.

use crate::pipeline::Check;

/// The sum of the weights of the checks that gather evidence and may roll back.
pub(crate) fn weight_of_evidence<'a>(checks: impl IntoIterator<Item = &'a Check>) -> f64 {
    let gathers = |check: &&Check| check.method.is_valid_at_any_time();
    total_weight(checks.into_iter().filter(gathers))
}

/// The sum of the weights of those checks that may roll back.
pub(crate) fn total_weight<'a>(checks: impl IntoIterator<Item = &'a Check>) -> f64 {
    checks
        .into_iter()
        .filter(|check| check.may_roll_back)
        .map(|check| check.weight)
        .sum()
}
