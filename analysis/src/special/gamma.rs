//! The gamma function, Loader's saddle-point pieces, the incomplete gamma function and its inverse.

use super::invert::{Point, invert};
use super::normal::normal_quantile;
use super::{SpecialError, Tail, Tails};

/// Bound on the terms of the series and of the continued fraction: below [`UNIFORM_FROM`] they need
/// about `8 sqrt(shape)`, above it they are only used away from the mean.
const MAX_ITERATIONS: u32 = 20_000;

/// From this shape on, near the mean, Temme's uniform expansion is used.
const UNIFORM_FROM: f64 = 1e5;

/// How near, as a part of the shape.
const UNIFORM_WITHIN: f64 = 0.02;

/// Returns `ln |Gamma(x)|`.
///
/// Right to about 1 ulp, relative to the larger of the value and 1. Infinite at 0, at the negative
/// integers and at the infinities.
///
/// # Errors
///
/// [`SpecialError::OutsideDomain`] for NaN.
///
/// ```
/// use serinus_analysis::special::ln_gamma;
///
/// assert!((ln_gamma(0.5).unwrap() - 0.5 * std::f64::consts::PI.ln()).abs() < 1e-15);
/// ```
pub fn ln_gamma(x: f64) -> Result<f64, SpecialError> {
    if x.is_nan() {
        return Err(SpecialError::OutsideDomain {
            function: "ln_gamma",
        });
    }
    Ok(libm::lgamma(x))
}

/// The error of Stirling's formula, `ln Gamma(n + 1) - (n + 1/2) ln n + n - ln sqrt(2 pi)`, for
/// `n > 0`.
///
/// From 12 on by its series, below by the recurrence `s(n) = s(n + 1) + (n + 1/2) ln(1 + 1/n) - 1`:
/// no difference of large numbers anywhere.
///
/// Source: C. Loader, "Fast and accurate computation of binomial probabilities" (2000).
pub(super) fn stirling_error(n: f64) -> f64 {
    let mut shifted = n;
    let mut sum = 0.0;
    while shifted < 12.0 {
        sum += (shifted + 0.5) * libm::log1p(1.0 / shifted) - 1.0;
        shifted += 1.0;
    }
    let w = 1.0 / (shifted * shifted);
    let series = 1.0 / 12.0
        - w * (1.0 / 360.0
            - w * (1.0 / 1260.0
                - w * (1.0 / 1680.0
                    - w * (1.0 / 1188.0 - w * (691.0 / 360_360.0 - w * (1.0 / 156.0))))));
    sum + series / shifted
}

/// Half the deviance of a Poisson count, `x ln(x/mean) + mean - x`, for `x, mean > 0`, where
/// `difference` is `x - mean`, which the caller may know better than the subtraction.
///
/// Near the mean by the series of Loader in `v = (x - mean)/(x + mean)`:
/// `difference v + 2 x (v^3/3 + v^5/5 + ..)`.
pub(super) fn half_deviance(x: f64, mean: f64, difference: f64) -> f64 {
    let v = difference / (x + mean);
    if v.abs() > 0.4 {
        let ratio = x / mean;
        let is_double = ratio > 0.0 && ratio < f64::INFINITY;
        let ln_ratio = if is_double {
            libm::log(ratio)
        } else {
            libm::log(x) - libm::log(mean)
        };
        return x * ln_ratio - difference;
    }
    let w = v * v;
    let mut power = v;
    let mut sum = 0.0;
    let mut odd = 3.0;
    loop {
        power *= w;
        let term = power / odd;
        let next = sum + term;
        // w is at most 0.16: this ends after some 20 terms.
        if (next - sum).abs() <= 0.0 {
            return difference * v + 2.0 * x * sum;
        }
        sum = next;
        odd += 2.0;
    }
}

/// The incomplete gamma functions with the density that belongs to them.
pub(super) struct GammaPoint {
    pub(super) tails: Tails,
    /// `x^shape e^-x / Gamma(shape)`: the derivative of the lower tail by `ln x`.
    pub(super) log_density: f64,
}

/// Returns the regularized incomplete gamma functions `P(shape, x)` and `Q(shape, x)`: the
/// probabilities that a gamma variable of this shape and scale 1 is at most `x`, and larger.
///
/// The prefix `x^a e^-x / Gamma(a + 1)` is Loader's saddle-point form; then the series below the
/// mean, the continued fraction above it, and near the mean of a large shape the uniform expansion
/// of N. M. Temme, "The asymptotic expansion of the incomplete gamma functions", SIAM J. Math. Anal.
/// 10 (1979), 757-766, with the coefficients of DLMF 8.12. For shapes below 1/100 the upper tail
/// loses digits.
///
/// # Errors
///
/// [`SpecialError::OutsideDomain`] unless `shape > 0`, finite, and `x >= 0`;
/// [`SpecialError::NotConverged`] at the bound.
///
/// ```
/// use serinus_analysis::special::regularized_gamma;
///
/// // P(1, x) = 1 - e^-x
/// let tails = regularized_gamma(1.0, 2.0).unwrap();
/// assert!((tails.upper - (-2.0_f64).exp()).abs() < 1e-16);
/// ```
pub fn regularized_gamma(shape: f64, x: f64) -> Result<Tails, SpecialError> {
    if !(shape > 0.0 && shape < f64::INFINITY && x >= 0.0) {
        return Err(SpecialError::OutsideDomain {
            function: "regularized_gamma",
        });
    }
    Ok(gamma_point(shape, x)?.tails)
}

/// [`regularized_gamma`] for arguments that have been checked.
fn gamma_point(shape: f64, x: f64) -> Result<GammaPoint, SpecialError> {
    if x <= 0.0 {
        return Ok(GammaPoint {
            tails: Tails::NONE_BELOW,
            log_density: 0.0,
        });
    }
    if x == f64::INFINITY {
        return Ok(GammaPoint {
            tails: Tails::NONE_ABOVE,
            log_density: 0.0,
        });
    }
    let deviance = half_deviance(shape, x, shape - x);
    let scale = libm::exp(-deviance) / (std::f64::consts::TAU * shape).sqrt();
    let prefix = scale * libm::exp(-stirling_error(shape));
    let log_density = shape * prefix;
    let tails = if shape >= UNIFORM_FROM && (x - shape).abs() <= UNIFORM_WITHIN * shape {
        uniform_expansion(shape, x, deviance, scale)
    } else if x < shape + 1.0 {
        Tails::from_lower(prefix * lower_series(shape, x)?)
    } else {
        Tails::from_lower(log_density * upper_fraction(shape, x)?).swapped()
    };
    Ok(GammaPoint { tails, log_density })
}

/// `1 + x/(a+1) + x^2/((a+1)(a+2)) + ..`
fn lower_series(a: f64, x: f64) -> Result<f64, SpecialError> {
    let mut term = 1.0;
    let mut sum = 1.0;
    let mut denominator = a;
    for _ in 0..MAX_ITERATIONS {
        denominator += 1.0;
        term *= x / denominator;
        sum += term;
        // The terms fall faster than geometrically: what is left is below term * x / (a + 1 - x),
        // so stop only when the term is far below an ulp.
        if term < sum * 1e-19 {
            return Ok(sum);
        }
    }
    Err(SpecialError::NotConverged {
        function: "regularized_gamma",
        iterations: MAX_ITERATIONS,
    })
}

/// `Gamma(a, x) / (x^a e^-x)` as `1/(x+1-a - 1(1-a)/(x+3-a - 2(2-a)/(x+5-a - ..)))`, by Lentz's
/// method.
fn upper_fraction(a: f64, x: f64) -> Result<f64, SpecialError> {
    let mut b = x + 1.0 - a;
    let mut c = f64::INFINITY;
    let mut d = 1.0 / b;
    let mut fraction = d;
    let mut i = 0.0;
    for _ in 0..MAX_ITERATIONS {
        i += 1.0;
        let numerator = -i * (i - a);
        b += 2.0;
        d = 1.0 / nonzero(numerator * d + b);
        c = nonzero(b + numerator / c);
        let factor = c * d;
        fraction *= factor;
        if (factor - 1.0).abs() <= f64::EPSILON {
            return Ok(fraction);
        }
    }
    Err(SpecialError::NotConverged {
        function: "regularized_gamma",
        iterations: MAX_ITERATIONS,
    })
}

/// Keeps Lentz's method from dividing by zero.
pub(super) fn nonzero(value: f64) -> f64 {
    const SMALLEST: f64 = 1e-300;
    if value.abs() < SMALLEST {
        SMALLEST
    } else {
        value
    }
}

/// Coefficients of `C_0`, `C_1` and `C_2` in powers of `eta` (DLMF 8.12.9 and 8.12.10, made by
/// `tests/data/special.py`), as many as [`UNIFORM_FROM`] and [`UNIFORM_WITHIN`] need.
const UNIFORM_C0: [f64; 8] = [
    -1.0 / 3.0,
    1.0 / 12.0,
    -2.0 / 135.0,
    1.0 / 864.0,
    1.0 / 2835.0,
    -139.0 / 777_600.0,
    1.0 / 25_515.0,
    -571.0 / 261_273_600.0,
];
const UNIFORM_C1: [f64; 5] = [
    -1.0 / 540.0,
    -1.0 / 288.0,
    1.0 / 378.0,
    -77.0 / 77_760.0,
    1.0 / 4860.0,
];
const UNIFORM_C2: [f64; 2] = [25.0 / 6048.0, -139.0 / 51_840.0];

/// `Q = erfc(eta sqrt(a/2))/2 + S`, `P = erfc(-eta sqrt(a/2))/2 - S`, with `a eta^2/2` the
/// half-deviance, the sign of eta that of `x - a`, and `S` the scale times `sum C_k(eta) a^-k`.
fn uniform_expansion(a: f64, x: f64, deviance: f64, scale: f64) -> Tails {
    let sign = if x < a { -1.0 } else { 1.0 };
    let eta = sign * (2.0 * deviance / a).sqrt();
    let polynomial = |coefficients: &[f64]| {
        coefficients
            .iter()
            .rev()
            .fold(0.0, |sum, coefficient| sum * eta + coefficient)
    };
    let sum = polynomial(&UNIFORM_C0) + (polynomial(&UNIFORM_C1) + polynomial(&UNIFORM_C2) / a) / a;
    let correction = scale * sum;
    let argument = sign * deviance.sqrt();
    Tails {
        lower: (0.5 * libm::erfc(-argument) - correction).clamp(0.0, 1.0),
        upper: (0.5 * libm::erfc(argument) + correction).clamp(0.0, 1.0),
    }
}

/// Returns the point below which (or above which) a gamma variable of this shape and scale 1 falls
/// with `probability`.
///
/// Newton's method on the logarithms of probability and point, kept inside a bracket, from the
/// approximation of Wilson and Hilferty. Probability 0 of the lower tail gives 0, of the upper tail
/// infinity; so does a point too small for a double give 0.
///
/// # Errors
///
/// [`SpecialError::OutsideDomain`] unless `shape > 0`, finite, and `0 <= probability <= 1`;
/// [`SpecialError::NotConverged`] at the bound.
///
/// ```
/// use serinus_analysis::special::{Tail, gamma_quantile};
///
/// // Shape 1 is the exponential distribution.
/// let x = gamma_quantile(0.05, Tail::Upper, 1.0).unwrap();
/// assert!((x - 20.0_f64.ln()).abs() < 1e-15);
/// ```
pub fn gamma_quantile(probability: f64, tail: Tail, shape: f64) -> Result<f64, SpecialError> {
    const FUNCTION: &str = "gamma_quantile";
    if !(shape > 0.0 && shape < f64::INFINITY && (0.0..=1.0).contains(&probability)) {
        return Err(SpecialError::OutsideDomain { function: FUNCTION });
    }
    // The smaller tail carries the digits.
    let (target, side) = match tail {
        _ if probability <= 0.5 => (probability, tail),
        Tail::Lower => (1.0 - probability, Tail::Upper),
        Tail::Upper => (1.0 - probability, Tail::Lower),
    };
    if target <= 0.0 {
        return Ok(if side == Tail::Lower {
            0.0
        } else {
            f64::INFINITY
        });
    }
    let start = quantile_start(target, side, shape)?;
    invert(
        FUNCTION,
        libm::log(target),
        start,
        side == Tail::Lower,
        |ln_x| {
            let point = gamma_point(shape, libm::exp(ln_x))?;
            let (value, slope) = match side {
                Tail::Lower => (point.tails.lower, point.log_density),
                Tail::Upper => (point.tails.upper, -point.log_density),
            };
            Ok(Point {
                ln_value: libm::log(value),
                slope: slope / value,
            })
        },
    )
}

/// The logarithm of a first guess: Wilson and Hilferty's cube of a normal variable, and near zero
/// the first term of the series.
fn quantile_start(target: f64, side: Tail, shape: f64) -> Result<f64, SpecialError> {
    let z = normal_quantile(target, side)?;
    let ninth = 1.0 / (9.0 * shape);
    let root = 1.0 - ninth + z * ninth.sqrt();
    if root > 0.1 {
        return Ok(libm::log(shape) + 3.0 * libm::log(root));
    }
    let ln_lower = match side {
        Tail::Lower => libm::log(target),
        Tail::Upper => libm::log1p(-target),
    };
    Ok((ln_lower + libm::lgamma(shape + 1.0)) / shape)
}

/// Returns the point below which (or above which) a chi-square variable falls with `probability`:
/// twice [`gamma_quantile`] for half the degrees of freedom.
///
/// # Errors
///
/// Those of [`gamma_quantile`].
///
/// ```
/// use serinus_analysis::special::{Tail, chi_square_quantile};
///
/// let x = chi_square_quantile(0.05, Tail::Upper, 1.0).unwrap();
/// assert!((x - 3.841458820694124).abs() < 1e-14);
/// ```
pub fn chi_square_quantile(
    probability: f64,
    tail: Tail,
    degrees_of_freedom: f64,
) -> Result<f64, SpecialError> {
    Ok(2.0 * gamma_quantile(probability, tail, 0.5 * degrees_of_freedom)?)
}
