//! Follows one target's counter from value to value and says what each value counts.

use std::collections::BTreeMap;

use super::heartbeat::{Beat, Heartbeats, Target, TargetBeats};
use super::ledger::Ledger;
use super::{Grid, Series};

/// What a value counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Counted {
    /// Nothing: it is what later values are compared with.
    Nothing,
    /// Its difference to the value before.
    Difference,
    /// All of it, because the counter began anew.
    WholeAfterReset,
    /// All of it, because its process was born inside the window.
    WholeAfterBirth,
    /// All of it, because its target was seen in the window before, without the series.
    WholeAsNew,
}

/// A value that was taken into account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Visit {
    /// The interval that it belongs to.
    pub(super) interval: usize,
    /// What it counts.
    pub(super) counted: Counted,
}

/// When the counter of all requests of a target was seen: the sibling of its counter of events,
/// which comes from the same process but may be born later.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Sibling {
    /// The first instant of the window at which it had a value.
    first_ms: Option<i64>,
    /// The instants at which it was found to have been reset, ascending.
    resets_ms: Vec<i64>,
}

impl Sibling {
    /// Notes a value of the sibling.
    pub(super) fn note(&mut self, at_ms: i64, counted: Counted) {
        self.first_ms = Some(self.first_ms.map_or(at_ms, |first| first.min(at_ms)));
        if counted == Counted::WholeAfterReset {
            self.resets_ms.push(at_ms);
        }
    }

    /// Takes in what another series of the same target showed.
    fn absorb(&mut self, other: Self) {
        self.first_ms = match (self.first_ms, other.first_ms) {
            (Some(mine), Some(others)) => Some(mine.min(others)),
            (mine, others) => mine.or(others),
        };
        self.resets_ms.extend(other.resets_ms);
        self.resets_ms.sort_unstable();
    }

    fn was_reset_within(&self, after_ms: i64, until_ms: i64) -> bool {
        let index = self.resets_ms.partition_point(|&reset| reset <= after_ms);
        self.resets_ms
            .get(index)
            .is_some_and(|&reset| reset <= until_ms)
    }
}

/// The siblings of one population by target.
pub(super) type Siblings = BTreeMap<Target, Sibling>;

/// The value before, and where it came from.
#[derive(Debug, Clone, Copy)]
struct Seen {
    at_ms: i64,
    beat: Option<Beat>,
}

/// Follows one counter.
#[derive(Debug)]
pub(super) struct Walker<'a> {
    grid: Grid,
    beats: &'a [Beat],
    /// Scrapes before this index are not after the last instant visited.
    next_beat: usize,
    /// The age at which a value is one that Prometheus only repeats.
    stale_after_ms: i64,
    /// The target is known to have been seen, alive, from this instant on.
    alive_from_ms: Option<i64>,
    step_ms: i64,
    sibling: Option<&'a Sibling>,
    previous: Option<Seen>,
    /// The interval of the last value, and its end.
    interval: usize,
    interval_end_ms: i64,
}

impl<'a> Walker<'a> {
    /// A walker for a series of a target. `step_ms` is the distance of the instants asked for.
    pub(super) fn new(
        grid: &Grid,
        step_ms: i64,
        heartbeats: &'a Heartbeats,
        target: &Target,
        sibling: Option<&'a Sibling>,
    ) -> Self {
        let beats = heartbeats.of(target);
        Self {
            grid: *grid,
            beats: beats.map_or(&[], TargetBeats::beats),
            next_beat: 0,
            stale_after_ms: beats.map_or(i64::MAX, TargetBeats::stale_after_ms),
            alive_from_ms: heartbeats
                .shortest_period_ms()
                .filter(|&period_ms| step_ms <= period_ms)
                .and_then(|period_ms| alive_from_ms(grid, period_ms, beats?)),
            step_ms,
            sibling,
            previous: None,
            interval: 0,
            interval_end_ms: grid.boundary_ms(1),
        }
    }

    /// Takes the next value of the counter into account: says what it counts, and notes in the
    /// ledger what it shows of the grid. `fell` says whether it is less than the value before.
    ///
    /// Nothing for a value outside the window, out of order, or too old at its start.
    pub(super) fn visit(&mut self, at_ms: i64, fell: bool, ledger: &mut Ledger) -> Option<Visit> {
        if at_ms < self.grid.start_ms() || at_ms > self.grid.end_ms() {
            return None;
        }
        let beat = self.latest_beat(at_ms);
        let oldest_base_ms = self.grid.start_ms().saturating_sub(self.stale_after_ms);
        let counted = match self.previous {
            Some(previous) if at_ms <= previous.at_ms => return None,
            Some(previous) if fell || self.is_restart(previous, at_ms, beat) => {
                Counted::WholeAfterReset
            }
            Some(_) => Counted::Difference,
            None if beat.is_some_and(|beat| beat.time_ms < oldest_base_ms) => return None,
            None => self.count_first(at_ms, beat),
        };
        self.advance(at_ms, counted, ledger);
        if at_ms > self.grid.start_ms() {
            ledger.note_value(self.interval);
        }
        if at_ms == self.interval_end_ms
            && let Some(beat) = beat
        {
            let oldest_ms = at_ms.saturating_sub(self.stale_after_ms);
            ledger.note_end(self.interval, beat, oldest_ms);
        }
        self.previous = Some(Seen { at_ms, beat });
        Some(Visit {
            interval: self.interval,
            counted,
        })
    }

    /// Goes on to the interval of an instant; the value at the boundary between two intervals
    /// ends the first. The boundaries passed have no value of their own, unless the value before
    /// is at one: a difference spans them.
    fn advance(&mut self, at_ms: i64, counted: Counted, ledger: &mut Ledger) {
        while at_ms > self.interval_end_ms {
            let has_value = self
                .previous
                .is_some_and(|previous| previous.at_ms == self.interval_end_ms);
            if counted == Counted::Difference && !has_value {
                ledger.note_spanned(self.interval);
            }
            self.interval += 1;
            self.interval_end_ms += self.grid.interval_ms();
        }
    }

    /// What the first value of a series inside the window counts.
    fn count_first(&self, at_ms: i64, beat: Option<Beat>) -> Counted {
        let start_ms = self.grid.start_ms();
        if beat
            .and_then(|beat| beat.start_ms)
            .is_some_and(|process| process >= start_ms)
        {
            return Counted::WholeAfterBirth;
        }
        let seen_by_beats = self
            .alive_from_ms
            .is_some_and(|from| from <= at_ms.saturating_sub(self.step_ms));
        let seen_by_sibling = self
            .sibling
            .and_then(|sibling| sibling.first_ms)
            .is_some_and(|first| first < at_ms);
        if at_ms > start_ms && (seen_by_beats || seen_by_sibling) {
            Counted::WholeAsNew
        } else {
            Counted::Nothing
        }
    }

    /// Whether another process answered than at the value before.
    fn is_restart(&self, previous: Seen, at_ms: i64, beat: Option<Beat>) -> bool {
        match (
            previous.beat,
            beat.and_then(|beat| beat.start_ms.map(|start_ms| (beat, start_ms))),
        ) {
            (Some(earlier), Some((later, _))) => later.is_restart_after(&earlier),
            (None, Some((_, start_ms))) => start_ms > previous.at_ms,
            // All counters of a process begin anew together.
            (_, None) => self
                .sibling
                .is_some_and(|sibling| sibling.was_reset_within(previous.at_ms, at_ms)),
        }
    }

    /// The target's latest scrape at or before an instant. Instants must ascend.
    fn latest_beat(&mut self, at_ms: i64) -> Option<Beat> {
        while self
            .beats
            .get(self.next_beat)
            .is_some_and(|beat| beat.time_ms <= at_ms)
        {
            self.next_beat += 1;
        }
        self.next_beat
            .checked_sub(1)
            .and_then(|index| self.beats.get(index).copied())
    }
}

/// The first instant from which a target is known to be seen inside the window: its first scrape
/// there, or the window's start when the scrape before was so recent that none can have failed
/// in between.
///
/// Only to be trusted where the instants are closer than the scrapes: a scrape that failed before
/// the next instant would hide what the one before it brought.
fn alive_from_ms(grid: &Grid, period_ms: i64, target: &TargetBeats) -> Option<i64> {
    let start_ms = grid.start_ms();
    let beats = target.beats();
    let inside = beats.partition_point(|beat| beat.time_ms < start_ms);
    let is_recent = |beat: &Beat| {
        // A twentieth for jitter.
        (start_ms - beat.time_ms).saturating_mul(20) < period_ms.saturating_mul(19)
    };
    let before = inside.checked_sub(1).and_then(|index| beats.get(index));
    if before.is_some_and(is_recent) {
        return Some(start_ms);
    }
    beats.get(inside).map(|beat| beat.time_ms)
}

/// The shortest distance of two instants of the answer: the step that was asked for, when any
/// series has two values in a row.
pub(super) fn step_ms<'a>(grid: &Grid, series: impl Iterator<Item = &'a Series>) -> i64 {
    series
        .flat_map(|one| one.timestamps_ms.windows(2))
        .filter_map(|pair| match pair {
            [earlier, later] if later > earlier => Some(later - earlier),
            _ => None,
        })
        .min()
        .unwrap_or_else(|| grid.interval_ms())
}

/// Whether a sample can be the value of a counter.
pub(super) fn is_countable(value: f64) -> bool {
    value.is_finite() && value >= 0.0
}

/// Which of a population's counters is counted: only one of them tells of resets and births, so
/// that those of a process are not counted once for each of its counters.
#[derive(Debug)]
pub(super) enum Role<'a> {
    /// The counter that stands for its target; what it shows is kept for the others.
    Leading(&'a mut Siblings),
    /// A counter of the same targets.
    Following(&'a Siblings),
}

/// Counts one counter of one population: the sums by interval over all targets.
pub(super) fn count(
    grid: &Grid,
    step_ms: i64,
    series: &[Series],
    heartbeats: &Heartbeats,
    mut role: Role<'_>,
    ledger: &mut Ledger,
) -> Vec<f64> {
    let mut counts = vec![0.0; grid.intervals()];
    for one in series.iter().filter(|one| !one.timestamps_ms.is_empty()) {
        ledger.series += 1;
        let target = Target::of(one);
        let sibling = match &role {
            Role::Leading(_) => None,
            Role::Following(siblings) => siblings.get(&target),
        };
        let mut walker = Walker::new(grid, step_ms, heartbeats, &target, sibling);
        let mut shown = Sibling::default();
        let mut previous = 0.0;
        for (&at_ms, &value) in one.timestamps_ms.iter().zip(&one.values) {
            if !is_countable(value) {
                ledger.rejected += 1;
                continue;
            }
            let Some(visit) = walker.visit(at_ms, value < previous, ledger) else {
                continue;
            };
            let increment = match visit.counted {
                Counted::Nothing => 0.0,
                Counted::Difference => value - previous,
                Counted::WholeAfterReset | Counted::WholeAfterBirth | Counted::WholeAsNew => value,
            };
            if let Some(count) = counts.get_mut(visit.interval) {
                *count += increment;
            }
            if matches!(role, Role::Leading(_)) {
                shown.note(at_ms, visit.counted);
                ledger.resets += usize::from(visit.counted == Counted::WholeAfterReset);
                ledger.births += usize::from(visit.counted == Counted::WholeAfterBirth);
            }
            previous = value;
        }
        if let Role::Leading(siblings) = &mut role {
            siblings.entry(target).or_default().absorb(shown);
        }
    }
    counts
}
