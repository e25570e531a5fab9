//! Rates of events against an exposure: pod-hours, a share of the traffic.

use super::ratio::{RatioEstimate, mover_ratio};
use super::{Confidence, Estimate, Interval};
use crate::special::{Tail, gamma_quantile};

/// Returns `events / exposure` with its exact Poisson interval, in events for each unit of exposure.
/// Nothing when the exposure is not positive, the events are negative, one of them is not finite, or
/// the rate is too large for a double.
///
/// With `a = (1 - confidence) / 2` and `chi2(q; n)` the quantile of the chi-square distribution:
///
/// `lower = chi2(a; 2 events) / (2 exposure)`, `upper = chi2(1 - a; 2 events + 2) / (2 exposure)`.
///
/// Without events the lower bound is exactly 0. The events need not be whole: the gamma distribution
/// fills the gaps. Exact means that the truth is inside at least as often as the confidence says.
/// Valid for a single look at the data.
///
/// Source: F. Garwood, "Fiducial limits for the Poisson distribution", Biometrika 28 (1936), 437-442.
///
/// ```
/// use serinus_analysis::interval::{Confidence, poisson_rate_interval};
///
/// let rate = poisson_rate_interval(10.0, 2.0, Confidence::new(0.95).unwrap()).unwrap();
/// assert!((rate.value - 5.0).abs() < 1e-15);
/// assert!((rate.interval.lower() - 4.795388696132434 / 2.0).abs() < 1e-13);
/// assert!((rate.interval.upper() - 18.390356042017777 / 2.0).abs() < 1e-13);
/// ```
pub fn poisson_rate_interval(
    events: f64,
    exposure: f64,
    confidence: Confidence,
) -> Option<Estimate> {
    let is_valid = events.is_finite() && events >= 0.0 && exposure.is_finite() && exposure > 0.0;
    if !is_valid {
        return None;
    }
    let value = events / exposure;
    if !value.is_finite() {
        return None;
    }
    let tail = confidence.tail();
    let fewest = if events <= 0.0 {
        0.0
    } else {
        gamma_quantile(tail, Tail::Lower, events).ok()?
    };
    let most = gamma_quantile(tail, Tail::Upper, events + 1.0).ok()?;
    Some(Estimate {
        value,
        interval: Interval::around(value, fewest / exposure, most / exposure),
    })
}

/// Returns the ratio of two rates, `a / b`, each `(events, exposure)`, with its MOVER interval from
/// the exact limits of each; nothing when one rate has no interval.
///
/// The formula and its behaviour at zero are those of [`super::proportion_ratio`]. Valid for a single
/// look at the data.
///
/// ```
/// use serinus_analysis::interval::{Confidence, rate_ratio};
///
/// let confidence = Confidence::new(0.95).unwrap();
/// let ratio = rate_ratio((20.0, 1.0), (10.0, 2.0), confidence).unwrap();
/// assert!((ratio.value.unwrap() - 4.0).abs() < 1e-15);
/// // The unit of the exposure does not matter.
/// let again = rate_ratio((20.0, 3600.0), (10.0, 7200.0), confidence).unwrap();
/// assert!((again.interval.upper() / ratio.interval.upper() - 1.0).abs() < 1e-14);
/// ```
pub fn rate_ratio(a: (f64, f64), b: (f64, f64), confidence: Confidence) -> Option<RatioEstimate> {
    let numerator = poisson_rate_interval(a.0, a.1, confidence)?;
    let denominator = poisson_rate_interval(b.0, b.1, confidence)?;
    Some(mover_ratio(numerator, denominator))
}
