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

use std::borrow::Borrow;

use ndarray::Array2;

use super::counting::pod_life;
use super::cumulative::{Arm, paired, scaled};
use super::heartbeat::Heartbeats;
use super::ledger::Ledger;
use super::life::Life;
use super::pace::Usual;
use super::pod::pod_name;
use super::pod_buckets::PodCounts;
use super::track::{Track, is_countable};
use super::walker::{Counted, Walker};
use super::{Grid, PairedHistogram, Populations, Sampling, Series};

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
pub fn native_histogram<S: Borrow<Series>>(
    grid: &Grid,
    sampling: Sampling,
    columns: Populations<&[S]>,
    heartbeats: Populations<&Heartbeats>,
    scale: f64,
    limits: &[f64],
) -> PairedHistogram {
    let targets = columns.map(|series| Targets::read(series));
    let buckets = targets.control.buckets().chain(targets.canary.buckets());
    let limits: Vec<f64> = limits.iter().map(|limit| limit / scale).collect();
    let bounds = common_bounds(buckets, &limits);
    let count = |targets: &Targets<'_>, heartbeats: &Heartbeats| {
        let all = targets.usable.iter().map(|target| target.count);
        let heartbeats = heartbeats.known_by(sampling, all);
        let mut ledger = Ledger::new(grid, sampling, &heartbeats);
        ledger.series = targets.usable.len();
        ledger.rejected = targets.rejected;
        let mut arm = Arm {
            counts: Array2::zeros((grid.intervals(), bounds.len())),
            pods: PodCounts::default(),
            ledger,
        };
        for target in &targets.usable {
            add(&mut arm, target, &bounds, (grid, sampling), &heartbeats);
        }
        arm
    };
    let arms = Populations {
        control: count(&targets.control, heartbeats.control),
        canary: count(&targets.canary, heartbeats.canary),
    };
    paired(grid, bounds.iter().map(|bound| scaled(*bound, scale)), arms)
}

/// Follows one target over the instants at which its histogram was there. An instant of which one
/// count is no number is left out as a whole.
fn add(
    arm: &mut Arm,
    target: &Target<'_>,
    bounds: &[f64],
    on: (&Grid, Sampling),
    heartbeats: &Heartbeats,
) {
    let beats = heartbeats.of(&heartbeats.target_of(target.count));
    let usual = Usual::of(on.0, heartbeats, beats);
    let (track, _) = Track::of(target.count, 0, on.1, usual, None);
    let tracks = [track];
    let pod = pod_name(target.count);
    if let Some(life) = pod_life(&tracks, beats) {
        arm.ledger.note_life(pod, life);
    }
    let [track] = &tracks;
    let life = Life::of(&tracks, beats, on.1);
    let mut walker = Walker::new(on, heartbeats, &life, 0, track);
    let mut position = Position::new(target, bounds);
    let mut compared: Vec<f64> = Vec::new();
    let mut values = Vec::with_capacity(bounds.len());
    for &at_ms in &target.count.timestamps_ms {
        values.clear();
        position.cumulative(at_ms, &mut values);
        let Some(&all) = values.last() else {
            continue;
        };
        let unusable = values.iter().filter(|value| !is_countable(**value)).count();
        if unusable > 0 {
            arm.ledger.rejected += unusable;
            continue;
        }
        let has_fallen = fell(&values, &compared);
        let Some(visit) = walker.visit(at_ms, all, has_fallen, &mut arm.ledger) else {
            continue;
        };
        arm.ledger.resets += usize::from(visit.counted == Counted::WholeAfterReset);
        arm.ledger.births += usize::from(visit.counted == Counted::WholeAfterBirth);
        let less = match visit.counted {
            Counted::Dip => continue,
            Counted::Nothing => values.as_slice(),
            Counted::Difference => compared.as_slice(),
            Counted::WholeAfterReset | Counted::WholeAfterBirth | Counted::WholeAsNew => &[],
        };
        if visit.interval < arm.counts.nrows() {
            let counts = arm.counts.row_mut(visit.interval);
            let of_pod = arm.pods.of(pod, visit.interval, bounds.len());
            let less = less.iter().chain(std::iter::repeat(&0.0));
            let sums = counts.into_iter().zip(of_pod.iter_mut());
            for (((count, of_pod), value), less) in sums.zip(&values).zip(less) {
                *count += value - less;
                *of_pod += value - less;
            }
        }
        compared.clone_from(&values);
    }
    arm.ledger.note_falls(walker.falls());
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
