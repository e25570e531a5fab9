//! How fast a series is sampled and counts: what a step of it can be at most.

use super::Grid;
use super::heartbeat::{Heartbeats, TargetBeats};

/// How many times the largest increment of a step a process that began anew may have counted in one.
const LARGEST_TIMES: f64 = 3.0;

/// What any process may have counted since it began anew.
const ALWAYS_POSSIBLE: f64 = 10.0;

/// The longest time between two scrapes that two samples alone are believed; more than one and a half intervals
/// of the grid are as well believed to be a pause. A source repeats a value for five minutes, so targets are
/// scraped each two minutes at least.
const LONGEST_OF_TWO_MS: i64 = 120_000;

/// What is known of the pace of a series beside its own samples.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Usual {
    /// The time between two scrapes of its target, or of others.
    pub(super) period_ms: Option<i64>,
    /// The length of the grid's intervals, where there is a grid.
    pub(super) interval_ms: Option<i64>,
}

impl Usual {
    /// Of the series of a target, on a grid.
    pub(super) fn of(grid: &Grid, heartbeats: &Heartbeats, beats: Option<&TargetBeats>) -> Self {
        let period_ms = beats.and_then(TargetBeats::period_ms);
        Self {
            period_ms: period_ms.or_else(|| heartbeats.scrape_period_ms()),
            interval_ms: Some(grid.interval_ms()),
        }
    }

    /// The time between two samples of a series that has two, where they are as far apart as that.
    fn of_two(self, apart_ms: i64) -> i64 {
        let Some(interval_ms) = self.interval_ms else {
            return apart_ms;
        };
        let longest_ms = LONGEST_OF_TWO_MS.max(interval_ms + interval_ms / 2);
        if apart_ms <= longest_ms {
            return apart_ms;
        }
        // They are the last one before a pause and the first one after it.
        let others_ms = self.period_ms.filter(|period_ms| *period_ms <= longest_ms);
        others_ms.unwrap_or(interval_ms)
    }
}

/// The pace of one series, as all of its samples that were read show it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Pace {
    /// The time between two samples of which none was missed: the lower quarter of all, because what
    /// was missed lengthens them.
    pub(super) period_ms: i64,
    /// Whether the samples themselves tell it.
    pub(super) is_known: bool,
    /// The largest increment of a usual step.
    largest: f64,
}

impl Pace {
    /// The pace of some samples, given the time between two of them where that is known;
    /// what is usual is for a series with one or two.
    pub(super) fn of(
        times_ms: &[i64],
        values: &[f64],
        known_ms: Option<i64>,
        usual: Usual,
    ) -> Self {
        let of_samples = || match times_ms {
            [_, _] => lower_quarter(times_ms).map(|apart_ms| usual.of_two(apart_ms)),
            _ => lower_quarter(times_ms),
        };
        let known_ms = known_ms.or_else(of_samples);
        let mut pace = Self {
            is_known: known_ms.is_some(),
            period_ms: known_ms.or(usual.period_ms).unwrap_or(i64::MAX / 4).max(1),
            largest: 0.0,
        };
        for (times, values) in times_ms.windows(2).zip(values.windows(2)) {
            if let ([earlier_ms, later_ms], [before, now]) = (times, values) {
                let rise = (now - before) / pace.steps(later_ms - earlier_ms);
                pace.largest = pace.largest.max(rise);
            }
        }
        pace
    }

    /// The usual steps in a time, at least one.
    fn steps(&self, time_ms: i64) -> f64 {
        (time_ms as f64 / self.period_ms as f64).round().max(1.0)
    }

    /// The most that the series can have counted in a time, from zero.
    ///
    /// Source: docs/design/reading-prometheus.md, "A value that falls".
    pub(super) fn most_in(&self, time_ms: i64) -> f64 {
        (LARGEST_TIMES * self.largest * self.steps(time_ms)).max(ALWAYS_POSSIBLE)
    }

    /// Whether a value that fell can be that of a counter that began anew: it can have been counted in the
    /// time, and is less than half of the one before, or that one can have been counted in the time as
    /// well. A dip is one or a few, never most of a value. `now` is not less where only a part of what is
    /// counted fell.
    pub(super) fn is_anew(&self, before: f64, now: f64, time_ms: i64) -> bool {
        let most = LARGEST_TIMES * self.largest * self.steps(time_ms);
        let was_young = before > ALWAYS_POSSIBLE && before <= most;
        let is_lost = now < before / 2.0 && before - now > 1.0;
        now <= self.most_in(time_ms) && (is_lost || was_young || now >= before)
    }

    /// Whether a sample was missed between two that are so far apart.
    pub(super) fn has_missed(&self, time_ms: i64) -> bool {
        time_ms > self.overdue_ms()
    }

    /// The time after a sample by which the next one is overdue: half a period late.
    pub(super) fn overdue_ms(&self) -> i64 {
        self.period_ms.saturating_add(self.period_ms / 2)
    }

    /// The time after a sample at which the next one is due, a twentieth early for jitter.
    pub(super) fn due_ms(&self) -> i64 {
        self.period_ms.saturating_sub(self.period_ms / 20)
    }
}

/// The lower quarter of the distances of some times.
fn lower_quarter(times_ms: &[i64]) -> Option<i64> {
    let mut spacings: Vec<i64> = times_ms
        .windows(2)
        .filter_map(|pair| match pair {
            [earlier, later] if later > earlier => Some(later - earlier),
            _ => None,
        })
        .collect();
    let quarter = spacings.len().saturating_sub(1) / 4;
    (!spacings.is_empty()).then(|| *spacings.select_nth_unstable(quarter).1)
}
