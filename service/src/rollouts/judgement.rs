//! One judgement of a stage of a rollout.

use serinus_analysis::data::Purpose;
use serinus_openapi::analysis::{AnalysisAnswer, ReasonCode, Verdict};

use super::document::{StageId, StageRecord};
use crate::time::UnixMillis;

/// The name under which the judge's decisions stand in the trail.
pub(crate) const JUDGE: &str = "judge";

/// One judgement of a rollout's stage.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Judgement {
    /// The stage judged.
    pub stage: StageId,
    /// When that began.
    pub started: UnixMillis,
    /// What for.
    pub purpose: Purpose,
    /// The true verdict, also of a pipeline that does not act.
    pub verdict: Verdict,
    /// Why, as a token.
    pub reason_code: ReasonCode,
    /// Why, in one sentence.
    pub reason: String,
    /// How far the stage is.
    pub progress: String,
    /// End of the last interval judged.
    pub end_ms: UnixMillis,
    /// When it was made.
    pub made_ms: UnixMillis,
    /// The evidence, where any data could be asked for.
    pub answer: Option<Box<AnalysisAnswer>>,
}

impl Judgement {
    /// Whether it is about a stage as it has begun: not about one that was left, nor about the time
    /// before it began again.
    pub(super) fn is_of(&self, record: &StageRecord) -> bool {
        self.stage == *record.stage() && self.started == record.started()
    }
}
