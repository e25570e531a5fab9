//! Follows one counter from value to value and says what each value counts.

use super::heartbeat::{Beat, Heartbeats, TargetBeats};
use super::ledger::Ledger;
use super::life::{Life, Process};
use super::pace::Pace;
use super::track::Track;
use super::{Falls, Grid, Sampling};

/// What falls to more than this share is the same counter: one of two sums that ends takes half.
const MOST_OF: f64 = 0.9;

/// What a value counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Counted {
    /// Nothing: it is what later values are compared with.
    Nothing,
    /// Its difference to the value before.
    Difference,
    /// Nothing, and later values are compared with the one before: it is lower, and its process went on.
    Dip,
    /// All of it, because the counter began anew.
    WholeAfterReset,
    /// All of it, because its process was born inside the window.
    WholeAfterBirth,
    /// All of it, because its target was seen before, without the series.
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

/// What later values are compared with.
#[derive(Debug, Clone, Copy)]
struct Base {
    at_ms: i64,
    beat: Option<Beat>,
    value: f64,
}

/// Follows one counter of a target.
#[derive(Debug)]
pub(super) struct Walker<'a> {
    grid: Grid,
    sampling: Sampling,
    life: &'a Life<'a>,
    /// Which of the target's series it is.
    track: usize,
    /// The scrapes that tell of its start: its own, or those of its target.
    beats: &'a [Beat],
    pace: Pace,
    /// Scrapes before this index are not after the last instant visited.
    next_beat: usize,
    /// The age at which a value is one that Prometheus only repeats.
    stale_after_ms: i64,
    /// The target is known to have been seen, alive, from this instant on, by instants alone.
    alive_from_ms: Option<i64>,
    is_first: bool,
    base: Option<Base>,
    /// The value before, whether or not it was lower.
    before: f64,
    falls: Falls,
    has_moved: bool,
    /// When a value last counted whole.
    anew_ms: Option<i64>,
    /// The interval of the last value, and its end.
    interval: usize,
    interval_end_ms: i64,
}

impl<'a> Walker<'a> {
    /// A walker for one series of a target.
    pub(super) fn new(
        (grid, sampling): (&Grid, Sampling),
        heartbeats: &Heartbeats,
        life: &'a Life<'a>,
        track: usize,
        of: &Track<'a>,
    ) -> Self {
        let pace = of.pace;
        let beats = life.target();
        let stale_after_ms = beats.map_or(i64::MAX, TargetBeats::stale_after_ms);
        let alive_from_ms = match sampling {
            Sampling::Instants { .. } => heartbeats
                .shortest_period_ms()
                .filter(|&period_ms| pace.period_ms <= period_ms)
                .and_then(|period_ms| alive_from_ms(grid, period_ms, beats?)),
            Sampling::Scrapes { .. } => None,
        };
        Self {
            grid: *grid,
            sampling,
            life,
            track,
            beats: of.created.map_or(life.beats(), TargetBeats::beats),
            pace,
            next_beat: 0,
            stale_after_ms,
            alive_from_ms,
            is_first: true,
            base: None,
            before: 0.0,
            falls: Falls::default(),
            has_moved: false,
            anew_ms: None,
            interval: 0,
            interval_end_ms: grid.boundary_ms(1),
        }
    }

    /// Takes the next value of the counter into account: says what it counts, and notes in the
    /// ledger what it shows of the grid. `fell` says whether it is less than what it is compared with.
    ///
    /// Nothing for a value outside the window, out of order, or too old at its start.
    pub(super) fn visit(
        &mut self,
        at_ms: i64,
        value: f64,
        fell: bool,
        ledger: &mut Ledger,
    ) -> Option<Visit> {
        let is_first = std::mem::replace(&mut self.is_first, false);
        let beat = self.latest_beat(at_ms);
        if at_ms > self.grid.end_ms() || self.is_before(at_ms, beat) {
            return None;
        }
        let counted = match self.base {
            Some(base) if at_ms <= base.at_ms => return None,
            Some(base) => self.count_next(base, (at_ms, beat), value, fell),
            None => self.count_first((at_ms, beat), value, is_first),
        };
        self.advance(at_ms, counted, ledger);
        if at_ms > self.grid.start_ms() {
            ledger.note_value(self.interval);
        }
        if matches!(self.sampling, Sampling::Instants { .. })
            && at_ms == self.interval_end_ms
            && let Some(beat) = beat
        {
            let oldest_ms = at_ms.saturating_sub(self.stale_after_ms);
            ledger.note_end(self.interval, beat, oldest_ms);
        }
        let kept = self.base.map_or(value, |base| base.value);
        self.base = Some(Base {
            at_ms,
            beat,
            value: if counted == Counted::Dip { kept } else { value },
        });
        self.before = value;
        if matches!(
            counted,
            Counted::WholeAfterReset | Counted::WholeAfterBirth | Counted::WholeAsNew
        ) {
            self.anew_ms = Some(match self.sampling {
                Sampling::Instants { .. } => beat.map_or(at_ms, |beat| beat.time_ms),
                Sampling::Scrapes { .. } => at_ms,
            });
        }
        Some(Visit {
            interval: self.interval,
            // What was counted up to the window's start was not in it.
            counted: match counted {
                Counted::Dip => counted,
                // A process that starts with the window counts from its first scrape on.
                Counted::WholeAfterBirth if at_ms >= self.grid.start_ms() => counted,
                _ if at_ms > self.grid.start_ms() => counted,
                _ => Counted::Nothing,
            },
        })
    }

    /// Whether a value at an instant is one of before the window: at its start, one that Prometheus
    /// repeats for too long. What was scraped before it may be what the first increment begins with.
    fn is_before(&self, at_ms: i64, beat: Option<Beat>) -> bool {
        let start_ms = self.grid.start_ms();
        let is_stale = |beat: Beat| beat.time_ms < start_ms.saturating_sub(self.stale_after_ms);
        match self.sampling {
            Sampling::Instants { .. } => {
                at_ms < start_ms || self.base.is_none() && beat.is_some_and(is_stale)
            }
            Sampling::Scrapes { .. } => false,
        }
    }

    /// Whether a sample was missed between two, at or before an instant between them: what the later
    /// one counts more belongs to both sides of it.
    fn is_spanned(&self, earlier_ms: i64, instant_ms: i64, later_ms: i64) -> bool {
        self.pace.has_missed(later_ms - earlier_ms) && instant_ms - earlier_ms >= self.pace.due_ms()
    }

    /// How often the values fell; nothing of a series that never moved.
    pub(super) fn falls(&self) -> Falls {
        if self.has_moved {
            self.falls
        } else {
            Falls::default()
        }
    }

    /// What a value counts that follows another.
    ///
    /// Source: docs/design/reading-prometheus.md, "A value that falls".
    fn count_next(
        &mut self,
        base: Base,
        (at_ms, beat): (i64, Option<Beat>),
        value: f64,
        fell: bool,
    ) -> Counted {
        let process = self
            .life
            .between(self.track, (base.at_ms, base.beat), (at_ms, beat));
        if self.came_over_the_start(at_ms) {
            return if self.is_born_inside(beat) {
                Counted::WholeAfterBirth
            } else {
                Counted::Nothing
            };
        }
        if process != Process::BeganAnew {
            self.has_moved |= value.total_cmp(&self.before).is_ne();
            self.falls.steps += 1;
            self.falls.falls += usize::from(value < self.before);
        }
        let started_ms = beat.and_then(|beat| beat.start_ms);
        let is_known = self
            .anew_ms
            .zip(started_ms)
            .is_some_and(|(anew_ms, started_ms)| started_ms <= anew_ms);
        let was_away = || {
            self.pace.has_missed(at_ms - base.at_ms)
                && self
                    .life
                    .was_scraped_between(base.at_ms, at_ms, self.pace.period_ms)
        };
        let can_be_anew = value <= self.pace.most_in(at_ms - base.at_ms);
        let is_anew = || self.pace.is_anew(base.value, value, at_ms - base.at_ms);
        let is_most_gone = value >= 1.0 && value < base.value / 2.0;
        match process {
            // It was told by the values before its start was.
            Process::BeganAnew if !fell && is_known => Counted::Difference,
            Process::BeganAnew | Process::SeemsAnew => Counted::WholeAfterReset,
            _ if !fell => Counted::Difference,
            // An exporter had forgotten it.
            _ if was_away() => Counted::WholeAsNew,
            // Forgotten and there again within a scrape: a dip is no matter of most of the value.
            Process::WentOn if can_be_anew && is_most_gone => Counted::WholeAsNew,
            Process::WentOn => Counted::Dip,
            Process::Unknown if is_anew() => Counted::WholeAfterReset,
            Process::Unknown if can_be_anew || value > MOST_OF * base.value => Counted::Dip,
            Process::Unknown => Counted::Nothing,
        }
    }

    /// Whether a scrape of the target was missed at the window's start, just before an instant: what was
    /// counted before the window cannot be told from what was counted in it.
    fn came_over_the_start(&self, at_ms: i64) -> bool {
        let start_ms = self.grid.start_ms();
        let before_ms = self.life.scraped_before(at_ms);
        before_ms.is_some_and(|before_ms| self.is_spanned(before_ms, start_ms, at_ms))
    }

    /// Whether the process that answered a scrape is known to have started inside the window.
    fn is_born_inside(&self, beat: Option<Beat>) -> bool {
        let started_ms = beat.and_then(|beat| beat.start_ms);
        started_ms.is_some_and(|started_ms| started_ms >= self.grid.start_ms())
    }

    /// Goes on to the interval of an instant; the value at the boundary between two intervals
    /// ends the first. A boundary at which a sample was missed has no value of its own: a difference
    /// spans it.
    fn advance(&mut self, at_ms: i64, counted: Counted, ledger: &mut Ledger) {
        while at_ms > self.interval_end_ms {
            let end_ms = self.interval_end_ms;
            let is_spanned = self
                .base
                .is_some_and(|base| self.is_spanned(base.at_ms, end_ms, at_ms));
            if matches!(counted, Counted::Difference | Counted::Dip) && is_spanned {
                ledger.note_spanned(self.interval);
            }
            self.interval += 1;
            self.interval_end_ms += self.grid.interval_ms();
        }
    }

    /// What the first value of a series counts.
    fn count_first(
        &self,
        (at_ms, beat): (i64, Option<Beat>),
        value: f64,
        is_first: bool,
    ) -> Counted {
        let start_ms = self.grid.start_ms();
        if self.is_born_inside(beat) {
            return Counted::WholeAfterBirth;
        }
        let is_new = match self.sampling {
            Sampling::Instants { .. } => {
                let by_instants = self
                    .alive_from_ms
                    .is_some_and(|from| from <= at_ms.saturating_sub(self.pace.period_ms));
                (by_instants || self.life.was_seen_without(at_ms))
                    && self.life.can_have_counted(at_ms, value)
            }
            Sampling::Scrapes { from_ms } => self.life.is_new(at_ms, value, &self.pace, from_ms),
        };
        if at_ms > start_ms && is_first && is_new && !self.came_over_the_start(at_ms) {
            Counted::WholeAsNew
        } else {
            Counted::Nothing
        }
    }

    /// The target's latest scrape at or before an instant. Instants must ascend.
    fn latest_beat(&mut self, at_ms: i64) -> Option<Beat> {
        let beats = self.beats;
        while beats
            .get(self.next_beat)
            .is_some_and(|beat| beat.time_ms <= at_ms)
        {
            self.next_beat += 1;
        }
        self.next_beat
            .checked_sub(1)
            .and_then(|index| beats.get(index).copied())
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
