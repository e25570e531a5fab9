//! What the buckets tell of laws when there is no chance left: whether a check would break, and promote.

use super::buckets::Buckets;
use super::law::Latencies;
use super::trial::{JudgedQuantile, asked};
use crate::judge::quantile::Reader;
use crate::proof::{SlowShare, Tails};
use crate::sequential::IntervalCounts;
use crate::series::Populations;

/// Requests of an interval: so many that what is known before the first of them is nothing.
const REQUESTS: f64 = 1e12;
/// How far apart two shares are that differ.
const APART: f64 = 1e-6;

/// Two laws seen through buckets, with a check of a quantile.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct InfiniteData {
    /// The laws at scale 1 of the control and of the canary.
    pub laws: [Latencies; 2],
    /// The buckets.
    pub buckets: Buckets,
    /// The quantile, as 0.99.
    pub quantile: f64,
    /// What the check says of it.
    pub judged: JudgedQuantile,
}

/// What enough data would end with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Told {
    /// The canary is rolled back.
    pub is_broken: bool,
    /// It is promoted.
    pub is_promoted: bool,
}

impl InfiniteData {
    /// What would come of it at a scale in seconds; nothing of what may not be judged.
    pub fn told(&self, scale: f64) -> Option<Told> {
        let slow = SlowShare::of_quantile(self.quantile)?;
        let (asked, kept) = asked(self.judged, slow);
        let bounds = self.buckets.bounds();
        let [control, canary] = self.laws.map(|law| tails(&law, &bounds, scale));
        let rows = Populations { control, canary };
        let mut reader = Reader::of(asked);
        // The first interval is what the second is read by.
        reader.read(&bounds, rows.clone(), &kept);
        let read = reader.read(&bounds, rows, &kept);
        let of_kept = read.kept.first().map(|(_, counts)| *counts);
        let kept = of_kept.or(read.lane.kept)?;
        let by_control = matches!(self.judged, JudgedQuantile::Relative(_));
        let times = |counts: IntervalCounts| {
            let share = |count: crate::series::ArmCount| count.events / count.exposure;
            let beside = if by_control {
                share(counts.control)
            } else {
                slow.value()
            };
            share(counts.canary) / beside
        };
        let is_broken = times(read.lane.counts) > 1.0 + APART;
        Some(Told {
            is_broken,
            is_promoted: !is_broken && times(kept) < 1.0 - APART,
        })
    }

    /// How many times as slow the canary's quantile is in truth.
    pub fn true_ratio(&self) -> f64 {
        let [control, canary] = self.laws.map(|law| law.quantile(self.quantile));
        canary / control
    }
}

fn tails(law: &Latencies, bounds: &[f64], scale: f64) -> Tails {
    let beyond = |bound: &f64| REQUESTS * (1.0 - law.beyond(*bound, scale));
    let below: Vec<f64> = bounds.iter().map(beyond).chain([REQUESTS]).collect();
    Tails::of_cumulative(below.iter())
}
