//! What has to be found out for a stage: nothing, while every selector finds something.

use std::collections::BTreeMap;

use crate::data::{FaultCode, MetricData, Mismatch, SelectorFinding, StageData};
use crate::matchers::Matchers;
use crate::pipeline::{Metric, MetricKind, Pipeline, Selection, Stage};
use crate::populations::SeriesLabels;
use crate::query::{QueryError, SelectorParts, counter_parts, histogram_parts, region_matcher};
use crate::series::{PairedCounts, PairedHistogram, Populations};

use super::seen::{self, Counted};
use super::{Lookup, Within, counters};

/// The least number of events to be expected of the canary from which on it matters that it has none:
/// as good as the control, it has none by chance in e^-5, 0.7 % of cases.
///
/// Source: docs/design/gate.md, "Selectors that can never match".
pub(crate) const FEWEST_EXPECTED: f64 = 5.0;

/// A lookup, and the name of the metric that it is for.
#[derive(Debug, Clone, PartialEq)]
pub struct NamedLookup {
    /// The name of the metric, as in [`StageData::metrics`].
    pub metric: String,
    /// What to find out.
    pub lookup: Lookup,
}

/// What has to be found out for a stage, from what was counted. The populations are those of the
/// stage; its regions are added.
pub fn needed(
    pipeline: &Pipeline,
    stage: &Stage,
    populations: Populations<&Matchers>,
    data: &StageData,
) -> Vec<NamedLookup> {
    if data.grid.intervals() == 0 {
        return Vec::new();
    }
    let region = region_matcher(&pipeline.region_label, &stage.regions);
    let populations = populations.map(|matchers| {
        let mut matchers = matchers.clone();
        matchers.extend(region.clone());
        matchers
    });
    let mut measured: BTreeMap<&str, (&Metric, bool)> = BTreeMap::new();
    for check in stage.checks.iter().chain(&pipeline.kill_switch) {
        let metric = &*check.measured;
        let (_, compares) = measured.entry(&metric.name).or_insert((metric, false));
        *compares |= check.is_relative() && check.counts_at(stage.traffic_percent);
    }
    let lookup = |(name, (metric, compares)): (&str, (&Metric, bool))| {
        let found = data.metrics.get(name)?;
        // What cannot be written was refused before.
        let labels = data.findings.labels.get(name);
        let lookup = of_metric(metric, compares, &populations, found, labels).ok()??;
        Some(NamedLookup {
            metric: name.to_owned(),
            lookup,
        })
    };
    measured.into_iter().filter_map(lookup).collect()
}

/// What has to be found out for a metric; `compares` says whether the control is needed.
fn of_metric(
    metric: &Metric,
    compares: bool,
    populations: &Populations<Matchers>,
    found: &MetricData,
    labels: Option<&Populations<SeriesLabels>>,
) -> Result<Option<Lookup>, QueryError> {
    let unseen = |population: &Matchers| -> Result<Option<Lookup>, QueryError> {
        let all = selector_of(&metric.kind)?;
        Ok(all.map(|all| Lookup::of_unseen(all, population.clone())))
    };
    match found {
        MetricData::Counts(PairedCounts { quality, .. })
        | MetricData::Histogram(PairedHistogram { quality, .. })
            if compares && quality.control_series == 0 =>
        {
            unseen(&populations.control)
        }
        MetricData::Counts(counts) => of_counts(metric, populations, counts, labels),
        MetricData::Fault(fault) if fault.code == FaultCode::NoData => unseen(&populations.canary),
        MetricData::Gauge(_) => match &metric.kind {
            MetricKind::Gauge { expression, .. } => counters::of_gauge(expression),
            MetricKind::Proportion { .. }
            | MetricKind::EventRate { .. }
            | MetricKind::Quantile { .. }
            | MetricKind::PerRequest { .. } => Ok(None),
        },
        MetricData::Histogram(_) | MetricData::Fault(_) => Ok(None),
    }
}

/// The selector that must find something for there to be data.
pub(super) fn selector_of(kind: &MetricKind) -> Result<Option<SelectorParts>, QueryError> {
    match kind {
        MetricKind::Proportion { total, .. } | MetricKind::PerRequest { total, .. } => {
            counter_parts(total.one()).map(Some)
        }
        MetricKind::EventRate { events, .. } => counter_parts(events.one()).map(Some),
        MetricKind::Quantile {
            histogram,
            is_native: false,
            ..
        } => histogram_parts(histogram.one()).map(Some),
        MetricKind::Quantile { histogram, .. } => counter_parts(histogram.one()).map(Some),
        // An expression has any number of selectors, and need not be empty where one is.
        MetricKind::Gauge { .. } => Ok(None),
    }
}

fn of_counts(
    metric: &Metric,
    populations: &Populations<Matchers>,
    counts: &PairedCounts,
    labels: Option<&Populations<SeriesLabels>>,
) -> Result<Option<Lookup>, QueryError> {
    let (events, total) = match &metric.kind {
        MetricKind::Proportion { events, total, .. } => (events, Some(total)),
        MetricKind::EventRate { events, .. } => (events, None),
        MetricKind::Quantile { .. } | MetricKind::Gauge { .. } | MetricKind::PerRequest { .. } => {
            return Ok(None);
        }
    };
    let quality = &counts.quality;
    let counted = Counted {
        has_none: quality.no_event_series,
        lacks_expected: quality.no_canary_event_series
            && !quality.no_event_series
            && counts.expected_canary_events() >= FEWEST_EXPECTED,
        are_all: total.is_some() && counts.all_are_events(),
    };
    let lacks_labels =
        labels.is_some_and(|seen| seen.control.lacks_some() || seen.canary.lacks_some());
    // To parse a selector takes longer than all this, and mostly nothing is to be found out.
    if !(counted.has_none || counted.lacks_expected || counted.are_all || lacks_labels) {
        return Ok(None);
    }
    // Of several counters, or of names of their own, the canary's first stands for all.
    let total = total
        .and_then(Selection::only)
        .filter(|_| events.only().is_some());
    let events = counter_parts(events.one())?;
    let Some(total) = total.map(counter_parts).transpose()? else {
        return of_rate(events, populations, counted);
    };
    let own = events.beyond(&total);
    if let (Some(seen), false) = (labels, own.needs_bound()) {
        return match seen::found(&own, seen, counted) {
            // What is said to come with its first event may have come before the window.
            Some(SelectorFinding::MatchesNothing(Mismatch::Label { .. }))
                if metric.events_may_be_absent =>
            {
                of_events(events, &total, populations).map(Some)
            }
            Some(finding) => Ok(Some(Lookup::known(events, finding))),
            None => Ok(None),
        };
    }
    if counted.has_none {
        return of_events(events, &total, populations).map(Some);
    }
    if counted.lacks_expected {
        return Ok(Some(Lookup::of_canary(events, populations.canary.clone())));
    }
    let within = Within::beside(&events, &total, populations)?;
    Ok(Lookup::of_what_is_left_out(events, &total, Some(within)))
}

fn of_rate(
    events: SelectorParts,
    populations: &Populations<Matchers>,
    counted: Counted,
) -> Result<Option<Lookup>, QueryError> {
    if counted.has_none {
        let within = Within::alone(&events, populations)?;
        return Ok(Some(Lookup::of_selector(events, Some(within))));
    }
    let canary = populations.canary.clone();
    Ok(counted
        .lacks_expected
        .then(|| Lookup::of_canary(events, canary)))
}

fn of_events(
    events: SelectorParts,
    total: &SelectorParts,
    populations: &Populations<Matchers>,
) -> Result<Lookup, QueryError> {
    let within = Within::beside(&events, total, populations)?;
    Ok(Lookup::of_selector(events, Some(within)))
}
