//! Counts that do not say what they seem to: nothing was counted where nothing could have been, more
//! events than requests, a population that has no series.
//!
//! The one place that says which of that is no data, which is a warning, and in what words.
//!
//! Source: docs/design/gate.md, "Selectors that can never match".

use super::model::{ReasonCode, Warning, WarningCode};
use crate::data::{FaultCode, MetricData, Mismatch, SelectorFinding, StageData};
use crate::pipeline::{Metric, MetricKind, Pipeline, Stage};
use crate::selectors::FEWEST_EXPECTED;
use crate::series::{ArmCount, PairedCounts};
use crate::text;

/// More events than requests in at most this share of the intervals are two counters that race: a
/// scrape falls between the two that one request moves.
///
/// Source: docs/design/gate.md, "Selectors that can never match".
const MOST_RACED_SHARE: f64 = 0.2;

/// The share of events from which on requests and events are nearly the same.
const NEARLY_ALL: f64 = 0.8;

/// Said of a metric of which no population has events.
const NO_EVENTS: &str = "neither population has a series of the events, which counts as none";

/// Why what was read for a metric cannot be judged, beyond what a fault of the data says itself.
pub(super) fn unjudged(metric: &Metric, data: &StageData) -> Option<(ReasonCode, String)> {
    let finding = data.findings.selectors.get(&metric.name);
    match data.metrics.get(&metric.name)? {
        MetricData::Counts(counts) => of_counts(metric, counts, finding, data.grid.intervals()),
        MetricData::Fault(fault) if fault.code == FaultCode::NoData => {
            let Some(SelectorFinding::NotSeen(where_it_is)) = finding else {
                return None;
            };
            let reason = format!("{}; {where_it_is}", fault.message);
            Some((ReasonCode::NoData, reason))
        }
        MetricData::Histogram(_) | MetricData::Gauge(_) | MetricData::Fault(_) => None,
    }
}

fn of_counts(
    metric: &Metric,
    counts: &PairedCounts,
    finding: Option<&SelectorFinding>,
    intervals: usize,
) -> Option<(ReasonCode, String)> {
    let is_share = match metric.kind {
        MetricKind::Proportion { .. } => true,
        MetricKind::EventRate { .. }
        | MetricKind::Quantile { .. }
        | MetricKind::Gauge { .. }
        | MetricKind::PerRequest { .. } => false,
    };
    match finding {
        Some(SelectorFinding::MatchesNothing(why))
            if counts.quality.no_event_series && !may_be_nowhere(metric, why) =>
        {
            return Some((ReasonCode::SelectorMatchesNothing, why.to_string()));
        }
        Some(SelectorFinding::LeavesOutNothing(why)) => {
            let reason = format!("every request counts as one: {}", left_out(why));
            return Some((ReasonCode::SelectorMatchesNothing, reason));
        }
        Some(SelectorFinding::CanaryLacksTheLabels(lack)) if is_share && lacks(metric, counts) => {
            let reason = format!(
                "{lack}, and {} events were to be expected: renamed in this version? Where that is \
                 right, set events_may_be_absent: true",
                text::count(counts.expected_canary_events().round())
            );
            return Some((ReasonCode::CanaryEventsMissing, reason));
        }
        Some(SelectorFinding::CanaryHasTheLabels) if is_share && lacks(metric, counts) => {
            let reason = format!(
                "the canary has series of that metric, but none of the events, and {} were to be \
                 expected: not counted in this version? Where they are repaired, set \
                 events_may_be_absent: true",
                text::count(counts.expected_canary_events().round())
            );
            return Some((ReasonCode::CanaryEventsMissing, reason));
        }
        _ => {}
    }
    let raced = counts.quality.more_events_than_total;
    let is_more = raced as f64 > MOST_RACED_SHARE * intervals as f64;
    if is_share && is_more && !races_at_all_requests(counts, intervals) {
        let reason = format!(
            "more events than requests in {} of {intervals} intervals: are they swapped?",
            raced.min(intervals)
        );
        return Some((ReasonCode::EventsExceedTotal, reason));
    }
    None
}

/// Whether nearly every request of a population is an event: two counters that race then exceed each other
/// by turns, and their sums agree over few intervals. A canary that fails every request must not be held
/// for it.
fn races_at_all_requests(counts: &PairedCounts, intervals: usize) -> bool {
    let agreeing: usize = counts.intervals.iter().map(|one| one.length).sum();
    let totals = counts.totals();
    let is_nearly_all = |arm: ArmCount| arm.events > NEARLY_ALL * arm.exposure;
    2 * agreeing >= intervals && (is_nearly_all(totals.control) || is_nearly_all(totals.canary))
}

/// Whether it is fine that a metric has no name in the source: its first event gives it one.
fn may_be_nowhere(metric: &Metric, why: &Mismatch) -> bool {
    match why {
        Mismatch::Metric { .. } => metric.events_may_be_absent,
        Mismatch::Label { .. } | Mismatch::Bound { .. } => false,
    }
}

/// Whether the canary lacks events that it was to be expected to have.
fn lacks(metric: &Metric, counts: &PairedCounts) -> bool {
    counts.quality.no_canary_event_series
        && !metric.events_may_be_absent
        && counts.expected_canary_events() >= FEWEST_EXPECTED
}

/// A matcher that leaves nothing out, for want of what it would leave out.
fn left_out(why: &Mismatch) -> String {
    match why {
        Mismatch::Label {
            metric,
            label,
            asked,
            near,
        } => {
            let there = near.first().map(String::as_str).unwrap_or_default();
            format!(
                "{asked} leaves nothing out, no series of {metric} has the label {label}; there is \
                 {there}"
            )
        }
        Mismatch::Metric { .. } | Mismatch::Bound { .. } => why.to_string(),
    }
}

/// A reason that a population has nothing, with where its series most likely are.
pub(super) fn with_place(why: &str, metric: &Metric, data: &StageData) -> String {
    match data.findings.selectors.get(&metric.name) {
        Some(SelectorFinding::NotSeen(where_it_is)) => format!("{why}; {where_it_is}"),
        _ => why.to_owned(),
    }
}

/// What a reader should know of the counts that were judged.
pub(super) fn warnings(pipeline: &Pipeline, data: &StageData) -> Vec<Warning> {
    let mut warnings = Vec::new();
    for (name, found) in &data.metrics {
        let mut warn = |code, what: &str| {
            warnings.push(Warning {
                code,
                message: text::one_line(&format!("{name}: {what}")),
            });
        };
        let finding = data.findings.selectors.get(name);
        let metric = pipeline.metrics.get(name);
        if let MetricData::Counts(counts) = found {
            // What holds says more itself.
            let is_judged = metric.is_none_or(|metric| unjudged(metric, data).is_none());
            if counts.quality.no_event_series && is_judged {
                let what = format!("{NO_EVENTS}; look whether their selector is right");
                warn(WarningCode::NoEventSeries, &what);
            }
            if let (Some(metric), Some(SelectorFinding::CanaryLacksTheLabels(lack))) =
                (metric, finding)
                && matches!(metric.kind, MetricKind::EventRate { .. })
                && lacks(metric, counts)
            {
                let what = format!("{lack}, which counts as none");
                warn(WarningCode::CanaryEventsMissing, &what);
            }
        }
        if let Some(SelectorFinding::Unknown(fault)) = finding {
            let what = format!(
                "the source does not say whether its selector could match: {}",
                fault.message
            );
            warn(WarningCode::SelectorNotChecked, &what);
        }
    }
    warnings
}

/// What who is told to promote should know: that of a check which passed nobody has ever seen an event.
pub(super) fn of_a_promotion(stage: &Stage, data: &StageData) -> Vec<String> {
    let mut notes: Vec<String> = Vec::new();
    for check in &stage.checks {
        let name = &check.measured.name;
        let is_without = match data.metrics.get(name) {
            Some(MetricData::Counts(counts)) => counts.quality.no_event_series,
            _ => false,
        };
        if !is_without {
            continue;
        }
        let note = match data.findings.selectors.get(name) {
            Some(SelectorFinding::Unknown(_)) => format!(
                "{name}: {NO_EVENTS}, and the source does not say whether their selector could match"
            ),
            _ => format!("{name}: {NO_EVENTS}"),
        };
        if !notes.contains(&note) {
            notes.push(note);
        }
    }
    notes
}
