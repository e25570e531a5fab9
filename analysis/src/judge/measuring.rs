//! The noise of the control before a rollout, measured for the limits that its checks hold.
//!
//! Source: docs/design/statistics.md, "13. History".

use crate::data::{HistoryData, MeasuredHistory, MeasuredNoise, MetricData, with_data};
use crate::pipeline::{MetricKind, Stage};
use crate::proof::PastNoise;
use crate::sequential::{
    AbsoluteLimit, IntervalCounts, NoiseHistory, SequentialError, Side, on_every_interval,
};
use crate::series::{ArmCount, PairedCounts};

use super::latency::slow_share;
use super::limit::Scale;

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
