//! Whether a verdict acts: the one rule of shadow stages, dry runs and stages that a person has
//! decided. It is asked where a rollout changes, and what is told follows from what has changed.
//! Source: docs/design/gate.md, "What acts".

use serinus_analysis::pipeline::{Pipeline, Stage};
use serinus_openapi::analysis::{ReasonCode, Verdict};

use super::document::{Document, StageRecord};

/// What the verdicts of a stage are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Acting {
    /// They are what the caller is to do.
    Acts,
    /// The stage is a shadow stage: it is judged for its duration, and its caller goes on.
    Shadow,
    /// The rollout or its pipeline is a dry run: so is every stage.
    DryRun,
    /// A person has decided the stage: what is found at its traffic is told, and changes nothing.
    Decided,
}

/// What a verdict makes of the rollout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Consequence {
    /// It stays where it is.
    Stays,
    /// The stage it is at has passed.
    Passes,
    /// It is rolled back, for good.
    RollsBack,
}

impl Acting {
    /// What the verdicts of a stage are for.
    pub(super) fn of(document: &Document, pipeline: &Pipeline, stage: &Stage) -> Self {
        let record = document.record_of(&stage.id);
        if record.is_some_and(|record| record.overriding().is_some()) {
            Self::Decided
        } else if Self::is_dry_run(document, pipeline) {
            Self::DryRun
        } else if stage.shadow {
            Self::Shadow
        } else {
            Self::Acts
        }
    }

    /// Whether a rollout is a dry run.
    pub(super) fn is_dry_run(document: &Document, pipeline: &Pipeline) -> bool {
        document.dry_run || pipeline.dry_run
    }

    /// Whether a verdict changes the rollout.
    pub(super) fn acts(self) -> bool {
        match self {
            Self::Acts => true,
            Self::Shadow | Self::DryRun | Self::Decided => false,
        }
    }

    /// The code and the words under which a stage goes on that is judged without acting.
    pub(super) fn without_acting(self) -> Option<(ReasonCode, &'static str)> {
        match self {
            Self::Shadow => Some((ReasonCode::SHADOW_STAGE, "shadow stage")),
            Self::DryRun => Some((ReasonCode::DRY_RUN, "dry run")),
            Self::Acts | Self::Decided => None,
        }
    }

    /// What a verdict makes of a rollout that is at the stage. `is_over` says whether the stage's
    /// duration is.
    pub(super) fn consequence(
        self,
        record: &StageRecord,
        verdict: Verdict,
        is_over: bool,
    ) -> Consequence {
        let has_passed = record.passed().is_some();
        match (self, verdict) {
            (Self::Acts, Verdict::Rollback) => Consequence::RollsBack,
            (Self::Acts, Verdict::Promote) if !has_passed => Consequence::Passes,
            (Self::Shadow | Self::DryRun, _) if is_over && !has_passed => Consequence::Passes,
            (Self::Acts | Self::Shadow | Self::DryRun | Self::Decided, _) => Consequence::Stays,
        }
    }
}
