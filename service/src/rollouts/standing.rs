//! Where a stage of a rollout stands, and what moves the rollout to another one: one table for
//! every way in. Source: docs/design/gate.md, "Words" and "What moves a rollout".

use serinus_analysis::pipeline::{Pipeline, Stage};
use serinus_openapi::rollout::StageState;

use super::document::{StageId, StageRecord, stage_of};
use super::live::Present;
use crate::store::RolloutState;

/// What a call of a stage's gate says beside its question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Visit {
    /// It looks: a link preview, a browser's tab and a typo move nothing that was not decided.
    Look,
    /// The caller is there now, with its traffic.
    Here,
}

/// Where a stage stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing<'a> {
    /// The rollout has not come to it.
    Waiting,
    /// The rollout is at it.
    Open(&'a StageRecord),
    /// It has passed.
    Passed(&'a StageRecord),
    /// A person let it pass.
    Overridden(&'a StageRecord, &'a str),
    /// The caller went on without it, to the stage of this record.
    Left(&'a StageRecord),
    /// The rollout was rolled back in it.
    Failed(&'a StageRecord),
}

impl Present {
    /// Where a stage of the rollout stands.
    pub(super) fn standing<'a>(&'a self, pipeline: &Pipeline, stage: &Stage) -> Standing<'a> {
        let place = |id: &str| stage_of(pipeline, id).map(|(place, _)| place);
        let current = self.document.current();
        let here = place(current.stage().as_str());
        let asked = place(&stage.id);
        if asked > here {
            return Standing::Waiting;
        }
        if asked == here && self.state == RolloutState::RolledBack {
            return Standing::Failed(current);
        }
        let record = self.document.record_of(&stage.id);
        match record.map(|record| (record, record.passed(), record.overriding())) {
            Some((record, Some(_), Some(sentence))) => Standing::Overridden(record, sentence),
            Some((record, Some(_), None)) => Standing::Passed(record),
            Some((record, None, _)) if asked == here => Standing::Open(record),
            Some((_, None, _)) | None => {
                let mut begun = self.document.stages.iter();
                let next = begun.find(|record| place(record.stage().as_str()) > asked);
                Standing::Left(next.unwrap_or(current))
            }
        }
    }

    /// The word for where a stage of the rollout stands.
    pub(crate) fn stage_state(&self, pipeline: &Pipeline, stage: &Stage) -> StageState {
        match self.standing(pipeline, stage) {
            Standing::Waiting => StageState::Waiting,
            Standing::Open(_) => StageState::Open,
            Standing::Passed(_) => StageState::Passed,
            Standing::Overridden(..) => StageState::Overridden,
            Standing::Left(_) => StageState::Left,
            Standing::Failed(_) => StageState::Failed,
        }
    }

    /// Whether a call of a stage's gate moves the rollout there.
    pub(super) fn moves(&self, pipeline: &Pipeline, stage: &str, visit: Visit) -> bool {
        let place = |id: &str| stage_of(pipeline, id).map(|(place, _)| place);
        let current = self.document.current();
        let (Some(here), Some(there)) = (place(current.stage().as_str()), place(stage)) else {
            return false;
        };
        self.state == RolloutState::Open
            && match visit {
                Visit::Here => there > here,
                Visit::Look => there == here + 1 && current.passed().is_some(),
            }
    }
}

/// Whether a call may start a rollout at a stage.
pub(super) fn may_start(pipeline: &Pipeline, stage: &Stage, visit: Visit) -> bool {
    match visit {
        Visit::Here => true,
        Visit::Look => pipeline.stages.first() == Some(stage),
    }
}

/// The stages that are left when a rollout goes on to a place, in the pipeline's order: those before
/// it that have not passed, from the one it is at on.
pub(super) fn left_by(
    pipeline: &Pipeline,
    at: Option<(usize, &StageRecord)>,
    to: usize,
) -> Vec<StageId> {
    let from = match at {
        None => 0,
        Some((here, record)) if record.passed().is_some() => here + 1,
        Some((here, _)) => here,
    };
    let between = pipeline.stages.iter().take(to).skip(from);
    between.map(StageId::of).collect()
}
