//! Pipelines on the wire: what a file expands to, and its mistakes.

mod convert;
mod reference;
mod remark;
mod words;

use chrono::{DateTime, Utc};
pub use reference::{PipelineReference, PipelineSource};
pub use remark::{Remark, RemarkCode, RemarkLevel};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
pub use words::{Method, OnInconclusive, PopulationCheck, SplitCheck};

use crate::number::Number;
use crate::population::Population;

/// A pipeline to look through. Give one of the two.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(
    deny_unknown_fields,
    expecting = "a JSON object such as {\"pipeline_yaml\": \"..\"}"
)]
pub struct ValidateRequest {
    /// The pipeline as the text of its file. Lines and columns of the answer count in this text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pipeline_yaml: Option<String>,
    /// The pipeline as a JSON object (or the name of one that the server knows). Lines and
    /// columns of the answer count from the object's opening brace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pipeline: Option<PipelineReference>,
}

/// What a pipeline says, or all its mistakes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ValidateAnswer {
    /// Whether the pipeline can be used.
    pub valid: bool,
    /// Every mistake, in the order of the lines. Empty when the pipeline is valid.
    pub diagnostics: Vec<Diagnostic>,
    /// What makes a valid pipeline harmless or strange, and what is probably a mistake. What makes
    /// it harmless comes first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub remarks: Vec<Remark>,
    /// What the pipeline expands to, when it is valid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub pipeline: Option<Pipeline>,
}

/// One mistake of a pipeline.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(example = json!({
    "line": 9, "column": 5, "path": "canary_pipeline.stage_2.trafic_percent",
    "message": "unknown field `trafic_percent`, did you mean `traffic_percent`?"
}))]
pub struct Diagnostic {
    /// Line, from 1.
    #[schema(minimum = 1)]
    pub line: u32,
    /// Column, from 1.
    #[schema(minimum = 1)]
    pub column: u32,
    /// Where in the document: `canary_pipeline.stage_2.metrics[1]`.
    pub path: String,
    /// What is wrong and what to change.
    pub message: String,
}

/// The pipelines that the server knows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(example = json!({
    "pipelines": [{"name": "canary_pipeline", "file": "canary_pipeline.yaml", "stages": 9}],
    "problems": []
}))]
pub struct PipelineList {
    /// By name.
    pub pipelines: Vec<PipelineSummary>,
    /// Pipelines that cannot be used, or not in their newest form.
    pub problems: Vec<FileProblem>,
}

/// A pipeline in a list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PipelineSummary {
    /// The pipeline's name.
    #[schema(example = "canary_pipeline")]
    pub name: String,
    /// The file that it was read from; absent for one that was put.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "canary_pipeline.yaml")]
    pub file: Option<String>,
    /// When it was put; absent for one of a file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub put_at: Option<DateTime<Utc>>,
    /// Number of stages, with lists expanded.
    #[schema(example = 9)]
    pub stages: usize,
    /// Why the file's newest form is not the one used. The last good one is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub problem: Option<FileProblem>,
}

/// A pipeline that cannot be used as it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FileProblem {
    /// The file, or the path that the pipeline was put to.
    #[schema(example = "checkout.yaml")]
    pub file: String,
    /// What is wrong, in one sentence.
    pub message: String,
    /// Its mistakes, where it could be read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub diagnostics: Vec<Diagnostic>,
}

/// One pipeline and where it came from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PipelineDetail {
    /// The pipeline.
    #[serde(flatten)]
    pub pipeline: Pipeline,
    /// The file that it was read from; absent for one that was put.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "canary_pipeline.yaml")]
    pub file: Option<String>,
    /// When it was put; absent for one of a file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub put_at: Option<DateTime<Utc>>,
    /// Why the file's newest form is not the one used. The last good one is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub problem: Option<FileProblem>,
}

/// What a pipeline says: names resolved, units converted, lists expanded.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Pipeline {
    /// The pipeline's name.
    #[schema(example = "canary_pipeline")]
    pub name: String,
    /// The source that it reads; the server's default when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub source: Option<String>,
    /// The matchers of the control, unless the caller gives others.
    pub control: Population,
    /// The matchers of the canary, unless the caller gives others.
    pub canary: Population,
    /// The label that holds a region's name, used by stages with `regions`.
    #[schema(example = "region")]
    pub region_label: String,
    /// The labels that tell targets apart: what is counted together.
    #[schema(example = json!(["instance", "pod"]))]
    pub target_labels: Vec<String>,
    /// Whether the pipeline judges without acting: the gate always says promote.
    pub dry_run: bool,
    /// How it is judged.
    pub analysis: AnalysisSettings,
    /// Conditions that roll back at once, in every stage, when they become true.
    pub kill_switch: Vec<StageCheck>,
    /// What the whole service may fail before no more traffic is moved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub error_budget: Option<ErrorBudget>,
    /// The stages in order, with lists expanded into sub-stages.
    pub stages: Vec<Stage>,
}

/// What the whole service, control and canary together, may fail.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ErrorBudget {
    /// The metric that counts events among all requests.
    #[schema(example = "error_rate")]
    pub metric: String,
    /// The share of good requests that is promised (a fraction).
    #[schema(example = 0.999)]
    pub objective: Number,
    /// The time over which it is promised, in seconds.
    #[schema(example = 2_419_200)]
    pub window_seconds: u32,
    /// No more traffic is moved when less than this share of the budget remains (a fraction).
    #[schema(example = 0.001)]
    pub minimum_remaining: Number,
    /// Selects the service, beside the metric's own selectors.
    pub selector: Population,
}

/// How a pipeline is judged.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AnalysisSettings {
    /// The test that decides, unless a check says otherwise: `sequential`, `wilson` or `kayenta`.
    pub method: Method,
    /// Largest accepted chance of rolling back a good canary, per rollout (a fraction).
    #[schema(example = 0.01)]
    pub false_rollback: Number,
    /// Largest accepted chance of promoting a bad canary, per stage (a fraction).
    #[schema(example = 0.05)]
    pub false_promote: Number,
    /// Confidence of the reported intervals (a fraction).
    #[schema(example = 0.99)]
    pub confidence: Number,
    /// Length of an interval of the grid, in seconds; where it follows the scrapes, the least that it will be.
    #[schema(example = 30)]
    pub interval_seconds: u32,
    /// Whether the file does not say the interval: then it follows the scrapes when a rollout begins.
    pub interval_follows_scrapes: bool,
    /// How late samples may be, in seconds: what is younger is not judged.
    #[schema(example = 30)]
    pub lag_seconds: u32,
    /// What happens when a stage ends undecided: `hold`, `promote` or `rollback`.
    pub on_inconclusive: OnInconclusive,
    /// What happens when the canary does not get the share of the requests that the stage says:
    /// `hold`, `warn` or `off`.
    pub split_check: SplitCheck,
    /// What happens when the control spans services that the canary has no part of: `hold`, `warn` or
    /// `off`.
    pub population_check: PopulationCheck,
    /// What is added to the limit that a share of bad requests must be shown to stay below before a promotion
    /// (a fraction).
    #[schema(example = 0.001)]
    pub promote_offset: Number,
    /// How long a new process is not judged, in seconds; by the stage's duration when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = 120)]
    pub warm_up_seconds: Option<u32>,
    /// Whether the control's pods say how much pods of one version differ.
    pub pod_spread: bool,
}

/// One step of a pipeline.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a setting of the file that a reader looks for by its name"
)]
pub struct Stage {
    /// How callers name the stage: its key in the file, with `.1`, `.2` for sub-stages.
    #[schema(example = "stage_4.1")]
    pub id: String,
    /// The name for people.
    #[schema(example = "Progressive Rollout")]
    pub name: String,
    /// The canary's share of the traffic, in percent.
    #[schema(example = 5)]
    pub traffic_percent: Number,
    /// The least time that the stage lasts, in minutes.
    #[schema(example = 120)]
    pub duration_minutes: Number,
    /// When an undecided stage ends, in minutes after its start. Absent when it never does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = 240)]
    pub max_duration_minutes: Option<Number>,
    /// Whether the stage may promote as soon as every check has shown what it must.
    pub promote_early: bool,
    /// Only these regions are judged; all when empty.
    pub regions: Vec<String>,
    /// Whether a later rollback may stop at this stage's traffic.
    pub rollback_point: bool,
    /// Whether the stage judges without acting.
    pub shadow: bool,
    /// How long a new process is not judged in this stage, in seconds, where the stage says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = 120)]
    pub warm_up_seconds: Option<u32>,
    /// Whether the checks are those of the stages before, because the stage has none of its own.
    pub inherits_checks: bool,
    /// What must hold.
    pub checks: Vec<StageCheck>,
}

/// One condition of a stage.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct StageCheck {
    /// The metric's name.
    #[schema(example = "error_rate")]
    pub metric: String,
    /// The condition as the file says it.
    #[schema(example = "error_rate < baseline * 1.1")]
    pub condition: String,
    /// The test that decides: `sequential`, `wilson` or `kayenta`.
    pub method: Method,
    /// Whether a promotion needs this check to have shown what it must.
    pub critical: bool,
    /// Whether a failure only warns.
    pub warn_only: bool,
    /// The check's share of the accepted false rollbacks, relative to the other checks.
    #[schema(example = 1)]
    pub weight: Number,
    /// How long a new process is not judged by this check, in seconds, where the check says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = 300)]
    pub warm_up_seconds: Option<u32>,
    /// Whether an absolute limit is held against the canary alone (`control: none`), whatever the control does.
    pub ignores_control: bool,
}
