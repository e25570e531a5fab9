//! What is read of a stage: the counts, buckets and gauges of its pods, interval by interval.

use std::collections::BTreeMap;

use ndarray::{Array2, ArrayView1};

use super::checks::{METRICS, Measured};
use super::fleet::pod_name;
use super::pod::{INTERVAL_SECONDS, Served};
use crate::data::{MetricData, StageData};
use crate::proof::Pods;
use crate::series::{
    Apart, ArmCount, DataQuality, Grid, Lives, PairedCounts, PairedGauge, PairedHistogram,
    PairedInterval, PodBuckets, PodLife, Population, Populations,
};

#[expect(clippy::cast_possible_truncation, reason = "30 s")]
pub(super) const INTERVAL_MS: i64 = (INTERVAL_SECONDS * 1_000.0) as i64;
/// How often pods are scraped.
const SCRAPE_MS: i64 = 15_000;

/// What has been read of a stage, or of the hour before.
#[derive(Debug, Clone)]
pub(super) struct Reading {
    data: StageData,
}

impl Reading {
    /// Before the first interval. `born_ms` is when each pod's process began.
    pub(super) fn new(
        start_ms: i64,
        bounds: &[f64],
        born_ms: &Populations<Vec<i64>>,
        pods_before: BTreeMap<String, Pods>,
    ) -> Self {
        let lives = Populations {
            control: lives_of(Population::Control, &born_ms.control),
            canary: lives_of(Population::Canary, &born_ms.canary),
        };
        let mut data = StageData::empty(grid(start_ms, 0));
        data.pods_before = pods_before;
        for (name, measured) in METRICS {
            let metric = nothing(measured, bounds, &lives);
            data.metrics.insert(name.to_owned(), metric);
        }
        Self { data }
    }

    /// Adds an interval, which is settled: nothing of it will be counted otherwise.
    pub(super) fn push(&mut self, served: &Populations<Vec<Served>>) {
        let data = &mut self.data;
        let interval = data.grid.intervals();
        for (name, measured) in METRICS {
            match (data.metrics.get_mut(name), measured) {
                (Some(MetricData::Counts(counts)), Measured::FailedOrders) => {
                    push_counts(counts, interval, served, |pod| {
                        (pod.failed_orders, pod.orders)
                    });
                }
                (Some(MetricData::Counts(counts)), _) => {
                    push_counts(counts, interval, served, |pod| (pod.failures, pod.requests));
                }
                (Some(MetricData::Histogram(histogram)), _) => {
                    push_buckets(histogram, interval, served);
                }
                (Some(MetricData::Gauge(gauge)), Measured::Gauge(place)) => {
                    push_gauge(gauge, served, |pod| pod.gauges.get(place).copied());
                }
                _ => {}
            }
        }
        data.grid = grid(data.grid.start_ms(), interval + 1);
        data.settled_intervals = interval + 1;
    }

    /// What was read so far.
    pub(super) fn data(&self) -> &StageData {
        &self.data
    }
}

fn grid(start_ms: i64, intervals: usize) -> Grid {
    let length = i64::try_from(intervals).unwrap_or(i64::MAX);
    let end_ms = start_ms.saturating_add(length.saturating_mul(INTERVAL_MS));
    Grid::covering(start_ms, end_ms, INTERVAL_MS)
}

fn lives_of(population: Population, born_ms: &[i64]) -> Lives {
    let life = |(place, born_ms): (usize, &i64)| {
        let life = PodLife {
            first_sample_ms: *born_ms,
            start_ms: Some(*born_ms),
        };
        (pod_name(population, place), life)
    };
    born_ms.iter().enumerate().map(life).collect()
}

/// A metric without an interval.
fn nothing(measured: Measured, bounds: &[f64], lives: &Populations<Lives>) -> MetricData {
    let quality = DataQuality {
        control_series: lives.control.len(),
        canary_series: lives.canary.len(),
        ..DataQuality::default()
    };
    let lives = lives.clone();
    match measured {
        Measured::Failures | Measured::FailedOrders => MetricData::Counts(PairedCounts {
            pods: apart(&lives),
            lives,
            quality,
            ..PairedCounts::default()
        }),
        Measured::Latency => {
            let upper_bounds: Vec<f64> = bounds.iter().copied().chain([f64::INFINITY]).collect();
            let empty = Array2::zeros((0, upper_bounds.len()));
            MetricData::Histogram(PairedHistogram {
                upper_bounds,
                control: empty.clone(),
                canary: empty,
                pods: apart(&lives),
                lives,
                quality,
                ..PairedHistogram::default()
            })
        }
        Measured::Gauge(_) => MetricData::Gauge(PairedGauge {
            pods: apart(&lives),
            lives,
            scrape_ms: Some(SCRAPE_MS),
            quality,
            ..PairedGauge::default()
        }),
    }
}

/// The names of the pods, ascending.
fn apart<T>(lives: &Populations<Lives>) -> Populations<Apart<T>> {
    let named = |lives: &Lives| Apart {
        names: lives.keys().cloned().collect(),
        rows: Vec::new(),
    };
    lives.as_ref().map(named)
}

/// Adds a row of what each pod had.
fn push_row<T>(
    apart: &mut Populations<Apart<T>>,
    served: &Populations<Vec<Served>>,
    of: impl Fn(&Served) -> Option<T>,
) {
    for population in [Population::Control, Population::Canary] {
        let pods = (0_u32..).zip(served.get(population));
        let row = pods.filter_map(|(place, pod)| Some((place, of(pod)?)));
        apart.get_mut(population).rows.push(row.collect());
    }
}

fn push_counts(
    counts: &mut PairedCounts,
    first: usize,
    served: &Populations<Vec<Served>>,
    of: impl Fn(&Served) -> (f64, f64),
) {
    let count = |pod: &Served| {
        let (events, exposure) = of(pod);
        ArmCount { events, exposure }
    };
    let sum = |pods: &Vec<Served>| {
        let each = pods.iter().map(count);
        each.fold(ArmCount::default(), ArmCount::and)
    };
    counts.intervals.push(PairedInterval {
        first,
        length: 1,
        control: sum(&served.control),
        canary: sum(&served.canary),
    });
    push_row(&mut counts.pods, served, |pod| Some(count(pod)));
}

fn push_buckets(
    histogram: &mut PairedHistogram,
    interval: usize,
    served: &Populations<Vec<Served>>,
) {
    let columns = histogram.upper_bounds.len();
    let sum = |pods: &Vec<Served>| {
        let mut sums = vec![0.0; columns];
        for pod in pods {
            for (sum, count) in sums.iter_mut().zip(&pod.at_most) {
                *sum += count;
            }
        }
        sums
    };
    let (control, canary) = (sum(&served.control), sum(&served.canary));
    // They are as long as there are bounds, so that it is done.
    let is_done = histogram
        .control
        .push_row(ArrayView1::from(&control))
        .is_ok()
        && histogram.canary.push_row(ArrayView1::from(&canary)).is_ok();
    if is_done {
        histogram.spans.push((interval, 1));
        push_row(&mut histogram.pods, served, |pod| {
            Some(PodBuckets::of_cumulative(&pod.at_most))
        });
    }
}

fn push_gauge(
    gauge: &mut PairedGauge,
    served: &Populations<Vec<Served>>,
    of: impl Fn(&Served) -> Option<f64>,
) {
    let mean = |pods: &Vec<Served>| {
        let values: Vec<f64> = pods.iter().filter_map(&of).collect();
        (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
    };
    let behind = |pods: &Vec<Served>| u32::try_from(pods.len()).unwrap_or(u32::MAX);
    gauge.intervals.push(served.as_ref().map(mean));
    gauge.behind.push(served.as_ref().map(behind));
    push_row(&mut gauge.pods, served, of);
}
