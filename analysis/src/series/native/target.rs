//! The columns of a population's native histograms, put together by target.

use std::collections::BTreeMap;

use std::borrow::Borrow;

use crate::series::Series;

use super::super::track::is_countable;
use super::bounds::Bucket;
use super::column::NativeColumn;

/// The native histogram of one target.
pub(super) struct Target<'a> {
    /// The number of all observations: the instants at which the histogram was there.
    pub(super) count: &'a Series,
    buckets: Vec<(Bucket, &'a Series)>,
}

/// The targets of one population.
pub(super) struct Targets<'a> {
    pub(super) usable: Vec<Target<'a>>,
    pub(super) rejected: usize,
}

/// What is found of a target while reading.
#[derive(Default)]
struct Found<'a> {
    count: Option<&'a Series>,
    buckets: Vec<(Bucket, &'a Series)>,
}

impl<'a> Targets<'a> {
    pub(super) fn read<S: Borrow<Series>>(series: &'a [S]) -> Self {
        let mut rejected = 0;
        let mut found = BTreeMap::<Vec<(&str, &str)>, Found<'a>>::new();
        let all = series.iter().map(Borrow::borrow);
        for one in all.filter(|one: &&Series| !one.timestamps_ms.is_empty()) {
            let Some(column) = NativeColumn::of(one) else {
                rejected += one.timestamps_ms.len();
                continue;
            };
            let target = found.entry(NativeColumn::others(one)).or_default();
            match column {
                NativeColumn::Count => target.count = Some(one),
                NativeColumn::Bucket { lower, upper } => {
                    target.buckets.push((Bucket::new(lower, upper), one));
                }
            }
        }
        let mut usable = Vec::with_capacity(found.len());
        for one in found.into_values() {
            let samples = one.buckets.iter().map(|(_, series)| series.values.len());
            match one.count {
                Some(count) => usable.push(Target {
                    count,
                    buckets: one.buckets,
                }),
                None => rejected += samples.sum::<usize>(),
            }
        }
        Self { usable, rejected }
    }

    /// Every bucket that some target populates.
    pub(super) fn buckets(&self) -> impl Iterator<Item = Bucket> {
        self.usable
            .iter()
            .flat_map(|target| target.buckets.iter().map(|(bucket, _)| *bucket))
    }
}

/// One target, read forwards.
pub(super) struct Position<'a> {
    count: Column<'a>,
    buckets: Vec<Column<'a>>,
    bounds: usize,
}

/// One column, read forwards.
struct Column<'a> {
    series: &'a Series,
    next: usize,
    /// The first bound that the column's observations are at or below.
    bound: usize,
}

impl<'a> Position<'a> {
    /// Begins at the first instant. No bucket reaches across any of the bounds, which ascend to
    /// infinity.
    pub(super) fn new(target: &Target<'a>, bounds: &[f64]) -> Self {
        let last = bounds.len().saturating_sub(1);
        let column = |series: &'a Series, bound: usize| Column {
            series,
            next: 0,
            bound,
        };
        Self {
            count: column(target.count, last),
            buckets: target
                .buckets
                .iter()
                .map(|(bucket, series)| {
                    let bound = bounds.partition_point(|bound| *bound < bucket.upper());
                    column(series, bound.min(last))
                })
                .collect(),
            bounds: bounds.len(),
        }
    }

    /// Writes the number of observations at or below each bound at an instant. Instants must
    /// ascend. Nothing is written where the histogram was not there; where a count is no number,
    /// NaN stands for the number of all.
    pub(super) fn cumulative(&mut self, at_ms: i64, values: &mut Vec<f64>) {
        let Some(count) = self.count.value_at(at_ms) else {
            return;
        };
        values.resize(self.bounds, 0.0);
        let mut is_usable = is_countable(count);
        for column in &mut self.buckets {
            if let Some(value) = column.value_at(at_ms) {
                is_usable &= is_countable(value);
                if let Some(sum) = values.get_mut(column.bound) {
                    *sum += value;
                }
            }
        }
        if !is_usable {
            values.fill(0.0);
        }
        let mut sum = 0.0;
        for value in values.iter_mut() {
            sum += *value;
            *value = sum;
        }
        if let Some(all) = values.last_mut() {
            // Observations that are not numbers are in no bucket.
            *all = if is_usable { count } else { f64::NAN };
        }
    }
}

impl Column<'_> {
    fn value_at(&mut self, at_ms: i64) -> Option<f64> {
        let times_ms = &self.series.timestamps_ms;
        while times_ms
            .get(self.next)
            .is_some_and(|&time_ms| time_ms < at_ms)
        {
            self.next += 1;
        }
        if times_ms.get(self.next) != Some(&at_ms) {
            return None;
        }
        self.series.values.get(self.next).copied()
    }
}
