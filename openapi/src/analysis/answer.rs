//! What an analysis shows: the verdict, its evidence, and what it was computed from.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::gate::Gate;
use super::reason::ReasonCode;
use crate::explained::explained_words;
use crate::number::Number;
use crate::pipeline::Method;
use crate::word::Word;

/// The answer for a stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Go on to the next stage.
    Promote,
    /// Stay here.
    Hold,
    /// Go back; final.
    Rollback,
}

/// A check's own result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Shown to be within its limit.
    Pass,
    /// Shown to be beyond its limit.
    Fail,
    /// Neither.
    Undecided,
    /// Nothing to judge.
    NoData,
}

/// How the canary's confidence interval lies to the control's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Classification {
    /// The canary is worse, without overlap.
    Regression,
    /// The canary is better, without overlap.
    Improvement,
    /// The intervals overlap.
    Neutral,
}

explained_words! {
    /// What the dispersion of a check began with.
    pub enum NoiseSource {
        /// The noise between pods of the control before the rollout.
        History = "history", "Nothing is to do.";
        /// Nothing was measured, so a variation of 60 % is believed until the rollout tells.
        Assumed = "assumed",
            "Let the source keep a day of the control's past: the first judgements then need less.";
    }
}

explained_words! {
    /// What tells how much is no evidence.
    pub enum SpreadSource {
        /// Nothing tells it: pods are taken to differ by as much.
        Assumed = "assumed", "Run more pods of the control: from five on they tell it.";
        /// Pods of the same version.
        Pods = "pods", "Nothing is to do.";
        /// Of a gauge, how much it wanders from sample to sample.
        Samples = "samples", "Wait: the more samples there are, the better the mean is known.";
        /// Of a gauge, how much the control wandered in the four hours before the rollout.
        Past = "past", "Wait, or run five pods of the control: then they tell it.";
    }
}

/// The window that was judged: whole intervals of a grid that is fixed to the clock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Window {
    /// Start of the first interval.
    pub start: DateTime<Utc>,
    /// End of the last interval.
    pub end: DateTime<Utc>,
    /// Length of an interval, in seconds.
    #[schema(example = 30)]
    pub interval_seconds: i64,
    /// Number of intervals.
    #[schema(example = 82)]
    pub intervals: usize,
    /// Intervals of which nothing is known, in the metric that has most of them.
    #[schema(example = 0)]
    pub missing: usize,
}

/// A confidence interval: lower and upper bound, in the unit of the estimate.
pub type Bounds = [Number; 2];

/// What one population showed.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, ToSchema)]
pub struct Arm {
    /// Events counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = 3)]
    pub events: Option<Number>,
    /// What they are counted against: requests, pod-hours, or share-seconds of traffic.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = 1140)]
    pub total: Option<Number>,
    /// The value, in base units: a fraction, seconds, bytes, or a bare number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = 0.00263)]
    pub estimate: Option<Number>,
    /// The confidence interval of the estimate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, value_type = Option<Vec<f64>>, min_items = 2, max_items = 2, example = json!([0.0007, 0.0094]))]
    pub interval: Option<Bounds>,
    /// The histogram bucket that holds the quantile: finer than this the data cannot tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub bracket: Option<Bracket>,
}

/// The bounds of a histogram bucket.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Bracket {
    /// Lower bound, in base units. Absent when the bucket has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = 0.1)]
    pub lower: Option<Number>,
    /// Upper bound, in base units. Absent in the last bucket, which is open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = 0.25)]
    pub upper: Option<Number>,
}

/// The canary's value divided by the control's.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Ratio {
    /// The ratio.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = 1.3)]
    pub estimate: Option<Number>,
    /// Its interval. Under the sequential method that of counts may be looked at after every
    /// interval of the window: the chance that the ratio of a steady canary is ever outside is at
    /// most 1 less `confidence`. A steady canary whose check fails has it beyond the limit; a harm
    /// that began late can be proven while the mean over the window is not. Under `wilson` and
    /// `kayenta` it is right for a single look. Absent when a bound is infinite, and for quantiles
    /// and gauges.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, value_type = Option<Vec<f64>>, min_items = 2, max_items = 2, example = json!([0.4, 4.1]))]
    pub interval: Option<Bounds>,
    /// Confidence of the interval, a fraction: of a sequential one 1 less twice the accepted false
    /// rollbacks of the stage, one for each end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = 0.99)]
    pub confidence: Option<Number>,
}

/// Wilson's intervals of both shares, by overlap. Valid for one look at the data.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Wilson {
    /// Confidence of both intervals, a fraction.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = 0.99)]
    pub confidence: Option<Number>,
    /// How they lie to each other.
    #[schema(value_type = Classification)]
    pub classification: Word<Classification>,
    /// Newcombe's interval of the difference of the shares, canary less control.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, value_type = Option<Vec<f64>>, min_items = 2, max_items = 2, example = json!([-0.0012, 0.0074]))]
    pub difference: Option<Bounds>,
}

/// What an undecided check still needs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Needs {
    /// About how many canary requests (intervals, for gauges) in all it takes to decide.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = 5200)]
    pub canary_requests: Option<Number>,
    /// When that is reached at today's traffic.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub projected_at: Option<DateTime<Utc>>,
    /// Where that is after the stage's longest duration: how many times today's traffic would let
    /// it promote a canary as good as its control. Absent when no traffic would.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = 4.8)]
    pub traffic_factor: Option<Number>,
    /// Where it is after that: the `promote_ratio` that the stage could show of such a canary.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = 3.2)]
    pub provable_ratio: Option<Number>,
}

/// What one check showed. A field that does not apply to the check is absent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a fact that a reader looks for by its name"
)]
pub struct Check {
    /// The metric's name.
    #[schema(example = "error_rate")]
    pub metric: String,
    /// The condition as the pipeline says it.
    #[schema(example = "error_rate < baseline * 1.1")]
    pub condition: String,
    /// What was shown.
    pub outcome: Outcome,
    /// The test that decided: `sequential`, `wilson` or `kayenta`.
    #[schema(value_type = Method)]
    pub method: Word<Method>,
    /// Why, as a token.
    pub reason_code: ReasonCode,
    /// Why, in one sentence.
    pub reason: String,
    /// Whether a promotion needs this check.
    pub critical: bool,
    /// Whether a failure only warns.
    pub warn_only: bool,
    /// Whether proof against the check rolls back. Not with `warn_only` or `rollback: false`, nor
    /// by default for a gauge with a tight limit.
    pub may_roll_back: bool,
    /// Whether the check counts. At 100 % traffic there is no control, and a check that needs
    /// one does not.
    pub counts: bool,
    /// The control, where the check reads it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub control: Option<Arm>,
    /// The canary.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub canary: Option<Arm>,
    /// Canary divided by control.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub ratio: Option<Ratio>,
    /// Wilson's classification, on shares of requests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub wilson: Option<Wilson>,
    /// Evidence over time, of the sequential method.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub evidence: Option<Evidence>,
    /// How many times the variance of the counts exceeds that of independent events; at least 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub dispersion: Option<Number>,
    /// What the dispersion began with: `history`, the noise between pods of the control before the
    /// rollout, or `assumed`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, value_type = Option<NoiseSource>)]
    pub dispersion_from: Option<Word<NoiseSource>>,
    /// What pods of one version differ by, where the evidence is held against that: a canary of a few pods may
    /// differ from its control by as much.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub spread: Option<Spread>,
    /// Pods of the canary that fail far more than its other pods: information, no evidence.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub standing_out: Vec<StandingOut>,
    /// What is still needed, while undecided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub needs: Option<Needs>,
    /// The ratio of canary to control that this check alone would prove broken within the stage's
    /// longest duration, at today's traffic and noise: the smallest, where more is better the
    /// largest. What lies nearer to the limit the stage cannot see. Of relative checks of counts
    /// under the sequential method.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = 2.2)]
    pub detectable_ratio: Option<Number>,
}

/// What is no evidence: what pods of one version differ by, seen between the control's pods in the hour before the
/// rollout and since; of a gauge, how well its mean is known.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Spread {
    /// What tells it. Absent in answers of before 0.2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, value_type = Option<SpreadSource>)]
    pub source: Option<Word<SpreadSource>>,
    /// Standard deviation of the logarithm of a pod's share of events: 0.2 is about 20 %. Of a gauge, that of the
    /// stage's mean against its limit.
    #[schema(example = 0.22)]
    pub sd: Number,
    /// Pods of the control that were followed. With one, `sd` of counts is assumed.
    #[schema(example = 20)]
    pub pods: usize,
    /// The time over which they were, in minutes: of a gauge in the stage.
    #[schema(example = 64)]
    pub minutes: Number,
    /// The pod that fails far more than the others, and does not count for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "web-3")]
    pub left_out: Option<String>,
}

/// A pod of the canary that fails far more than the canary's other pods: the pod or its node.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct StandingOut {
    /// The pod's name.
    #[schema(example = "web-3")]
    pub pod: String,
    /// Its events.
    #[schema(example = 7)]
    pub events: Number,
    /// Those of all of the canary's pods.
    #[schema(example = 10)]
    pub of_events: Number,
    /// How many times the share of the canary's other pods.
    #[schema(example = 11.0)]
    pub ratio: Number,
}

/// Evidence over time: it starts at 1, and the chance that it ever grows to 100 although the claim
/// is false is at most 1 %, however often one looks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Evidence {
    /// Evidence that the canary is beyond its limit.
    #[schema(example = 0.8)]
    pub rollback: Number,
    /// Where this check alone would roll back. The evidence of all checks counts together.
    #[schema(example = 101.0)]
    pub rollback_at: Number,
    /// Evidence that the canary keeps the limit of a promotion, in this stage.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = 0.6)]
    pub promote: Option<Number>,
    /// Where the check passes.
    #[schema(example = 21.0)]
    pub promote_at: Number,
}

/// The control's past: two groups of its targets, of which one played the canary. Either `absent`
/// is there, or all other fields.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, ToSchema)]
pub struct History {
    /// Start of the first interval.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub start: Option<DateTime<Utc>>,
    /// End of the last interval: a whole hour, not after the start of the window judged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub end: Option<DateTime<Utc>>,
    /// Intervals in which both groups had data, in the metric that has most of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = 2871)]
    pub intervals: Option<usize>,
    /// Targets of the control that played the canary.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = 2)]
    pub canary_targets: Option<usize>,
    /// The other targets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = 18)]
    pub control_targets: Option<usize>,
    /// The share of the traffic that those which played the canary had, a fraction.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = 0.097)]
    pub canary_share: Option<Number>,
    /// Why there is none. The noise is then assumed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "analysis.history is off")]
    pub absent: Option<String>,
}

explained_words! {
    /// What there is to know, as a stable token.
    pub enum WarningCode {
        /// The source said that its answer is not complete.
        PartialData = "partial_data",
            "Look which part of the source does not answer; the message names it.";
        /// The noise is assumed, because the source does not tell the history.
        NoHistory = "no_history",
            "Wait somewhat longer for a verdict, or let the source keep a day of the control.";
        /// A check that only warns is shown to be beyond its limit.
        CheckFailed = "check_failed",
            "Look at the check; it does not act, because it is not critical or only warns.";
        /// Without a start every answer looks at another window.
        SlidingWindow = "sliding_window",
            "Give `start`, or ask a rollout's gate, which knows when its stage began.";
        /// A method that is valid for a single look decides.
        SingleLook = "single_look",
            "Judge once, at the end of the window, or use the method `sequential`.";
        /// The source remarked something on the queries, which says nothing against its answers.
        SourceRemark = "source_remark",
            "Nothing has to be done; the remark is about how the query is written.";
        /// Series were left out of the mean of a gauge, where they are NaN, infinite or absent.
        LeftOutSeries = "left_out_series",
            "Look at the series that the message names; the mean is of all others.";
        /// Targets have other buckets than the others of their version, or the two versions have.
        OtherBuckets = "other_buckets",
            "Give all pods the same buckets; until then only bounds in common count.";
        /// Neither population has a series of the events.
        NoEventSeries = "no_event_series",
            "Look whether the selector of the events is right; when it is, nothing has failed yet.";
        /// The canary has no series of the events of a rate, where five or more were to be expected.
        CanaryEventsMissing = "canary_events_missing",
            "Look whether the new version has renamed the metric; when it has not, nothing has happened.";
        /// Every request of both populations counts as a good event, and what would tell them apart can
        /// leave nothing out.
        LeavesNothingOut = "leaves_nothing_out",
            "Correct the matcher that the message names: no HTTP status is what it would leave out.";
        /// The source did not say whether a selector that found nothing could match.
        SelectorNotChecked = "selector_not_checked",
            "Let Serinus ask `/api/v1/labels` and `/api/v1/label/../values` of the source as well.";
        /// What was counted just before a restart may be lost.
        MissedScrapes = "missed_scrapes",
            "Scrape more often than pods restart; what was lost is counted for neither side.";
        /// Values of counters fell though their process went on; what fell counts once.
        CounterFell = "counter_fell",
            "Look what rewrites the samples: a deduplication of the store, an aggregation before it.";
        /// One series was read more than once, and counts once.
        DuplicatedSeries = "duplicated_series",
            "Scrape each pod by one monitor, or narrow the matchers by the label that the message names.";
        /// There were too many series to read each: sums by target were counted.
        SummedByTarget = "summed_by_target",
            "Narrow the selector, or raise `max_series` of the source; falls of one series are not seen so.";
        /// `interval` is shorter than a scrape takes, so that many intervals see nothing.
        IntervalFinerThanScrapes = "interval_finer_than_scrapes",
            "Leave `interval` out, so that it follows the scrapes, or set it as long as one takes.";
        /// The traffic is not split as configured.
        SplitMismatch = "split_mismatch",
            "Correct the share that the router gives the canary, or `traffic_percent`.";
        /// The control spans services or places that the canary has no part of.
        PopulationsDifferInKind = "populations_differ_in_kind",
            "Look whether both populations are of one service; name it in their matchers.";
        /// The pods of one population are busier than those of the other.
        UnevenLoad = "uneven_load",
            "Compare what a request costs: `cpu_usage_per_request`, or `{counter: .., per: requests}`.";
        /// No process of the canary lives as long as a warm-up, so that they are judged from their start.
        ShortLivedProcesses = "short_lived_processes",
            "Look why its processes end: they crash, or are replaced every minute.";
        /// The whole service has spent its error budget, or nobody can tell.
        ErrorBudget = "error_budget",
            "Look at the service before more traffic is moved.";
    }
}

/// Something to know that does not decide.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Warning {
    /// A stable token.
    #[schema(value_type = WarningCode)]
    pub code: Word<WarningCode>,
    /// One sentence.
    pub message: String,
}

/// One query that was asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Query {
    /// The metric it was asked for.
    #[schema(example = "error_rate")]
    pub metric: String,
    /// The PromQL as it was sent.
    pub promql: String,
    /// Number of series answered.
    #[schema(example = 6)]
    pub series: usize,
    /// Number of samples answered.
    #[schema(example = 984)]
    pub samples: usize,
}

/// What the verdict was computed from.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct Inputs {
    /// The queries asked.
    pub queries: Vec<Query>,
    /// Names the exact data judged: the same digest gives the same answer to the byte.
    #[schema(example = "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08")]
    pub digest: String,
}

/// A stage's verdict with its evidence. Always 200, whatever the verdict.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AnalysisAnswer {
    /// The verdict: the same as `gate.verdict`.
    pub verdict: Verdict,
    /// The small object that callers read.
    pub gate: Gate,
    /// Why, as a token.
    pub reason_code: ReasonCode,
    /// How far the stage is. Never empty.
    #[schema(example = "stage 2 of 4, 41 of 240 minutes")]
    pub progress: String,
    /// The pipeline's name.
    #[schema(example = "canary_pipeline")]
    pub pipeline: String,
    /// The stage's id.
    #[schema(example = "stage_2")]
    pub stage: String,
    /// Whether the pipeline or the stage judges without acting: `verdict` is then `hold` until the
    /// stage's duration is over and `promote` from then on, and `true_verdict` tells the truth.
    pub dry_run: bool,
    /// What the verdict would be if the pipeline acted. Only when `dry_run`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub true_verdict: Option<Verdict>,
    /// The canary's share of the traffic in this stage, in percent.
    #[schema(example = 0.1)]
    pub traffic_percent: Number,
    /// The share to go back to on a rollback, in percent: that of the last stage before this one that
    /// is marked `rollback_point: true`, else 0. Of an analysis the stages before it count as passed.
    #[schema(example = 0)]
    pub rollback_to_percent: Number,
    /// The window judged.
    pub window: Window,
    /// The control's past, from which the noise between its pods was measured.
    pub history: History,
    /// Every check of the stage, then the kill switches that fired.
    pub checks: Vec<Check>,
    /// Beside the verdict.
    pub warnings: Vec<Warning>,
    /// What the verdict was computed from.
    pub inputs: Inputs,
}
