//! What is asked of rollouts.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::analysis::time;
use crate::pipeline::PipelineReference;
use crate::population::PopulationOverlay;

/// Who moves a rollout from a stage that has passed to the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AdvanceMode {
    /// Serinus: the next stage begins when the one before has passed.
    #[default]
    Automatic,
    /// The caller: by `advance`, or by asking the gate of the next stage.
    Caller,
}

/// A rollout to start. Sent again with the same pipeline and key it finds the same rollout.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(
    deny_unknown_fields,
    expecting = "a JSON object such as {\"pipeline\": \"checkout\", \"key\": \"6d4f9.7\"}"
)]
#[schema(example = json!({"pipeline": "canary_pipeline", "key": "6d4f9.7", "control": {"track": "stable"}, "canary": {"track": "canary"}}))]
pub struct StartRequest {
    /// The pipeline: the name of one that the server knows, or the pipeline itself as an object.
    /// Give this or `pipeline_yaml`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pipeline: Option<PipelineReference>,
    /// The pipeline as the text of its file, in place of `pipeline`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pipeline_yaml: Option<String>,
    /// Names the rollout within its pipeline.
    #[schema(
        min_length = 1,
        max_length = 256,
        pattern = r"^[^\x00-\x1f\x7f-\x9f]+$",
        example = "6d4f9.7"
    )]
    pub key: String,
    /// Selects the control. Laid over the pipeline's own, label by label.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub control: Option<PopulationOverlay>,
    /// Selects the canary. Laid over the pipeline's own, label by label.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub canary: Option<PopulationOverlay>,
    /// The stage to begin with; the first when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "stage_1")]
    pub stage: Option<String>,
    /// When that stage began (RFC 3339); now when left out.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "time"
    )]
    pub start: Option<DateTime<Utc>>,
    /// The name of a configured Prometheus; the pipeline's or the server's default when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// Judge without acting.
    #[serde(default)]
    pub dry_run: bool,
    /// Who moves the rollout to the next stage.
    #[serde(default)]
    pub advance: AdvanceMode,
}

/// The caller has moved the traffic.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(
    deny_unknown_fields,
    expecting = "a JSON object such as {\"stage\": \"stage_2\"}"
)]
pub struct AdvanceRequest {
    /// The stage that begins; the next one when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "stage_2")]
    pub stage: Option<String>,
    /// When it began (RFC 3339); now when left out.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "time"
    )]
    pub start: Option<DateTime<Utc>>,
}

/// What a human decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum OverrideVerdict {
    /// The stage has passed, whatever was measured. Reopens a rollout that was rolled back.
    Promote,
    /// Roll back.
    Rollback,
}

/// A human decides, with a reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(
    deny_unknown_fields,
    expecting = "a JSON object such as {\"verdict\": \"promote\", \"reason\": \"a known outage of the payment provider\"}"
)]
#[schema(example = json!({"verdict": "promote", "reason": "a known outage of the payment provider"}))]
pub struct OverrideRequest {
    /// The verdict.
    pub verdict: OverrideVerdict,
    /// Why; kept for ever.
    #[schema(
        min_length = 1,
        max_length = 300,
        pattern = r"^[^\x00-\x1f\x7f-\x9f]+$"
    )]
    pub reason: String,
}

/// The rollout is over, whatever was measured: the next call with its key that may start begins another
/// attempt.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(
    deny_unknown_fields,
    expecting = "a JSON object such as {\"reason\": \"replaced by 6d4f9.8\"}"
)]
pub struct CancelRequest {
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 300, pattern = r"^[^\x00-\x1f\x7f-\x9f]*$")]
    pub reason: Option<String>,
}
