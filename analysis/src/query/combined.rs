//! Control and canary in one query.

use crate::matchers::{MatchOperator, Matcher, Matchers};
use crate::series::TargetLabels;

use super::counter::{BUCKET_LABEL, RANGE_LABEL};
use super::values::{METRIC_NAME, alternatives};

/// One set of matchers that selects control and canary together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Combined {
    /// Selects both populations.
    pub matchers: Matchers,
    /// The label whose value tells them apart; to be named in `group_by`.
    pub label: String,
    /// The control's value of that label.
    pub control_value: String,
    /// The canary's value of that label.
    pub canary_value: String,
}

/// Combines the populations where one label with two exact values tells them apart, so that one
/// query at the same instants answers for both: `version="1"` and `version="2"` become
/// `version=~"1|2"`.
///
/// `None` where they differ in more than that, where one value is empty (series without the
/// label could not be told from others), and where the label is one that tells targets or
/// buckets apart.
pub fn combine(
    control: &Matchers,
    canary: &Matchers,
    target_labels: &TargetLabels,
) -> Option<Combined> {
    let of_control = only(control.difference(canary))?;
    let of_canary = only(canary.difference(control))?;
    let label = &of_control.label;
    let is_told_apart = *label == of_canary.label
        && [of_control, of_canary]
            .iter()
            .all(|matcher| matcher.operator == MatchOperator::Equal && !matcher.value.is_empty());
    let is_reserved = target_labels.contains(label)
        || [BUCKET_LABEL, RANGE_LABEL, METRIC_NAME].contains(&label.as_str());
    let mut matchers = control.intersection(canary).cloned().collect::<Matchers>();
    let is_named_again = matchers.iter().any(|matcher| matcher.label == *label);
    if !is_told_apart || is_reserved || is_named_again {
        return None;
    }
    let values = [of_control.value.as_str(), of_canary.value.as_str()];
    matchers.insert(Matcher::regex(label, alternatives(values)));
    Some(Combined {
        matchers,
        label: label.clone(),
        control_value: of_control.value.clone(),
        canary_value: of_canary.value.clone(),
    })
}

/// The only element, `None` when there are none or several.
fn only<T>(mut elements: impl Iterator<Item = T>) -> Option<T> {
    let first = elements.next()?;
    elements.next().is_none().then_some(first)
}
