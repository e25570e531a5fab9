//! What a check asks of two populations' counts, and whether a single look at them shows it.
//!
//! Every condition of a pipeline becomes a [`Limit`] on the canary's share (or rate) in terms of
//! the control's: `canary <= ratio * control + offset`. A limit is decided by whether the intervals
//! of both populations overlap after the control's is moved by the limit:
//! docs/design/statistics.md, "3.2 Overlap".
//!
//! Wilson's lower bound is too high for one to three events: one failure in the first 90
//! requests would break a limit of 0.1 %, which happens to every twentieth canary that is twice as
//! good as that. A violation therefore also needs an exact binomial tail as small as the
//! confidence promises.

use crate::interval::{Confidence, Count, Interval, poisson_rate_interval, wilson_interval};
use crate::pipeline::{Dimension, Limit, Metric, MetricKind};
use crate::sequential::CountLaw;
use crate::series::{ArmCount, Populations};
use crate::special::regularized_beta;
use crate::text;

/// How an estimate is made of events and exposure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scale {
    /// Events are a part of the exposure: a proportion in `[0, 1]`.
    Share,
    /// Events against time or the like: a rate without upper bound.
    Rate,
}

impl Scale {
    /// How estimates are made of the counts of a metric.
    pub(crate) fn of(metric: &Metric) -> Self {
        match metric.kind {
            MetricKind::EventRate { .. } => Self::Rate,
            MetricKind::Proportion { .. }
            | MetricKind::Quantile { .. }
            | MetricKind::Gauge { .. }
            | MetricKind::PerRequest { .. } => Self::Share,
        }
    }

    /// The law of the counts.
    pub(crate) fn law(self) -> CountLaw {
        match self {
            Self::Share => CountLaw::Bernoulli,
            Self::Rate => CountLaw::Poisson,
        }
    }

    /// The two-sided interval of one population, or nothing when it has no exposure, or more
    /// events than requests.
    pub(crate) fn interval(self, arm: ArmCount, confidence: Confidence) -> Option<Interval> {
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

    /// The probability of at least as many events when the truth is `value`; for rates nothing,
    /// because their intervals are exact already.
    fn tail_at_least(self, arm: ArmCount, value: f64) -> Option<f64> {
        if self == Self::Rate || arm.events <= 0.0 {
            return None;
        }
        let value = value.clamp(0.0, 1.0);
        // P(X >= x) = I_p(x, n - x + 1)
        let others = arm.exposure - arm.events + 1.0;
        regularized_beta(arm.events, others, value, 1.0 - value)
            .ok()
            .map(|tails| tails.lower)
    }

    /// The probability of at most as many events when the truth is `value`; for rates nothing.
    fn tail_at_most(self, arm: ArmCount, value: f64) -> Option<f64> {
        if self == Self::Rate || arm.events >= arm.exposure {
            return None;
        }
        let value = value.clamp(0.0, 1.0);
        // P(X <= x) = I_(1-p)(n - x, x + 1)
        let others = arm.exposure - arm.events;
        regularized_beta(others, arm.events + 1.0, 1.0 - value, value)
            .ok()
            .map(|tails| tails.lower)
    }
}

/// `2 x control + 0.1 %`: a multiple of the control, with what is added.
pub(crate) fn times_control(ratio: f64, offset: f64, dimension: Dimension) -> String {
    let added = match offset {
        offset if offset > 0.0 => format!(" + {}", text::value(offset, dimension)),
        offset if offset < 0.0 => format!(" - {}", text::value(-offset, dimension)),
        _ => String::new(),
    };
    format!("{} x control{added}", text::digits(ratio))
}

/// The point estimate of one population.
pub(crate) fn estimate(arm: ArmCount) -> Option<f64> {
    (arm.exposure > 0.0).then(|| arm.events / arm.exposure)
}

impl Limit {
    /// Whether one look at the counts shows that the canary is beyond the limit. Not without the
    /// populations that it needs.
    pub(crate) fn is_violated(
        self,
        scale: Scale,
        totals: Populations<ArmCount>,
        confidence: Confidence,
    ) -> bool {
        let Some(canary) = scale.interval(totals.canary, confidence) else {
            return false;
        };
        let control = scale.interval(totals.control, confidence);
        let is_small = |tail: Option<f64>| tail.is_none_or(|tail| tail <= confidence.tail());
        match self {
            Self::AtMost { ratio, offset } => moved(ratio, offset, control, Interval::upper)
                .is_some_and(|limit| {
                    canary.lower() > limit && is_small(scale.tail_at_least(totals.canary, limit))
                }),
            Self::AtLeast { ratio, offset } => moved(ratio, offset, control, Interval::lower)
                .is_some_and(|limit| {
                    canary.upper() < limit && is_small(scale.tail_at_most(totals.canary, limit))
                }),
            Self::Within { tolerance } => Self::sides_of(tolerance)
                .into_iter()
                .any(|side| side.is_violated(scale, totals, confidence)),
        }
    }

    /// Whether one look at the counts shows that the canary keeps the limit.
    pub(crate) fn is_kept(
        self,
        scale: Scale,
        totals: Populations<ArmCount>,
        confidence: Confidence,
    ) -> bool {
        let Some(canary) = scale.interval(totals.canary, confidence) else {
            return false;
        };
        let control = scale.interval(totals.control, confidence);
        match self {
            Self::AtMost { ratio, offset } => moved(ratio, offset, control, Interval::lower)
                .is_some_and(|limit| canary.upper() < limit),
            Self::AtLeast { ratio, offset } => moved(ratio, offset, control, Interval::upper)
                .is_some_and(|limit| canary.lower() > limit),
            Self::Within { tolerance } => Self::sides_of(tolerance)
                .into_iter()
                .all(|side| side.is_kept(scale, totals, confidence)),
        }
    }
}

/// `ratio * control + offset` at one end of the control's interval. Nothing when the ratio asks
/// for a control and there is none.
fn moved(
    ratio: Option<f64>,
    offset: f64,
    control: Option<Interval>,
    end: fn(Interval) -> f64,
) -> Option<f64> {
    match ratio {
        None => Some(offset),
        Some(ratio) => control.map(|interval| ratio * end(interval) + offset),
    }
}

/// A limit and the counts that it is held against.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Claim {
    /// The limit.
    pub(crate) limit: Limit,
    /// What both populations did.
    pub(crate) totals: Populations<ArmCount>,
}

/// What must be shown for a check: one claim whose violation rolls back, another (usually
/// wider) that must be kept for a promotion. Either may be impossible to state with the data,
/// such as a latency limit beyond the last bucket.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Claims {
    /// How estimates are made.
    pub(crate) scale: Scale,
    /// Rolls back when violated.
    pub(crate) violation: Option<Claim>,
    /// Promotes when kept.
    pub(crate) compliance: Option<Claim>,
}

/// The claims of a check that the sequential method decides, for planning: evidence for a rollback
/// is the mean over the claims, and for a promotion every one must be kept. Empty where nothing
/// can be planned.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Plannable {
    /// Rolls back when violated.
    pub(crate) violation: Vec<Claim>,
    /// Promotes when all are kept.
    pub(crate) compliance: Vec<Claim>,
}

impl From<&Claims> for Plannable {
    fn from(claims: &Claims) -> Self {
        Self {
            violation: claims.violation.into_iter().collect(),
            compliance: claims.compliance.into_iter().collect(),
        }
    }
}

/// How sure the judge must be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Levels {
    /// Of a violation: the confidence after its share for the other checks of the stage.
    pub(crate) violation: Confidence,
    /// Of compliance, of the environment's fault, and of the intervals that are reported.
    pub(crate) compliance: Confidence,
}

/// What the data shows of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shown {
    /// Beyond the limit.
    Violated,
    /// Beyond the limit, and so is the control: the environment is to blame.
    BothViolated,
    /// Within the limit.
    Kept,
    /// Not decided, but the control is beyond the limit.
    ControlViolated,
    /// Neither.
    Open,
}

impl Shown {
    /// Puts together what was found of both populations. A canary that keeps its limit while the
    /// control does not may be the very fix of it: it passes.
    pub(crate) fn of(is_violated: bool, is_control_violated: bool, is_kept: bool) -> Self {
        match (is_violated, is_control_violated, is_kept) {
            (true, false, _) => Self::Violated,
            (true, true, _) => Self::BothViolated,
            (false, _, true) => Self::Kept,
            (false, true, false) => Self::ControlViolated,
            (false, false, false) => Self::Open,
        }
    }
}

impl Claims {
    /// Decides the claims in a single look.
    pub(crate) fn shown(&self, levels: Levels) -> Shown {
        let violated = |totals, confidence| {
            self.violation
                .is_some_and(|claim| claim.limit.is_violated(self.scale, totals, confidence))
        };
        let is_absolute = self
            .violation
            .is_some_and(|claim| !claim.limit.needs_control());
        let totals = self.violation.map(|claim| claim.totals).unwrap_or_default();
        let control_alone = Populations {
            canary: totals.control,
            control: ArmCount::default(),
        };
        let is_kept = self.compliance.is_some_and(|claim| {
            claim
                .limit
                .is_kept(self.scale, claim.totals, levels.compliance)
        });
        Shown::of(
            violated(totals, levels.violation),
            is_absolute && violated(control_alone, levels.compliance),
            is_kept,
        )
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
    pub(crate) fn factor_to_decide(&self, levels: Levels) -> Option<f64> {
        const LARGEST_FACTOR: f64 = 1e6;
        const STEPS: u32 = 40;
        let is_decided = |factor: f64| self.scaled(factor).shown(levels) != Shown::Open;
        if !is_decided(LARGEST_FACTOR) {
            return None;
        }
        let (mut open, mut enough) = (0.0, libm::log(LARGEST_FACTOR));
        for _ in 0..STEPS {
            let middle = f64::midpoint(open, enough);
            if is_decided(libm::exp(middle)) {
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

    const LEVELS: (f64, f64) = (0.99, 0.99);

    fn levels() -> Levels {
        let (violation, compliance) = LEVELS;
        Levels {
            violation: Confidence::new(violation).unwrap(),
            compliance: Confidence::new(compliance).unwrap(),
        }
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

    #[test]
    fn an_absolute_limit_is_kept_below_violated_above_and_open_between() {
        let limit = Limit::absolute(true, 0.001);
        let at = |events: f64| {
            let counts = totals((10.0, 100_000.0), (events, 100_000.0));
            claims(limit, limit, counts).shown(levels())
        };
        assert_eq!(at(40.0), Shown::Kept);
        assert_eq!(at(100.0), Shown::Open);
        assert_eq!(at(200.0), Shown::Violated);
    }

    #[test]
    fn one_failure_among_few_requests_violates_nothing() {
        // Wilson's lower bound alone would say so for every n up to 150.
        let limit = Limit::absolute(true, 0.001);
        for requests in [2.0, 10.0, 50.0, 90.0] {
            let counts = totals((10.0, 100_000.0), (1.0, requests));
            let shown = claims(limit, limit, counts).shown(levels());
            let exact = 1.0 - libm::pow(0.999, requests);
            assert_eq!(
                shown == Shown::Violated,
                exact <= 0.005,
                "{requests} requests"
            );
        }
    }

    #[test]
    fn the_environment_is_to_blame_when_the_control_breaks_the_limit_and_the_canary_does_not_keep_it()
     {
        let limit = Limit::absolute(true, 0.001);
        let at = |events: f64| {
            let counts = totals((2_000.0, 100_000.0), (events, 100_000.0));
            claims(limit, limit, counts).shown(levels())
        };
        assert_eq!(at(2_000.0), Shown::BothViolated);
        assert_eq!(at(100.0), Shown::ControlViolated);
        assert_eq!(at(10.0), Shown::Kept, "a canary may be the fix");
    }

    #[test]
    fn a_relative_limit_is_the_overlap_of_the_seed() {
        // vectors: control 100 of 100,000 and canary 10 of 1,000 is a regression, 1 is not
        let (violation, compliance) = (
            Limit::relative(true, 1.0, 0.0),
            Limit::relative(true, 2.0, 0.0),
        );
        let at = |events: f64| {
            let counts = totals((100.0, 100_000.0), (events, 1_000.0));
            claims(violation, compliance, counts).shown(levels())
        };
        assert_eq!(at(10.0), Shown::Violated);
        assert_eq!(at(1.0), Shown::Open);
    }

    #[test]
    fn a_relative_limit_without_a_control_stays_open() {
        let limit = Limit::relative(true, 1.1, 0.0);
        let without = totals((0.0, 0.0), (500.0, 1_000.0));
        assert_eq!(claims(limit, limit, without).shown(levels()), Shown::Open);
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
            .shown(levels())
        };
        assert_eq!(at(1_000_000.0), Shown::Kept);
        assert_eq!(at(900_000.0), Shown::Violated);
        assert_eq!(at(1_100_000.0), Shown::Violated);
        assert_eq!(at(951_000.0), Shown::Open);
    }

    #[test]
    fn the_factor_to_decide_is_enough_and_not_much_more_than_enough() {
        let limit = Limit::absolute(true, 0.001);
        let open = claims(limit, limit, totals((0.0, 0.0), (0.0, 1_000.0)));
        let factor = open.factor_to_decide(levels()).unwrap();
        assert_eq!(open.scaled(factor).shown(levels()), Shown::Kept);
        assert_eq!(open.scaled(factor * 0.999).shown(levels()), Shown::Open);
        let on_the_limit = claims(limit, limit, totals((0.0, 0.0), (1.0, 1_000.0)));
        assert_eq!(on_the_limit.factor_to_decide(levels()), None);
    }
}
