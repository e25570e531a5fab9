//! Student's t distribution.

use super::beta::{beta_prefix, regularized_beta};
use super::gamma::ln_gamma;
use super::invert::{Point, invert};
use super::normal::{normal_quantile, normal_tails};
use super::{SpecialError, Tail, Tails};

/// From this many degrees of freedom on the distribution is normal in every digit of a double.
const NORMAL_FROM: f64 = 1e17;

/// From this `t^2 / degrees of freedom` on the tail is its first term, a power of t.
const POWER_FROM: f64 = 1e30;

/// Half of what lies within `-t..t`, what lies above `t`, and `t` times the density, for `t >= 0`.
struct Half {
    central: f64,
    upper: f64,
    log_density: f64,
}

/// With `x = n/(n + t^2)`: the upper tail is `I_x(n/2, 1/2)/2`.
fn half(t: f64, degrees_of_freedom: f64) -> Result<Half, SpecialError> {
    let shape = 0.5 * degrees_of_freedom;
    let square = t * (t / degrees_of_freedom);
    if square <= 0.0 {
        // t itself, or its square, is below every double: the density is flat here.
        let density = t * density_at_zero(shape);
        return Ok(Half {
            central: density,
            upper: 0.5 - density,
            log_density: density,
        });
    }
    if square > POWER_FROM {
        let ln_ratio = libm::log(t) - 0.5 * libm::log(degrees_of_freedom);
        let ln_beta = ln_gamma(shape)? + ln_gamma(0.5)? - ln_gamma(shape + 0.5)?;
        let upper = 0.5 * libm::exp(-degrees_of_freedom * ln_ratio - libm::log(shape) - ln_beta);
        return Ok(Half {
            central: 0.5 - upper,
            upper,
            log_density: degrees_of_freedom * upper,
        });
    }
    let x = 1.0 / (1.0 + square);
    let y = square / (1.0 + square);
    let tails = regularized_beta(shape, 0.5, x, y)?;
    // d I_x / d ln t = -2 y x^shape y^(1/2) / (x y B) * x = -2 prefix, halved
    let log_density = beta_prefix(shape, 0.5, x, y);
    Ok(Half {
        central: 0.5 * tails.upper,
        upper: 0.5 * tails.lower,
        log_density,
    })
}

/// `1 / (sqrt(n) B(n/2, 1/2))`, with the ratio of gamma functions from the prefix of the beta
/// function at its own mean.
fn density_at_zero(shape: f64) -> f64 {
    let total = shape + 0.5;
    let (x, y) = (shape / total, 0.5 / total);
    let ln_inverse_beta =
        libm::log(beta_prefix(shape, 0.5, x, y)) - shape * libm::log1p(-y) - 0.5 * libm::log(y);
    libm::exp(ln_inverse_beta) / (2.0 * shape).sqrt()
}

/// Returns the probabilities that a variable of Student's t distribution is at most `t`, and larger.
///
/// With `x = n/(n + t^2)` the upper tail for `t >= 0` is `I_x(n/2, 1/2)/2`. Right to about 1e-13 in
/// both tails, also for 1e8 degrees of freedom; from 1e17 on the normal distribution is used.
///
/// # Errors
///
/// [`SpecialError::OutsideDomain`] if `t` is NaN or `degrees_of_freedom` is not positive;
/// [`SpecialError::NotConverged`] at the bound.
///
/// ```
/// use serinus_analysis::special::student_t_tails;
///
/// // One degree of freedom is Cauchy's distribution.
/// let tails = student_t_tails(1.0, 1.0).unwrap();
/// assert!((tails.lower - 0.75).abs() < 1e-15);
/// ```
pub fn student_t_tails(t: f64, degrees_of_freedom: f64) -> Result<Tails, SpecialError> {
    if t.is_nan() || degrees_of_freedom.is_nan() || degrees_of_freedom <= 0.0 {
        return Err(SpecialError::OutsideDomain {
            function: "student_t_tails",
        });
    }
    if degrees_of_freedom >= NORMAL_FROM {
        return normal_tails(t);
    }
    if t.is_infinite() {
        return Ok(if t > 0.0 {
            Tails::NONE_ABOVE
        } else {
            Tails::NONE_BELOW
        });
    }
    let half = half(t.abs(), degrees_of_freedom)?;
    let above = Tails {
        lower: 0.5 + half.central,
        upper: half.upper,
    };
    Ok(if t < 0.0 { above.swapped() } else { above })
}

/// Returns the point below which (or above which) a variable of Student's t distribution falls with
/// `probability`.
///
/// Newton's method on logarithms, on the tail beyond the point or, near the middle, on what lies
/// between 0 and it, so that both ends keep their digits. 0 and 1 give the infinities.
///
/// # Errors
///
/// [`SpecialError::OutsideDomain`] unless `0 <= probability <= 1` and `degrees_of_freedom > 0`;
/// [`SpecialError::NotConverged`] at the bound.
///
/// ```
/// use serinus_analysis::special::{Tail, student_t_quantile};
///
/// let t = student_t_quantile(0.025, Tail::Upper, 10.0).unwrap();
/// assert!((t - 2.2281388519862747).abs() < 1e-14);
/// let t = student_t_quantile(0.025, Tail::Upper, 1e7).unwrap();
/// assert!((t - 1.959964221767205).abs() < 1e-13);
/// ```
pub fn student_t_quantile(
    probability: f64,
    tail: Tail,
    degrees_of_freedom: f64,
) -> Result<f64, SpecialError> {
    const FUNCTION: &str = "student_t_quantile";
    let is_positive = degrees_of_freedom > 0.0;
    if !(0.0..=1.0).contains(&probability) || !is_positive {
        return Err(SpecialError::OutsideDomain { function: FUNCTION });
    }
    if degrees_of_freedom >= NORMAL_FROM {
        return normal_quantile(probability, tail);
    }
    let is_above = (probability < 0.5) == (tail == Tail::Upper);
    let sign = if is_above { 1.0 } else { -1.0 };
    let beyond = if probability < 0.5 {
        probability
    } else {
        1.0 - probability
    };
    // Exact, and so keeps its digits: a probability near 1/2.
    let central = (0.5 - probability).abs();
    if central <= 0.0 {
        return Ok(0.0);
    }
    if beyond <= 0.0 {
        return Ok(sign * f64::INFINITY);
    }
    let start = libm::log(normal_quantile(beyond, Tail::Upper)?);
    let point = if beyond < 0.25 {
        invert(FUNCTION, libm::log(beyond), start, false, |ln_t| {
            let half = half(libm::exp(ln_t), degrees_of_freedom)?;
            Ok(Point {
                ln_value: libm::log(half.upper),
                slope: -half.log_density / half.upper,
            })
        })?
    } else {
        invert(FUNCTION, libm::log(central), start, true, |ln_t| {
            let half = half(libm::exp(ln_t), degrees_of_freedom)?;
            Ok(Point {
                ln_value: libm::log(half.central),
                slope: half.log_density / half.central,
            })
        })?
    };
    Ok(sign * point)
}
