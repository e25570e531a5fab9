//! What was read for a stage, and parts of it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::proof::Pods;
use crate::series::{Grid, PairedCounts, PairedGauge, PairedHistogram};

use super::budget::BudgetData;
use super::fault::{DataFault, FaultCode};
use super::findings::Findings;
use super::gauge_before::GaugeBefore;
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
    /// What two regions did: their sums, each region a stratum of them. A fault of one is one of both.
    fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Fault(fault), _) | (_, Self::Fault(fault)) => Self::Fault(fault),
            (Self::Counts(one), Self::Counts(other)) => Self::Counts(one.and(&other)),
            (Self::Histogram(one), Self::Histogram(other)) => Self::Histogram(one.and(&other)),
            (Self::Gauge(one), Self::Gauge(other)) => Self::Gauge(one.and(&other)),
            (known, _) => known,
        }
    }

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

/// Adds texts by metric; where both have some, each once.
fn add_texts(texts: &mut BTreeMap<String, String>, more: BTreeMap<String, String>) {
    for (name, text) in more {
        let known = texts.entry(name).or_default();
        if known.is_empty() {
            *known = text;
        } else if !known.contains(&text) {
            known.push_str("; ");
            known.push_str(&text);
        }
    }
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
    /// What the control's pods differed by in the hour before, by metric name.
    pub pods_before: BTreeMap<String, Pods>,
    /// How much the control's gauges varied by themselves in the four hours before, by metric name.
    #[serde(default)]
    pub gauges_before: BTreeMap<String, GaugeBefore>,
    /// How many of the first intervals will never be counted otherwise. It changes nothing of a verdict.
    #[serde(skip)]
    pub settled_intervals: usize,
    /// What was read for the pipeline's error budget. Nothing where the pipeline has none, or where
    /// no traffic is moved by the verdict (plans, replays of the past): then it guards nothing.
    #[serde(default)]
    pub error_budget: Option<BudgetData>,
    /// What was found out about the series where their counts alone do not say what they mean.
    #[serde(default)]
    pub findings: Findings,
}

impl StageData {
    /// Data of nothing.
    pub fn empty(grid: Grid) -> Self {
        Self {
            grid,
            purpose: Purpose::Decide,
            metrics: BTreeMap::new(),
            source_warnings: BTreeMap::new(),
            source_remarks: BTreeMap::new(),
            starts_with_stage: true,
            canary_starts_ms: None,
            history: History::default(),
            pods_before: BTreeMap::new(),
            gauges_before: BTreeMap::new(),
            settled_intervals: 0,
            error_budget: None,
            findings: Findings::default(),
        }
    }

    /// The same as what one region did: a stratum of all.
    #[must_use]
    pub fn of_region(mut self, region: &str) -> Self {
        let metrics = std::mem::take(&mut self.metrics).into_iter();
        let named = metrics.map(|(name, found)| {
            let found = match found {
                MetricData::Counts(counts) => MetricData::Counts(counts.of_stratum(region)),
                // Their strata come with their method.
                other
                @ (MetricData::Histogram(_) | MetricData::Gauge(_) | MetricData::Fault(_)) => other,
            };
            (name, found)
        });
        self.metrics = named.collect();
        self
    }

    /// Adds what was read of another part of the same stage, on the same grid. What both have of one
    /// metric are its regions.
    pub fn absorb(&mut self, part: Self) {
        for (name, found) in part.metrics {
            let known = self.metrics.remove(&name);
            let both = match known {
                Some(known) => known.and(found),
                None => found,
            };
            self.metrics.insert(name, both);
        }
        add_texts(&mut self.source_warnings, part.source_warnings);
        add_texts(&mut self.source_remarks, part.source_remarks);
        self.canary_starts_ms = match (self.canary_starts_ms.take(), part.canary_starts_ms) {
            (Some(mut all), Some(more)) => {
                all.extend(more);
                all.sort_unstable();
                all.dedup();
                Some(all)
            }
            (one, other) => one.or(other),
        };
        self.findings.absorb(part.findings);
        self.settled_intervals = self.settled_intervals.min(part.settled_intervals);
        // What pods of several regions differ by is not known of all together.
        for (name, before) in part.pods_before {
            self.pods_before.entry(name).or_insert(before);
        }
        // Nor what the mean of several regions varied by.
        for (name, before) in part.gauges_before {
            self.gauges_before.entry(name).or_insert(before);
        }
        self.history = std::mem::take(&mut self.history).and(part.history);
    }

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
            pods_before: self.pods_before.clone(),
            gauges_before: self.gauges_before.clone(),
            settled_intervals: 0,
            // It was read for the end of the whole.
            error_budget: None,
            findings: self.findings.clone(),
        }
    }
}
