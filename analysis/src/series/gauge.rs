//! Values that go up and down: taken as they are at the end of each interval.

use std::borrow::Borrow;

use super::{DataQuality, Grid, PairedGauge, Populations, Series};

/// Puts the means of a gauge on the grid: for each interval the value at its end.
///
/// Where a population has several series, the mean of those with a value is taken. Values that
/// are NaN or infinite are left out and counted; negative ones are as good as any.
pub fn gauge<S: Borrow<Series>>(grid: &Grid, values: Populations<&[S]>) -> PairedGauge {
    let control = means(grid, values.control);
    let canary = means(grid, values.canary);
    let intervals: Vec<_> = control
        .values
        .into_iter()
        .zip(canary.values)
        .map(|(control, canary)| Populations { control, canary })
        .collect();
    let is_missing =
        |pair: &&Populations<Option<f64>>| pair.control.is_none() && pair.canary.is_none();
    let quality = DataQuality {
        missing_intervals: intervals.iter().filter(is_missing).count(),
        rejected_samples: control.rejected + canary.rejected,
        control_series: control.series,
        canary_series: canary.series,
        ..DataQuality::default()
    };
    PairedGauge { intervals, quality }
}

/// One population's means by interval.
struct Means {
    values: Vec<Option<f64>>,
    rejected: usize,
    series: usize,
}

/// Averages the series of one population at the end of each interval.
fn means<S: Borrow<Series>>(grid: &Grid, series: &[S]) -> Means {
    let mut sums = vec![(0.0, 0_u32); grid.intervals()];
    let mut rejected = 0;
    let mut seen = 0;
    let all = series.iter().map(Borrow::borrow);
    for one in all.filter(|one: &&Series| !one.timestamps_ms.is_empty()) {
        seen += 1;
        for (&at_ms, &value) in one.timestamps_ms.iter().zip(&one.values) {
            let Some((sum, number)) =
                interval_ending_at(grid, at_ms).and_then(|interval| sums.get_mut(interval))
            else {
                continue;
            };
            if value.is_finite() {
                *sum += value;
                *number += 1;
            } else {
                rejected += 1;
            }
        }
    }
    let mean = |(sum, number): (f64, u32)| (number > 0).then(|| sum / f64::from(number));
    Means {
        values: sums.into_iter().map(mean).collect(),
        rejected,
        series: seen,
    }
}

/// The interval that ends at an instant.
fn interval_ending_at(grid: &Grid, at_ms: i64) -> Option<usize> {
    let since_start_ms = at_ms.checked_sub(grid.start_ms())?;
    if since_start_ms <= 0 || since_start_ms % grid.interval_ms() != 0 {
        return None;
    }
    usize::try_from(since_start_ms / grid.interval_ms() - 1).ok()
}
