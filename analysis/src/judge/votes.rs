//! How the checks of a stage share what may be rolled back wrongly.

use crate::pipeline::{Check, Method};

/// A check's share of the weights of all sequential checks that may roll back; nothing for one that
/// may not.
pub(crate) fn share_of_votes(check: &Check, checks: &[Check]) -> Option<f64> {
    let total = total_weight(checks, Some(Method::Sequential));
    (check.may_roll_back && total > 0.0).then(|| check.weight / total)
}

/// The sum of the weights of the checks that may roll back and that a method decides; of all
/// methods without one.
pub(crate) fn total_weight<'a>(
    checks: impl IntoIterator<Item = &'a Check>,
    method: Option<Method>,
) -> f64 {
    checks
        .into_iter()
        .filter(|check| check.may_roll_back)
        .filter(|check| method.is_none_or(|method| check.method == method))
        .map(|check| check.weight)
        .sum()
}
