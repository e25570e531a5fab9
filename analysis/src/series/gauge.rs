//! Values that go up and down: taken as they are at the end of each interval.
//!
//! The mean over the series of a population is taken here and not by the source: a pod that is idle
//! has a mean latency of NaN, and a mean that the source takes is NaN then for all of them.

use std::borrow::Borrow;
use std::collections::BTreeMap;

use super::model::{FiniteSeries, LeftOut, LeftOutSeries};
use super::pod::pod_name;
use super::{Apart, DataQuality, Grid, PairedGauge, Populations, Series, naming};

/// Most series of a population that are named as left out.
const MOST_NAMED: usize = 20;

/// Puts the means of a gauge on the grid: for each interval the mean of the values at its end.
///
/// A series without a value at the end of an interval, or with one that is NaN or infinite, is left
/// out of the mean of that interval and named; negative values are as good as any. Whether too many
/// are left out is for whoever judges to say: see [`FiniteSeries`].
pub fn gauge<S: Borrow<Series>>(grid: &Grid, values: Populations<&[S]>) -> PairedGauge {
    let control = Means::of(grid, values.control);
    let canary = Means::of(grid, values.canary);
    let intervals: Vec<_> = control
        .values
        .into_iter()
        .zip(canary.values)
        .map(|(control, canary)| Populations { control, canary })
        .collect();
    let behind = control
        .behind
        .into_iter()
        .zip(canary.behind)
        .map(|(control, canary)| Populations { control, canary })
        .collect();
    let is_missing =
        |pair: &&Populations<Option<f64>>| pair.control.is_none() && pair.canary.is_none();
    let quality = DataQuality {
        missing_intervals: intervals.iter().filter(is_missing).count(),
        rejected_samples: control.rejected + canary.rejected,
        control_series: control.finite.seen,
        canary_series: canary.finite.seen,
        ..DataQuality::default()
    };
    PairedGauge {
        intervals,
        behind,
        loads: Vec::new(),
        pods: Populations {
            control: control.pods,
            canary: canary.pods,
        },
        left_out: Populations {
            control: control.left_out,
            canary: canary.left_out,
        },
        finite: Populations {
            control: control.finite,
            canary: canary.finite,
        },
        quality,
    }
}

/// What a series has at the end of an interval.
#[derive(Debug, Clone, Copy, PartialEq)]
enum At {
    Nothing,
    NoNumber,
    Value(f64),
}

/// One population's means by interval.
struct Means {
    values: Vec<Option<f64>>,
    behind: Vec<u32>,
    pods: Apart<f64>,
    left_out: Vec<LeftOutSeries>,
    finite: FiniteSeries,
    rejected: usize,
}

impl Means {
    /// Averages the series of one population at the end of each interval.
    fn of<S: Borrow<Series>>(grid: &Grid, series: &[S]) -> Self {
        let read: Vec<(&Series, Vec<At>)> = series
            .iter()
            .map(Borrow::borrow)
            .map(|one: &Series| (one, at_ends(grid, one)))
            .filter(|(_, at)| at.iter().any(|at| *at != At::Nothing))
            .collect();
        let mut sums = vec![(0.0, 0_u32); grid.intervals()];
        let mut finite = FiniteSeries::default();
        let mut rejected = 0;
        for (_, at) in &read {
            let mut has_number = false;
            for ((sum, number), at) in sums.iter_mut().zip(at) {
                match at {
                    At::Value(value) => {
                        *sum += value;
                        *number += 1;
                        has_number = true;
                    }
                    At::NoNumber => rejected += 1,
                    At::Nothing => {}
                }
            }
            finite.seen += 1;
            finite.not_finite += usize::from(!has_number);
        }
        let behind: Vec<u32> = sums.iter().map(|(_, number)| *number).collect();
        let left_out = read.iter().flat_map(|(one, at)| left_out(one, at, &behind));
        Self {
            left_out: left_out.take(MOST_NAMED).collect(),
            pods: by_pod(grid, &read),
            values: sums.into_iter().map(mean).collect(),
            behind,
            finite,
            rejected,
        }
    }
}

/// The mean of the series of each pod at the end of each interval: cores, disks and containers are no
/// pods.
///
/// Source: docs/design/reading-prometheus.md, "Pods".
fn by_pod(grid: &Grid, read: &[(&Series, Vec<At>)]) -> Apart<f64> {
    let mut sums = BTreeMap::<&str, Vec<(f64, u32)>>::new();
    for (one, at) in read {
        let of_pod = sums.entry(pod_name(one));
        let of_pod = of_pod.or_insert_with(|| vec![(0.0, 0); grid.intervals()]);
        for ((sum, number), at) in of_pod.iter_mut().zip(at) {
            if let At::Value(value) = at {
                *sum += value;
                *number += 1;
            }
        }
    }
    let pods = sums.into_iter().map(|(pod, sums)| {
        let means = sums.into_iter().map(mean).enumerate();
        let had = means.filter_map(|(interval, mean)| Some((interval, mean?)));
        (pod.to_owned(), had.collect())
    });
    Apart::of_names(grid.intervals(), pods.collect())
}

/// The mean of some values of which the sum and the number are known. The sum of very large numbers is
/// no number, and has none.
fn mean((sum, number): (f64, u32)) -> Option<f64> {
    let mean = (number > 0).then(|| sum / f64::from(number));
    mean.filter(|mean| mean.is_finite())
}

/// What a series has at the end of each interval.
fn at_ends(grid: &Grid, series: &Series) -> Vec<At> {
    let mut found = vec![At::Nothing; grid.intervals()];
    for (&at_ms, &value) in series.timestamps_ms.iter().zip(&series.values) {
        let interval = interval_ending_at(grid, at_ms);
        if let Some(at) = interval.and_then(|interval| found.get_mut(interval)) {
            *at = if value.is_finite() {
                At::Value(value)
            } else {
                At::NoNumber
            };
        }
    }
    found
}

/// The intervals that a series is left out of, by reason. Before its first value it did not exist,
/// and where no other has a value nothing is left out of anything.
fn left_out(series: &Series, at: &[At], behind: &[u32]) -> Vec<LeftOutSeries> {
    let mut not_finite = Vec::new();
    let mut absent = Vec::new();
    let mut has_begun = false;
    for (interval, (at, behind)) in at.iter().zip(behind).enumerate() {
        match at {
            At::Value(_) => has_begun = true,
            At::NoNumber => {
                has_begun = true;
                not_finite.push(interval);
            }
            At::Nothing if has_begun && *behind > 0 => absent.push(interval),
            At::Nothing => {}
        }
    }
    [(LeftOut::NotFinite, not_finite), (LeftOut::Absent, absent)]
        .into_iter()
        .filter(|(_, intervals)| !intervals.is_empty())
        .map(|(why, intervals)| LeftOutSeries {
            labels: naming::name(series),
            why,
            intervals,
        })
        .collect()
}

/// The interval that ends at an instant.
fn interval_ending_at(grid: &Grid, at_ms: i64) -> Option<usize> {
    let since_start_ms = at_ms.checked_sub(grid.start_ms())?;
    if since_start_ms <= 0 || since_start_ms % grid.interval_ms() != 0 {
        return None;
    }
    usize::try_from(since_start_ms / grid.interval_ms() - 1).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOTHING: f64 = f64::MAX;

    /// A pod with one value at the end of each second; `NOTHING` is none.
    fn pod(name: &str, values: &[f64]) -> Series {
        let at = |index: usize| i64::try_from(index + 1).unwrap() * 1_000;
        let present = |(_, value): &(usize, &f64)| **value < NOTHING || !value.is_finite();
        Series {
            labels: [("pod".to_owned(), name.to_owned())].into(),
            timestamps_ms: values
                .iter()
                .enumerate()
                .filter(present)
                .map(|(index, _)| at(index))
                .collect(),
            values: values
                .iter()
                .enumerate()
                .filter(present)
                .map(|(_, value)| *value)
                .collect(),
        }
    }

    fn of_canary(pods: &[Series]) -> PairedGauge {
        let grid = Grid::covering(0, 4_000, 1_000);
        gauge(
            &grid,
            Populations {
                control: &[],
                canary: pods,
            },
        )
    }

    fn means(gauge: &PairedGauge) -> Vec<Option<f64>> {
        gauge.intervals.iter().map(|pair| pair.canary).collect()
    }

    #[test]
    fn the_mean_is_of_the_pods_that_have_a_number() {
        let nan = f64::NAN;
        let found = of_canary(&[
            pod("a", &[1.0, 1.0, 1.0, NOTHING]),
            pod("b", &[3.0, nan, f64::INFINITY, 3.0]),
        ]);
        assert_eq!(means(&found), [Some(2.0), Some(1.0), Some(1.0), Some(3.0)]);
        let behind: Vec<u32> = found.behind.iter().map(|pair| pair.canary).collect();
        assert_eq!(behind, [2, 1, 1, 1]);
        let named = |labels: &str, why, intervals: &[usize]| LeftOutSeries {
            labels: labels.to_owned(),
            why,
            intervals: intervals.to_vec(),
        };
        assert_eq!(
            found.left_out.canary,
            [
                named("{pod=\"a\"}", LeftOut::Absent, &[3]),
                named("{pod=\"b\"}", LeftOut::NotFinite, &[1, 2]),
            ]
        );
    }

    #[test]
    fn a_pod_that_is_new_was_not_left_out_before() {
        let found = of_canary(&[
            pod("a", &[1.0, 1.0, 1.0, 1.0]),
            pod("b", &[NOTHING, NOTHING, 3.0, 3.0]),
        ]);
        assert_eq!(means(&found), [Some(1.0), Some(1.0), Some(2.0), Some(2.0)]);
        assert_eq!(found.left_out.canary, []);
    }

    #[test]
    fn a_population_is_no_number_when_more_than_half_of_its_series_never_are() {
        let nan = f64::NAN;
        let good = || pod("good", &[1.0, nan, 1.0, 1.0]);
        let idle = |name| pod(name, &[nan; 4]);
        let half = of_canary(&[good(), idle("x")]);
        assert!(!half.finite.canary.is_mostly_not());
        let most = of_canary(&[good(), idle("x"), idle("y")]);
        assert!(most.finite.canary.is_mostly_not());
        assert!(!of_canary(&[]).finite.canary.is_mostly_not());
    }
}
