//! The buckets of a classic histogram, put together by target.

use std::collections::BTreeMap;

use super::Series;
use super::heartbeat::Target;

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
    pub(super) target: Target,
    /// The series of each bound. Several where a bound was written differently over time (`1`
    /// and `1.0`).
    pub(super) buckets: BTreeMap<Bound, Vec<&'a Series>>,
}

impl BucketTarget<'_> {
    fn samples(&self, bound: Bound) -> usize {
        self.buckets
            .get(&bound)
            .into_iter()
            .flatten()
            .map(|series| series.timestamps_ms.len())
            .sum()
    }
}

/// The targets of one population.
pub(super) struct BucketTargets<'a> {
    pub(super) usable: Vec<BucketTarget<'a>>,
    pub(super) series: usize,
    pub(super) rejected: usize,
}

impl<'a> BucketTargets<'a> {
    pub(super) fn read(series: &'a [Series]) -> Self {
        let mut rejected = 0;
        let mut found = 0;
        let mut targets = BTreeMap::<Vec<(&str, &str)>, BucketTarget<'a>>::new();
        for one in series.iter().filter(|one| !one.timestamps_ms.is_empty()) {
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
            targets
                .entry(others)
                .or_insert_with(|| BucketTarget {
                    target: Target::of(one),
                    buckets: BTreeMap::new(),
                })
                .buckets
                .entry(bound)
                .or_default()
                .push(one);
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

/// One bucket of one target, read forwards.
pub(super) struct Column<'a> {
    series: &'a [&'a Series],
    next: Vec<usize>,
}

impl<'a> Column<'a> {
    pub(super) fn new(series: &'a [&'a Series]) -> Self {
        Self {
            series,
            next: vec![0; series.len()],
        }
    }

    /// All instants with a value, ascending.
    pub(super) fn timestamps_ms(&self) -> Vec<i64> {
        let mut all: Vec<i64> = self
            .series
            .iter()
            .flat_map(|series| series.timestamps_ms.iter().copied())
            .collect();
        all.sort_unstable();
        all.dedup();
        all
    }

    /// The value at an instant, where there is one. Instants must ascend.
    pub(super) fn value_at(&mut self, at_ms: i64) -> Option<f64> {
        let mut found = None;
        for (series, next) in self.series.iter().zip(&mut self.next) {
            while series
                .timestamps_ms
                .get(*next)
                .is_some_and(|&time_ms| time_ms < at_ms)
            {
                *next += 1;
            }
            if series.timestamps_ms.get(*next) == Some(&at_ms)
                && let Some(value) = series.values.get(*next)
            {
                found = Some(found.unwrap_or(0.0) + value);
            }
        }
        found
    }
}
