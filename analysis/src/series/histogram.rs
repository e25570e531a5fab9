//! Classic histograms: counts of observations at or below each bound, per target and bucket.

use std::borrow::Borrow;

use ndarray::Array2;

use super::buckets::{BucketTarget, BucketTargets, common_bounds};
use super::counting::count;
use super::cumulative::{Arm, paired};
use super::heartbeat::Heartbeats;
use super::ledger::Ledger;
use super::{
    ArmCount, Grid, PairedCounts, PairedHistogram, PairedInterval, Populations, Sampling, Series,
};

/// Counts the buckets of a classic histogram of both populations on the grid.
///
/// Each series is one bucket, with the bound in its label `le`, and is followed as any counter of its
/// target. The bounds are
/// those that all targets of both populations have all the time, multiplied by `scale` into base
/// units. A target without the bucket `+Inf` cannot be counted; its samples are rejected.
///
/// The counts of an interval ascend with the bounds. Where a racing scrape made them not, the
/// count of the lower bound is lowered, so that the number of all observations stays true.
pub fn histogram<S: Borrow<Series>>(
    grid: &Grid,
    sampling: Sampling,
    buckets: Populations<&[S]>,
    heartbeats: Populations<&Heartbeats>,
    scale: f64,
) -> PairedHistogram {
    let targets = buckets.map(|series| BucketTargets::read(series));
    let bounds = common_bounds(targets.control.usable.iter().chain(&targets.canary.usable));
    let count = |targets: &BucketTargets<'_>, heartbeats: &Heartbeats| {
        let all = || targets.usable.iter().flat_map(BucketTarget::series);
        let heartbeats = heartbeats.known_by(sampling, all());
        let mut ledger = Ledger::new(grid, sampling, &heartbeats);
        ledger.rejected = targets.rejected;
        let counters = targets
            .usable
            .iter()
            .flat_map(|target| target.counters(&bounds));
        let on = (grid, sampling);
        let counts = count(on, counters, bounds.len(), &heartbeats, &mut ledger);
        ledger.series = targets.series;
        Arm { counts, ledger }
    };
    let control = count(&targets.control, heartbeats.control);
    let canary = count(&targets.canary, heartbeats.canary);
    let arms = Populations {
        control: &control,
        canary: &canary,
    };
    paired(grid, bounds.iter().map(|bound| bound.0), scale, arms)
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
