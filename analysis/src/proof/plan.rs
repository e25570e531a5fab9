//! How long it takes to decide, and what a stage can see.
//!
//! Source: docs/design/counts.md, "10. Planning"; the constants were found by simulation: planned medians
//! are within a quarter of simulated ones.

use super::assumed::{Counted, assumed_variation, cap, excess_of};
use super::dispersion::ASSUMED_DEGREES_OF_FREEDOM;
use super::past_noise::PastNoise;
use super::promotion::{FEWEST_INTERVALS, Kept};
use crate::sequential::{ErrorRate, IntervalCounts, RelativeLimit, Side, relative_increment};
use crate::series::ArmCount;

/// What the mixture over effects and starts costs, in `ln E`.
const MIXTURE_OF_ROLLBACK: f64 = 4.0;
const MIXTURE_OF_PROMOTION: f64 = 1.6;
/// The most intervals that are planned.
const MOST_INTERVALS: usize = 20_160;
/// What a history counts in a plan, in degrees of freedom.
const PAST_DEGREES_OF_FREEDOM: f64 = 30.0;
/// Nine of ten good canaries have passed after so many times the median.
pub const NINE_OF_TEN: f64 = 2.0;

/// The noise that a plan reckons with.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ExpectedNoise {
    dispersion: f64,
    degrees_of_freedom: f64,
}

impl ExpectedNoise {
    /// What is assumed where nothing was measured, at the events that an interval is expected to have.
    pub fn assumed(counted: Counted, interval_seconds: f64, event_variance: f64) -> Self {
        let variation = assumed_variation(counted, interval_seconds);
        Self {
            dispersion: excess_of(variation, event_variance),
            degrees_of_freedom: ASSUMED_DEGREES_OF_FREEDOM,
        }
    }

    /// What was measured before the rollout: the largest of all lengths.
    pub fn of_the_past(past: &PastNoise) -> Self {
        let largest = past.by_length().iter().map(|(_, value, _)| *value);
        Self {
            dispersion: largest.fold(1.0, f64::max),
            degrees_of_freedom: PAST_DEGREES_OF_FREEDOM,
        }
    }

    /// What is measured now and stays.
    pub fn seen(dispersion: f64, degrees_of_freedom: f64) -> Self {
        Self {
            dispersion: dispersion.max(1.0),
            degrees_of_freedom,
        }
    }

    /// `D` and `nu` of a stage of independent events after so many intervals.
    fn after(&self, intervals: usize) -> (f64, f64) {
        let more = intervals.saturating_sub(1) as f64;
        let known = self.degrees_of_freedom + more;
        let dispersion = (self.degrees_of_freedom * self.dispersion + more) / known;
        (dispersion.max(1.0), known)
    }
}

/// The evidence that is deflated to the threshold of an error rate.
fn inflated(rate: ErrorRate, degrees_of_freedom: f64) -> f64 {
    let half = 0.5 * degrees_of_freedom;
    half * libm::expm1(rate.log_threshold() / half)
}

/// How much `ln E` of a violation grows in an interval in which the control has its events and the canary
/// `times` as many, for the effect that suits best; 0 where that is no violation.
pub fn growth_of_violation(
    limit: &RelativeLimit,
    control: ArmCount,
    canary_exposure: f64,
    times: f64,
) -> f64 {
    let rate = control.events / control.exposure;
    let counts = IntervalCounts {
        control,
        canary: ArmCount {
            events: times * rate * canary_exposure,
            exposure: canary_exposure,
        },
    };
    let effect = match limit.side() {
        Side::Above => times / limit.ratio(),
        Side::Below => limit.ratio() / times,
    };
    if limit.offset() == 0.0 {
        return relative_increment(&counts, limit, effect).max(0.0);
    }
    crate::sequential::offset_growth(limit, &counts).unwrap_or(0.0)
}

/// How much `ln E'` grows in such an interval that the limit is kept, for the effect in use that suits best.
pub fn growth_of_compliance(kept: &Kept, counts: &IntervalCounts) -> f64 {
    let growth = kept.effects().map(|effect| kept.increment(counts, effect));
    growth.fold(0.0, f64::max)
}

/// Returns the median number of intervals to a rollback; nothing where it takes too many. `expected` is what an
/// interval may say without surprise, `growth` what it says.
pub fn intervals_to_roll_back(
    growth: f64,
    (interval_seconds, expected): (f64, f64),
    noise: &ExpectedNoise,
    rate: ErrorRate,
) -> Option<usize> {
    let variation = assumed_variation(Counted::Events, interval_seconds);
    let growth = growth.min(cap(interval_seconds, variation, expected));
    let needed = first_interval(1, growth, noise, |known| {
        inflated(rate, known) + MIXTURE_OF_ROLLBACK
    });
    needed.map(|intervals| intervals + 1)
}

/// Returns the median number of intervals after which a limit is shown to be kept; nothing where it takes too
/// many. Nine of ten take [`NINE_OF_TEN`] times as many.
pub fn intervals_to_promote(growth: f64, noise: &ExpectedNoise, rate: ErrorRate) -> Option<usize> {
    let needed = first_interval(FEWEST_INTERVALS, growth, noise, |known| {
        inflated(rate, known) + MIXTURE_OF_PROMOTION
    });
    needed.map(|intervals| intervals + 1)
}

/// The first number of intervals whose growth over the noise is enough.
fn first_interval(
    least: usize,
    growth: f64,
    noise: &ExpectedNoise,
    needed: impl Fn(f64) -> f64,
) -> Option<usize> {
    if growth.is_nan() || growth <= 0.0 {
        return None;
    }
    let is_enough = |intervals: usize| {
        let (dispersion, known) = noise.after(intervals);
        intervals as f64 * growth / dispersion >= needed(known)
    };
    if !is_enough(MOST_INTERVALS) {
        return None;
    }
    // What grows with the intervals: more of them are enough too.
    let (mut low, mut high) = (least, MOST_INTERVALS);
    while low < high {
        let middle = usize::midpoint(low, high);
        if is_enough(middle) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    Some(low)
}
