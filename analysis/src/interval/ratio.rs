//! The ratio of two estimates, from the interval of each.

use super::{Confidence, Count, Estimate, Interval, wilson_interval};

/// A ratio with its interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RatioEstimate {
    /// The ratio; nothing when the denominator is zero.
    pub value: Option<f64>,
    /// The interval, with no negative numbers. The upper bound is infinite when the denominator may
    /// be zero; the lower bound is a number even then.
    pub interval: Interval,
}

/// Returns the ratio of two shares, `a / b`, with its MOVER interval from Wilson limits; nothing when
/// one sample is empty.
///
/// With estimates `p1`, `p2` and limits `l1, u1`, `l2, u2`:
///
/// `lower = (p1 p2 - sqrt((p1 p2)^2 - l1 (2 p1 - l1) u2 (2 p2 - u2))) / (u2 (2 p2 - u2))`,
/// `upper = (p1 p2 + sqrt((p1 p2)^2 - u1 (2 p1 - u1) l2 (2 p2 - l2))) / (l2 (2 p2 - l2))`.
///
/// Without events in `b` there is no ratio and no upper bound, but there is a lower one. Valid for a
/// single look at the data.
///
/// Source: A. Donner and G. Zou, "Closed-form confidence intervals for functions of the normal mean
/// and standard deviation", Statistical Methods in Medical Research 21 (2012), 347-359.
///
/// ```
/// use serinus_analysis::interval::{Confidence, Count, proportion_ratio};
///
/// let confidence = Confidence::new(0.95).unwrap();
/// let canary = Count::new(10.0, 1_000.0).unwrap();
/// let control = Count::new(100.0, 100_000.0).unwrap();
/// let ratio = proportion_ratio(canary, control, confidence).unwrap();
/// assert!((ratio.value.unwrap() - 10.0).abs() < 1e-13);
/// assert!((ratio.interval.lower() - 5.299265643457647).abs() < 1e-13);
/// assert!((ratio.interval.upper() - 18.96671128739120).abs() < 1e-13);
///
/// let none = Count::new(0.0, 100_000.0).unwrap();
/// let ratio = proportion_ratio(canary, none, confidence).unwrap();
/// assert_eq!(ratio.value, None);
/// assert!(ratio.interval.lower() > 100.0);
/// assert_eq!(ratio.interval.upper(), f64::INFINITY);
/// ```
pub fn proportion_ratio(a: Count, b: Count, confidence: Confidence) -> Option<RatioEstimate> {
    let numerator = Estimate {
        value: a.share()?,
        interval: wilson_interval(a, confidence),
    };
    let denominator = Estimate {
        value: b.share()?,
        interval: wilson_interval(b, confidence),
    };
    Some(mover_ratio(numerator, denominator))
}

/// The formula of [`proportion_ratio`] for any two estimates that are not negative, written without
/// cancellation and without a zero denominator.
///
/// With `a = 1 - l1/p1`, `b = 1 - l2/p2` and the upper margins `m1 = u1 - p1`, `m2 = u2 - p2` it is
///
/// `lower = p1 (1 - a^2) / (p2 + sqrt((p2 a)^2 + m2^2 (1 - a^2)))`,
/// `upper = (p1 + sqrt((p1 b)^2 + m1^2 (1 - b^2))) / (p2 (1 - b^2))`.
pub(super) fn mover_ratio(numerator: Estimate, denominator: Estimate) -> RatioEstimate {
    let (p1, p2) = (numerator.value, denominator.value);
    let margin_1 = numerator.interval.upper() - p1;
    let margin_2 = denominator.interval.upper() - p2;
    let lower = if numerator.interval.lower() <= 0.0 {
        0.0
    } else {
        let kept = numerator.interval.lower() / p1;
        let rest = kept * (2.0 - kept);
        p1 * rest / (p2 + libm::hypot(p2 * (1.0 - kept), margin_2 * rest.sqrt()))
    };
    let upper = if denominator.interval.lower() <= 0.0 {
        f64::INFINITY
    } else {
        let kept = denominator.interval.lower() / p2;
        let rest = kept * (2.0 - kept);
        (p1 + libm::hypot(p1 * (1.0 - kept), margin_1 * rest.sqrt())) / p2 / rest
    };
    let ratio = p1 / p2;
    let value = ratio.is_finite().then_some(ratio);
    let interval = Interval::around(value.unwrap_or(upper), lower, upper);
    RatioEstimate { value, interval }
}
