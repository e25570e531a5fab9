//! What is remembered of a rollout, as the document that the store keeps.

use serde::{Deserialize, Serialize};
use serinus_analysis::pipeline::{Diagnostic, Pipeline, Stage};
use serinus_openapi::analysis::{ReasonCode, Verdict};
use serinus_openapi::population::Population;
use serinus_openapi::rollout::AdvanceMode;

/// What is remembered of a rollout.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Document {
    /// The text of its pipeline when it was started: a file that changes later changes no rollout
    /// that runs.
    pub pipeline_yaml: String,
    /// Selects the control.
    pub control: Population,
    /// Selects the canary.
    pub canary: Population,
    /// The name of the source; the pipeline's or the default when absent.
    pub source: Option<String>,
    /// Judge without acting.
    pub dry_run: bool,
    /// Who moves it to the next stage.
    pub advance: AdvanceMode,
    /// The stages that have begun, in the order of their beginning; the last is the one it is at.
    /// Never empty.
    pub stages: Vec<StageRecord>,
    /// What was recorded last.
    pub decision: Option<Decision>,
}

/// A stage that has begun.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StageRecord {
    /// Its id.
    pub stage: String,
    /// When it began, in milliseconds since 1970.
    pub started_ms: i64,
    /// When it passed.
    pub passed_ms: Option<i64>,
}

/// A verdict that was recorded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// The stage it is about.
    pub stage: String,
    /// The true verdict, also when it is not acted on.
    pub verdict: Verdict,
    /// Why, as a token.
    pub reason_code: ReasonCode,
    /// Why, in one sentence.
    pub reason: String,
    /// How far the stage was.
    pub progress: String,
}

impl Document {
    /// The stage it is at.
    pub fn current(&self) -> Option<&StageRecord> {
        self.stages.last()
    }

    /// The newest record of a stage that has begun.
    pub fn record_of(&self, stage: &str) -> Option<&StageRecord> {
        self.stages
            .iter()
            .rev()
            .find(|record| record.stage == stage)
    }

    /// Reads the pipeline again.
    ///
    /// # Errors
    ///
    /// The mistakes, when a newer Serinus no longer accepts what an older one did.
    pub fn pipeline(&self, name: &str) -> Result<Pipeline, Vec<Diagnostic>> {
        let mut pipeline = serinus_analysis::pipeline::parse(&self.pipeline_yaml, name)?;
        name.clone_into(&mut pipeline.name);
        Ok(pipeline)
    }
}

/// The stage of that id, with its place.
pub(super) fn stage_of<'a>(pipeline: &'a Pipeline, id: &str) -> Option<(usize, &'a Stage)> {
    pipeline
        .stages
        .iter()
        .enumerate()
        .find(|(_, stage)| stage.id == id)
}
