//! How a rollout changes: pure functions from what is remembered to what is remembered next and
//! what is written into the trail. Times are arguments.

use serde::{Deserialize, Serialize};
use serinus_analysis::pipeline::Pipeline;
use serinus_openapi::analysis::{AnalysisAnswer, ReasonCode, Verdict};
use serinus_openapi::rollout::{AdvanceMode, EventKind, OverrideVerdict};

use super::document::{Decision, Document, StageRecord, stage_of};
use crate::store::RolloutState;

/// The name under which the judge's decisions stand in the trail.
pub const JUDGE: &str = "judge";

/// One judgement of a rollout's stage.
#[derive(Debug, Clone, PartialEq)]
pub struct Judgement {
    /// The stage judged.
    pub stage: String,
    /// The true verdict, also of a pipeline that does not act.
    pub verdict: Verdict,
    /// Why, as a token.
    pub reason_code: ReasonCode,
    /// Why, in one sentence.
    pub reason: String,
    /// How far the stage is.
    pub progress: String,
    /// End of the last interval judged, in milliseconds since 1970.
    pub end_ms: i64,
    /// When it was made, in milliseconds since 1970.
    pub made_ms: i64,
    /// The evidence, where any data could be asked for.
    pub answer: Option<Box<AnalysisAnswer>>,
}

/// What is remembered next.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Change {
    /// The state of the rollout.
    pub state: RolloutState,
    /// Whether a call with its key still means it.
    pub is_current: bool,
    /// The document.
    pub document: Document,
    /// What is written into the trail, in this order.
    pub trail: Vec<TrailEntry>,
}

/// An entry of the trail, as the store keeps it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct TrailEntry {
    /// What happened.
    pub kind: EventKind,
    /// The stage it happened in.
    pub stage: String,
    /// Who or what caused it.
    pub caused_by: String,
    /// The verdict, where one was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verdict: Option<Verdict>,
    /// Why, as a token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason_code: Option<ReasonCode>,
    /// Why, in one sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The whole judgement.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub analysis: Option<Box<AnalysisAnswer>>,
}

impl TrailEntry {
    /// An entry without a verdict.
    pub(super) fn new(kind: EventKind, stage: &str, caused_by: &str) -> Self {
        Self {
            kind,
            stage: stage.to_owned(),
            caused_by: caused_by.to_owned(),
            verdict: None,
            reason_code: None,
            reason: None,
            analysis: None,
        }
    }

    fn because(mut self, reason: &str) -> Self {
        self.reason = Some(reason.to_owned());
        self
    }
}

/// Why a rollout cannot be changed as it was asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
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

/// What a judgement changes. Nothing when it says what was recorded before: a poll, or another
/// interval without news, leaves no trace.
pub(super) fn judged(
    document: &Document,
    pipeline: &Pipeline,
    judgement: &Judgement,
    at_ms: i64,
) -> Option<Change> {
    let current = document.current()?;
    let stage = &judgement.stage;
    if *stage != current.stage || current.passed_ms.is_some() {
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
    let mut change = Change {
        state: RolloutState::Open,
        is_current: true,
        document: document.clone(),
        trail: vec![TrailEntry {
            verdict: Some(judgement.verdict),
            reason_code: Some(reason_code.clone()),
            reason: Some(judgement.reason.clone()),
            analysis: judgement.answer.clone(),
            ..TrailEntry::new(EventKind::Decided, stage, JUDGE)
        }],
    };
    change.document.decision = Some(Decision {
        stage: stage.clone(),
        verdict: judgement.verdict,
        reason_code,
        reason: judgement.reason.clone(),
        progress: judgement.progress.clone(),
    });
    match judgement.verdict {
        Verdict::Hold => {}
        Verdict::Rollback => {
            change.state = RolloutState::RolledBack;
            let entry = TrailEntry::new(EventKind::RolledBack, stage, JUDGE);
            change.trail.push(entry.because(&judgement.reason));
        }
        // The next stage begins where the judged data ends, so that no interval is judged twice
        // and none is left out, whenever this is computed.
        Verdict::Promote => pass(&mut change, pipeline, JUDGE, judgement.end_ms, at_ms),
    }
    Some(change)
}

/// Marks the current stage as passed, and goes on to the next one where Serinus does that.
fn pass(change: &mut Change, pipeline: &Pipeline, caused_by: &str, next_ms: i64, at_ms: i64) {
    let Some(current) = change.document.stages.last_mut() else {
        return;
    };
    current.passed_ms = Some(at_ms);
    let stage = current.stage.clone();
    change
        .trail
        .push(TrailEntry::new(EventKind::StagePassed, &stage, caused_by));
    let next = stage_of(pipeline, &stage)
        .and_then(|(place, _)| pipeline.stages.get(place + 1))
        .map(|next| next.id.clone());
    match next {
        None => {
            change.state = RolloutState::Promoted;
            change
                .trail
                .push(TrailEntry::new(EventKind::Promoted, &stage, caused_by));
        }
        Some(next) if change.document.advance == AdvanceMode::Automatic => {
            begin(change, &next, caused_by, next_ms);
        }
        Some(_) => {}
    }
}

fn begin(change: &mut Change, stage: &str, caused_by: &str, started_ms: i64) {
    change.document.stages.push(StageRecord {
        stage: stage.to_owned(),
        started_ms,
        passed_ms: None,
    });
    change
        .trail
        .push(TrailEntry::new(EventKind::StageStarted, stage, caused_by));
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
    started_ms: i64,
) -> Result<Option<Change>, Refused> {
    if state != RolloutState::Open {
        return Err(Refused::Over {
            state: state.as_str(),
        });
    }
    let place_of = |id: &str| stage_of(pipeline, id).map(|(place, _)| place);
    let current = document.current().map_or("", |record| &record.stage);
    let here = place_of(current).unwrap_or(0);
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
    let mut change = Change {
        state,
        is_current: true,
        document: document.clone(),
        trail: Vec::new(),
    };
    begin(&mut change, &next.id, caused_by, started_ms);
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
    at_ms: i64,
) -> Result<Change, Refused> {
    if !matches!(state, RolloutState::Open | RolloutState::RolledBack) {
        return Err(Refused::Over {
            state: state.as_str(),
        });
    }
    let stage = document.current().map_or("", |record| &record.stage);
    let verdict_told = match verdict {
        OverrideVerdict::Promote => Verdict::Promote,
        OverrideVerdict::Rollback => Verdict::Rollback,
    };
    let mut change = Change {
        state: RolloutState::Open,
        is_current: true,
        document: document.clone(),
        trail: vec![TrailEntry {
            verdict: Some(verdict_told),
            reason_code: Some(ReasonCode::OVERRIDE),
            ..TrailEntry::new(EventKind::Overridden, stage, caused_by).because(reason)
        }],
    };
    change.document.decision = Some(Decision {
        stage: stage.to_owned(),
        verdict: verdict_told,
        reason_code: ReasonCode::OVERRIDE,
        reason: format!("{caused_by} decided: {reason}"),
        progress: document
            .decision
            .as_ref()
            .map_or_else(|| format!("at {stage}"), |before| before.progress.clone()),
    });
    match verdict {
        OverrideVerdict::Promote => pass(&mut change, pipeline, caused_by, at_ms, at_ms),
        OverrideVerdict::Rollback => {
            change.state = RolloutState::RolledBack;
            let entry = TrailEntry::new(EventKind::RolledBack, stage, caused_by);
            change.trail.push(entry.because(reason));
        }
    }
    Ok(change)
}

/// What it changes when a rollout is cancelled, or when its caller says that it is over: a call
/// with its key then starts another. Nothing when that was said before.
pub(super) fn ended(
    document: &Document,
    is_current: bool,
    end: RolloutState,
    reason: Option<&str>,
    caused_by: &str,
) -> Option<Change> {
    if !is_current {
        return None;
    }
    let kind = match end {
        RolloutState::Cancelled => EventKind::Cancelled,
        _ => EventKind::Closed,
    };
    let stage = document.current().map_or("", |record| &record.stage);
    let entry = TrailEntry::new(kind, stage, caused_by);
    Some(Change {
        state: end,
        is_current: false,
        document: document.clone(),
        trail: vec![match reason {
            Some(reason) => entry.because(reason),
            None => entry,
        }],
    })
}
