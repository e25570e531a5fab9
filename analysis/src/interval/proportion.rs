//! Wilson's interval of a share, and Newcombe's of the difference of two.

use super::{Confidence, Count, Estimate, Interval};

/// Returns the Wilson score interval of a binomial proportion.
///
/// With `p = events / total`, `n = total` and `z` the normal quantile of the confidence:
///
/// `center = (p + z^2 / 2n) / (1 + z^2 / n)`,
/// `margin = z sqrt(p (1 - p) / n + z^2 / 4n^2) / (1 + z^2 / n)`.
///
/// The lower bound is computed as `p^2 / (center + margin)` over `1 + z^2 / n`, which is the same
/// number (the bounds are the roots of a quadratic) without the cancellation. It is exactly 0
/// without events, the upper bound exactly 1 with nothing but events, and an empty sample gives
/// `[0, 1]`: nothing is known.
///
/// Valid for a single look at the data; polled, it is wrong far more often than `1 - confidence`.
///
/// Source: E. B. Wilson, "Probable inference, the law of succession, and statistical inference",
/// JASA 22 (1927), 209-212.
///
/// ```
/// use serinus_analysis::interval::{Confidence, Count, wilson_interval};
///
/// let interval =
///     wilson_interval(Count::new(1.0, 1000.0).unwrap(), Confidence::new(0.95).unwrap());
/// assert!((interval.lower() - 0.00017654637062607803).abs() < 1e-17);
/// assert!((interval.upper() - 0.005642558597957935).abs() < 1e-16);
/// ```
pub fn wilson_interval(count: Count, confidence: Confidence) -> Interval {
    let Some(share) = count.share() else {
        return Interval {
            lower: 0.0,
            upper: 1.0,
        };
    };
    let (events, total) = (count.events(), count.total());
    let z = confidence.normal_quantile();
    let half_square = 0.5 * z * z;
    // The formula times n, so that nothing overflows or underflows.
    let others = (total - events) / total;
    let sum = events + half_square + z * (events * others + 0.5 * half_square).sqrt();
    let lower = if events <= 0.0 {
        0.0
    } else {
        events * (share / sum)
    };
    let upper = if events >= total {
        1.0
    } else {
        sum / (total + 2.0 * half_square)
    };
    Interval::around(share, lower, upper.min(1.0))
}

/// Returns the difference of two shares, `a - b`, with Newcombe's hybrid score interval; nothing when
/// one sample is empty.
///
/// With Wilson limits `l1, u1` of `a` and `l2, u2` of `b` at the same confidence, and `d = p1 - p2`:
///
/// `lower = d - sqrt((p1 - l1)^2 + (u2 - p2)^2)`, `upper = d + sqrt((u1 - p1)^2 + (p2 - l2)^2)`.
///
/// The bounds lie in `[-1, 1]`. Valid for a single look at the data.
///
/// Source: R. G. Newcombe, "Interval estimation for the difference between independent proportions:
/// comparison of eleven methods", Statistics in Medicine 17 (1998), 873-890, method 10.
///
/// ```
/// use serinus_analysis::interval::{Confidence, Count, newcombe_difference};
///
/// let a = Count::new(56.0, 70.0).unwrap();
/// let b = Count::new(48.0, 80.0).unwrap();
/// let difference = newcombe_difference(a, b, Confidence::new(0.95).unwrap()).unwrap();
/// assert!((difference.value - 0.2).abs() < 1e-15);
/// assert!((difference.interval.lower() - 0.0524314724023649).abs() < 1e-14);
/// assert!((difference.interval.upper() - 0.333872654036906).abs() < 1e-14);
/// ```
pub fn newcombe_difference(a: Count, b: Count, confidence: Confidence) -> Option<Estimate> {
    let (share_a, share_b) = (a.share()?, b.share()?);
    let (limits_a, limits_b) = (
        wilson_interval(a, confidence),
        wilson_interval(b, confidence),
    );
    let difference = share_a - share_b;
    let down = libm::hypot(share_a - limits_a.lower(), limits_b.upper() - share_b);
    let up = libm::hypot(limits_a.upper() - share_a, share_b - limits_b.lower());
    let lower = (difference - down).max(-1.0);
    let upper = (difference + up).min(1.0);
    Some(Estimate {
        value: difference,
        interval: Interval::around(difference, lower, upper),
    })
}
