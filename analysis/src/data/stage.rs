//! What was read for a stage, and parts of it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::series::{Grid, PairedCounts, PairedGauge, PairedHistogram};

use super::budget::BudgetData;
use super::fault::{DataFault, FaultCode};
use super::findings::Findings;
use super::history::History;

/// What was read for one metric of a stage.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum MetricData {
    /// Events against an exposure.
    Counts(PairedCounts),
    /// A histogram.
    Histogram(PairedHistogram),
    /// A gauge.
    Gauge(PairedGauge),
    /// Nothing that can be judged, and why.
    Fault(DataFault),
}

impl MetricData {
    /// The same, or a fault where the values of what should be counters fall so often that they are
    /// none.
    pub(crate) fn of_counters(self) -> Self {
        let quality = match &self {
            Self::Counts(counts) => &counts.quality,
            Self::Histogram(histogram) => &histogram.quality,
            Self::Gauge(_) | Self::Fault(_) => return self,
        };
        let all = [
            ("canary", quality.falls.canary),
            ("control", quality.falls.control),
        ];
        let mut no_counters = all.into_iter().filter(|(_, falls)| falls.is_no_counter());
        let Some((population, falls)) = no_counters.next() else {
            return self;
        };
        Self::Fault(DataFault {
            code: FaultCode::NotACounter,
            message: format!(
                "no counter: {} of {} values of the {population} fall, which no start of a process \
                 explains; these look like increments of each interval",
                falls.falls, falls.steps
            ),
        })
    }
}

/// What a stage is judged for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Purpose {
    /// To decide whether it passes.
    #[default]
    Decide,
    /// It has passed, and the next one has not begun: what is found wrong with its traffic still
    /// rolls back. Source: docs/design/gate.md, "Between stages".
    AfterPassing,
    /// It has more intervals than are kept: only its kill switches are looked at, on the newest.
    /// Source: docs/design/gate.md, "Old stages".
    KillSwitches,
}

/// Everything that was read for a stage.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StageData {
    /// The grid on which it was read.
    pub grid: Grid,
    /// What it was read for.
    pub purpose: Purpose,
    /// By the name of what is measured. An impact has no data of its own.
    pub metrics: BTreeMap<String, MetricData>,
    /// What the source said about its own answers (partial data), by metric name; each is a
    /// reason to hold.
    pub source_warnings: BTreeMap<String, String>,
    /// What the source remarked on the queries, by metric name: shown, and no reason for anything.
    pub source_remarks: BTreeMap<String, String>,
    /// Whether the window starts with the stage. Without a start from the caller it does not, and
    /// the stage's age is taken from the canary's first traffic.
    pub starts_with_stage: bool,
    /// When the canary's processes started, in milliseconds since 1970, as far as that was within
    /// the window or shortly before. Nothing where it is not known.
    pub canary_starts_ms: Option<Vec<i64>>,
    /// The time before the rollout.
    pub history: History,
    /// What was read for the pipeline's error budget. Nothing where the pipeline has none, or where
    /// no traffic is moved by the verdict (plans, replays of the past): then it guards nothing.
    #[serde(default)]
    pub error_budget: Option<BudgetData>,
    /// What was found out about the series where their counts alone do not say what they mean.
    #[serde(default)]
    pub findings: Findings,
}

impl StageData {
    /// The data of `length` intervals from the one at index `first` on, as if only they had been
    /// read. A part that begins later does not begin with the stage.
    ///
    /// What a missed scrape joined to an interval outside is left out: it cannot be divided.
    #[must_use]
    pub fn slice(&self, first: usize, length: usize) -> Self {
        let grid = self.grid.part(first, length);
        let length = grid.intervals();
        let metrics = self
            .metrics
            .iter()
            .map(|(name, metric)| {
                let part = match metric {
                    MetricData::Counts(counts) => MetricData::Counts(counts.slice(first, length)),
                    MetricData::Histogram(histogram) => {
                        MetricData::Histogram(histogram.slice(first, length))
                    }
                    MetricData::Gauge(gauge) => MetricData::Gauge(gauge.slice(first, length)),
                    MetricData::Fault(fault) => MetricData::Fault(fault.clone()),
                };
                (name.clone(), part)
            })
            .collect();
        Self {
            grid,
            purpose: self.purpose,
            metrics,
            source_warnings: self.source_warnings.clone(),
            source_remarks: self.source_remarks.clone(),
            starts_with_stage: self.starts_with_stage && first == 0,
            canary_starts_ms: self.canary_starts_ms.clone(),
            history: self.history.clone(),
            // It was read for the end of the whole.
            error_budget: None,
            findings: self.findings.clone(),
        }
    }
}
