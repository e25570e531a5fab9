//! Where both populations are counted in an interval, by what came before it.

use super::law::{Law, Place, Quantile, Tails};
use super::window::Window;
use crate::sequential::IntervalCounts;
use crate::series::{ArmCount, Populations};

/// Requests of the control beyond its quantile from which on it is read.
const LEAST: f64 = 1.0;
/// The canary's law inside a bucket begins as the control's, worth so many requests beyond the quantile.
const PRIOR: f64 = 5.0;
/// Between two bounds a reading must be cleared by this factor, at most to the next bound.
pub(super) const CLEAR: f64 = 1.05;

/// `ratio * control + offset`: a violation, or what a promotion must show, of a quantile.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct QuantileLimit {
    /// The ratio to the control's quantile.
    pub ratio: f64,
    /// What is added, in the unit of the bounds.
    pub offset: f64,
}

impl QuantileLimit {
    fn of(self, quantile: f64) -> f64 {
        self.ratio * quantile + self.offset
    }
}

/// What a promotion must show.
pub type KeptBeyond = QuantileLimit;

/// The latency at which a population is counted, and the counts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ReadAt {
    /// Requests of both populations that are slower, against all.
    pub counts: IntervalCounts,
    /// Where the canary is counted; infinite where nothing can be that slow.
    pub canary_at: f64,
}

/// The laws of both populations before an interval.
#[derive(Debug, Clone, PartialEq)]
pub struct Laws<'a> {
    control: Law<'a>,
    canary: Law<'a>,
    quantile: Quantile,
}

impl<'a> Laws<'a> {
    /// Read from a window; nothing before the control has shown its quantile.
    pub fn of(window: &'a Window, slow_share: f64) -> Option<Self> {
        if window.control_beyond() < LEAST || window.bounds().is_empty() {
            return None;
        }
        let sums = window.sums();
        let control = Law::of(&sums.control, window.bounds());
        let mut canary = sums.canary.clone();
        canary.add_times(&sums.control, PRIOR / slow_share / sums.control.all());
        let quantile = control.quantile(slow_share);
        Some(Self {
            canary: Law::of(&canary, window.bounds()),
            control,
            quantile,
        })
    }

    /// How many requests of the control it takes until it is read, and how many there are.
    pub fn needed(window: &Window, slow_share: f64) -> (f64, f64) {
        (LEAST / slow_share, window.sums().control.all())
    }

    /// The control's quantile.
    pub fn quantile(&self) -> Quantile {
        self.quantile
    }

    /// The control's requests beyond its quantile: `y`.
    pub fn control_beyond(&self, control: &Tails) -> f64 {
        control.beyond(self.quantile.place)
    }

    fn last_bound(&self) -> f64 {
        self.control.bounds().last().copied().unwrap_or(0.0)
    }

    fn first_bound(&self) -> f64 {
        self.control.bounds().first().copied().unwrap_or(0.0)
    }

    /// Counts an interval for a violation: the canary's requests slower than the limit on the quantile, cleared
    /// by 5 %, the control's slower than the quantile.
    pub fn violation(&self, rows: &Populations<&Tails>, limit: QuantileLimit) -> ReadAt {
        let last = self.last_bound();
        // The quantile of a first bucket may be as high as its bound.
        let at = if self.quantile.place.bucket == 0 {
            self.first_bound()
        } else {
            self.quantile.at
        };
        let mut control = self.quantile.place;
        let mut limit_at = limit.of(at);
        if limit_at > last && at <= last && last > limit.offset {
            // The limit lies beyond the last bound: what is beyond that bound is held against its place.
            control = self.control.place_of((last - limit.offset) / limit.ratio);
            limit_at = last;
        }
        let (slow, canary_at) = if limit_at <= last {
            let canary_at = cleared_upwards(self.control.bounds(), limit_at);
            let mut place = self.canary.place_of(canary_at);
            if place.bucket == control.bucket && canary_at >= at {
                // No more of the canary's bucket than of the control's: this makes the promise a theorem.
                place.weight = place.weight.min(control.weight);
            }
            (rows.canary.beyond(place), canary_at)
        } else {
            (0.0, f64::INFINITY)
        };
        ReadAt {
            counts: counted(rows, slow, rows.control.beyond(control)),
            canary_at,
        }
    }

    /// Counts an interval for a promotion: the canary's requests slower than what it must show to keep, the
    /// control's slower than the quantile.
    pub fn compliance(&self, rows: &Populations<&Tails>, kept: KeptBeyond) -> ReadAt {
        let last = self.last_bound();
        // As low as 0; of a quantile beyond the last bound only that it is beyond it is known.
        let at = if self.quantile.place.bucket == 0 {
            0.0
        } else {
            self.quantile.at.min(last)
        };
        let kept_at = kept.of(at);
        let (slow, canary_at) = if kept_at <= 0.0 {
            (rows.canary.all(), 0.0)
        } else if kept_at <= last {
            let canary_at = cleared_downwards(self.control.bounds(), kept_at);
            let place = if canary_at >= self.first_bound() {
                self.canary.place_of(canary_at)
            } else {
                Place {
                    bucket: 0,
                    weight: 1.0,
                }
            };
            (rows.canary.beyond(place), canary_at)
        } else {
            (rows.canary.beyond_all_bounds(), kept_at)
        };
        ReadAt {
            counts: counted(rows, slow, self.control_beyond(rows.control)),
            canary_at,
        }
    }
}

fn counted(rows: &Populations<&Tails>, slow_canary: f64, slow_control: f64) -> IntervalCounts {
    IntervalCounts {
        canary: ArmCount {
            events: slow_canary,
            exposure: rows.canary.all(),
        },
        control: ArmCount {
            events: slow_control,
            exposure: rows.control.all(),
        },
    }
}

/// Where a violation of a limit is read: 5 % beyond it, at most at the next bound.
pub(super) fn cleared_upwards(bounds: &[f64], limit: f64) -> f64 {
    let next = bounds.iter().find(|bound| **bound >= limit);
    next.map_or(CLEAR * limit, |next| next.min(CLEAR * limit))
}

/// Where its being kept is read.
pub(super) fn cleared_downwards(bounds: &[f64], limit: f64) -> f64 {
    let before = bounds.iter().rev().find(|bound| **bound <= limit);
    (limit / CLEAR).max(before.copied().unwrap_or(0.0))
}
