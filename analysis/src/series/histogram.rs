//! Classic histograms: counts of observations at or below each bound, per target and bucket.

use std::borrow::Borrow;

use ndarray::{Array2, Axis};

use super::bounds::{Counted, common_bounds, counted};
use super::buckets::{Bound, BucketTargets};
use super::counting::{Counter, Increment, count};
use super::cumulative::{Arm, paired};
use super::heartbeat::Heartbeats;
use super::ledger::Ledger;
use super::{
    ArmCount, BucketLayout, Grid, Members, PairedCounts, PairedHistogram, PairedInterval,
    Populations, Sampling, Series,
};

/// Counts the buckets of a classic histogram of both populations on the grid.
///
/// Each series is one bucket of one target, with the bound in its label `le`, or the range in its
/// label `vmrange`, and is followed as any counter of its target. The bounds are those that all
/// targets of both populations have all the time, multiplied by the `scale` of their population into base
/// units; a target
/// that lacks some and has few of the requests is left out before. A target without the bucket
/// `+Inf` cannot be counted; its samples are rejected. `limits`, in base units, are what buckets that
/// are ranges must have bounds around.
///
/// The counts of an interval ascend with the bounds. Where a racing scrape made them not, the
/// count of the lower bound is lowered, so that the number of all observations stays true.
pub fn histogram<S: Borrow<Series>>(
    grid: &Grid,
    sampling: Sampling,
    buckets: Populations<&[S]>,
    heartbeats: Populations<&Heartbeats>,
    scale: Populations<f64>,
    limits: &[f64],
) -> PairedHistogram {
    let targets = Populations {
        control: BucketTargets::read(buckets.control, scale.control),
        canary: BucketTargets::read(buckets.canary, scale.canary),
    };
    let chosen = Populations {
        control: counted(&targets.control.usable),
        canary: counted(&targets.canary.usable),
    };
    let bounds = common_bounds(&chosen, limits);
    let count = |targets: &BucketTargets<'_>, chosen: &Counted<'_, '_>, heartbeats: &Heartbeats| {
        let of = || chosen.targets.iter();
        let all = of().flat_map(|target| target.series());
        let heartbeats = heartbeats.known_by(sampling, all);
        let mut ledger = Ledger::new(grid, sampling, &heartbeats);
        ledger.rejected = targets.rejected;
        let mut count = |counters: Vec<Counter<'_>>| {
            let on = (grid, sampling);
            let mut counts = Array2::zeros((grid.intervals(), bounds.len()));
            count(on, counters, &heartbeats, &mut ledger, |one| {
                add(&mut counts, one);
            });
            counts
        };
        let up_to = of().flat_map(|target| target.cumulative(&bounds));
        let mut counts = count(up_to.collect());
        let within = of().flat_map(|target| target.ranges(&bounds));
        let mut ranges = count(within.collect());
        ranges.accumulate_axis_inplace(Axis(1), |before, now| *now += before);
        counts += &ranges;
        ledger.series = targets.series;
        Arm { counts, ledger }
    };
    let control = count(&targets.control, &chosen.control, heartbeats.control);
    let canary = count(&targets.canary, &chosen.canary, heartbeats.canary);
    let arms = Populations {
        control: &control,
        canary: &canary,
    };
    let own = |bounds: &[Bound]| bounds.iter().map(|bound| bound.0).collect();
    PairedHistogram {
        buckets: BucketLayout {
            is_sparse: chosen.control.has_ranges() || chosen.canary.has_ranges(),
            own_bounds: Populations {
                control: own(&chosen.control.own_bounds),
                canary: own(&chosen.canary.own_bounds),
            },
            other_targets: chosen.map(|counted| counted.others),
        },
        ..paired(grid, bounds.iter().map(|bound| bound.0), arms)
    }
}

/// Adds what was counted to the sums of intervals by bounds.
fn add(counts: &mut Array2<f64>, one: Increment<'_>) {
    if let Some(sum) = counts.get_mut((one.interval, one.column)) {
        *sum += one.count;
    }
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
            beyond_total: Populations::default(),
            members: Members::default(),
            lives: Populations::default(),
            seen: Populations::default(),
            intervals,
            pods: Populations::default(),
            strata: Populations::default(),
            quality: self.quality,
        })
    }
}
