//! The buckets of a classic histogram, put together by target.
//!
//! A bucket is told by the label `le`: what was observed at or below a bound; or, as
//! `VictoriaMetrics` has it, by `vmrange`: what was observed within a range, exposed only where
//! something was. Bounds are numbers: `1` is `1.0`.

use std::collections::BTreeMap;

use super::heartbeat::Target;
use super::{Series, naming};

/// The label of a bucket that counts from below.
const UP_TO: &str = "le";
/// The label of a bucket that is a range.
const WITHIN: &str = "vmrange";
/// What stands between the ends of a range.
const BETWEEN_ENDS: &str = "...";

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
    pub(super) const INFINITE: Self = Self(f64::INFINITY);

    fn read(text: &str) -> Option<Self> {
        let bound: f64 = text.trim().parse().ok()?;
        // A bound is equal to itself however it is written: -0 is 0.
        (!bound.is_nan()).then_some(Self(bound + 0.0))
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
    fn of(series: &Series) -> Option<Self> {
        if let Some(text) = series.labels.get(UP_TO) {
            return Bound::read(text).map(Self::UpTo);
        }
        let (lower, upper) = series.labels.get(WITHIN)?.split_once(BETWEEN_ENDS)?;
        let (lower, upper) = (Bound::read(lower)?, Bound::read(upper)?);
        (lower < upper).then_some(Self::Within(lower, upper))
    }
}

/// Whether any series is a bucket of a classic histogram.
pub fn has_buckets(series: &[Series]) -> bool {
    series.iter().any(|one| Bucket::of(one).is_some())
}

/// The buckets of one target.
pub(super) struct BucketTarget<'a> {
    pub(super) target: Target,
    /// How it is named to people.
    pub(super) name: String,
    /// The series of each bound. Several where a bound was written differently over time (`1`
    /// and `1.0`).
    pub(super) up_to: BTreeMap<Bound, Vec<&'a Series>>,
    /// The series of each range, of a target that has no bounds.
    pub(super) within: BTreeMap<(Bound, Bound), Vec<&'a Series>>,
}

impl BucketTarget<'_> {
    fn samples(&self, bound: Bound) -> usize {
        let series = self.up_to.get(&bound).into_iter().flatten();
        series.map(|series| series.timestamps_ms.len()).sum()
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
        let all = self.up_to.get(&Bound::INFINITE).into_iter().flatten();
        let ranges = self.within.values().flatten();
        if self.has_ranges() {
            ranges.map(|series| growth(series)).sum()
        } else {
            all.map(|series| growth(series)).sum()
        }
    }
}

/// How much a counter grew, with restarts.
fn growth(series: &Series) -> f64 {
    let pairs = series.values.windows(2).map(|pair| match pair {
        [before, now] if now >= before => now - before,
        [_, now] => now.max(0.0),
        _ => 0.0,
    });
    pairs.filter(|increment| increment.is_finite()).sum()
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
            let Some(bucket) = Bucket::of(one) else {
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
                target: Target::of(one),
                name: naming::name(one),
                up_to: BTreeMap::new(),
                within: BTreeMap::new(),
            });
            match bucket {
                Bucket::UpTo(bound) => target.up_to.entry(bound).or_default().push(one),
                Bucket::Within(lower, upper) => {
                    target.within.entry((lower, upper)).or_default().push(one);
                }
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
