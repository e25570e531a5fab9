//! The mean of a few values.

use super::{Confidence, Estimate, Interval};
use crate::special::{Tail, student_t_quantile};

/// Returns the mean of the values with Student's interval, in their unit; nothing for fewer than two
/// values or when one is not finite.
///
/// With `n` values, sample standard deviation `s` and `t` the quantile of Student's distribution with
/// `n - 1` degrees of freedom: `mean -+ t s / sqrt(n)`. Equal values give an interval of no width. A
/// bound beyond the largest double is infinite.
///
/// Valid for a single look, for values that are independent of each other: successive scrapes of one
/// pod are not, so give it the means of blocks or of pods.
///
/// Source: Student, "The probable error of a mean", Biometrika 6 (1908), 1-25.
///
/// ```
/// use serinus_analysis::interval::{Confidence, mean_interval};
///
/// let mean = mean_interval(&[1.0, 2.0, 3.0, 4.0], Confidence::new(0.95).unwrap()).unwrap();
/// assert!((mean.value - 2.5).abs() < 1e-15);
/// assert!((mean.interval.lower() - 0.445739743239478).abs() < 1e-14);
/// ```
pub fn mean_interval(values: &[f64], confidence: Confidence) -> Option<Estimate> {
    if values.len() < 2 || !values.iter().all(|value| value.is_finite()) {
        return None;
    }
    let largest = values
        .iter()
        .fold(0.0, |largest: f64, value| largest.max(value.abs()));
    if largest <= 0.0 {
        return Some(Estimate {
            value: 0.0,
            interval: Interval {
                lower: 0.0,
                upper: 0.0,
            },
        });
    }
    // Scaled by a power of two, which is exact, so that no square overflows or underflows.
    let (_, exponent) = libm::frexp(largest);
    let scaled = || values.iter().map(|value| libm::scalbn(*value, -exponent));
    let n = values.len() as f64;
    let first_mean = scaled().sum::<f64>() / n;
    // A second pass takes out what rounding left.
    let mean = first_mean + scaled().map(|value| value - first_mean).sum::<f64>() / n;
    let variance = scaled()
        .map(|value| (value - mean) * (value - mean))
        .sum::<f64>()
        / (n - 1.0);
    let t = student_t_quantile(confidence.tail(), Tail::Upper, n - 1.0).ok()?;
    let margin = t * (variance / n).sqrt();
    let unscaled = |value: f64| libm::scalbn(value, exponent);
    let value = unscaled(mean);
    let interval = Interval::around(value, unscaled(mean - margin), unscaled(mean + margin));
    Some(Estimate { value, interval })
}
