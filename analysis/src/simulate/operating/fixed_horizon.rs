//! The yardstick of a delay: a test whose duration was chosen with the truth in hand.

use super::executor::Executor;
use super::scenario::Scenario;
use crate::sequential::IntervalCounts;

/// Share of the good canaries that the test rolls back, and power that it must have.
const FALSE_ROLLBACK: f64 = 0.01;
const POWER: f64 = 0.9;
/// Most values that are kept, to stay below 200 MB for each of the two laws: of a long rollout fewer
/// replicates are made.
const MOST_VALUES: u64 = 20_000_000;
/// Least variance that a statistic is divided by.
const LEAST_VARIANCE: f64 = 1e-9;

/// `K90`: returns how many intervals after its onset a test of level 1 % that looks once needs to find
/// the effect in 90 % of the rollouts, when its critical value is known from as many rollouts without
/// it. Nothing when the rollout is too short for that.
///
/// `with` and `without` are scenarios that differ in the effect only; that of `without` is the ratio `r`
/// of the limit. The statistic is `z = (X - M phi) / sqrt(M phi (1 - phi))`, with `X` the canary's
/// failures, `M` all failures and `phi = r n / (r n + m)` the canary's part of them at the limit, summed
/// since the onset.
pub fn fixed_horizon_intervals(
    executor: &impl Executor,
    without: &Scenario,
    with: &Scenario,
    replicates: u64,
    seed: u64,
) -> Option<usize> {
    let onset = with.description().onset;
    let ratio = without.description().effect;
    let replicates = replicates.min((MOST_VALUES / with.intervals() as u64).max(1));
    let paths = |scenario: &Scenario| {
        executor.map(replicates, |index| {
            statistics(&scenario.rollout_counts(seed, index), onset, ratio)
        })
    };
    let (good, bad) = (paths(without), paths(with));
    let intervals = with.intervals().saturating_sub(onset);
    let found = (0..intervals).find(|&index| {
        let critical = upper_quantile(&column(&good, index), FALSE_ROLLBACK);
        let values = column(&bad, index);
        let detected = values.iter().filter(|&&value| value > critical).count();
        !values.is_empty() && detected as f64 >= POWER * values.len() as f64
    });
    found.map(|index| index + 1)
}

/// The statistic after every interval since the onset.
fn statistics(intervals: &[IntervalCounts], onset: usize, ratio: f64) -> Vec<f64> {
    let (mut excess, mut variance) = (0.0, 0.0);
    intervals
        .iter()
        .skip(onset)
        .map(|counts| {
            let weighted = ratio * counts.canary.exposure;
            let share = weighted / (weighted + counts.control.exposure);
            let failures = counts.canary.events + counts.control.events;
            excess += counts.canary.events - failures * share;
            variance += failures * share * (1.0 - share);
            excess / f64::max(variance, LEAST_VARIANCE).sqrt()
        })
        .collect()
}

fn column(paths: &[Vec<f64>], index: usize) -> Vec<f64> {
    paths
        .iter()
        .filter_map(|path| path.get(index).copied())
        .collect()
}

/// The value that the given share of the values lies above, on a straight line between two of them;
/// infinite when there are none.
fn upper_quantile(values: &[f64], share: f64) -> f64 {
    if values.is_empty() {
        return f64::INFINITY;
    }
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let position = (1.0 - share) * sorted.len().saturating_sub(1) as f64;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "between 0 and the length"
    )]
    let below = position as usize;
    let lower = sorted.get(below).copied().unwrap_or(f64::INFINITY);
    let upper = sorted.get(below + 1).copied().unwrap_or(lower);
    lower + (position - below as f64) * (upper - lower)
}

#[cfg(test)]
mod tests {
    use super::super::executor::OneThread;
    use super::super::scenario::ScenarioDescription;
    use super::*;

    #[test]
    fn quantiles_lie_between_values() {
        let values: Vec<f64> = (0..=200).rev().map(f64::from).collect();
        assert!((upper_quantile(&values, 0.01) - 198.0).abs() < 1e-9);
        assert!((upper_quantile(&[1.0, 2.0], 0.25) - 1.75).abs() < 1e-12);
        assert!(upper_quantile(&[], 0.01).is_infinite());
    }

    /// For large counts the test is a normal one: `K = ((z_99 + z_90 sd) / shift)^2` with the shift
    /// and the standard deviation of `z` for one interval.
    #[test]
    fn the_duration_is_that_of_the_textbook() {
        let mut description = ScenarioDescription::constant(0.01, 0.5, 4000, 120);
        let without = Scenario::new(description.clone()).unwrap();
        description.effect = 1.3;
        let with = Scenario::new(description).unwrap();
        let actual = fixed_horizon_intervals(&OneThread, &without, &with, 1500, 2).unwrap();
        // 20 and 26 failures an interval: excess 3, variance of the null 23 / 4, of the truth
        // (20 + 26) / 4.
        let (excess, variance) = (3.0, 46.0 / 4.0);
        let needed = ((2.326_348 + 1.281_552) * f64::sqrt(variance) / excess).powi(2);
        let relative_error = actual as f64 / needed - 1.0;
        assert!(relative_error.abs() < 0.15, "{actual} instead of {needed}");
    }

    #[test]
    fn what_cannot_be_found_in_time_is_not() {
        let mut description = ScenarioDescription::constant(1e-4, 0.01, 1500, 20);
        let without = Scenario::new(description.clone()).unwrap();
        description.effect = 1.2;
        let with = Scenario::new(description).unwrap();
        let actual = fixed_horizon_intervals(&OneThread, &without, &with, 50, 2);
        assert_eq!(actual, None);
    }
}
