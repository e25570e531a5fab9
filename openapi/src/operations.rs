//! What the operators of Serinus ask: is it alive, is it ready.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The process is alive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(example = json!({"status": "ok", "version": "0.1.0"}))]
pub struct Health {
    /// Always `ok`: a process that is not does not answer.
    pub status: String,
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
}

/// Whether requests should be sent here. A Prometheus that is down does not make Serinus
/// unready: its gates go on holding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(example = json!({"status": "ready", "sources": ["default"], "pipelines": 1}))]
pub struct Ready {
    /// `ready` with status 200, `draining` with 503.
    pub status: Readiness,
    /// The names of the configured sources.
    pub sources: Vec<String>,
    /// Number of pipelines known.
    pub pipelines: usize,
}
