//! Gauges (CPU, memory, queue depth): scrapes of one pod are one long correlated series, so the
//! mean of blocks of intervals is judged, never single scrapes.

use std::borrow::Cow;

use crate::interval::{Confidence, Interval, mean_interval};
use crate::pipeline::Limit;
use crate::sequential::{BLOCK_LENGTHS, block_means};
use crate::series::{LeftOut, PairedGauge, Population, Populations};

use super::limit::{Levels, Shown};
use super::model::ArmReport;

/// How far a value may be off a limit by rounding alone, as a part of what is compared.
const ROUNDING: f64 = 1e-12;
/// Fewest blocks of which a spread is taken.
const FEWEST_BLOCKS: usize = 4;
/// Newest intervals whose values must all be beyond a kill switch: one spike kills nothing.
const NEWEST_INTERVALS: usize = 3;

/// Why a population of a gauge cannot be judged, if it cannot: more than half of its series are no
/// numbers.
pub(crate) fn not_finite(gauge: &PairedGauge, population: Population) -> Option<String> {
    let (name, finite, left_out) = match population {
        Population::Control => ("control", gauge.finite.control, &gauge.left_out.control),
        Population::Canary => ("canary", gauge.finite.canary, &gauge.left_out.canary),
    };
    let all = finite.seen;
    let named = left_out.iter().find(|one| one.why == LeftOut::NotFinite);
    let named = named.map_or_else(String::new, |one| format!(", such as {}", one.labels));
    finite
        .is_mostly_not()
        .then(|| match (finite.not_finite, all) {
            (_, 1) => format!("every value of the {name} is NaN or infinite"),
            (none, _) if none == all => {
                format!("every value of all series of the {name} is NaN or infinite{named}")
            }
            // The parts of a window are added, so the numbers are no counts of series.
            _ => format!("more than half of the {name}'s series are NaN or infinite{named}"),
        })
}

/// The gauge with nothing of a control that is no number: what is left of it is not its mean, and
/// must neither excuse the canary nor blame it.
pub(crate) fn without_unknown_control(gauge: &PairedGauge) -> Cow<'_, PairedGauge> {
    if !gauge.finite.control.is_mostly_not() {
        return Cow::Borrowed(gauge);
    }
    let alone = |pair: &Populations<Option<f64>>| Populations {
        control: None,
        canary: pair.canary,
    };
    Cow::Owned(PairedGauge {
        intervals: gauge.intervals.iter().map(alone).collect(),
        ..gauge.clone()
    })
}

/// A population's value at the end of each interval.
fn values(gauge: &PairedGauge) -> Populations<Vec<Option<f64>>> {
    Populations {
        control: gauge.intervals.iter().map(|pair| pair.control).collect(),
        canary: gauge.intervals.iter().map(|pair| pair.canary).collect(),
    }
}

/// Intervals in which the populations that a limit needs have a value.
pub(crate) fn usable_intervals(gauge: &PairedGauge, needs_control: bool) -> usize {
    usable(gauge, needs_control).count()
}

/// The interval that brings the fewest intervals with which a gauge can be decided.
pub(crate) fn usable_from(gauge: &PairedGauge, needs_control: bool, fewest: usize) -> usize {
    usable(gauge, needs_control)
        .nth(fewest.saturating_sub(1))
        .unwrap_or(gauge.intervals.len())
}

fn usable(gauge: &PairedGauge, needs_control: bool) -> impl Iterator<Item = usize> + '_ {
    let is_usable = move |pair: &Populations<Option<f64>>| {
        pair.canary.is_some() && (pair.control.is_some() || !needs_control)
    };
    gauge
        .intervals
        .iter()
        .enumerate()
        .filter(move |(_, pair)| is_usable(pair))
        .map(|(interval, _)| interval)
}

/// The intervals of the mean for each block length that has enough blocks. A gauge is decided only
/// as all of them decide it, because nobody knows its correlation time. Source:
/// docs/design/statistics.md, "8. Gauges".
fn block_intervals(values: &[Option<f64>], confidence: Confidence) -> Vec<Interval> {
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
pub(crate) fn reports(
    gauge: &PairedGauge,
    confidence: Confidence,
) -> Populations<Option<ArmReport>> {
    values(gauge).map(|values| {
        let known: Vec<f64> = values.iter().copied().flatten().collect();
        if known.is_empty() {
            return None;
        }
        let widest = block_intervals(&values, confidence)
            .into_iter()
            .max_by(|a, b| (a.upper() - a.lower()).total_cmp(&(b.upper() - b.lower())));
        Some(ArmReport {
            estimate: Some(known.iter().sum::<f64>() / known.len() as f64),
            interval: widest,
            ..ArmReport::default()
        })
    })
}

/// Decides a gauge's limits in a single look, one for a rollback and one for a promotion.
///
/// A relative limit is decided on the paired differences `canary - ratio * control - offset` of
/// the same intervals, which cancels what both populations have in common. One that may not fail
/// (tighter than 1.25: slow drift would make it fire too often) stays open instead.
pub(crate) fn shown(
    gauge: &PairedGauge,
    violation: Limit,
    compliance: Limit,
    is_inclusive: bool,
    may_fail: bool,
    levels: Levels,
) -> Shown {
    let is_beyond = |gauge: &PairedGauge, confidence| {
        is_decided(
            gauge,
            violation,
            confidence,
            Side::Beyond { strictly: true },
        )
    };
    let is_control_violated =
        !violation.needs_control() && is_beyond(&swapped(gauge), levels.compliance);
    let is_violated = may_fail && is_beyond(gauge, levels.violation);
    let inside = Side::Inside {
        strictly: !is_inclusive && !compliance.needs_control(),
    };
    let is_kept = is_decided(gauge, compliance, levels.compliance, inside);
    Shown::of(is_violated, is_control_violated, is_kept)
}

/// The gauge with the control in the canary's place, to ask the same of it.
pub(crate) fn swapped(gauge: &PairedGauge) -> PairedGauge {
    let swap = |pair: &Populations<Option<f64>>| Populations {
        control: pair.canary,
        canary: pair.control,
    };
    PairedGauge {
        intervals: gauge.intervals.iter().map(swap).collect(),
        ..PairedGauge::default()
    }
}

/// How far each interval lies beyond one side of a limit: positive is broken. `Within` has two
/// sides and no differences of its own.
pub(crate) fn excesses(gauge: &PairedGauge, limit: Limit) -> Vec<Option<f64>> {
    let (ratio, offset, sign) = match limit {
        Limit::AtMost { ratio, offset } => (ratio, offset, 1.0),
        Limit::AtLeast { ratio, offset } => (ratio, offset, -1.0),
        Limit::Within { .. } => return Vec::new(),
    };
    let excess = |pair: &Populations<Option<f64>>| {
        let base = match ratio {
            None => 0.0,
            Some(ratio) => ratio * pair.control?,
        };
        let canary = pair.canary?;
        let excess = canary - base - offset;
        let rounding = ROUNDING * (canary.abs() + base.abs() + offset.abs());
        // Three tenths are three times a tenth, whatever a float makes of it.
        Some(if excess.abs() <= rounding {
            0.0
        } else {
            sign * excess
        })
    };
    gauge.intervals.iter().map(excess).collect()
}

/// Whether a gauge lies on a limit that includes its own value, never beyond it and never off it: then
/// nothing varies that could break it, and there is nothing to wait for.
pub(crate) fn is_on_the_limit(gauge: &PairedGauge, limit: Limit, is_inclusive: bool) -> bool {
    let excesses = excesses(gauge, limit);
    let mut known = excesses.iter().flatten().peekable();
    is_inclusive && known.peek().is_some() && known.all(|excess| excess.abs() <= 0.0)
}

#[derive(Clone, Copy)]
enum Side {
    Inside { strictly: bool },
    Beyond { strictly: bool },
}

/// Whether every usable block length shows the excesses on one side of zero.
fn is_decided(gauge: &PairedGauge, limit: Limit, confidence: Confidence, side: Side) -> bool {
    if let Limit::Within { tolerance } = limit {
        let mut each = Limit::sides_of(tolerance)
            .into_iter()
            .map(|one| is_decided(gauge, one, confidence, side));
        return match side {
            Side::Beyond { .. } => each.any(|decided| decided),
            Side::Inside { .. } => each.all(|decided| decided),
        };
    }
    let intervals = block_intervals(&excesses(gauge, limit), confidence);
    let is_on_side = |interval: &Interval| match side {
        Side::Beyond { strictly: true } => interval.lower() > 0.0,
        Side::Beyond { strictly: false } => interval.lower() >= 0.0,
        Side::Inside { strictly: true } => interval.upper() < 0.0,
        Side::Inside { strictly: false } => interval.upper() <= 0.0,
    };
    !intervals.is_empty() && intervals.iter().all(is_on_side)
}

/// What a kill switch sees of a gauge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Newest {
    /// No value in the newest intervals.
    Unknown,
    /// All of the newest intervals are beyond the limit.
    Beyond,
    /// Not so.
    Within,
}

/// What the newest of the first `count` intervals of both populations show of the limit that a kill
/// switch watches.
pub(crate) fn newest(
    gauge: &PairedGauge,
    limit: Limit,
    is_inclusive: bool,
    count: usize,
) -> Populations<Newest> {
    let seen = gauge.intervals.get(..count).unwrap_or(&gauge.intervals);
    let from = seen.len().saturating_sub(NEWEST_INTERVALS);
    let newest = PairedGauge {
        intervals: seen.get(from..).unwrap_or_default().to_vec(),
        ..PairedGauge::default()
    };
    let look = |newest: &PairedGauge| {
        let newest = excesses(newest, limit);
        if newest.iter().all(Option::is_none) {
            return Newest::Unknown;
        }
        // The limit must hold, so a value on it is beyond only where it is not included.
        let is_beyond = |excess: &Option<f64>| {
            excess.is_some_and(|excess| {
                if is_inclusive {
                    excess > 0.0
                } else {
                    excess >= 0.0
                }
            })
        };
        if newest.len() == NEWEST_INTERVALS && newest.iter().all(is_beyond) {
            Newest::Beyond
        } else {
            Newest::Within
        }
    };
    Populations {
        control: look(&swapped(&newest)),
        canary: look(&newest),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::tests::metric;
    use crate::pipeline::{Better, Dimension, Method, MetricKind, is_worth_a_failure};
    use crate::sequential::FEWEST_GAUGE_INTERVALS;

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
        let levels = Levels {
            violation: confidence,
            compliance: confidence,
        };
        let metric = metric(
            "cpu_usage",
            MetricKind::Gauge {
                expression: "cpu".into(),
                load: None,
            },
            Better::Lower,
            Dimension::Number,
        );
        shown(
            gauge,
            violation,
            compliance,
            false,
            is_worth_a_failure(Method::Wilson, &metric, violation),
            levels,
        )
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
        let at = |ratio: f64, level: f64| {
            let pairs = wave(100.0, 0.0, 120).zip(wave(level, 0.0, 120));
            let violation = Limit::relative(true, ratio, 0.0);
            both(&gauge(pairs), violation, Limit::relative(true, 2.0, 0.0))
        };
        assert_eq!(at(1.3, 100.0), Shown::Kept);
        assert_eq!(at(1.3, 150.0), Shown::Violated);
        assert_eq!(at(1.05, 250.0), Shown::Open, "a tight limit may only hold");
    }

    #[test]
    fn fewer_than_forty_intervals_decide_nothing() {
        let limit = Limit::absolute(true, 0.7);
        let count = u32::try_from(FEWEST_GAUGE_INTERVALS).unwrap();
        let short = gauge(wave(0.1, 0.0, count - 1).zip(wave(9.0, 0.0, count - 1)));
        assert_eq!(both(&short, limit, limit), Shown::Open);
        let enough = gauge(wave(0.1, 0.0, count).zip(wave(9.0, 0.0, count)));
        assert_eq!(both(&enough, limit, limit), Shown::Violated);
    }

    #[test]
    fn a_constant_gauge_is_decided_by_its_value_and_may_lie_on_an_inclusive_limit() {
        let limit = Limit::absolute(true, 0.7);
        assert_eq!(
            both(&gauge((0..80).map(|_| (0.5, 0.5))), limit, limit),
            Shown::Kept
        );
        let none = gauge((0..80).map(|_| (0.0, 0.0)));
        let confidence = Confidence::new(0.99).unwrap();
        let levels = Levels {
            violation: confidence,
            compliance: confidence,
        };
        let zero = Limit::absolute(true, 0.0);
        assert_eq!(shown(&none, zero, zero, true, true, levels), Shown::Kept);
        assert_eq!(shown(&none, zero, zero, false, true, levels), Shown::Open);
    }

    #[test]
    fn one_spike_is_not_beyond_a_kill_switch_and_three_values_are() {
        let limit = Limit::absolute(true, 10.0);
        let spike = gauge([(1.0, 1.0), (1.0, 1.0), (1.0, 99.0)].into_iter());
        assert_eq!(
            newest(&spike, limit, true, usize::MAX).canary,
            Newest::Within
        );
        let flood = gauge((0..3).map(|_| (1.0, 99.0)));
        assert_eq!(
            newest(&flood, limit, true, usize::MAX).canary,
            Newest::Beyond
        );
        assert_eq!(
            newest(&flood, limit, true, usize::MAX).control,
            Newest::Within
        );
        let mut gone = flood.clone();
        gone.intervals.extend([Populations::default(); 3]);
        assert_eq!(
            newest(&gone, limit, true, usize::MAX).canary,
            Newest::Unknown
        );
    }
}
