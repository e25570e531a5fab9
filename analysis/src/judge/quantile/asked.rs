//! What a check asks of a quantile.

use crate::pipeline::{Check, Limit, Metric, MetricKind};
use crate::proof::{Kept, KeptBeyond, Line, QuantileLimit, SlowShare};
use crate::sequential::{AbsoluteLimit, CountLaw, Side};

/// What a check's limit says of a quantile.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Asked {
    /// Of the control's.
    Relative {
        /// The part of requests beyond the quantile.
        slow: SlowShare,
        /// What breaks it.
        limit: QuantileLimit,
    },
    /// Against numbers, in the unit of the bounds.
    Absolute {
        /// The part of requests beyond the quantile.
        slow: SlowShare,
        /// Whether a canary above the number is bad.
        wants_less: bool,
        /// What breaks it.
        limit: f64,
        /// What must be kept.
        kept: f64,
    },
}

impl Asked {
    /// What a limit says, and the one of its promotion.
    ///
    /// # Errors
    ///
    /// Says why there is nothing that could be shown.
    pub(crate) fn of(metric: &Metric, limit: Limit, promotion: Limit) -> Result<Self, String> {
        let MetricKind::Quantile { quantile, .. } = metric.kind else {
            return Err("its data is a histogram, it is not".to_owned());
        };
        let Some(slow) = SlowShare::of_quantile(quantile) else {
            return Err(format!("{quantile} is no quantile between 0 and 1"));
        };
        let number = |wants_less: bool, limit: f64| {
            let kept = promotion.absolute_value().unwrap_or(limit);
            Self::Absolute {
                slow,
                wants_less,
                limit,
                kept,
            }
        };
        match limit {
            Limit::AtMost {
                ratio: None,
                offset,
            } => Ok(number(true, offset)),
            Limit::AtLeast {
                ratio: None,
                offset,
            } => Ok(number(false, offset)),
            Limit::AtMost {
                ratio: Some(ratio),
                offset,
            } => Ok(Self::Relative {
                slow,
                limit: QuantileLimit { ratio, offset },
            }),
            Limit::AtLeast { ratio: Some(_), .. } | Limit::Within { .. } => {
                Err("a quantile can be compared with the baseline by < or <= only".to_owned())
            }
        }
    }

    /// What a check says.
    ///
    /// # Errors
    ///
    /// As [`Self::of`].
    pub(crate) fn of_check(check: &Check) -> Result<Self, String> {
        Self::of(&check.measured, check.limit, check.promotion_limit)
    }

    /// The part of requests beyond the quantile.
    pub(crate) fn slow(self) -> SlowShare {
        match self {
            Self::Relative { slow, .. } | Self::Absolute { slow, .. } => slow,
        }
    }

    /// What evidence is for.
    pub(crate) fn line(self, has_control: bool) -> Option<Line> {
        match self {
            Self::Relative { slow, .. } => Some(Line::Quantile(slow)),
            Self::Absolute {
                slow, wants_less, ..
            } => {
                let bad = if wants_less { Side::Above } else { Side::Below };
                let limit = AbsoluteLimit::new(slow.value(), bad, CountLaw::Bernoulli);
                limit
                    .ok()
                    .map(|limit| Line::Absolute { limit, has_control })
            }
        }
    }

    /// What a promotion must show.
    pub(crate) fn kept(self) -> Option<Kept> {
        match self {
            Self::Relative { slow, .. } => Some(Kept::Quantile(slow)),
            Self::Absolute {
                slow, wants_less, ..
            } => {
                let good = if wants_less { Side::Below } else { Side::Above };
                let limit = AbsoluteLimit::new(slow.value(), good, CountLaw::Bernoulli);
                limit.ok().map(Kept::Absolute)
            }
        }
    }

    /// What a kill switch looks at, which reads nothing between two bounds: the next one beyond a number. Nothing
    /// where there is none.
    pub(crate) fn at_the_next_bound(self, bounds: &[f64]) -> Option<Self> {
        let Self::Absolute {
            slow,
            wants_less,
            limit,
            ..
        } = self
        else {
            return Some(self);
        };
        let next = if wants_less {
            bounds.iter().find(|bound| **bound >= limit)
        } else {
            bounds.iter().rev().find(|bound| **bound <= limit)
        };
        next.map(|next| Self::Absolute {
            slow,
            wants_less,
            limit: *next,
            kept: *next,
        })
    }

    /// The limit on the shares of slow requests that a single look asks.
    pub(crate) fn of_shares(self) -> Limit {
        match self {
            Self::Relative { .. } => Limit::relative(true, 1.0, 0.0),
            Self::Absolute {
                slow, wants_less, ..
            } => Limit::absolute(wants_less, slow.value()),
        }
    }
}

/// What the promotion of a check must show of a quantile beside the control's; nothing of one against a number.
pub(crate) fn kept_beyond(check: &Check) -> Option<KeptBeyond> {
    match (check.limit, check.promotion_limit) {
        (
            Limit::AtMost {
                ratio: Some(ratio),
                offset,
            },
            Limit::AtMost {
                ratio: promoted,
                offset: added,
            },
        ) => Some(match promoted {
            Some(promoted) => QuantileLimit {
                ratio: promoted,
                offset: added,
            },
            None => QuantileLimit { ratio, offset },
        }),
        _ => None,
    }
}
