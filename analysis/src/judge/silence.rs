//! Data that stopped: what was seen before must not promote what is no longer seen.

use crate::series::{PairedCounts, PairedHistogram, Populations};

use crate::data::{MetricData, StageData};

/// Newest intervals without data after which a metric counts as silent, and the newest intervals of
/// which a fifth may be missing. Source: docs/design/statistics.md, "2. Notation, grid, hygiene",
/// rule 8.
const SILENT_INTERVALS: usize = 5;
const RECENT_INTERVALS: usize = 40;
const MOST_MISSING_SHARE: f64 = 0.2;
/// Requests that a silent canary would have had at its share of the traffic: none at all happens
/// by chance in two cases of a billion.
const EXPECTED_REQUESTS: f64 = 20.0;

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
    fn silence(&self, intervals: usize) -> Option<String> {
        let covered = self.rows.last().map_or(0, |(last, _, _)| last + 1);
        if covered + SILENT_INTERVALS <= intervals {
            return Some(format!(
                "no data in the newest {} intervals",
                intervals - covered
            ));
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
            return Some(format!(
                "{missing} of the newest {recent} intervals have no data"
            ));
        }
        self.canary_went_silent(intervals)
    }

    /// The canary had traffic before, and has none where its share of the control's would be
    /// plenty.
    fn canary_went_silent(&self, intervals: usize) -> Option<String> {
        let last_seen = self
            .rows
            .iter()
            .rposition(|(_, _, exposure)| exposure.canary > 0.0)?;
        let (before, after) = self.rows.split_at_checked(last_seen + 1)?;
        let (last, _, _) = before.last()?;
        let silent = intervals - last - 1;
        let sum = |rows: &[(usize, usize, Populations<f64>)]| {
            rows.iter().fold((0.0, 0.0), |sums, (_, _, exposure)| {
                (sums.0 + exposure.control, sums.1 + exposure.canary)
            })
        };
        let (control_before, canary_before) = sum(before);
        let (control_after, _) = sum(after);
        let expected = if control_before > 0.0 {
            canary_before / control_before * control_after
        } else {
            canary_before / (last + 1) as f64 * silent as f64
        };
        (silent >= SILENT_INTERVALS && expected >= EXPECTED_REQUESTS).then(|| {
            format!(
                "the canary has had no traffic for {silent} intervals, where {expected:.0} were \
                 to be expected"
            )
        })
    }
}

/// Why the newest data of a metric is not enough to go on, if it is not.
pub(super) fn silence(data: &StageData, metric: &str) -> Option<String> {
    let intervals = data.grid.intervals();
    match data.metrics.get(metric)? {
        MetricData::Counts(counts) => Exposures::of_counts(counts).silence(intervals),
        MetricData::Histogram(histogram) => Exposures::of_histogram(histogram).silence(intervals),
        MetricData::Gauge(gauge) => {
            let covered = gauge
                .intervals
                .iter()
                .rposition(|pair| pair.canary.is_some())
                .map_or(0, |last| last + 1);
            (covered + SILENT_INTERVALS <= intervals).then(|| {
                format!(
                    "the canary has no value in the newest {} intervals",
                    intervals - covered
                )
            })
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
