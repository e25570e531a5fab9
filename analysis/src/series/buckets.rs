//! The buckets of a classic histogram, put together by target.

use std::borrow::{Borrow, Cow};
use std::collections::BTreeMap;

use super::Series;
use super::counting::Counter;

/// A bucket's bound, ordered as numbers are; infinite for the last.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bound(pub(super) f64);

impl PartialEq for Bound {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Bound {}

impl PartialOrd for Bound {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Bound {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.total_cmp(&other.0)
    }
}

impl Bound {
    const INFINITE: Self = Self(f64::INFINITY);

    fn of(series: &Series) -> Option<Self> {
        let bound: f64 = series.labels.get("le")?.trim().parse().ok()?;
        // A bound is equal to itself however it is written: -0 is 0.
        (!bound.is_nan()).then_some(Self(bound + 0.0))
    }
}

/// The buckets of one target.
pub(super) struct BucketTarget<'a> {
    /// The series of each bound; one where a bound was written differently over time (`1` and `1.0`).
    buckets: BTreeMap<Bound, Cow<'a, Series>>,
}

impl BucketTarget<'_> {
    /// All of its series.
    pub(super) fn series(&self) -> impl Iterator<Item = &Series> {
        self.buckets.values().map(|series| &**series)
    }

    /// Its counters of some bounds, each for the column of its bound.
    pub(super) fn counters(&self, bounds: &[Bound]) -> impl Iterator<Item = Counter<'_>> {
        bounds.iter().enumerate().filter_map(|(column, bound)| {
            let series = self.buckets.get(bound)?;
            Some(Counter { series, column })
        })
    }

    fn samples(&self, bound: Bound) -> usize {
        let series = self.buckets.get(&bound);
        series.map_or(0, |series| series.timestamps_ms.len())
    }
}

/// One series of two that are of one bound: the samples of both, each time once.
fn joined(one: &Series, other: &Series) -> Series {
    let samples = |series: &Series| -> Vec<(i64, f64)> {
        let times = series.timestamps_ms.iter().copied();
        times.zip(series.values.iter().copied()).collect()
    };
    let mut all = samples(one);
    all.extend(samples(other));
    all.sort_by(|(one_ms, one), (other_ms, other)| {
        // Of two values at the same time the larger one stays.
        one_ms.cmp(other_ms).then_with(|| other.total_cmp(one))
    });
    all.dedup_by_key(|&mut (at_ms, _)| at_ms);
    let (timestamps_ms, values) = all.into_iter().unzip();
    Series {
        labels: one.labels.clone(),
        timestamps_ms,
        values,
    }
}

/// The targets of one population.
pub(super) struct BucketTargets<'a> {
    pub(super) usable: Vec<BucketTarget<'a>>,
    pub(super) series: usize,
    pub(super) rejected: usize,
}

impl<'a> BucketTargets<'a> {
    pub(super) fn read<S: Borrow<Series>>(series: &'a [S]) -> Self {
        let mut rejected = 0;
        let mut found = 0;
        let mut targets = BTreeMap::<Vec<(&str, &str)>, BucketTarget<'a>>::new();
        let all = series.iter().map(Borrow::borrow);
        for one in all.filter(|one: &&Series| !one.timestamps_ms.is_empty()) {
            found += 1;
            let Some(bound) = Bound::of(one) else {
                rejected += one.timestamps_ms.len();
                continue;
            };
            let others = one
                .labels
                .iter()
                .filter(|(label, _)| *label != "le")
                .map(|(label, value)| (label.as_str(), value.as_str()))
                .collect();
            let target = targets.entry(others).or_insert_with(|| BucketTarget {
                buckets: BTreeMap::new(),
            });
            let bucket = target.buckets.entry(bound);
            bucket
                .and_modify(|known| *known = Cow::Owned(joined(known, one)))
                .or_insert(Cow::Borrowed(one));
        }
        let (usable, without_total): (Vec<_>, Vec<_>) = targets
            .into_values()
            .partition(|target| target.buckets.contains_key(&Bound::INFINITE));
        rejected += without_total
            .iter()
            .flat_map(|target| target.buckets.keys().map(|&bound| target.samples(bound)))
            .sum::<usize>();
        Self {
            usable,
            series: found,
            rejected,
        }
    }
}

/// The bounds that every target has whenever it has any: ascending, the infinite one last.
pub(super) fn common_bounds<'a>(targets: impl Iterator<Item = &'a BucketTarget<'a>>) -> Vec<Bound> {
    let mut common: Option<Vec<Bound>> = None;
    for target in targets {
        let all = target.samples(Bound::INFINITE);
        let is_whole = |bound: &Bound| target.samples(*bound) >= all;
        match &mut common {
            Some(bounds) => bounds.retain(is_whole),
            None => common = Some(target.buckets.keys().copied().filter(is_whole).collect()),
        }
    }
    common.unwrap_or_else(|| vec![Bound::INFINITE])
}
