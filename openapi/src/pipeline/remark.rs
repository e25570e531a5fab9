//! What there is to know of a pipeline before a rollout begins.

use serde::{Deserialize, Serialize};
use serinus_analysis::pipeline as domain;
use utoipa::ToSchema;

/// What a remark is about, as a stable token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RemarkCode {
    /// The pipeline judges and never acts.
    DryRun,
    /// A stage judges and never acts.
    ShadowStage,
    /// A check warns and neither holds nor rolls back.
    WarnOnly,
    /// No promotion waits for a check.
    NotCritical,
    /// Proof against a check does not roll back.
    NoRollback,
    /// Another test than the sequential one decides.
    Method,
    /// Kayenta's test ignores an offset.
    OffsetIgnored,
    /// Nobody looks whether the traffic is split as the stage says.
    SplitCheck,
    /// Nobody looks whether the control spans other services.
    PopulationCheck,
    /// Control and canary are written alike.
    SamePopulations,
    /// No matcher names the service.
    ServiceNotNamed,
    /// A stage is too short for a check to be decided, to pass in its time, or to show much.
    TooFewIntervals,
    /// None of a stage's checks counts at all of the traffic, so that it can never pass.
    NothingCounts,
    /// An absolute limit is judged with the environment of a control that has next to no traffic.
    SmallControl,
    /// An absolute limit is not held within strata.
    StrataIgnored,
    /// The error budget counts one of several servers.
    BudgetOfOneSource,
    /// No kill switch stops a version that fails at once.
    NoKillSwitch,
}

/// How much a remark matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RemarkLevel {
    /// Worth to be known.
    Note,
    /// Probably a mistake.
    Warning,
}

/// One thing to know of a pipeline.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Remark {
    /// What it is about.
    pub code: RemarkCode,
    /// How much it matters.
    pub level: RemarkLevel,
    /// The ids of the stages that it is about; absent when it is about all of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(example = json!(["stage_2"]))]
    pub stages: Vec<String>,
    /// One sentence.
    #[schema(example = "SHADOW: the stage stage_2 is judged, and nothing is done about it")]
    pub message: String,
}

impl From<domain::RemarkCode> for RemarkCode {
    fn from(code: domain::RemarkCode) -> Self {
        match code {
            domain::RemarkCode::DryRun => Self::DryRun,
            domain::RemarkCode::ShadowStage => Self::ShadowStage,
            domain::RemarkCode::WarnOnly => Self::WarnOnly,
            domain::RemarkCode::NotCritical => Self::NotCritical,
            domain::RemarkCode::NoRollback => Self::NoRollback,
            domain::RemarkCode::Method => Self::Method,
            domain::RemarkCode::OffsetIgnored => Self::OffsetIgnored,
            domain::RemarkCode::SplitCheck => Self::SplitCheck,
            domain::RemarkCode::PopulationCheck => Self::PopulationCheck,
            domain::RemarkCode::SamePopulations => Self::SamePopulations,
            domain::RemarkCode::ServiceNotNamed => Self::ServiceNotNamed,
            domain::RemarkCode::TooFewIntervals => Self::TooFewIntervals,
            domain::RemarkCode::NothingCounts => Self::NothingCounts,
            domain::RemarkCode::SmallControl => Self::SmallControl,
            domain::RemarkCode::StrataIgnored => Self::StrataIgnored,
            domain::RemarkCode::BudgetOfOneSource => Self::BudgetOfOneSource,
            domain::RemarkCode::NoKillSwitch => Self::NoKillSwitch,
        }
    }
}

impl From<&domain::Remark> for Remark {
    fn from(remark: &domain::Remark) -> Self {
        Self {
            code: remark.code.into(),
            level: if remark.code.is_warning() {
                RemarkLevel::Warning
            } else {
                RemarkLevel::Note
            },
            stages: remark.stages.clone(),
            message: remark.message.clone(),
        }
    }
}
