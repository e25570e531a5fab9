//! Counts counters series by series, those of one target together.

use std::collections::{BTreeMap, BTreeSet};

use super::copies::without_copies;
use super::heartbeat::{Heartbeats, TargetBeats};
use super::ledger::Ledger;
use super::life::Life;
use super::pace::Usual;
use super::pod::pod_name;
use super::target::Target;
use super::track::Track;
use super::walker::{Counted, Walker};
use super::{Grid, PodLife, Sampling, Series};

/// A series, and which of the counts it adds to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Counter<'a> {
    pub(super) series: &'a Series,
    pub(super) column: usize,
}

/// Something that a pod counted.
#[derive(Debug, Clone, Copy)]
pub(super) struct Increment<'a> {
    /// The pod's name.
    pub(super) pod: &'a str,
    /// The labels of the series that tells it.
    pub(super) labels: &'a BTreeMap<String, String>,
    pub(super) interval: usize,
    pub(super) column: usize,
    pub(super) count: f64,
}

/// Counts some counters of one population, all series of one target together. What they counted is
/// given away bit by bit.
pub(super) fn count<'a>(
    (grid, sampling): (&Grid, Sampling),
    counters: impl IntoIterator<Item = Counter<'a>>,
    heartbeats: &'a Heartbeats,
    ledger: &mut Ledger,
    mut add: impl FnMut(Increment<'a>),
) {
    let mut targets = BTreeMap::<Target, Vec<Counter<'a>>>::new();
    for counter in counters {
        if !counter.series.timestamps_ms.is_empty() {
            ledger.series += 1;
            let target = heartbeats.target_of(counter.series);
            targets.entry(target).or_default().push(counter);
        }
    }
    for (target, counters) in targets {
        let beats = heartbeats.of(&target);
        let pod = counters.first().map_or("", |one| pod_name(one.series));
        let tracks = tracks_of(&counters, (grid, sampling), heartbeats, beats, ledger);
        if let Some(life) = pod_life(&tracks, beats) {
            ledger.note_life(pod, life);
        }
        let life = Life::of(&tracks, beats, sampling);
        let mut resets_ms = BTreeSet::new();
        let mut is_born = false;
        for (index, track) in tracks.iter().enumerate() {
            let mut walker = Walker::new((grid, sampling), heartbeats, &life, index, track);
            let mut compared = 0.0;
            for (at_ms, value) in track.samples() {
                let Some(visit) = walker.visit(at_ms, value, value < compared, ledger) else {
                    continue;
                };
                let increment = match visit.counted {
                    Counted::Nothing => 0.0,
                    Counted::Dip => continue,
                    Counted::Difference => value - compared,
                    Counted::WholeAfterReset | Counted::WholeAfterBirth | Counted::WholeAsNew => {
                        value
                    }
                };
                add(Increment {
                    pod,
                    labels: track.labels,
                    interval: visit.interval,
                    column: track.column,
                    count: increment,
                });
                is_born |= visit.counted == Counted::WholeAfterBirth;
                if visit.counted == Counted::WholeAfterReset {
                    resets_ms.insert(at_ms);
                }
                compared = value;
            }
            ledger.note_falls(walker.falls());
        }
        ledger.resets += resets_ms.len();
        ledger.births += usize::from(is_born);
    }
}

/// When a pod was seen first, and when its first process started.
pub(super) fn pod_life(tracks: &[Track<'_>], beats: Option<&TargetBeats>) -> Option<PodLife> {
    let firsts = tracks.iter().filter_map(|track| track.times_ms.first());
    let beats = beats.map(TargetBeats::beats).unwrap_or_default();
    Some(PodLife {
        first_sample_ms: *firsts.min()?,
        start_ms: beats.iter().filter_map(|beat| beat.start_ms).min(),
    })
}

/// The samples of the series of one target, each series once.
fn tracks_of<'a>(
    counters: &[Counter<'a>],
    (grid, sampling): (&Grid, Sampling),
    heartbeats: &'a Heartbeats,
    beats: Option<&TargetBeats>,
    ledger: &mut Ledger,
) -> Vec<Track<'a>> {
    let usual = Usual::of(grid, heartbeats, beats);
    let tracks = counters.iter().map(|counter| {
        let created = heartbeats.created_of(counter.series);
        let (series, column) = (counter.series, counter.column);
        let (track, left_out) = Track::of(series, column, sampling, usual, created);
        ledger.rejected += left_out;
        track
    });
    let tracks = tracks.collect();
    match sampling {
        // Sums do not tell copies apart.
        Sampling::Instants { .. } => tracks,
        Sampling::Scrapes { .. } => {
            let (tracks, told_by) = without_copies(tracks);
            ledger.copied_by = ledger.copied_by.or(told_by);
            tracks
        }
    }
}
