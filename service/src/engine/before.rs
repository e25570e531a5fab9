//! The stages of a rollout that are over: what a later one is judged with.
//!
//! Source: docs/design/counts.md, "9. Many checks, all stages".

use std::sync::Arc;

use futures_util::future::join_all;
use serde::Serialize;
use serinus_analysis::data::{DataFault, History, MetricData, StageData};
use serinus_analysis::judge::{Course, after_stage};
use serinus_analysis::pipeline::{Pipeline, Stage};
use serinus_analysis::series::Grid;

use super::{AnalysisError, AnalysisInput, Engine};
use crate::packed::Name;

/// What a stage is judged with.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Stages {
    /// By itself.
    Alone,
    /// As a part of a rollout that has come so far.
    After(Arc<Before>),
    /// As a part of a rollout whose stages before are to be read now.
    Before(Vec<Over>),
    /// As a part of a rollout of which a stage before could not be read now.
    Unknown(DataFault),
}

/// A stage of a rollout that is over, by what the caller says.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Over {
    /// The stage.
    pub stage: Stage,
    /// When it began and ended, in milliseconds since 1970.
    pub start_ms: i64,
    pub end_ms: i64,
    /// Whether a person has decided it, so that all evidence begins anew after it.
    pub is_decided: bool,
}

/// The stages of a rollout that are over.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Before {
    /// What they have left.
    pub course: Course,
    /// What that is made of.
    pub made_of: Vec<MadeOf>,
}

/// A stage that is over, as it was judged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct MadeOf {
    /// Its id.
    pub stage: String,
    /// The name of its data.
    pub digest: String,
    /// Whether all evidence begins anew after it.
    pub is_decided: bool,
}

impl Before {
    /// Of a rollout that has only just begun.
    pub(crate) fn nothing(pipeline: &Pipeline) -> Self {
        Self {
            course: Course::of_rollout(pipeline),
            made_of: Vec::new(),
        }
    }

    /// The same with one stage more, whose data has this name.
    pub(crate) fn and(
        &self,
        pipeline: &Pipeline,
        stage: &Stage,
        (digest, data): (&str, &StageData),
        is_decided: bool,
    ) -> Self {
        let mut made_of = self.made_of.clone();
        made_of.push(MadeOf {
            stage: stage.id.clone(),
            digest: digest.to_owned(),
            is_decided,
        });
        Self {
            course: after_stage(&self.course, pipeline, stage, data, is_decided),
            made_of,
        }
    }
}

/// Why data is not all that there is: it may be read a moment later.
pub(crate) fn is_late(data: &StageData) -> Option<DataFault> {
    if let History::Late(fault) = &data.history {
        return Some(fault.clone());
    }
    data.metrics.values().find_map(|metric| match metric {
        MetricData::Fault(fault) if fault.code.is_transient() => Some(fault.clone()),
        MetricData::Fault(_)
        | MetricData::Counts(_)
        | MetricData::Histogram(_)
        | MetricData::Gauge(_) => None,
    })
}

impl Engine {
    /// When the rollout began that is asked for, as far as the caller says it.
    pub(super) fn began_ms(&self, input: &AnalysisInput<'_>) -> Result<i64, AnalysisError> {
        let first = match &input.stages {
            Stages::Before(over) => over.first().map(|one| one.start_ms),
            Stages::Alone | Stages::After(_) | Stages::Unknown(_) => None,
        };
        let start_ms = self.window(input)?.grid.start_ms();
        Ok(first.map_or(start_ms, |first| first.min(start_ms)))
    }

    /// Reads the stages before, where the caller says which there were.
    pub(super) async fn read_stages_before(
        &self,
        input: &AnalysisInput<'_>,
        stages: Stages,
    ) -> Result<Stages, AnalysisError> {
        let Stages::Before(over) = stages else {
            return Ok(stages);
        };
        let inputs: Vec<AnalysisInput<'_>> = over
            .iter()
            .map(|one| AnalysisInput {
                stage: &one.stage,
                start_ms: Some(one.start_ms),
                end_ms: Some(one.end_ms),
                ..input.clone()
            })
            .collect();
        let interval_ms = i64::from(input.pipeline.analysis.interval_seconds) * 1_000;
        let read = inputs.iter().zip(&over).map(|(input, one)| async move {
            let grid = Grid::covering(one.start_ms, one.end_ms, interval_ms);
            if grid.intervals() == 0 {
                // It was left at once.
                return Ok((StageData::empty(grid), Vec::new()));
            }
            self.read(input).await
        });
        let read = join_all(read).await;
        let mut before = Before::nothing(input.pipeline);
        for (one, read) in over.iter().zip(read) {
            let (data, _) = read?;
            if let Some(fault) = is_late(&data) {
                return Ok(Stages::Unknown(fault));
            }
            let digest = Name::of(&data).to_string();
            before = before.and(input.pipeline, &one.stage, (&digest, &data), one.is_decided);
        }
        Ok(Stages::After(Arc::new(before)))
    }
}
