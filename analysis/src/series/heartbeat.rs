//! When each target was scraped, and when its process started.
//!
//! A counter alone cannot tell a restart that is overtaken before the next scrape from mere
//! growth, a birth from a late discovery, nor a fresh value from one that Prometheus repeats
//! because it was down itself. The raw samples of `process_start_time_seconds` can: each has the
//! time of its scrape and the start of the process that answered.

use std::borrow::{Borrow, Cow};
use std::collections::{BTreeMap, BTreeSet};

use super::target::{Target, TargetLabels};
use super::{Grid, Sampling, Series};
use crate::query::created_name;

/// How much two reported start times of one process may differ. The start is computed from the
/// kernel's boot time in whole seconds, which moves by one when the clock is adjusted.
const START_JITTER_MS: i64 = 1_000;

/// How far the clocks of a target and of Prometheus may be apart. A start time that changes to
/// one further before the last scrape is a correction of the clock, not a new process.
const CLOCK_SKEW_MS: i64 = 60_000;

/// Processes that started longer before a grid than this are old in all of it.
const EARLIEST_START_BEFORE_GRID_MS: i64 = 600_000;

/// The shortest step, in milliseconds: sees every scrape of a target that is scraped each second,
/// which few are.
const SHORTEST_STEP_MS: i64 = 250;

/// One scrape of a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Beat {
    /// The time of the scrape.
    pub(super) time_ms: i64,
    /// The start of the process that answered; absent when it cannot be told which of several
    /// processes the counters belong to.
    pub(super) start_ms: Option<i64>,
}

impl Beat {
    /// Whether another process answered than at the scrape before.
    pub(super) fn is_restart_after(&self, earlier: &Self) -> bool {
        match (earlier.start_ms, self.start_ms) {
            (Some(old), Some(new)) => {
                let is_after_the_scrape = new > old && new > earlier.time_ms;
                let is_another_start = new.saturating_sub(old) > START_JITTER_MS
                    && new.saturating_add(CLOCK_SKEW_MS) >= earlier.time_ms;
                is_after_the_scrape || is_another_start
            }
            _ => false,
        }
    }
}

/// The scrapes of one target, in the order of time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TargetBeats {
    beats: Vec<Beat>,
    spacings_ms: Vec<i64>,
    period_ms: Option<i64>,
}

impl TargetBeats {
    /// Makes one of the series of a target, each in the order of time.
    fn new(sources: &[Vec<Beat>]) -> Self {
        // A value is seen until the next scrape of the same series: two Prometheus servers that
        // scrape one target a moment apart do not scrape more often than each of them.
        let mut spacings_ms: Vec<i64> = sources.iter().flat_map(|one| spacings_ms(one)).collect();
        let merged = sources.len() > 1;
        let mut beats = sources.concat();
        beats.sort_by_key(|beat| (beat.time_ms, beat.start_ms));
        beats.dedup_by_key(|beat| beat.time_ms);
        // Several series of one target follow each other when its labels changed with a restart.
        // When they alternate, several processes answer, and which of them counts is not known.
        if merged && !beats.is_sorted_by_key(|beat| beat.start_ms) {
            for beat in &mut beats {
                beat.start_ms = None;
            }
        }
        if spacings_ms.is_empty() {
            // Labels that change with each scrape.
            spacings_ms.extend(self::spacings_ms(&beats));
        }
        let period_ms = ranked(spacings_ms.clone(), 2);
        Self {
            beats,
            spacings_ms,
            period_ms,
        }
    }

    /// The scrapes, in the order of time.
    pub(super) fn beats(&self) -> &[Beat] {
        &self.beats
    }

    /// The usual time between two scrapes.
    pub(super) fn period_ms(&self) -> Option<i64> {
        self.period_ms
    }

    /// Whether it is known, at any scrape, when the process started.
    pub(super) fn knows_starts(&self) -> bool {
        self.beats.iter().any(|beat| beat.start_ms.is_some())
    }

    /// The age at which a value is too old to be one that the next regular scrape would replace.
    pub(super) fn stale_after_ms(&self) -> i64 {
        self.period_ms
            .map_or(i64::MAX, |period| period.saturating_add(period / 2))
    }
}

/// What tells a series that says when others were created: all of its labels, its name among them.
type Identity = BTreeMap<String, String>;

/// When the targets of one population were scraped, and when their processes started.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Heartbeats {
    /// What tells them apart.
    labels: TargetLabels,
    targets: BTreeMap<Target, TargetBeats>,
    /// When series were created, by the name that says so and their labels.
    created: BTreeMap<Identity, TargetBeats>,
    shortest_period_ms: Option<i64>,
}

impl Heartbeats {
    /// Reads the answer to `process_start_time_seconds{..}[window]`: raw samples, of which each
    /// time is that of a scrape and each value the start of a process, in seconds since 1970.
    ///
    /// Values that are not finite or not positive are left out. The window should begin some
    /// minutes before the grid, so that the scrape before the first boundary is known.
    pub fn from_series<S: Borrow<Series>>(series: &[S]) -> Self {
        Self::of_targets_by(&TargetLabels::default(), series)
    }

    /// The same, of targets that these labels tell apart.
    pub fn of_targets_by<S: Borrow<Series>>(labels: &TargetLabels, series: &[S]) -> Self {
        let mut collected = BTreeMap::<Target, Vec<Vec<Beat>>>::new();
        for one in series.iter().map(Borrow::borrow) {
            let target = labels.target_of(one);
            collected.entry(target).or_default().push(beats_of(one));
        }
        let targets = collected
            .into_iter()
            .filter(|(_, sources)| sources.iter().any(|beats| !beats.is_empty()))
            .map(|(target, sources)| (target, TargetBeats::new(&sources)));
        Self::new(labels.clone(), targets.collect())
    }

    fn new(labels: TargetLabels, mut targets: BTreeMap<Target, TargetBeats>) -> Self {
        let spacings = targets.values().flat_map(|target| &target.spacings_ms);
        let shortest_period_ms = ranked(spacings.copied().collect(), 10);
        let usual_period_ms = usual_period_ms(&targets);
        let created = BTreeMap::new();
        for target in targets.values_mut() {
            // A target that was scraped once is scraped like the others.
            target.period_ms = target.period_ms.or(usual_period_ms);
        }
        Self {
            labels,
            targets,
            created,
            shortest_period_ms,
        }
    }

    /// Those of which nothing is known, told apart by the same labels.
    pub(super) fn unknown(&self) -> Self {
        Self::new(self.labels.clone(), BTreeMap::new())
    }

    /// The target that a series belongs to.
    pub(super) fn target_of(&self, series: &Series) -> Target {
        self.labels.target_of(series)
    }

    /// Whether no scrape of any target is known.
    pub fn is_empty(&self) -> bool {
        self.targets.is_empty()
    }

    /// Returns the usual time between two scrapes: the median over the targets of the median
    /// spacing of each, in milliseconds. Unknown when no target was scraped twice.
    pub fn scrape_period_ms(&self) -> Option<i64> {
        usual_period_ms(&self.targets)
    }

    /// The time between a scrape and the next attempt, whether that fails or not: the lowest
    /// tenth of the spacings of all targets. Failed scrapes lengthen the others.
    pub(super) fn shortest_period_ms(&self) -> Option<i64> {
        self.shortest_period_ms
    }

    /// Returns when the processes started that answered within a grid or up to ten minutes before
    /// it, in milliseconds since 1970, ascending, each once. Starts that differ by what a clock may
    /// be adjusted are one. Nothing when no start is known.
    pub fn process_starts_ms(&self, grid: &Grid) -> Option<Vec<i64>> {
        let starts_ms: Vec<i64> = self
            .targets
            .values()
            .flat_map(|target| &target.beats)
            .filter_map(|beat| beat.start_ms)
            .collect();
        if starts_ms.is_empty() {
            return None;
        }
        Some(distinct_process_starts(starts_ms, grid))
    }

    /// The scrapes of one target, where any are known: its own, or those of the process that speaks
    /// for it.
    pub(super) fn of(&self, target: &Target) -> Option<&TargetBeats> {
        self.targets.get(target).or_else(|| {
            let mut all = self.targets.iter();
            all.find_map(|(known, beats)| known.speaks_for(target).then_some(beats))
                .or_else(|| {
                    // The series of a target may lack labels that its starts have.
                    let all = self.targets.iter();
                    let mut like_it = all.filter(|(known, _)| target.speaks_for(known));
                    let (_, beats) = like_it.next()?;
                    like_it.next().is_none().then_some(beats)
                })
        })
    }

    /// Whether starts of several processes are known that a target's labels do not tell apart.
    fn has_more_of(&self, target: &Target) -> bool {
        let mut all = self.targets.keys();
        all.any(|known| target.speaks_for(known))
    }

    /// The same; where samples are those of scrapes, also, of each target that is not known, the times
    /// at which its series were scraped.
    pub(super) fn known_by<'a>(
        &self,
        sampling: Sampling,
        series: impl Iterator<Item = &'a Series>,
    ) -> Cow<'_, Self> {
        match sampling {
            Sampling::Instants { .. } => Cow::Borrowed(self),
            Sampling::Scrapes { .. } => Cow::Owned(self.completed(series)),
        }
    }

    /// The same, and for each target that is not known the times at which its series have samples.
    /// When its process started is not known.
    pub(super) fn completed<'a>(&self, series: impl IntoIterator<Item = &'a Series>) -> Self {
        let mut times = BTreeMap::<Target, BTreeSet<&[i64]>>::new();
        let mut known = BTreeMap::<Target, bool>::new();
        for one in series
            .into_iter()
            .filter(|one| !one.timestamps_ms.is_empty())
        {
            let target = self.target_of(one);
            let is_known = *known
                .entry(target.clone())
                .or_insert_with(|| self.of(&target).is_some() || self.has_more_of(&target));
            if !is_known {
                // The series of a target mostly have the same times.
                times.entry(target).or_default().insert(&one.timestamps_ms);
            }
        }
        let beat = |&time_ms: &i64| Beat {
            time_ms,
            start_ms: None,
        };
        let sources = |times: BTreeSet<&[i64]>| -> Vec<Vec<Beat>> {
            let times = times.into_iter();
            times
                .map(|times| times.iter().map(beat).collect())
                .collect()
        };
        let mut completed = self.targets.clone();
        completed.extend(
            times
                .into_iter()
                .map(|(target, times)| (target, TargetBeats::new(&sources(times)))),
        );
        Self {
            created: self.created.clone(),
            ..Self::new(self.labels.clone(), completed)
        }
    }

    /// The same, with what series say about when others were created (`.._created`): each value the
    /// start of the series of one label set, in seconds since 1970.
    #[must_use]
    pub fn with_created<S: Borrow<Series>>(mut self, series: &[S]) -> Self {
        for one in series.iter().map(Borrow::borrow) {
            let beats = beats_of(one);
            if !beats.is_empty() {
                let created = TargetBeats::new(&[beats]);
                self.created.insert(one.labels.clone(), created);
            }
        }
        self
    }

    /// When a series was created, as far as its process says so.
    pub(super) fn created_of(&self, series: &Series) -> Option<&TargetBeats> {
        if self.created.is_empty() {
            return None;
        }
        let mut labels = series.labels.clone();
        labels.remove("le");
        let name = labels.get_mut("__name__")?;
        *name = created_name(name);
        self.created.get(&labels)
    }

    /// Every target's scrapes.
    pub(super) fn iter(&self) -> impl Iterator<Item = &TargetBeats> {
        self.targets.values()
    }
}

/// Returns those of some starts of processes that lie within a grid or up to ten minutes before it,
/// in milliseconds since 1970, ascending. Starts that differ by what a clock may be adjusted are one.
pub fn distinct_process_starts(mut starts_ms: Vec<i64>, grid: &Grid) -> Vec<i64> {
    let from_ms = grid
        .start_ms()
        .saturating_sub(EARLIEST_START_BEFORE_GRID_MS);
    starts_ms.retain(|start| (from_ms..grid.end_ms()).contains(start));
    starts_ms.sort_unstable();
    starts_ms.dedup_by(|later, earlier| later.saturating_sub(*earlier) <= START_JITTER_MS);
    starts_ms
}

/// Returns the step at which a range query sees every scrape, in milliseconds: the interval
/// divided by the smallest whole number `k` that divides it and gives a step of at most nine
/// tenths of the scrape period.
///
/// A sample is visible from its scrape to the next one, so a step below the period, with a tenth
/// for jitter, meets each. When the period is not known, half the interval is assumed, the longest
/// that a grid should have: 10 s for intervals of 30 s. The result is at least 250 ms, however
/// often is scraped: a finer step would ask for more than anybody waits for. Intervals that are
/// shorter than that, or not positive, are the step themselves.
pub fn fine_step_ms(interval_ms: i64, scrape_period_ms: Option<i64>) -> i64 {
    if interval_ms <= 1 {
        return interval_ms;
    }
    let period = scrape_period_ms
        .filter(|&period| period > 0)
        .unwrap_or(interval_ms / 2)
        .max(1);
    let most_parts = (interval_ms / SHORTEST_STEP_MS).max(1);
    let mut finest = interval_ms;
    for parts in (1..=most_parts).filter(|parts| interval_ms % parts == 0) {
        finest = interval_ms / parts;
        if sees_every_scrape(finest, period) {
            break;
        }
    }
    finest
}

/// Whether every scrape meets an instant of a range query, where instants are `step_ms` apart
/// and scrapes `scrape_period_ms`, with a tenth of it for jitter.
pub fn sees_every_scrape(step_ms: i64, scrape_period_ms: i64) -> bool {
    step_ms.saturating_mul(10) <= scrape_period_ms.saturating_mul(9)
}

/// Returns the step that divides the interval, is at least `step_ms`, and reads the grid at no
/// more than `most_instants` instants: `step_ms` itself where that is so already. A grid with more
/// intervals than that is read at each of its boundaries all the same.
pub fn affordable_step_ms(grid: &Grid, step_ms: i64, most_instants: usize) -> i64 {
    let interval_ms = grid.interval_ms();
    let most = i64::try_from(most_instants / grid.intervals().max(1)).unwrap_or(i64::MAX);
    let wanted = interval_ms / step_ms.max(1);
    let parts = (1..=wanted.min(most))
        .rev()
        .find(|parts| interval_ms % parts == 0)
        .unwrap_or(1);
    interval_ms / parts
}

/// The scrapes of one series whose values are times, in seconds since 1970.
fn beats_of(series: &Series) -> Vec<Beat> {
    let samples = series.timestamps_ms.iter().zip(&series.values);
    let beats = samples.filter_map(|(&time_ms, &value)| {
        let start_ms = Some(milliseconds(value)?);
        Some(Beat { time_ms, start_ms })
    });
    beats.collect()
}

/// The times between the scrapes of one series.
fn spacings_ms(beats: &[Beat]) -> impl Iterator<Item = i64> {
    beats.windows(2).filter_map(|pair| match pair {
        [earlier, later] => Some(later.time_ms - earlier.time_ms),
        _ => None,
    })
}

/// The median over the targets of the usual time between two scrapes.
fn usual_period_ms(targets: &BTreeMap<Target, TargetBeats>) -> Option<i64> {
    let periods = targets.values().filter_map(|target| target.period_ms);
    ranked(periods.collect(), 2)
}

/// Seconds since 1970 as milliseconds; nothing for a value that cannot be a time.
fn milliseconds(seconds: f64) -> Option<i64> {
    let rounded = (seconds * 1_000.0).round();
    // 2^53: beyond, a float is no exact number of milliseconds (the year 287396).
    let is_time = rounded > 0.0 && rounded < 9_007_199_254_740_992.0;
    #[expect(
        clippy::cast_possible_truncation,
        reason = "whole and below 2^53, as just checked"
    )]
    is_time.then_some(rounded as i64)
}

/// The value that one `part`-th of the values do not exceed: 2 for the median (the lower one of
/// two), 10 for the lowest tenth.
fn ranked(mut values: Vec<i64>, part: usize) -> Option<i64> {
    values.sort_unstable();
    values.get(values.len().saturating_sub(1) / part).copied()
}
