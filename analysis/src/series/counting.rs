//! Counts counters series by series, those of one target together.

use std::collections::{BTreeMap, BTreeSet};

use ndarray::Array2;

use super::copies::without_copies;
use super::heartbeat::{Heartbeats, TargetBeats};
use super::ledger::Ledger;
use super::life::Life;
use super::target::Target;
use super::track::Track;
use super::walker::{Counted, Walker};
use super::{Grid, Sampling, Series};

/// A series, and which of the counts it adds to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Counter<'a> {
    pub(super) series: &'a Series,
    pub(super) column: usize,
}

/// Counts some counters of one population: the sums over all targets, intervals by columns.
pub(super) fn count<'a>(
    (grid, sampling): (&Grid, Sampling),
    counters: impl IntoIterator<Item = Counter<'a>>,
    columns: usize,
    heartbeats: &'a Heartbeats,
    ledger: &mut Ledger,
) -> Array2<f64> {
    let mut targets = BTreeMap::<Target, Vec<Counter<'a>>>::new();
    for counter in counters {
        if !counter.series.timestamps_ms.is_empty() {
            ledger.series += 1;
            let target = Target::of(counter.series);
            targets.entry(target).or_default().push(counter);
        }
    }
    let mut counts = Array2::zeros((grid.intervals(), columns));
    for (target, counters) in targets {
        let beats = heartbeats.of(&target);
        let tracks = tracks_of(&counters, sampling, heartbeats, beats, ledger);
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
                if let Some(count) = counts.get_mut((visit.interval, track.column)) {
                    *count += increment;
                }
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
    counts
}

/// The samples of the series of one target, each series once.
fn tracks_of<'a>(
    counters: &[Counter<'a>],
    sampling: Sampling,
    heartbeats: &'a Heartbeats,
    beats: Option<&TargetBeats>,
    ledger: &mut Ledger,
) -> Vec<Track<'a>> {
    let usual_period_ms = beats
        .and_then(TargetBeats::period_ms)
        .or_else(|| heartbeats.scrape_period_ms());
    let tracks = counters.iter().map(|counter| {
        let created = heartbeats.created_of(counter.series);
        let (series, column) = (counter.series, counter.column);
        let (track, left_out) = Track::of(series, column, sampling, usual_period_ms, created);
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
