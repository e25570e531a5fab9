//! What is written into a rollout's trail.

use serde::{Deserialize, Serialize};
use serinus_openapi::Word;
use serinus_openapi::analysis::{AnalysisAnswer, ReasonCode, Verdict};
use serinus_openapi::rollout::EventKind;

use super::document::StageId;

/// An entry of the trail, as the store keeps it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct TrailEntry {
    /// What happened.
    pub kind: Word<EventKind>,
    /// The stage it happened in.
    pub stage: StageId,
    /// Who or what caused it.
    pub caused_by: String,
    /// The verdict, where one was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verdict: Option<Verdict>,
    /// `false` where the verdict changes nothing; left out where it acts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acted: Option<bool>,
    /// Why, as a token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason_code: Option<ReasonCode>,
    /// Why, in one sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The whole judgement.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub analysis: Option<Box<AnalysisAnswer>>,
}

impl TrailEntry {
    /// An entry without a verdict.
    pub(super) fn new(kind: EventKind, stage: &StageId, caused_by: &str) -> Self {
        Self {
            kind: kind.into(),
            stage: stage.clone(),
            caused_by: caused_by.to_owned(),
            verdict: None,
            acted: None,
            reason_code: None,
            reason: None,
            analysis: None,
        }
    }

    /// The same entry with a reason.
    pub(super) fn because(mut self, reason: &str) -> Self {
        self.reason = Some(reason.to_owned());
        self
    }
}
