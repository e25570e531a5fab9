//! Cumulative counts at common bounds, counted target by target: what classic and native
//! histograms have in common once their bounds are known.

use ndarray::Array2;

use super::apart::few_lives;
use super::ledger::{Ledger, group};
use super::pod_buckets::PodCounts;
use super::{Grid, PairedHistogram, Populations};

/// One population's cumulative counts: intervals by bounds.
pub(super) struct Arm {
    pub(super) counts: Array2<f64>,
    pub(super) pods: PodCounts,
    pub(super) ledger: Ledger,
}

/// Puts both populations' counts together: joins the intervals that must be joined, and makes the
/// counts of each row ascend. The bounds are those of the arms, in base units.
pub(super) fn paired(
    grid: &Grid,
    bounds: impl Iterator<Item = f64>,
    arms: Populations<Arm>,
) -> PairedHistogram {
    let (groups, mut quality) = group(grid, arms.as_ref().map(|arm| &arm.ledger), |_| true);
    let mut sums = |arm: &Arm| {
        let mut rows = Array2::zeros((groups.len(), arm.counts.ncols()));
        for (group, mut row) in groups.iter().zip(rows.rows_mut()) {
            for interval in group.intervals() {
                row += &arm.counts.row(interval);
            }
            quality.repaired_buckets += make_ascending(row.iter_mut().rev());
        }
        rows
    };
    let control = sums(&arms.control);
    let canary = sums(&arms.canary);
    let (of_control, of_canary) = (arms.control, arms.canary);
    PairedHistogram {
        upper_bounds: bounds.collect(),
        spans: groups
            .iter()
            .map(|group| (group.first, group.length))
            .collect(),
        control,
        canary,
        pods: Populations {
            control: of_control.pods.grouped(&groups),
            canary: of_canary.pods.grouped(&groups),
        },
        lives: Populations {
            control: few_lives(of_control.ledger.lives),
            canary: few_lives(of_canary.ledger.lives),
        },
        quality,
        ..PairedHistogram::default()
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
pub(super) fn scaled(bound: f64, scale: f64) -> f64 {
    let parts = (1.0 / scale).round();
    let is_fraction = parts.is_finite() && parts >= 1.0 && (parts * scale - 1.0).abs() < 1e-12;
    if is_fraction {
        bound / parts
    } else {
        bound * scale
    }
}
