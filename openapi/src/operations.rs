//! What the operators of Serinus ask: is it alive, is it ready.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The one thing that a process which answers can say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum HealthStatus {
    /// It is alive.
    Ok,
}

/// The process is alive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(example = json!({"status": "ok", "version": "0.1.0"}))]
pub struct Health {
    /// Always `ok`: a process that is not does not answer.
    pub status: HealthStatus,
    /// The version of Serinus.
    pub version: String,
}

/// Whether requests should be sent here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Readiness {
    /// Send requests.
    Ready,
    /// The process is stopping: send no more. What is sent all the same is still answered.
    Draining,
    /// A required check is not well: see `checks`.
    NotReady,
}

/// One thing that readiness looks at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ReadinessCheck {
    /// What is looked at: `running`, `store`, `pipelines`, `tokens`.
    pub name: String,
    /// Whether it is well.
    pub ok: bool,
    /// Whether the server is unready when it is not. The others are warnings.
    pub required: bool,
    /// What is wrong and what to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// Whether requests should be sent here. A Prometheus that is down does not make Serinus
/// unready: its gates go on holding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(example = json!({"status": "ready", "sources": ["default"], "pipelines": 1, "checks": [
    {"name": "running", "ok": true, "required": true},
    {"name": "pipelines", "ok": false, "required": false,
     "message": "files of the pipelines folder with mistakes: 1; GET /v1/pipelines tells them"}
]}))]
pub struct Ready {
    /// `ready` with status 200, `draining` and `not_ready` with 503.
    pub status: Readiness,
    /// The names of the configured sources.
    pub sources: Vec<String>,
    /// Number of pipelines known.
    pub pipelines: usize,
    /// Everything that was looked at. Sources are not: gates hold when they are down.
    pub checks: Vec<ReadinessCheck>,
}
