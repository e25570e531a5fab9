//! A check made concrete: which data it reads, and which limits must hold of it.

use crate::pipeline::Pipeline;
use crate::pipeline::{Better, Check, Comparison, Condition, Dimension, Metric, MetricKind};

use super::limit::{Limit, Scale};

/// A canary shown to stay below twice its control is good enough to go on, unless the check's
/// own ratio is wider. Source: statistics design, section 1.
const PROMOTE_RATIO_AT_LEAST: f64 = 2.0;
const PROMOTE_RATIO_OVER_LIMIT: f64 = 1.25;
/// Where more is better a loss of a tenth beyond the limit must be excluded: halving, the mirror
/// of doubling, would be no bar at all for conversions or revenue.
const PROMOTE_SHARE_OF_LIMIT: f64 = 0.9;

/// A check made concrete.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Question<'a> {
    /// What the data measures; for an impact, the metric it is the impact of.
    pub(crate) metric: &'a Metric,
    /// What must hold.
    pub(crate) condition: Condition,
    /// The ratio that must be kept for a promotion; nothing for conditions without one.
    pub(crate) promote_ratio: Option<f64>,
}

impl<'a> Question<'a> {
    /// Makes a check concrete; nothing when the pipeline does not define its metric.
    pub(crate) fn of_check(check: &Check, pipeline: &'a Pipeline) -> Option<Self> {
        let (metric, condition) = resolve(check, check.condition, pipeline)?;
        let wanted = check.promote_ratio.or(pipeline.analysis.promote_ratio);
        Some(Self {
            metric,
            condition,
            promote_ratio: promote_ratio(condition, wanted),
        })
    }

    /// Makes a kill switch concrete. It says what must not be, a question what must:
    /// `error_rate > 5%` becomes `error_rate <= 5%`, and firing is that being broken.
    pub(crate) fn of_kill_switch(switch: &Check, pipeline: &'a Pipeline) -> Option<Self> {
        let (metric, condition) = resolve(switch, negated(switch.condition), pipeline)?;
        Some(Self {
            metric,
            condition,
            promote_ratio: None,
        })
    }

    /// Whether the check compares with the control.
    pub(crate) fn is_relative(&self) -> bool {
        !matches!(self.condition, Condition::Absolute { .. })
    }

    /// Whether the limit is the control's value times a factor and nothing else.
    pub(crate) fn is_plain_ratio(&self) -> bool {
        matches!(self.condition, Condition::Relative { offset, .. } if offset.abs() <= 0.0)
    }

    /// Whether a value on the limit keeps it.
    pub(crate) fn is_inclusive(&self) -> bool {
        match self.condition {
            Condition::Absolute { comparison, .. } | Condition::Relative { comparison, .. } => {
                matches!(
                    comparison,
                    Comparison::LessOrEqual | Comparison::GreaterOrEqual
                )
            }
            Condition::Within { .. } => true,
        }
    }

    /// The unit of the metric's values.
    pub(crate) fn dimension(&self) -> Dimension {
        self.metric.dimension
    }

    /// How estimates are made of the metric's counts.
    pub(crate) fn scale(&self) -> Scale {
        match self.metric.kind {
            MetricKind::EventRate { .. } => Scale::Rate,
            _ => Scale::Share,
        }
    }

    /// The limit whose violation rolls back.
    pub(crate) fn violation(&self) -> Limit {
        self.limit(None)
    }

    /// The limit that must be kept for a promotion.
    pub(crate) fn compliance(&self) -> Limit {
        self.limit(self.promote_ratio)
    }

    fn limit(&self, ratio_instead: Option<f64>) -> Limit {
        match self.condition {
            Condition::Absolute { comparison, limit } => {
                Limit::absolute(comparison.wants_less(), limit)
            }
            Condition::Relative {
                comparison,
                ratio,
                offset,
            } => Limit::relative(
                comparison.wants_less(),
                ratio_instead.unwrap_or(ratio),
                offset,
            ),
            Condition::Within { tolerance } => Limit::Within { tolerance },
        }
    }
}

/// The metric that a check reads and what must hold of it, with impacts turned into relative
/// limits on the metric they are of.
fn resolve<'a>(
    check: &Check,
    condition: Condition,
    pipeline: &'a Pipeline,
) -> Option<(&'a Metric, Condition)> {
    let named = pipeline.metrics.get(&check.metric)?;
    let MetricKind::Impact { of } = &named.kind else {
        return Some((named, condition));
    };
    let metric = pipeline.metrics.get(of)?;
    let condition = match condition {
        Condition::Absolute { comparison, limit } => {
            impact_condition(metric.better, comparison, limit)
        }
        other => other,
    };
    Some((metric, condition))
}

/// `(control - canary) / control < limit` is a relative limit on the metric itself.
fn impact_condition(better: Better, comparison: Comparison, limit: f64) -> Condition {
    let (mirrored, ratio) = match better {
        Better::Higher => (true, 1.0 - limit),
        Better::Lower => (false, 1.0 + limit),
    };
    let comparison = match (comparison, mirrored) {
        (same, false) => same,
        (Comparison::Less, true) => Comparison::Greater,
        (Comparison::LessOrEqual, true) => Comparison::GreaterOrEqual,
        (Comparison::Greater, true) => Comparison::Less,
        (Comparison::GreaterOrEqual, true) => Comparison::LessOrEqual,
    };
    Condition::Relative {
        comparison,
        ratio,
        offset: 0.0,
    }
}

fn negated(condition: Condition) -> Condition {
    match condition {
        Condition::Absolute { comparison, limit } => {
            let comparison = match comparison {
                Comparison::Greater => Comparison::LessOrEqual,
                Comparison::GreaterOrEqual => Comparison::Less,
                Comparison::Less => Comparison::GreaterOrEqual,
                Comparison::LessOrEqual => Comparison::Greater,
            };
            Condition::Absolute { comparison, limit }
        }
        other => other,
    }
}

fn promote_ratio(condition: Condition, wanted: Option<f64>) -> Option<f64> {
    let Condition::Relative {
        comparison, ratio, ..
    } = condition
    else {
        return None;
    };
    Some(if comparison.wants_less() {
        wanted
            .filter(|wanted| *wanted >= 1.0)
            .unwrap_or((PROMOTE_RATIO_OVER_LIMIT * ratio).max(PROMOTE_RATIO_AT_LEAST))
            .max(ratio)
    } else {
        // A ratio above 1 was meant for the checks where less is better.
        wanted
            .filter(|wanted| *wanted <= 1.0)
            .unwrap_or(PROMOTE_SHARE_OF_LIMIT * ratio)
            .min(ratio)
    })
}
