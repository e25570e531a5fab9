//! What a check asks of two populations' counts, and whether their intervals show it.
//!
//! Every condition of a pipeline becomes a [`Limit`] on the canary's share (or rate) in terms of
//! the control's: `canary <= ratio * control + offset`. An absolute limit is one with ratio 0.
//! A limit is decided by whether the intervals of both populations overlap after the control's
//! is moved by the limit: the seed's `canary_statistical_analysis`, with its implicit ratio of 1
//! made a parameter.

use crate::interval::{Confidence, Count, Interval, poisson_rate_interval, wilson_interval};
use crate::series::{ArmCount, Populations};

/// How an estimate is made of events and exposure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scale {
    /// Events are a part of the exposure: a proportion in `[0, 1]`.
    Share,
    /// Events against time or the like: a rate without upper bound.
    Rate,
}

impl Scale {
    /// The two-sided interval of one population, or nothing when it has no exposure, or more
    /// events than requests.
    pub(super) fn interval(self, arm: ArmCount, confidence: Confidence) -> Option<Interval> {
        if arm.exposure <= 0.0 {
            return None;
        }
        match self {
            Self::Share => {
                let count = Count::new(arm.events, arm.exposure).ok()?;
                Some(wilson_interval(count, confidence))
            }
            Self::Rate => poisson_rate_interval(arm.events, arm.exposure, confidence)
                .map(|estimate| estimate.interval),
        }
    }
}

/// The point estimate of one population.
pub(super) fn estimate(arm: ArmCount) -> Option<f64> {
    (arm.exposure > 0.0).then(|| arm.events / arm.exposure)
}

/// What the canary may be, in terms of the control.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Limit {
    /// `canary <= ratio * control + offset`.
    AtMost {
        /// Factor on the control's value; 0 for an absolute limit.
        ratio: f64,
        /// Added to it.
        offset: f64,
    },
    /// `canary >= ratio * control + offset`.
    AtLeast {
        /// Factor on the control's value; 0 for an absolute limit.
        ratio: f64,
        /// Added to it.
        offset: f64,
    },
    /// Both `AtMost` and `AtLeast` with ratios `1 + tolerance` and `1 - tolerance`.
    Within {
        /// The tolerance as a fraction.
        tolerance: f64,
    },
}

impl Limit {
    /// Returns an absolute limit.
    pub(super) fn absolute(wants_less: bool, limit: f64) -> Self {
        Self::relative(wants_less, 0.0, limit)
    }

    /// Returns a limit relative to the control.
    pub(super) fn relative(wants_less: bool, ratio: f64, offset: f64) -> Self {
        if wants_less {
            Self::AtMost { ratio, offset }
        } else {
            Self::AtLeast { ratio, offset }
        }
    }

    /// Whether the limit needs a control to compare with.
    pub(super) fn needs_control(self) -> bool {
        match self {
            // Zero is written as a literal for absolute limits, never computed.
            Self::AtMost { ratio, .. } | Self::AtLeast { ratio, .. } => ratio != 0.0,
            Self::Within { .. } => true,
        }
    }

    /// Whether the intervals show that the canary is beyond the limit.
    pub(super) fn is_violated(self, intervals: Populations<Option<Interval>>) -> Option<bool> {
        let canary = intervals.canary?;
        Some(match self {
            Self::AtMost { ratio, offset } => {
                canary.lower() > moved(ratio, offset, intervals.control, Interval::upper)?
            }
            Self::AtLeast { ratio, offset } => {
                canary.upper() < moved(ratio, offset, intervals.control, Interval::lower)?
            }
            Self::Within { tolerance } => {
                let (upper, lower) = two_sided(tolerance);
                upper.is_violated(intervals)? || lower.is_violated(intervals)?
            }
        })
    }

    /// Whether the intervals show that the canary keeps the limit.
    pub(super) fn is_kept(self, intervals: Populations<Option<Interval>>) -> Option<bool> {
        let canary = intervals.canary?;
        Some(match self {
            Self::AtMost { ratio, offset } => {
                canary.upper() < moved(ratio, offset, intervals.control, Interval::lower)?
            }
            Self::AtLeast { ratio, offset } => {
                canary.lower() > moved(ratio, offset, intervals.control, Interval::upper)?
            }
            Self::Within { tolerance } => {
                let (upper, lower) = two_sided(tolerance);
                upper.is_kept(intervals)? && lower.is_kept(intervals)?
            }
        })
    }
}

fn two_sided(tolerance: f64) -> (Limit, Limit) {
    (
        Limit::AtMost {
            ratio: 1.0 + tolerance,
            offset: 0.0,
        },
        Limit::AtLeast {
            ratio: 1.0 - tolerance,
            offset: 0.0,
        },
    )
}

/// `ratio * control + offset` at one end of the control's interval. Nothing when the ratio asks
/// for a control and there is none.
fn moved(
    ratio: f64,
    offset: f64,
    control: Option<Interval>,
    end: fn(Interval) -> f64,
) -> Option<f64> {
    if ratio == 0.0 {
        return Some(offset);
    }
    control.map(|interval| ratio * end(interval) + offset)
}

/// A limit and the counts that it is held against.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Claim {
    /// The limit.
    pub(super) limit: Limit,
    /// What both populations did.
    pub(super) totals: Populations<ArmCount>,
}

/// What must be shown for a check: one claim whose violation rolls back, another (usually
/// wider) that must be kept for a promotion. Either may be impossible to state with the data,
/// such as a latency limit beyond the last bucket.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Claims {
    /// How estimates are made.
    pub(super) scale: Scale,
    /// Rolls back when violated.
    pub(super) violation: Option<Claim>,
    /// Promotes when kept.
    pub(super) compliance: Option<Claim>,
}

/// What the data shows of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shown {
    /// Beyond the limit.
    Violated,
    /// Beyond the limit, and so is the control: the environment is to blame.
    BothViolated,
    /// Within the limit.
    Kept,
    /// Neither.
    Open,
}

impl Claims {
    /// Decides the claims at two confidences: that of a violation, which is shared by all checks
    /// of a stage, and that of compliance, which is not, because a promotion needs every check.
    pub(super) fn shown(&self, violation: Confidence, compliance: Confidence) -> Shown {
        let intervals = |claim: &Claim, confidence| {
            claim.totals.map(|arm| self.scale.interval(arm, confidence))
        };
        if let Some(claim) = &self.violation {
            let both = intervals(claim, violation);
            if !claim.limit.needs_control() {
                let control = Populations {
                    control: None,
                    canary: both.control,
                };
                if claim.limit.is_violated(control) == Some(true) {
                    return Shown::BothViolated;
                }
            }
            if claim.limit.is_violated(both) == Some(true) {
                return Shown::Violated;
            }
        }
        if let Some(claim) = &self.compliance
            && claim.limit.is_kept(intervals(claim, compliance)) == Some(true)
        {
            return Shown::Kept;
        }
        Shown::Open
    }

    /// The same claims when `factor` times as much had been seen at the same shares.
    fn scaled(&self, factor: f64) -> Self {
        let scale = |claim: Option<Claim>| {
            claim.map(|claim| Claim {
                totals: claim.totals.map(|arm| ArmCount {
                    events: arm.events * factor,
                    exposure: arm.exposure * factor,
                }),
                ..claim
            })
        };
        Self {
            scale: self.scale,
            violation: scale(self.violation),
            compliance: scale(self.compliance),
        }
    }

    /// How many times as much data it takes until the claims are decided, if the shares stay as
    /// they are: bisection over the factor, on a logarithmic scale. Nothing when even a million
    /// times as much would not do, because the value lies too near to its limit.
    pub(super) fn factor_to_decide(
        &self,
        violation: Confidence,
        compliance: Confidence,
    ) -> Option<f64> {
        const LARGEST_FACTOR: f64 = 1e6;
        const STEPS: u32 = 40;
        let decided = |factor: f64| self.scaled(factor).shown(violation, compliance) != Shown::Open;
        if !decided(LARGEST_FACTOR) {
            return None;
        }
        let (mut open, mut enough) = (0.0, libm::log(LARGEST_FACTOR));
        for _ in 0..STEPS {
            let middle = f64::midpoint(open, enough);
            if decided(libm::exp(middle)) {
                enough = middle;
            } else {
                open = middle;
            }
        }
        Some(libm::exp(enough))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn confidence(value: f64) -> Confidence {
        Confidence::new(value).unwrap()
    }

    fn totals(control: (f64, f64), canary: (f64, f64)) -> Populations<ArmCount> {
        Populations { control, canary }.map(|(events, exposure)| ArmCount { events, exposure })
    }

    fn claims(violation: Limit, compliance: Limit, totals: Populations<ArmCount>) -> Claims {
        Claims {
            scale: Scale::Share,
            violation: Some(Claim {
                limit: violation,
                totals,
            }),
            compliance: Some(Claim {
                limit: compliance,
                totals,
            }),
        }
    }

    fn shown(claims: &Claims) -> Shown {
        claims.shown(confidence(0.99), confidence(0.99))
    }

    #[test]
    fn an_absolute_limit_is_kept_below_violated_above_and_open_between() {
        let limit = Limit::absolute(true, 0.001);
        let at = |events: f64| {
            shown(&claims(
                limit,
                limit,
                totals((10.0, 100_000.0), (events, 100_000.0)),
            ))
        };
        assert_eq!(at(40.0), Shown::Kept);
        assert_eq!(at(100.0), Shown::Open);
        assert_eq!(at(200.0), Shown::Violated);
    }

    #[test]
    fn an_absolute_limit_that_the_control_breaks_too_blames_the_environment() {
        let limit = Limit::absolute(true, 0.001);
        let both = totals((2_000.0, 100_000.0), (2_000.0, 100_000.0));
        assert_eq!(shown(&claims(limit, limit, both)), Shown::BothViolated);
    }

    #[test]
    fn a_relative_limit_is_the_overlap_of_the_seed() {
        // vectors: control 100 of 100,000 and canary 10 of 1,000 is a regression, 1 is not
        let (violation, compliance) = (
            Limit::relative(true, 1.0, 0.0),
            Limit::relative(true, 2.0, 0.0),
        );
        let at = |events: f64| {
            shown(&claims(
                violation,
                compliance,
                totals((100.0, 100_000.0), (events, 1_000.0)),
            ))
        };
        assert_eq!(at(10.0), Shown::Violated);
        assert_eq!(at(1.0), Shown::Open);
    }

    #[test]
    fn a_relative_limit_without_a_control_stays_open() {
        let limit = Limit::relative(true, 1.1, 0.0);
        let without = totals((0.0, 0.0), (500.0, 1_000.0));
        assert_eq!(shown(&claims(limit, limit, without)), Shown::Open);
    }

    #[test]
    fn a_two_sided_limit_is_violated_on_either_side() {
        let limit = Limit::Within { tolerance: 0.05 };
        let at = |events: f64| {
            let counts = totals((1_000_000.0, 100.0), (events, 100.0));
            Claims {
                scale: Scale::Rate,
                ..claims(limit, limit, counts)
            }
        };
        assert_eq!(shown(&at(1_000_000.0)), Shown::Kept);
        assert_eq!(shown(&at(900_000.0)), Shown::Violated);
        assert_eq!(shown(&at(1_100_000.0)), Shown::Violated);
        assert_eq!(shown(&at(951_000.0)), Shown::Open);
    }

    #[test]
    fn the_factor_to_decide_is_enough_and_not_much_more_than_enough() {
        let limit = Limit::absolute(true, 0.001);
        let open = claims(limit, limit, totals((0.0, 0.0), (0.0, 1_000.0)));
        let (high, level) = (confidence(0.99), confidence(0.99));
        let factor = open.factor_to_decide(high, level).unwrap();
        assert_eq!(open.scaled(factor).shown(high, level), Shown::Kept);
        assert_eq!(open.scaled(factor * 0.999).shown(high, level), Shown::Open);
        let on_the_limit = claims(limit, limit, totals((0.0, 0.0), (1.0, 1_000.0)));
        assert_eq!(on_the_limit.factor_to_decide(high, level), None);
    }
}
