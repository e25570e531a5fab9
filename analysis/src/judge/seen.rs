//! Whether a stage was seen for long enough that its clock may end it: what was not judged on data is not ended by
//! time alone.
//!
//! Source: docs/design/statistics.md, "11. The verdict of a stage".

use crate::data::MetricData;
use crate::pipeline::Check;
use crate::proof::gauge::is_enough;
use crate::series::PairedHistogram;
use crate::text;

use super::evaluated::Situation;
use super::gauge::{GaugeRows, is_per_request};
use super::kayenta_score::takes_part;
use super::model::CheckReport;
use super::worst::is_needed;
use super::young::warm_up_seconds;

/// The share of a stage's intervals in which the populations must have been seen.
const LEAST_SHARE: f64 = 0.8;

/// Why a needed check was not judged on enough data for its stage to end by the clock.
pub(super) fn too_little(situation: Situation<'_>, reports: &[CheckReport]) -> Option<String> {
    let data = situation.data;
    let checks = situation.stage.checks.iter().zip(reports);
    let mut needed = checks.filter(|(_, report)| is_needed(report) || takes_part(report));
    needed.find_map(|(check, _)| {
        let all = data.grid.intervals();
        let (seen, is_enough) = seen(check, situation)?;
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
fn seen(check: &Check, situation: Situation<'_>) -> Option<(usize, bool)> {
    let data = situation.data;
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
            let young = warm_up_seconds(check, situation.stage, &situation.pipeline.analysis);
            let rows = GaugeRows::of(gauge, data.grid, young, is_per_request(check));
            Some(with_samples(&rows, together))
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

/// How many samples there were, and whether they are enough and span enough time. A value that is read again before
/// the next scrape is no other sample.
fn with_samples(rows: &GaugeRows<'_>, together: bool) -> (usize, bool) {
    let used = rows
        .samples()
        .filter(|(_, one)| one.canary.is_some() && (!together || one.control.is_some()));
    let times: Vec<f64> = used.map(|(_, one)| one.at_seconds).collect();
    let span = match (times.first(), times.last()) {
        (Some(first), Some(last)) => last - first,
        _ => 0.0,
    };
    (times.len(), is_enough(times.len(), span))
}
