//! The life of a target, as all of its series show it: when it was scraped, when its process began
//! anew, and which series were not there when others were.

use std::collections::BTreeSet;

use super::Sampling;
use super::heartbeat::{Beat, TargetBeats};
use super::pace::Pace;
use super::track::Track;

/// How far the times of two series may be apart that come from one scrape.
const SAME_SCRAPE_MS: i64 = 20;

/// Most falls of the series of a target that are looked at closely. What falls more often is no counter.
const MOST_FALLS: usize = 64;

/// What is known of a process between two samples.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Process {
    /// It began anew, as its start says.
    BeganAnew,
    /// It began anew, as its values say.
    SeemsAnew,
    /// It went on.
    WentOn,
    /// Nothing tells.
    Unknown,
}

/// When one series of a target was there.
#[derive(Debug, Clone, Copy)]
struct First {
    at_ms: i64,
    value: f64,
    last_ms: i64,
    pace: Pace,
}

impl First {
    fn of(track: &Track<'_>) -> Option<Self> {
        Some(Self {
            at_ms: *track.times_ms.first()?,
            value: *track.values.first()?,
            last_ms: *track.times_ms.last()?,
            pace: track.pace,
        })
    }
}

/// The life of one target.
#[derive(Debug)]
pub(super) struct Life<'a> {
    beats: Option<&'a TargetBeats>,
    /// For each time of a scrape, the first time at which a series was seen that was scraped then.
    seen: Vec<(i64, i64)>,
    /// The first and the last sample of each series.
    firsts: Vec<First>,
    /// The times at which the process is found to have begun anew, where nothing tells its start.
    restarts_ms: Vec<i64>,
    /// Falls during which other series of the target went on: the track and the time.
    went_on: BTreeSet<(usize, i64)>,
}

impl<'a> Life<'a> {
    /// Puts together what the series of a target show.
    pub(super) fn of(
        tracks: &[Track<'_>],
        beats: Option<&'a TargetBeats>,
        sampling: Sampling,
    ) -> Self {
        let mut life = Self {
            beats,
            seen: match sampling {
                Sampling::Instants { .. } => seen(tracks, None),
                Sampling::Scrapes { .. } => seen(tracks, beats),
            },
            firsts: tracks.iter().filter_map(First::of).collect(),
            restarts_ms: Vec::new(),
            went_on: BTreeSet::new(),
        };
        if !beats.is_some_and(TargetBeats::knows_starts) {
            life.look_for_restarts(tracks);
        }
        life
    }

    /// The scrapes of the target, where any are known.
    pub(super) fn target(&self) -> Option<&'a TargetBeats> {
        self.beats
    }

    /// The scrapes that are known, in the order of time.
    pub(super) fn beats(&self) -> &'a [Beat] {
        self.beats.map_or(&[], TargetBeats::beats)
    }

    /// What the process did between a sample and a later one of a track, of which the latest scrapes
    /// are given.
    pub(super) fn between(
        &self,
        track: usize,
        (earlier_ms, earlier): (i64, Option<Beat>),
        (later_ms, later): (i64, Option<Beat>),
    ) -> Process {
        let started = later.and_then(|beat| beat.start_ms);
        match (earlier, later, started) {
            (Some(before), Some(now), Some(_)) if now.is_restart_after(&before) => {
                Process::BeganAnew
            }
            (Some(before), _, Some(_)) if before.start_ms.is_some() => Process::WentOn,
            (None, _, Some(start_ms)) if start_ms > earlier_ms => Process::BeganAnew,
            (None, _, Some(_)) => Process::WentOn,
            _ if self.was_restarted(earlier_ms, later_ms) => Process::SeemsAnew,
            _ if self.went_on.contains(&(track, later_ms)) => Process::WentOn,
            _ => Process::Unknown,
        }
    }

    /// Whether the target was seen, alive, without a series at the scrape before its first sample: by
    /// another series that is scraped together with it.
    pub(super) fn was_seen_without(&self, at_ms: i64) -> bool {
        let near = self
            .seen
            .partition_point(|&(time_ms, _)| time_ms < at_ms - SAME_SCRAPE_MS);
        let together = self.seen.iter().skip(near);
        together
            .take_while(|&&(time_ms, _)| time_ms <= at_ms + SAME_SCRAPE_MS)
            .any(|&(_, first_ms)| first_ms < at_ms - SAME_SCRAPE_MS)
    }

    /// Whether a series is new at its first sample: its target was seen without it, and its value can have
    /// been counted since. A series that has another label only, or that is collected from now on, brings
    /// the counts of its whole life.
    ///
    /// Of a series with times of its own the others prove nothing: it takes longer than its own period.
    pub(super) fn is_new(&self, at_ms: i64, value: f64, pace: &Pace, from_ms: i64) -> bool {
        if self.was_seen_without(at_ms) {
            return self.can_have_counted(at_ms, value)
                && !self.brings_old_counts(at_ms)
                && !self.is_renamed(at_ms);
        }
        let first_ms = self.seen.first().map_or(i64::MAX, |&(time_ms, _)| time_ms);
        let time_ms = at_ms.saturating_sub(first_ms.max(from_ms));
        pace.is_known && time_ms > pace.overdue_ms() && value <= pace.most_in(time_ms)
    }

    /// The most that any series of the target can have counted in a time, from zero.
    fn most_in(&self, time_ms: i64) -> f64 {
        let all = self.firsts.iter().map(|first| first.pace.most_in(time_ms));
        all.fold(0.0, f64::max)
    }

    /// Whether any series of the target can have counted so much since it was last scraped.
    pub(super) fn can_have_counted(&self, at_ms: i64, value: f64) -> bool {
        let since_ms = self.scraped_before(at_ms).unwrap_or(at_ms);
        value <= self.most_in(at_ms - since_ms)
    }

    /// Whether any of the series that appear at an instant has more than it can have counted since.
    fn brings_old_counts(&self, at_ms: i64) -> bool {
        let mut together = self.appearing(at_ms);
        together.any(|first| !self.can_have_counted(at_ms, first.value))
    }

    /// Whether no series of the target goes on over an instant at which others appear, and some ended just
    /// before: their labels changed.
    fn is_renamed(&self, at_ms: i64) -> bool {
        let goes_on =
            |first: &First| first.at_ms < at_ms - SAME_SCRAPE_MS && first.last_ms >= at_ms;
        let has_ended = |first: &First| {
            first.last_ms < at_ms && at_ms - first.last_ms <= first.pace.overdue_ms()
        };
        !self.firsts.iter().any(goes_on) && self.firsts.iter().any(has_ended)
    }

    fn appearing(&self, at_ms: i64) -> impl Iterator<Item = &First> {
        let all = self.firsts.iter();
        all.filter(move |first| (first.at_ms - at_ms).abs() <= SAME_SCRAPE_MS)
    }

    /// The latest time before an instant, and not of the same scrape, at which the target was scraped.
    pub(super) fn scraped_before(&self, at_ms: i64) -> Option<i64> {
        let near = self
            .seen
            .partition_point(|&(time_ms, _)| time_ms < at_ms - SAME_SCRAPE_MS);
        let (time_ms, _) = self.seen.get(near.checked_sub(1)?)?;
        Some(*time_ms)
    }

    /// Whether the target was scraped between two samples of a series that is sampled as often as
    /// `period_ms` says: then the series was not there.
    pub(super) fn was_scraped_between(
        &self,
        earlier_ms: i64,
        later_ms: i64,
        period_ms: i64,
    ) -> bool {
        let half_ms = period_ms / 2;
        let next = self
            .seen
            .partition_point(|&(time_ms, _)| time_ms <= earlier_ms.saturating_add(half_ms));
        let scraped_ms = self.seen.get(next).map(|&(time_ms, _)| time_ms);
        scraped_ms.is_some_and(|time_ms| time_ms < later_ms.saturating_sub(half_ms))
    }

    fn was_restarted(&self, after_ms: i64, until_ms: i64) -> bool {
        let next = self
            .restarts_ms
            .partition_point(|&restart_ms| restart_ms <= after_ms);
        self.restarts_ms
            .get(next)
            .is_some_and(|&restart_ms| restart_ms <= until_ms)
    }

    /// Finds out, of each fall of a series, whether the process can have begun anew: not where
    /// another of its series went on.
    fn look_for_restarts(&mut self, tracks: &[Track<'_>]) {
        let untold = tracks.iter().enumerate();
        let untold = untold.filter(|(_, track)| track.created.is_none());
        let falls = untold.flat_map(|(index, track)| track.falls().map(move |fall| (index, fall)));
        for (index, fall) in falls.take(MOST_FALLS) {
            let period_ms = tracks.get(index).map_or(0, |track| track.pace.period_ms);
            if self.was_scraped_between(fall.earlier_ms, fall.later_ms, period_ms) {
                // It was away, which says nothing about when.
                continue;
            }
            let others = tracks
                .iter()
                .enumerate()
                .filter(|(other, _)| *other != index);
            if others
                .into_iter()
                .any(|(_, other)| other.goes_on(fall.earlier_ms, fall.later_ms))
            {
                self.went_on.insert((index, fall.later_ms));
            } else if fall.is_anew {
                self.restarts_ms.push(fall.later_ms);
            }
        }
        self.restarts_ms.sort_unstable();
    }
}

/// The times at which a target was scraped, each with the first time of the oldest series among those
/// that were scraped then.
fn seen(tracks: &[Track<'_>], beats: Option<&TargetBeats>) -> Vec<(i64, i64)> {
    let of_tracks: BTreeSet<&[i64]> = tracks.iter().map(|track| &*track.times_ms).collect();
    let of_beats = beats.map_or(&[][..], TargetBeats::beats);
    let since = |first_ms: Option<i64>| first_ms.unwrap_or(i64::MAX);
    let mut seen: Vec<(i64, i64)> = of_tracks
        .into_iter()
        .flat_map(|times| {
            times
                .iter()
                .map(move |&time_ms| (time_ms, since(times.first().copied())))
        })
        .collect();
    // Times that were taken from the series themselves tell nothing of another series.
    if beats.is_some_and(TargetBeats::knows_starts) {
        let first_ms = since(of_beats.first().map(|beat| beat.time_ms));
        seen.extend(of_beats.iter().map(|beat| (beat.time_ms, first_ms)));
    }
    seen.sort_unstable();
    seen.dedup_by_key(|&mut (time_ms, _)| time_ms);
    seen
}
