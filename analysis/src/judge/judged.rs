//! What a check is judged by, interval by interval.

use std::collections::BTreeMap;

use crate::proof::{Interval, PodSquares};
use crate::sequential::{IntervalCounts, on_every_interval};
use crate::series::{Apart, ArmCount, PairedCounts};

use super::by_interval::{mixed, rows_by_interval};
use super::gauge::GaugeRows;
use super::quantile::{Asked, QuantileRows};
use super::strata::Strata;
use super::young::Warm;

/// What a check is judged by on every interval of the grid.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Judged<'a> {
    /// Counts.
    Counts(Box<JudgedCounts>),
    /// Buckets, which are counted where a quantile was before each interval.
    Quantile(QuantileRows<'a>, Asked),
    /// The samples of a gauge.
    Gauge(GaugeRows<'a>),
}

impl Judged<'_> {
    /// The names of the lanes that it is told apart in: one without a name, or one for each stratum.
    pub(super) fn lanes(&self) -> &[String] {
        static ONE: [String; 1] = [String::new()];
        match self {
            Self::Counts(counts) => &counts.lanes,
            Self::Quantile(..) | Self::Gauge(_) => &ONE,
        }
    }

    /// Whether these are strata.
    pub(super) fn has_strata(&self) -> bool {
        match self {
            Self::Counts(counts) => counts.has_strata,
            Self::Quantile(..) | Self::Gauge(_) => false,
        }
    }

    /// A number that is another one where the first intervals are.
    pub(super) fn fingerprint(&self, intervals: usize) -> u64 {
        match self {
            Self::Counts(counts) => counts.fingerprint(intervals),
            Self::Quantile(rows, _) => rows.fingerprint(intervals),
            Self::Gauge(rows) => rows.fingerprint(intervals),
        }
    }
}

/// The counts of a check on every interval of the grid.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct JudgedCounts {
    /// The names of the lanes that they are told apart in: one without a name, or one for each stratum.
    pub(super) lanes: Vec<String>,
    /// Whether these are strata.
    pub(super) has_strata: bool,
    /// Interval by interval, each lane.
    dense: Vec<Interval>,
    /// The row that ends with each interval.
    rows: Vec<Option<usize>>,
    counts: PairedCounts,
    /// Whether the control's pods are told apart.
    has_pods: bool,
}

impl JudgedCounts {
    /// `is_one_place` says that all pods serve the same requests: pods of two regions differ by their region.
    pub(super) fn of(
        warm: Warm,
        strata: Option<&Strata>,
        intervals: usize,
        is_one_place: bool,
    ) -> Self {
        let Warm { counts, young, .. } = warm;
        let spans = counts.intervals.iter().map(|one| (one.first, one.length));
        let rows = rows_by_interval(spans, intervals);
        let (lanes, dense) = if let Some(strata) = strata {
            let pairs = strata.on_every_interval(intervals).into_iter();
            (strata.names(), pairs.map(Interval::from).collect())
        } else {
            let pairs = on_every_interval(&counts.intervals, intervals).into_iter();
            let with_young = pairs.zip(&rows).map(|(counts, row)| Interval {
                counts,
                young: row
                    .and_then(|row| young.get(row))
                    .copied()
                    .unwrap_or_default(),
                kept: None,
            });
            (vec![String::new()], with_young.collect())
        };
        let named = |apart: &Apart<ArmCount>| apart.names.iter().any(|name| !name.is_empty());
        Self {
            has_strata: strata.is_some(),
            lanes,
            dense,
            rows,
            has_pods: is_one_place && named(&counts.pods.control) && named(&counts.pods.canary),
            counts,
        }
    }

    /// What each lane had in an interval.
    pub(super) fn at(&self, interval: usize) -> &[Interval] {
        let lanes = self.lanes.len();
        let from = interval.saturating_mul(lanes);
        self.dense
            .get(from..from.saturating_add(lanes))
            .unwrap_or_default()
    }

    /// A number that is another one where the first intervals are.
    pub(super) fn fingerprint(&self, intervals: usize) -> u64 {
        let lanes = self
            .dense
            .iter()
            .take(intervals.saturating_mul(self.lanes.len()));
        lanes.fold(0, |all, one| {
            let Interval { counts, young, .. } = one;
            let arms = [counts.control, counts.canary, *young];
            arms.iter().fold(all, |all, arm| {
                mixed(mixed(all, arm.events.to_bits()), arm.exposure.to_bits())
            })
        })
    }

    /// All intervals, without young processes.
    pub(super) fn intervals(&self) -> Vec<IntervalCounts> {
        self.dense.iter().map(|one| one.counts).collect()
    }

    fn pods_at<'a>(
        &self,
        apart: &'a Apart<ArmCount>,
        interval: usize,
    ) -> impl Iterator<Item = (&'a str, ArmCount)> + use<'a> {
        let row = self
            .rows
            .get(interval)
            .copied()
            .flatten()
            .filter(|_| self.has_pods);
        let had = row
            .and_then(|row| apart.rows.get(row))
            .into_iter()
            .flatten();
        had.filter_map(|(place, count)| {
            let name = apart.names.get(*place as usize)?;
            Some((name.as_str(), *count))
        })
    }

    /// The requests of each pod squared, in an interval; nothing where pods are not told apart.
    pub(super) fn pod_squares(&self, interval: usize) -> PodSquares {
        let squares = |apart| {
            let pods = self.pods_at(apart, interval);
            pods.map(|(_, count)| count.exposure * count.exposure).sum()
        };
        PodSquares {
            canary: squares(&self.counts.pods.canary),
            control: squares(&self.counts.pods.control),
        }
    }

    /// What each pod of the canary had in all intervals; nothing where pods are not told apart.
    pub(super) fn canary_pods(&self) -> BTreeMap<String, ArmCount> {
        let mut all: BTreeMap<String, ArmCount> = BTreeMap::new();
        for interval in 0..self.rows.len() {
            for (name, count) in self.pods_at(&self.counts.pods.canary, interval) {
                match all.get_mut(name) {
                    Some(sum) => *sum = sum.and(count),
                    None => drop(all.insert(name.to_owned(), count)),
                }
            }
        }
        all
    }

    /// What each pod of the control had in an interval.
    pub(super) fn control_pods(&self, interval: usize) -> impl Iterator<Item = (&str, ArmCount)> {
        self.pods_at(&self.counts.pods.control, interval)
    }
}
