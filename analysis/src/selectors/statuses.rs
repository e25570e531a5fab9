//! Values that are HTTP statuses: of them all that can come are known.

use crate::data::Mismatch;
use crate::populations::is_status;
use crate::query::SelectorParts;

use super::nearest;

/// Whether the matchers of a label take any status that there may be. Proxies write 0 where nobody
/// answered.
///
/// Source: <https://www.rfc-editor.org/rfc/rfc9110#section-15>, "100 and 599"; Envoy's access log,
/// `RESPONSE_CODE`.
fn takes_any(selector: &SelectorParts, label: &str) -> bool {
    possible().any(|status| selector.takes(label, &status))
}

fn leaves_any_out(selector: &SelectorParts, label: &str) -> bool {
    possible().any(|status| !selector.takes(label, &status))
}

fn possible() -> impl Iterator<Item = String> {
    let nobody = ["0", "000"].map(str::to_owned).into_iter();
    (100..=599).map(|status| status.to_string()).chain(nobody)
}

/// What is wrong with what is asked of a label whose values are all that there are: nothing where one of
/// them is selected, or where they are statuses and one to come may be.
pub(super) fn selects_none(
    selector: &SelectorParts,
    label: &str,
    values: &[String],
    are_statuses: bool,
) -> Option<Mismatch> {
    if values.is_empty() || values.iter().any(|value| selector.takes(label, value)) {
        return None;
    }
    let is_of_every_status = are_statuses && !takes_any(selector, label);
    (is_of_every_status || !are_statuses)
        .then(|| mismatch(selector, label, values, is_of_every_status))
}

/// What is wrong with what is excluded of a label whose values are statuses: that no status is.
pub(super) fn leaves_none_out(
    selector: &SelectorParts,
    label: &str,
    values: &[String],
    are_statuses: bool,
) -> Option<Mismatch> {
    let is_sure = !values.is_empty() && are_statuses && !leaves_any_out(selector, label);
    is_sure.then(|| mismatch(selector, label, values, true))
}

fn mismatch(
    selector: &SelectorParts,
    label: &str,
    values: &[String],
    is_of_every_status: bool,
) -> Mismatch {
    Mismatch::Value {
        label: label.to_owned(),
        asked: selector.asked_of(label),
        near: nearest::values(selector.wanted_of(label), values),
        is_of_every_status,
    }
}

/// Whether all values are written as statuses are.
pub(super) fn are_all(values: &[String]) -> bool {
    values.iter().all(|value| is_status(value))
}
