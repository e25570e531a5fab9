//! Reading a law of latencies off the buckets of a histogram.
//!
//! Source: docs/design/latency.md, "2. Reading a law off its buckets". Between two bounds the law is a straight
//! line on normal paper against the logarithm of the latency: exact for log-normal laws.

use crate::special::{Tail, normal_quantile, normal_tails};

/// Shares nearer to 0 or 1 are taken as these.
const SMALLEST_SHARE: f64 = 1e-12;

/// Requests beyond each edge of the buckets: all of them, then those beyond each finite bound.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Tails(Vec<f64>);

impl Tails {
    /// Nothing, of a histogram with so many finite bounds.
    pub fn nothing(bounds: usize) -> Self {
        Self(vec![0.0; bounds + 1])
    }

    /// From counts at or below each bound, of which the last is of all requests.
    pub fn of_cumulative<'a>(counts: impl DoubleEndedIterator<Item = &'a f64> + Clone) -> Self {
        let all = counts.clone().next_back().copied().unwrap_or(0.0);
        let mut finite = counts;
        finite.next_back();
        let beyond = finite.map(|below| (all - below).max(0.0));
        Self(std::iter::once(all).chain(beyond).collect())
    }

    /// From requests in each bucket, of which the last is beyond the last finite bound.
    pub fn of_buckets(buckets: &[f64]) -> Self {
        let mut tails: Vec<f64> = Vec::with_capacity(buckets.len());
        let mut sum = 0.0;
        for requests in buckets.iter().rev() {
            sum += requests;
            tails.push(sum);
        }
        tails.reverse();
        Self(tails)
    }

    /// All requests.
    pub fn all(&self) -> f64 {
        self.0.first().copied().unwrap_or(0.0)
    }

    /// Those beyond the last finite bound.
    pub fn beyond_all_bounds(&self) -> f64 {
        self.0.last().copied().unwrap_or(0.0)
    }

    /// Those beyond a place: all that are beyond its bucket, and its part of the bucket's.
    pub fn beyond(&self, place: Place) -> f64 {
        let at = |edge: usize| self.0.get(edge).copied().unwrap_or(0.0);
        let (within, beyond) = (at(place.bucket), at(place.bucket + 1));
        beyond + place.weight * (within - beyond)
    }

    /// Adds others of the same bounds.
    pub fn add(&mut self, other: &Self) {
        self.add_times(other, 1.0);
    }

    /// Adds so many times others of the same bounds.
    pub(super) fn add_times(&mut self, other: &Self, times: f64) {
        for (sum, number) in self.0.iter_mut().zip(&other.0) {
            *sum += times * number;
        }
    }

    /// Takes away others that were added.
    pub fn take_away(&mut self, other: &Self) {
        for (sum, number) in self.0.iter_mut().zip(&other.0) {
            *sum = (*sum - number).max(0.0);
        }
    }

    /// The same at other bounds, where they can be told: a bound is one of these, or nothing is between it and
    /// the nearest.
    pub(super) fn at(&self, bounds: &[f64], wanted: &[f64]) -> Option<Self> {
        let beyond = |bound: &f64| {
            let place = bounds.partition_point(|known| known.total_cmp(bound).is_lt());
            let at = |edge: usize| self.0.get(edge).copied();
            match bounds.get(place) {
                Some(known) if known.total_cmp(bound).is_eq() => at(place + 1),
                // Between the edges before and after it: nothing is there, or nothing is known.
                Some(_) => at(place).filter(|before| Some(*before) == at(place + 1)),
                None => at(place).filter(|beyond| *beyond <= 0.0),
            }
        };
        let all = self.0.first().copied();
        let tails: Option<Vec<f64>> = std::iter::once(all)
            .chain(wanted.iter().map(beyond))
            .collect();
        tails.map(Self)
    }

    /// All of them: every request, then those beyond each finite bound.
    pub(super) fn edges(&self) -> &[f64] {
        &self.0
    }

    /// The number of finite bounds.
    pub fn bounds(&self) -> usize {
        self.0.len().saturating_sub(1)
    }
}

/// A place among the buckets: one of them, and the part of its requests that is slower.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Place {
    /// The bucket: 0 up to the first bound, as many as there are finite bounds beyond the last.
    pub bucket: usize,
    /// The part of its requests that is slower than the place, in `[0, 1]`.
    pub weight: f64,
}

/// Where a share of the requests is slower.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Quantile {
    /// The place among the buckets.
    pub place: Place,
    /// The latency; infinite beyond the last bound.
    pub at: f64,
}

/// How requests are spread over latencies: the share beyond each edge of the buckets.
#[derive(Debug, Clone, PartialEq)]
pub struct Law<'a> {
    bounds: &'a [f64],
    shares: Vec<f64>,
}

impl<'a> Law<'a> {
    /// Of counts: `S_0 = 1`, `S_j = (t_j + 1/2) / (t_0 + 1)`.
    pub fn of(tails: &Tails, bounds: &'a [f64]) -> Self {
        let all = tails.all();
        let beyond = tails.0.iter().skip(1);
        let shares = beyond.map(|beyond| (beyond + 0.5) / (all + 1.0));
        Self {
            bounds,
            shares: std::iter::once(1.0).chain(shares).collect(),
        }
    }

    /// Of shares that are known: 1, and the share beyond each finite bound.
    pub fn of_shares(shares: Vec<f64>, bounds: &'a [f64]) -> Self {
        Self { bounds, shares }
    }

    /// The finite bounds.
    pub fn bounds(&self) -> &'a [f64] {
        self.bounds
    }

    /// The edge below a bucket.
    pub(super) fn lower_edge(&self, bucket: usize) -> f64 {
        let first = self.bounds.first().map_or(0.0, |first| first.min(0.0));
        let before = bucket.checked_sub(1).and_then(|at| self.bounds.get(at));
        before.copied().unwrap_or(first)
    }

    /// The edge above a bucket; infinite above the last.
    pub(super) fn upper_edge(&self, bucket: usize) -> f64 {
        self.bounds.get(bucket).copied().unwrap_or(f64::INFINITY)
    }

    fn share(&self, edge: usize) -> f64 {
        self.shares.get(edge).copied().unwrap_or(0.0)
    }

    /// The bucket that holds a latency: it is above its lower edge, and at or below its upper one.
    pub(super) fn bucket_of(&self, latency: f64) -> usize {
        self.bounds.partition_point(|bound| *bound < latency)
    }

    /// The latency beyond which a share of the requests lies.
    pub fn quantile(&self, share: f64) -> Quantile {
        let bucket = (0..self.bounds.len())
            .find(|bucket| self.share(bucket + 1) <= share)
            .unwrap_or(self.bounds.len());
        let (lower, upper) = (self.lower_edge(bucket), self.upper_edge(bucket));
        let (at_lower, at_upper) = (self.share(bucket), self.share(bucket + 1));
        let weight = if at_lower > at_upper {
            ((share - at_upper) / (at_lower - at_upper)).clamp(0.0, 1.0)
        } else {
            0.0
        };
        let at = if upper.is_infinite() {
            f64::INFINITY
        } else if lower <= 0.0 {
            upper - weight * (upper - lower)
        } else {
            let (from, to) = (normal_score(at_lower), normal_score(at_upper));
            let part = if to > from {
                ((normal_score(share) - from) / (to - from)).clamp(0.0, 1.0)
            } else {
                0.0
            };
            lower * libm::pow(upper / lower, part)
        };
        Quantile {
            place: Place { bucket, weight },
            at,
        }
    }

    /// The place of a latency.
    pub fn place_of(&self, latency: f64) -> Place {
        let bucket = self.bucket_of(latency);
        let (lower, upper) = (self.lower_edge(bucket), self.upper_edge(bucket));
        let (at_lower, at_upper) = (self.share(bucket), self.share(bucket + 1));
        let weight = if upper.is_infinite() || latency >= upper {
            0.0
        } else if lower <= 0.0 || at_lower - at_upper <= SMALLEST_SHARE {
            ((upper - latency) / (upper - lower)).clamp(0.0, 1.0)
        } else {
            let part = libm::log(latency / lower) / libm::log(upper / lower);
            let score = (1.0 - part) * normal_score(at_lower) + part * normal_score(at_upper);
            ((upper_tail(score) - at_upper) / (at_lower - at_upper)).clamp(0.0, 1.0)
        };
        Place { bucket, weight }
    }

    /// The share of requests slower than a latency.
    pub fn share_beyond(&self, latency: f64) -> f64 {
        let Place { bucket, weight } = self.place_of(latency);
        let (at_lower, at_upper) = (self.share(bucket), self.share(bucket + 1));
        at_upper + weight * (at_lower - at_upper)
    }
}

/// The normal quantile of an upper tail.
fn normal_score(share: f64) -> f64 {
    let share = share.clamp(SMALLEST_SHARE, 1.0 - SMALLEST_SHARE);
    normal_quantile(share, Tail::Upper).unwrap_or(0.0)
}

fn upper_tail(score: f64) -> f64 {
    normal_tails(score).map_or(0.0, |tails| tails.upper)
}
