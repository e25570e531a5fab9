//! The buckets of a classic histogram, put together by target.
//!
//! A bucket is told by the label `le`: what was observed at or below a bound; or, as
//! `VictoriaMetrics` has it, by `vmrange`: what was observed within a range, exposed only where
//! something was. Bounds are numbers: `1` is `1.0`.

use std::borrow::{Borrow, Cow};
use std::collections::BTreeMap;

use super::counting::Counter;
use super::cumulative::scaled;
use super::track::growth;
use super::{Series, naming};

/// The label of a bucket that counts from below.
const UP_TO: &str = "le";
/// The label of a bucket that is a range.
const WITHIN: &str = "vmrange";
/// What stands between the ends of a range.
const BETWEEN_ENDS: &str = "...";

/// A bucket's bound in base units, ordered as numbers are; infinite for the last.
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
    pub(super) const INFINITE: Self = Self(f64::INFINITY);

    /// A bound of which `scale` base units are one of its own.
    fn read(text: &str, scale: f64) -> Option<Self> {
        let bound: f64 = text.trim().parse().ok()?;
        // A bound is equal to itself however it is written: -0 is 0.
        (!bound.is_nan()).then_some(Self(scaled(bound, scale) + 0.0))
    }

    pub(super) fn is_finite(self) -> bool {
        self.0.is_finite()
    }
}

/// What a bucket counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Bucket {
    /// What was observed at or below a bound.
    UpTo(Bound),
    /// What was observed above the first and at or below the second.
    Within(Bound, Bound),
}

impl Bucket {
    fn of(series: &Series, scale: f64) -> Option<Self> {
        if let Some(text) = series.labels.get(UP_TO) {
            return Bound::read(text, scale).map(Self::UpTo);
        }
        let (lower, upper) = series.labels.get(WITHIN)?.split_once(BETWEEN_ENDS)?;
        let (lower, upper) = (Bound::read(lower, scale)?, Bound::read(upper, scale)?);
        (lower < upper).then_some(Self::Within(lower, upper))
    }
}

/// Whether any series is a bucket of a classic histogram.
pub fn has_buckets<S: Borrow<Series>>(series: &[S]) -> bool {
    let mut all = series.iter().map(Borrow::borrow);
    all.any(|one| Bucket::of(one, 1.0).is_some())
}

/// The buckets of one target.
pub(super) struct BucketTarget<'a> {
    /// How it is named to people.
    pub(super) name: String,
    /// The series of each bound; one where a bound was written differently over time (`1` and `1.0`).
    up_to: BTreeMap<Bound, Cow<'a, Series>>,
    /// The series of each range, of a target that has no bounds.
    within: BTreeMap<(Bound, Bound), Cow<'a, Series>>,
}

impl BucketTarget<'_> {
    fn samples(&self, bound: Bound) -> usize {
        let series = self.up_to.get(&bound);
        series.map_or(0, |series| series.timestamps_ms.len())
    }

    /// All of its series.
    pub(super) fn series(&self) -> impl Iterator<Item = &Series> {
        let all = self.up_to.values().chain(self.within.values());
        all.map(|series| &**series)
    }

    /// Its buckets that count up to some bounds, each for the column of its bound.
    pub(super) fn cumulative(&self, bounds: &[Bound]) -> impl Iterator<Item = Counter<'_>> {
        bounds.iter().enumerate().filter_map(|(column, bound)| {
            let series = self.up_to.get(bound)?;
            Some(Counter { series, column })
        })
    }

    /// Its buckets that are ranges, each for the column of the first bound that it is at or below. None
    /// reaches across a bound.
    pub(super) fn ranges(&self, bounds: &[Bound]) -> impl Iterator<Item = Counter<'_>> {
        let ranges = self.has_ranges().then_some(&self.within);
        let last = bounds.len().saturating_sub(1);
        ranges
            .into_iter()
            .flatten()
            .map(move |((_, upper), series)| {
                let column = bounds.partition_point(|bound| bound < upper);
                Counter {
                    series,
                    column: column.min(last),
                }
            })
    }

    /// Whether its observations can all be counted.
    fn is_usable(&self) -> bool {
        self.up_to.contains_key(&Bound::INFINITE) || self.has_ranges()
    }

    /// Whether its buckets are ranges.
    pub(super) fn has_ranges(&self) -> bool {
        self.up_to.is_empty() && !self.within.is_empty()
    }

    /// The finite bounds that it has whenever it has any, ascending; of ranges all their ends.
    pub(super) fn finite_bounds(&self) -> Vec<Bound> {
        if self.has_ranges() {
            let ends = self
                .within
                .keys()
                .flat_map(|(lower, upper)| [*lower, *upper]);
            let mut ends: Vec<Bound> = ends.filter(|end| end.is_finite()).collect();
            ends.sort_unstable();
            ends.dedup();
            return ends;
        }
        let bounds = self.up_to.keys().copied();
        bounds
            .filter(|bound| bound.is_finite() && self.knows(*bound))
            .collect()
    }

    /// Whether it can be told how many observations are at or below a bound, whenever any can:
    /// it is one of its bounds, or none of its ranges reaches across it.
    pub(super) fn knows(&self, bound: Bound) -> bool {
        if self.has_ranges() {
            let reaches_across = |(lower, upper): &(Bound, Bound)| *lower < bound && bound < *upper;
            return !self.within.keys().any(reaches_across);
        }
        self.up_to.contains_key(&bound) && self.samples(bound) >= self.samples(Bound::INFINITE)
    }

    /// About how many observations it has had: which of the targets of a population are few.
    pub(super) fn observations(&self) -> f64 {
        if self.has_ranges() {
            return self
                .within
                .values()
                .map(|series| growth(&series.values))
                .sum();
        }
        let all = self.up_to.get(&Bound::INFINITE);
        all.map_or(0.0, |series| growth(&series.values))
    }
}

/// The targets of one population.
pub(super) struct BucketTargets<'a> {
    pub(super) usable: Vec<BucketTarget<'a>>,
    pub(super) series: usize,
    pub(super) rejected: usize,
}

impl<'a> BucketTargets<'a> {
    /// Puts the buckets of a population together; `scale` base units are one of its bounds.
    pub(super) fn read<S: Borrow<Series>>(series: &'a [S], scale: f64) -> Self {
        let mut rejected = 0;
        let mut found = 0;
        let mut targets = BTreeMap::<Vec<(&str, &str)>, BucketTarget<'a>>::new();
        let all = series.iter().map(Borrow::borrow);
        for one in all.filter(|one: &&Series| !one.timestamps_ms.is_empty()) {
            found += 1;
            let Some(bucket) = Bucket::of(one, scale) else {
                rejected += one.timestamps_ms.len();
                continue;
            };
            let others = one
                .labels
                .iter()
                .filter(|(label, _)| ![UP_TO, WITHIN].contains(&label.as_str()))
                .map(|(label, value)| (label.as_str(), value.as_str()))
                .collect();
            let target = targets.entry(others).or_insert_with(|| BucketTarget {
                name: naming::name(one),
                up_to: BTreeMap::new(),
                within: BTreeMap::new(),
            });
            match bucket {
                Bucket::UpTo(bound) => add(&mut target.up_to, bound, one),
                Bucket::Within(lower, upper) => add(&mut target.within, (lower, upper), one),
            }
        }
        let (usable, without_total): (Vec<_>, Vec<_>) =
            targets.into_values().partition(BucketTarget::is_usable);
        rejected += without_total
            .iter()
            .flat_map(|target| target.up_to.keys().map(|&bound| target.samples(bound)))
            .sum::<usize>();
        Self {
            usable,
            series: found,
            rejected,
        }
    }
}

/// Adds a series of a bucket to what is known of it: the samples of both, each time once.
fn add<'a, K: Ord>(known: &mut BTreeMap<K, Cow<'a, Series>>, key: K, series: &'a Series) {
    known
        .entry(key)
        .and_modify(|one| *one = Cow::Owned(joined(one, series)))
        .or_insert(Cow::Borrowed(series));
}

/// One series of two that are of one bucket.
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
