//! The intervals that latency and gauges leave out because the canary's pods are new.

use crate::pipeline::Stage;

use crate::data::StageData;

const MILLISECONDS_PER_MINUTE: f64 = 60_000.0;
/// New pods are slow and busy at first: latency and gauges leave out the intervals with a pod
/// younger than this, or than a tenth of a shorter stage. Source: docs/design/statistics.md, "2.
/// Notation, grid, hygiene", rule 9.
const WARM_UP_MINUTES: f64 = 2.0;
const WARM_UP_SHARE: f64 = 0.1;

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
