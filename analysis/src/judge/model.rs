//! What the judge answers.

use crate::data::FaultCode;
pub use crate::interval::Classification;
use crate::interval::Interval;
use crate::pipeline::Method;
pub use crate::proof::gauge::SpreadSource;
use crate::rank::KayentaClass;

/// The answer for a stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verdict {
    /// Go on to the next stage.
    Promote,
    /// Stay here.
    Hold,
    /// Go back; final.
    Rollback,
}

impl Verdict {
    /// The name used in answers.
    pub fn name(self) -> &'static str {
        match self {
            Self::Promote => "promote",
            Self::Hold => "hold",
            Self::Rollback => "rollback",
        }
    }
}

/// A check's own result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
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

impl Outcome {
    /// The name used in answers.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::Undecided => "undecided",
            Self::NoData => "no_data",
        }
    }
}

/// A code has its token, its comment, which says what it means, and what to do about it: the document
/// and the reference pages are made of them.
macro_rules! reason_codes {
    ($($(#[doc = $meaning:literal])+ $variant:ident = ($token:literal, $advice:literal),)*) => {
        /// Why a verdict is what it is, as a stable token.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum ReasonCode { $($(#[doc = $meaning])+ $variant,)* }

        impl ReasonCode {
            /// Every code, in the order of declaration.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// The token used in answers.
            pub fn token(self) -> &'static str {
                match self { $(Self::$variant => $token,)* }
            }

            /// What it means, as lines.
            pub fn meaning(self) -> &'static [&'static str] {
                match self { $(Self::$variant => &[$($meaning),+],)* }
            }

            /// What to do about it.
            pub fn advice(self) -> &'static str {
                match self { $(Self::$variant => $advice,)* }
            }
        }
    };
}

reason_codes! {
    /// Every critical check has shown what it must.
    Passed = (
        "passed",
        "Go on to the next stage."
    ),
    /// A check is shown to be beyond its limit.
    CheckFailed = (
        "check_failed",
        "Roll back. The checks of the answer say which limit is broken, and by how much."
    ),
    /// A kill switch fired.
    KillSwitch = (
        "kill_switch",
        "Roll back at once. The answer names the kill switch."
    ),
    /// A check is neither shown to keep its limit nor to be beyond it.
    Undecided = (
        "undecided",
        "Wait: `needs` of a check says for what. Where the stage ends before, give it more traffic or \
         time, or the check a wider limit."
    ),
    /// The stage has more intervals than are kept: only its kill switches are looked at.
    StageTooOld = (
        "stage_too_old",
        "Override it or cancel the rollout; give the next one a stage of fewer intervals, or \
         `analysis.interval` a larger value."
    ),
    /// The stage's shortest duration is not over.
    WarmingUp = (
        "warming_up",
        "Wait until it is over."
    ),
    /// Not proven, but a single look says that the canary is beyond the check's own limit.
    Suspected = (
        "suspected",
        "Look at the canary before anybody promotes it. It is asked again at every interval: what chance \
         has made goes away, what is broken will be proven. A wider limit, more traffic or a longer stage \
         decide it sooner."
    ),
    /// The control breaks the same limit: the environment is to blame.
    Environment = (
        "environment",
        "Look at what both versions share, such as a dependency; the canary is judged on as soon as \
         the control keeps the limit."
    ),
    /// Relative checks only, and no control to compare with.
    NoControl = (
        "no_control",
        "Let the control have traffic in the same place, correct its matchers, or give the stage an \
         absolute check."
    ),
    /// The traffic is not split as configured.
    SplitMismatch = (
        "split_mismatch",
        "Correct the share that the router gives the canary, `traffic_percent`, or the matchers; \
         `split_check: warn` where requests do not tell the share."
    ),
    /// Series are in both populations.
    PopulationsOverlap = (
        "populations_overlap",
        "Give the populations matchers that exclude each other; the reason names a series that both \
         select."
    ),
    /// The control spans services that the canary has no part of.
    PopulationsDifferInKind = (
        "populations_differ_in_kind",
        "Name the service in the matchers of both populations; where it is meant, set \
         `analysis.population_check` to `warn` or `off`."
    ),
    /// The populations get other mixes of requests, which alone moves the result over the limit.
    OtherMix = (
        "other_mix",
        "Compare within the label that the reason names: `strata` of the metric."
    ),
    /// The whole service has spent its error budget.
    ErrorBudget = (
        "error_budget",
        "Move no more traffic until the service has recovered, or set `minimum_remaining` lower."
    ),
    /// No series, or no samples in the window.
    NoData = (
        "no_data",
        "Look whether traffic reaches the pods, then at the matchers and the selectors: the queries of \
         the answer can be asked of the Prometheus as they stand."
    ),
    /// The two versions have other buckets, without a finite bound in common.
    OtherBuckets = (
        "other_buckets",
        "Give both versions a bound in common at least, best near the quantile or the limit: the reason \
         says which each has."
    ),
    /// A selector can never match, or leaves nothing out: no series of control or canary has the name,
    /// the label, the bound or the kind of value that it asks for.
    SelectorMatchesNothing = (
        "selector_matches_nothing",
        "Correct the selector: the reason has what is there in its place. `serinus lint --prometheus` says \
         the same before a rollout begins."
    ),
    /// The canary has no series of the events where five or more were to be expected, or none with a
    /// label that every series of the control has and the events are told by.
    CanaryEventsMissing = (
        "canary_events_missing",
        "Look whether the new version has renamed the metric or the label; where it is right, or the \
         events are repaired, set `events_may_be_absent: true` on the metric."
    ),
    /// The control has no series with a label that every series of the canary has and the events are told
    /// by.
    ControlEventsMissing = (
        "control_events_missing",
        "Ask for a label that both versions have, or judge this release by an absolute limit: those go on. \
         The next release has the label in its control."
    ),
    /// The control of a relative gauge was below 0: a multiple of it has no meaning.
    BaselineNegative = (
        "baseline_negative",
        "Give the check an absolute limit; where the value is noise about 0, clamp_min(.., 0) in the expression."
    ),
    /// A counter is given as a gauge: how long a process has lived is no measure of it.
    CounterAsGauge = (
        "counter_as_gauge",
        "Give rate(..) of it, or `{counter: .., per: requests}`."
    ),
    /// More events than requests in more than a fifth of the intervals.
    EventsExceedTotal = (
        "events_exceed_total",
        "Look whether `errors` (or `events`) and `total` are swapped, or count different requests."
    ),
    /// The source said that its answer is not complete.
    PartialData = (
        "partial_data",
        "Look which part of the source does not answer."
    ),
    /// All samples are NaN or infinite; of a gauge, those of more than half of a population's series.
    NotFinite = (
        "not_finite",
        "Correct the expression: it most likely divides by 0."
    ),
    /// The values fall so often that they are no counters.
    NotACounter = (
        "not_a_counter",
        "Use a counter that only grows; of increments of each interval, or of a gauge, make a gauge \
         metric."
    ),
    /// The answer was not ready in time.
    StillCollecting = (
        "still_collecting",
        "Ask again. Where it stays so, the Prometheus is slow: give it more room, or narrow the \
         selectors."
    ),
    /// The source cannot be reached.
    SourceUnavailable = (
        "source_unavailable",
        "Look whether the Prometheus runs, and at `url` of the source in the configuration."
    ),
    /// The source did not answer in time.
    SourceSlow = (
        "source_slow",
        "Give the Prometheus more room, record heavy expressions by rules, or raise `timeout_seconds` of \
         the source."
    ),
    /// The source refused the query (4xx).
    SourceRejectedQuery = (
        "source_rejected_query",
        "Correct the expression of the metric; the reason has what the Prometheus says."
    ),
    /// The source refused the credentials (401, 403).
    SourceRefusedCredentials = (
        "source_refused_credentials",
        "Correct the credentials of the source in the configuration."
    ),
    /// The source failed (5xx).
    SourceFailed = (
        "source_failed",
        "Look at the log of the Prometheus."
    ),
    /// What answers is no Prometheus: HTML, or no JSON.
    SourceNotPrometheus = (
        "source_not_prometheus",
        "Correct `url` of the source: a login page or a proxy answers in its place."
    ),
    /// The answer broke off.
    SourceAnswerCut = (
        "source_answer_cut",
        "Look at what ends connections on the way, such as a proxy with a limit."
    ),
    /// More series than the limit.
    TooManySeries = (
        "too_many_series",
        "Narrow the selector, or raise `max_series` of the source."
    ),
    /// More bytes than the limit.
    AnswerTooLarge = (
        "answer_too_large",
        "Narrow the selector, or raise `max_bytes` of the source."
    ),
}

impl From<FaultCode> for ReasonCode {
    fn from(code: FaultCode) -> Self {
        match code {
            FaultCode::NoData | FaultCode::LabelMissing => Self::NoData,
            FaultCode::NoControl => Self::NoControl,
            FaultCode::PartialData => Self::PartialData,
            FaultCode::NotFinite => Self::NotFinite,
            FaultCode::NotACounter => Self::NotACounter,
            FaultCode::StillCollecting => Self::StillCollecting,
            FaultCode::SourceUnavailable => Self::SourceUnavailable,
            FaultCode::SourceSlow => Self::SourceSlow,
            FaultCode::SourceRejectedQuery => Self::SourceRejectedQuery,
            FaultCode::SourceRefusedCredentials => Self::SourceRefusedCredentials,
            FaultCode::SourceFailed => Self::SourceFailed,
            FaultCode::SourceNotPrometheus => Self::SourceNotPrometheus,
            FaultCode::SourceAnswerCut => Self::SourceAnswerCut,
            FaultCode::TooManySeries => Self::TooManySeries,
            FaultCode::AnswerTooLarge => Self::AnswerTooLarge,
        }
    }
}

/// What one population showed, for one check.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ArmReport {
    /// Events counted, where the metric counts any.
    pub events: Option<f64>,
    /// What they are counted against.
    pub total: Option<f64>,
    /// The value: a share, a rate, a quantile, a mean.
    pub estimate: Option<f64>,
    /// Its confidence interval.
    pub interval: Option<Interval>,
    /// The bounds of the histogram bucket that holds the quantile: what the data can resolve.
    pub bracket: Option<Interval>,
}

/// The canary's value divided by the control's.
#[derive(Debug, Clone, PartialEq)]
pub struct RatioReport {
    /// The ratio.
    pub estimate: f64,
    /// Its interval. Of counts under the sequential method it may be looked at after every
    /// interval; else it is valid for a single look.
    pub interval: Option<Interval>,
    /// Confidence of the interval.
    pub confidence: f64,
}

/// Whether the intervals of both populations overlap (docs/design/statistics.md, "3.2 Overlap"), on
/// every proportion.
#[derive(Debug, Clone, PartialEq)]
pub struct WilsonReport {
    /// Confidence of both intervals.
    pub confidence: f64,
    /// How they lie.
    pub classification: Classification,
    /// Newcombe's interval of the difference of the shares, canary less control.
    pub difference: Option<Interval>,
}

/// What an undecided check still needs.
#[derive(Debug, Clone, PartialEq)]
pub struct NeedsReport {
    /// About how many canary requests (or intervals, for gauges) in all it takes to decide.
    pub canary_total: f64,
    /// When that is reached at today's traffic, in milliseconds since 1970.
    pub projected_at_ms: Option<i64>,
    /// Where the stage's longest duration is too short: how many times the traffic would let it
    /// promote a canary as good as its control.
    pub traffic_factor: Option<f64>,
    /// Where it is too short: the promotion ratio that it could show of such a canary.
    pub provable_ratio: Option<f64>,
}

/// What one check showed.
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent facts, each with its own name in the answer"
)]
#[derive(Debug, Clone, PartialEq)]
pub struct CheckReport {
    /// The metric's name.
    pub metric: String,
    /// The condition as the file says it.
    pub condition: String,
    /// What was shown.
    pub outcome: Outcome,
    /// The test that decided.
    pub method: Method,
    /// Why, as a token.
    pub reason_code: ReasonCode,
    /// Why, in one sentence.
    pub reason: String,
    /// Whether a promotion needs this check.
    pub critical: bool,
    /// Whether a failure only warns.
    pub warn_only: bool,
    /// Whether proof against the check rolls back.
    pub may_roll_back: bool,
    /// Whether the check still counts: a relative check does not, at 100 % traffic.
    pub counts: bool,
    /// The control, where the check reads it.
    pub control: Option<ArmReport>,
    /// The canary.
    pub canary: Option<ArmReport>,
    /// Canary divided by control.
    pub ratio: Option<RatioReport>,
    /// How they were compared, where that is not as a whole: within strata, under another load.
    pub compared: Option<String>,
    /// Wilson's overlap, on proportions.
    pub wilson: Option<WilsonReport>,
    /// Evidence over time, of the sequential method.
    pub evidence: Option<EvidenceReport>,
    /// What pods of one version differ by, where the evidence is held against that.
    pub spread: Option<SpreadReport>,
    /// The canary's pods that stand out among the canary's own.
    pub standing_out: Vec<StandingOut>,
    /// What Kayenta's test says of it, where that decides and has been asked.
    pub kayenta: Option<KayentaOfCheck>,
    /// What is still needed.
    pub needs: Option<NeedsReport>,
    /// The ratio of canary to control that this check alone proves broken within the stage's
    /// longest duration at today's traffic: the smallest, where more is better the largest. Of
    /// counts under the sequential method.
    pub detectable_ratio: Option<f64>,
}

/// What Kayenta's test says of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KayentaOfCheck {
    /// Its class.
    pub class: KayentaClass,
    /// Whether the ratio of the means is at or beyond the one that makes a critical check's score 0.
    pub is_critical_effect: bool,
}

/// Evidence over time: e-values, which grow without bound as long as the claim is true.
#[derive(Debug, Clone, PartialEq)]
pub struct EvidenceReport {
    /// Evidence that the canary is beyond its limit.
    pub rollback: f64,
    /// Where this check alone would roll back. The evidence of all checks counts together.
    pub rollback_at: f64,
    /// Evidence that the canary keeps the limit of a promotion, in this stage.
    pub promote: Option<f64>,
    /// Where the check passes.
    pub promote_at: f64,
    /// How many times the variance of the counts exceeds that of independent events; at least 1.
    pub dispersion: Option<f64>,
    /// What the dispersion began with, before the rollout's own data counted.
    pub dispersion_from: Option<NoiseSource>,
}

/// What the evidence is held against beside chance: what pods of one version differ by, of a gauge how well its mean
/// is known.
#[derive(Debug, Clone, PartialEq)]
pub struct SpreadReport {
    /// What tells it.
    pub source: SpreadSource,
    /// Of counts and latency the standard deviation of the logarithm of a pod's share of events; of a gauge that of the
    /// mean of the stage against its limit, as a logarithm.
    pub sd: f64,
    /// Pods of the control that were followed. One shows nothing: then `sd` of counts is assumed.
    pub pods: usize,
    /// The time over which they were: of counts with the hour before the rollout, of a gauge in the stage.
    pub minutes: f64,
    /// The pod that fails far more than the others, and does not count for it.
    pub left_out: Option<String>,
}

/// A pod of the canary that fails far more than the canary's others.
#[derive(Debug, Clone, PartialEq)]
pub struct StandingOut {
    /// Its name.
    pub pod: String,
    /// Its events.
    pub events: f64,
    /// Those of all of the canary's pods.
    pub of_events: f64,
    /// How many times the share of the canary's others.
    pub ratio: f64,
}

/// What is believed about the noise before a rollout's own data tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum NoiseSource {
    /// It was measured between pods of the control before the rollout.
    History,
    /// A variation of 60 % is assumed.
    Assumed,
}

/// What a reader should know, as a stable token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum WarningCode {
    /// The source said that its answer is not complete.
    PartialData,
    /// The noise is assumed, because the source does not tell the history.
    NoHistory,
    /// A check that only warns is shown to be beyond its limit.
    CheckFailed,
    /// Without a start every answer looks at another window.
    SlidingWindow,
    /// A method that is valid for a single look decides.
    SingleLook,
    /// The source remarked something on the queries, which says nothing against its answers.
    SourceRemark,
    /// Series were left out of the mean of a gauge.
    LeftOutSeries,
    /// Targets or versions have other buckets than the others.
    OtherBuckets,
    /// Neither population has a series of the events.
    NoEventSeries,
    /// The canary has no series of the events of a rate, where five or more were to be expected.
    CanaryEventsMissing,
    /// Every request of both populations counts as a good event, and what would tell them apart can leave
    /// nothing out.
    LeavesNothingOut,
    /// The source did not say whether a selector that found nothing could match.
    SelectorNotChecked,
    /// What was counted just before a restart may be lost.
    MissedScrapes,
    /// Values of counters fell though their process went on.
    CounterFell,
    /// One series was read more than once, and counts once.
    DuplicatedSeries,
    /// There were too many series to read each.
    SummedByTarget,
    /// An interval is shorter than a scrape takes.
    IntervalFinerThanScrapes,
    /// The traffic is not split as configured.
    SplitMismatch,
    /// The control spans services or places that the canary has no part of.
    PopulationsDifferInKind,
    /// The pods of one population are busier than those of the other.
    UnevenLoad,
    /// No process of the canary lives as long as a warm-up, so that they are judged from their start.
    ShortLivedProcesses,
    /// The whole service has spent its error budget, or nobody can tell.
    ErrorBudget,
}

/// Something the reader should know that does not decide.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    /// A stable token.
    pub code: WarningCode,
    /// One sentence.
    pub message: String,
}

/// The judge's answer for one stage.
#[derive(Debug, Clone, PartialEq)]
pub struct StageVerdict {
    /// The verdict.
    pub verdict: Verdict,
    /// Why, as a token.
    pub reason_code: ReasonCode,
    /// Why, in one sentence of at most 300 characters.
    pub reason: String,
    /// How far the stage is: `stage 2 of 4, 41 of 240 minutes`.
    pub progress: String,
    /// The traffic share to go back to, on a rollback and before.
    pub rollback_to_percent: f64,
    /// Whole intervals judged.
    pub intervals: usize,
    /// Intervals of which nothing is known, in the metric that has most of them.
    pub missing_intervals: usize,
    /// Every check of the stage, then the kill switches that fired.
    pub checks: Vec<CheckReport>,
    /// Beside the verdict.
    pub warnings: Vec<Warning>,
}
