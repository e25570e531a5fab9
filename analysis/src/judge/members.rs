//! Several counters that are added up: one that only one of the versions has is most likely renamed, and
//! the sum of the others hides it.
//!
//! Source: docs/design/gate.md, "Selectors that can never match".

use crate::pipeline::{Check, MetricKind, Selection};
use crate::selectors::FEWEST_EXPECTED;
use crate::series::{PairedCounts, Populations};
use crate::text;

use super::model::ReasonCode;

/// What is said of a member that only one version has.
const ADVICE: &str = "renamed in this version? Give each population its own list";

/// Why the sums of several counters cannot be compared.
pub(super) fn missing(check: &Check, counts: &PairedCounts) -> Option<(ReasonCode, String)> {
    let MetricKind::Proportion { events, total, .. } = &check.measured.kind else {
        return None;
    };
    let canary_per_control = ratio(counts)?;
    let of_total = || {
        let (population, text, expected) =
            lacking(total, &counts.members.total, canary_per_control)?;
        let is_told = population == "canary" || check.is_relative();
        is_told.then(|| (ReasonCode::NoData, said(population, text, expected)))
    };
    let of_events = || {
        let found = lacking(events, &counts.members.events, canary_per_control)?;
        // A control without failures of a kind is a good control.
        let (population @ "canary", text, expected) = found else {
            return None;
        };
        let is_told = !check.measured.events_may_be_absent;
        is_told.then(|| {
            (
                ReasonCode::CanaryEventsMissing,
                said(population, text, expected),
            )
        })
    };
    of_total().or_else(of_events)
}

fn said(population: &str, text: &str, expected: f64) -> String {
    let expected = text::count(expected.round());
    format!(
        "the {population} has no series of {text}, and {expected} were to be expected: {ADVICE}"
    )
}

/// How many requests the canary has for each of the control's, by what both have.
fn ratio(counts: &PairedCounts) -> Option<f64> {
    let members = &counts.members.total;
    let both = members.control.iter().zip(&members.canary);
    let both = both.filter_map(|(control, canary)| Some(((*control)?, (*canary)?)));
    let sums = both.fold((0.0, 0.0), |sums, one| (sums.0 + one.0, sums.1 + one.1));
    let totals = counts.totals();
    let (control, canary) = if members.control.is_empty() {
        (totals.control.exposure, totals.canary.exposure)
    } else {
        sums
    };
    (control > 0.0 && canary > 0.0).then(|| canary / control)
}

/// A member that one population has none of where five or more were to be expected: the population, the
/// text, and how many.
fn lacking<'a>(
    selection: &'a Selection,
    members: &Populations<Vec<Option<f64>>>,
    canary_per_control: f64,
) -> Option<(&'static str, &'a str, f64)> {
    let texts = selection.texts();
    if texts.control != texts.canary {
        return None;
    }
    let both = members.control.iter().zip(&members.canary);
    let mut found = texts
        .canary
        .iter()
        .zip(both)
        .filter_map(|(text, both)| match both {
            (Some(control), None) => Some(("canary", text.as_str(), control * canary_per_control)),
            (None, Some(canary)) => Some(("control", text.as_str(), canary / canary_per_control)),
            (Some(_), Some(_)) | (None, None) => None,
        });
    found.find(|(.., expected)| *expected >= FEWEST_EXPECTED)
}
