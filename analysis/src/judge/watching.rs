//! A stage that is watched, and no longer judged: nobody looks away from its traffic while the
//! caller has not gone on. Source: docs/design/gate.md, "Between stages" and "Old stages".

use super::age::position;
use super::decide::{Decision, rollback};
use super::evaluated::Situation;
use super::kill_switch::KillSwitch;
use super::model::{CheckReport, ReasonCode, Verdict};
use crate::pipeline::{MOST_INTERVALS, Pipeline, Stage};
use crate::text;

/// Of a stage that has passed: its kill switches and the proof of its checks still roll back.
///
/// A test that is valid for one look had it when the stage passed: looked at again at every
/// interval it would roll back good releases without a bound.
pub(super) fn after_passing(checks: &[CheckReport], switches: &[KillSwitch]) -> Decision {
    let go_on = |report: &&CheckReport| report.method.is_valid_at_any_time();
    let still_asked: Vec<CheckReport> = checks.iter().filter(go_on).cloned().collect();
    rollback(&still_asked, switches).unwrap_or_else(|| Decision {
        verdict: Verdict::Promote,
        code: ReasonCode::Passed,
        reason: "nothing was found wrong since the stage has passed".to_owned(),
        may_end_by_clock: false,
    })
}

/// How far a stage is of which only the newest part is looked at.
pub(super) fn progress(pipeline: &Pipeline, stage: &Stage) -> String {
    format!("{}, older than is judged", position(pipeline, stage))
}

/// Of a stage with more intervals than are kept: only its kill switches are looked at.
pub(super) fn too_old(situation: Situation<'_>, switches: &[KillSwitch]) -> Decision {
    rollback(&[], switches).unwrap_or_else(|| {
        let interval_minutes = situation.data.grid.interval_ms() as f64 / 60_000.0;
        let reason = format!(
            "the stage is older than {}: its checks are judged no more, its kill switches are; \
             decide it by an override, or cancel it and begin again",
            text::minutes(MOST_INTERVALS as f64 * interval_minutes)
        );
        Decision::hold(ReasonCode::StageTooOld, reason)
    })
}
