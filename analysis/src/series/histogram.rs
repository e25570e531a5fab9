//! Classic histograms: counts of observations at or below each bound, per target and bucket.

use std::borrow::Borrow;

use ndarray::{Array2, Axis};

use super::bounds::{Counted, common_bounds, counted};
use super::buckets::{Bound, BucketTargets};
use super::counting::{Increment, count};
use super::cumulative::{Arm, paired};
use super::heartbeat::Heartbeats;
use super::ledger::Ledger;
use super::pod_buckets::PodCounts;
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
    let on = (grid, sampling);
    let arms = Populations {
        control: arm(
            (&targets.control, &chosen.control),
            &bounds,
            on,
            heartbeats.control,
        ),
        canary: arm(
            (&targets.canary, &chosen.canary),
            &bounds,
            on,
            heartbeats.canary,
        ),
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

/// Counts one population at some bounds.
fn arm(
    (targets, chosen): (&BucketTargets<'_>, &Counted<'_, '_>),
    bounds: &[Bound],
    on: (&Grid, Sampling),
    heartbeats: &Heartbeats,
) -> Arm {
    let of = || chosen.targets.iter();
    let all = of().flat_map(|target| target.series());
    let heartbeats = heartbeats.known_by(on.1, all);
    let mut ledger = Ledger::new(on.0, on.1, &heartbeats);
    ledger.rejected = targets.rejected;
    let mut pods = PodCounts::default();
    let nothing = Array2::zeros((on.0.intervals(), bounds.len()));
    let mut counts = nothing.clone();
    let up_to = of().flat_map(|target| target.cumulative(bounds));
    count(on, up_to, &heartbeats, &mut ledger, |one| {
        add(&mut counts, one);
        let of_pod = pods.of(one.pod, one.interval, bounds.len());
        if let Some(sum) = of_pod.get_mut(one.column) {
            *sum += one.count;
        }
    });
    let mut ranges = nothing;
    let within = of().flat_map(|target| target.ranges(bounds));
    count(on, within, &heartbeats, &mut ledger, |one| {
        add(&mut ranges, one);
        // What is in a range is at or below all bounds above it.
        let of_pod = pods.of(one.pod, one.interval, bounds.len());
        for sum in of_pod.iter_mut().skip(one.column) {
            *sum += one.count;
        }
    });
    ranges.accumulate_axis_inplace(Axis(1), |before, now| *now += before);
    counts += &ranges;
    ledger.series = targets.series;
    Arm {
        counts,
        pods,
        ledger,
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
