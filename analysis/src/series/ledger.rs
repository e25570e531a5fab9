//! What is known of each interval of the grid, and which intervals must be joined.

use super::copies::ScrapeLabel;
use super::heartbeat::{Beat, Heartbeats, TargetBeats};
use super::{DataQuality, Falls, Grid, Lives, PodLife, Populations, Sampling};

/// What one population's samples showed of the grid.
#[derive(Debug, Clone)]
pub(super) struct Ledger {
    grid: Grid,
    /// By interval: whether some increment spans the boundary at its end.
    spanned: Vec<bool>,
    /// By interval: whether some series had a value in it.
    present: Vec<bool>,
    /// By interval: whether some target was scraped in it.
    scraped: Vec<bool>,
    /// By interval: whether some target lived through it without a scrape.
    silent: Vec<bool>,
    /// The last time at which anything was scraped, and the age at which that is overdue.
    last: Option<(i64, i64)>,
    /// How often values fell.
    falls: Falls,
    /// The label that tells copies of a series apart, where there are any.
    pub(super) copied_by: Option<ScrapeLabel>,
    /// Series seen.
    pub(super) series: usize,
    /// Samples left out.
    pub(super) rejected: usize,
    /// Counter resets.
    pub(super) resets: usize,
    /// Targets that counted from zero.
    pub(super) births: usize,
    /// When its pods began.
    pub(super) lives: Lives,
}

impl Ledger {
    /// A ledger that knows what the heartbeats tell. Where all scrapes are known, their end is as well.
    pub(super) fn new(grid: &Grid, sampling: Sampling, heartbeats: &Heartbeats) -> Self {
        let empty = vec![false; grid.intervals()];
        let mut ledger = Self {
            grid: *grid,
            spanned: empty.clone(),
            present: empty.clone(),
            scraped: empty.clone(),
            silent: empty,
            last: None,
            falls: Falls::default(),
            copied_by: None,
            series: 0,
            rejected: 0,
            resets: 0,
            births: 0,
            lives: Lives::new(),
        };
        for target in heartbeats.iter() {
            let mut earlier: Option<&Beat> = None;
            for beat in target.beats() {
                if let Some(interval) = ledger.interval_of(beat.time_ms) {
                    mark(&mut ledger.scraped, interval);
                }
                if let Some(earlier) = earlier {
                    ledger.note_pause(earlier, beat);
                }
                earlier = Some(beat);
            }
        }
        let ends = heartbeats.iter().filter_map(|target: &TargetBeats| {
            let mut beats = target.beats().iter().rev();
            let last = beats.find(|beat| beat.time_ms <= grid.end_ms())?;
            Some((last.time_ms, target.stale_after_ms()))
        });
        ledger.last = match sampling {
            Sampling::Instants { .. } => None,
            Sampling::Scrapes { .. } => ends.max(),
        };
        ledger
    }

    /// Notes when a pod began.
    pub(super) fn note_life(&mut self, pod: &str, life: PodLife) {
        PodLife::note(&mut self.lives, pod, life);
    }

    /// Notes how often the values of a series fell.
    pub(super) fn note_falls(&mut self, of_series: Falls) {
        self.falls = self.falls.and(of_series);
    }

    /// The time from which on nothing was seen that should have been, up to the window's end.
    fn silent_from_ms(&self) -> Option<i64> {
        let (last_ms, overdue_ms) = self.last?;
        Some(last_ms.saturating_add(overdue_ms))
    }

    /// The interval that an instant belongs to: the value at the boundary between two intervals
    /// ends the first. Nothing for the grid's start and for what is outside.
    pub(super) fn interval_of(&self, at_ms: i64) -> Option<usize> {
        if at_ms <= self.grid.start_ms() || at_ms > self.grid.end_ms() {
            return None;
        }
        usize::try_from((at_ms - self.grid.start_ms() - 1) / self.grid.interval_ms()).ok()
    }

    /// Notes that a series has a value in an interval.
    pub(super) fn note_value(&mut self, interval: usize) {
        mark(&mut self.present, interval);
    }

    /// Notes that the value at the end of an interval is one that Prometheus only repeats, which
    /// says nothing about the time since the target's latest scrape. `oldest_ms` is the time
    /// before which that scrape should have been followed by another.
    pub(super) fn note_end(&mut self, interval: usize, latest: Beat, oldest_ms: i64) {
        if latest.time_ms <= self.grid.boundary_ms(interval) {
            mark(&mut self.silent, interval);
        }
        if latest.time_ms < oldest_ms {
            mark(&mut self.spanned, interval);
        }
    }

    /// Notes that an increment spans the end of an interval.
    pub(super) fn note_spanned(&mut self, interval: usize) {
        mark(&mut self.spanned, interval);
    }

    /// Whether the population was seen in an interval.
    pub(super) fn is_alive(&self, interval: usize) -> bool {
        is_marked(&self.present, interval) || is_marked(&self.scraped, interval)
    }

    /// In which intervals the population was seen.
    pub(super) fn seen(&self) -> Vec<bool> {
        (0..self.grid.intervals())
            .map(|interval| self.is_alive(interval))
            .collect()
    }

    /// Whether the population lived through an interval of which nothing is known.
    fn is_missing(&self, interval: usize) -> bool {
        is_marked(&self.silent, interval) && !is_marked(&self.scraped, interval)
    }

    /// Whether the counts of a group and of the interval after it cannot be told apart: an increment
    /// spans its end, or the population lives through its end and was not scraped in any of it.
    fn is_unclean(&self, group: Group) -> bool {
        let last = group.first + group.length - 1;
        let is_scraped = || {
            group
                .intervals()
                .any(|interval| is_marked(&self.scraped, interval))
        };
        is_marked(&self.spanned, last) || is_marked(&self.silent, last) && !is_scraped()
    }

    /// Notes the intervals that a process lived through between two scrapes.
    fn note_pause(&mut self, earlier: &Beat, later: &Beat) {
        if later.is_restart_after(earlier) {
            return;
        }
        let mut interval = match self.interval_of(earlier.time_ms) {
            Some(interval) => interval + 1,
            None if earlier.time_ms <= self.grid.start_ms() => 0,
            None => return,
        };
        while interval < self.silent.len()
            && self.grid.boundary_ms(interval.saturating_add(1)) < later.time_ms
        {
            mark(&mut self.silent, interval);
            interval += 1;
        }
    }
}

/// Some consecutive intervals whose counts belong together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Group {
    /// The first of them.
    pub(super) first: usize,
    /// How many there are.
    pub(super) length: usize,
}

impl Group {
    /// What belongs to its intervals, of what each interval has.
    pub(super) fn of<T>(self, counts: &[T]) -> &[T] {
        counts.get(self.intervals()).unwrap_or_default()
    }

    /// The intervals.
    pub(super) fn intervals(self) -> std::ops::Range<usize> {
        self.first..self.first.saturating_add(self.length)
    }
}

/// Joins the intervals that must be joined, for both populations alike, and tells the quality of
/// the data. `is_plausible` says of a group whether its counts can be: when they cannot, because
/// two counters raced, the group is joined to what follows.
pub(super) fn group(
    grid: &Grid,
    ledgers: Populations<&Ledger>,
    mut is_plausible: impl FnMut(Group) -> bool,
) -> (Vec<Group>, DataQuality) {
    let either = |test: &dyn Fn(&Ledger) -> bool| test(ledgers.control) || test(ledgers.canary);
    let mut quality = DataQuality {
        rejected_samples: ledgers.control.rejected + ledgers.canary.rejected,
        resets: ledgers.control.resets + ledgers.canary.resets,
        births: ledgers.control.births + ledgers.canary.births,
        control_series: ledgers.control.series,
        canary_series: ledgers.canary.series,
        falls: ledgers.map(|ledger| ledger.falls),
        copied_by: ledgers.control.copied_by.or(ledgers.canary.copied_by),
        ..DataQuality::default()
    };
    // Where nobody was seen any more it is not known who has ended: what follows may tell.
    let silent_from_ms = match (
        ledgers.control.silent_from_ms(),
        ledgers.canary.silent_from_ms(),
    ) {
        (Some(control), Some(canary)) => Some(control.max(canary)),
        (control, canary) => control.or(canary),
    };
    let mut groups = Vec::new();
    let mut open: Option<Group> = None;
    for interval in 0..grid.intervals() {
        let is_known = either(&|ledger| ledger.is_alive(interval));
        if !is_known || either(&|ledger| ledger.is_missing(interval)) {
            quality.missing_intervals += 1;
        }
        let is_overdue = (is_known || open.is_some())
            && silent_from_ms.is_some_and(|from_ms| grid.boundary_ms(interval + 1) > from_ms);
        let joined = open.map_or(
            Group {
                first: interval,
                length: 1,
            },
            |group| Group {
                length: group.length + 1,
                ..group
            },
        );
        if is_overdue || either(&|ledger| ledger.is_unclean(joined)) {
            quality.joined_intervals += 1;
            open = Some(joined);
        } else if !is_known && open.is_none() {
            // Nobody was there: no counts, and nothing that could be joined.
        } else if is_plausible(joined) {
            groups.push(joined);
            open = None;
        } else {
            quality.more_events_than_total += 1;
            open = Some(joined);
        }
    }
    quality.held_back_intervals = open.map_or(0, |group| group.length);
    (groups, quality)
}

fn mark(flags: &mut [bool], index: usize) {
    if let Some(flag) = flags.get_mut(index) {
        *flag = true;
    }
}

fn is_marked(flags: &[bool], index: usize) -> bool {
    flags.get(index).copied().unwrap_or(false)
}
