//! A quantile against a number.

use super::law::{Law, Tails};
use super::places::{cleared_downwards, cleared_upwards};
use crate::sequential::IntervalCounts;
use crate::series::{ArmCount, Populations};

/// A limit inside a bucket that is this many times as wide is decided at the bounds around it.
const WIDE: f64 = 2.6;
/// The canary's law begins as the control's, worth so many requests beyond the quantile.
const PRIOR: f64 = 5.0;
/// A limit written as 0.3 and a bound of milliseconds scaled to 0.3 differ by an ulp.
const SAME: f64 = 1e-12;

/// Where a quantile is shown to be beyond a number, and where to be within it; nothing where the buckets cannot.
///
/// Source: docs/design/latency.md, "4. Absolute limits".
///
/// ```
/// use serinus_analysis::proof::decided_at;
///
/// let bounds = [0.1, 0.25, 0.5];
/// assert_eq!(decided_at(&bounds, 0.25), (Some(0.25), Some(0.25)));
/// assert_eq!(decided_at(&bounds, 9.0), (None, Some(0.5)));
/// ```
pub fn decided_at(bounds: &[f64], limit: f64) -> (Option<f64>, Option<f64>) {
    let near = bounds
        .iter()
        .find(|bound| (**bound - limit).abs() <= SAME * limit.abs());
    let limit = near.copied().unwrap_or(limit);
    let below = bounds.iter().rev().find(|bound| **bound <= limit).copied();
    let above = bounds.iter().find(|bound| **bound >= limit).copied();
    match (below, above) {
        (Some(below), Some(above)) if below > 0.0 && above <= WIDE * below => (
            Some(cleared_upwards(bounds, limit)),
            Some(cleared_downwards(bounds, limit)),
        ),
        around => (around.1, around.0),
    }
}

/// Everything that both populations did so far: between two bounds each is counted by its own law.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct AbsolutePlaces {
    bounds: Vec<f64>,
    sums: Populations<Tails>,
}

impl AbsolutePlaces {
    /// The rows to come have these finite bounds. What cannot be told at them is forgotten.
    pub fn set_bounds(&mut self, bounds: &[f64]) {
        if self.bounds == bounds {
            return;
        }
        let nothing = || Tails::nothing(bounds.len());
        let before = std::mem::replace(&mut self.bounds, bounds.to_vec());
        let at = |tails: &Tails| tails.at(&before, bounds).unwrap_or_else(nothing);
        self.sums = self.sums.as_ref().map(at);
    }

    /// The canary's and the control's requests of an interval that are slower than a latency. `nothing_is_beyond`
    /// is what is counted where there is no such place: of a violation none, of compliance all.
    pub fn beyond(
        &self,
        rows: &Populations<&Tails>,
        at: Option<f64>,
        slow_share: f64,
        is_none_slower: bool,
    ) -> IntervalCounts {
        let (canary, control) = (rows.canary.all(), rows.control.all());
        let Some(at) = at.filter(|at| *at > 0.0) else {
            // Where no latency would do, neither the canary is ever broken, nor shown to be within.
            let of_canary = if is_none_slower { 0.0 } else { canary };
            return of_both((of_canary, canary), (control, control));
        };
        let of_control = Law::of(&self.sums.control, &self.bounds).place_of(at);
        let mut own = self.sums.canary.clone();
        let known = self.sums.control.all();
        if known > 0.0 {
            own.add_times(&self.sums.control, PRIOR / slow_share / known);
        }
        let of_canary = Law::of(&own, &self.bounds).place_of(at);
        of_both(
            (rows.canary.beyond(of_canary), canary),
            (rows.control.beyond(of_control), control),
        )
    }

    /// Adds an interval.
    pub fn push(&mut self, rows: &Populations<&Tails>) {
        self.sums.control.add(rows.control);
        self.sums.canary.add(rows.canary);
    }

    /// The finite bounds.
    pub fn bounds(&self) -> &[f64] {
        &self.bounds
    }
}

fn of_both(canary: (f64, f64), control: (f64, f64)) -> IntervalCounts {
    let arm = |(events, exposure)| ArmCount { events, exposure };
    IntervalCounts {
        canary: arm(canary),
        control: arm(control),
    }
}
