//! Gauges (CPU, memory, queue depth): scrapes of one pod are one long correlated series, so the
//! mean of blocks of intervals is judged, never single scrapes.

use crate::interval::{Confidence, Interval, mean_interval};
use crate::pipeline::Condition;
use crate::series::{PairedGauge, Populations};

use super::limit::{Limit, Shown};
use super::model::ArmReport;

/// Lengths of the blocks in intervals. A gauge is decided only as all usable lengths decide it,
/// because nobody knows its correlation time. Source: statistics design, section 8.
const BLOCK_LENGTHS: [usize; 3] = [10, 20, 40];
/// Fewest blocks of which a spread is taken.
const FEWEST_BLOCKS: usize = 4;
/// Intervals with data below which a gauge cannot be decided.
pub(super) const FEWEST_INTERVALS: usize = 40;
/// Newest values that must all be beyond a kill switch: one spike kills nothing.
const NEWEST_VALUES: usize = 3;

/// The values of a gauge where a population has one.
fn values(gauge: &PairedGauge) -> Populations<Vec<f64>> {
    let mut values = Populations {
        control: Vec::new(),
        canary: Vec::new(),
    };
    for interval in &gauge.intervals {
        values.control.extend(interval.control);
        values.canary.extend(interval.canary);
    }
    values
}

/// Intervals in which the populations that a limit needs have a value.
pub(super) fn usable_intervals(gauge: &PairedGauge, needs_control: bool) -> usize {
    let usable = |pair: &&Populations<Option<f64>>| {
        pair.canary.is_some() && (pair.control.is_some() || !needs_control)
    };
    gauge.intervals.iter().filter(usable).count()
}

/// The means of complete blocks; values left over at the old end are dropped.
fn block_means(values: &[f64], length: usize) -> Vec<f64> {
    let surplus = values.len() % length;
    let complete = values.get(surplus..).unwrap_or_default();
    complete.chunks_exact(length).map(mean).collect()
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// The means and the intervals of a list of values for each usable block length.
fn block_intervals(values: &[f64], confidence: Confidence) -> Vec<Interval> {
    let mut intervals = Vec::new();
    for length in BLOCK_LENGTHS {
        let means = block_means(values, length);
        if means.len() >= FEWEST_BLOCKS
            && let Some(mean) = mean_interval(&means, confidence)
        {
            intervals.push(mean.interval);
        }
    }
    intervals
}

/// What a report shows of both populations.
pub(super) fn reports(
    gauge: &PairedGauge,
    confidence: Confidence,
) -> Populations<Option<ArmReport>> {
    values(gauge).map(|values| {
        if values.is_empty() {
            return None;
        }
        let widest = block_intervals(&values, confidence)
            .into_iter()
            .max_by(|a, b| (a.upper() - a.lower()).total_cmp(&(b.upper() - b.lower())));
        Some(ArmReport {
            estimate: Some(mean(&values)),
            interval: widest,
            ..ArmReport::default()
        })
    })
}

/// Decides a gauge's limits, one for a rollback and one for a promotion.
///
/// A relative limit is decided on the paired differences `canary - ratio * control - offset` of
/// the same intervals, which cancels what both populations have in common.
pub(super) fn shown(
    gauge: &PairedGauge,
    violation: (Limit, Confidence),
    compliance: (Limit, Confidence),
) -> Shown {
    let (limit, confidence) = violation;
    if !limit.needs_control() && is_beyond(&swapped(gauge), limit, confidence) {
        return Shown::BothViolated;
    }
    if is_beyond(gauge, limit, confidence) {
        return Shown::Violated;
    }
    let (limit, confidence) = compliance;
    if is_within(gauge, limit, confidence) {
        Shown::Kept
    } else {
        Shown::Open
    }
}

/// The gauge with the control in the canary's place, to ask the same of it.
fn swapped(gauge: &PairedGauge) -> PairedGauge {
    let swap = |pair: &Populations<Option<f64>>| Populations {
        control: pair.canary,
        canary: pair.control,
    };
    PairedGauge {
        intervals: gauge.intervals.iter().map(swap).collect(),
        quality: gauge.quality,
    }
}

/// The differences between the canary and `ratio * control + offset`, where both are there.
fn differences(gauge: &PairedGauge, ratio: f64, offset: f64) -> Vec<f64> {
    let difference = |pair: &Populations<Option<f64>>| {
        let base = if ratio == 0.0 {
            0.0
        } else {
            ratio * pair.control?
        };
        Some(pair.canary? - base - offset)
    };
    gauge.intervals.iter().filter_map(difference).collect()
}

fn is_beyond(gauge: &PairedGauge, limit: Limit, confidence: Confidence) -> bool {
    decided(gauge, limit, confidence, Side::Beyond)
}

fn is_within(gauge: &PairedGauge, limit: Limit, confidence: Confidence) -> bool {
    decided(gauge, limit, confidence, Side::Inside)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Inside,
    Beyond,
}

/// Whether every usable block length shows the differences on one side of zero.
fn decided(gauge: &PairedGauge, limit: Limit, confidence: Confidence, side: Side) -> bool {
    let (ratio, offset, wants_less) = match limit {
        Limit::AtMost { ratio, offset } => (ratio, offset, true),
        Limit::AtLeast { ratio, offset } => (ratio, offset, false),
        Limit::Within { tolerance } => {
            let upper = Limit::AtMost {
                ratio: 1.0 + tolerance,
                offset: 0.0,
            };
            let lower = Limit::AtLeast {
                ratio: 1.0 - tolerance,
                offset: 0.0,
            };
            let each = |limit| decided(gauge, limit, confidence, side);
            return match side {
                Side::Beyond => each(upper) || each(lower),
                Side::Inside => each(upper) && each(lower),
            };
        }
    };
    let intervals = block_intervals(&differences(gauge, ratio, offset), confidence);
    let above_zero = (side == Side::Beyond) == wants_less;
    !intervals.is_empty()
        && intervals.iter().all(|interval| {
            if above_zero {
                interval.lower() > 0.0
            } else {
                interval.upper() < 0.0
            }
        })
}

/// Whether the newest values of a population are all beyond an absolute limit, for kill
/// switches. Nothing when it has too few.
pub(super) fn newest_beyond(gauge: &PairedGauge, condition: &Condition) -> Populations<bool> {
    let Condition::Absolute { comparison, limit } = *condition else {
        return Populations::default();
    };
    values(gauge).map(|values| {
        let newest = values
            .get(values.len().saturating_sub(NEWEST_VALUES)..)
            .unwrap_or_default();
        newest.len() == NEWEST_VALUES
            && newest.iter().all(|value| {
                if comparison.wants_less() {
                    *value < limit
                } else {
                    *value > limit
                }
            })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::Comparison;

    fn gauge(pairs: impl Iterator<Item = (f64, f64)>) -> PairedGauge {
        let intervals = pairs
            .map(|(control, canary)| Populations {
                control: Some(control),
                canary: Some(canary),
            })
            .collect();
        PairedGauge {
            intervals,
            ..PairedGauge::default()
        }
    }

    /// A wave with a mean of `level`: no block length may mistake it for a trend.
    fn wave(level: f64, phase: f64, intervals: u32) -> impl Iterator<Item = f64> {
        (0..intervals).map(move |index| level * (1.0 + 0.1 * libm::sin(f64::from(index) + phase)))
    }

    fn both(gauge: &PairedGauge, violation: Limit, compliance: Limit) -> Shown {
        let confidence = Confidence::new(0.99).unwrap();
        shown(gauge, (violation, confidence), (compliance, confidence))
    }

    #[test]
    fn an_absolute_limit_is_decided_on_block_means() {
        let limit = Limit::absolute(true, 0.7);
        let at = |level: f64| {
            both(
                &gauge(wave(0.5, 1.0, 120).zip(wave(level, 0.0, 120))),
                limit,
                limit,
            )
        };
        assert_eq!(at(0.35), Shown::Kept);
        assert_eq!(at(0.9), Shown::Violated);
        assert_eq!(at(0.7), Shown::Open);
    }

    #[test]
    fn a_relative_limit_is_decided_on_paired_differences() {
        let (violation, compliance) = (
            Limit::relative(true, 1.3, 0.0),
            Limit::relative(true, 2.0, 0.0),
        );
        let at = |level: f64| {
            let pairs = wave(100.0, 0.0, 120).zip(wave(level, 0.0, 120));
            both(&gauge(pairs), violation, compliance)
        };
        assert_eq!(at(100.0), Shown::Kept);
        assert_eq!(at(150.0), Shown::Violated);
    }

    #[test]
    fn fewer_than_forty_intervals_decide_nothing() {
        let limit = Limit::absolute(true, 0.7);
        let count = u32::try_from(FEWEST_INTERVALS).unwrap();
        let short = gauge(wave(0.1, 0.0, count - 1).zip(wave(9.0, 0.0, count - 1)));
        assert_eq!(both(&short, limit, limit), Shown::Open);
        let enough = gauge(wave(0.1, 0.0, count).zip(wave(9.0, 0.0, count)));
        assert_eq!(both(&enough, limit, limit), Shown::Violated);
    }

    #[test]
    fn a_constant_gauge_is_decided_by_its_value() {
        let limit = Limit::absolute(true, 0.7);
        let constant = gauge((0..80).map(|_| (0.5, 0.5)));
        assert_eq!(both(&constant, limit, limit), Shown::Kept);
    }

    #[test]
    fn one_spike_is_not_beyond_a_kill_switch_and_three_values_are() {
        let condition = Condition::Absolute {
            comparison: Comparison::Greater,
            limit: 10.0,
        };
        let spike = gauge([(1.0, 1.0), (1.0, 1.0), (1.0, 99.0)].into_iter());
        assert!(!newest_beyond(&spike, &condition).canary);
        let flood = gauge((0..3).map(|_| (1.0, 99.0)));
        assert!(newest_beyond(&flood, &condition).canary);
        assert!(!newest_beyond(&flood, &condition).control);
    }
}
