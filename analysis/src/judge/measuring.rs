//! The noise of the control before a rollout, measured for the limits that its checks hold.
//!
//! Source: docs/design/statistics.md, "13. History".

use std::collections::BTreeMap;

use crate::data::{HistoryData, MeasuredHistory, MeasuredNoise, MetricData, StageData, with_data};
use crate::pipeline::{Limit, MetricKind, Pipeline, Stage};
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
                    let of = Of {
                        metric,
                        bound: None,
                        limit,
                        ratios: ratios_of(check.limit),
                    };
                    add(&mut found, &of, || if_enough(past, counts));
                }
            }
            (Some(MetricData::Histogram(histogram)), MetricKind::Quantile { quantile, .. }) => {
                let allowed = value.map(|_| slow_share(*quantile));
                let Ok(limit) = absolute_limit(allowed, Scale::Share) else {
                    continue;
                };
                let bounds = histogram.upper_bounds.iter();
                for bound in bounds.filter(|bound| bound.is_finite()) {
                    let of = Of {
                        metric,
                        bound: Some(*bound),
                        limit,
                        ratios: Vec::new(),
                    };
                    add(&mut found, &of, || {
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

/// What is measured: the counts of a metric, or those above a bound of a histogram, for an absolute limit or for
/// ratios to the control.
struct Of<'a> {
    metric: &'a str,
    bound: Option<f64>,
    limit: Option<AbsoluteLimit>,
    ratios: Vec<f64>,
}

/// The ratios to the control that a limit is held against; 1 where it is none.
fn ratios_of(limit: Limit) -> Vec<f64> {
    let sides = match limit {
        Limit::Within { tolerance } => Limit::sides_of(tolerance).to_vec(),
        one => vec![one],
    };
    let ratio = |side| match side {
        Limit::AtMost { ratio, .. } | Limit::AtLeast { ratio, .. } => ratio.unwrap_or(1.0),
        Limit::Within { .. } => 1.0,
    };
    sides.into_iter().map(ratio).collect()
}

/// Measures what was not measured yet.
fn add(
    found: &mut MeasuredHistory,
    of: &Of<'_>,
    intervals: impl FnOnce() -> Option<Vec<IntervalCounts>>,
) {
    let value = of.limit.map(|limit| limit.limit());
    let known = found.find_mut(of.metric, of.bound, value);
    let is_known = |ratio: &f64| {
        let past = known.as_ref().map(|known| &known.past);
        let mut past = past.into_iter().flatten();
        past.any(|(one, _)| one.to_bits() == ratio.to_bits())
    };
    let missing: Vec<f64> = of
        .ratios
        .iter()
        .copied()
        .filter(|ratio| !is_known(ratio))
        .collect();
    if known.is_some() && missing.is_empty() {
        return;
    }
    let Some(intervals) = intervals() else {
        return;
    };
    let past = missing.into_iter().filter_map(|ratio| {
        let past = match of.limit {
            None => PastNoise::measure(&intervals, ratio),
            Some(_) => PastNoise::measure_alone(&intervals),
        };
        past.map(|past| (ratio, past))
    });
    if let Some(known) = known {
        known.past.extend(past);
        return;
    }
    let past: Vec<(f64, PastNoise)> = past.collect();
    let history = match of.limit {
        None => NoiseHistory::measure(&intervals),
        Some(limit) => {
            let canary: Vec<ArmCount> = intervals.iter().map(|counts| counts.canary).collect();
            NoiseHistory::measure_absolute(&canary, &limit)
        }
    };
    if history.is_some() || !past.is_empty() {
        found.add(MeasuredNoise {
            metric: of.metric.to_owned(),
            bound: of.bound,
            limit: value,
            history,
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
