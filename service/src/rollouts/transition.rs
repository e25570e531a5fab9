//! How a rollout changes: pure functions from what is remembered to what is remembered next and
//! what is written into the trail. Times are arguments.

use serinus_analysis::pipeline::{Pipeline, Stage};
use serinus_openapi::analysis::{AnalysisAnswer, ReasonCode, Verdict};
use serinus_openapi::rollout::{AdvanceMode, EventKind, OverrideVerdict};

use super::acting::{Acting, Consequence};
use super::beginning::StageStart;
use super::document::{Decision, Document, StageId, StageRecord, stage_of};
use super::trail::TrailEntry;
use crate::store::RolloutState;
use crate::time::UnixMillis;

/// The name under which the judge's decisions stand in the trail.
pub(crate) const JUDGE: &str = "judge";

/// One judgement of a rollout's stage.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Judgement {
    /// The stage judged.
    pub stage: StageId,
    /// The true verdict, also of a pipeline that does not act.
    pub verdict: Verdict,
    /// Why, as a token.
    pub reason_code: ReasonCode,
    /// Why, in one sentence.
    pub reason: String,
    /// How far the stage is.
    pub progress: String,
    /// End of the last interval judged.
    pub end_ms: UnixMillis,
    /// When it was made.
    pub made_ms: UnixMillis,
    /// The evidence, where any data could be asked for.
    pub answer: Option<Box<AnalysisAnswer>>,
}

/// What is remembered next. Only the rules of this file make one, and nothing else is recorded.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Change {
    state: RolloutState,
    is_current: bool,
    document: Document,
    trail: Vec<TrailEntry>,
}

/// How a rollout ends because somebody says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// A person or a caller stops it.
    Cancelled,
    /// Its caller says that it is over.
    Closed,
}

/// Why a rollout cannot be changed as it was asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refused {
    /// The rollout is over.
    #[error("the rollout is over ({state}): start another one, with another key")]
    Over {
        /// Its state.
        state: &'static str,
    },
    /// It cannot go there.
    #[error("{0}")]
    Stage(String),
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

    /// A rollout that stays open, with an entry.
    fn open(document: &Document, trail: Vec<TrailEntry>) -> Self {
        Self {
            state: RolloutState::Open,
            is_current: true,
            document: document.clone(),
            trail,
        }
    }

    /// Rolls it back at the stage it is at.
    fn roll_back(&mut self, caused_by: &str, reason: &str) {
        self.state = RolloutState::RolledBack;
        let stage = self.document.current().stage();
        let entry = TrailEntry::new(EventKind::RolledBack, stage, caused_by);
        self.trail.push(entry.because(reason));
    }

    /// Marks the current stage as passed, and goes on to the next one where Serinus does that.
    fn pass(&mut self, pipeline: &Pipeline, caused_by: &str, next: StageStart, at: UnixMillis) {
        self.document.stages.pass(at);
        let stage = self.document.current().stage().clone();
        self.trail
            .push(TrailEntry::new(EventKind::StagePassed, &stage, caused_by));
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

    fn begin(&mut self, stage: &Stage, caused_by: &str, start: StageStart) {
        let stage = StageId::of(stage);
        self.trail
            .push(TrailEntry::new(EventKind::StageStarted, &stage, caused_by));
        let record = StageRecord::begins(stage, start);
        self.document.stages.begin(record);
    }
}

/// The stage that comes after one, if it is not the last.
pub(super) fn stage_after<'a>(pipeline: &'a Pipeline, stage: &StageId) -> Option<&'a Stage> {
    let (place, _) = stage_of(pipeline, stage.as_str())?;
    pipeline.stages.get(place + 1)
}

/// What a judgement changes. Nothing when it says what was recorded before: a poll, or another
/// interval without news, leaves no trace.
pub(super) fn judged(
    document: &Document,
    pipeline: &Pipeline,
    judgement: &Judgement,
    at: UnixMillis,
) -> Option<Change> {
    let current = document.current();
    let stage = &judgement.stage;
    if stage != current.stage() || current.passed().is_some() {
        return None;
    }
    let reason_code = judgement.reason_code.clone();
    let is_news = document.decision.as_ref().is_none_or(|before| {
        before.stage != *stage
            || before.verdict != judgement.verdict
            || before.reason_code != reason_code
    });
    if !is_news {
        return None;
    }
    let entry = TrailEntry {
        verdict: Some(judgement.verdict),
        reason_code: Some(reason_code.clone()),
        reason: Some(judgement.reason.clone()),
        analysis: judgement.answer.clone(),
        ..TrailEntry::new(EventKind::Decided, stage, JUDGE)
    };
    let mut change = Change::open(document, vec![entry]);
    change.document.decision = Some(Decision {
        stage: stage.clone(),
        verdict: judgement.verdict,
        reason_code,
        reason: judgement.reason.clone(),
        progress: judgement.progress.clone(),
    });
    let judged_stage = stage_of(pipeline, stage.as_str()).map(|(_, stage)| stage);
    let acting = Acting::of(document, pipeline, judged_stage);
    match acting.consequence(judgement.verdict) {
        Consequence::Stays => {}
        Consequence::RollsBack => change.roll_back(JUDGE, &judgement.reason),
        Consequence::Passes => {
            let next = StageStart::after_judged(judgement.end_ms);
            change.pass(pipeline, JUDGE, next, at);
        }
    }
    Some(change)
}

/// What it changes when the caller has moved the traffic to a stage, or to the next one.
///
/// # Errors
///
/// [`Refused`] when the rollout is over, or when the stage lies before the one it is at.
pub(super) fn advanced(
    document: &Document,
    state: RolloutState,
    pipeline: &Pipeline,
    stage: Option<&str>,
    caused_by: &str,
    start: StageStart,
) -> Result<Option<Change>, Refused> {
    if state != RolloutState::Open {
        return Err(Refused::Over {
            state: state.as_str(),
        });
    }
    let place_of = |id: &str| stage_of(pipeline, id).map(|(place, _)| place);
    let current = document.current().stage();
    let here = place_of(current.as_str()).unwrap_or(0);
    let to = match stage {
        Some(stage) => place_of(stage)
            .ok_or_else(|| Refused::Stage(format!("the pipeline has no stage {stage:?}")))?,
        None => here + 1,
    };
    let Some(next) = pipeline.stages.get(to) else {
        return Err(Refused::Stage(format!(
            "{current} is the last stage: there is none to go on to"
        )));
    };
    if to == here {
        return Ok(None);
    }
    if to < here {
        return Err(Refused::Stage(format!(
            "the rollout is at {current}, which comes after {}: a rollout only goes on",
            next.id
        )));
    }
    let mut change = Change::open(document, Vec::new());
    change.begin(next, caused_by, start);
    Ok(Some(change))
}

/// What it changes when a human decides.
///
/// # Errors
///
/// [`Refused`] when the rollout is over for good.
pub(super) fn overridden(
    document: &Document,
    state: RolloutState,
    pipeline: &Pipeline,
    verdict: OverrideVerdict,
    reason: &str,
    caused_by: &str,
    at: UnixMillis,
) -> Result<Change, Refused> {
    if !matches!(state, RolloutState::Open | RolloutState::RolledBack) {
        return Err(Refused::Over {
            state: state.as_str(),
        });
    }
    let stage = document.current().stage();
    let verdict_told = match verdict {
        OverrideVerdict::Promote => Verdict::Promote,
        OverrideVerdict::Rollback => Verdict::Rollback,
    };
    let entry = TrailEntry {
        verdict: Some(verdict_told),
        reason_code: Some(ReasonCode::OVERRIDE),
        ..TrailEntry::new(EventKind::Overridden, stage, caused_by).because(reason)
    };
    let mut change = Change::open(document, vec![entry]);
    change.document.decision = Some(Decision {
        stage: stage.clone(),
        verdict: verdict_told,
        reason_code: ReasonCode::OVERRIDE,
        reason: format!("{caused_by} decided: {reason}"),
        progress: document
            .decision
            .as_ref()
            .map_or_else(|| format!("at {stage}"), |before| before.progress.clone()),
    });
    match verdict {
        OverrideVerdict::Promote => change.pass(pipeline, caused_by, StageStart::now(at), at),
        OverrideVerdict::Rollback => change.roll_back(caused_by, reason),
    }
    Ok(change)
}

/// What it changes when a rollout is cancelled, or when its caller says that it is over: a call
/// with its key then starts another. Nothing when that was said before.
pub(super) fn ended(
    document: &Document,
    is_current: bool,
    end: End,
    reason: Option<&str>,
    caused_by: &str,
) -> Option<Change> {
    if !is_current {
        return None;
    }
    let (state, kind) = match end {
        End::Cancelled => (RolloutState::Cancelled, EventKind::Cancelled),
        End::Closed => (RolloutState::Closed, EventKind::Closed),
    };
    let entry = TrailEntry::new(kind, document.current().stage(), caused_by);
    Some(Change {
        state,
        is_current: false,
        document: document.clone(),
        trail: vec![match reason {
            Some(reason) => entry.because(reason),
            None => entry,
        }],
    })
}
