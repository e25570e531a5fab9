//! The noise between two groups of the control before the rollout, as the checks of a stage need it.
//!
//! Measured once, when the past was read, and then fixed: it is what a rollout is judged with, stored
//! with its decisions, and small enough to be kept for every service. Source: statistics design,
//! section 13.

use serde::{Deserialize, Serialize};

use crate::pipeline::{Method, MetricKind, Pipeline, Stage};
use crate::sequential::{
    AbsoluteLimit, IntervalCounts, NoiseHistory, SequentialError, Side, on_every_interval,
};
use crate::series::{ArmCount, Grid, PairedCounts};

use super::history::{ControlSplit, HistoryData, with_data};
use super::latency::slow_share;
use super::limit::Scale;
use super::model::MetricData;
use super::question::Question;
use super::votes::method_of;

/// What was seen of the control before the rollout.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MeasuredHistory {
    grid: Grid,
    split: ControlSplit,
    intervals_with_data: usize,
    noise: Vec<MeasuredNoise>,
}

/// The noise of the counts that some limit is held against.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MeasuredNoise {
    /// The metric.
    pub metric: String,
    /// The upper bound of a histogram above which observations were counted; nothing for counts.
    pub bound: Option<f64>,
    /// An absolute limit, whose noise is that of the group that plays the canary alone; nothing for
    /// all limits relative to the control, whose noise is that between both groups.
    pub limit: Option<f64>,
    /// What was measured.
    pub history: NoiseHistory,
}

impl HistoryData {
    /// Measures the noise for the sequential checks of a stage. Of a metric that has less than
    /// [`super::SHORTEST_HISTORY_MS`] of data, or no events, nothing is known afterwards.
    pub fn measured(&self, pipeline: &Pipeline, stage: &Stage) -> MeasuredHistory {
        let mut found = MeasuredHistory {
            grid: self.grid(),
            split: self.split(),
            intervals_with_data: self.intervals_with_data(),
            noise: Vec::new(),
        };
        for check in &stage.checks {
            if method_of(check, pipeline) != Method::Sequential {
                continue;
            }
            let Some(question) = Question::of_check(check, pipeline) else {
                continue;
            };
            let metric = question.metric.name.as_str();
            let value = question.violation().absolute_value();
            match (self.metrics().get(metric), &question.metric.kind) {
                (Some(MetricData::Counts(counts)), _) => {
                    if let Ok(limit) = absolute_limit(value, question.scale()) {
                        found.add(metric, None, limit, || self.if_enough(counts));
                    }
                }
                (Some(MetricData::Histogram(histogram)), MetricKind::Quantile { quantile, .. }) => {
                    let allowed = value.map(|_| slow_share(*quantile));
                    let Ok(limit) = absolute_limit(allowed, Scale::Share) else {
                        continue;
                    };
                    let bounds = histogram.upper_bounds.iter();
                    for bound in bounds.filter(|bound| bound.is_finite()) {
                        found.add(metric, Some(*bound), limit, || {
                            self.if_enough(&histogram.tail(*bound)?)
                        });
                    }
                }
                _ => {}
            }
        }
        found
    }

    /// The counts on every interval; nothing when they are too few to tell the noise.
    fn if_enough(&self, counts: &PairedCounts) -> Option<Vec<IntervalCounts>> {
        self.is_enough(with_data(&counts.intervals))
            .then(|| on_every_interval(&counts.intervals, self.grid().intervals()))
    }
}

impl MeasuredHistory {
    /// The grid that was looked at.
    pub fn grid(&self) -> Grid {
        self.grid
    }

    /// Both groups.
    pub fn split(&self) -> ControlSplit {
        self.split
    }

    /// Intervals in which both groups had data, in the metric that has most of them.
    pub fn intervals_with_data(&self) -> usize {
        self.intervals_with_data
    }

    /// All that was measured, each once.
    pub fn noise(&self) -> &[MeasuredNoise] {
        &self.noise
    }

    /// The noise of a metric's counts, or of those above a bound: with an absolute limit, or relative
    /// to the control.
    pub(super) fn find(
        &self,
        metric: &str,
        bound: Option<f64>,
        limit: Option<f64>,
    ) -> Option<&NoiseHistory> {
        let is_it = |noise: &&MeasuredNoise| {
            noise.metric == metric && is_same(noise.bound, bound) && is_same(noise.limit, limit)
        };
        self.noise.iter().find(is_it).map(|noise| &noise.history)
    }

    fn add(
        &mut self,
        metric: &str,
        bound: Option<f64>,
        limit: Option<AbsoluteLimit>,
        intervals: impl FnOnce() -> Option<Vec<IntervalCounts>>,
    ) {
        let value = limit.map(|limit| limit.limit());
        if self.find(metric, bound, value).is_some() {
            return;
        }
        let Some(intervals) = intervals() else {
            return;
        };
        let measured = match limit {
            None => NoiseHistory::measure(&intervals),
            Some(limit) => {
                let canary: Vec<ArmCount> = intervals.iter().map(|counts| counts.canary).collect();
                NoiseHistory::measure_absolute(&canary, &limit)
            }
        };
        self.noise.extend(measured.map(|history| MeasuredNoise {
            metric: metric.to_owned(),
            bound,
            limit: value,
            history,
        }));
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

/// Whether both are the very same number: bounds and limits have one origin.
fn is_same(one: Option<f64>, other: Option<f64>) -> bool {
    one.map(f64::to_bits) == other.map(f64::to_bits)
}
