//! Which requests of a pod fell into which bucket of a histogram.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Apart;
use super::ledger::Group;

/// A pod's requests in an interval, by bucket: the place of the bucket's upper bound among all, ascending, and how
/// many. Buckets without any are not there.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct PodBuckets(Vec<(u16, f64)>);

impl PodBuckets {
    /// From counts at or below each bound.
    pub fn of_cumulative(counts: &[f64]) -> Self {
        let mut below = 0.0_f64;
        let mut buckets = Vec::new();
        for (place, count) in (0..).zip(counts) {
            // Where a racing scrape made a count fall, what is above it is what is left.
            let within = count - below;
            if within > 0.0 {
                buckets.push((place, within));
                below = *count;
            }
        }
        Self(buckets)
    }

    /// All requests.
    pub fn all(&self) -> f64 {
        self.0.iter().map(|(_, requests)| requests).sum()
    }

    /// The requests beyond a bucket, and a part of those in it.
    pub fn beyond(&self, bucket: usize, weight: f64) -> f64 {
        let each = self
            .0
            .iter()
            .map(|(place, requests)| match usize::from(*place).cmp(&bucket) {
                std::cmp::Ordering::Less => 0.0,
                std::cmp::Ordering::Equal => weight * requests,
                std::cmp::Ordering::Greater => *requests,
            });
        each.sum()
    }

    /// Adds so many times the requests to counts at or below each bound.
    pub fn add_to_cumulative<'a>(&self, counts: impl Iterator<Item = &'a mut f64>, times: f64) {
        let mut next = self.0.iter().peekable();
        let mut below = 0.0;
        for (place, count) in (0_u16..).zip(counts) {
            while let Some((_, requests)) = next.next_if(|(bucket, _)| *bucket <= place) {
                below += requests;
            }
            *count += times * below;
        }
    }

    /// The sum of both.
    #[must_use]
    pub(super) fn and(&self, other: &Self) -> Self {
        self.with(other, |one, other| one + other)
    }

    /// The rest, of which a part was told before.
    #[must_use]
    pub(super) fn less(&self, told: &Self) -> Self {
        self.with(told, |one, told| (one - told).max(0.0))
    }

    fn with(&self, other: &Self, both: impl Fn(f64, f64) -> f64) -> Self {
        let mut all: BTreeMap<u16, (f64, f64)> = BTreeMap::new();
        for (place, requests) in &self.0 {
            all.entry(*place).or_default().0 += requests;
        }
        for (place, requests) in &other.0 {
            all.entry(*place).or_default().1 += requests;
        }
        let all = all.into_iter();
        let made = all.map(|(place, (one, other))| (place, both(one, other)));
        Self(made.filter(|(_, requests)| *requests > 0.0).collect())
    }

    /// The same at other bounds, at which it is known.
    #[must_use]
    pub(super) fn at(&self, bounds: &[f64], wanted: &[f64]) -> Self {
        let mut all: BTreeMap<u16, f64> = BTreeMap::new();
        for (place, requests) in &self.0 {
            let Some(upper) = bounds.get(usize::from(*place)) else {
                continue;
            };
            let place = wanted.partition_point(|bound| bound.total_cmp(upper).is_lt());
            let last = wanted.len().saturating_sub(1);
            if let Ok(place) = u16::try_from(place.min(last)) {
                *all.entry(place).or_default() += requests;
            }
        }
        Self(all.into_iter().collect())
    }
}

impl Apart<PodBuckets> {
    /// The same at other bounds.
    #[must_use]
    pub(super) fn at_bounds(&self, bounds: &[f64], wanted: &[f64]) -> Self {
        if bounds == wanted {
            return self.clone();
        }
        let row = |row: &Vec<(u32, PodBuckets)>| {
            let pods = row.iter();
            pods.map(|(pod, buckets)| (*pod, buckets.at(bounds, wanted)))
                .collect()
        };
        Self {
            names: self.names.clone(),
            rows: self.rows.iter().map(row).collect(),
        }
    }
}

/// What each pod of a population counted while its intervals are gone through.
#[derive(Debug, Default)]
pub(super) struct PodCounts {
    places: BTreeMap<String, usize>,
    /// By the place of the pod and by interval, counts at or below each bound; empty where it counted nothing.
    of_pods: Vec<Vec<Vec<f64>>>,
    /// The pod that was asked for last: its samples follow each other.
    last: (String, usize),
}

impl PodCounts {
    /// The counts of a pod in an interval, of so many bounds.
    pub(super) fn of(&mut self, pod: &str, interval: usize, bounds: usize) -> &mut [f64] {
        if self.of_pods.is_empty() || self.last.0 != pod {
            let place = self.places.get(pod).copied().unwrap_or(self.of_pods.len());
            if place == self.of_pods.len() {
                self.places.insert(pod.to_owned(), place);
                self.of_pods.push(Vec::new());
            }
            self.last = (pod.to_owned(), place);
        }
        let Some(of_pod) = self.of_pods.get_mut(self.last.1) else {
            return &mut [];
        };
        if of_pod.len() <= interval {
            of_pod.resize_with(interval + 1, Vec::new);
        }
        let Some(counts) = of_pod.get_mut(interval) else {
            return &mut [];
        };
        counts.resize(bounds, 0.0);
        counts
    }

    /// Makes rows of groups of intervals.
    pub(super) fn grouped(self, groups: &[Group]) -> Apart<PodBuckets> {
        let Self {
            places, of_pods, ..
        } = self;
        let row_of = |intervals: &Vec<Vec<f64>>, group: &Group| {
            let upto = group.intervals().end.min(intervals.len());
            let of_group = intervals.get(group.first..upto).unwrap_or_default();
            of_group.iter().fold(PodBuckets::default(), |sum, counts| {
                sum.and(&PodBuckets::of_cumulative(counts))
            })
        };
        let pods = places.into_iter().filter_map(|(pod, place)| {
            let intervals = of_pods.get(place)?;
            let rows = groups.iter().enumerate();
            let rows = rows.map(|(row, group)| (row, row_of(intervals, group)));
            let had = rows.filter(|(_, sum)| *sum != PodBuckets::default());
            Some((pod, had.collect()))
        });
        Apart::of_names(groups.len(), pods.collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_are_what_is_between_two_bounds() {
        let buckets = PodBuckets::of_cumulative(&[0.0, 3.0, 3.0, 7.0]);
        assert_eq!(buckets, PodBuckets(vec![(1, 3.0), (3, 4.0)]));
        assert_eq!(buckets.all().to_bits(), 7.0_f64.to_bits());
        let mut counts = [10.0_f64, 10.0, 10.0, 20.0];
        buckets.add_to_cumulative(counts.iter_mut(), -1.0);
        let expected = [10.0_f64, 7.0, 7.0, 13.0];
        assert_eq!(counts.map(f64::to_bits), expected.map(f64::to_bits));
    }

    #[test]
    fn a_count_that_a_racing_scrape_made_fall_takes_nothing_away() {
        let buckets = PodBuckets::of_cumulative(&[4.0, 3.0, 6.0]);
        assert_eq!(buckets, PodBuckets(vec![(0, 4.0), (2, 2.0)]));
    }

    #[test]
    fn at_fewer_bounds_buckets_are_one() {
        let buckets = PodBuckets(vec![(0, 1.0), (1, 2.0), (3, 4.0)]);
        let bounds = [0.1, 0.2, 0.5, f64::INFINITY];
        let wanted = [0.2, f64::INFINITY];
        let expected = PodBuckets(vec![(0, 3.0), (1, 4.0)]);
        assert_eq!(buckets.at(&bounds, &wanted), expected);
    }

    #[test]
    fn what_was_told_is_taken_away() {
        let all = PodBuckets(vec![(0, 5.0), (2, 1.0)]);
        let told = PodBuckets(vec![(0, 5.0), (1, 3.0)]);
        assert_eq!(all.less(&told), PodBuckets(vec![(2, 1.0)]));
    }
}
