//! How many intervals a check takes at the least, whatever the traffic. Lint refuses what its stage
//! is too short for, and the judge waits for as many: one rule.

use crate::proof::FEWEST_INTERVALS;
use crate::proof::gauge::{FEWEST_SAMPLES, FEWEST_SECONDS, GaugeOutlook, minutes_until_decided};
use crate::sequential::ErrorRate;

use super::limit::Limit;
use super::model::{Check, Method, MetricKind, OnInconclusive, Stage};

/// Kayenta knows no fewest points. Source: docs/design/statistics.md, "3.4 Mann-Whitney as Kayenta does it".
const FEWEST_KAYENTA_POINTS: usize = 1;

/// In fewer intervals a stage shows little. Source: docs/design/counts.md, "1. Grid".
const FEW_INTERVALS: usize = 10;

const SECONDS_PER_MINUTE: f64 = 60.0;

/// Intervals with data that a check takes at the least.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FewestIntervals {
    /// Until anything can be decided, be it good or bad.
    pub decided: usize,
    /// Until it can pass.
    pub passed: usize,
}

impl Check {
    /// How many intervals with data this check takes at the least. Source: docs/design/gauges.md, "4. Evidence for a violation", and
    /// docs/design/statistics.md, "11. The verdict of a stage".
    pub fn fewest_intervals(&self, interval_seconds: u32) -> FewestIntervals {
        let decided = match (self.method, &self.measured.kind) {
            (Method::Kayenta, _) => FEWEST_KAYENTA_POINTS,
            (
                Method::Sequential | Method::Wilson,
                MetricKind::Gauge { .. } | MetricKind::PerRequest { .. },
            ) => fewest_samples(interval_seconds),
            (
                Method::Sequential | Method::Wilson,
                MetricKind::Proportion { .. }
                | MetricKind::EventRate { .. }
                | MetricKind::Quantile { .. },
            ) => 1,
        };
        FewestIntervals {
            decided,
            passed: decided.max(FEWEST_INTERVALS),
        }
    }
}

/// Samples of a gauge, one at the end of each interval, that are enough and span enough time.
fn fewest_samples(interval_seconds: u32) -> usize {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "at most 121"
    )]
    let spanning = libm::ceil(FEWEST_SECONDS / f64::from(interval_seconds.max(1))) as usize + 1;
    spanning.max(FEWEST_SAMPLES)
}

/// Why a stage may be too short for a gauge that it waits for, with one pod on each side; nothing where it is not.
/// More pods that hardly differ take less.
///
/// Source: docs/design/gauges.md, "6. Planning".
fn slow_gauge(check: &Check, longest_minutes: f64, interval_seconds: u32) -> Option<String> {
    let is_gauge = check.measured.kind.is_gauge()
        || matches!(check.measured.kind, MetricKind::PerRequest { .. });
    let is_asked =
        is_gauge && check.method == Method::Sequential && check.critical && !check.warn_only;
    let Limit::AtMost {
        ratio: Some(ratio), ..
    } = check.promotion_limit
    else {
        return None;
    };
    let outlook = GaugeOutlook::Relative {
        pods: None,
        cold_start_seconds: 0.0,
    };
    let step_seconds = f64::from(interval_seconds);
    let signal = 1.0 - 1.0 / ratio;
    let minutes = minutes_until_decided(signal, ErrorRate::PROMOTION, step_seconds, outlook)
        .filter(|minutes| is_asked && *minutes > longest_minutes)?;
    Some(format!(
        "{} is critical, and with one pod on each side it takes about {minutes} minutes to pass, while the stage ends \
         after {longest_minutes}: set max_duration_minutes to more, promote_ratio to more than {ratio}, or \
         critical: false",
        check.text
    ))
}

/// Intervals of a grid after which a stage reaches its longest duration.
pub(super) fn intervals_of(max_duration_minutes: f64, interval_seconds: u32) -> f64 {
    (max_duration_minutes * SECONDS_PER_MINUTE / f64::from(interval_seconds)).ceil()
}

/// The shortest `max_duration_minutes` that holds so many intervals.
pub(super) fn minutes_of(intervals: usize, interval_seconds: u32) -> f64 {
    intervals as f64 * f64::from(interval_seconds) / SECONDS_PER_MINUTE
}

/// Why a stage of this length is refused: nothing could ever pass in it. Nothing where something can.
pub(super) fn too_short(max_duration_minutes: f64, interval_seconds: u32) -> Option<String> {
    let held = intervals_of(max_duration_minutes, interval_seconds);
    if held >= FEWEST_INTERVALS as f64 {
        return None;
    }
    Some(format!(
        "it lasts at most {max_duration_minutes} minutes, and nothing passes in fewer than \
         {FEWEST_INTERVALS} intervals of {interval_seconds} s: set max_duration_minutes to {} or \
         more, or a shorter interval",
        minutes_of(FEWEST_INTERVALS, interval_seconds)
    ))
}

/// Why nothing of a check can be decided in a stage of this length, whatever the traffic; nothing
/// where something can be.
pub(super) fn undecidable(
    check: &Check,
    max_duration_minutes: f64,
    interval_seconds: u32,
) -> Option<String> {
    let fewest = check.fewest_intervals(interval_seconds).decided;
    if intervals_of(max_duration_minutes, interval_seconds) >= fewest as f64 {
        return None;
    }
    Some(format!(
        "{} cannot be decided: it takes {fewest} intervals of {interval_seconds} s with data, and \
         the stage lasts at most {max_duration_minutes} minutes: set max_duration_minutes to {} or \
         more, or a shorter interval",
        check.metric,
        minutes_of(fewest, interval_seconds)
    ))
}

/// Whether a stage waits for a check for ever that it ends before: then nothing could ever be decided,
/// which is refused. Elsewhere the stage goes on without the check, which is only strange.
pub(super) fn is_waited_for(check: &Check, on_inconclusive: OnInconclusive) -> bool {
    check.critical && !check.warn_only && on_inconclusive == OnInconclusive::Hold
}

/// Why a stage is too short for its checks, where it is not refused: those of which nothing can be
/// decided in its time, and that none can pass in it.
pub(super) fn shortcomings(stage: &Stage, interval_seconds: u32) -> Vec<String> {
    let longest = stage.max_duration_minutes;
    let counting = || {
        let checks = stage.checks.iter();
        checks.filter(|check| check.counts_at(stage.traffic_percent))
    };
    let mut told: Vec<String> = counting()
        .filter_map(|check| undecidable(check, longest, interval_seconds))
        .collect();
    let needed = counting()
        .map(|check| check.fewest_intervals(interval_seconds).passed)
        .min()
        .filter(|needed| intervals_of(longest, interval_seconds) < *needed as f64);
    if let (Some(needed), true) = (needed, told.is_empty()) {
        told.push(format!(
            "it can roll back, but not pass in its time: that takes {needed} intervals of \
             {interval_seconds} s, and it lasts at most {longest} minutes: set \
             max_duration_minutes to {} or more, or a shorter interval",
            minutes_of(needed, interval_seconds)
        ));
    }
    told.extend(counting().filter_map(|check| slow_gauge(check, longest, interval_seconds)));
    let held = intervals_of(longest, interval_seconds);
    if told.is_empty() && held < FEW_INTERVALS as f64 {
        told.push(format!(
            "{held} intervals of {interval_seconds} s show little: set max_duration_minutes to {} or \
             more, or a shorter interval",
            minutes_of(FEW_INTERVALS, interval_seconds)
        ));
    }
    told
}
