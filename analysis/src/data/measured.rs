//! The noise between two groups of the control before the rollout, as the checks of a stage need it.
//!
//! Measured once, when the past was read, and then fixed: it is what a rollout is judged with,
//! stored with its decisions, and small enough to be kept for every service. Source:
//! docs/design/statistics.md, "13. History".

use serde::{Deserialize, Serialize};

use crate::proof::PastNoise;
use crate::series::Grid;

use super::history::{ControlSplit, HistoryData};

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
    /// An absolute limit, whose noise is that of the group that plays the canary alone; nothing for
    /// all limits relative to the control, whose noise is that between both groups.
    pub limit: Option<f64>,
    /// What was measured, each with the ratio to the control that a limit is held against; 1 of an absolute limit,
    /// and of a quantile, both of whose groups are counted at one place.
    pub past: Vec<(f64, PastNoise)>,
}

impl MeasuredHistory {
    /// A history of which no noise is known yet.
    pub(crate) fn of(history: &HistoryData) -> Self {
        Self {
            grid: history.grid(),
            split: history.split(),
            intervals_with_data: history.intervals_with_data(),
            noise: Vec::new(),
        }
    }

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

    /// The noise of what a metric counts: with an absolute limit, or with a ratio to the control.
    pub(crate) fn past_noise(
        &self,
        metric: &str,
        limit: Option<f64>,
        ratio: f64,
    ) -> Option<&PastNoise> {
        let is_it = |noise: &&MeasuredNoise| noise.metric == metric && is_same(noise.limit, limit);
        let past = &self.noise.iter().find(is_it)?.past;
        let found = past
            .iter()
            .find(|(known, _)| known.to_bits() == ratio.to_bits());
        found.map(|(_, past)| past)
    }

    /// What was measured of a metric, to add to it.
    pub(crate) fn find_mut(
        &mut self,
        metric: &str,
        limit: Option<f64>,
    ) -> Option<&mut MeasuredNoise> {
        let is_it =
            |noise: &&mut MeasuredNoise| noise.metric == metric && is_same(noise.limit, limit);
        self.noise.iter_mut().find(is_it)
    }

    /// Adds what was measured of another part of the stage.
    pub(super) fn extend(&mut self, other: &Self) {
        self.noise.extend(other.noise.iter().cloned());
    }

    /// Adds what was measured.
    pub(crate) fn add(&mut self, noise: MeasuredNoise) {
        self.noise.push(noise);
    }
}

/// Whether both are the very same number: limits have one origin.
fn is_same(one: Option<f64>, other: Option<f64>) -> bool {
    one.map(f64::to_bits) == other.map(f64::to_bits)
}
