//! The normal distribution.

use statrs::distribution::{ContinuousCDF, Normal};

use super::{SpecialError, Tail, Tails};

/// `1/sqrt(2)` as the sum of two numbers.
const FRAC_1_SQRT_2: (f64, f64) = (std::f64::consts::FRAC_1_SQRT_2, -4.833_646_656_726_457e-17);

/// `ln(sqrt(2 pi))`.
const LN_SQRT_2_PI: f64 = 0.918_938_533_204_672_8;

/// Below this the normal cdf comes near the end of the doubles, and its logarithm is taken from the
/// asymptotic series.
const LN_CDF_SERIES_BELOW: f64 = -35.0;

/// Returns the standard normal cdf at `x` and its complement: `erfc(-x/sqrt(2))/2` and
/// `erfc(x/sqrt(2))/2`.
///
/// Each is right to a few ulp as long as it is not below 1e-300. Infinities give 0 and 1.
///
/// # Errors
///
/// [`SpecialError::OutsideDomain`] for NaN.
///
/// ```
/// use serinus_analysis::special::normal_tails;
///
/// let tails = normal_tails(-1.959963984540054).unwrap();
/// assert!((tails.lower - 0.025).abs() < 1e-16);
/// assert!((tails.upper - 0.975).abs() < 1e-15);
/// ```
pub fn normal_tails(x: f64) -> Result<Tails, SpecialError> {
    if x.is_nan() {
        return Err(SpecialError::OutsideDomain {
            function: "normal_tails",
        });
    }
    Ok(Tails {
        lower: normal_upper_tail(-x),
        upper: normal_upper_tail(x),
    })
}

/// `erfc(x/sqrt(2))/2`. The division by `sqrt(2)` rounds, and `erfc` magnifies that by `x^2`: the
/// rounding error is put back by the derivative.
fn normal_upper_tail(x: f64) -> f64 {
    let u = x * FRAC_1_SQRT_2.0;
    if u.abs() > 28.0 {
        // Beyond: 0 or 1 anyway, and the correction below would multiply infinities.
        return 0.5 * libm::erfc(u);
    }
    let rounding = libm::fma(x, FRAC_1_SQRT_2.0, -u) + x * FRAC_1_SQRT_2.1;
    let slope = -std::f64::consts::FRAC_2_SQRT_PI * libm::exp(-u * u);
    0.5 * (libm::erfc(u) + slope * rounding)
}

/// Returns the natural logarithm of the standard normal cdf at `x`.
///
/// Below -35 from the series `-x^2/2 - ln(-x) - ln(sqrt(2 pi)) + ln(1 - 1/x^2 + 3/x^4 - ..)`
/// (Abramowitz and Stegun 26.2.12), so it does not end where the cdf underflows.
///
/// # Errors
///
/// [`SpecialError::OutsideDomain`] for NaN.
///
/// ```
/// use serinus_analysis::special::ln_normal_cdf;
///
/// let value = ln_normal_cdf(-100.0).unwrap();
/// assert!((value / -5005.524208694205 - 1.0).abs() < 1e-15);
/// ```
pub fn ln_normal_cdf(x: f64) -> Result<f64, SpecialError> {
    if x.is_nan() {
        return Err(SpecialError::OutsideDomain {
            function: "ln_normal_cdf",
        });
    }
    if x > 0.0 {
        return Ok(libm::log1p(-normal_upper_tail(x)));
    }
    if x >= LN_CDF_SERIES_BELOW {
        return Ok(libm::log(normal_upper_tail(-x)));
    }
    let w = 1.0 / (x * x);
    let series = w * (-1.0 + w * (3.0 + w * (-15.0 + w * (105.0 - 945.0 * w))));
    Ok(-0.5 * x * x - libm::log(-x) - LN_SQRT_2_PI + libm::log1p(series))
}

/// Returns the point below which (or above which) a standard normal variable falls with
/// `probability`.
///
/// Asking for the upper tail keeps the digits of a small `probability` that `1 - probability` would
/// lose. 0 and 1 give the infinities.
///
/// # Errors
///
/// [`SpecialError::OutsideDomain`] unless `0 <= probability <= 1`.
///
/// ```
/// use serinus_analysis::special::{Tail, normal_quantile};
///
/// let z = normal_quantile(0.025, Tail::Upper).unwrap();
/// assert!((z - 1.959963984540054).abs() < 1e-15);
/// ```
pub fn normal_quantile(probability: f64, tail: Tail) -> Result<f64, SpecialError> {
    if !(0.0..=1.0).contains(&probability) {
        return Err(SpecialError::OutsideDomain {
            function: "normal_quantile",
        });
    }
    let lower = Normal::standard().inverse_cdf(probability);
    Ok(match tail {
        Tail::Lower => lower,
        Tail::Upper => -lower,
    })
}
