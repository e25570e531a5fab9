//! Data that stopped: what was seen before must not promote what is no longer seen.

use crate::data::{MetricData, StageData};
use crate::pipeline::Check;
use crate::series::{Grid, PairedCounts, PairedHistogram, Population, Populations};
use crate::text;

/// Newest intervals without data after which a metric counts as silent, and the newest intervals of
/// which a fifth may be missing. Source: docs/design/statistics.md, "2. Notation, grid, hygiene",
/// rule 8.
const SILENT_INTERVALS: usize = 5;
const RECENT_INTERVALS: usize = 40;
const MOST_MISSING_SHARE: f64 = 0.2;
/// Intervals that the data of both populations ends before the window, from which on it is likely
/// to be late: exporters of cloud metrics, rules and remote writes bring it minutes later.
const LATE_INTERVALS: usize = 2;
/// The longest lag that a file may say. Source: `analysis/src/pipeline/settings.rs`.
const LONGEST_LAG_SECONDS: i64 = 3_600;
/// Requests that a silent canary would have had at its share of the traffic: none at all happens
/// by chance in two cases of a billion.
const EXPECTED_REQUESTS: f64 = 20.0;

/// The exposure of one population.
type Exposure = fn(&Populations<f64>) -> f64;

/// Exposure of each grid interval that has data.
pub(super) struct Exposures {
    /// Last grid interval covered, number of intervals covered, exposure.
    rows: Vec<(usize, usize, Populations<f64>)>,
}

impl Exposures {
    pub(super) fn of_counts(counts: &PairedCounts) -> Self {
        let row = |interval: &crate::series::PairedInterval| {
            let exposure = Populations {
                control: interval.control.exposure,
                canary: interval.canary.exposure,
            };
            (
                interval.first + interval.length - 1,
                interval.length,
                exposure,
            )
        };
        Self {
            rows: counts.intervals.iter().map(row).collect(),
        }
    }

    pub(super) fn of_histogram(histogram: &PairedHistogram) -> Self {
        let total = |counts: &ndarray::Array2<f64>, row: usize| {
            counts.row(row).last().copied().unwrap_or(0.0)
        };
        let row = |(row, (first, length)): (usize, &(usize, usize))| {
            let exposure = Populations {
                control: total(&histogram.control, row),
                canary: total(&histogram.canary, row),
            };
            (first + length - 1, *length, exposure)
        };
        Self {
            rows: histogram.spans.iter().enumerate().map(row).collect(),
        }
    }

    /// Last grid interval covered, number of intervals covered, exposure; in the order of time.
    pub(super) fn rows(&self) -> &[(usize, usize, Populations<f64>)] {
        &self.rows
    }

    /// Why the newest data is not enough, if it is not.
    fn silence(&self, grid: Grid, lag_seconds: u32, compares: bool) -> Option<String> {
        let intervals = grid.intervals();
        // A row is there where either population was seen.
        let covered = self.rows.last().map_or(0, |(last, _, _)| last + 1);
        let ended = intervals.saturating_sub(covered);
        let late = |why| {
            or_late(
                why,
                self.intervals_since_traffic(intervals),
                grid,
                lag_seconds,
            )
        };
        if ended >= SILENT_INTERVALS {
            return Some(late(format!("no data in the newest {ended} intervals")));
        }
        let recent = intervals.min(RECENT_INTERVALS);
        let from = intervals - recent;
        let known: usize = self
            .rows
            .iter()
            .map(|(last, length, _)| (last + 1).saturating_sub(from.max(last + 1 - length)))
            .sum();
        let missing = recent.saturating_sub(known);
        if recent > SILENT_INTERVALS && missing as f64 > MOST_MISSING_SHARE * recent as f64 {
            let why = format!("{missing} of the newest {recent} intervals have no data");
            return Some(if missing == ended { late(why) } else { why });
        }
        let canary = self.went_silent(Population::Canary, intervals);
        canary.or_else(|| {
            let control = compares.then(|| self.went_silent(Population::Control, intervals));
            control.flatten()
        })
    }

    /// Intervals since either population had traffic. A Prometheus repeats a last value for some
    /// minutes, in which nothing seems to happen: they say nothing about when the data ends.
    fn intervals_since_traffic(&self, intervals: usize) -> usize {
        let has_traffic = |(_, _, exposure): &&(usize, usize, Populations<f64>)| {
            exposure.control > 0.0 || exposure.canary > 0.0
        };
        let last = self.rows.iter().rev().find(has_traffic);
        intervals.saturating_sub(last.map_or(0, |(last, _, _)| last + 1))
    }

    /// A population had traffic before, and has none where its share of the other's would be plenty: of a
    /// canary nothing is known any more, and without its control it is compared with nothing.
    fn went_silent(&self, population: Population, intervals: usize) -> Option<String> {
        let (of, of_other): (Exposure, Exposure) = match population {
            Population::Canary => (|one| one.canary, |one| one.control),
            Population::Control => (|one| one.control, |one| one.canary),
        };
        let last_seen = self
            .rows
            .iter()
            .rposition(|(_, _, exposure)| of(exposure) > 0.0)?;
        let (before, after) = self.rows.split_at_checked(last_seen + 1)?;
        let (last, _, _) = before.last()?;
        let silent = intervals - last - 1;
        let sum = |rows: &[(usize, usize, Populations<f64>)]| {
            rows.iter().fold((0.0, 0.0), |sums, (_, _, exposure)| {
                (sums.0 + of_other(exposure), sums.1 + of(exposure))
            })
        };
        let (other_before, own_before) = sum(before);
        let (other_after, _) = sum(after);
        let expected = if other_before > 0.0 {
            own_before / other_before * other_after
        } else {
            own_before / (last + 1) as f64 * silent as f64
        };
        (silent >= SILENT_INTERVALS && expected >= EXPECTED_REQUESTS).then(|| {
            format!(
                "the {} has had no traffic for {silent} intervals, where {} were to be expected",
                population,
                text::count(libm::round(expected))
            )
        })
    }
}

/// Adds to a reason that the data may only come late, where that of both populations ends `ended`
/// intervals before the window: what is late is not missing, and a longer lag waits for it.
fn or_late(why: String, ended: usize, grid: Grid, lag_seconds: u32) -> String {
    let ended_ms = grid.end_ms() - grid.boundary_ms(grid.intervals().saturating_sub(ended));
    let needed_seconds = i64::from(lag_seconds) + (ended_ms + 999) / 1_000;
    if ended < LATE_INTERVALS || needed_seconds > LONGEST_LAG_SECONDS {
        return why;
    }
    format!(
        "{why}; that of both versions ends {} before the window does: if it is only late, set \
         analysis.lag to at least {} (it is {})",
        text::minutes(ended_ms as f64 / 60_000.0),
        text::duration(needed_seconds),
        text::duration(i64::from(lag_seconds))
    )
}

/// Why the newest data of a metric is not enough to go on, if it is not, when what is younger than
/// a lag is not judged.
pub(super) fn silence(data: &StageData, lag_seconds: u32, check: &Check) -> Option<String> {
    let grid = data.grid;
    let compares = check.is_relative();
    match data.metrics.get(&check.measured.name)? {
        MetricData::Counts(counts) => {
            Exposures::of_counts(counts).silence(grid, lag_seconds, compares)
        }
        MetricData::Histogram(histogram) => {
            Exposures::of_histogram(histogram).silence(grid, lag_seconds, compares)
        }
        MetricData::Gauge(gauge) => {
            let ended = |is_seen: fn(&Populations<Option<f64>>) -> bool| {
                let last = gauge.intervals.iter().rposition(is_seen);
                grid.intervals() - last.map_or(0, |last| last + 1)
            };
            let canary = ended(|pair| pair.canary.is_some());
            let control = ended(|pair| pair.control.is_some());
            let either = canary.min(control);
            let silent = |population: Population, ended: usize| {
                (ended >= SILENT_INTERVALS).then(|| {
                    let why =
                        format!("the {population} has no value in the newest {ended} intervals");
                    or_late(why, either, grid, lag_seconds)
                })
            };
            let of_control = || compares.then(|| silent(Population::Control, control));
            silent(Population::Canary, canary).or_else(|| of_control().flatten())
        }
        MetricData::Fault(_) => None,
    }
}

/// The first grid interval in which the canary was seen, in any metric.
pub(super) fn first_canary_interval(data: &StageData) -> Option<usize> {
    let first_exposed = |exposures: Exposures| {
        exposures
            .rows
            .iter()
            .find(|(_, _, exposure)| exposure.canary > 0.0)
            .map(|(last, length, _)| last + 1 - length)
    };
    let first = |metric: &MetricData| match metric {
        MetricData::Counts(counts) => first_exposed(Exposures::of_counts(counts)),
        MetricData::Histogram(histogram) => first_exposed(Exposures::of_histogram(histogram)),
        MetricData::Gauge(gauge) => gauge
            .intervals
            .iter()
            .position(|pair| pair.canary.is_some()),
        MetricData::Fault(_) => None,
    };
    data.metrics.values().filter_map(first).min()
}
