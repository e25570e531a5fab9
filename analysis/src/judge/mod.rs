//! Checks to a stage's verdict, with reasons.

mod model;

use crate::pipeline::{Pipeline, Stage};
pub use model::*;

/// Judges one stage from its data.
pub fn judge(_pipeline: &Pipeline, _stage: &Stage, data: &StageData) -> StageVerdict {
    StageVerdict {
        verdict: Verdict::Hold,
        reason_code: ReasonCode::NoData,
        reason: String::new(),
        progress: String::new(),
        rollback_to_percent: 0.0,
        intervals: data.grid.intervals(),
        missing_intervals: 0,
        checks: Vec::new(),
        warnings: Vec::new(),
    }
}
