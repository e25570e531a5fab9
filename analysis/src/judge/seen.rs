//! Whether a stage was seen for long enough that its clock may end it: what was not judged on data is not ended by
//! time alone.
//!
//! Source: docs/design/statistics.md, "11. The verdict of a stage".

use crate::data::{MetricData, StageData};
use crate::pipeline::Check;
use crate::series::{PairedGauge, PairedHistogram};
use crate::text;

use super::evaluated::Situation;
use super::model::CheckReport;
use super::worst::is_needed;

/// The share of a stage's intervals in which the populations must have been seen.
const LEAST_SHARE: f64 = 0.8;
/// Samples of a gauge, and the time that they must span.
const FEWEST_SAMPLES: usize = 3;
const LEAST_SPAN_SECONDS: f64 = 120.0;

/// Why a needed check was not judged on enough data for its stage to end by the clock.
pub(super) fn too_little(situation: Situation<'_>, reports: &[CheckReport]) -> Option<String> {
    let data = situation.data;
    let checks = situation.stage.checks.iter().zip(reports);
    let mut needed = checks.filter(|(_, report)| is_needed(report));
    needed.find_map(|(check, _)| {
        let all = data.grid.intervals();
        let (seen, is_enough) = seen(check, data)?;
        (!is_enough).then(|| {
            format!(
                "{}: seen in {} of {} only, so the stage does not end by its clock",
                check.text,
                seen,
                text::counted(all, "interval")
            )
        })
    })
}

/// In how many intervals a check has seen what it judges, and whether that is enough.
fn seen(check: &Check, data: &StageData) -> Option<(usize, bool)> {
    let intervals = data.grid.intervals();
    let together = check.is_relative();
    let is_most = |seen: usize| seen as f64 >= LEAST_SHARE * intervals as f64;
    match data.metrics.get(&check.measured.name)? {
        MetricData::Counts(counts) => {
            let seen = counts.seen_intervals(intervals, together);
            Some((seen, is_most(seen)))
        }
        MetricData::Histogram(histogram) => {
            let seen = with_observations(histogram, together);
            Some((seen, is_most(seen)))
        }
        MetricData::Gauge(gauge) => {
            let interval_seconds = data.grid.interval_ms() as f64 / 1_000.0;
            let (seen, span) = with_values(gauge, together);
            let is_enough =
                seen >= FEWEST_SAMPLES && span as f64 * interval_seconds >= LEAST_SPAN_SECONDS;
            Some((seen, is_enough))
        }
        MetricData::Fault(_) => None,
    }
}

/// Intervals in which there were observations.
fn with_observations(histogram: &PairedHistogram, together: bool) -> usize {
    let total =
        |counts: &ndarray::Array2<f64>, row: usize| counts.row(row).last().copied().unwrap_or(0.0);
    let rows = histogram.spans.iter().enumerate();
    rows.filter(|(row, _)| {
        total(&histogram.canary, *row) > 0.0 && (!together || total(&histogram.control, *row) > 0.0)
    })
    .map(|(_, (_, length))| length)
    .sum()
}

/// Intervals in which there were values, and from the first to the last of them.
fn with_values(gauge: &PairedGauge, together: bool) -> (usize, usize) {
    let places = gauge
        .intervals
        .iter()
        .enumerate()
        .filter(|(_, pair)| pair.canary.is_some() && (!together || pair.control.is_some()));
    let places: Vec<usize> = places.map(|(place, _)| place).collect();
    let span = match (places.first(), places.last()) {
        (Some(first), Some(last)) => last - first,
        _ => 0,
    };
    (places.len(), span)
}
