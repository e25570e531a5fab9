//! Whether a verdict acts: the one rule of shadow stages and dry runs.
//!
//! Whoever tells a verdict and whoever moves a rollout by it ask here.

use serinus_analysis::pipeline::{Pipeline, Stage};
use serinus_openapi::analysis::Verdict;

use super::document::Document;

/// What the verdict of a stage is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Acting {
    /// It is what the caller is to do.
    Acts,
    /// The stage is a shadow stage: it is judged, and its caller goes on.
    Shadow,
    /// The rollout or its pipeline is a dry run: so is every stage.
    DryRun,
}

/// What a true verdict makes of the rollout.
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
    pub(super) fn of(document: &Document, pipeline: &Pipeline, stage: Option<&Stage>) -> Self {
        if document.dry_run || pipeline.dry_run {
            Self::DryRun
        } else if stage.is_some_and(|stage| stage.shadow) {
            Self::Shadow
        } else {
            Self::Acts
        }
    }

    /// What the caller is told to do, when this is the true verdict.
    pub(super) fn told(self, verdict: Verdict) -> Verdict {
        match self {
            Self::Acts => verdict,
            Self::Shadow | Self::DryRun => Verdict::Promote,
        }
    }

    /// What it makes of the rollout, when this is the true verdict.
    ///
    /// A verdict that no caller is told to act on moves the rollout like any other.
    pub(super) fn consequence(self, verdict: Verdict) -> Consequence {
        match (self, verdict) {
            (Self::Acts | Self::Shadow | Self::DryRun, Verdict::Hold) => Consequence::Stays,
            (Self::Acts | Self::Shadow | Self::DryRun, Verdict::Promote) => Consequence::Passes,
            (Self::Acts | Self::Shadow | Self::DryRun, Verdict::Rollback) => Consequence::RollsBack,
        }
    }
}
