//! The noise of the control before a rollout, measured for the limits that its checks hold.
//!
//! Source: docs/design/statistics.md, "13. History".

use std::collections::BTreeMap;

use crate::data::{HistoryData, MeasuredHistory, MeasuredNoise, MetricData, StageData, with_data};
use crate::pipeline::{MetricKind, Pipeline, Stage};
use crate::proof::{PastNoise, Pods};
use crate::sequential::{
    AbsoluteLimit, IntervalCounts, NoiseHistory, SequentialError, Side, on_every_interval,
};
use crate::series::{ArmCount, PairedCounts};

use super::latency::slow_share;
use super::limit::Scale;
use super::young::{Warm, warm_up_seconds};

/// Measures the noise for the sequential checks of a stage. Of a metric that has less than
/// [`crate::data::SHORTEST_HISTORY_MS`] of data, or no events, nothing is known afterwards.
pub fn measure_noise(past: &HistoryData, stage: &Stage) -> MeasuredHistory {
    let mut found = MeasuredHistory::of(past);
    for check in &stage.checks {
        if !check.method.is_valid_at_any_time() {
            continue;
        }
        let metric = check.measured.name.as_str();
        let value = check.limit.absolute_value();
        match (past.metrics().get(metric), &check.measured.kind) {
            (Some(MetricData::Counts(counts)), _) => {
                if let Ok(limit) = absolute_limit(value, Scale::of(&check.measured)) {
                    add(&mut found, metric, None, limit, || if_enough(past, counts));
                }
            }
            (Some(MetricData::Histogram(histogram)), MetricKind::Quantile { quantile, .. }) => {
                let allowed = value.map(|_| slow_share(*quantile));
                let Ok(limit) = absolute_limit(allowed, Scale::Share) else {
                    continue;
                };
                let bounds = histogram.upper_bounds.iter();
                for bound in bounds.filter(|bound| bound.is_finite()) {
                    add(&mut found, metric, Some(*bound), limit, || {
                        if_enough(past, &histogram.tail(*bound)?)
                    });
                }
            }
            _ => {}
        }
    }
    found
}

/// What the control's pods differed by before a rollout, for each metric that a check of the stage compares by the
/// sequential method on counts. `past` has the control in the control's place.
///
/// Source: docs/design/counts.md, "8. Pods as replicates".
pub fn measure_pods(
    past: &StageData,
    pipeline: &Pipeline,
    stage: &Stage,
) -> BTreeMap<String, Pods> {
    let mut found = BTreeMap::new();
    if !pipeline.analysis.pod_spread {
        return found;
    }
    for check in &stage.checks {
        let metric = &check.measured.name;
        let Some(MetricData::Counts(counts)) = past.metrics.get(metric) else {
            continue;
        };
        let is_asked = check.is_relative() && check.method.is_valid_at_any_time();
        if !is_asked || found.contains_key(metric) {
            continue;
        }
        let seconds = warm_up_seconds(check, stage, &pipeline.analysis);
        let warm = Warm::of(counts, past.grid, seconds).counts;
        if let Some(pods) = pods_of(&warm, past.grid.intervals()) {
            found.insert(metric.clone(), pods);
        }
    }
    found
}

/// What the control's pods differ by over some intervals; nothing where they are not told apart.
fn pods_of(counts: &PairedCounts, intervals: usize) -> Option<Pods> {
    let apart = &counts.pods.control;
    if !apart.names.iter().any(|name| !name.is_empty()) {
        return None;
    }
    let mut pods = Pods::new(1.0);
    let mut past = Vec::with_capacity(intervals);
    let mut rows = counts.intervals.iter().zip(&apart.rows).peekable();
    for interval in 0..intervals {
        let mut had = Vec::new();
        while let Some((_, row)) = rows.next_if(|(one, _)| one.first + one.length <= interval + 1) {
            for (place, count) in row {
                let name = apart.names.get(*place as usize);
                if let Some(place) = name.and_then(|name| pods.place_of(name)) {
                    had.push((place, *count));
                }
            }
        }
        past.push(had);
    }
    pods.push_past(&past);
    Some(pods)
}

/// The counts on every interval; nothing when they are too few to tell the noise.
fn if_enough(past: &HistoryData, counts: &PairedCounts) -> Option<Vec<IntervalCounts>> {
    past.is_enough(with_data(&counts.intervals))
        .then(|| on_every_interval(&counts.intervals, past.grid().intervals()))
}

/// Measures what was not measured yet.
fn add(
    found: &mut MeasuredHistory,
    metric: &str,
    bound: Option<f64>,
    limit: Option<AbsoluteLimit>,
    intervals: impl FnOnce() -> Option<Vec<IntervalCounts>>,
) {
    let value = limit.map(|limit| limit.limit());
    if found.find(metric, bound, value).is_some() {
        return;
    }
    let Some(intervals) = intervals() else {
        return;
    };
    let (measured, past) = match limit {
        None => (
            NoiseHistory::measure(&intervals),
            PastNoise::measure(&intervals),
        ),
        Some(limit) => {
            let canary: Vec<ArmCount> = intervals.iter().map(|counts| counts.canary).collect();
            (
                NoiseHistory::measure_absolute(&canary, &limit),
                PastNoise::measure_alone(&intervals),
            )
        }
    };
    let past = past.filter(|_| bound.is_none());
    if measured.is_some() || past.is_some() {
        found.add(MeasuredNoise {
            metric: metric.to_owned(),
            bound,
            limit: value,
            history: measured,
            past,
        });
    }
}

/// The limit of that value, if there is one. The noise is the same on both sides of it.
fn absolute_limit(
    value: Option<f64>,
    scale: Scale,
) -> Result<Option<AbsoluteLimit>, SequentialError> {
    value
        .map(|value| AbsoluteLimit::new(value, Side::Above, scale.law()))
        .transpose()
}
