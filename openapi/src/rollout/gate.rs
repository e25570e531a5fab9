//! The gate: one call that a CD system makes again and again.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::analysis::{Gate, ReasonCode, Verdict, time};
use crate::population::PopulationOverlay;

/// Largest answer of a gate, in bytes: callers keep it in their own state.
pub const MAX_GATE_ANSWER_BYTES: usize = 4 * 1024;

/// Which canary asks. The same fields may be given in the query: `key`, `control.LABEL`,
/// `canary.LABEL`, `start`, `dry_run`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(
    deny_unknown_fields,
    expecting = "a JSON object such as {\"key\": \"6d4f9.7\"}"
)]
#[schema(example = json!({"key": "6d4f9.7", "control": {"track": "stable"}, "canary": {"track": "canary"}}))]
pub struct GateRequest {
    /// Names the rollout within its pipeline. It has to differ when the same version is rolled out
    /// again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(
        min_length = 1,
        max_length = 256,
        pattern = r"^[^\x00-\x1f\x7f-\x9f]+$",
        example = "6d4f9.7"
    )]
    pub key: Option<String>,
    /// Selects the control. Laid over the pipeline's own, label by label; fixed from
    /// the first call on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub control: Option<PopulationOverlay>,
    /// Selects the canary. Laid over the pipeline's own, label by label; fixed from
    /// the first call on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub canary: Option<PopulationOverlay>,
    /// When the stage began (RFC 3339); the time of its first call when left out.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "time"
    )]
    pub start: Option<DateTime<Utc>>,
    /// Judge without acting: the gate says `hold` until the stage's duration is over and then
    /// `promote`, whatever the verdict is; `true_verdict` tells it. Fixed from the first call on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dry_run: Option<bool>,
}

/// What the gate says. Always 200, at most 4 KiB.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(example = json!({
    "verdict": "hold",
    "gate": {"verdict": "hold", "reason": "error_rate undecided: 1,140 of about 5,200 canary requests"},
    "progress": "stage 2 of 4, 41 of 240 minutes",
    "pipeline": "checkout", "stage": "stage_2", "key": "6d4f9.7",
    "rollout": "0198f0c2-7a54-7c3e-9d8a-0123456789ab",
    "status_url": "https://serinus.example/v1/rollouts/0198f0c2-7a54-7c3e-9d8a-0123456789ab",
    "reason_code": "undecided", "dry_run": false
}))]
pub struct GateAnswer {
    /// The verdict: the same as `gate.verdict`.
    pub verdict: Verdict,
    /// The small object that callers read.
    pub gate: Gate,
    /// How far the stage is. Never empty.
    pub progress: String,
    /// The pipeline's name.
    pub pipeline: String,
    /// The stage asked about.
    pub stage: String,
    /// The rollout's key.
    pub key: String,
    /// The rollout's id. Absent while the store cannot be reached and nothing is recorded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub rollout: Option<String>,
    /// Where the rollout's whole state is, as an absolute URL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub status_url: Option<String>,
    /// Why, as a token.
    pub reason_code: ReasonCode,
    /// Whether the stage is judged without acting: a dry run, or a shadow stage.
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
}
