//! The data that flows from Prometheus to the judge.

use std::collections::BTreeMap;
use std::fmt;

use ndarray::Array2;
use serde::{Deserialize, Serialize};

use super::apart::Apart;
use super::copies::ScrapeLabel;
use super::pod_buckets::PodBuckets;

/// One series as it was read: its labels and its samples in the order of time.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Series {
    /// The labels that tell the series from the others of its query.
    pub labels: BTreeMap<String, String>,
    /// Times of the samples, in milliseconds since 1970, ascending.
    pub timestamps_ms: Vec<i64>,
    /// Values of the samples, as many as times. May be NaN or infinite, as Prometheus allows.
    pub values: Vec<f64>,
}

/// How the samples of counters were read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sampling {
    /// At the instants of a range query, which include the boundaries of the grid: between two scrapes
    /// the earlier value is repeated. One series for each target.
    Instants {
        /// The distance of the instants, in milliseconds.
        step_ms: i64,
    },
    /// As they were scraped, each series with all of its labels.
    Scrapes {
        /// The time from which on all samples were read, in milliseconds since 1970, exclusive.
        from_ms: i64,
    },
}

/// One value for each of the two populations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
pub struct Populations<T> {
    /// The old version, serving at the same time.
    pub control: T,
    /// The new version.
    pub canary: T,
}

/// One of the two populations.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
pub enum Population {
    /// The old version.
    Control,
    /// The new version.
    #[default]
    Canary,
}

impl fmt::Display for Population {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Canary => "canary",
            Self::Control => "control",
        })
    }
}

impl<T: Clone> Populations<T> {
    /// The same for both.
    pub fn same(value: T) -> Self {
        Self {
            control: value.clone(),
            canary: value,
        }
    }
}

impl<T> Populations<T> {
    /// What one of them has.
    pub fn get(&self, population: Population) -> &T {
        match population {
            Population::Control => &self.control,
            Population::Canary => &self.canary,
        }
    }

    /// The same, to be changed.
    pub fn get_mut(&mut self, population: Population) -> &mut T {
        match population {
            Population::Control => &mut self.control,
            Population::Canary => &mut self.canary,
        }
    }

    /// Applies a function to both.
    pub fn map<U>(self, mut function: impl FnMut(T) -> U) -> Populations<U> {
        Populations {
            control: function(self.control),
            canary: function(self.canary),
        }
    }

    /// Borrows both.
    pub fn as_ref(&self) -> Populations<&T> {
        Populations {
            control: &self.control,
            canary: &self.canary,
        }
    }
}

/// The fixed grid: consecutive intervals of equal length, aligned to the clock, so that the
/// time of a request never moves a boundary.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grid {
    start_ms: i64,
    interval_ms: i64,
    intervals: usize,
}

impl Grid {
    /// Returns the grid of the whole intervals that lie inside `[start_ms, end_ms]`: the start is
    /// rounded up and the end down to a multiple of the interval's length. It is empty when no
    /// whole interval fits, or when the length is not positive.
    pub fn covering(start_ms: i64, end_ms: i64, interval_ms: i64) -> Self {
        if interval_ms <= 0 {
            return Self {
                start_ms,
                interval_ms: 1,
                intervals: 0,
            };
        }
        let first =
            start_ms.div_euclid(interval_ms) + i64::from(start_ms.rem_euclid(interval_ms) != 0);
        let last = end_ms.div_euclid(interval_ms);
        let intervals = usize::try_from(last.saturating_sub(first)).unwrap_or(0);
        Self {
            start_ms: first.saturating_mul(interval_ms),
            interval_ms,
            intervals,
        }
    }

    /// Start of the first interval, in milliseconds since 1970.
    pub fn start_ms(&self) -> i64 {
        self.start_ms
    }

    /// End of the last interval, in milliseconds since 1970.
    pub fn end_ms(&self) -> i64 {
        self.boundary_ms(self.intervals)
    }

    /// Length of an interval, in milliseconds.
    pub fn interval_ms(&self) -> i64 {
        self.interval_ms
    }

    /// Number of intervals.
    pub fn intervals(&self) -> usize {
        self.intervals
    }

    /// The boundary after `index` intervals: 0 is the start, [`Grid::intervals`] the end.
    pub fn boundary_ms(&self, index: usize) -> i64 {
        let steps = i64::try_from(index).unwrap_or(i64::MAX);
        self.start_ms
            .saturating_add(steps.saturating_mul(self.interval_ms))
    }

    /// The newest `count` intervals as a grid of their own.
    #[must_use]
    pub fn newest(&self, count: usize) -> Self {
        let kept = count.min(self.intervals);
        self.part(self.intervals - kept, kept)
    }

    /// Up to `length` intervals from the one at index `first` on, as a grid of their own.
    #[must_use]
    pub fn part(&self, first: usize, length: usize) -> Self {
        let first = first.min(self.intervals);
        Self {
            start_ms: self.boundary_ms(first),
            intervals: length.min(self.intervals - first),
            ..*self
        }
    }
}

/// What one population did in one interval.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct ArmCount {
    /// The events that are counted (bad ones, where less is better).
    pub events: f64,
    /// What they are counted against: requests, pod-hours, share-seconds.
    pub exposure: f64,
}

/// What both populations did in one interval, or in several that a missed scrape joined.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct PairedInterval {
    /// Index of the first grid interval covered.
    pub first: usize,
    /// Number of grid intervals covered, 1 unless joined.
    pub length: usize,
    /// The control's counts.
    pub control: ArmCount,
    /// The canary's counts.
    pub canary: ArmCount,
}

/// What had to be put right in the data of one metric.
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent facts of the data, each told by itself"
)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct DataQuality {
    /// Grid intervals of which nothing is known: no scrape of either population fell into them.
    pub missing_intervals: usize,
    /// Grid intervals joined to their successor because a scrape was missed.
    pub joined_intervals: usize,
    /// Samples left out because they were NaN, infinite or negative.
    pub rejected_samples: usize,
    /// Counter resets seen.
    pub resets: usize,
    /// Targets that appeared inside the window and counted from zero.
    pub births: usize,
    /// Intervals with more events than requests, joined to the next.
    pub more_events_than_total: usize,
    /// Grid intervals at the end of the window whose counts cannot be told yet from those of the
    /// intervals to come: not given.
    pub held_back_intervals: usize,
    /// Bucket counts lowered to the count of the next bound, which can never be less.
    pub repaired_buckets: usize,
    /// Series seen in the control.
    pub control_series: usize,
    /// Series seen in the canary.
    pub canary_series: usize,
    /// Of a proportion: neither population has any series of the events. They count as none; it
    /// may as well be that their selector is wrong.
    pub no_event_series: bool,
    /// Of a proportion or a rate: the canary has no series of the events, whatever the control has.
    #[serde(default)]
    pub no_canary_event_series: bool,
    /// How often values of counters fell.
    pub falls: Populations<Falls>,
    /// The label that tells copies apart, where one series was read more than once.
    pub copied_by: Option<ScrapeLabel>,
    /// Whether there were too many series to read each: sums by target were counted.
    pub summed: bool,
    /// Whether scrapes were closer together than the instants at which the counters were read,
    /// because the window is too long to read them all: what a target counted between the last
    /// instant and its restart is then lost.
    pub missed_scrapes: bool,
}

/// How often values of counters fell, of one population.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Falls {
    /// Values that were less than the one before, though no start of their process explains it.
    pub falls: usize,
    /// Values that had one before, of series that moved at all.
    pub steps: usize,
}

impl Falls {
    /// Fewest falls by which counters are told from what is none.
    const FEWEST: usize = 5;

    /// The sum of both.
    pub(super) fn and(self, other: Self) -> Self {
        Self {
            falls: self.falls + other.falls,
            steps: self.steps + other.steps,
        }
    }

    /// Whether the values fell so often that they are no counters: at one step of five.
    ///
    /// Source: docs/design/reading-prometheus.md, "A value that falls".
    pub fn is_no_counter(self) -> bool {
        self.falls >= Self::FEWEST && self.falls * 5 >= self.steps
    }

    /// Whether falls are worth a word: at one step of a hundred.
    pub fn is_worth_a_word(self) -> bool {
        self.falls > 0 && self.falls * 100 >= self.steps
    }
}

/// Events against exposure, interval by interval, of both populations.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct PairedCounts {
    /// The intervals with data, in order.
    pub intervals: Vec<PairedInterval>,
    /// Of a proportion, the same apart by pod: a row for each of the intervals.
    pub pods: Populations<Apart<ArmCount>>,
    /// The same apart by stratum, where the populations are compared within strata: a row for each of the
    /// intervals.
    pub strata: Populations<Apart<ArmCount>>,
    /// Of a proportion, what the intervals counted that are not among them, because more events than
    /// requests came until their end. Of a joined window the sum over its parts, which overlap: its
    /// shares tell something, its size does not.
    #[serde(default)]
    pub beyond_total: Populations<ArmCount>,
    /// Of counters that are added up, about how much each of them grew.
    pub members: Members,
    /// When each pod was seen first, and when its first process started.
    pub lives: Populations<Lives>,
    /// For each interval of the grid, whether a population was seen in it, with or without traffic. Empty
    /// where it is not known: then it was in all.
    pub seen: Populations<Vec<bool>>,
    /// What had to be put right.
    pub quality: DataQuality,
}

/// When the pods of a population began, by their names.
pub type Lives = BTreeMap<String, PodLife>;

/// When a pod began.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PodLife {
    /// The time of its first sample that was read, in milliseconds since 1970. What was read reaches some
    /// minutes back before a window.
    pub first_sample_ms: i64,
    /// When the first process started that is known of it.
    pub start_ms: Option<i64>,
}

impl PodLife {
    /// What is known of one pod in two places.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            first_sample_ms: self.first_sample_ms.min(other.first_sample_ms),
            start_ms: match (self.start_ms, other.start_ms) {
                (Some(one), Some(other)) => Some(one.min(other)),
                (one, other) => one.or(other),
            },
        }
    }

    /// Adds what is known of a pod.
    pub(super) fn note(lives: &mut Lives, pod: &str, life: Self) {
        match lives.get_mut(pod) {
            Some(known) => *known = known.and(life),
            None => {
                lives.insert(pod.to_owned(), life);
            }
        }
    }
}

/// What is known of the pods of two parts.
pub(super) fn both_lives(one: &Lives, other: &Lives) -> Lives {
    let mut both = one.clone();
    for (pod, life) in other {
        PodLife::note(&mut both, pod, *life);
    }
    both
}

/// About how much each of several counters grew that are added up, in the order of their selectors: nothing
/// for one without any series. Empty where there is one selector.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Members {
    /// Of the events.
    pub events: Populations<Vec<Option<f64>>>,
    /// Of all requests.
    pub total: Populations<Vec<Option<f64>>>,
}

impl Members {
    /// The sums of both.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        let sum = |one: &Vec<Option<f64>>, other: &Vec<Option<f64>>| -> Vec<Option<f64>> {
            let count = one.len().max(other.len());
            let at = |all: &Vec<Option<f64>>, index: usize| all.get(index).copied().flatten();
            let both = (0..count).map(|index| (at(one, index), at(other, index)));
            both.map(|(one, other)| match (one, other) {
                (Some(one), Some(other)) => Some(one + other),
                (one, other) => one.or(other),
            })
            .collect()
        };
        let both = |one: &Populations<Vec<_>>, other: &Populations<Vec<_>>| Populations {
            control: sum(&one.control, &other.control),
            canary: sum(&one.canary, &other.canary),
        };
        Self {
            events: both(&self.events, &other.events),
            total: both(&self.total, &other.total),
        }
    }
}

impl PairedCounts {
    /// In how many of so many intervals the canary was seen; of what compares, both populations.
    pub fn seen_intervals(&self, intervals: usize, together: bool) -> usize {
        let is_seen = |seen: &Vec<bool>, at: usize| seen.get(at).copied().unwrap_or(true);
        (0..intervals)
            .filter(|at| {
                is_seen(&self.seen.canary, *at) && (!together || is_seen(&self.seen.control, *at))
            })
            .count()
    }

    /// The sums over all intervals.
    pub fn totals(&self) -> Populations<ArmCount> {
        let mut sums = Populations::<ArmCount>::default();
        for interval in &self.intervals {
            sums.control.events += interval.control.events;
            sums.control.exposure += interval.control.exposure;
            sums.canary.events += interval.canary.events;
            sums.canary.exposure += interval.canary.exposure;
        }
        sums
    }

    /// Whether the populations are compared within strata.
    pub fn has_strata(&self) -> bool {
        !self.strata.control.names.is_empty() || !self.strata.canary.names.is_empty()
    }

    /// Whether each request of both populations was an event, in every interval, and both had some.
    pub fn all_are_events(&self) -> bool {
        let is_all = |arm: ArmCount| arm.events.total_cmp(&arm.exposure).is_eq();
        let totals = self.totals();
        let mut intervals = self.intervals.iter();
        totals.control.exposure > 0.0
            && totals.canary.exposure > 0.0
            && intervals.all(|one| is_all(one.control) && is_all(one.canary))
    }

    /// The events that the canary was to be expected to have if it were as the control: the sum, over
    /// the intervals in which both had an exposure, of the control's events for its own exposure
    /// times the canary's. 0 where there are none.
    pub fn expected_canary_events(&self) -> f64 {
        let together =
            |one: &&PairedInterval| one.control.exposure > 0.0 && one.canary.exposure > 0.0;
        let expected =
            |one: &PairedInterval| one.control.events / one.control.exposure * one.canary.exposure;
        self.intervals.iter().filter(together).map(expected).sum()
    }
}

/// Histograms of both populations on the grid: for each interval (row) and bound (column) the
/// number of observations at or below the bound. The last bound is infinite.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct PairedHistogram {
    /// The bounds, ascending, in base units; those that both populations have in common.
    pub upper_bounds: Vec<f64>,
    /// First grid interval and number of grid intervals of each row.
    pub spans: Vec<(usize, usize)>,
    /// The control's cumulative counts, `spans.len()` rows by `upper_bounds.len()` columns.
    pub control: Array2<f64>,
    /// The canary's cumulative counts, of the same shape.
    pub canary: Array2<f64>,
    /// The same apart by pod: a row for each of the spans.
    #[serde(default)]
    pub pods: Populations<Apart<PodBuckets>>,
    /// When each pod was seen first, and when its first process started.
    #[serde(default)]
    pub lives: Populations<Lives>,
    /// What the buckets of both populations are.
    pub buckets: BucketLayout,
    /// What had to be put right.
    pub quality: DataQuality,
}

/// What the buckets of a histogram are: what its bounds alone do not tell.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct BucketLayout {
    /// Whether there are buckets for what was observed only, as those with `vmrange`: nothing was
    /// observed then beyond the bounds.
    pub is_sparse: bool,
    /// The finite bounds that most requests of each population are counted at, ascending, in base
    /// units. Empty where buckets have no fixed bounds.
    pub own_bounds: Populations<Vec<f64>>,
    /// Targets that lack some of these bounds.
    pub other_targets: Populations<Vec<OtherBuckets>>,
}

/// A target that has other buckets than most of its population.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct OtherBuckets {
    /// The labels that name it, shortened: `{pod="shop-1"}`.
    pub labels: String,
    /// Whether it is not counted, because it has so few of the requests. Else only the bounds count
    /// that it has as well.
    pub is_left_out: bool,
}

/// The mean of a gauge over the series of each population, on the grid.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct PairedGauge {
    /// One entry for each grid interval: the value at its end, where there is one.
    pub intervals: Vec<Populations<Option<f64>>>,
    /// One entry for each grid interval: how many series (pods, as a rule) each mean is of.
    pub behind: Vec<Populations<u32>>,
    /// How many requests a pod served in each grid interval; empty where that does not matter, or nobody
    /// tells.
    pub loads: Vec<Populations<Option<f64>>>,
    /// The same apart by pod, a row for each grid interval: the mean of the series of one pod.
    pub pods: Populations<Apart<f64>>,
    /// When each pod was seen first, and when its first process started.
    #[serde(default)]
    pub lives: Populations<Lives>,
    /// The usual time between two scrapes, in milliseconds, where it is known.
    #[serde(default)]
    pub scrape_ms: Option<i64>,
    /// Series without labels that were left out beside others: a constant of the expression.
    #[serde(default)]
    pub bare_series: usize,
    /// The series that were left out of means.
    pub left_out: Populations<Vec<LeftOutSeries>>,
    /// How many of the series are no numbers.
    pub finite: Populations<FiniteSeries>,
    /// What had to be put right.
    pub quality: DataQuality,
}

/// A series that was left out of the mean of its population for some intervals.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftOutSeries {
    /// The labels that name it, shortened: `{pod="shop-1"}`.
    pub labels: String,
    /// Why.
    pub why: LeftOut,
    /// For which grid intervals, ascending.
    pub intervals: Vec<usize>,
}

/// Why a series is left out of a mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum LeftOut {
    /// Its value is NaN or infinite.
    NotFinite,
    /// It has no value, although it had one before and others of its population have one.
    Absent,
}

/// How many series of a population have values that are numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct FiniteSeries {
    /// Series with any value.
    pub seen: usize,
    /// Those of which every value is NaN or infinite.
    pub not_finite: usize,
}

impl FiniteSeries {
    /// Whether more than half of the series are no numbers: then the mean of the others is not one
    /// of the population.
    pub fn is_mostly_not(self) -> bool {
        self.not_finite > self.seen - self.seen.min(self.not_finite)
    }
}
