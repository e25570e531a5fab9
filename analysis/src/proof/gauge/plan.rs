//! How long a gauge takes to be decided.
//!
//! Source: docs/design/gauges.md, "6. Planning".

use super::evidence::mixture_log_evidence;
use super::reading::{FEWEST_SAMPLES, is_enough};
use super::spread::{ASSUMED, GaugeSpread, KNOWN, MEMORY_SECONDS, OF_DISTANCE, OF_SAMPLES, WEIGHT};
use crate::sequential::ErrorRate;

/// A week: nothing is planned beyond it.
const MOST_MINUTES: f64 = 10_080.0;
/// Most samples that are looked at.
const MOST_SAMPLES: usize = 700_000;

/// What is expected of a gauge.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum GaugeOutlook {
    /// Of a limit relative to the control.
    Relative {
        /// The variance of a mean as pods are measured to differ, and its degrees of freedom.
        pods: Option<(f64, f64)>,
        /// For a rollback: seconds in which pods lower nothing. 0 for a promotion.
        cold_start_seconds: f64,
    },
    /// Of a number.
    Absolute {
        /// The standard deviation of samples, on the signal's scale.
        standard_deviation: f64,
    },
}

/// Returns the first minute at which a steady signal is decided, if what is assumed holds; nothing within a week.
///
/// `signal` is the mean excess, `ln(value / limit)`, or of a promotion the distance within the limit as a part of the
/// larger: `1 - 1 / R` of a canary that equals the control. `rate` is the check's part of the error rate.
///
/// ```
/// use serinus_analysis::proof::gauge::{GaugeOutlook, minutes_until_decided};
/// use serinus_analysis::sequential::ErrorRate;
///
/// let nothing_known = GaugeOutlook::Relative { pods: None, cold_start_seconds: 0.0 };
/// let to_promote = minutes_until_decided(0.5, ErrorRate::PROMOTION, 60.0, nothing_known);
/// assert_eq!(to_promote, Some(8.0));
/// ```
pub fn minutes_until_decided(
    signal: f64,
    rate: ErrorRate,
    step_seconds: f64,
    outlook: GaugeOutlook,
) -> Option<f64> {
    if !(step_seconds > 0.0 && step_seconds.is_finite()) {
        return None;
    }
    let need = rate.log_threshold();
    for samples in FEWEST_SAMPLES..=MOST_SAMPLES {
        let minutes = samples as f64 * step_seconds / 60.0;
        if minutes > MOST_MINUTES {
            return None;
        }
        let seconds = (samples - 1) as f64 * step_seconds;
        if !is_enough(samples, seconds) {
            continue;
        }
        let since_begin = samples as f64 * step_seconds;
        let variance = outlook.variance(signal, seconds, since_begin);
        if mixture_log_evidence(signal, variance, KNOWN) >= need {
            return Some(minutes);
        }
    }
    None
}

/// Returns the first minute at which a gauge is decided whose samples go on to vary as so many did: the variance of
/// their mean falls as they become more. Nothing within a week, and where the mean is on the other side.
///
/// ```
/// use serinus_analysis::proof::gauge::{GaugeSpread, SpreadSource, minutes_as_samples_come};
/// use serinus_analysis::sequential::ErrorRate;
///
/// let known = |mean: f64| GaugeSpread {
///     mean,
///     variance: 0.04,
///     degrees_of_freedom: 25.0,
///     source: SpreadSource::Samples,
///     canary_pods: 1,
///     control_pods: 1,
/// };
/// let minutes = |mean: f64| minutes_as_samples_come(&known(mean), 10, 60.0, ErrorRate::PROMOTION);
/// // Half as far takes about four times as long.
/// assert_eq!((minutes(0.4), minutes(0.2)), (Some(23.0), Some(105.0)));
/// assert_eq!(minutes(-0.1), None);
/// ```
pub fn minutes_as_samples_come(
    spread: &GaugeSpread,
    samples: usize,
    step_seconds: f64,
    rate: ErrorRate,
) -> Option<f64> {
    let need = rate.log_threshold();
    let seen = samples.max(1) as f64;
    let is_enough = |samples: f64| {
        let variance = spread.variance * seen / samples;
        mixture_log_evidence(spread.mean, variance, spread.degrees_of_freedom) >= need
    };
    if spread.mean <= 0.0 || !(step_seconds > 0.0 && step_seconds.is_finite()) {
        return None;
    }
    let most = libm::floor(MOST_MINUTES * 60.0 / step_seconds);
    if seen > most || !is_enough(most) {
        return None;
    }
    // The evidence of a mean above 0 grows with the samples.
    let (mut few, mut enough) = (seen, most);
    while enough - few > 1.0 {
        let middle = libm::floor(0.5 * (few + enough));
        if is_enough(middle) {
            enough = middle;
        } else {
            few = middle;
        }
    }
    Some(enough * step_seconds / 60.0)
}

impl GaugeOutlook {
    /// Of a number whose samples spanned so many seconds, where the assumption gave this mean and variance.
    pub fn absolute_as_assumed((mean, variance): (f64, f64), seconds: f64) -> Self {
        let most = variance * (1.0 + seconds / MEMORY_SECONDS);
        let own = (most - OF_DISTANCE * mean * mean) / OF_SAMPLES;
        Self::Absolute {
            standard_deviation: libm::sqrt(own.max(0.0)),
        }
    }

    fn variance(self, signal: f64, seconds: f64, since_begin: f64) -> f64 {
        let forgotten = 1.0 + seconds / MEMORY_SECONDS;
        let most = ASSUMED * ASSUMED;
        match self {
            Self::Absolute { standard_deviation } => {
                let own = OF_SAMPLES * standard_deviation * standard_deviation;
                most.min(own + OF_DISTANCE * signal * signal) / forgotten
            }
            Self::Relative { pods: None, .. } => most / forgotten,
            Self::Relative {
                pods: Some((variance, known)),
                cold_start_seconds,
            } => {
                let assumed = most / forgotten;
                let found = (WEIGHT * assumed + known * variance) / (WEIGHT + known);
                if since_begin >= cold_start_seconds {
                    found
                } else {
                    found.max(assumed)
                }
            }
        }
    }
}
