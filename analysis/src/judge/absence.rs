//! Counts that do not say what they seem to: nothing was counted where nothing could have been, more
//! events than requests, a population that has no series.
//!
//! The one place that says which of that is no data, which is a warning, and in what words.
//!
//! Source: docs/design/gate.md, "Selectors that can never match".

use std::borrow::Cow;

use super::members;
use super::model::{ReasonCode, Warning, WarningCode};
use crate::data::{
    ALL_ARE_EVENTS, FaultCode, Lack, MetricData, Mismatch, SelectorFinding, StageData, is_a_counter,
};
use crate::pipeline::{Better, Check, Metric, MetricKind, Pipeline, Stage};
use crate::selectors::FEWEST_EXPECTED;
use crate::series::{ArmCount, PairedCounts, Population, Populations};
use crate::text;

/// More events than requests in at most this share of the intervals are two counters that race: a
/// scrape falls between the two that one request moves.
///
/// Source: docs/design/gate.md, "Selectors that can never match".
const MOST_RACED_SHARE: f64 = 0.2;

/// The share of events from which on requests and events are nearly the same.
const NEARLY_ALL: f64 = 0.8;

/// The most events for each request that two counters of the same requests show because they are not
/// read at the same instant.
///
/// Source: docs/design/gate.md, "Selectors that can never match".
const MOST_UNDER_WAY: f64 = 1.02;

/// Said of a metric of which no population has events.
const NO_EVENTS: &str = "neither population has a series of the events, which counts as none";

/// Why what was read for a check cannot be judged, beyond what a fault of the data says itself.
pub(super) fn unjudged(check: &Check, data: &StageData) -> Option<(ReasonCode, String)> {
    let metric = &*check.measured;
    let finding = data.findings.selectors.get(&metric.name);
    match data.metrics.get(&metric.name)? {
        MetricData::Counts(counts) => {
            let lacked = finding.and_then(|finding| of_labels(check, counts, finding));
            lacked
                .or_else(|| lacks_the_strata(check, counts))
                .or_else(|| members::missing(check, counts))
                .or_else(|| of_counts(metric, counts, data.grid.intervals()))
        }
        MetricData::Fault(fault) if fault.code == FaultCode::NoData => {
            let Some(SelectorFinding::NotSeen(where_it_is)) = finding else {
                return None;
            };
            let reason = format!("{}; {where_it_is}", fault.message);
            Some((ReasonCode::NoData, reason))
        }
        MetricData::Gauge(_) => of_gauge(finding?),
        MetricData::Histogram(_) | MetricData::Fault(_) => None,
    }
}

/// Why a gauge is none: how long a process has lived is no measure of it.
fn of_gauge(finding: &SelectorFinding) -> Option<(ReasonCode, String)> {
    let why = match finding {
        SelectorFinding::Counter { metric, beside } => is_a_counter(metric, beside.as_deref()),
        SelectorFinding::Unknown(fault) => format!(
            "its name ends like a counter's, and the source does not say whether it is one: {}; of a gauge give the \
             expression times 1",
            fault.message
        ),
        _ => return None,
    };
    Some((ReasonCode::CounterAsGauge, why))
}

/// The counts that a check is held against. A control that cannot be counted is none: what it seems to
/// have done is no sign that the environment is to blame.
pub(super) fn countable<'a>(
    check: &Check,
    counts: &'a PairedCounts,
    data: &StageData,
) -> Cow<'a, PairedCounts> {
    match data.findings.selectors.get(&check.measured.name) {
        Some(SelectorFinding::LacksTheLabels(lack))
            if lack.population == Population::Control && !check.measured.events_may_be_absent =>
        {
            let mut counts = counts.clone();
            for interval in &mut counts.intervals {
                interval.control = ArmCount::default();
            }
            Cow::Owned(counts)
        }
        _ => Cow::Borrowed(counts),
    }
}

/// Why events cannot be counted by their labels.
fn of_labels(
    check: &Check,
    counts: &PairedCounts,
    finding: &SelectorFinding,
) -> Option<(ReasonCode, String)> {
    let metric = &*check.measured;
    match finding {
        SelectorFinding::MatchesNothing(why)
            if counts.quality.no_event_series && !may_be_nowhere(metric, why) =>
        {
            Some((ReasonCode::SelectorMatchesNothing, why.to_string()))
        }
        // Of good events it may be so that all are.
        SelectorFinding::LeavesOutNothing(Mismatch::Value { .. })
            if metric.better == Better::Higher =>
        {
            None
        }
        SelectorFinding::LeavesOutNothing(why) => {
            Some((ReasonCode::SelectorMatchesNothing, why.left_out()))
        }
        SelectorFinding::AllAreEvents if metric.better == Better::Lower => Some((
            ReasonCode::SelectorMatchesNothing,
            ALL_ARE_EVENTS.to_owned(),
        )),
        SelectorFinding::LacksTheLabels(lack) if is_share(metric) => of_a_lack(check, counts, lack),
        SelectorFinding::CanaryHasTheLabels if is_share(metric) && lacks(metric, counts) => {
            let reason = format!(
                "the canary has series of that metric, but none of the events, and {} were to be \
                 expected: not counted in this version? Where they are repaired, set \
                 events_may_be_absent: true",
                text::count(counts.expected_canary_events().round())
            );
            Some((ReasonCode::CanaryEventsMissing, reason))
        }
        _ => None,
    }
}

/// Why nothing can be compared within strata: only one population has their label.
fn lacks_the_strata(check: &Check, counts: &PairedCounts) -> Option<(ReasonCode, String)> {
    let MetricKind::Proportion {
        strata: Some(label),
        ..
    } = &check.measured.kind
    else {
        return None;
    };
    // Within a region the name of a stratum without the label is that of the region and a space.
    let is_nameless = |name: &String| name.is_empty() || name.ends_with(' ');
    let lacks = |names: &[String]| !names.is_empty() && names.iter().all(is_nameless);
    let Populations { control, canary } = &counts.strata;
    let (code, without, with) = match (lacks(&control.names), lacks(&canary.names)) {
        (false, true) if !control.names.is_empty() => (ReasonCode::NoData, "canary", "control"),
        (true, false) if !canary.names.is_empty() => (ReasonCode::NoControl, "control", "canary"),
        _ => return None,
    };
    let why = format!(
        "no series of the {without} has the label {label}, which strata names, and those of the \
         {with} have it: renamed in the new version? Name a label that both have, or leave strata out"
    );
    check.is_relative().then_some((code, why))
}

fn of_a_lack(check: &Check, counts: &PairedCounts, lack: &Lack) -> Option<(ReasonCode, String)> {
    let metric = &*check.measured;
    if metric.events_may_be_absent {
        return None;
    }
    let advice = "renamed in this version? Where that is right, set events_may_be_absent: true";
    match lack.population {
        Population::Canary if lacks(metric, counts) => {
            let reason = format!(
                "{lack}, and {} events were to be expected: {advice}",
                text::count(counts.expected_canary_events().round())
            );
            Some((ReasonCode::CanaryEventsMissing, reason))
        }
        Population::Canary => lack
            .is_renamed
            .then(|| (ReasonCode::CanaryEventsMissing, format!("{lack}: {advice}"))),
        Population::Control => check.is_relative().then(|| {
            let reason = format!(
                "{lack}: there is nothing to compare with; renamed in the new version? An absolute \
                 limit goes on"
            );
            (ReasonCode::ControlEventsMissing, reason)
        }),
    }
}

/// Why counts cannot be what they seem to be.
fn of_counts(
    metric: &Metric,
    counts: &PairedCounts,
    intervals: usize,
) -> Option<(ReasonCode, String)> {
    let MetricKind::Proportion { events, .. } = &metric.kind else {
        return None;
    };
    if metric.better == Better::Lower && counts.all_are_events() {
        let reason = format!(
            "every request of control and canary counts as an event: does {} leave anything out?",
            events.one()
        );
        return Some((ReasonCode::SelectorMatchesNothing, reason));
    }
    let raced = counts.quality.more_events_than_total;
    let is_more = raced as f64 > MOST_RACED_SHARE * intervals as f64;
    if is_more && !races_at_all_requests(counts) {
        let reason = format!(
            "more events than requests in {} of {intervals} intervals: are they swapped?",
            raced.min(intervals)
        );
        return Some((ReasonCode::EventsExceedTotal, reason));
    }
    None
}

fn is_share(metric: &Metric) -> bool {
    match metric.kind {
        MetricKind::Proportion { .. } => true,
        MetricKind::EventRate { .. }
        | MetricKind::Quantile { .. }
        | MetricKind::Gauge { .. }
        | MetricKind::PerRequest { .. } => false,
    }
}

/// Whether nearly every request of a population is an event: two counters that race then exceed each other
/// by turns, or one of them by what is under way for as long as one looks. A canary that fails every
/// request must not be held for it. What is counted otherwise exceeds the more the longer one looks.
fn races_at_all_requests(counts: &PairedCounts) -> bool {
    let totals = counts.totals();
    let is_nearly_all = |arm: ArmCount| arm.events > NEARLY_ALL * arm.exposure;
    let is_a_race = |agreeing: ArmCount, beyond: ArmCount| {
        let all = agreeing.and(beyond);
        all.events <= MOST_UNDER_WAY * all.exposure
    };
    is_a_race(totals.control, counts.beyond_total.control)
        && is_a_race(totals.canary, counts.beyond_total.canary)
        && (is_nearly_all(totals.control) || is_nearly_all(totals.canary))
}

/// Whether it is fine that a metric has no name in the source: its first event gives it one.
fn may_be_nowhere(metric: &Metric, why: &Mismatch) -> bool {
    match why {
        Mismatch::Metric { .. } | Mismatch::OfOthers { .. } => metric.events_may_be_absent,
        Mismatch::Label { .. } | Mismatch::Value { .. } | Mismatch::Bound { .. } => false,
    }
}

/// Whether the canary lacks events that it was to be expected to have.
fn lacks(metric: &Metric, counts: &PairedCounts) -> bool {
    counts.quality.no_canary_event_series
        && !metric.events_may_be_absent
        && counts.expected_canary_events() >= FEWEST_EXPECTED
}

/// A reason that a population has nothing, with where its series most likely are.
pub(super) fn with_place(why: &str, metric: &Metric, data: &StageData) -> String {
    match data.findings.selectors.get(&metric.name) {
        Some(SelectorFinding::NotSeen(where_it_is)) => format!("{why}; {where_it_is}"),
        _ => why.to_owned(),
    }
}

/// What a reader should know of the counts that were judged.
pub(super) fn warnings(pipeline: &Pipeline, stage: &Stage, data: &StageData) -> Vec<Warning> {
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
            if let Some(note) = unobserved(pipeline, stage, data, name) {
                let what = match finding {
                    Some(SelectorFinding::NoSuchValue(_)) => note,
                    _ => format!("{note}; look whether their selector is right"),
                };
                warn(WarningCode::NoEventSeries, &what);
            }
            if let (Some(metric), Some(SelectorFinding::LacksTheLabels(lack))) = (metric, finding)
                && matches!(metric.kind, MetricKind::EventRate { .. })
                && lacks(metric, counts)
            {
                let what = format!("{lack}, which counts as none");
                warn(WarningCode::CanaryEventsMissing, &what);
            }
            if let (Some(metric), Some(SelectorFinding::LeavesOutNothing(why))) = (metric, finding)
                && metric.better == Better::Higher
                && matches!(why, Mismatch::Value { .. })
            {
                warn(WarningCode::LeavesNothingOut, &why.left_out());
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

/// What who reads a verdict should know: of which of its checks and kill switches nobody has ever seen
/// an event.
pub(super) fn notes(pipeline: &Pipeline, stage: &Stage, data: &StageData) -> Vec<String> {
    let mut notes: Vec<String> = Vec::new();
    for name in checks(pipeline, stage).map(|check| &check.measured.name) {
        if let Some(what) = unobserved(pipeline, stage, data, name) {
            let note = match data.findings.selectors.get(name) {
                Some(SelectorFinding::Unknown(_)) => format!(
                    "{name}: {what}, and the source does not say whether their selector could match"
                ),
                _ => format!("{name}: {what}"),
            };
            if !notes.contains(&note) {
                notes.push(note);
            }
        }
    }
    notes
}

/// That no population has an event of a metric, where that decides something.
fn unobserved(pipeline: &Pipeline, stage: &Stage, data: &StageData, name: &str) -> Option<String> {
    let mut checks = checks(pipeline, stage).filter(|check| check.measured.name == name);
    let is_noted = |check: &Check| {
        has_no_event_series(&check.measured, data) && unjudged(check, data).is_none()
    };
    if !checks.any(is_noted) {
        return None;
    }
    Some(match data.findings.selectors.get(name) {
        Some(SelectorFinding::NoSuchValue(why)) => format!("{NO_EVENTS}; {why}"),
        _ => NO_EVENTS.to_owned(),
    })
}

/// Whether no population has a series of the events.
pub(super) fn has_no_event_series(metric: &Metric, data: &StageData) -> bool {
    match data.metrics.get(&metric.name) {
        Some(MetricData::Counts(counts)) => counts.quality.no_event_series,
        _ => false,
    }
}

/// The checks of the stage and the kill switches.
fn checks<'a>(pipeline: &'a Pipeline, stage: &'a Stage) -> impl Iterator<Item = &'a Check> {
    stage.checks.iter().chain(&pipeline.kill_switch)
}
