//! The state of a rollout.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::AdvanceMode;
use crate::analysis::{AnalysisAnswer, Gate, ReasonCode, Verdict};
use crate::number::Number;
use crate::population::Population;

/// How far a rollout is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RolloutState {
    /// It is judged.
    Open,
    /// Every stage has passed.
    Promoted,
    /// It was rolled back. Final, until a human overrides or cancels it.
    RolledBack,
    /// It was cancelled: the next call with its key that may start begins another attempt.
    Cancelled,
    /// Its caller began another one in its place. A call that may start begins a new one.
    Superseded,
    /// It is over and its caller has said so: the next call with its key that may start begins another
    /// attempt.
    Closed,
}

/// How far a stage is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum StageState {
    /// It has not begun.
    Waiting,
    /// It is judged.
    Open,
    /// It has passed.
    Passed,
    /// A person said promote.
    Overridden,
    /// The caller went on without it.
    Left,
    /// The rollout was rolled back in it.
    Failed,
}

/// One stage of a rollout.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RolloutStage {
    /// Its id.
    #[schema(example = "stage_2")]
    pub stage: String,
    /// Its name for people.
    pub name: String,
    /// How far it is.
    pub state: StageState,
    /// The canary's share of the traffic, in percent.
    pub traffic_percent: Number,
    /// When it began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub started: Option<DateTime<Utc>>,
    /// When it passed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub passed: Option<DateTime<Utc>>,
    /// What its checks found where that does not act, in a dry run and in a shadow stage: the
    /// verdict that would have ended it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub true_verdict: Option<Verdict>,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub true_reason: Option<String>,
    /// When that was found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub found: Option<DateTime<Utc>>,
}

/// A rollout: one canary going through one pipeline.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Rollout {
    /// The verdict: the same as `gate.verdict`. Of a rollout that Serinus advances it is `promote`
    /// when every stage has passed.
    pub verdict: Verdict,
    /// The small object that callers read.
    pub gate: Gate,
    /// How far the rollout is. Never empty.
    #[schema(example = "stage 2 of 4, 41 of 240 minutes")]
    pub progress: String,
    /// Why, as a token.
    pub reason_code: ReasonCode,
    /// Its id.
    #[schema(example = "0198f0c2-7a54-7c3e-9d8a-0123456789ab")]
    pub rollout: String,
    /// Where this state is, as an absolute URL.
    pub status_url: String,
    /// The pipeline's name.
    #[schema(example = "canary_pipeline")]
    pub pipeline: String,
    /// The rollout's key.
    #[schema(example = "6d4f9.7")]
    pub key: String,
    /// Which rollout with this key it is, from 1.
    pub attempt: i64,
    /// How far it is.
    pub state: RolloutState,
    /// Who moves it to the next stage.
    pub advance: AdvanceMode,
    /// As what it ended. Only when it is `closed`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub ended_as: Option<RolloutState>,
    /// Whether the stage it is at is judged without acting: a dry run, or a shadow stage.
    pub dry_run: bool,
    /// What the checks say. Only where it does not act: in a dry run, in a shadow stage, and after a
    /// person has decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub true_verdict: Option<Verdict>,
    /// Why the checks say that, in one sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub true_reason: Option<String>,
    /// The stage it is at.
    #[schema(example = "stage_2")]
    pub stage: String,
    /// The share to go back to on a rollback, in percent: that of the last earlier stage that passed
    /// and is marked `rollback_point: true`, else 0. Never the share of the stage that failed.
    pub rollback_to_percent: Number,
    /// Every stage of the pipeline.
    pub stages: Vec<RolloutStage>,
    /// Selects the control.
    pub control: Population,
    /// Selects the canary.
    pub canary: Population,
    /// When it was started.
    pub created: DateTime<Utc>,
    /// When it changed last.
    pub updated: DateTime<Utc>,
    /// The newest judgement of its stage, with the evidence. Absent before the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub analysis: Option<AnalysisAnswer>,
}

/// A rollout in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RolloutSummary {
    /// Its verdict: what its gate tells of the stage that it is at.
    pub verdict: Verdict,
    /// Why, as a token.
    pub reason_code: ReasonCode,
    /// Why, in one sentence.
    pub reason: String,
    /// Its id.
    pub rollout: String,
    /// Where its state is, as an absolute URL.
    pub status_url: String,
    /// The pipeline's name.
    pub pipeline: String,
    /// The rollout's key.
    pub key: String,
    /// Which rollout with this key it is, from 1.
    pub attempt: i64,
    /// How far it is.
    pub state: RolloutState,
    /// The stage it is at.
    pub stage: String,
    /// Whether it is judged without acting.
    pub dry_run: bool,
    /// When it was started.
    pub created: DateTime<Utc>,
    /// When it changed last.
    pub updated: DateTime<Utc>,
}

/// A page of rollouts, newest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RolloutList {
    /// The rollouts.
    pub rollouts: Vec<RolloutSummary>,
    /// Give it as `after` for the next page. Absent on the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub next: Option<String>,
}
