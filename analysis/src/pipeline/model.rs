//! What a pipeline file says, after parsing: names resolved, units converted to base units
//! (seconds, bytes, fractions), lists expanded into sub-stages. It can be serialized, so that what
//! was judged has a name; it is only ever read from a file's text.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;

use super::kayenta_settings::KayentaSettings;
use super::limit::Limit;
use super::own_matchers::OwnMatchers;
use super::selection::Selection;
use crate::matchers::Matchers;
use crate::series::{Populations, TargetLabels};

/// A pipeline: the stages that a rollout goes through, in order.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Pipeline {
    /// The pipeline's name.
    pub name: String,
    /// The configured Prometheus servers to read.
    pub sources: SourceNames,
    /// The matchers that select the control.
    pub control: Matchers,
    /// The matchers that select the canary.
    pub canary: Matchers,
    /// Which of the two the file writes. One that it does not write is a default, and gives way to
    /// whatever a caller says. Nothing that is judged depends on it.
    #[serde(skip)]
    pub written: Populations<bool>,
    /// The label that holds a region's name, used by stages with `regions`.
    pub region_label: String,
    /// The labels that tell targets apart, so what is counted together.
    pub target_labels: TargetLabels,
    /// How each metric is measured, by name: the preset's, changed by the file's. An impact is
    /// measured as the metric that it is of.
    pub metrics: BTreeMap<String, Metric>,
    /// How the pipeline is judged.
    pub analysis: AnalysisSettings,
    /// Conditions that roll back at once, in every stage, when they become true.
    pub kill_switch: Vec<Check>,
    /// What the whole service may fail before no more traffic is moved.
    pub error_budget: Option<ErrorBudget>,
    /// Judge without acting: the gate always says promote, the true verdict is told beside it.
    pub dry_run: bool,
    /// The stages in order; lists are expanded into sub-stages. Never empty.
    pub stages: Vec<Stage>,
}

/// Which configured Prometheus servers are read.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct SourceNames {
    /// The one of everything of which nothing else is said; the server's default when absent.
    pub default: Option<String>,
    /// Those of the populations, where they are others.
    pub populations: Populations<Option<String>>,
    /// Those of the regions; empty where all are on the same.
    pub regions: BTreeMap<String, String>,
}

/// How a metric selects a population, where that is not as the pipeline does.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Own {
    /// The matchers, in place of the pipeline's.
    pub matchers: Option<OwnMatchers>,
    /// The configured Prometheus, in place of the pipeline's.
    pub source: Option<String>,
}

/// What a service may fail: its budget is `1 - objective` of the requests of a window, of control
/// and canary together.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ErrorBudget {
    /// The name of a proportion, a key of [`Pipeline::metrics`].
    pub metric: String,
    /// The share of good requests that is promised, from 0.5 to 0.999999.
    pub objective: f64,
    /// The time over which it is promised, in seconds.
    pub window_seconds: u32,
    /// No more traffic is moved when less than this share of the budget remains.
    pub minimum_remaining: f64,
    /// Selects the service beside what the metric's own selectors do; those of the populations are
    /// not used. May be empty.
    pub selector: Matchers,
}

/// Which way of a metric is good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
pub enum Better {
    /// Less is better: errors, latency, cost.
    Lower,
    /// More is better: conversions, cache hits.
    Higher,
}

/// How a metric is measured.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Metric {
    /// The name that checks use.
    pub name: String,
    /// What is read from Prometheus.
    pub kind: MetricKind,
    /// Which way is good.
    pub better: Better,
    /// What a limit's unit may be.
    pub dimension: Dimension,
    /// Whether it is fine that a canary has no series of its events: they come with the first event.
    pub events_may_be_absent: bool,
    /// How this metric selects the populations, where that is not as the pipeline does.
    pub own: Populations<Own>,
}

/// What a number of a metric counts, so that `200ms` cannot be compared with an error rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
pub enum Dimension {
    /// A fraction: `0.01` or `1%`.
    Fraction,
    /// A time: in seconds when no unit is given.
    Seconds,
    /// A size: in bytes when no unit is given.
    Bytes,
    /// A bare number. Any unit of a size or a time is converted to its base.
    Number,
}

/// What is read from Prometheus for a metric. Texts are PromQL that has been checked.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub enum MetricKind {
    /// A share of requests: bad (or good) events among all, two counters.
    Proportion {
        /// The counters of events.
        events: Selection,
        /// The counters of all requests.
        total: Selection,
        /// The label within whose values the populations are compared; as a whole where there is none.
        strata: Option<String>,
    },
    /// Events for each unit of an exposure that is not a counter.
    EventRate {
        /// The counters of events.
        events: Selection,
        /// What the events are counted against.
        per: Exposure,
    },
    /// A quantile of a histogram.
    Quantile {
        /// The quantile, in (0, 1).
        quantile: f64,
        /// The histogram, without the suffix `_bucket`.
        histogram: Selection,
        /// Whether it is a native histogram: one series with exponential buckets, in place of a
        /// series for each bucket.
        is_native: bool,
        /// Base units in one unit of the bucket bounds: 0.001 for a histogram of milliseconds.
        scale: Populations<f64>,
    },
    /// A value that goes up and down; any PromQL expression of an instant vector.
    Gauge {
        /// The expression; the mean over its series is judged.
        expression: Selection,
        /// The counter of the requests that it depends on: a pod that serves less uses less.
        load: Option<Selection>,
        /// The label that tells pods apart; where it is not given, `pod` or what else does of any series.
        #[serde(skip_serializing_if = "Option::is_none")]
        pod_label: Option<String>,
    },
    /// What a counter gains for each request: work, such as seconds of the CPU. A value of each interval,
    /// judged as a gauge.
    PerRequest {
        /// The counter of what is used.
        counter: Selection,
        /// The counter of all requests.
        total: Selection,
    },
}

impl MetricKind {
    /// Whether it is a value that goes up and down: nothing of it is counted, and its series need not
    /// be those of targets that could be split into two groups.
    pub fn is_gauge(&self) -> bool {
        match self {
            Self::Gauge { .. } | Self::PerRequest { .. } => true,
            Self::Proportion { .. } | Self::EventRate { .. } | Self::Quantile { .. } => false,
        }
    }
}

/// What events are counted against where that is not a counter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
pub enum Exposure {
    /// Hours of living targets.
    PodHours,
    /// The configured share of the traffic times seconds: makes the throughput of both
    /// populations comparable.
    TrafficShare,
}

/// Which test decides a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// Evidence over time, valid under polling.
    Sequential,
    /// Wilson intervals, valid for a single look.
    Wilson,
    /// Mann-Whitney over the intervals' averages, as Kayenta does it; valid for a single look.
    Kayenta,
}

impl Method {
    /// The name used in pipeline files and answers.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sequential => "sequential",
            Self::Wilson => "wilson",
            Self::Kayenta => "kayenta",
        }
    }

    /// Whether it gathers evidence that may be looked at after every interval, with a noise that a
    /// history tells; else it is right for a single look.
    pub fn is_valid_at_any_time(self) -> bool {
        match self {
            Self::Sequential => true,
            Self::Wilson | Self::Kayenta => false,
        }
    }
}

/// What happens when a stage reaches its longest duration undecided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
pub enum OnInconclusive {
    /// Go on holding.
    Hold,
    /// Promote: a business decision, not a statistical one.
    Promote,
    /// Roll back.
    Rollback,
}

/// What happens when the traffic is not split as the stage says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
pub enum SplitCheck {
    /// Hold.
    Hold,
    /// Warn and go on.
    Warn,
    /// Nobody looks.
    Off,
}

/// What happens when the control spans services that the canary has no part of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
pub enum PopulationCheck {
    /// Hold.
    Hold,
    /// Warn and go on.
    Warn,
    /// Nobody looks.
    Off,
}

/// How a pipeline is judged.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AnalysisSettings {
    /// Which test decides, unless a check says otherwise.
    pub method: Method,
    /// Largest accepted chance of rolling back a good canary, per rollout.
    pub false_rollback: f64,
    /// Largest accepted chance of promoting a bad canary, per stage.
    pub false_promote: f64,
    /// Confidence of the reported fixed-sample intervals.
    pub confidence: f64,
    /// Length of an interval of the grid, in seconds.
    pub interval_seconds: u32,
    /// How long samples may be late, in seconds: what is younger is not judged.
    pub lag_seconds: u32,
    /// How much of the time before a rollout tells the noise of the control, in seconds; nothing
    /// when none is read.
    pub history_seconds: Option<u32>,
    /// What happens when a stage ends undecided.
    pub on_inconclusive: OnInconclusive,
    /// The ratio that a canary must be shown to stay within before it is promoted, for relative
    /// limits; derived from the check's own ratio when absent.
    pub promote_ratio: Option<f64>,
    /// What happens when the canary does not get the share of the requests that the stage says.
    pub split_check: SplitCheck,
    /// What happens when the control spans services that the canary has no part of.
    pub population_check: PopulationCheck,
    /// What is added to the limit that a share of bad requests must be shown to stay below before a
    /// promotion: without any failure no multiple of the control could be shown.
    pub promote_offset: f64,
    /// How long a new process is not judged, in seconds; by the stage's duration when absent.
    pub warm_up_seconds: Option<u32>,
    /// How long old pods do not say what a young canary pod may differ by, of gauges, in seconds.
    pub cold_start_seconds: Option<u32>,
    /// Whether the control's pods say how much pods of one version differ.
    pub pod_spread: bool,
    /// What the method `kayenta` asks beside its test.
    #[serde(skip_serializing_if = "KayentaSettings::is_default")]
    pub kayenta: KayentaSettings,
    /// Whether the file gives the interval; else it follows the scrape when a rollout begins.
    pub is_interval_given: bool,
}

impl Default for AnalysisSettings {
    fn default() -> Self {
        Self {
            method: Method::Sequential,
            false_rollback: 0.01,
            false_promote: 0.05,
            confidence: 0.99,
            interval_seconds: 30,
            lag_seconds: 30,
            history_seconds: Some(24 * 3_600),
            on_inconclusive: OnInconclusive::Hold,
            promote_ratio: None,
            split_check: SplitCheck::Hold,
            population_check: PopulationCheck::Hold,
            promote_offset: 0.001,
            warm_up_seconds: None,
            cold_start_seconds: None,
            pod_spread: true,
            kayenta: KayentaSettings::default(),
            is_interval_given: false,
        }
    }
}

/// One step of a pipeline.
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent switches of the file, each with its own key"
)]
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Stage {
    /// How callers name the stage: its key in the file, with `.1`, `.2` for sub-stages.
    pub id: String,
    /// The name for people.
    pub name: String,
    /// The canary's share of the traffic, in percent.
    pub traffic_percent: f64,
    /// The least time that the stage lasts, in minutes.
    pub duration_minutes: f64,
    /// When `on_inconclusive` applies, in minutes after the stage's start.
    pub max_duration_minutes: f64,
    /// Whether the stage may promote as soon as every check has shown what it must.
    pub promote_early: bool,
    /// Only these regions are judged; all when empty.
    pub regions: Vec<String>,
    /// Whether a later rollback may stop at this stage's traffic.
    pub rollback_point: bool,
    /// Judge without acting, in this stage.
    pub shadow: bool,
    /// How long a new process is not judged in this stage, in seconds, where the stage says so.
    pub warm_up_seconds: Option<u32>,
    /// How long a canary is cold in this stage, in seconds, where the stage says so.
    pub cold_start_seconds: Option<u32>,
    /// What must hold.
    pub checks: Vec<Check>,
    /// Whether the checks are those of the stages before, because the stage has none.
    pub inherits_checks: bool,
}

/// One line under a stage's `metrics`, or a condition of the kill switch, resolved: what it measures,
/// what must hold of it, what decides, and what proof against it does.
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent facts, each asked by itself"
)]
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Check {
    /// The name of the metric for people. An impact has no metric of its own name in
    /// [`Pipeline::metrics`].
    pub metric: String,
    /// The condition as the file says it, for people: `error_rate < baseline * 1.1`.
    pub text: String,
    /// What is measured: the metric of that name, or the one that an impact is of.
    pub measured: Arc<Metric>,
    /// What must hold of it, in base units.
    pub limit: Limit,
    /// What must be shown to hold for a promotion: for a relative limit a wider one.
    pub promotion_limit: Limit,
    /// Whether a value on the limit keeps it.
    pub is_inclusive: bool,
    /// The test that the file asks for.
    pub asked_method: Method,
    /// The test that decides.
    pub method: Method,
    /// Whether proof against the check is told as a failure.
    pub may_fail: bool,
    /// Whether proof against the check rolls back. It depends on the file alone, so that the weights
    /// are fixed before there is data.
    pub may_roll_back: bool,
    /// Whether a promotion needs this check to have shown what it must; of `kayenta`, whether it alone makes the
    /// score 0.
    pub critical: bool,
    /// The group of Kayenta's score that it counts in, where the file says it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// The check's share of the accepted false rollbacks, relative to the other checks.
    pub weight: f64,
    /// Whether a failure only warns.
    pub warn_only: bool,
    /// How long a new process is not judged by this check, in seconds, where it says so.
    pub warm_up_seconds: Option<u32>,
    /// How long a canary is cold for this check, in seconds, where it says so.
    pub cold_start_seconds: Option<u32>,
    /// The promotion ratio that the file names for this check, or for all.
    pub promote_ratio: Option<f64>,
    /// Whether the file says `rollback: true`: a gauge's limit within 1.25 votes at its own ratio then.
    pub insists_on_rollback: bool,
    /// Whether an absolute limit is held against the canary alone, whatever the control does.
    pub ignores_control: bool,
}

impl Check {
    /// Whether it compares with the control.
    pub fn is_relative(&self) -> bool {
        self.limit.needs_control()
    }

    /// Whether it counts in a stage with this share of the traffic: at 100 % there is no control to
    /// compare with.
    pub fn counts_at(&self, traffic_percent: f64) -> bool {
        !self.is_relative() || traffic_percent < 100.0
    }

    /// Whether a promotion waits for it: for itself, or for the score that it is a part of.
    pub fn is_waited_for(&self) -> bool {
        !self.warn_only && (self.critical || self.method == Method::Kayenta)
    }

    /// Whether it is of an impact, which is measured as another metric.
    pub fn is_of_impact(&self) -> bool {
        self.metric != self.measured.name
    }

    /// Whether it can do no more than tell of a failure, or hold: then it fails on its own evidence.
    pub fn fails_alone(&self) -> bool {
        self.warn_only || (self.may_fail && !self.may_roll_back)
    }
}

/// How a metric is compared with its limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Comparison {
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
}

impl Comparison {
    /// Whether the condition holds for small values.
    pub(crate) fn wants_less(self) -> bool {
        matches!(self, Self::Less | Self::LessOrEqual)
    }
}

/// What a file says must hold of a metric. Limits are in base units. In a kill switch the condition
/// is what must *not* become true.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Condition {
    /// `metric < limit`.
    Absolute {
        /// The comparison.
        comparison: Comparison,
        /// The limit, in the metric's base unit.
        limit: f64,
    },
    /// `metric < baseline * ratio + offset`.
    Relative {
        /// The comparison.
        comparison: Comparison,
        /// Factor on the control's value.
        ratio: f64,
        /// Added to it, in the metric's base unit.
        offset: f64,
    },
    /// `metric within tolerance of baseline`: between `baseline * (1 - t)` and
    /// `baseline * (1 + t)`.
    Within {
        /// The tolerance as a fraction.
        tolerance: f64,
    },
}

/// Whether a condition must hold or must not become true.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Use {
    /// It must hold.
    Check,
    /// It must not become true.
    KillSwitch,
}

/// One mistake in a pipeline file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Diagnostic {
    /// Line, from 1.
    pub line: u32,
    /// Column, from 1.
    pub column: u32,
    /// Where in the document: `canary_pipeline.stage_2.metrics[1]`.
    pub path: String,
    /// What is wrong and what to change, one line, lower case, no full stop.
    pub message: String,
}
