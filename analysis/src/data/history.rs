//! What was seen of the control before the rollout: the noise between pods of the same version.
//!
//! Two groups of the control's targets, of which one plays the canary, are counted on a grid before
//! the rollout, as the rollout itself is counted. The noise of each check is measured from them
//! ([`MeasuredHistory`]), and a rollout is judged with that: a few numbers, not the counts of a day.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::series::{Grid, PairedInterval};

use super::fault::{DataFault, FaultCode};
use super::measured::MeasuredHistory;
use super::stage::{MetricData, StageData};

/// The least of a metric's data that tells its noise. Source: docs/design/statistics.md, "13.
/// History".
pub const SHORTEST_HISTORY_MS: i64 = 4 * 3_600_000;

/// How the control was split into two groups, to measure the noise between them.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ControlSplit {
    /// Targets that played the canary.
    pub canary_targets: usize,
    /// Targets that played the control.
    pub control_targets: usize,
    /// The share of the exposure that those which played the canary had, in (0, 1).
    pub canary_share: f64,
}

/// What is known of the time before the rollout.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum History {
    /// The noise was measured.
    Seen(Arc<MeasuredHistory>),
    /// There is none, for this reason, and there will be none: the noise is assumed.
    Absent(String),
    /// The source will not tell it: the noise is assumed, and a warning says so.
    Refused(DataFault),
    /// It could not be read now. Checks of the sequential method hold until it is, because the
    /// same data must not be judged once with it and once without.
    Late(DataFault),
}

impl History {
    /// What is known of two parts of a stage: of all that was measured.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Late(fault), _) | (_, Self::Late(fault)) => Self::Late(fault),
            (Self::Seen(one), Self::Seen(other)) => {
                let mut both = (*one).clone();
                both.extend(&other);
                Self::Seen(Arc::new(both))
            }
            (Self::Seen(seen), _) | (_, Self::Seen(seen)) => Self::Seen(seen),
            (Self::Refused(fault), _) | (_, Self::Refused(fault)) => Self::Refused(fault),
            (absent @ Self::Absent(_), Self::Absent(_)) => absent,
        }
    }
}

impl Default for History {
    fn default() -> Self {
        Self::Absent("nobody looked for one".to_owned())
    }
}

/// Two groups of the control over a past.
#[derive(Debug, Clone, PartialEq)]
pub struct HistoryData {
    grid: Grid,
    metrics: BTreeMap<String, MetricData>,
    split: ControlSplit,
    intervals_with_data: usize,
}

impl HistoryData {
    /// Takes the data of a split control, of [`SHORTEST_HISTORY_MS`] at least in one metric.
    ///
    /// # Errors
    ///
    /// [`DataFault`] says how much data there is, when it is too little.
    pub fn new(data: StageData, split: ControlSplit) -> Result<Self, DataFault> {
        let intervals_with_data = data.metrics.values().map(usable_intervals).max();
        let found = Self {
            grid: data.grid,
            metrics: data.metrics,
            split,
            intervals_with_data: intervals_with_data.unwrap_or(0),
        };
        if found.is_enough(found.intervals_with_data) {
            return Ok(found);
        }
        let hours = |milliseconds: i64| milliseconds as f64 / 3_600_000.0;
        Err(DataFault {
            code: FaultCode::NoData,
            message: format!(
                "both groups of the control had data together for {:.1} h, and it takes {} h",
                hours(found.length_ms(found.intervals_with_data)),
                hours(SHORTEST_HISTORY_MS)
            ),
        })
    }

    /// The grid that was looked at.
    pub fn grid(&self) -> Grid {
        self.grid
    }

    /// By metric name, with the group that plays the canary in its place.
    pub fn metrics(&self) -> &BTreeMap<String, MetricData> {
        &self.metrics
    }

    /// Both groups.
    pub fn split(&self) -> ControlSplit {
        self.split
    }

    /// Intervals in which both groups had data, in the metric that has most of them.
    pub fn intervals_with_data(&self) -> usize {
        self.intervals_with_data
    }

    /// Whether so many intervals tell the noise.
    pub(crate) fn is_enough(&self, intervals: usize) -> bool {
        self.length_ms(intervals) >= SHORTEST_HISTORY_MS
    }

    fn length_ms(&self, intervals: usize) -> i64 {
        self.grid.part(0, intervals).end_ms() - self.grid.start_ms()
    }
}

/// Grid intervals in which both groups had an exposure.
pub(crate) fn with_data(intervals: &[PairedInterval]) -> usize {
    intervals
        .iter()
        .filter(|one| one.control.exposure > 0.0 && one.canary.exposure > 0.0)
        .map(|one| one.length)
        .sum()
}

fn usable_intervals(metric: &MetricData) -> usize {
    match metric {
        MetricData::Counts(counts) => with_data(&counts.intervals),
        // The lowest bound stands for all: exposures are the same at each.
        MetricData::Histogram(histogram) => histogram
            .upper_bounds
            .first()
            .and_then(|bound| histogram.tail(*bound))
            .map_or(0, |tail| with_data(&tail.intervals)),
        MetricData::Gauge(_) | MetricData::Fault(_) => 0,
    }
}
