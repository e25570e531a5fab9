//! What happened to a rollout, and why.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::analysis::{AnalysisAnswer, ReasonCode, Verdict};
use crate::word::Word;

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum EventKind {
    /// The rollout was started.
    Started,
    /// A stage began.
    StageStarted,
    /// The judge's answer changed: another verdict, or another reason code.
    Decided,
    /// A stage has passed.
    StagePassed,
    /// Every stage has passed.
    Promoted,
    /// The rollout was rolled back.
    RolledBack,
    /// A human decided.
    Overridden,
    /// The rollout was cancelled.
    Cancelled,
    /// Its caller began another rollout in its place.
    Superseded,
    /// The rollout is over, its caller says.
    Closed,
    /// The caller went on without a stage.
    StageLeft,
    /// A stage began, and its caller does not tell how much traffic the canary has.
    WeightUnknown,
    /// The stage it is at is judged anew from its start, by another version of the method.
    JudgedAnew,
}

impl EventKind {
    /// The name used in answers.
    pub fn name(self) -> &'static str {
        match self {
            Self::Started => "started",
            Self::StageStarted => "stage_started",
            Self::Decided => "decided",
            Self::StagePassed => "stage_passed",
            Self::Promoted => "promoted",
            Self::RolledBack => "rolled_back",
            Self::Overridden => "overridden",
            Self::Cancelled => "cancelled",
            Self::Superseded => "superseded",
            Self::Closed => "closed",
            Self::StageLeft => "stage_left",
            Self::WeightUnknown => "weight_unknown",
            Self::JudgedAnew => "judged_anew",
        }
    }
}

impl Word<EventKind> {
    /// The name used in answers.
    pub fn name(&self) -> &str {
        match self {
            Self::Known(kind) => kind.name(),
            Self::Other(name) => name,
        }
    }
}

/// Something that happened to a rollout.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Event {
    /// Its number within the rollout, from 1, without gaps.
    #[schema(example = 3)]
    pub sequence: i64,
    /// When.
    pub at: DateTime<Utc>,
    /// What.
    #[schema(value_type = EventKind)]
    pub kind: Word<EventKind>,
    /// The stage it was at.
    #[schema(example = "stage_2")]
    pub stage: String,
    /// Who or what caused it: `judge`, or the name of whoever called.
    #[schema(example = "judge")]
    pub caused_by: String,
    /// The verdict, where one was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub verdict: Option<Verdict>,
    /// `false` where the verdict changes nothing: of a shadow stage, a dry run, or a stage that a
    /// person has decided. Left out where it acts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub acted: Option<bool>,
    /// Why, as a token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub reason_code: Option<ReasonCode>,
    /// Why, in one sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub reason: Option<String>,
    /// The whole judgement with its evidence and the digest of its inputs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub analysis: Option<AnalysisAnswer>,
}

/// What happened to a rollout, oldest first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct EventList {
    /// The events.
    pub events: Vec<Event>,
    /// Give it as `after` for the events to come.
    pub last_sequence: i64,
}
