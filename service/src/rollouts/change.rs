//! What a rollout becomes: what is remembered next, and what is written into the trail. Nothing else is
//! recorded. By which rules it becomes that, [`transition`](super::transition) and
//! [`weight`](super::weight) say.

use serinus_analysis::pipeline::{Pipeline, Stage};
use serinus_openapi::analysis::Verdict;
use serinus_openapi::rollout::{AdvanceMode, EventKind};

use super::acting::Acting;
use super::beginning::StageStart;
use super::document::{
    Decision, Document, Found, METHOD_VERSION, StageId, StageRecord, Steps, stage_of,
};
use super::judgement::{JUDGE, Judgement};
use super::live::Present;
use super::trail::TrailEntry;
use super::wording;
use crate::store::RolloutState;
use crate::time::UnixMillis;

/// What is remembered next.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Change {
    state: RolloutState,
    is_current: bool,
    document: Document,
    trail: Vec<TrailEntry>,
}

impl Change {
    /// The state of the rollout.
    pub(super) fn state(&self) -> RolloutState {
        self.state
    }

    /// Whether a call with its key still means it.
    pub(super) fn is_current(&self) -> bool {
        self.is_current
    }

    /// The document.
    pub(super) fn document(&self) -> &Document {
        &self.document
    }

    /// What is written into the trail, in this order.
    pub(super) fn trail(&self) -> &[TrailEntry] {
        &self.trail
    }

    /// A rollout that stays open, with entries.
    pub(super) fn open(document: &Document, trail: Vec<TrailEntry>) -> Self {
        Self {
            state: RolloutState::Open,
            is_current: true,
            document: document.clone(),
            trail,
        }
    }

    /// The same again: only the time of its newest record is another one.
    pub(super) fn unchanged(present: &Present) -> Self {
        Self {
            state: present.state,
            is_current: present.is_current,
            document: present.document.clone(),
            trail: Vec::new(),
        }
    }

    /// The same, with the name of the data of a stage that is over.
    pub(super) fn sealed(
        present: &Present,
        (stage, started): (&StageId, UnixMillis),
        digest: &str,
    ) -> Self {
        let mut change = Self::unchanged(present);
        change
            .document
            .stages
            .seal(stage, started, digest.to_owned());
        change
    }

    /// The same, judged through all stages from the one on that it is at.
    pub(super) fn to_this_method(present: &Present) -> Self {
        let mut change = Self::unchanged(present);
        change.document.method_version = METHOD_VERSION;
        change.document.stages.leave_behind();
        change
    }

    /// A rollout that is over because somebody said so, and whether a call with its key still means
    /// it.
    pub(super) fn over(
        (state, is_current): (RolloutState, bool),
        document: Document,
        entry: TrailEntry,
    ) -> Self {
        Self {
            state,
            is_current,
            document,
            trail: vec![entry],
        }
    }

    /// Rolls it back at the stage it is at.
    pub(super) fn roll_back(&mut self, caused_by: &str, reason: &str) {
        self.state = RolloutState::RolledBack;
        let stage = self.document.current().stage();
        let entry = TrailEntry::new(EventKind::RolledBack, stage, caused_by);
        self.trail.push(entry.because(reason));
    }

    /// Marks the current stage as passed, and goes on to the next one where Serinus does that.
    pub(super) fn pass(
        &mut self,
        pipeline: &Pipeline,
        caused_by: &str,
        next: StageStart,
        at: UnixMillis,
    ) {
        let is_new = self.document.current().passed().is_none();
        self.document.stages.pass(at, next.at());
        let stage = self.document.current().stage().clone();
        if is_new {
            self.trail
                .push(TrailEntry::new(EventKind::StagePassed, &stage, caused_by));
        }
        match stage_after(pipeline, &stage) {
            None => {
                self.state = RolloutState::Promoted;
                self.trail
                    .push(TrailEntry::new(EventKind::Promoted, &stage, caused_by));
            }
            Some(following) if self.document.advance == AdvanceMode::Automatic => {
                self.begin(following, caused_by, next);
            }
            Some(_) => {}
        }
    }

    /// Says of stages that the caller went on without them, to another one.
    pub(super) fn leave(&mut self, left: &[StageId], to: &Stage, caused_by: &str) {
        for stage in left {
            let entry = TrailEntry::new(EventKind::StageLeft, stage, caused_by);
            let reason = wording::went_on_without(stage, to);
            self.trail.push(entry.because(&reason));
        }
    }

    /// Remembers what the checks of the current stage have found that does not act.
    pub(super) fn find(&mut self, found: Found) {
        self.document.stages.find(found);
    }

    /// Remembers what was decided last.
    pub(super) fn decide(&mut self, decision: Decision) {
        self.document.decision = Some(decision);
    }

    /// A person decides the current stage.
    pub(super) fn covers_its_stage(&mut self, sentence: String) {
        self.document.stages.decide(sentence);
    }

    /// Changes what is known of a caller that counts steps.
    pub(super) fn steps(&mut self) -> &mut Steps {
        &mut self.document.steps
    }

    /// The stage that it is at begins only now.
    pub(super) fn begin_again(&mut self, caused_by: &str, start: StageStart) {
        self.document.stages.begin_again(start);
        let stage = self.document.current().stage();
        self.trail
            .push(TrailEntry::new(EventKind::StageStarted, stage, caused_by));
    }

    /// Writes one more entry about the stage that it is at.
    pub(super) fn note(&mut self, kind: EventKind, caused_by: &str, reason: &str) {
        let stage = self.document.current().stage();
        let entry = TrailEntry::new(kind, stage, caused_by);
        self.trail.push(entry.because(reason));
    }

    /// The stages that it left.
    pub(super) fn left(&self) -> Vec<StageId> {
        let entries = self.trail.iter();
        entries
            .filter(|entry| entry.kind == EventKind::StageLeft)
            .map(|entry| entry.stage.clone())
            .collect()
    }

    pub(super) fn begin(&mut self, stage: &Stage, caused_by: &str, start: StageStart) {
        let stage = StageId::of(stage);
        self.trail
            .push(TrailEntry::new(EventKind::StageStarted, &stage, caused_by));
        let record = StageRecord::begins(stage, start);
        self.document.stages.begin(record);
    }

    /// Records what was judged.
    pub(super) fn decided(&mut self, judgement: &Judgement, acting: Acting, at: UnixMillis) {
        let acts = acting.acts();
        self.trail.push(TrailEntry {
            verdict: Some(judgement.verdict),
            acted: (!acts).then_some(false),
            reason_code: Some(judgement.reason_code.clone()),
            reason: Some(judgement.reason.clone()),
            analysis: judgement.answer.clone(),
            ..TrailEntry::new(EventKind::Decided, &judgement.stage, JUDGE)
        });
        if acting.without_acting().is_some() && judgement.verdict != Verdict::Hold {
            self.document.stages.find(found(judgement, at));
        }
        self.document.decision = Some(Decision {
            stage: judgement.stage.clone(),
            verdict: judgement.verdict,
            reason_code: judgement.reason_code.clone(),
            reason: judgement.reason.clone(),
            progress: judgement.progress.clone(),
        });
    }
}

/// The stage that comes after one, if it is not the last.
pub(super) fn stage_after<'a>(pipeline: &'a Pipeline, stage: &StageId) -> Option<&'a Stage> {
    let (place, _) = stage_of(pipeline, stage.as_str())?;
    pipeline.stages.get(place + 1)
}

pub(super) fn found(judgement: &Judgement, at: UnixMillis) -> Found {
    Found {
        verdict: judgement.verdict,
        reason: judgement.reason.clone(),
        at_ms: at,
    }
}
