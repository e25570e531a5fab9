//! Classic histograms: counts of observations at or below each bound, per target and bucket.

use ndarray::Array2;

use super::buckets::{Bound, BucketTarget, BucketTargets, Column, common_bounds};
use super::heartbeat::Heartbeats;
use super::ledger::{Ledger, group};
use super::walker::{Counted, Walker, is_countable, step_ms};
use super::{ArmCount, Grid, PairedCounts, PairedHistogram, PairedInterval, Populations, Series};

/// Counts the buckets of a classic histogram of both populations on the grid.
///
/// Each series is one bucket of one target (`sum by (instance, pod, le) (.._bucket)`), with the
/// bound in its label `le`. The buckets of a target are read together: when one is reset, all
/// are, and an instant at which one has no good value is as if it had none at all. The bounds are
/// those that all targets of both populations have all the time, multiplied by `scale` into base
/// units. A target without the bucket `+Inf` cannot be counted; its samples are rejected.
///
/// The counts of an interval ascend with the bounds. Where a racing scrape made them not, the
/// count of the lower bound is lowered, so that the number of all observations stays true.
pub fn histogram(
    grid: &Grid,
    buckets: Populations<&[Series]>,
    heartbeats: Populations<&Heartbeats>,
    scale: f64,
) -> PairedHistogram {
    let step = step_ms(
        grid,
        [buckets.control, buckets.canary].into_iter().flatten(),
    );
    let targets = buckets.map(BucketTargets::read);
    let bounds = common_bounds(targets.control.usable.iter().chain(&targets.canary.usable));
    let control = Arm::count(grid, step, &targets.control, &bounds, heartbeats.control);
    let canary = Arm::count(grid, step, &targets.canary, &bounds, heartbeats.canary);
    let ledgers = Populations {
        control: &control.ledger,
        canary: &canary.ledger,
    };
    let (groups, mut quality) = group(grid, ledgers, |_| true);
    let mut sums = |arm: &Arm| {
        let mut rows = Array2::zeros((groups.len(), bounds.len()));
        for (group, mut row) in groups.iter().zip(rows.rows_mut()) {
            for interval in group.intervals() {
                row += &arm.counts.row(interval);
            }
            quality.repaired_buckets += make_ascending(row.iter_mut().rev());
        }
        rows
    };
    let control_rows = sums(&control);
    let canary_rows = sums(&canary);
    PairedHistogram {
        upper_bounds: bounds.iter().map(|bound| scaled(bound.0, scale)).collect(),
        spans: groups
            .iter()
            .map(|group| (group.first, group.length))
            .collect(),
        control: control_rows,
        canary: canary_rows,
        quality,
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
            intervals,
            quality: self.quality,
        })
    }
}

/// One population's bucket counts: intervals by bounds.
struct Arm {
    counts: Array2<f64>,
    ledger: Ledger,
}

impl Arm {
    fn count(
        grid: &Grid,
        step: i64,
        targets: &BucketTargets<'_>,
        bounds: &[Bound],
        heartbeats: &Heartbeats,
    ) -> Self {
        let mut arm = Self {
            counts: Array2::zeros((grid.intervals(), bounds.len())),
            ledger: Ledger::new(grid, heartbeats),
        };
        arm.ledger.series = targets.series;
        arm.ledger.rejected = targets.rejected;
        for target in &targets.usable {
            let walker = Walker::new(grid, step, heartbeats, &target.target, None);
            arm.add(target, bounds, walker);
        }
        arm
    }

    fn add(&mut self, target: &BucketTarget<'_>, bounds: &[Bound], mut walker: Walker<'_>) {
        let mut columns: Vec<_> = bounds
            .iter()
            .filter_map(|bound| target.buckets.get(bound))
            .map(|series| Column::new(series))
            .collect();
        let Some(instants) = columns.last().map(Column::timestamps_ms) else {
            return;
        };
        let mut previous: Vec<f64> = Vec::new();
        let mut values = Vec::with_capacity(bounds.len());
        for at_ms in instants {
            values.clear();
            values.extend(
                columns
                    .iter_mut()
                    .map_while(|column| column.value_at(at_ms)),
            );
            if values.len() < bounds.len() {
                continue;
            }
            let unusable = values.iter().filter(|value| !is_countable(**value)).count();
            if unusable > 0 {
                self.ledger.rejected += unusable;
                continue;
            }
            let fell = values
                .iter()
                .zip(&previous)
                .any(|(now, before)| now < before);
            let Some(visit) = walker.visit(at_ms, fell, &mut self.ledger) else {
                continue;
            };
            self.ledger.resets += usize::from(visit.counted == Counted::WholeAfterReset);
            self.ledger.births += usize::from(visit.counted == Counted::WholeAfterBirth);
            match visit.counted {
                Counted::Nothing => {}
                Counted::Difference => {
                    let increments = values
                        .iter()
                        .zip(&previous)
                        .map(|(now, before)| now - before);
                    self.increase(visit.interval, increments);
                }
                Counted::WholeAfterReset | Counted::WholeAfterBirth | Counted::WholeAsNew => {
                    self.increase(visit.interval, values.iter().copied());
                }
            }
            previous.clone_from(&values);
        }
    }

    fn increase(&mut self, interval: usize, increments: impl Iterator<Item = f64>) {
        if interval < self.counts.nrows() {
            for (count, increment) in self.counts.row_mut(interval).iter_mut().zip(increments) {
                *count += increment;
            }
        }
    }
}

/// Lowers each count to at most the one before it; says how many were lowered.
fn make_ascending<'a>(counts_from_last: impl Iterator<Item = &'a mut f64>) -> usize {
    let mut most = f64::INFINITY;
    let mut lowered = 0;
    for count in counts_from_last {
        if *count > most {
            *count = most;
            lowered += 1;
        }
        most = *count;
    }
    lowered
}

/// A bound in base units. A scale of 0.001 is taken as a division by 1000, so that 35 ms become
/// the float nearest to 0.035, as it is written in a limit.
fn scaled(bound: f64, scale: f64) -> f64 {
    let parts = (1.0 / scale).round();
    let is_fraction = parts.is_finite() && parts >= 1.0 && (parts * scale - 1.0).abs() < 1e-12;
    if is_fraction {
        bound / parts
    } else {
        bound * scale
    }
}
