//! Values that go up and down: taken as they are at the end of each interval.
//!
//! The mean over the pods of a population is taken here and not by the source: a pod that is idle
//! has a mean latency of NaN, and a mean that the source takes is NaN then for all of them.

use std::borrow::Borrow;
use std::collections::BTreeMap;

use crate::proof::gauge::{GaugeSeries, PodName, by_pod, population};

use super::apart::few_lives;
use super::heartbeat::TargetBeats;
use super::model::{FiniteSeries, LeftOut, LeftOutSeries};
use super::pod::pod_name;
use super::{
    Apart, DataQuality, Grid, Heartbeats, Lives, PairedGauge, PodLife, Populations, Series, naming,
};

/// A scrape may come so much later than it is due, as a part of the time between two.
const SLACK: i64 = 20;
/// For so long a value counts where nobody knows how often it is scraped, as in Prometheus.
const UNKNOWN_PERIOD_MS: i64 = 300_000;
/// Most series of a population that are named as left out.
const MOST_NAMED: usize = 20;

/// How the values of a gauge were read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    /// At the ends of intervals, where a source repeats the newest one.
    AtTheEnds,
    /// As they were scraped: each sample once.
    AsScraped,
}

/// Puts the means of a gauge on the grid: for each interval the mean over the pods at its end.
///
/// The series of one pod are averaged first: cores, disks and containers are no pods. What tells pods apart is
/// `pod_label`, where there is one, else what tells them of any series. A series without a value at
/// the end of an interval, or with one that is NaN or infinite, is left out of the mean of that interval and named;
/// negative values are as good as any. Fewer than half of the living pods are no population. Whether too many are
/// left out of all is for whoever judges to say: see [`FiniteSeries`].
///
/// Source: docs/design/gauges.md, "1. Samples".
pub fn gauge<S: Borrow<Series>>(
    grid: &Grid,
    (taken, pod_label): (Taken, Option<&str>),
    values: Populations<&[S]>,
    heartbeats: Populations<&Heartbeats>,
) -> PairedGauge {
    let scrape_ms = scrape_period_ms(taken, values, heartbeats);
    let means = |series: &[S], heartbeats: &Heartbeats| {
        Means::of((grid, taken, scrape_ms), pod_label, series, heartbeats)
    };
    let control = means(values.control, heartbeats.control);
    let canary = means(values.canary, heartbeats.canary);
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
        lives: Populations {
            control: few_lives(control.lives),
            canary: few_lives(canary.lives),
        },
        scrape_ms,
        bare_series: control.bare + canary.bare,
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

/// The usual time between two samples: of the series that were scraped, or of the processes.
fn scrape_period_ms<S: Borrow<Series>>(
    taken: Taken,
    values: Populations<&[S]>,
    heartbeats: Populations<&Heartbeats>,
) -> Option<i64> {
    match taken {
        Taken::AsScraped => {
            let all = values
                .control
                .iter()
                .chain(values.canary)
                .map(Borrow::borrow);
            all.filter_map(spacing_ms).min()
        }
        Taken::AtTheEnds => [heartbeats.control, heartbeats.canary]
            .into_iter()
            .filter_map(Heartbeats::scrape_period_ms)
            .min(),
    }
}

/// The median time between two samples of a series.
fn spacing_ms(series: &Series) -> Option<i64> {
    let times = series.timestamps_ms.iter();
    let mut spacings: Vec<i64> = times
        .clone()
        .zip(times.skip(1))
        .map(|(before, after)| after - before)
        .collect();
    spacings.sort_unstable();
    spacings.get(spacings.len() / 2).copied()
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
    lives: Lives,
    left_out: Vec<LeftOutSeries>,
    finite: FiniteSeries,
    rejected: usize,
    bare: usize,
}

impl Means {
    /// Averages the pods of one population at the end of each interval.
    fn of<S: Borrow<Series>>(
        (grid, taken, scrape_ms): (&Grid, Taken, Option<i64>),
        pod_label: Option<&str>,
        series: &[S],
        heartbeats: &Heartbeats,
    ) -> Self {
        let read: Vec<(&Series, Vec<At>)> = series
            .iter()
            .map(Borrow::borrow)
            .map(|one: &Series| (one, at_ends(grid, taken, scrape_ms, one)))
            .filter(|(_, at)| at.iter().any(|at| *at != At::Nothing))
            .collect();
        let mut finite = FiniteSeries::default();
        let mut lives = Lives::new();
        for (one, at) in &read {
            let has_number = at.iter().any(|at| matches!(at, At::Value(_)));
            finite.seen += 1;
            finite.not_finite += usize::from(!has_number);
            if let Some(life) = life_of(one, heartbeats) {
                PodLife::note(&mut lives, pod_of(one, pod_label), life);
            }
        }
        let each = read.iter().map(|one| as_series(one, pod_label));
        let of_pods = population(&by_pod(&each.collect::<Vec<_>>()));
        let mut values = vec![None; grid.intervals()];
        for (interval, mean) in &of_pods.means {
            if let Some(slot) = values.get_mut(*interval) {
                *slot = Some(*mean);
            }
        }
        let mut behind = vec![0_u32; grid.intervals()];
        let mut had = BTreeMap::<String, Vec<(usize, f64)>>::new();
        for pod in &of_pods.pods {
            let name = match &pod.pod {
                PodName::Named(name) => name.to_string(),
                PodName::Bare | PodName::Unnamed => String::new(),
            };
            let of_pod = had.entry(name).or_default();
            for (interval, value) in &pod.values {
                of_pod.push((*interval, *value));
                if let Some(number) = behind.get_mut(*interval) {
                    *number += 1;
                }
            }
        }
        let left_out = read.iter().flat_map(|(one, at)| left_out(one, at, &behind));
        let all = read.iter().flat_map(|(_, at)| at);
        Self {
            left_out: left_out.take(MOST_NAMED).collect(),
            pods: Apart::of_names(grid.intervals(), had),
            lives,
            rejected: all.filter(|at| **at == At::NoNumber).count(),
            bare: of_pods.bare,
            values,
            behind,
            finite,
        }
    }
}

/// When the pod of a series was seen first, and when its first process started.
fn life_of(series: &Series, heartbeats: &Heartbeats) -> Option<PodLife> {
    let beats = heartbeats.of(&heartbeats.target_of(series));
    let beats = beats.map(TargetBeats::beats).unwrap_or_default();
    Some(PodLife {
        first_sample_ms: *series.timestamps_ms.first()?,
        start_ms: beats.iter().filter_map(|beat| beat.start_ms).min(),
    })
}

/// The pod that a series is of: as the file says, or as series are of pods.
fn pod_of<'a>(series: &'a Series, pod_label: Option<&str>) -> &'a str {
    match pod_label {
        Some(label) => series.labels.get(label).map_or("", |name| name.as_ref()),
        None => pod_name(series),
    }
}

/// A series as its values at the ends of intervals, of the pod that it names.
fn as_series((series, at): &(&Series, Vec<At>), pod_label: Option<&str>) -> GaugeSeries {
    let has_labels = series.labels.keys().any(|label| label != "__name__");
    let pod = match (has_labels, pod_of(series, pod_label)) {
        (false, _) => PodName::Bare,
        (true, "") => PodName::Unnamed,
        (true, name) => PodName::Named(name.into()),
    };
    let values = at.iter().enumerate().filter_map(|(interval, at)| match at {
        At::Nothing => None,
        At::NoNumber => Some((interval, f64::NAN)),
        At::Value(value) => Some((interval, *value)),
    });
    GaugeSeries {
        pod,
        values: values.collect(),
    }
}

/// What a series has at the end of each interval. Of samples as they were scraped the newest one counts, for as long
/// as until the next one is due.
fn at_ends(grid: &Grid, taken: Taken, scrape_ms: Option<i64>, series: &Series) -> Vec<At> {
    let mut found = vec![At::Nothing; grid.intervals()];
    let at = |value: f64| {
        if value.is_finite() {
            At::Value(value)
        } else {
            At::NoNumber
        }
    };
    let samples = series.timestamps_ms.iter().zip(&series.values);
    match taken {
        Taken::AtTheEnds => {
            for (&at_ms, &value) in samples {
                let interval = interval_ending_at(grid, at_ms);
                if let Some(slot) = interval.and_then(|interval| found.get_mut(interval)) {
                    *slot = at(value);
                }
            }
        }
        Taken::AsScraped => {
            let due_ms = scrape_ms.unwrap_or(UNKNOWN_PERIOD_MS);
            let lasts_ms = (due_ms + due_ms / SLACK).max(grid.interval_ms());
            for (interval, slot) in found.iter_mut().enumerate() {
                let end_ms = grid.boundary_ms(interval + 1);
                let until = series
                    .timestamps_ms
                    .partition_point(|&at_ms| at_ms <= end_ms);
                let newest = until.checked_sub(1).and_then(|newest| {
                    Some((
                        series.timestamps_ms.get(newest)?,
                        series.values.get(newest)?,
                    ))
                });
                if let Some((&at_ms, &value)) = newest
                    && at_ms > end_ms.saturating_sub(lasts_ms)
                {
                    *slot = at(value);
                }
            }
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
        let heartbeats = Heartbeats::default();
        gauge(
            &grid,
            (Taken::AtTheEnds, None),
            Populations {
                control: &[],
                canary: pods,
            },
            Populations::same(&heartbeats),
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
