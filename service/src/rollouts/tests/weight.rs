//! Steps that are counted, and weights that are told.

use serinus_openapi::analysis::Verdict;
use serinus_openapi::rollout::{AdvanceMode, EventKind};

use super::{at, document, going, judged, judged_after, judgement, kinds, pipeline};
use crate::rollouts::change::Change;
use crate::rollouts::document::Document;
use crate::rollouts::transition;
use crate::rollouts::weight::{self, Allowed};

/// A caller that was given a yes at 1,000 s, with its first stage passed before or only begun.
fn allowed(has_passed: bool, tells_events: bool) -> Document {
    let mut document = document(AdvanceMode::Caller);
    if has_passed {
        let judgement = judgement("one", Verdict::Promote);
        let change = transition::judged(&document, &pipeline(), &judgement, at(900_000)).unwrap();
        document = change.document().clone();
    }
    document.steps.tells_events = tells_events;
    weight::given(&document, at(1_000_000)).document().clone()
}

fn told(document: &Document, weight_percent: f64) -> Option<Change> {
    weight::told_event(document, &pipeline(), Some(weight_percent), going(None))
}

/// A yes on which the caller could not act put Serinus one stage ahead: a weight was never judged.
#[test]
fn a_yes_is_repeated_until_its_step_is_told() {
    let document = allowed(true, true);
    for now in [1_000_001, 1_060_000, 9_000_000] {
        assert_eq!(weight::allowed(&document, at(now)), Allowed::Awaited);
    }
    let change = told(&document, 10.0).unwrap();
    assert_eq!(kinds(&change), [EventKind::StageStarted]);
    let current = change.document().current();
    assert_eq!(
        (current.stage().as_str(), current.started()),
        ("two", at(4_000_000))
    );
    assert_eq!(
        weight::allowed(change.document(), at(4_000_001)),
        Allowed::Nothing
    );
}

#[test]
fn without_events_a_yes_is_repeated_within_a_tick_and_then_taken_as_done() {
    let document = allowed(true, false);
    assert_eq!(weight::allowed(&document, at(1_007_999)), Allowed::Awaited);
    assert_eq!(weight::allowed(&document, at(1_008_000)), Allowed::Guessed);
    let change = weight::guessed(&document, &pipeline(), going(None)).unwrap();
    assert_eq!(
        kinds(&change),
        [EventKind::StageStarted, EventKind::WeightUnknown]
    );
    assert_eq!(
        weight::allowed(change.document(), at(9_000_000)),
        Allowed::Nothing
    );
    // The first yes of all: its stage has begun already.
    let change = weight::guessed(&allowed(false, false), &pipeline(), going(None)).unwrap();
    assert_eq!(kinds(&change), [EventKind::WeightUnknown]);
    assert_eq!(*change.document().current().stage(), *"one");
}

/// Else the second stage would be judged at the traffic of the first.
#[test]
fn a_stage_that_passes_before_its_first_step_is_guessed_does_not_begin_the_next() {
    let document = allowed(false, false);
    let change = judged(&document, "one", Verdict::Promote).unwrap();
    let passed = change.document();
    assert!(passed.current().passed() > passed.steps.allowed_ms);
    let change = weight::guessed(passed, &pipeline(), going(None)).unwrap();
    assert_eq!(kinds(&change), [EventKind::WeightUnknown]);
    assert_eq!(*change.document().current().stage(), *"one");
    assert_eq!(
        weight::allowed(change.document(), at(9_000_000)),
        Allowed::Nothing
    );
}

#[test]
fn the_first_stage_begins_when_its_traffic_does() {
    let change = told(&allowed(false, true), 1.0).unwrap();
    assert_eq!(kinds(&change), [EventKind::StageStarted]);
    assert_eq!(change.document().current().started(), at(4_000_000));
    assert_eq!(change.document().stages.iter().count(), 1);
}

#[test]
fn a_weight_between_two_stages_is_that_of_the_lower() {
    let change = told(&allowed(true, true), 9.9).unwrap();
    assert_eq!(kinds(&change), [] as [EventKind; 0]);
    assert_eq!(*change.document().current().stage(), *"one");
    // So that the next yes can be given.
    assert_eq!(
        weight::allowed(change.document(), at(9_000_000)),
        Allowed::Nothing
    );
    let jumped = told(&allowed(false, true), 99.0).unwrap();
    assert_eq!(*jumped.document().current().stage(), *"three");
}

/// Load tests reach a canary at weight 0: what they show passes no stage, and proof still counts.
#[test]
fn a_stage_whose_traffic_has_not_begun_cannot_pass() {
    let awaited = allowed(false, true);
    assert_eq!(judged(&awaited, "one", Verdict::Promote), None);
    let failed = judged_after(&awaited, "one", Verdict::Rollback).unwrap();
    assert_eq!(kinds(&failed), [EventKind::Decided, EventKind::RolledBack]);
    let begun = told(&awaited, 1.0).unwrap();
    assert!(judged(begun.document(), "one", Verdict::Promote).is_some());
}

/// The first of them was left, and never judged.
#[test]
fn of_stages_with_the_same_share_the_first_that_has_not_passed_begins() {
    let mut equal = pipeline();
    equal.stages[1].traffic_percent = 1.0;
    let at_one = |document: &Document| {
        let change = weight::told_event(document, &equal, Some(1.0), going(None));
        change.unwrap().document().current().stage().to_string()
    };
    assert_eq!(at_one(&allowed(false, true)), "one");
    assert_eq!(at_one(&allowed(true, true)), "two");
}

#[test]
fn an_event_without_news_changes_nothing() {
    let document = allowed(true, true);
    assert_eq!(told(&document, 0.5), None);
    let no_weight = weight::told_event(&document, &pipeline(), None, going(None));
    assert_eq!(no_weight, None);
    let first = weight::told_event(&allowed(true, false), &pipeline(), None, going(None));
    assert!(first.unwrap().document().steps.tells_events);
}
