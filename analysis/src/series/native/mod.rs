//! Native histograms: exponential buckets of any resolution, sent only where they are populated.
//!
//! The bounds of schema `s` are `2^(i 2^-s)`, for schemas -4 to 8; those of a lower schema are
//! among those of a higher one. Targets choose their schemas, and lower them while they run. A
//! bound can be counted at exactly when no bucket of any target, at any time, reaches across it:
//! that is what "merged to the lower schema" comes to, and it holds as well for the zero bucket,
//! for thresholds of it that grow, and for buckets with bounds of their own.
//!
//! On the way here each bucket is a column: a [`Series`] of its own, not cumulative, with values
//! only at the instants at which the bucket is populated ([`NativeColumn`]).
//!
//! Source: B. Rabenstein, "Sparse high-resolution histograms in Prometheus", and Prometheus'
//! `model/histogram`, versions 2.40 to 3.

mod bounds;
mod column;
mod target;

use super::cumulative::{Arm, paired};
use super::heartbeat::Heartbeats;
use super::walker::{Walker, step_ms};
use super::{Grid, PairedHistogram, Populations, Series};

use bounds::common_bounds;
use target::{Position, Target, Targets};

pub use column::{NativeColumn, is_native};

/// How far a count may fall, as a part of all counts, without being a reset: sums of counts that
/// are not whole differ in their last digits. Whole counts are exact below 10^12.
const ROUNDING: f64 = 1e-12;

/// Counts native histograms of both populations on the grid.
///
/// The series are the columns of `sum by (instance, pod) (..)`; others are rejected. All buckets
/// of a target begin anew together: when the count between any two bounds falls, its process did.
/// An instant with a count that is no number is as if it had none at all.
///
/// The bounds are those of the lowest schema in use, from the lowest to the highest populated
/// bucket and around each of `limits` (in base units, so that it can be decided), at most 320;
/// beyond that the schema is lowered further. They are multiplied by `scale` into base units.
/// Observations below zero are below all bounds. Those of the zero bucket are at or below its
/// threshold. An observation that is not a number is counted and is beyond all bounds.
///
/// As long as the schema stays, a populated bucket that is new never removes or inserts a bound
/// between others: it only extends the range.
pub fn native_histogram(
    grid: &Grid,
    columns: Populations<&[Series]>,
    heartbeats: Populations<&Heartbeats>,
    scale: f64,
    limits: &[f64],
) -> PairedHistogram {
    let step = step_ms(
        grid,
        [columns.control, columns.canary].into_iter().flatten(),
    );
    let targets = columns.map(Targets::read);
    let buckets = targets.control.buckets().chain(targets.canary.buckets());
    let limits: Vec<f64> = limits.iter().map(|limit| limit / scale).collect();
    let bounds = common_bounds(buckets, &limits);
    let count = |targets: &Targets<'_>, heartbeats: &Heartbeats| {
        let mut arm = Arm::new(grid, bounds.len(), heartbeats);
        arm.ledger.series = targets.usable.len();
        arm.ledger.rejected = targets.rejected;
        for target in &targets.usable {
            let walker = Walker::new(grid, step, heartbeats, &target.scraped, None);
            add(&mut arm, target, &bounds, walker);
        }
        arm
    };
    let control = count(&targets.control, heartbeats.control);
    let canary = count(&targets.canary, heartbeats.canary);
    let arms = Populations {
        control: &control,
        canary: &canary,
    };
    paired(grid, bounds.iter().copied(), scale, arms)
}

fn add(arm: &mut Arm, target: &Target<'_>, bounds: &[f64], walker: Walker<'_>) {
    let mut position = Position::new(target, bounds);
    let read = |at_ms: i64, values: &mut Vec<f64>| position.cumulative(at_ms, values);
    arm.follow(walker, &target.count.timestamps_ms, read, fell);
}

/// Whether the count between any two neighbouring bounds fell.
fn fell(now: &[f64], before: &[f64]) -> bool {
    let most = before.last().copied().unwrap_or(0.0);
    let mut below = 0.0;
    now.iter().zip(before).any(|(value, previous)| {
        let increment = value - previous;
        let between = increment - below;
        below = increment;
        between < -ROUNDING * most
    })
}
