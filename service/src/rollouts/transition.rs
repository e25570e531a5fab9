//! How a rollout changes: pure functions from what is remembered to what is remembered next and
//! what is written into the trail. Times are arguments.

use serinus_analysis::data::Purpose;
use serinus_analysis::judge::is_stage_over;
use serinus_analysis::pipeline::{Pipeline, Stage};
use serinus_analysis::series::Grid;
use serinus_openapi::analysis::{ReasonCode, Verdict};
use serinus_openapi::rollout::{EventKind, OverrideVerdict};

use super::acting::{Acting, Consequence};
use super::beginning::{InvalidStart, StageStart, check_start, is_ahead};
use super::change::{Change, found, stage_after};
use super::document::{Decision, Document, StageRecord, stage_of};
use super::judgement::{JUDGE, Judgement};
use super::live::Present;
use super::standing::left_by;
use super::trail::TrailEntry;
use super::wording;
use crate::store::RolloutState;
use crate::time::UnixMillis;

/// How a rollout ends because somebody says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// A person or a caller stops it.
    Cancelled,
    /// Its caller began another one in its place.
    Superseded,
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
        state: String,
    },
    /// It cannot go there.
    #[error("{0}")]
    Stage(String),
    /// The stage cannot begin when it is said to.
    #[error("{0}")]
    Start(#[from] InvalidStart),
}

/// Somebody goes on to another stage.
#[derive(Debug, Clone, Copy)]
pub(super) struct GoingOn<'a> {
    /// The stage, or the next one.
    pub stage: Option<&'a str>,
    /// When it began; now when absent.
    pub start: Option<UnixMillis>,
    /// Until when the stage that it leaves was judged, where that is known.
    pub judged_until: Option<UnixMillis>,
    /// Who says so.
    pub caused_by: &'a str,
    /// Now.
    pub now: UnixMillis,
}

/// A person decides.
#[derive(Debug, Clone, Copy)]
pub(super) struct Overriding<'a> {
    /// What.
    pub verdict: OverrideVerdict,
    /// Why.
    pub reason: &'a str,
    /// Who.
    pub caused_by: &'a str,
    /// Now.
    pub now: UnixMillis,
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
    if !judgement.is_of(current) || !is_of_use(document, judgement) {
        return None;
    }
    let (_, stage) = stage_of(pipeline, judgement.stage.as_str())?;
    let acting = Acting::of(document, pipeline, stage);
    let is_over = is_over(pipeline, stage, current, judgement);
    let consequence = acting.consequence(current, judgement.verdict, is_over);
    let mut change = Change::open(document, Vec::new());
    if is_news(document, judgement) {
        change.decided(judgement, acting, at);
    } else if consequence == Consequence::Stays {
        return None;
    }
    match consequence {
        Consequence::Stays => {}
        Consequence::RollsBack => change.roll_back(JUDGE, &judgement.reason),
        Consequence::Passes => {
            if acting.without_acting().is_some() {
                change.find(found(judgement, at));
            }
            let next = StageStart::after_judged(judgement.end_ms);
            change.pass(pipeline, JUDGE, next, at);
        }
    }
    Some(change)
}

/// What it changes when the stage that it is at begins in the future, because the clock was ahead when
/// it began: it begins now. A stage that has passed stays as it is.
pub(super) fn begun_ahead(present: &Present, now: UnixMillis) -> Option<Change> {
    let current = present.document.current();
    let is_ahead = is_ahead(current.started(), now)
        && current.passed().is_none()
        && present.state == RolloutState::Open;
    is_ahead.then(|| {
        let mut change = Change::open(&present.document, Vec::new());
        change.begin_again(JUDGE, StageStart::now(now));
        change
    })
}

/// Of a stage that has passed only what is found wrong afterwards counts: a judgement from before
/// may still come in, and what it says of a stage that is undecided is over. Of one whose traffic
/// has not begun, too.
fn is_of_use(document: &Document, judgement: &Judgement) -> bool {
    let is_judged = document.current().passed().is_none() && !document.awaits_its_traffic();
    is_judged || (judgement.verdict == Verdict::Rollback && judgement.purpose != Purpose::Decide)
}

fn is_news(document: &Document, judgement: &Judgement) -> bool {
    document.decision.as_ref().is_none_or(|before| {
        before.stage != judgement.stage
            || before.verdict != judgement.verdict
            || before.reason_code != judgement.reason_code
    })
}

/// Whether the stage's duration is over, by the data: never by who asked or when.
fn is_over(
    pipeline: &Pipeline,
    stage: &Stage,
    record: &StageRecord,
    judgement: &Judgement,
) -> bool {
    let interval_ms = i64::from(pipeline.analysis.interval_seconds) * 1_000;
    let grid = Grid::covering(
        record.started().get(),
        judgement.end_ms.get(),
        interval_ms.max(1),
    );
    is_stage_over(stage, grid)
}

/// What it changes when the caller has moved the traffic to a stage, or to the next one. The stages
/// between that have not passed are left.
///
/// # Errors
///
/// [`Refused`] when the rollout is over, when the stage is not one after that it is at, or when it
/// cannot begin then.
pub(super) fn advanced(
    document: &Document,
    state: RolloutState,
    pipeline: &Pipeline,
    going: GoingOn<'_>,
) -> Result<Change, Refused> {
    if state != RolloutState::Open {
        return Err(Refused::Over {
            state: state.in_words(),
        });
    }
    let place_of = |id: &str| stage_of(pipeline, id).map(|(place, _)| place);
    let current = document.current();
    let here = place_of(current.stage().as_str()).unwrap_or(0);
    let to = match going.stage {
        Some(stage) => place_of(stage)
            .ok_or_else(|| Refused::Stage(format!("the pipeline has no stage {stage:?}")))?,
        None => here + 1,
    };
    let refused = |reason: String| Err(Refused::Stage(reason));
    let Some(next) = pipeline.stages.get(to) else {
        return refused(format!(
            "{} is the last stage: there is none to go on to",
            current.stage()
        ));
    };
    if to == here {
        return refused(format!(
            "the rollout is at {} already: name a later stage, or none for the next",
            next.id
        ));
    }
    if to < here {
        return refused(format!(
            "the rollout is at {}, which comes after {}: a rollout only goes on",
            current.stage(),
            next.id
        ));
    }
    let mut earlier = document.stages.earlier();
    if let (Some(before), Some(until)) = (earlier.last_mut(), going.judged_until) {
        before.judged_until = before.judged_until.max(until);
    }
    let start = check_start(going.start, next, &earlier, going.now)?;
    let mut change = Change::open(document, Vec::new());
    let left = left_by(pipeline, Some((here, current)), to);
    change.leave(&left, next, going.caused_by);
    change.begin(next, going.caused_by, start);
    change.steps().allowed_ms = None;
    Ok(change)
}

/// What it changes when a person decides.
///
/// # Errors
///
/// [`Refused`] when the rollout is over for good.
pub(super) fn overridden(
    present: &Present,
    pipeline: &Pipeline,
    by: Overriding<'_>,
) -> Result<Change, Refused> {
    let (document, state) = (&present.document, present.state);
    if !matches!(state, RolloutState::Open | RolloutState::RolledBack) {
        return Err(Refused::Over {
            state: state.in_words(),
        });
    }
    if by.verdict == OverrideVerdict::Rollback && Acting::is_dry_run(document, pipeline) {
        let reason = "the rollout is a dry run, which rolls nothing back: cancel it";
        return Err(Refused::Stage(reason.to_owned()));
    }
    let stage = document.current().stage();
    let verdict = match by.verdict {
        OverrideVerdict::Promote => Verdict::Promote,
        OverrideVerdict::Rollback => Verdict::Rollback,
    };
    let entry = TrailEntry {
        verdict: Some(verdict),
        reason_code: Some(ReasonCode::OVERRIDE),
        ..TrailEntry::new(EventKind::Overridden, stage, by.caused_by).because(by.reason)
    };
    let mut change = Change::open(document, vec![entry]);
    let next = stage_after(pipeline, stage).filter(|_| verdict == Verdict::Promote);
    let sentence = wording::overriding(present, by.caused_by, by.reason, next);
    change.decide(Decision {
        stage: stage.clone(),
        verdict,
        reason_code: ReasonCode::OVERRIDE,
        reason: sentence.clone(),
        progress: document
            .decision
            .as_ref()
            .map_or_else(|| format!("at {stage}"), |before| before.progress.clone()),
    });
    match by.verdict {
        OverrideVerdict::Promote => {
            change.covers_its_stage(sentence);
            let now = StageStart::now(by.now);
            change.pass(pipeline, by.caused_by, now, by.now);
        }
        OverrideVerdict::Rollback => change.roll_back(by.caused_by, by.reason),
    }
    Ok(change)
}

/// What it changes when a rollout is cancelled, or when its caller says that it is over or begins
/// another one in its place. Nothing when that was said before.
pub(super) fn ended(
    present: &Present,
    end: End,
    reason: Option<&str>,
    caused_by: &str,
    at: UnixMillis,
) -> Option<Change> {
    let is_news = match end {
        End::Cancelled | End::Closed => present.is_current,
        End::Superseded => present.state == RolloutState::Open,
    };
    if !is_news {
        return None;
    }
    let mut document = present.document.clone();
    let (state, kind, is_current) = match end {
        End::Cancelled => (RolloutState::Cancelled, EventKind::Cancelled, false),
        End::Superseded => {
            document.superseded_ms = Some(at);
            (RolloutState::Superseded, EventKind::Superseded, true)
        }
        End::Closed => {
            document.ended_as = Some(present.state.into());
            (RolloutState::Closed, EventKind::Closed, false)
        }
    };
    let entry = TrailEntry::new(kind, document.current().stage(), caused_by);
    let entry = match reason {
        Some(reason) => entry.because(reason),
        None => entry,
    };
    Some(Change::over((state, is_current), document, entry))
}
