//! The sentences of [`telling`](super::telling), each about one thing that can have happened.

use serinus_analysis::judge::duration_text;
use serinus_analysis::pipeline::{Pipeline, Stage};
use serinus_openapi::analysis::{ReasonCode, Verdict, timestamp};
use serinus_openapi::rollout::{self, StageState};

use super::RolloutError;
use super::document::{StageId, StageRecord, stage_of};
use super::live::Present;
use super::standing::Standing;
use crate::store::RolloutState;
use crate::time::UnixMillis;

/// `12 minutes`, of a stretch of time.
pub(super) fn minutes_of(milliseconds: i64) -> String {
    let minutes = (milliseconds.max(0) as f64 / 6_000.0).floor() / 10.0;
    format!("{minutes}")
}

/// A stage's duration.
pub(super) fn duration(minutes: f64) -> String {
    duration_text(minutes)
}

/// A moment, to the minute.
pub(super) fn moment(at: UnixMillis) -> String {
    timestamp(at.get()).format("%Y-%m-%d %H:%M UTC").to_string()
}

/// `stage 2 of 4`.
pub(super) fn progress(pipeline: &Pipeline, stage: &StageId) -> String {
    let place = stage_of(pipeline, stage.as_str()).map_or(0, |(place, _)| place + 1);
    format!("stage {place} of {}", pipeline.stages.len())
}

/// The caller went on from one stage to another before it had passed.
pub(super) fn went_on_without(stage: &StageId, to: &Stage) -> String {
    format!("the caller went on to {} before {stage} had passed", to.id)
}

/// Of a rollout whose judging failed by a mistake of Serinus.
pub(super) fn unjudged() -> &'static str {
    "judging it failed by a mistake in Serinus, and is tried again: the log says what happened"
}

/// Of a stage that began later than it is now.
pub(super) fn begun_ahead(started: UnixMillis) -> String {
    format!(
        "the stage began at {}, which lies in the future by the clock of this service: it is judged \
         when that time has come, or the clock is set right and its default source confirms it",
        moment(started)
    )
}

/// Of a stage that was left: `next` is where the caller went.
pub(super) fn left(stage: &str, next: &StageRecord) -> String {
    format!(
        "the caller went on to {} at {} before {stage} had passed",
        next.stage(),
        moment(next.started())
    )
}

/// Of a stage that the rollout has not come to.
pub(super) fn not_reached(at: &StageRecord, pipeline: &Pipeline, asked: &Stage) -> String {
    let here = at.stage();
    if at.passed().is_none() {
        return format!(
            "the rollout is at {here}, which has not passed; POST to this address, or advance, \
             goes on without it"
        );
    }
    let between = stage_of(pipeline, here.as_str())
        .and_then(|(place, _)| pipeline.stages.get(place + 1))
        .filter(|next| next.id != asked.id);
    match between {
        Some(next) => format!(
            "the rollout is at {here}, and {} comes next; POST to this address, or advance, goes \
             on without it",
            next.id
        ),
        None => format!("the rollout is at {here}"),
    }
}

/// Of a rollout that is over because somebody said so.
pub(super) fn over(state: RolloutState, ended_as: Option<rollout::RolloutState>) -> String {
    // What a caller that goes on polling would do without meaning to.
    let anew = match state {
        RolloutState::Cancelled => {
            ": a POST with its key, or a GET of the first stage's gate, begins another attempt unless \
             one has begun since"
        }
        _ => "",
    };
    let state = state.in_words();
    match ended_as {
        Some(ended) => format!(
            "the rollout is over ({state}, it was {})",
            RolloutState::from(ended).in_words()
        ),
        None => format!("the rollout is over ({state}){anew}"),
    }
}

impl RolloutState {
    /// Its name in a sentence.
    pub(super) fn in_words(self) -> String {
        self.as_str().replace('_', " ")
    }
}

/// Of a rollout in whose place another one began.
pub(super) fn superseded(at: Option<UnixMillis>) -> String {
    let when = at.map_or_else(String::new, |at| format!(" at {}", moment(at)));
    format!("another revision began{when}; POST with this key begins anew")
}

/// What a person has decided, and what the checks had said.
pub(super) fn overriding(
    present: &Present,
    caused_by: &str,
    reason: &str,
    next: Option<&Stage>,
) -> String {
    let said = said_by_the_checks(present).map_or_else(
        || "nothing had been judged".to_owned(),
        |(verdict, why)| format!("the checks had said {} ({why})", verdict.name()),
    );
    let anew = next.map_or_else(String::new, |next| {
        format!(
            "; evidence, kill switches and alpha begin anew with {}",
            next.id
        )
    });
    format!("decided by {caused_by}: {reason}{anew}; {said}")
}

/// The newest that the checks of the current stage have said.
fn said_by_the_checks(present: &Present) -> Option<(Verdict, &str)> {
    let stage = present.document.current().stage();
    let decision = present.document.decision.as_ref();
    let decision = decision.filter(|decision| {
        decision.stage == *stage && decision.reason_code != ReasonCode::OVERRIDE
    });
    let judged = present.judgement.as_ref();
    let judged = judged.filter(|judgement| judgement.stage == *stage);
    match (present.state, decision, judged) {
        // A rollback is final, and what was judged since says nothing about it.
        (RolloutState::RolledBack, Some(decision), _) | (_, Some(decision), None) => {
            Some((decision.verdict, &decision.reason))
        }
        (_, _, Some(judgement)) => Some((judgement.verdict, &judgement.reason)),
        (_, None, None) => None,
    }
}

/// How many stages of a rollout passed that is over: `all 4 stages passed`, or what became of those
/// that did not.
pub(super) fn stages_over(present: &Present, pipeline: &Pipeline) -> String {
    let count = pipeline.stages.len();
    let passed = in_state(present, pipeline, StageState::Passed).len();
    if passed == count {
        return match count {
            1 => "its stage passed".to_owned(),
            _ => format!("all {count} stages passed"),
        };
    }
    let mut text = format!("{passed} of {count} stages passed");
    for (state, word) in [
        (StageState::Overridden, "overridden"),
        (StageState::Left, "left"),
    ] {
        let names = in_state(present, pipeline, state);
        if !names.is_empty() {
            text = format!("{text}; {word}: {}", names.join(", "));
        }
    }
    text
}

/// Why a rollout is promoted.
pub(super) fn promoted(present: &Present, pipeline: &Pipeline) -> String {
    let passed = in_state(present, pipeline, StageState::Passed).len();
    let without_acting = found_without_acting(present, pipeline);
    let remarks = remarks(present);
    if passed == pipeline.stages.len() {
        return format!(
            "every stage of {} has passed{without_acting}{remarks}",
            pipeline.name
        );
    }
    let last = present.document.current().stage();
    format!(
        "{last}, the last stage of {}, has passed; {}{without_acting}{remarks}",
        pipeline.name,
        stages_over(present, pipeline)
    )
}

/// What the checks of the last stage said beside that they passed: nobody asks that stage again.
fn remarks(present: &Present) -> String {
    match said_by_the_checks(present) {
        Some((Verdict::Promote, said)) => {
            let remarks = said.split_once("; ").map(|(_, remarks)| remarks);
            remarks.map_or_else(String::new, |remarks| format!("; {remarks}"))
        }
        _ => String::new(),
    }
}

/// What shadow stages found that would have ended the rollout.
fn found_without_acting(present: &Present, pipeline: &Pipeline) -> String {
    let stages = pipeline.stages.iter();
    let found = stages.filter(|stage| {
        let record = present.document.record_of(&stage.id);
        let found = record.and_then(StageRecord::found);
        found.is_some_and(|found| found.verdict == Verdict::Rollback)
    });
    let names: Vec<&str> = found.map(|stage| stage.id.as_str()).collect();
    if names.is_empty() {
        return String::new();
    }
    format!(
        "; judged without acting, {} would have rolled back",
        names.join(", ")
    )
}

fn in_state<'a>(present: &Present, pipeline: &'a Pipeline, state: StageState) -> Vec<&'a str> {
    let stages = pipeline.stages.iter();
    stages
        .filter(|stage| present.stage_state(pipeline, stage) == state)
        .map(|stage| stage.id.as_str())
        .collect()
}

/// What a dry run that is over would have done, and when.
pub(super) fn dry_run(present: &Present, pipeline: &Pipeline) -> (Verdict, String) {
    let ended = pipeline.stages.iter().find_map(|stage| {
        let Standing::Passed(record) = present.standing(pipeline, stage) else {
            return None;
        };
        let found = record.found()?;
        (found.verdict != Verdict::Promote).then_some((stage, found))
    });
    let Some((stage, found)) = ended else {
        let last = present.document.current().found();
        let when = last.map_or_else(String::new, |found| format!(" at {}", moment(found.at_ms)));
        let reason = format!("dry run, over: it would have been promoted{when}");
        return (Verdict::Promote, reason);
    };
    let what = match found.verdict {
        Verdict::Rollback => "rolled back",
        Verdict::Hold | Verdict::Promote => "held",
    };
    let reason = format!(
        "dry run, over: it would have been {what} in {} at {}: {}",
        stage.id,
        moment(found.at_ms),
        found.reason
    );
    (found.verdict, reason)
}

/// Why a rollout holds that goes on and cannot be recorded.
pub(super) fn unrecorded(error: &RolloutError) -> String {
    format!("nothing can be recorded: {error}")
}

/// Why a rollout holds whose store is not the one any more that it was recorded in.
pub(super) fn lost(doubt: &str) -> String {
    format!("nothing can be recorded: {doubt}")
}
