//! The rows of a histogram, interval by interval, without those of young processes.

use crate::proof::Tails;
use crate::series::{Apart, Grid, PairedHistogram, PodBuckets, Population, Populations};

use super::super::by_interval::{mixed, rows_by_interval};
use super::super::young::Youth;

/// The histogram of a check on every interval of the grid.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct QuantileRows<'a> {
    histogram: &'a PairedHistogram,
    bounds: Vec<f64>,
    /// The row that ends with each interval.
    rows: Vec<Option<usize>>,
    youth: Youth,
    /// Whether the pods of both populations are told apart.
    has_pods: bool,
}

impl<'a> QuantileRows<'a> {
    /// `warm_up_seconds` is how long a process is young. `is_one_place` says that all pods serve the same requests.
    pub(crate) fn of(
        histogram: &'a PairedHistogram,
        grid: Grid,
        warm_up_seconds: f64,
        is_one_place: bool,
    ) -> Self {
        let of_canary = |row: usize| total(&histogram.canary, row);
        let spans = histogram.spans.iter().enumerate();
        let spans = spans.map(|(row, &(first, length))| (first, length, of_canary(row)));
        let youth = Youth::of(
            grid,
            spans,
            (&histogram.pods, &histogram.lives),
            warm_up_seconds,
            PodBuckets::all,
        );
        let named = |apart: &Apart<PodBuckets>| apart.names.iter().any(|name| !name.is_empty());
        let finite = histogram
            .upper_bounds
            .iter()
            .filter(|bound| bound.is_finite());
        Self {
            bounds: finite.copied().collect(),
            rows: rows_by_interval(histogram.spans.iter().copied(), grid.intervals()),
            has_pods: is_one_place
                && named(&histogram.pods.control)
                && (histogram.pods.canary.names.is_empty() || named(&histogram.pods.canary)),
            youth,
            histogram,
        }
    }

    /// The finite bounds.
    pub(crate) fn bounds(&self) -> &[f64] {
        &self.bounds
    }

    /// How many intervals there are.
    pub(crate) fn intervals(&self) -> usize {
        self.rows.len()
    }

    fn row(&self, interval: usize) -> Option<usize> {
        self.rows.get(interval).copied().flatten()
    }

    /// What both populations had in the row that ends with an interval.
    pub(crate) fn at(&self, interval: usize) -> Option<Populations<Tails>> {
        let row = self.row(interval)?;
        let tails = |population: Population| {
            let counts = match population {
                Population::Control => &self.histogram.control,
                Population::Canary => &self.histogram.canary,
            };
            let row_of = counts.row(row);
            let young = self.youth.of_row(row).get(population);
            if young.is_empty() {
                return Tails::of_cumulative(row_of.iter());
            }
            let mut warm = row_of.to_vec();
            let pods = self.histogram.pods.get(population).rows.get(row);
            for (place, buckets) in pods.into_iter().flatten() {
                if young.contains(place) {
                    buckets.add_to_cumulative(warm.iter_mut(), -1.0);
                }
            }
            for count in &mut warm {
                *count = count.max(0.0);
            }
            Tails::of_cumulative(warm.iter())
        };
        Some(Populations {
            control: tails(Population::Control),
            canary: tails(Population::Canary),
        })
    }

    /// What each pod had in an interval, without young ones; nothing where pods are not told apart.
    pub(crate) fn pods(
        &self,
        population: Population,
        interval: usize,
    ) -> impl Iterator<Item = (&'a str, &'a PodBuckets)> {
        let row = self.row(interval).filter(|_| self.has_pods);
        let apart = self.histogram.pods.get(population);
        let young = row.map(|row| self.youth.of_row(row).get(population));
        let had = row
            .and_then(|row| apart.rows.get(row))
            .into_iter()
            .flatten();
        had.filter(move |(place, _)| !young.is_some_and(|young| young.contains(place)))
            .filter_map(|(place, buckets)| {
                let name = apart.names.get(*place as usize)?;
                Some((name.as_str(), buckets))
            })
    }

    /// What both populations had from one interval to another.
    pub(crate) fn sums(&self, from: usize, until: usize) -> Populations<Tails> {
        let mut sums = Populations::same(Tails::nothing(self.bounds.len()));
        for row in (from..until).filter_map(|interval| self.at(interval)) {
            sums.control.add(&row.control);
            sums.canary.add(&row.canary);
        }
        sums
    }

    /// All requests of both populations, those of young processes too.
    pub(crate) fn all_requests(&self) -> Populations<f64> {
        let rows = 0..self.histogram.spans.len();
        let all = |counts| rows.clone().map(|row| total(counts, row)).sum();
        Populations {
            control: all(&self.histogram.control),
            canary: all(&self.histogram.canary),
        }
    }

    /// The requests of the canary's young processes, and all of its.
    pub(crate) fn young_of_all(&self) -> (f64, f64) {
        let rows = 0..self.histogram.spans.len();
        let all: f64 = rows
            .clone()
            .map(|row| total(&self.histogram.canary, row))
            .sum();
        let of_row = |row: usize| {
            let young = &self.youth.of_row(row).canary;
            let pods = self
                .histogram
                .pods
                .canary
                .rows
                .get(row)
                .into_iter()
                .flatten();
            let pods = pods.filter(|(place, _)| young.contains(place));
            pods.map(|(_, buckets)| buckets.all()).sum::<f64>()
        };
        (rows.map(of_row).sum(), all)
    }

    /// The requests of both populations: of all rows, and of those in which both had some.
    pub(crate) fn requests(&self) -> (Populations<f64>, Populations<f64>) {
        let nothing = Populations {
            control: 0.0,
            canary: 0.0,
        };
        let (mut alone, mut together) = (nothing, nothing);
        for row in (0..self.rows.len()).filter_map(|interval| self.at(interval)) {
            let (control, canary) = (row.control.all(), row.canary.all());
            alone.control += control;
            alone.canary += canary;
            if control > 0.0 && canary > 0.0 {
                together.control += control;
                together.canary += canary;
            }
        }
        (alone, together)
    }

    /// A number that is another one where the first intervals are.
    pub(crate) fn fingerprint(&self, intervals: usize) -> u64 {
        let bounds = self.bounds.iter();
        let of_bounds = bounds.fold(0, |all, bound| mixed(all, bound.to_bits()));
        let rows = self.rows.iter().take(intervals).flatten();
        rows.fold(of_bounds, |all, row| {
            let arms = [&self.histogram.control, &self.histogram.canary];
            let young = self.youth.of_row(*row);
            let places = young.control.iter().chain(&young.canary);
            let all = places.fold(all, |all, place| mixed(all, u64::from(*place)));
            arms.into_iter().fold(all, |all, counts| {
                let counts = counts.row(*row);
                counts
                    .iter()
                    .fold(all, |all, count| mixed(all, count.to_bits()))
            })
        })
    }
}

fn total(counts: &ndarray::Array2<f64>, row: usize) -> f64 {
    counts.row(row).last().copied().unwrap_or(0.0)
}
