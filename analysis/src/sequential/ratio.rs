//! The ratio between canary and control, as it is shown.

use super::counts::{IntervalCounts, is_comparable};
use super::dispersion::Dispersion;
use super::increment::{Comparison, Effect};
use super::limit::{ErrorRate, RelativeLimit, Side};
use super::log_space::{deflate, log_sum_exp_of_quotients};
use crate::interval::{Interval, RatioEstimate};
use crate::rank::brent::brent_root;

/// Effect sizes of evidence against a relative limit: from barely to a hundred times beyond it.
const RELATIVE_EFFECTS: [f64; 9] = [1.1, 1.25, 1.5, 2.0, 3.0, 5.0, 10.0, 30.0, 100.0];

/// The same, with their logarithms.
fn relative_effects() -> [Effect; 9] {
    RELATIVE_EFFECTS.map(Effect::new)
}

/// The ratios between which bounds are looked for.
const SMALLEST_RATIO: f64 = 1e-3;
const LARGEST_RATIO: f64 = 1e3;
/// How well the logarithm of a bound is found.
const TOLERANCE: f64 = 1e-11;
/// Bisection alone would need 41; Brent's method may need its square in the worst case.
const MOST_STEPS: u32 = 2_000;

/// Returns the canary's rate as a multiple of the control's, `(X / N) / (Y / M)`, with an interval that
/// may be looked at after every interval of the rollout. Nothing where no interval can be compared.
///
/// The interval holds every `r` for which neither
/// `deflate(lse_j(sum of increments above r / D) - ln 9, nu)` nor the same below `r` reaches
/// `ln(2 / a + 1)`. It is looked for between 0.001 and 1000: a lower bound of 0 and an infinite upper
/// bound mean that there is none. The control without events gives no value, but bounds.
///
/// Source: the confidence sequence that belongs to a family of e-processes (A. Ramdas and others,
/// "Game-theoretic statistics and safe anytime-valid inference", Statistical Science 38 (2023),
/// section 4).
pub fn ratio_interval(
    intervals: &[IntervalCounts],
    dispersion: Dispersion,
    error_rate: ErrorRate,
) -> Option<RatioEstimate> {
    let comparable: Vec<IntervalCounts> = intervals.iter().copied().filter(is_comparable).collect();
    if comparable.is_empty() {
        return None;
    }
    let rate = |events: f64, exposure: f64| events / exposure;
    let sum = |part: fn(&IntervalCounts) -> f64| comparable.iter().map(part).sum::<f64>();
    let canary = rate(sum(|c| c.canary.events), sum(|c| c.canary.exposure));
    let control = rate(sum(|c| c.control.events), sum(|c| c.control.exposure));
    let value = Some(canary / control).filter(|ratio| control > 0.0 && ratio.is_finite());
    let threshold = libm::log(2.0 / error_rate.value() + 1.0);
    let search = Search {
        with_events: by_split(&comparable),
        effects: relative_effects(),
        dispersion,
        threshold,
    };
    let lower = search.bound(Side::Above).unwrap_or(0.0);
    let upper = search.bound(Side::Below).unwrap_or(f64::INFINITY);
    // The two cannot cross but by rounding.
    let interval = Interval::new(lower.min(upper), upper)?;
    Some(RatioEstimate { value, interval })
}

/// Adds up intervals in which the traffic was split alike, to within a hundredth: an increment is linear in the
/// events, so with the same split the sum has the same evidence, and with such a one the ends of the interval move by
/// less than they are shown with. So it costs the same for a rollout of a week as for one of an hour.
fn by_split(intervals: &[IntervalCounts]) -> Vec<IntervalCounts> {
    /// Groups by the logarithm of the split, to the unit.
    const GROUPS: f64 = 128.0;
    let with_events = intervals
        .iter()
        .filter(|counts| counts.canary.events + counts.control.events > 0.0);
    let mut groups: Vec<(f64, IntervalCounts)> = Vec::new();
    for counts in with_events {
        let split = libm::log(counts.canary.exposure / counts.control.exposure);
        let group = libm::floor(GROUPS * split);
        match groups.binary_search_by(|(known, _)| known.total_cmp(&group)) {
            Ok(place) => {
                if let Some((_, sum)) = groups.get_mut(place) {
                    sum.canary = sum.canary.and(counts.canary);
                    sum.control = sum.control.and(counts.control);
                }
            }
            Err(place) => groups.insert(place, (group, *counts)),
        }
    }
    groups.into_iter().map(|(_, sum)| sum).collect()
}

/// The search for one end of the interval.
struct Search {
    with_events: Vec<IntervalCounts>,
    effects: [Effect; 9],
    dispersion: Dispersion,
    threshold: f64,
}

impl Search {
    /// The ratio at which the evidence on one side of it reaches the threshold; nothing if it does not
    /// even at the end of the range.
    fn bound(&self, side: Side) -> Option<f64> {
        let (easy, hard) = match side {
            Side::Above => (libm::log(SMALLEST_RATIO), libm::log(LARGEST_RATIO)),
            Side::Below => (libm::log(LARGEST_RATIO), libm::log(SMALLEST_RATIO)),
        };
        if self.excess(side, easy) < 0.0 {
            return None;
        }
        if self.excess(side, hard) >= 0.0 {
            return Some(libm::exp(hard));
        }
        let excess = |log_ratio| Some(self.excess(side, log_ratio));
        brent_root(excess, easy, hard, TOLERANCE, MOST_STEPS).map(libm::exp)
    }

    /// How far the evidence beyond a ratio, given as its logarithm, is above the threshold.
    fn excess(&self, side: Side, log_ratio: f64) -> f64 {
        let Ok(limit) = RelativeLimit::new(libm::exp(log_ratio), 0.0, side) else {
            return -self.threshold;
        };
        let mut totals = [0.0; 9];
        for comparison in self
            .with_events
            .iter()
            .filter_map(|counts| Comparison::new(counts, &limit))
        {
            for (total, effect) in totals.iter_mut().zip(&self.effects) {
                *total += effect.increment(&comparison);
            }
        }
        let mixed = log_sum_exp_of_quotients(&totals, self.dispersion.value)
            - libm::log(totals.len() as f64);
        deflate(mixed, self.dispersion.degrees_of_freedom) - self.threshold
    }
}
