//! Classic histograms: counts of observations at or below each bound, per target and bucket.

use ndarray::Array2;

use super::bounds::{Counted, common_bounds, counted};
use super::buckets::{Bound, BucketTarget, BucketTargets, Column};
use super::cumulative::{Arm, paired, scaled};
use super::heartbeat::Heartbeats;
use super::ranges::Ranges;
use super::walker::{Walker, step_ms};
use super::{
    ArmCount, BucketLayout, Grid, PairedCounts, PairedHistogram, PairedInterval, Populations,
    Series,
};

/// Counts the buckets of a classic histogram of both populations on the grid.
///
/// Each series is one bucket of one target, with the bound in its label `le`, or the range in its
/// label `vmrange`. The buckets of a target are read together: when one is reset, all are, and an
/// instant at which one has no good value is as if it had none at all. The bounds are those that all
/// targets of both populations have all the time, multiplied by `scale` into base units; a target
/// that lacks some and has few of the requests is left out before. A target without the bucket
/// `+Inf` cannot be counted; its samples are rejected. `limits`, in base units, are what buckets that
/// are ranges must have bounds around.
///
/// The counts of an interval ascend with the bounds. Where a racing scrape made them not, the
/// count of the lower bound is lowered, so that the number of all observations stays true.
pub fn histogram(
    grid: &Grid,
    buckets: Populations<&[Series]>,
    heartbeats: Populations<&Heartbeats>,
    scale: f64,
    limits: &[f64],
) -> PairedHistogram {
    let step = step_ms(
        grid,
        [buckets.control, buckets.canary].into_iter().flatten(),
    );
    let targets = buckets.map(BucketTargets::read);
    let chosen = Populations {
        control: counted(&targets.control.usable),
        canary: counted(&targets.canary.usable),
    };
    let limits: Vec<f64> = limits.iter().map(|limit| limit / scale).collect();
    let bounds = common_bounds(&chosen, &limits);
    let count = |targets: &BucketTargets<'_>, chosen: &Counted<'_, '_>, heartbeats: &Heartbeats| {
        let mut arm = Arm::new(grid, bounds.len(), heartbeats);
        arm.ledger.series = targets.series;
        arm.ledger.rejected = targets.rejected;
        for target in &chosen.targets {
            let walker = Walker::new(grid, step, heartbeats, &target.target, None);
            add(&mut arm, target, &bounds, walker);
        }
        arm
    };
    let control = count(&targets.control, &chosen.control, heartbeats.control);
    let canary = count(&targets.canary, &chosen.canary, heartbeats.canary);
    let arms = Populations {
        control: &control,
        canary: &canary,
    };
    let own = |bounds: &[Bound]| bounds.iter().map(|bound| scaled(bound.0, scale)).collect();
    PairedHistogram {
        buckets: BucketLayout {
            is_sparse: chosen.control.has_ranges() || chosen.canary.has_ranges(),
            own_bounds: Populations {
                control: own(&chosen.control.own_bounds),
                canary: own(&chosen.canary.own_bounds),
            },
            other_targets: chosen.map(|counted| counted.others),
        },
        ..paired(grid, bounds.iter().map(|bound| bound.0), scale, arms)
    }
}

fn add(arm: &mut Arm, target: &BucketTarget<'_>, bounds: &[Bound], walker: Walker<'_>) {
    let fell = |now: &[f64], before: &[f64]| {
        now.iter()
            .zip(before)
            .any(|(value, previous)| value < previous)
    };
    if target.has_ranges() {
        let mut ranges = Ranges::new(&target.within, bounds);
        let instants = ranges.timestamps_ms();
        let read = |at_ms: i64, values: &mut Vec<f64>| ranges.cumulative(at_ms, values);
        arm.follow(walker, &instants, read, fell);
        return;
    }
    let mut columns: Vec<_> = bounds
        .iter()
        .filter_map(|bound| target.up_to.get(bound))
        .map(|series| Column::new(series))
        .collect();
    let Some(instants) = columns.last().map(Column::timestamps_ms) else {
        return;
    };
    let read = |at_ms: i64, values: &mut Vec<f64>| {
        values.extend(
            columns
                .iter_mut()
                .map_while(|column| column.value_at(at_ms)),
        );
    };
    arm.follow(walker, &instants, read, fell);
}

impl PairedHistogram {
    /// Returns the observations above a bound as events, against all observations: the share of
    /// requests that took longer. Nothing when the bound is none of [`Self::upper_bounds`].
    pub fn tail(&self, bound: f64) -> Option<PairedCounts> {
        let column = self
            .upper_bounds
            .iter()
            .position(|upper| upper.total_cmp(&bound).is_eq())?;
        let arm = |counts: &Array2<f64>, row: usize| {
            let count = |column: usize| counts.get((row, column)).copied().unwrap_or(0.0);
            let all = count(self.upper_bounds.len().saturating_sub(1));
            ArmCount {
                events: all - count(column),
                exposure: all,
            }
        };
        let intervals = self
            .spans
            .iter()
            .enumerate()
            .map(|(row, &(first, length))| PairedInterval {
                first,
                length,
                control: arm(&self.control, row),
                canary: arm(&self.canary, row),
            })
            .collect();
        Some(PairedCounts {
            intervals,
            quality: self.quality,
        })
    }
}
