//! The noise of the control before a rollout, measured for the limits that its checks hold.
//!
//! Source: docs/design/statistics.md, "13. History".

use std::collections::BTreeMap;

use crate::data::{HistoryData, MeasuredHistory, MeasuredNoise, MetricData, StageData, with_data};
use crate::pipeline::{Check, Limit, Pipeline, Stage};
use crate::proof::{Laws, PastNoise, Pods, QuantileLimit, SlowShare, Tails, Window};
use crate::sequential::{IntervalCounts, on_every_interval};
use crate::series::{ArmCount, PairedCounts, PairedHistogram, Population, Populations};

use super::quantile::{Asked, QuantileRows, counted};
use super::young::{Warm, warm_up_seconds};

/// Measures the noise for the sequential checks of a stage. Of a metric that has less than
/// [`crate::data::SHORTEST_HISTORY_MS`] of data, or no events, nothing is known afterwards.
pub fn measure_noise(past: &HistoryData, stage: &Stage) -> MeasuredHistory {
    let mut found = MeasuredHistory::of(past);
    for check in &stage.checks {
        if !check.method.is_valid_at_any_time() {
            continue;
        }
        let metric = check.measured.name.as_str();
        let limit = check.limit.absolute_value();
        match past.metrics().get(metric) {
            Some(MetricData::Counts(counts)) => {
                let intervals = || if_enough(past, counts);
                for ratio in ratios_of(check.limit) {
                    add(&mut found, (metric, limit, ratio), || {
                        let intervals = intervals()?;
                        match limit {
                            None => PastNoise::measure(&intervals, ratio),
                            Some(_) => PastNoise::measure_alone(&intervals),
                        }
                    });
                }
            }
            Some(MetricData::Histogram(histogram)) => {
                add(&mut found, (metric, limit, 1.0), || {
                    of_quantile(past, histogram, check)
                });
            }
            Some(MetricData::Gauge(_) | MetricData::Fault(_)) | None => {}
        }
    }
    found
}

/// The noise of a quantile: of requests slower than the control group's own, or than a number.
///
/// Source: docs/design/latency.md, "5. The past".
fn of_quantile(
    past: &HistoryData,
    histogram: &PairedHistogram,
    check: &Check,
) -> Option<PastNoise> {
    let asked = match Asked::of_check(check).ok()? {
        Asked::Relative { slow, .. } => Asked::Relative {
            slow,
            limit: QuantileLimit {
                ratio: 1.0,
                offset: 0.0,
            },
        },
        number @ Asked::Absolute { .. } => number,
    };
    let rows = QuantileRows::of(histogram, past.grid(), 0.0, true);
    let each = counted(&rows, asked, None).0.into_iter();
    let intervals: Vec<IntervalCounts> = each.map(|(violation, _)| violation).collect();
    let row = |interval: &usize| rows.at(*interval);
    let has_both = |row: &Populations<Tails>| row.control.all() > 0.0 && row.canary.all() > 0.0;
    let with_data = (0..rows.intervals()).filter(|at| row(at).is_some_and(|row| has_both(&row)));
    if !past.is_enough(with_data.count()) {
        return None;
    }
    match asked {
        Asked::Relative { slow, .. } => PastNoise::measure_quantile(&intervals, slow),
        Asked::Absolute { .. } => PastNoise::measure_alone(&intervals),
    }
}

/// What the control's pods differed by before a rollout, for each metric that a check of the stage compares by the
/// sequential method on counts. `past` has the control in the control's place.
///
/// Source: docs/design/counts.md, "8. Pods as replicates".
pub fn measure_pods(
    past: &StageData,
    pipeline: &Pipeline,
    stage: &Stage,
) -> BTreeMap<String, Pods> {
    let mut found = BTreeMap::new();
    if !pipeline.analysis.pod_spread {
        return found;
    }
    for check in &stage.checks {
        let metric = &check.measured.name;
        let is_asked = check.is_relative() && check.method.is_valid_at_any_time();
        if !is_asked || found.contains_key(metric) {
            continue;
        }
        let seconds = warm_up_seconds(check, stage, &pipeline.analysis);
        let pods = match past.metrics.get(metric) {
            Some(MetricData::Counts(counts)) => {
                let warm = Warm::of(counts, past.grid, seconds).counts;
                pods_of(&warm, past.grid.intervals())
            }
            Some(MetricData::Histogram(histogram)) => {
                let rows = QuantileRows::of(histogram, past.grid, seconds, true);
                let asked = Asked::of_check(check).ok();
                asked.and_then(|asked| pods_beyond(&rows, asked.slow()))
            }
            Some(MetricData::Gauge(_) | MetricData::Fault(_)) | None => None,
        };
        if let Some(pods) = pods {
            found.insert(metric.clone(), pods);
        }
    }
    found
}

/// What the control's pods differ by over some intervals; nothing where they are not told apart.
fn pods_of(counts: &PairedCounts, intervals: usize) -> Option<Pods> {
    let apart = &counts.pods.control;
    if !apart.names.iter().any(|name| !name.is_empty()) {
        return None;
    }
    let mut pods = Pods::new(1.0);
    let mut past = Vec::with_capacity(intervals);
    let mut rows = counts.intervals.iter().zip(&apart.rows).peekable();
    for interval in 0..intervals {
        let mut had = Vec::new();
        while let Some((_, row)) = rows.next_if(|(one, _)| one.first + one.length <= interval + 1) {
            for (place, count) in row {
                let name = apart.names.get(*place as usize);
                if let Some(place) = name.and_then(|name| pods.place_of(name)) {
                    had.push((place, *count));
                }
            }
        }
        past.push(had);
    }
    pods.push_past(&past);
    Some(pods)
}

/// What the control's pods differ by beyond the control's quantile, which is read before each interval.
fn pods_beyond(rows: &QuantileRows<'_>, slow: SlowShare) -> Option<Pods> {
    let mut window = Window::new(slow.value());
    window.set_bounds(rows.bounds());
    let mut pods = Pods::new(slow.rest());
    let mut past = Vec::with_capacity(rows.intervals());
    for interval in 0..rows.intervals() {
        let place = Laws::of(&window, slow.value()).map(|laws| laws.quantile().place);
        let mut had = Vec::new();
        for (name, buckets) in rows.pods(Population::Control, interval) {
            let Some((known, place)) = place.zip(pods.place_of(name)) else {
                continue;
            };
            let count = ArmCount {
                events: buckets.beyond(known.bucket, known.weight),
                exposure: buckets.all(),
            };
            had.push((place, count));
        }
        past.push(had);
        if let Some(row) = rows.at(interval) {
            window.push(row);
        }
    }
    pods.push_past(&past);
    (pods.count() > 0).then_some(pods)
}

/// The counts on every interval; nothing when they are too few to tell the noise.
fn if_enough(past: &HistoryData, counts: &PairedCounts) -> Option<Vec<IntervalCounts>> {
    past.is_enough(with_data(&counts.intervals))
        .then(|| on_every_interval(&counts.intervals, past.grid().intervals()))
}

/// The ratios to the control that a limit is held against; 1 where it is none.
fn ratios_of(limit: Limit) -> Vec<f64> {
    let sides = match limit {
        Limit::Within { tolerance } => Limit::sides_of(tolerance).to_vec(),
        one => vec![one],
    };
    let ratio = |side| match side {
        Limit::AtMost { ratio, .. } | Limit::AtLeast { ratio, .. } => ratio.unwrap_or(1.0),
        Limit::Within { .. } => 1.0,
    };
    sides.into_iter().map(ratio).collect()
}

/// Measures what was not measured yet: of a metric, with an absolute limit or a ratio to the control.
fn add(
    found: &mut MeasuredHistory,
    (metric, limit, ratio): (&str, Option<f64>, f64),
    measure: impl FnOnce() -> Option<PastNoise>,
) {
    if found.past_noise(metric, limit, ratio).is_some() {
        return;
    }
    let Some(past) = measure() else {
        return;
    };
    match found.find_mut(metric, limit) {
        Some(known) => known.past.push((ratio, past)),
        None => found.add(MeasuredNoise {
            metric: metric.to_owned(),
            limit,
            past: vec![(ratio, past)],
        }),
    }
}
