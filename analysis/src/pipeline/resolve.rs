//! From what a check says to what it means. Whoever judges, asks or foresees reads the resolved
//! [`Check`], so that each of these rules stands here and nowhere else.

use std::sync::Arc;

use super::limit::Limit;
use super::model::{
    AnalysisSettings, Better, Check, Comparison, Condition, Exposure, Method, Metric, MetricKind,
};

/// A canary shown to stay below twice its control is good enough to go on, unless the check's own
/// ratio is wider. Source: docs/design/statistics.md, "1. The question and the guarantees".
const PROMOTE_RATIO_AT_LEAST: f64 = 2.0;
const PROMOTE_RATIO_OVER_LIMIT: f64 = 1.25;
/// Where more is better a loss of a tenth beyond the limit must be excluded: halving, the mirror
/// of doubling, would be no bar at all for conversions or revenue.
const PROMOTE_SHARE_OF_LIMIT: f64 = 0.9;

/// A check as the file writes it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct WrittenCheck {
    /// The name of the metric, as it is defined.
    pub(crate) metric: String,
    /// The condition as the file says it.
    pub(crate) text: String,
    /// The condition.
    pub(crate) condition: Condition,
    /// Whether a promotion needs this check to have shown what it must, where the file says so.
    pub(crate) critical: Option<bool>,
    /// The group of Kayenta's score, where the file says it.
    pub(crate) group: Option<String>,
    /// The check's share of the accepted false rollbacks, relative to the other checks.
    pub(crate) weight: f64,
    /// Whether a failure only warns.
    pub(crate) warn_only: bool,
    /// The test that decides this check, when it is not the pipeline's.
    pub(crate) method: Option<Method>,
    /// The promotion ratio of this check, when it is not the pipeline's.
    pub(crate) promote_ratio: Option<f64>,
    /// Whether proof against this check rolls back, where the file says so.
    pub(crate) rollback: Option<bool>,
    /// How long a new process is not judged, in seconds, where the file says so.
    pub(crate) warm_up_seconds: Option<u32>,
    /// How long a canary is cold, in seconds, where the file says so.
    pub(crate) cold_start_seconds: Option<u32>,
    /// Whether an absolute limit is held against the canary alone.
    pub(crate) ignores_control: bool,
}

/// What a check's name stands for.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Subject {
    /// The metric of that name.
    Itself(Arc<Metric>),
    /// The relative loss of another metric against the control, `(control - canary) / control`.
    ImpactOf(Arc<Metric>),
}

impl WrittenCheck {
    /// A check of which nothing but the condition is said.
    pub(crate) fn new(metric: &str, text: &str, condition: Condition) -> Self {
        Self {
            metric: metric.to_owned(),
            text: text.to_owned(),
            condition,
            critical: None,
            group: None,
            weight: 1.0,
            warn_only: false,
            method: None,
            promote_ratio: None,
            rollback: None,
            warm_up_seconds: None,
            cold_start_seconds: None,
            ignores_control: false,
        }
    }

    /// The check of a stage that this means.
    pub(crate) fn resolved(self, subject: Subject, settings: &AnalysisSettings) -> Check {
        let wanted = self.promote_ratio.or(settings.promote_ratio);
        let (measured, condition) = subject.measured(self.condition);
        let limit = condition.limit();
        let asked = self.method.unwrap_or(settings.method);
        let method = deciding_method(asked, limit);
        let offset = promote_offset(method, &measured, settings);
        let may_fail = self.rollback.is_some() || is_worth_a_failure(method, &measured, limit);
        Check {
            metric: self.metric,
            text: self.text,
            limit,
            promotion_limit: promotion_limit(limit, wanted, offset),
            is_inclusive: condition.is_inclusive(),
            asked_method: asked,
            method,
            may_fail,
            may_roll_back: !self.warn_only && may_fail && self.rollback != Some(false),
            critical: self
                .critical
                .unwrap_or(!self.warn_only && is_critical_unless_said(method)),
            group: self.group,
            weight: self.weight,
            warn_only: self.warn_only,
            warm_up_seconds: self.warm_up_seconds,
            cold_start_seconds: self.cold_start_seconds,
            promote_ratio: wanted,
            insists_on_rollback: self.rollback == Some(true),
            ignores_control: self.ignores_control,
            measured,
        }
    }

    /// The condition of a kill switch that this means. It says what must not be, a check what must:
    /// `error_rate > 5%` becomes `error_rate <= 5%`, and firing is that being broken.
    pub(crate) fn resolved_kill_switch(
        mut self,
        subject: Subject,
        settings: &AnalysisSettings,
    ) -> Check {
        self.condition = self.condition.negated();
        let switch = self.resolved(subject, settings);
        Check {
            promotion_limit: switch.limit,
            ..switch
        }
    }
}

impl Subject {
    /// The metric that is read and what must hold of it: an impact becomes a limit relative to the
    /// control on the metric that it is of.
    fn measured(self, condition: Condition) -> (Arc<Metric>, Condition) {
        match (self, condition) {
            (Self::ImpactOf(metric), Condition::Absolute { comparison, limit }) => {
                let condition = impact_condition(metric.better, comparison, limit);
                (metric, condition)
            }
            (Self::Itself(metric) | Self::ImpactOf(metric), condition) => (metric, condition),
        }
    }
}

/// `(control - canary) / control < limit` is a relative limit on the metric itself.
fn impact_condition(better: Better, comparison: Comparison, limit: f64) -> Condition {
    let (comparison, ratio) = match better {
        Better::Higher => (comparison.mirrored(), 1.0 - limit),
        Better::Lower => (comparison, 1.0 + limit),
    };
    Condition::Relative {
        comparison,
        ratio,
        offset: 0.0,
    }
}

/// Kayenta's test compares two populations: absolute limits are decided on intervals.
pub(crate) fn deciding_method(asked: Method, limit: Limit) -> Method {
    match asked {
        Method::Kayenta if !limit.needs_control() => Method::Wilson,
        Method::Sequential | Method::Wilson | Method::Kayenta => asked,
    }
}

/// Whether a check is critical where the file does not say so: Kayenta's metrics are not.
/// Source: docs/design/statistics.md, "3.4 Mann-Whitney as Kayenta does it".
fn is_critical_unless_said(method: Method) -> bool {
    match method {
        Method::Sequential | Method::Wilson => true,
        Method::Kayenta => false,
    }
}

/// Whether proof against a check is worth to be told as a failure, where the file says nothing
/// about `rollback`: of a tolerance of a gauge it is not. Kayenta's test knows no such rule.
/// Source: docs/design/gauges.md, "6. Planning".
pub(crate) fn is_worth_a_failure(method: Method, measured: &Metric, limit: Limit) -> bool {
    match method {
        Method::Kayenta => true,
        Method::Sequential | Method::Wilson => match measured.kind {
            MetricKind::Gauge { .. } | MetricKind::PerRequest { .. } => {
                !matches!(limit, Limit::Within { .. })
            }
            MetricKind::Proportion { .. } | MetricKind::Quantile { .. } => true,
            // A balancer's noise alone moves the traffic by more than a few percent.
            MetricKind::EventRate { per, .. } => match per {
                Exposure::TrafficShare => !matches!(limit, Limit::Within { .. }),
                Exposure::PodHours => true,
            },
        },
    }
}

/// What the limit of a promotion is wider by, beside its ratio: of shares of bad requests, decided by
/// evidence. Source: docs/design/counts.md, "6. Compliance and veto".
fn promote_offset(method: Method, measured: &Metric, settings: &AnalysisSettings) -> f64 {
    match (&measured.kind, measured.better, method) {
        (MetricKind::Proportion { .. }, Better::Lower, Method::Sequential) => {
            settings.promote_offset
        }
        _ => 0.0,
    }
}

/// The limit that must be kept for a promotion: for a relative one a wider ratio, and at least such an
/// offset.
fn promotion_limit(limit: Limit, wanted: Option<f64>, least_offset: f64) -> Limit {
    match limit {
        Limit::AtMost {
            ratio: Some(ratio),
            offset,
        } => {
            let promoted = wanted
                .filter(|wanted| *wanted >= 1.0)
                .unwrap_or((PROMOTE_RATIO_OVER_LIMIT * ratio).max(PROMOTE_RATIO_AT_LEAST))
                .max(ratio);
            Limit::relative(true, promoted, offset.max(least_offset))
        }
        Limit::AtLeast {
            ratio: Some(ratio),
            offset,
        } => {
            // A ratio above 1 was meant for the checks where less is better.
            let promoted = wanted
                .filter(|wanted| *wanted <= 1.0)
                .unwrap_or(PROMOTE_SHARE_OF_LIMIT * ratio)
                .min(ratio);
            Limit::relative(false, promoted, offset)
        }
        Limit::AtMost { ratio: None, .. }
        | Limit::AtLeast { ratio: None, .. }
        | Limit::Within { .. } => limit,
    }
}

impl Comparison {
    /// The comparison of the negative values.
    fn mirrored(self) -> Self {
        match self {
            Self::Less => Self::Greater,
            Self::LessOrEqual => Self::GreaterOrEqual,
            Self::Greater => Self::Less,
            Self::GreaterOrEqual => Self::LessOrEqual,
        }
    }

    /// The comparison that holds when this one does not.
    fn negated(self) -> Self {
        match self {
            Self::Greater => Self::LessOrEqual,
            Self::GreaterOrEqual => Self::Less,
            Self::Less => Self::GreaterOrEqual,
            Self::LessOrEqual => Self::Greater,
        }
    }

    /// Whether a value on the limit keeps it.
    fn is_inclusive(self) -> bool {
        matches!(self, Self::LessOrEqual | Self::GreaterOrEqual)
    }
}

impl Condition {
    /// What must hold when an absolute condition must not.
    fn negated(self) -> Self {
        match self {
            Self::Absolute { comparison, limit } => Self::Absolute {
                comparison: comparison.negated(),
                limit,
            },
            other @ (Self::Relative { .. } | Self::Within { .. }) => other,
        }
    }

    pub(crate) fn limit(self) -> Limit {
        match self {
            Self::Absolute { comparison, limit } => Limit::absolute(comparison.wants_less(), limit),
            Self::Relative {
                comparison,
                ratio,
                offset,
            } => Limit::relative(comparison.wants_less(), ratio, offset),
            Self::Within { tolerance } => Limit::Within { tolerance },
        }
    }

    fn is_inclusive(self) -> bool {
        match self {
            Self::Absolute { comparison, .. } | Self::Relative { comparison, .. } => {
                comparison.is_inclusive()
            }
            Self::Within { .. } => true,
        }
    }
}
