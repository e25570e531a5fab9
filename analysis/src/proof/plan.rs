//! How long it takes to decide, and what a stage can see.
//!
//! Source: docs/design/counts.md, "10. Planning"; the constants were found by simulation: planned medians
//! are within a quarter of simulated ones.

use super::assumed::{Counted, assumed_variation, cap, excess_of};
use super::dispersion::ASSUMED_DEGREES_OF_FREEDOM;
use super::lane::{BREAKER_CUT, breaker_noise};
use super::line::{Line, QUANTILE_EFFECTS, beside_the_control};
use super::past_noise::PastNoise;
use super::promotion::{FEWEST_INTERVALS, Kept};
use super::quantile::quantile_increment;
use super::stream::BREAKER_WEIGHT;
use crate::sequential::{
    ErrorRate, IntervalCounts, RelativeLimit, Side, absolute_growth, is_usable, offset_growth,
    relative_increment,
};
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
/// Halvings of the logarithm of what is looked for: to a part of a thousand.
const HALVINGS: u32 = 14;
/// A canary without events has no logarithm: evidence no longer grows faster beyond this ratio to the control.
const SMALLEST_RATIO: f64 = 1e-6;

/// What is expected to come in every interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Expected {
    /// The counts of both populations.
    pub counts: IntervalCounts,
    /// What they are of.
    pub counted: Counted,
    /// The length of an interval.
    pub interval_seconds: f64,
}

impl Expected {
    /// The variance of an interval's events, were they independent: `(x + y) phi (1 - phi)` with `phi` the canary's
    /// share of the exposure, and half of what the canary may have at an absolute limit.
    pub(crate) fn event_variance(&self, absolute: Option<f64>) -> f64 {
        let IntervalCounts { canary, control } = self.counts;
        if let Some(limit) = absolute {
            return 0.5 * canary.exposure * limit;
        }
        let share = canary.exposure / (canary.exposure + control.exposure);
        (canary.events + control.events) * share * (1.0 - share)
    }

    /// The exposure that noise between both populations is measured by: `n m / (n + m)`, and of an absolute limit
    /// that of the canary alone.
    pub(crate) fn effective_exposure(&self, absolute: Option<f64>) -> f64 {
        let (n, m) = (self.counts.canary.exposure, self.counts.control.exposure);
        match absolute {
            Some(_) => n,
            None => n * m / (n + m),
        }
    }

    /// The noise where nothing was measured.
    pub fn assumed_noise(&self, absolute: Option<f64>) -> ExpectedNoise {
        let variation = assumed_variation(self.counted, self.interval_seconds);
        ExpectedNoise {
            dispersion: excess_of(variation, self.event_variance(absolute)),
            degrees_of_freedom: ASSUMED_DEGREES_OF_FREEDOM,
        }
    }

    /// The noise where some was measured before the rollout: the largest of all lengths.
    pub fn noise_of_the_past(&self, past: &PastNoise, absolute: Option<f64>) -> ExpectedNoise {
        let variance = self.event_variance(absolute);
        let exposure = self.effective_exposure(absolute);
        ExpectedNoise::measured(past.largest_prior(exposure, variance))
    }

    /// Returns the median number of intervals to a rollback; nothing where it takes too many, or the canary is not
    /// beyond the line.
    pub fn intervals_to_roll_back(
        &self,
        line: &Line,
        noise: &ExpectedNoise,
        rate: ErrorRate,
    ) -> Option<usize> {
        let variation = assumed_variation(self.counted, self.interval_seconds);
        let unsurprising = line.expected_events(&self.counts);
        let most = cap(self.interval_seconds, variation, unsurprising);
        let growth = growth_of_violation(line, &self.counts);
        let needed = first_interval(1, growth.min(most), noise, |known| {
            evidence_to_roll_back(rate, known)
        });
        let main = needed.map(|intervals| intervals + 1);
        let breaker = breaker_intervals(line, growth, unsurprising, rate);
        main.into_iter().chain(breaker).min()
    }

    /// Returns the median number of intervals after which a line is shown to be kept; nothing where it takes too
    /// many. Nine of ten take [`NINE_OF_TEN`] times as many.
    pub fn intervals_to_promote(
        &self,
        kept: &Kept,
        noise: &ExpectedNoise,
        rate: ErrorRate,
    ) -> Option<usize> {
        let growth = growth_of_compliance(kept, &self.counts);
        let needed = first_interval(FEWEST_INTERVALS, growth, noise, |known| {
            inflated(rate, known) + MIXTURE_OF_PROMOTION
        });
        needed.map(|intervals| intervals + 1)
    }
}

/// The noise that a plan reckons with.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ExpectedNoise {
    dispersion: f64,
    degrees_of_freedom: f64,
}

impl ExpectedNoise {
    /// What was measured before the rollout.
    pub fn measured(dispersion: f64) -> Self {
        Self::seen(dispersion, PAST_DEGREES_OF_FREEDOM)
    }

    /// What is measured now and stays.
    pub fn seen(dispersion: f64, degrees_of_freedom: f64) -> Self {
        Self {
            dispersion: dispersion.max(1.0),
            degrees_of_freedom,
        }
    }

    /// How many times the variance of independent events, at first.
    pub fn dispersion(&self) -> f64 {
        self.dispersion
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
pub(super) fn inflated(rate: ErrorRate, degrees_of_freedom: f64) -> f64 {
    let half = 0.5 * degrees_of_freedom;
    half * libm::expm1(rate.log_threshold() / half)
}

/// The evidence that one effect from the start must have for a rollback: deflated it is the threshold of an error
/// rate, and the mixture costs some of it.
pub fn evidence_to_roll_back(rate: ErrorRate, degrees_of_freedom: f64) -> f64 {
    inflated(rate, degrees_of_freedom) + MIXTURE_OF_ROLLBACK
}

/// How much `ln E` of a violation grows in such an interval, for the effect that suits best; 0 where the canary is
/// not beyond the line.
///
/// Of an absolute line with a control the smaller of both, as in [`Line`]: what it is near excuses the canary.
pub fn growth_of_violation(line: &Line, counts: &IntervalCounts) -> f64 {
    match line {
        Line::Relative(limit) => relative_growth(limit, counts),
        Line::Quantile(slow) => {
            let each = QUANTILE_EFFECTS.map(|effect| quantile_increment(counts, *slow, effect));
            each.into_iter().fold(0.0, f64::max)
        }
        Line::Absolute { limit, has_control } => {
            let canary = counts.canary;
            let rate = canary.events / canary.exposure;
            let growth = absolute_growth(limit, canary.exposure, rate).unwrap_or(0.0);
            let excused = (*has_control && is_usable(&counts.control))
                .then(|| beside_the_control(limit.side()))
                .flatten();
            excused.map_or(growth, |excused| {
                growth.min(relative_growth(&excused, counts))
            })
        }
    }
}

fn relative_growth(limit: &RelativeLimit, counts: &IntervalCounts) -> f64 {
    let rate = |arm: ArmCount| arm.events / arm.exposure;
    if limit.offset() != 0.0 || counts.control.events <= 0.0 {
        return offset_growth(limit, counts).unwrap_or(0.0);
    }
    let times = (rate(counts.canary) / rate(counts.control)).max(SMALLEST_RATIO);
    let effect = match limit.side() {
        Side::Above => times / limit.ratio(),
        Side::Below => limit.ratio() / times,
    };
    if effect > 1.0 {
        relative_increment(counts, limit, effect).max(0.0)
    } else {
        0.0
    }
}

/// How much `ln E'` grows in such an interval that the limit is kept, for the effect in use that suits best.
pub fn growth_of_compliance(kept: &Kept, counts: &IntervalCounts) -> f64 {
    let growth = kept.effects().map(|effect| kept.increment(counts, effect));
    growth.fold(0.0, f64::max)
}

/// After how many intervals the breaker alone rolls back: what is not capped, over a noise that it does not learn.
fn breaker_intervals(
    line: &Line,
    growth: f64,
    unsurprising: f64,
    rate: ErrorRate,
) -> Option<usize> {
    if growth.is_nan() || growth <= 0.0 {
        return None;
    }
    let in_an_interval = (growth / breaker_noise(unsurprising)).min(BREAKER_CUT);
    let costs = libm::log(line.effects() as f64) - libm::log(BREAKER_WEIGHT);
    let needed = libm::ceil((rate.log_threshold() + costs) / in_an_interval);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "small and positive"
    )]
    (needed <= MOST_INTERVALS as f64).then_some(needed as usize)
}

/// The first number of intervals whose growth over the noise is enough.
pub(super) fn first_interval(
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

/// The value nearest to `from` on the way to `furthest` for which something holds that holds from there on, by
/// halving the logarithm; nothing where it does not hold at the furthest.
pub(crate) fn nearest(from: f64, furthest: f64, holds: impl Fn(f64) -> bool) -> Option<f64> {
    if !holds(furthest) {
        return None;
    }
    let (mut near, mut far) = (libm::log(from.max(1e-6)), libm::log(furthest));
    for _ in 0..HALVINGS {
        let middle = 0.5 * (near + far);
        if holds(libm::exp(middle)) {
            far = middle;
        } else {
            near = middle;
        }
    }
    Some(libm::exp(far))
}
