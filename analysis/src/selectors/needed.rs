//! What has to be found out for a stage: nothing, while every selector finds something.

use std::collections::BTreeMap;

use crate::data::{FaultCode, MetricData, StageData};
use crate::matchers::Matchers;
use crate::pipeline::{Metric, MetricKind, Pipeline, Stage};
use crate::query::{QueryError, SelectorParts, counter_parts, histogram_parts, region_matcher};
use crate::series::{PairedCounts, PairedHistogram, Populations};

use super::Lookup;

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
        let lookup = of_metric(metric, compares, &populations, found).ok()??;
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
        MetricData::Counts(counts) => of_counts(metric, populations, counts),
        MetricData::Fault(fault) if fault.code == FaultCode::NoData => unseen(&populations.canary),
        MetricData::Histogram(_) | MetricData::Gauge(_) | MetricData::Fault(_) => Ok(None),
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
) -> Result<Option<Lookup>, QueryError> {
    let (events, total) = match &metric.kind {
        MetricKind::Proportion { events, total, .. } => (events, Some(total)),
        MetricKind::EventRate { events, .. } => (events, None),
        MetricKind::Quantile { .. } | MetricKind::Gauge { .. } | MetricKind::PerRequest { .. } => {
            return Ok(None);
        }
    };
    // To parse a selector takes longer than all this, and mostly nothing is to be found out.
    let quality = &counts.quality;
    if quality.no_event_series {
        return Ok(Some(Lookup::of_selector(counter_parts(events.one())?)));
    }
    if quality.no_canary_event_series {
        if counts.expected_canary_events() < FEWEST_EXPECTED {
            return Ok(None);
        }
        let canary = populations.canary.clone();
        return Ok(Some(Lookup::of_canary(
            counter_parts(events.one())?,
            canary,
        )));
    }
    match total {
        Some(total) if counts.all_are_events() => {
            let (events, total) = (counter_parts(events.one())?, counter_parts(total.one())?);
            Ok(Lookup::of_what_is_left_out(events, &total))
        }
        _ => Ok(None),
    }
}
