//! Sums of exponentials without overflow, and the deflation of evidence.

/// Below this a term is less than the last bit of a sum of a million terms.
const NEGLIGIBLE: f64 = -60.0;

/// Returns `ln(sum of exp(value))` without overflow.
///
/// `M + ln(sum of exp(value - M))` with `M` the largest. Nothing at all, or only `-inf`, gives `-inf`;
/// `+inf` gives `+inf`; NaN gives NaN.
///
/// ```
/// use serinus_analysis::sequential::log_sum_exp;
///
/// assert!((log_sum_exp(&[1000.0, 1000.0]) - (1000.0 + 2.0_f64.ln())).abs() < 1e-12);
/// assert_eq!(log_sum_exp(&[]), f64::NEG_INFINITY);
/// ```
pub fn log_sum_exp(values: &[f64]) -> f64 {
    let largest = largest(values);
    if !largest.is_finite() {
        return largest;
    }
    let sum: f64 = values
        .iter()
        .map(|value| value - largest)
        .filter(|distance| *distance > NEGLIGIBLE)
        .map(exponential)
        .sum();
    largest + libm::log(sum)
}

/// Returns the logarithm of the mean of e-values that are given as logarithms. Nothing at all gives
/// `-inf`.
pub fn log_mean_exp(values: &[f64]) -> f64 {
    log_sum_exp(values) - libm::log(values.len().max(1) as f64)
}

/// Returns `ln(sum of exp(value / divisor))`, the divisor being positive.
pub(super) fn log_sum_exp_of_quotients(values: &[f64], divisor: f64) -> f64 {
    let largest = largest(values);
    if !largest.is_finite() {
        return largest;
    }
    let floor = NEGLIGIBLE * divisor;
    let mut sum = 0.0;
    for value in values {
        let distance = value - largest;
        if distance > floor {
            sum += exponential(distance / divisor);
        }
    }
    largest / divisor + libm::log(sum)
}

/// Returns `ln(exp(a) + exp(b))`.
pub(super) fn log_add_exp(a: f64, b: f64) -> f64 {
    log_sum_exp(&[a, b])
}

/// Evidence for so many "degrees of freedom" of its dispersion.
///
/// `deflate(L, nu) = (nu / 2) ln(1 + 2 L / nu)` for `L > 0`, else `L`. Turns "few blocks" into heavy
/// tails, as Student's t does, and never raises. `degrees_of_freedom` of 0 or less leave nothing of
/// positive evidence; infinity leaves all of it.
///
/// ```
/// use serinus_analysis::sequential::deflate;
///
/// assert!((deflate(20.0, 10.0) - 8.047189562170502).abs() < 1e-14);
/// assert!((deflate(5.0, 33.0) - 4.3674271447468564).abs() < 1e-14);
/// assert_eq!(deflate(-2.0, 10.0), -2.0);
/// ```
pub fn deflate(log_evidence: f64, degrees_of_freedom: f64) -> f64 {
    if log_evidence <= 0.0 || degrees_of_freedom == f64::INFINITY {
        return log_evidence;
    }
    if degrees_of_freedom <= 0.0 {
        return 0.0;
    }
    let half = 0.5 * degrees_of_freedom;
    // Rounding must not raise it.
    (half * libm::log1p(log_evidence / half)).min(log_evidence)
}

/// The largest, or NaN if there is one.
fn largest(values: &[f64]) -> f64 {
    values.iter().fold(f64::NEG_INFINITY, |largest, &value| {
        if value > largest || value.is_nan() {
            value
        } else {
            largest
        }
    })
}

/// `exp`, which costs nothing for the largest term.
fn exponential(distance: f64) -> f64 {
    if distance == 0.0 {
        1.0
    } else {
        libm::exp(distance)
    }
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "corner cases are exact")]
mod tests {
    use super::*;

    #[test]
    fn the_corners_have_values() {
        let (infinity, nothing) = (f64::INFINITY, f64::NEG_INFINITY);
        assert_eq!(log_sum_exp(&[nothing, nothing]), nothing);
        assert_eq!(log_sum_exp(&[nothing, infinity]), infinity);
        assert_eq!(log_sum_exp(&[nothing, 3.0]), 3.0);
        assert!(log_sum_exp(&[f64::NAN, 1.0]).is_nan());
        assert!(log_sum_exp(&[1.0, f64::NAN]).is_nan());
        assert_eq!(log_sum_exp(&[-1e300, 1e300]), 1e300);
        assert_eq!(deflate(1e300, 0.0), 0.0);
        assert_eq!(deflate(7.0, infinity), 7.0);
        assert!(deflate(1e300, 1e-300).is_finite());
    }

    #[test]
    fn quotients_are_those_of_the_plain_sum() {
        let values = [-3.0, 40.0, 38.5, -700.0];
        let plain: Vec<f64> = values.iter().map(|value| value / 2.5).collect();
        let difference = log_sum_exp_of_quotients(&values, 2.5) - log_sum_exp(&plain);
        assert!(difference.abs() < 1e-14);
    }
}
