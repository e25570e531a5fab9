//! The Mann-Whitney test of two samples.

use crate::special::normal_tails;

/// The largest size of a sample for the exact distribution.
const EXACT_MAX_SIZE: usize = 40;

/// What a test looks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Alternative {
    /// The canary's values are larger or smaller than the control's.
    TwoSided,
    /// The canary's values are larger.
    Greater,
    /// The canary's values are smaller.
    Less,
}

/// The result of a rank test.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RankTest {
    /// How many pairs of a canary's and a control's value have the larger one at the canary; ties
    /// count a half.
    pub u: f64,
    /// `u` as a share of all pairs: 0.5 when neither tends to be larger.
    pub effect: f64,
    /// The probability of a difference as large as this or larger, if there were none.
    pub p_value: f64,
}

/// How two sorted samples lie to each other.
pub(super) struct Ranking {
    /// The statistic U of the first sample.
    pub(super) u: f64,
    /// The standard deviation of U, with ties.
    pub(super) deviation: f64,
    /// Whether any two values are equal.
    pub(super) has_ties: bool,
}

/// Ranks `x - shift` among `y`; both sorted, not empty, and finite.
///
/// `U = R - a(a+1)/2`, with R the sum of the average ranks of x, and
/// `deviation^2 = ab/12 ((a+b+1) - sum(t^3 - t) / ((a+b)(a+b-1)))` with t the sizes of the groups of
/// equal values.
pub(super) fn rank(x: &[f64], y: &[f64], shift: f64) -> Ranking {
    // Subtracting one number from sorted numbers keeps them sorted.
    let mut from_x = x.iter().map(|value| value - shift).peekable();
    let mut from_y = y.iter().copied().peekable();
    let (mut ranked, mut rank_sum, mut tie_sum) = (0.0, 0.0, 0.0);
    loop {
        let next = match (from_x.peek(), from_y.peek()) {
            (Some(&a), Some(&b)) => a.min(b),
            (Some(&a), None) => a,
            (None, Some(&b)) => b,
            (None, None) => break,
        };
        let (mut count_x, mut count_y) = (0.0, 0.0);
        while from_x.next_if(|value| *value <= next).is_some() {
            count_x += 1.0;
        }
        while from_y.next_if(|value| *value <= next).is_some() {
            count_y += 1.0;
        }
        let group: f64 = count_x + count_y;
        rank_sum += count_x * (ranked + 0.5 * (group + 1.0));
        tie_sum += group * group * group - group;
        ranked += group;
    }
    let (a, b) = (x.len() as f64, y.len() as f64);
    let total = a + b;
    let variance = a * b / 12.0 * ((total + 1.0) - tie_sum / (total * (total - 1.0)));
    Ranking {
        u: rank_sum - a * (a + 1.0) / 2.0,
        deviation: variance.max(0.0).sqrt(),
        has_ties: tie_sum > 0.0,
    }
}

/// The values in order; nothing when there are none or one is not finite.
pub(super) fn sorted(values: &[f64]) -> Option<Vec<f64>> {
    if values.is_empty() || !values.iter().all(|value| value.is_finite()) {
        return None;
    }
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    Some(sorted)
}

/// Returns the Mann-Whitney test by its normal approximation, with the variance corrected for ties;
/// nothing when a sample is empty, a value is not finite, or all values are equal.
///
/// With `z = (U - ab/2 - c) / deviation`, where c is 1/2 with the correction for continuity and 0
/// without, the p value of [`Alternative::Greater`] is the normal probability above z; that of
/// [`Alternative::Less`] the same with the samples exchanged; two-sided it is twice the smaller one,
/// at most 1. The order and the unit of the values do not matter.
///
/// Source: H. B. Mann and D. R. Whitney, "On a test of whether one of two random variables is
/// stochastically larger than the other", Ann. Math. Statist. 18 (1947), 50-60.
///
/// ```
/// use serinus_analysis::rank::{Alternative, mann_whitney};
///
/// let canary = [10.0, 20.0, 30.0, 40.0];
/// let control = [1.0, 2.0, 3.0, 4.0];
/// let test = mann_whitney(&canary, &control, Alternative::TwoSided, true).unwrap();
/// assert_eq!(test.u, 16.0);
/// assert!((test.p_value - 0.03038282197657749).abs() < 1e-15);
/// ```
pub fn mann_whitney(
    canary: &[f64],
    control: &[f64],
    alternative: Alternative,
    corrects_continuity: bool,
) -> Option<RankTest> {
    let ranking = rank(&sorted(canary)?, &sorted(control)?, 0.0);
    if ranking.deviation <= 0.0 {
        return None;
    }
    let pairs = canary.len() as f64 * control.len() as f64;
    let correction = if corrects_continuity { 0.5 } else { 0.0 };
    let above = |u: f64| {
        normal_tails((u - 0.5 * pairs - correction) / ranking.deviation)
            .ok()
            .map(|t| t.upper)
    };
    let p_value = one_or_two_sided(alternative, ranking.u, pairs, above)?;
    Some(RankTest {
        u: ranking.u,
        effect: ranking.u / pairs,
        p_value,
    })
}

/// Returns the Mann-Whitney test by the exact distribution of U; nothing when a sample is empty or
/// larger than 40, a value is not finite, or two values are equal.
///
/// The distribution comes from the recurrence of Mann and Whitney on the largest value, which is one
/// of the a or one of the b: `P(a, b, u) = a/(a+b) P(a-1, b, u-b) + b/(a+b) P(a, b-1, u)`.
///
/// ```
/// use serinus_analysis::rank::{Alternative, mann_whitney_exact};
///
/// let canary = [10.0, 20.0, 30.0, 40.0];
/// let control = [1.0, 2.0, 3.0, 4.0];
/// let test = mann_whitney_exact(&canary, &control, Alternative::TwoSided).unwrap();
/// assert!((test.p_value - 2.0 / 70.0).abs() < 1e-16);
/// ```
pub fn mann_whitney_exact(
    canary: &[f64],
    control: &[f64],
    alternative: Alternative,
) -> Option<RankTest> {
    if canary.len() > EXACT_MAX_SIZE || control.len() > EXACT_MAX_SIZE {
        return None;
    }
    let ranking = rank(&sorted(canary)?, &sorted(control)?, 0.0);
    if ranking.has_ties {
        return None;
    }
    let pairs = canary.len() as f64 * control.len() as f64;
    let distribution = exact_distribution(canary.len(), control.len());
    // The distribution is symmetric, and from its low end the small ones are added first.
    let above = |u: f64| {
        let lowest = distribution.iter().zip(0_u32..);
        let counted = lowest.take_while(|(_, value)| f64::from(*value) <= pairs - u);
        Some(counted.map(|(probability, _)| probability).sum())
    };
    let p_value = one_or_two_sided(alternative, ranking.u, pairs, above)?;
    Some(RankTest {
        u: ranking.u,
        effect: ranking.u / pairs,
        p_value,
    })
}

/// The p value from the probability of a U at least as large.
fn one_or_two_sided(
    alternative: Alternative,
    u: f64,
    pairs: f64,
    above: impl Fn(f64) -> Option<f64>,
) -> Option<f64> {
    let p_value = match alternative {
        Alternative::Greater => above(u)?,
        Alternative::Less => above(pairs - u)?,
        Alternative::TwoSided => 2.0 * above(u.max(pairs - u))?,
    };
    Some(p_value.min(1.0))
}

/// The probabilities of U = 0, 1, .., ab for samples of a and b.
fn exact_distribution(a: usize, b: usize) -> Vec<f64> {
    // By size of the second sample; for no values in the first, U is 0.
    let mut by_size = vec![vec![1.0]; b + 1];
    for size_a in 1..=a {
        let mut next: Vec<Vec<f64>> = Vec::with_capacity(b + 1);
        for (size_b, without_a) in by_size.iter().enumerate() {
            let share_a = size_a as f64 / (size_a + size_b) as f64;
            let mut probabilities = vec![0.0; size_a * size_b + 1];
            let shifted = probabilities.iter_mut().skip(size_b);
            for (sum, probability) in shifted.zip(without_a) {
                *sum += share_a * probability;
            }
            if let Some(without_b) = next.last() {
                for (sum, probability) in probabilities.iter_mut().zip(without_b) {
                    *sum += (1.0 - share_a) * probability;
                }
            }
            next.push(probabilities);
        }
        by_size = next;
    }
    by_size.pop().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exact_distribution_of_two_and_two_counts_the_six_orders() {
        let expected = [1.0, 1.0, 2.0, 1.0, 1.0].map(|orders| orders / 6.0);
        let distribution = exact_distribution(2, 2);
        assert_eq!(distribution.len(), 5);
        for (probability, expected) in distribution.iter().zip(expected) {
            assert!((probability - expected).abs() < 1e-16);
        }
    }

    #[test]
    fn exact_distribution_is_symmetric_and_sums_to_one() {
        for (a, b) in [(1, 1), (1, 40), (7, 13), (40, 40)] {
            let distribution = exact_distribution(a, b);
            assert_eq!(distribution.len(), a * b + 1);
            assert!((distribution.iter().sum::<f64>() - 1.0).abs() < 1e-13);
            for (left, right) in distribution.iter().zip(distribution.iter().rev()) {
                assert!((left - right).abs() <= 1e-13 * left);
            }
        }
    }

    #[test]
    fn nothing_from_nothing_from_nan_and_from_one_value() {
        let test = |x: &[f64], y: &[f64]| mann_whitney(x, y, Alternative::TwoSided, true);
        assert_eq!(test(&[], &[1.0]), None);
        assert_eq!(test(&[1.0], &[]), None);
        assert_eq!(test(&[1.0, f64::NAN], &[2.0]), None);
        assert_eq!(test(&[1.0, f64::INFINITY], &[2.0]), None);
        assert_eq!(test(&[3.0, 3.0], &[3.0]), None);
    }
}
