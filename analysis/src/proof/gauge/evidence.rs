//! The evidence of a mean that is known with a variance.

use crate::sequential::deflate;
use crate::special::ln_normal_cdf;

/// The typical violation: a factor of two, as its logarithm.
const TYPICAL_EFFECT: f64 = 0.7;
/// Beyond it a quotient says no more.
const MOST_DEVIATIONS: f64 = 1e100;
/// Below it `ln Phi` is taken from its series, without the square that cancels.
const SERIES_BELOW: f64 = -30.0;
/// `ln sqrt(2 pi)`.
const LN_SQRT_2_PI: f64 = 0.918_938_533_204_672_7;

/// Returns `ln E` that the true mean is above 0, for an estimate of variance `variance` that is known with so
/// many degrees of freedom.
///
/// With `a = 0.49 / V`, `z = mean / sqrt V`, `f = a / (1 + a)`:
/// `deflate(ln(4 / (1 + a)) / 2 + z^2 f / 2 + ln Phi(z sqrt f), nu)`, the half-normal mixture of likelihood
/// ratios. 0 for a variance that is not positive and for what is not a number.
///
/// ```
/// use serinus_analysis::proof::gauge::mixture_log_evidence;
///
/// assert!((mixture_log_evidence(0.5, 0.01, 20.0) - 7.413245525485292).abs() < 1e-12);
/// assert!((mixture_log_evidence(-0.5, 0.01, 20.0) + 3.818448904862244).abs() < 1e-12);
/// assert_eq!(mixture_log_evidence(0.5, 0.0, 20.0), 0.0);
/// ```
///
/// Source: docs/design/gauges.md, "4. Evidence for a violation"; H. Robbins, "Statistical methods related to the
/// law of the iterated logarithm", Annals of Mathematical Statistics 41 (1970).
pub fn mixture_log_evidence(mean: f64, variance: f64, degrees_of_freedom: f64) -> f64 {
    let is_known = mean.is_finite() && variance > 0.0 && degrees_of_freedom > 0.0;
    if !is_known {
        return 0.0;
    }
    let a = TYPICAL_EFFECT * TYPICAL_EFFECT / variance;
    let z = (mean / libm::sqrt(variance)).clamp(-MOST_DEVIATIONS, MOST_DEVIATIONS);
    // `a / (1 + a)`, also where `a` is infinite.
    let f = 1.0 / (1.0 + 1.0 / a);
    let half = 0.5 * (libm::log(4.0) - libm::log1p(a.min(1e300)));
    deflate(
        half + log_of_the_square(z * libm::sqrt(f)),
        degrees_of_freedom,
    )
}

/// `u^2 / 2 + ln Phi(u)`.
fn log_of_the_square(u: f64) -> f64 {
    if u < SERIES_BELOW {
        let w = 1.0 / (u * u);
        let series = w * (-1.0 + w * (3.0 - 15.0 * w));
        return -libm::log(-u) - LN_SQRT_2_PI + libm::log1p(series);
    }
    0.5 * u * u + ln_normal_cdf(u).unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_series_goes_on_where_the_square_would_cancel() {
        let (above, below) = (
            log_of_the_square(-29.999_999),
            log_of_the_square(-30.000_001),
        );
        assert!((above - below).abs() < 1e-6, "{above} {below}");
        let far = log_of_the_square(-1e90);
        assert!((-220.0..-200.0).contains(&far), "{far}");
    }

    #[test]
    fn nothing_is_never_proof() {
        for mean in [f64::NAN, f64::INFINITY, 0.0, 1e300, -1e300, 1e-300] {
            for variance in [f64::NAN, f64::INFINITY, 0.0, -1.0, 1e-300, 1e300] {
                for known in [f64::NAN, 0.0, 20.0, f64::INFINITY] {
                    let found = mixture_log_evidence(mean, variance, known);
                    assert!(found.is_finite(), "{mean} {variance} {known}: {found}");
                }
            }
        }
    }
}
