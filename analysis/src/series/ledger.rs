//! What is known of each interval of the grid, and which intervals must be joined.

use super::heartbeat::{Beat, Heartbeats};
use super::{DataQuality, Grid, Populations};

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
    /// Series seen.
    pub(super) series: usize,
    /// Samples left out.
    pub(super) rejected: usize,
    /// Counter resets.
    pub(super) resets: usize,
    /// Targets that counted from zero.
    pub(super) births: usize,
}

impl Ledger {
    /// A ledger that knows what the heartbeats tell.
    pub(super) fn new(grid: &Grid, heartbeats: &Heartbeats) -> Self {
        let empty = vec![false; grid.intervals()];
        let mut ledger = Self {
            grid: *grid,
            spanned: empty.clone(),
            present: empty.clone(),
            scraped: empty.clone(),
            silent: empty,
            series: 0,
            rejected: 0,
            resets: 0,
            births: 0,
        };
        for target in heartbeats.iter() {
            let mut earlier: Option<&Beat> = None;
            for beat in target.beats() {
                if let Some(interval) = ledger.interval_of(beat.time_ms) {
                    mark(&mut ledger.scraped, interval);
                }
                if let Some(earlier) = earlier {
                    ledger.note_pause(earlier, beat, target.stale_after_ms());
                }
                earlier = Some(beat);
            }
        }
        ledger
    }

    /// The interval that an instant belongs to: the value at the boundary between two intervals
    /// ends the first. Nothing for the grid's start and for what is outside.
    pub(super) fn interval_of(&self, at_ms: i64) -> Option<usize> {
        if at_ms <= self.grid.start_ms() || at_ms > self.grid.end_ms() {
            return None;
        }
        usize::try_from((at_ms - self.grid.start_ms() - 1) / self.grid.interval_ms()).ok()
    }

    /// Notes that a series has a value at an instant. `latest` is the target's scrape that the
    /// value came from, where it is known.
    pub(super) fn note_value(&mut self, at_ms: i64, latest: Option<Beat>) {
        let Some(interval) = self.interval_of(at_ms) else {
            return;
        };
        mark(&mut self.present, interval);
        let ends_interval = at_ms == self.grid.boundary_ms(interval.saturating_add(1));
        if ends_interval && latest.is_some_and(|beat| beat.time_ms <= self.start_of(interval)) {
            // The whole interval shows a value from before it: Prometheus repeats the last one.
            mark(&mut self.silent, interval);
        }
    }

    /// Notes that an increment leads from a value at one instant to the next value at another:
    /// the boundaries between the two have no value of their own.
    pub(super) fn note_increment(&mut self, from_ms: i64, to_ms: i64) {
        let first = self.boundary_after(from_ms);
        let mut interval = first;
        // The boundary at the end of `interval` must lie before the later instant.
        while interval < self.spanned.len()
            && self.grid.boundary_ms(interval.saturating_add(1)) < to_ms
        {
            mark(&mut self.spanned, interval);
            interval += 1;
        }
    }

    /// Whether the population was seen in an interval.
    pub(super) fn is_alive(&self, interval: usize) -> bool {
        is_marked(&self.present, interval) || is_marked(&self.scraped, interval)
    }

    /// Whether the population lived through an interval of which nothing is known.
    fn is_missing(&self, interval: usize) -> bool {
        is_marked(&self.silent, interval) && !is_marked(&self.scraped, interval)
    }

    /// Whether the counts of an interval and of the next cannot be told apart.
    fn is_unclean(&self, interval: usize) -> bool {
        is_marked(&self.spanned, interval) || self.is_missing(interval)
    }

    /// Notes what the time between two scrapes of a target hides.
    fn note_pause(&mut self, earlier: &Beat, later: &Beat, stale_after_ms: i64) {
        if later.is_restart_after(earlier) {
            return;
        }
        // A boundary so long after a scrape shows a value that should have been replaced.
        if later.time_ms - earlier.time_ms > stale_after_ms {
            let stale_from_ms = earlier.time_ms.saturating_add(stale_after_ms);
            self.note_increment(stale_from_ms, later.time_ms);
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

    /// The first interval whose end is after an instant; 0 for an instant before the grid.
    fn boundary_after(&self, at_ms: i64) -> usize {
        let since_start = at_ms.saturating_sub(self.grid.start_ms());
        usize::try_from(since_start.div_euclid(self.grid.interval_ms())).unwrap_or(0)
    }

    fn start_of(&self, interval: usize) -> i64 {
        self.grid.boundary_ms(interval)
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
    /// The sum over the group's intervals.
    pub(super) fn sum(self, counts: &[f64]) -> f64 {
        counts.iter().skip(self.first).take(self.length).sum()
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
        ..DataQuality::default()
    };
    let mut groups = Vec::new();
    let mut open: Option<Group> = None;
    for interval in 0..grid.intervals() {
        let is_known = either(&|ledger| ledger.is_alive(interval));
        if !is_known || either(&|ledger| ledger.is_missing(interval)) {
            quality.missing_intervals += 1;
        }
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
        if either(&|ledger| ledger.is_unclean(interval)) {
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
