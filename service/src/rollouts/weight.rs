//! What a caller tells of the traffic, or leaves to be guessed, when its steps are counted: pure
//! functions to what is remembered next.
//! Source: docs/design/callers.md, "Flagger".

use serinus_analysis::pipeline::{Pipeline, Stage};
use serinus_openapi::rollout::EventKind;

use super::beginning::StageStart;
use super::change::Change;
use super::document::{Document, stage_of};
use super::transition::{GoingOn, Refused, advanced};
use crate::store::RolloutState;
use crate::time::UnixMillis;

/// How long a yes counts as the same call where the caller tells no weight: a second call in that
/// time is the first one again, or another hook in the same tick. Flagger's shortest tick is 10 s.
const REPEAT_MS: i64 = 8_000;

/// Where a caller is that was given a yes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Allowed {
    /// It has none that waits for its step.
    Nothing,
    /// Its step is awaited: the same yes is given again, and nothing moves.
    Awaited,
    /// Its step is over by now, as far as can be guessed.
    Guessed,
}

/// Where the caller is.
pub(super) fn allowed(document: &Document, now: UnixMillis) -> Allowed {
    let steps = document.steps;
    match steps.allowed_ms {
        None => Allowed::Nothing,
        Some(at) if steps.tells_events || now.since(at) < REPEAT_MS => Allowed::Awaited,
        Some(_) => Allowed::Guessed,
    }
}

/// A yes is given: the traffic may take one step.
pub(super) fn given(document: &Document, now: UnixMillis) -> Change {
    let mut change = Change::open(document, Vec::new());
    change.steps().allowed_ms = Some(now);
    change
}

/// The step of a yes is over, as far as can be guessed: the next stage begins, or the one it is at
/// goes on, if that one was only begun.
///
/// # Errors
///
/// As [`advanced`].
pub(super) fn guessed(
    document: &Document,
    pipeline: &Pipeline,
    going: GoingOn<'_>,
) -> Result<Change, Refused> {
    let current = document.current();
    let has_next = stage_of(pipeline, current.stage().as_str())
        .is_some_and(|(place, _)| place + 1 < pipeline.stages.len());
    // A stage that passed after the yes was given passed at the step of that yes: the step to the
    // next one has not been allowed yet.
    let allowed_ms = document.steps.allowed_ms;
    let was_passed = current
        .passed()
        .is_some_and(|passed| Some(passed) <= allowed_ms);
    let mut change = if was_passed && has_next {
        advanced(document, RolloutState::Open, pipeline, going)?
    } else {
        Change::open(document, Vec::new())
    };
    change.steps().allowed_ms = None;
    let reason = "no event tells how much traffic the canary has: the step that was allowed is \
                  taken to be over; configure the event hook";
    change.note(EventKind::WeightUnknown, going.caused_by, reason);
    Ok(change)
}

/// The last stage whose share is at most a weight; of several with the same share the first that has
/// not passed.
fn stage_at<'a>(pipeline: &'a Pipeline, document: &Document, weight: f64) -> Option<&'a Stage> {
    let mut stages = pipeline.stages.iter();
    let last = stages.rfind(|stage| stage.traffic_percent <= weight)?;
    let (here, _) = stage_of(pipeline, document.current().stage().as_str())?;
    let from = here + usize::from(document.current().passed().is_some());
    let mut to_come = pipeline.stages.iter().skip(from);
    let same = to_come.find(|stage| {
        stage
            .traffic_percent
            .total_cmp(&last.traffic_percent)
            .is_eq()
    });
    Some(same.unwrap_or(last))
}

/// An event of the caller, and the weight that it tells, in percent. Nothing when that is no news.
pub(super) fn told_event(
    document: &Document,
    pipeline: &Pipeline,
    weight_percent: Option<f64>,
    going: GoingOn<'_>,
) -> Option<Change> {
    let place = |id: &str| stage_of(pipeline, id).map_or(0, |(place, _)| place);
    let here = place(document.current().stage().as_str());
    let mut change = Change::open(document, Vec::new());
    change.steps().tells_events = true;
    let at_weight = weight_percent.and_then(|weight| stage_at(pipeline, document, weight));
    if let Some(stage) = at_weight {
        let there = place(&stage.id);
        if there > here {
            let going = GoingOn {
                stage: Some(&stage.id),
                ..going
            };
            change = advanced(document, RolloutState::Open, pipeline, going).ok()?;
            change.steps().tells_events = true;
        } else if there == here && document.steps.allowed_ms.is_some() {
            change.steps().allowed_ms = None;
            if document.current().passed().is_none() {
                change.begin_again(going.caused_by, StageStart::now(going.now));
            }
        }
    }
    (change.document() != document).then_some(change)
}
