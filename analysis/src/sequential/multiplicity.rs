//! Many checks under one budget, and which of them is to blame.

use super::limit::ErrorRate;
use super::log_space::{log_add_exp, log_sum_exp};

/// How far rounding may move a threshold of the list of discoveries, relative.
const ROUNDING: f64 = 1e-12;

/// The evidence of one check and its weight in the rollout's budget.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct WeightedEvidence {
    /// The weight, fixed when the rollout began; all of them add up to 1. A check that may not roll
    /// back has 0.
    pub weight: f64,
    /// `ln E` now; 0 for a check without data.
    pub log_evidence: f64,
}

/// Returns `ln` of the weighted mean of the e-values, `lse(ln v_i + ln E_i)`: rollback when it reaches
/// [`ErrorRate::log_threshold`]. All checks must be at the same interval. Nothing, or only weights of 0,
/// gives `-inf`. A weight that is no number counts as 0.
///
/// Valid under any dependence between the checks, and never weaker than Bonferroni's correction.
///
/// Source: V. Vovk and R. Wang, "E-values", Annals of Statistics 49 (2021), proposition 3.1.
///
/// ```
/// use serinus_analysis::sequential::{ErrorRate, WeightedEvidence, combined_log_evidence};
///
/// let checks = [(0.5, 6.0), (0.3, 1.0), (0.2, -2.0)]
///     .map(|(weight, log_evidence)| WeightedEvidence { weight, log_evidence });
/// let combined = combined_log_evidence(&checks);
/// assert!((combined - 5.311021073437274).abs() < 1e-14);
/// assert!(combined >= ErrorRate::ROLLBACK.log_threshold());
/// ```
pub fn combined_log_evidence(checks: &[WeightedEvidence]) -> f64 {
    let terms: Vec<f64> = checks
        .iter()
        .filter(|check| check.weight > 0.0)
        .map(|check| libm::log(check.weight) + check.log_evidence)
        .collect();
    log_sum_exp(&terms)
}

/// Returns for each check `ln e*`, its e-value adjusted for the others (equal weights): the smallest mean
/// of it with any of the others, `min over k of mean(e_i and the k smallest others)`. A check is proven
/// individually when it reaches [`ErrorRate::log_threshold`]. The rollback can be proven with none of
/// them proven: then the largest is to be named.
///
/// Source: V. Vovk and R. Wang, "E-values", Annals of Statistics 49 (2021), algorithm 1.
///
/// ```
/// use serinus_analysis::sequential::adjusted_log_evidence;
///
/// let adjusted = adjusted_log_evidence(&[60.0_f64.ln(), 60.0_f64.ln(), f64::NEG_INFINITY]);
/// assert!((adjusted[0].exp() - 30.0).abs() < 1e-12);
/// assert_eq!(adjusted[2].exp(), 0.0);
/// ```
pub fn adjusted_log_evidence(log_evidence: &[f64]) -> Vec<f64> {
    let mut ascending: Vec<usize> = (0..log_evidence.len()).collect();
    let of = |index: usize| log_evidence.get(index).copied().unwrap_or(f64::NAN);
    ascending.sort_by(|&a, &b| of(a).total_cmp(&of(b)));
    let adjusted = |index: usize| {
        let mut sum = of(index);
        let mut smallest = sum;
        let mut count = 1.0;
        for &other in ascending.iter().filter(|&&other| other != index) {
            sum = log_add_exp(sum, of(other));
            count += 1.0;
            smallest = smallest.min(sum - libm::log(count));
        }
        smallest
    };
    (0..log_evidence.len()).map(adjusted).collect()
}

/// Returns the indices of the checks that are beyond their limit with a false discovery rate of at most
/// `error_rate`, ascending: the `k` largest for the largest `k` with `k e_(k) / M >= 1 / alpha`. For a
/// report, not for a decision: it uses the values now, not the largest so far.
///
/// Source: R. Wang and A. Ramdas, "False discovery rate control with e-values", JRSS B 84 (2022),
/// the e-BH procedure.
///
/// ```
/// use serinus_analysis::sequential::{ErrorRate, false_discovery_list};
///
/// let evidence = [60.0_f64.ln(), 60.0_f64.ln(), f64::NEG_INFINITY];
/// let list = false_discovery_list(&evidence, ErrorRate::new(0.025).unwrap());
/// assert_eq!(list, [0, 1]);
/// ```
pub fn false_discovery_list(log_evidence: &[f64], error_rate: ErrorRate) -> Vec<usize> {
    let mut descending: Vec<(usize, f64)> = log_evidence.iter().copied().enumerate().collect();
    descending.retain(|(_, value)| !value.is_nan());
    descending.sort_by(|(_, a), (_, b)| b.total_cmp(a));
    let threshold = libm::log(log_evidence.len().max(1) as f64 / error_rate.value()) - ROUNDING;
    let discovered = descending
        .iter()
        .zip(1_u32..)
        .filter(|((_, value), rank)| libm::log(f64::from(*rank)) + value >= threshold)
        .map(|(_, rank)| rank as usize)
        .max()
        .unwrap_or(0);
    let mut indices: Vec<usize> = descending
        .iter()
        .take(discovered)
        .map(|(index, _)| *index)
        .collect();
    indices.sort_unstable();
    indices
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "corner cases are exact")]
mod tests {
    use super::super::log_space::log_mean_exp;
    use super::*;

    #[test]
    fn no_checks_prove_nothing() {
        assert_eq!(combined_log_evidence(&[]), f64::NEG_INFINITY);
        let weightless = WeightedEvidence {
            weight: 0.0,
            log_evidence: 1e6,
        };
        assert_eq!(combined_log_evidence(&[weightless]), f64::NEG_INFINITY);
        assert_eq!(adjusted_log_evidence(&[]), []);
        assert_eq!(false_discovery_list(&[], ErrorRate::ROLLBACK), []);
    }

    #[test]
    fn equal_weights_are_the_mean() {
        let values = [3.0, -1.0, 0.5, 700.0];
        let checks = values.map(|log_evidence| WeightedEvidence {
            weight: 0.25,
            log_evidence,
        });
        let difference = combined_log_evidence(&checks) - log_mean_exp(&values);
        assert!(difference.abs() < 1e-12);
    }
}
