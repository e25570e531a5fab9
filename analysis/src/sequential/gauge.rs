//! Gauges: paired differences in blocks, because the scrapes of a pod are one long correlated series.
//!
//! Calibrated by simulation, not proven.

use super::limit::ErrorRate;
use super::log_space::deflate;
use crate::special::ln_normal_cdf;

/// Lengths of blocks, in intervals. With a history, twice its [`integrated_autocorrelation_time`] is to
/// be added.
pub const BLOCK_LENGTHS: [usize; 3] = [10, 20, 40];

/// Fewest blocks with evidence.
const FEWEST_BLOCKS: usize = 4;
/// Fewest intervals with evidence: the fewest of the shortest blocks.
pub const FEWEST_GAUGE_INTERVALS: usize = FEWEST_BLOCKS * BLOCK_LENGTHS[0];
/// A relative limit at least this wide, or its inverse where more is better, lets a gauge vote.
const LEAST_VOTING_RATIO: f64 = 1.25;

/// Returns the means of the complete blocks of `length` intervals of paired differences
/// `canary - ratio * control - offset`. A block of which more than half is missing (nothing, or not
/// finite) is left out.
pub fn block_means(differences: &[Option<f64>], length: usize) -> Vec<f64> {
    if length == 0 {
        return Vec::new();
    }
    let mean = |block: &[Option<f64>]| {
        let present = || block.iter().flatten().filter(|value| value.is_finite());
        let count = present().count();
        (2 * count >= length).then(|| present().sum::<f64>() / count as f64)
    };
    differences.chunks_exact(length).filter_map(mean).collect()
}

/// Returns `ln E` that the mean of the blocks is above 0.
///
/// With `B` blocks, `z = sqrt(B) mean / s`, `s` their standard deviation (`B - 1`) and
/// `B* = max(B_plan / 4, 5)`: `rho2 = (-2 ln(2 alpha) + ln(1 - 2 ln(2 alpha))) / B*`, `c = B rho2 + 1`,
/// `deflate(ln(4 / c) / 2 + z^2 B rho2 / (2 c) + ln Phi(z sqrt(B rho2 / c)), B - 1)`; 0 below 4 blocks.
/// Blocks that are all the same are what blocks come to that vary ever less: sure above 0 and sure below
/// it, and without evidence at 0.
/// For compliance give the differences with the opposite sign. Blocks that are not finite give 0.
///
/// Source: I. Waudby-Smith and others, "Time-uniform central limit theory and asymptotic confidence
/// sequences", Annals of Statistics 52 (2024), proposition B.1; the one-sided normal mixture of
/// S. Howard and others, Annals of Statistics 49 (2021), proposition 6.
///
/// ```
/// use serinus_analysis::sequential::{ErrorRate, gauge_log_evidence};
///
/// let means = [1.0, 0.5, 1.5, 0.8];
/// let log_evidence = gauge_log_evidence(&means, 24, ErrorRate::ROLLBACK);
/// assert!((log_evidence - 2.8545242).abs() < 1e-7);
/// ```
pub fn gauge_log_evidence(
    block_means: &[f64],
    planned_blocks: usize,
    error_rate: ErrorRate,
) -> f64 {
    let count = block_means.len();
    if count < FEWEST_BLOCKS {
        return 0.0;
    }
    let blocks = count as f64;
    let mean = block_means.iter().sum::<f64>() / blocks;
    let squares: f64 = block_means
        .iter()
        .map(|value| (value - mean) * (value - mean))
        .sum();
    let deviation = libm::sqrt(squares / (blocks - 1.0));
    let z = if deviation > 0.0 {
        libm::sqrt(blocks) * mean / deviation
    } else if squares <= 0.0 {
        // As of what hardly varies. On the limit itself nothing is known, whatever the noise.
        mean * f64::INFINITY
    } else {
        0.0
    };
    // A z beyond any float's use: 1e100 squared is still a number.
    let z = if z.is_nan() {
        0.0
    } else {
        z.clamp(-1e100, 1e100)
    };
    let best_at = (0.25 * planned_blocks as f64).max(5.0);
    let precision = mixture_precision(error_rate, best_at);
    deflate(
        log_mixture(z * libm::sqrt(blocks), blocks, precision),
        blocks - 1.0,
    )
}

/// Returns the smallest `ln E` over blocks of 10, 20 and 40 intervals, and of `history_block_length` if
/// there is one, among those with at least 4 blocks; 0 if there are none. The longest length counts
/// that the data has blocks for.
///
/// `planned_intervals` is the longest duration of the rollout.
pub fn smallest_gauge_log_evidence(
    differences: &[Option<f64>],
    planned_intervals: usize,
    history_block_length: Option<usize>,
    error_rate: ErrorRate,
) -> f64 {
    let evidence = |length: usize| {
        let means = block_means(differences, length);
        (means.len() >= FEWEST_BLOCKS)
            .then(|| gauge_log_evidence(&means, planned_intervals / length, error_rate))
    };
    BLOCK_LENGTHS
        .into_iter()
        .chain(history_block_length)
        .filter_map(evidence)
        .min_by(f64::total_cmp)
        .unwrap_or(0.0)
}

/// Whether a gauge may cause a rollback: with an absolute limit (`None`), or a relative one of at least
/// 1.25 times the control (at most 0.8 times where more is better). With a tighter one drift makes it
/// fire too often: it may only hold.
pub fn gauge_may_roll_back(ratio: Option<f64>) -> bool {
    ratio.is_none_or(|ratio| {
        ratio >= LEAST_VOTING_RATIO || (ratio > 0.0 && ratio <= 1.0 / LEAST_VOTING_RATIO)
    })
}

/// Returns `ln` of the one-sided normal mixture at the sum `sum` with intrinsic time `time`.
///
/// `ln(4 rho / (time + rho)) / 2 + sum^2 / (2 (time + rho)) + ln Phi(sum / sqrt(time + rho))` with
/// `rho = 1 / precision`, where `precision` is the variance of the mixed effects (`rho2` of the other
/// functions here). NaN gives 0: no evidence.
///
/// Source: S. Howard and others, Annals of Statistics 49 (2021), equation 50.
pub fn normal_mixture_log_evidence(sum: f64, time: f64, precision: f64) -> f64 {
    let is_valid = sum.is_finite() && time >= 0.0 && time.is_finite() && precision > 0.0;
    if is_valid && precision.is_finite() {
        log_mixture(sum, time, precision)
    } else {
        0.0
    }
}

fn log_mixture(sum: f64, time: f64, precision: f64) -> f64 {
    let widened = time * precision + 1.0;
    let scaled = sum * libm::sqrt(precision / widened);
    0.5 * libm::log(4.0 / widened) + 0.5 * scaled * scaled + ln_normal_cdf(scaled).unwrap_or(0.0)
}

/// `rho2`: tunes the mixture to be tightest after `best_at` observations.
fn mixture_precision(error_rate: ErrorRate, best_at: f64) -> f64 {
    // Of 1 and more there is no such bound: half is as loose as it gets.
    let log_level = -2.0 * libm::log((2.0 * error_rate.value()).min(0.999_999));
    (log_level + libm::log1p(log_level)) / best_at
}

/// Returns the margin by which a running mean of `count` values of variance `variance` may differ from
/// the truth, to one side, at any time.
///
/// `s sqrt(2 (n rho2 + 1) / (n^2 rho2) ln(1 + sqrt(n rho2 + 1) / (2 alpha)))`, tightest after `best_at`
/// values. For display; asymptotic. Infinite without values; a variance that is not a number of at
/// least 0 gives infinity too.
///
/// Source: I. Waudby-Smith and others, Annals of Statistics 52 (2024), proposition B.1.
pub fn mean_margin(count: f64, best_at: f64, error_rate: ErrorRate, variance: f64) -> f64 {
    if !(count > 0.0 && best_at > 0.0 && variance >= 0.0) {
        return f64::INFINITY;
    }
    let precision = mixture_precision(error_rate, best_at);
    let widened = count * precision + 1.0;
    let level = libm::log1p(libm::sqrt(widened) / (2.0 * error_rate.value()));
    libm::sqrt(variance) * libm::sqrt(2.0 * widened / (count * count * precision) * level)
}

/// Returns the integrated autocorrelation time of a series, in its steps:
/// `1 + 2 (sum of autocorrelations)`, at least 1. Nothing below 8 values or for a constant.
///
/// The sum ends before the first pair of lags `2 t, 2 t + 1` whose sum is not positive (C. Geyer,
/// "Practical Markov chain Monte Carlo", Statistical Science 7 (1992), section 3.3), and at half of
/// the series.
pub fn integrated_autocorrelation_time(values: &[f64]) -> Option<f64> {
    let count = values.len();
    if count < 8 || values.iter().any(|value| !value.is_finite()) {
        return None;
    }
    let mean = values.iter().sum::<f64>() / count as f64;
    let covariance = |lag: usize| -> f64 {
        values
            .iter()
            .zip(values.iter().skip(lag))
            .map(|(a, b)| (a - mean) * (b - mean))
            .sum()
    };
    let variance = covariance(0);
    if !(variance > 0.0 && variance.is_finite()) {
        return None;
    }
    let mut pairs = 0.0;
    for lag in (0..count / 2).step_by(2) {
        let pair = (covariance(lag) + covariance(lag + 1)) / variance;
        if pair <= 0.0 {
            break;
        }
        pairs += pair;
    }
    Some((2.0 * pairs - 1.0).max(1.0))
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "corner cases are exact")]
mod tests {
    use super::*;

    #[test]
    fn the_evidence_of_the_design_is_met() {
        let means = [1.0, 0.5, 1.5, 0.8, 1.2, 0.9, 1.1, 0.7];
        let expected = [
            2.854_524_2,
            4.276_673_26,
            5.696_369_87,
            7.340_993,
            8.384_650_85,
        ];
        for (blocks, expected) in (4..=8).zip(expected) {
            let actual = gauge_log_evidence(&means[..blocks], 24, ErrorRate::ROLLBACK);
            assert!(
                (actual - expected).abs() < 1e-7,
                "{actual} is not {expected}"
            );
        }
        assert_eq!(
            gauge_log_evidence(&means[..3], 24, ErrorRate::ROLLBACK),
            0.0
        );
    }

    #[test]
    fn a_gap_is_no_value() {
        let mut differences = vec![Some(1.0); 10];
        for gap in differences.iter_mut().take(5) {
            *gap = None;
        }
        differences.extend([Some(f64::NAN); 6].into_iter().chain([Some(3.0); 4]));
        assert_eq!(block_means(&differences, 10), [1.0]);
        assert_eq!(block_means(&differences, 0), []);
        assert_eq!(block_means(&differences, 21), []);
    }

    #[test]
    fn the_smallest_evidence_of_the_block_lengths_counts() {
        // A slow wave: the short blocks believe it, the long ones know better.
        let differences: Vec<Option<f64>> = (0..160)
            .map(|step| Some(0.5 + libm::sin(f64::from(step) / 15.0)))
            .collect();
        let of = |length| {
            let means = block_means(&differences, length);
            gauge_log_evidence(&means, 480 / length, ErrorRate::ROLLBACK)
        };
        let smallest = smallest_gauge_log_evidence(&differences, 480, None, ErrorRate::ROLLBACK);
        assert_eq!(smallest, of(10).min(of(20)).min(of(40)));
        let with_history =
            smallest_gauge_log_evidence(&differences, 480, Some(30), ErrorRate::ROLLBACK);
        assert_eq!(with_history, smallest.min(of(30)));
        let short = &differences[..39];
        assert_eq!(
            smallest_gauge_log_evidence(short, 480, None, ErrorRate::ROLLBACK),
            0.0
        );
    }

    #[test]
    fn the_vote_needs_a_margin() {
        for (ratio, may) in [(None, true), (Some(1.25), true), (Some(1.2), false)] {
            assert_eq!(gauge_may_roll_back(ratio), may);
        }
        assert!(gauge_may_roll_back(Some(0.8)));
        assert!(!gauge_may_roll_back(Some(0.9)));
        assert!(!gauge_may_roll_back(Some(f64::NAN)));
    }

    #[test]
    fn nonsense_is_no_evidence() {
        for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            let actual = gauge_log_evidence(&[bad, 1.0, 2.0, 3.0], 24, ErrorRate::ROLLBACK);
            assert!(actual.is_finite() && actual <= 0.0);
            assert_eq!(normal_mixture_log_evidence(bad, 1.0, 1.0), 0.0);
        }
        assert!(gauge_log_evidence(&[1e308; 5], 24, ErrorRate::ROLLBACK).is_finite());
    }

    #[test]
    fn what_never_varies_is_told_as_what_hardly_does() {
        let of = |means: [f64; 4]| gauge_log_evidence(&means, 24, ErrorRate::ROLLBACK);
        let hardly = |level: f64| of([level, level + 1e-9, level - 1e-9, level]);
        for level in [0.5, 1e-6, 1e6] {
            assert!(of([level; 4]) >= hardly(level) && hardly(level) > 6.0);
            assert!(of([-level; 4]) <= 0.0);
        }
        let precision = mixture_precision(ErrorRate::ROLLBACK, 6.0);
        assert_eq!(of([0.0; 4]), log_mixture(0.0, 4.0, precision));
    }

    /// Between 0 and 1, as if at random: the finalizer of splitmix64.
    fn noise(step: u64) -> f64 {
        let mut bits = step.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((bits ^ (bits >> 31)) >> 11) as f64 / 9_007_199_254_740_992.0
    }

    #[test]
    fn the_autocorrelation_time_of_an_alternation_and_of_runs_differ() {
        let alternating: Vec<f64> = (0..200).map(|step| f64::from(step % 2)).collect();
        assert_eq!(integrated_autocorrelation_time(&alternating), Some(1.0));
        // Runs of 10 equal values: triangular autocorrelation, which sums to 10.
        let runs: Vec<f64> = (0_u64..8000).map(|step| noise(step / 10)).collect();
        let time = integrated_autocorrelation_time(&runs).unwrap();
        assert!((time - 10.0).abs() < 2.0, "{time}");
        assert_eq!(integrated_autocorrelation_time(&[1.0; 20]), None);
        assert_eq!(integrated_autocorrelation_time(&[1.0, 2.0]), None);
    }
}
