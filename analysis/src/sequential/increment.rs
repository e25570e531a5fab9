//! What one interval adds to the logarithm of the evidence.

use super::counts::{IntervalCounts, is_comparable, is_usable};
use super::limit::{AbsoluteLimit, CountLaw, RelativeLimit, Side};
use crate::series::ArmCount;

/// An effect size and its logarithm.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Effect {
    size: f64,
    log_size: f64,
}

impl Effect {
    pub(crate) fn new(size: f64) -> Self {
        Self {
            size,
            log_size: libm::log(size),
        }
    }

    /// The increment for this effect; see [`relative_increment`].
    pub(crate) fn increment(&self, counts: &Comparison) -> f64 {
        let both = counts.canary_events + counts.control_events;
        let growth = if both > 0.0 || counts.offset_events.abs() > 0.0 {
            libm::log1p((self.size - 1.0) * counts.share)
        } else {
            return 0.0;
        };
        let (events, offset_factor) = match counts.side {
            Side::Above => (counts.canary_events, -1.0),
            Side::Below => (counts.control_events, 1.0),
        };
        let ratio_part = events * self.log_size - both * growth;
        if counts.offset_events.abs() <= 0.0 {
            return ratio_part;
        }
        let offset_part = match counts.side {
            Side::Above => self.size * libm::exp(-growth) - 1.0,
            Side::Below => -libm::expm1(-growth),
        };
        ratio_part + offset_factor * offset_part * counts.offset_events
    }
}

/// An interval as the formula needs it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Comparison {
    side: Side,
    canary_events: f64,
    control_events: f64,
    /// `phi_r` above, `psi` below: the expected share of the events on the line.
    share: f64,
    /// `offset * canary exposure`.
    offset_events: f64,
}

impl Comparison {
    /// Nothing where the two populations cannot be compared.
    pub(crate) fn new(counts: &IntervalCounts, limit: &RelativeLimit) -> Option<Self> {
        if !is_comparable(counts) {
            return None;
        }
        let weighted = limit.ratio() * counts.canary.exposure;
        let both = weighted + counts.control.exposure;
        Some(Self {
            side: limit.side(),
            canary_events: counts.canary.events,
            control_events: counts.control.events,
            share: match limit.side() {
                Side::Above => weighted / both,
                Side::Below => counts.control.exposure / both,
            },
            offset_events: limit.offset() * counts.canary.exposure,
        })
    }
}

/// Returns what one interval adds to `ln E` for the effect size `effect` (`rho > 1`).
///
/// With events `x` and exposure `n` of the canary, `y` and `m` of the control, the line
/// `r * control + delta`:
///
/// above: `phi = r n / (r n + m)`, `g = ln(1 + (rho - 1) phi)`,
/// `x ln(rho) - (x + y) g - (rho exp(-g) - 1) delta n`;
///
/// below: `psi = m / (m + r n)`, `g = ln(1 + (rho - 1) psi)`,
/// `y ln(rho) - (x + y) g + (1 - exp(-g)) delta n`.
///
/// The expectation of its exponential is at most 1 on the line and on the other side of it, for
/// Bernoulli counts with unequal probabilities and for Poisson counts. With `delta = 0` it is the
/// likelihood ratio of `x` given `x + y`. Without exposure in one population, or with counts that are
/// no numbers, it is 0. An effect of 1 or less, or that is not finite, gives 0.
///
/// Source: conditional binomial likelihood ratio of two Poisson rates (J. Przyborowski and
/// H. Wilenski, Biometrika 31 (1940), 313-323), extended by an offset.
///
/// ```
/// use serinus_analysis::sequential::{IntervalCounts, RelativeLimit, Side, relative_increment};
/// use serinus_analysis::series::ArmCount;
///
/// let counts = IntervalCounts {
///     canary: ArmCount { events: 3.0, exposure: 1000.0 },
///     control: ArmCount { events: 27.0, exposure: 9000.0 },
/// };
/// let limit = RelativeLimit::new(1.0, 0.0, Side::Above).unwrap();
/// assert!((relative_increment(&counts, &limit, 2.0) + 0.7798638524499104).abs() < 1e-12);
/// ```
pub fn relative_increment(counts: &IntervalCounts, limit: &RelativeLimit, effect: f64) -> f64 {
    if !(effect > 1.0 && effect.is_finite()) {
        return 0.0;
    }
    Comparison::new(counts, limit).map_or(0.0, |counts| Effect::new(effect).increment(&counts))
}

/// An effect size against an absolute limit: what an event adds and what exposure takes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct LinearEffect {
    per_event: f64,
    per_exposure: f64,
}

impl LinearEffect {
    /// `size` is `rho > 1` above the limit and `a` in (0, 1) below it.
    pub(crate) fn new(limit: &AbsoluteLimit, size: f64) -> Self {
        // The factor of the limit less one.
        let excess = match limit.side() {
            Side::Above => size - 1.0,
            Side::Below => -size,
        };
        Self {
            per_event: match limit.side() {
                Side::Above => libm::log(size),
                Side::Below => libm::log1p(-size),
            },
            per_exposure: match limit.law() {
                CountLaw::Bernoulli => libm::log1p(excess * limit.limit()),
                CountLaw::Poisson => excess * limit.limit(),
            },
        }
    }

    /// The increment of a usable count.
    pub(crate) fn increment(&self, count: &ArmCount) -> f64 {
        count.events * self.per_event - count.exposure * self.per_exposure
    }
}

/// Returns what one interval of one population adds to `ln E` against an absolute limit `p0`.
///
/// With `x` events in exposure `n`; above, for `effect = rho > 1`:
/// `x ln(rho) - n ln(1 + (rho - 1) p0)`; below, for `effect = a` in (0, 1):
/// `x ln(1 - a) - n ln(1 - a p0)`. For Poisson counts `x ln(rho) - n (rho - 1) p0` and
/// `x ln(1 - a) + n a p0`. Counts that are no numbers, no exposure, and effects outside their range
/// give 0.
///
/// Source: A. Wald, "Sequential analysis" (1947), the likelihood ratio of two proportions.
///
/// ```
/// use serinus_analysis::sequential::{AbsoluteLimit, CountLaw, Side, absolute_increment};
/// use serinus_analysis::series::ArmCount;
///
/// let limit = AbsoluteLimit::new(0.1, Side::Above, CountLaw::Poisson).unwrap();
/// let count = ArmCount { events: 3.0, exposure: 12.5 };
/// assert!((absolute_increment(&count, &limit, 2.0) - 0.8294415416798357).abs() < 1e-14);
/// ```
pub fn absolute_increment(count: &ArmCount, limit: &AbsoluteLimit, effect: f64) -> f64 {
    let in_range = match limit.side() {
        Side::Above => effect > 1.0 && effect.is_finite(),
        Side::Below => effect > 0.0 && effect < 1.0,
    };
    if in_range && is_usable(count) {
        LinearEffect::new(limit, effect).increment(count)
    } else {
        0.0
    }
}
