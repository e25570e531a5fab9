//! What an interval has for one stream.

use std::borrow::Cow;

use crate::proof::{Input, Interval, KeptBeyond, PodPlace, PodSquares, Pods};
use crate::sequential::IntervalCounts;
use crate::series::{ArmCount, Population};

use super::course::StreamKey;
use super::judged::{Judged, JudgedCounts};
use super::quantile::{QuantileRows, Read};

/// What an interval has for one stream.
#[derive(Default)]
pub(super) struct Room<'a> {
    lanes: Vec<Interval>,
    /// What promotions ask of a quantile, each with its counts.
    kept: Vec<(KeptBeyond, IntervalCounts)>,
    squares: PodSquares,
    pods_now: Vec<(&'a str, ArmCount)>,
    control_pods: Vec<(PodPlace, ArmCount)>,
}

impl<'a> Room<'a> {
    /// What an interval has for a stream. `kept` is what promotions ask of a quantile.
    pub(super) fn fill(
        &mut self,
        key: &mut StreamKey,
        found: Option<&'a Judged<'a>>,
        kept: &[KeptBeyond],
        interval: usize,
    ) {
        self.lanes.clear();
        self.kept.clear();
        self.pods_now.clear();
        self.squares = PodSquares::default();
        match found {
            None | Some(Judged::Gauge(_)) => {}
            Some(Judged::Counts(counts)) => self.fill_with_counts(key, counts, interval),
            Some(Judged::Quantile(rows, _)) => {
                self.fill_with_quantile(key, rows, kept, interval);
            }
        }
    }

    fn fill_with_counts(&mut self, key: &StreamKey, found: &'a JudgedCounts, interval: usize) {
        self.lanes.resize(key.lanes.len(), Interval::default());
        for (name, lane) in found.lanes.iter().zip(found.at(interval)) {
            let place = key.lanes.iter().position(|known| known == name);
            if let Some(slot) = place.and_then(|place| self.lanes.get_mut(place)) {
                *slot = *lane;
            }
        }
        self.squares = found.pod_squares(interval);
        self.pods_now.extend(found.control_pods(interval));
    }

    fn fill_with_quantile(
        &mut self,
        key: &mut StreamKey,
        rows: &'a QuantileRows<'a>,
        kept: &[KeptBeyond],
        interval: usize,
    ) {
        let (Some(reader), Some(row)) = (&mut key.reader, rows.at(interval)) else {
            return;
        };
        let Read { lane, kept, place } = reader.read(rows.bounds(), row, kept);
        self.lanes.push(lane);
        self.kept = kept;
        let Some(place) = place else {
            return;
        };
        for (name, buckets) in rows.pods(Population::Control, interval) {
            let count = ArmCount {
                events: buckets.beyond(place.bucket, place.weight),
                exposure: buckets.all(),
            };
            self.squares.control += count.exposure * count.exposure;
            self.pods_now.push((name, count));
        }
        for (_, buckets) in rows.pods(Population::Canary, interval) {
            let exposure = buckets.all();
            self.squares.canary += exposure * exposure;
        }
    }

    /// What a check judges of it: with what its promotion asks.
    pub(super) fn lanes_with(&self, kept: Option<KeptBeyond>) -> Cow<'_, [Interval]> {
        let asked = self.kept.iter().find(|(one, _)| Some(*one) == kept);
        let (Some((_, counts)), [lane]) = (asked, self.lanes.as_slice()) else {
            return Cow::Borrowed(&self.lanes);
        };
        Cow::Owned(vec![Interval {
            kept: Some(*counts),
            ..*lane
        }])
    }

    pub(super) fn input(&self) -> Input<'_> {
        Input {
            lanes: &self.lanes,
            squares: self.squares,
            control_pods: &self.control_pods,
        }
    }

    pub(super) fn place_pods(&mut self, pods: Option<&mut Pods>) {
        self.control_pods.clear();
        let Some(pods) = pods else {
            return;
        };
        for (name, count) in &self.pods_now {
            if let Some(place) = pods.place_of(name) {
                self.control_pods.push((place, *count));
            }
        }
    }
}
