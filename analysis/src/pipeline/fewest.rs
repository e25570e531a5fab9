//! How many intervals a check takes at the least, whatever the traffic. Lint refuses what its stage
//! is too short for, and the judge waits for as many: one rule.

use crate::proof::FEWEST_INTERVALS;
use crate::sequential::{FEWEST_GAUGE_INTERVALS, FEWEST_STAGE_INTERVALS};

use super::model::{Check, Method, MetricKind, OnInconclusive, Stage};

/// With fewer points a side Kayenta's test has no real interval. Source: docs/design/statistics.md,
/// "3.4 Mann-Whitney as Kayenta does it".
const FEWEST_KAYENTA_POINTS: usize = 5;

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
    /// How many intervals with data this check takes at the least. Source:
    /// docs/design/statistics.md, "8. Gauges" and "11. The verdict of a stage".
    pub fn fewest_intervals(&self) -> FewestIntervals {
        let decided = match (self.method, &self.measured.kind) {
            (Method::Kayenta, _) => FEWEST_KAYENTA_POINTS,
            (
                Method::Sequential | Method::Wilson,
                MetricKind::Gauge { .. } | MetricKind::PerRequest { .. },
            ) => FEWEST_GAUGE_INTERVALS,
            (
                Method::Sequential | Method::Wilson,
                MetricKind::Proportion { .. }
                | MetricKind::EventRate { .. }
                | MetricKind::Quantile { .. },
            ) => 1,
        };
        let passed = match (self.method, &self.measured.kind) {
            (Method::Sequential, MetricKind::Quantile { .. }) => FEWEST_STAGE_INTERVALS,
            _ => FEWEST_INTERVALS,
        };
        FewestIntervals {
            decided,
            passed: decided.max(passed),
        }
    }
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
    let fewest = check.fewest_intervals().decided;
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
        .map(|check| check.fewest_intervals().passed)
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
