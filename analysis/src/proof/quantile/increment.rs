//! What an interval says of a canary that is so many times as often slow.

use crate::sequential::IntervalCounts;

/// The share of requests that a quantile leaves beyond it, in (0, 1): what both populations are held against.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SlowShare(f64);

impl SlowShare {
    /// Of a quantile in (0, 1); nothing outside.
    pub fn of_quantile(quantile: f64) -> Option<Self> {
        (quantile > 0.0 && quantile < 1.0).then_some(Self(1.0 - quantile))
    }

    /// `theta`.
    pub fn value(self) -> f64 {
        self.0
    }

    /// What is left of the variance of independent events when their share is known: `1 - theta`.
    pub fn rest(self) -> f64 {
        1.0 - self.0
    }
}

/// `ln` of the likelihood ratio of odds `times` those of `theta` in the canary against both being at one share,
/// which keeps the expectation of its exponential at most 1 where the canary is slow no more often:
/// `x ln(p/p0) + (n - x) ln((1-p)/(1-p0)) + y ln(theta/p0) + (m - y) ln((1-theta)/(1-p0))` with
/// `p = theta times / (1 - theta + theta times)` and `p0 = theta + (p - theta) n / (n + m)`. 0 where a population
/// has no requests. Counts may be fractions.
///
/// Source: docs/design/latency.md, "3. Evidence"; the chord bound of convex functions and the inequality of
/// arithmetic and geometric means.
///
/// ```
/// use serinus_analysis::proof::{SlowShare, quantile_increment};
/// use serinus_analysis::series::{ArmCount, Populations};
///
/// let counts = Populations {
///     canary: ArmCount { events: 180.0, exposure: 300.0 },
///     control: ArmCount { events: 1350.0, exposure: 2700.0 },
/// };
/// let median = SlowShare::of_quantile(0.5).unwrap();
/// assert!((quantile_increment(&counts, median, 2.0) - 2.7938121124164184).abs() < 1e-12);
/// ```
pub fn quantile_increment(counts: &IntervalCounts, slow: SlowShare, times: f64) -> f64 {
    let (x, n) = (counts.canary.events, counts.canary.exposure);
    let (y, m) = (counts.control.events, counts.control.exposure);
    let is_told = n > 0.0 && m > 0.0 && [x, n, y, m].iter().all(|number| number.is_finite());
    if !is_told {
        return 0.0;
    }
    let theta = slow.value();
    let p = theta * times / (1.0 - theta + theta * times);
    let shared = theta + (p - theta) * n / (n + m);
    let quick = libm::log1p(-shared);
    let log_shared = libm::log(shared);
    x * (libm::log(p) - log_shared)
        + (n - x) * (libm::log1p(-p) - quick)
        + y * (libm::log(theta) - log_shared)
        + (m - y) * (libm::log1p(-theta) - quick)
}
