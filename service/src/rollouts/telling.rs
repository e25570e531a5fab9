//! What is told of a rollout: its verdict, why, and how far it is, in the words that every caller
//! reads. The only place that says it.

use serinus_analysis::pipeline::{Pipeline, Stage};
use serinus_openapi::analysis::{ReasonCode, Verdict};
use serinus_openapi::rollout::StageState;

use super::RolloutError;
use super::acting::Acting;
use super::document::{Decision, StageId, stage_of};
use super::live::Present;
use crate::store::RolloutState;

/// What is told of a rollout, or of one stage of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Told {
    /// The true verdict.
    pub verdict: Verdict,
    /// Why, as a token.
    pub reason_code: ReasonCode,
    /// Why, in one sentence.
    pub reason: String,
    /// How far it is.
    pub progress: String,
    /// What the verdict is for.
    pub(super) acting: Acting,
}

impl Told {
    /// What the caller is to do, and why: where no verdict acts, always `promote`.
    pub(crate) fn acted_on(&self) -> (Verdict, String) {
        let verdict = self.acting.told(self.verdict);
        if !self.is_dry_run() {
            return (verdict, self.reason.clone());
        }
        let name = match self.verdict {
            Verdict::Promote => "promote",
            Verdict::Hold => "hold",
            Verdict::Rollback => "rollback",
        };
        let reason = format!("dry run, the verdict is {name}: {}", self.reason);
        (verdict, reason)
    }

    /// Whether it is judged without acting.
    pub(crate) fn is_dry_run(&self) -> bool {
        self.acting != Acting::Acts
    }

    /// The true verdict, where it is not the one to act on.
    pub(crate) fn true_verdict(&self) -> Option<Verdict> {
        self.is_dry_run().then_some(self.verdict)
    }

    /// The first step of the traffic is taken.
    pub(super) fn begins_with_this_step(self, stage: &str) -> Self {
        self.may_go(format!("{stage} begins with this step of the traffic"))
    }

    /// The step that was just taken is asked for again.
    pub(super) fn has_just_begun(self, stage: &StageId) -> Self {
        self.may_go(format!("{stage} has just begun"))
    }

    /// A `promote` that rests on no judgement. Where no verdict acts, nothing needs to be said in
    /// the place of the true one.
    fn may_go(self, reason: String) -> Self {
        if self.is_dry_run() {
            return self;
        }
        Self {
            verdict: Verdict::Promote,
            reason_code: ReasonCode::PASSED,
            reason,
            ..self
        }
    }

    /// A `hold` while nothing can be recorded: no gate answers 5xx by choice.
    pub(super) fn unrecorded(error: &RolloutError) -> Self {
        Self {
            progress: "not known while the store is unavailable".to_owned(),
            ..Self::unknown(ReasonCode::STORE_UNAVAILABLE, unrecorded(error))
        }
    }

    /// Of a call to roll back while the store cannot be asked.
    pub(super) fn unread(error: &RolloutError) -> Self {
        let reason = format!("nothing can be read: {error}");
        Self::unknown(ReasonCode::STORE_UNAVAILABLE, reason)
    }

    /// Of a call to close a rollout that cannot be recorded.
    pub(super) fn unclosed(error: &RolloutError) -> Self {
        Self::unknown(ReasonCode::STORE_UNAVAILABLE, unrecorded(error))
    }

    /// Of a call to roll back with a key that means no rollout.
    pub(super) fn nothing_to_roll_back(pipeline: &str) -> Self {
        let reason = format!("no rollout of {pipeline} has this key: nothing to roll back");
        Self::unknown(ReasonCode::STILL_COLLECTING, reason)
    }

    /// Of a call to close a rollout with a key that means none.
    pub(super) fn nothing_to_close(pipeline: &str) -> Self {
        let reason = format!("no rollout of {pipeline} has this key: nothing to close");
        Self::unknown(ReasonCode::CANCELLED, reason)
    }

    /// Of a call to roll back that cannot be read.
    pub(crate) fn not_rolled_back(detail: &str) -> Self {
        Self::unknown(ReasonCode::NO_DATA, format!("not rolled back: {detail}"))
    }

    /// Of a call to close a rollout that cannot be read.
    pub(crate) fn not_closed(detail: &str) -> Self {
        Self::unknown(
            ReasonCode::CANCELLED,
            format!("nothing is closed: {detail}"),
        )
    }

    /// A `hold` of a call that means no rollout.
    fn unknown(reason_code: ReasonCode, reason: String) -> Self {
        Self {
            verdict: Verdict::Hold,
            reason_code,
            reason,
            progress: "no rollout is known".to_owned(),
            acting: Acting::Acts,
        }
    }
}

/// The stage of which something is told.
struct Shown<'a> {
    pipeline: &'a Pipeline,
    id: &'a str,
    /// The place of the stage, from 1.
    place: usize,
    acting: Acting,
}

impl Shown<'_> {
    fn told(&self, verdict: Verdict, reason_code: ReasonCode, reason: String) -> Told {
        Told {
            verdict,
            reason_code,
            reason,
            progress: progress(self.pipeline, self.place),
            acting: self.acting,
        }
    }

    fn decided(&self, verdict: Verdict, decision: &Decision) -> Told {
        Told {
            verdict,
            reason_code: decision.reason_code.clone(),
            reason: decision.reason.clone(),
            progress: decision.progress.clone(),
            acting: self.acting,
        }
    }
}

impl Present {
    /// What is told of one stage, or of the whole rollout.
    pub(crate) fn told(&self, pipeline: &Pipeline, stage: Option<&str>) -> Told {
        let id = stage.unwrap_or_else(|| self.document.current().stage().as_str());
        let found = stage_of(pipeline, id);
        let shown = Shown {
            pipeline,
            id,
            place: found.map_or(0, |(place, _)| place + 1),
            acting: Acting::of(&self.document, pipeline, found.map(|(_, stage)| stage)),
        };
        match self.state {
            RolloutState::RolledBack => self.told_rolled_back(&shown),
            RolloutState::Promoted => told_promoted(&shown),
            RolloutState::Cancelled | RolloutState::Closed => {
                let reason = format!("the rollout is over ({})", self.state.as_str());
                shown.told(Verdict::Hold, ReasonCode::CANCELLED, reason)
            }
            RolloutState::Open => self.told_open(&shown),
        }
    }

    fn told_rolled_back(&self, shown: &Shown<'_>) -> Told {
        if let Some(decision) = &self.document.decision {
            return shown.decided(Verdict::Rollback, decision);
        }
        let reason = "it was rolled back".to_owned();
        shown.told(Verdict::Rollback, ReasonCode::OVERRIDE, reason)
    }

    fn told_open(&self, shown: &Shown<'_>) -> Told {
        let id = shown.id;
        let at = self.document.current().stage();
        let record = self.document.record_of(id);
        if record.is_some_and(|record| record.passed().is_some()) {
            return match &self.document.decision {
                Some(decision) if decision.stage == *id && decision.verdict == Verdict::Promote => {
                    shown.decided(Verdict::Promote, decision)
                }
                _ => {
                    let reason = format!("{id} has passed; the rollout is at {at}");
                    shown.told(Verdict::Promote, ReasonCode::PASSED, reason)
                }
            };
        }
        let collecting =
            |reason: String| shown.told(Verdict::Hold, ReasonCode::STILL_COLLECTING, reason);
        if *at != *id {
            return collecting(format!(
                "the rollout is at {at}, and {id} was not shown to pass"
            ));
        }
        match &self.judgement {
            Some(judgement) if judgement.verdict == Verdict::Hold => Told {
                verdict: Verdict::Hold,
                reason_code: judgement.reason_code.clone(),
                reason: judgement.reason.clone(),
                progress: judgement.progress.clone(),
                acting: shown.acting,
            },
            // What is not recorded is not told.
            _ => collecting(format!("{id} is not judged yet")),
        }
    }

    /// Where a stage of the rollout stands.
    pub(crate) fn stage_state(&self, stage: &Stage) -> StageState {
        match self.document.record_of(&stage.id) {
            None => StageState::Waiting,
            Some(record) if record.passed().is_some() => StageState::Passed,
            Some(_) if self.document.current().stage().names(stage) => StageState::Judged,
            Some(_) => StageState::Left,
        }
    }
}

/// How far a rollout is that is at the stage of a place, from 1.
pub(super) fn progress(pipeline: &Pipeline, place: usize) -> String {
    format!("stage {place} of {}", pipeline.stages.len())
}

/// Why a rollout holds that goes on and cannot be recorded.
pub(super) fn unrecorded(error: &RolloutError) -> String {
    format!("nothing can be recorded: {error}")
}

fn told_promoted(shown: &Shown<'_>) -> Told {
    let pipeline = shown.pipeline;
    let reason = format!("every stage of {} has passed", pipeline.name);
    Told {
        progress: format!("all {} stages passed", pipeline.stages.len()),
        ..shown.told(Verdict::Promote, ReasonCode::PASSED, reason)
    }
}
