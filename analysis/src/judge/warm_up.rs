//! The intervals that latency and gauges leave out because the canary's pods are new.

use crate::pipeline::Stage;

use crate::data::StageData;

const MILLISECONDS_PER_MINUTE: f64 = 60_000.0;
/// New pods are slow and busy at first: latency and gauges leave out the intervals with a pod
/// younger than this, or than a tenth of a shorter stage. Source: docs/design/statistics.md, "2.
/// Notation, grid, hygiene", rule 9.
const WARM_UP_MINUTES: f64 = 2.0;
const WARM_UP_SHARE: f64 = 0.1;

/// The part of a window that is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LookedAt<'a> {
    left_out: &'a [bool],
}

impl<'a> LookedAt<'a> {
    /// What touches none of the intervals that are left out.
    pub(crate) fn without(left_out: &'a [bool]) -> Self {
        Self { left_out }
    }

    /// Whether data is looked at that covers `length` grid intervals from `first` on.
    pub(crate) fn keeps(&self, first: usize, length: usize) -> bool {
        let is_left_out =
            |interval: usize| self.left_out.get(interval).copied().unwrap_or_default();
        !(first..first + length).any(is_left_out)
    }
}

fn warm_up_ms(stage: &Stage) -> f64 {
    WARM_UP_MINUTES.min(WARM_UP_SHARE * stage.duration_minutes) * MILLISECONDS_PER_MINUTE
}

/// The length of the warm-up in whole intervals, rounded up.
pub(crate) fn warm_up_intervals(stage: &Stage, data: &StageData) -> usize {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "0 to 120"
    )]
    let intervals = libm::ceil(warm_up_ms(stage) / data.grid.interval_ms() as f64) as usize;
    intervals
}

/// One flag for each interval of the grid: whether latency and gauges leave it out. Where the
/// starts of the canary's processes are not known, the window's first intervals are left out.
pub(crate) fn left_out(stage: &Stage, data: &StageData) -> Vec<bool> {
    let grid = data.grid;
    let intervals = 0..grid.intervals();
    let Some(starts_ms) = &data.canary_starts_ms else {
        let cold = warm_up_intervals(stage, data);
        return intervals.map(|interval| interval < cold).collect();
    };
    let warm_up_ms = warm_up_ms(stage);
    intervals
        .map(|interval| {
            let (from_ms, to_ms) = (grid.boundary_ms(interval), grid.boundary_ms(interval + 1));
            starts_ms
                .iter()
                .any(|start| *start < to_ms && start.saturating_sub(from_ms) as f64 > -warm_up_ms)
        })
        .collect()
}
