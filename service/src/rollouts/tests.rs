//! How a rollout changes, and what is remembered of it. What is told of it: `telling`.

mod telling;

use std::sync::Arc;

use serinus_analysis::pipeline::{Pipeline, parse};
use serinus_openapi::Word;
use serinus_openapi::analysis::{ReasonCode, Verdict};
use serinus_openapi::population::Population;
use serinus_openapi::rollout::{AdvanceMode, EventKind, OverrideVerdict};
use uuid::Uuid;

use super::beginning::{StageStart, StartRule, check_start};
use super::document::{Begun, Document, StageId, StageRecord, stage_of};
use super::live::Live;
use super::memory::Memory;
use super::schedule::window_end;
use super::transition::{self, Change, End, JUDGE, Judgement, Refused};
use crate::store::{RolloutId, RolloutKey, RolloutState, StoredRollout};
use crate::time::UnixMillis;

const YAML: &str = "\
control: {track: stable}
canary: {track: canary}
canary_pipeline:
  one: {traffic_percent: 1, duration_minutes: 60, metrics: [error_rate < 0.01]}
  two: {traffic_percent: 10, duration_minutes: 60, metrics: [error_rate < 0.01]}
  three: {traffic_percent: 50, duration_minutes: 60, metrics: [error_rate < 0.01]}
";

fn pipeline() -> Pipeline {
    parse(YAML, "checkout").unwrap()
}

fn at(milliseconds: i64) -> UnixMillis {
    UnixMillis::new(milliseconds)
}

fn id(stage: &str) -> StageId {
    let pipeline = pipeline();
    let (_, stage) = stage_of(&pipeline, stage).unwrap();
    StageId::of(stage)
}

fn begins(stage: &str) -> Begun {
    Begun::first(StageRecord::begins(id(stage), StageStart::now(at(0))))
}

fn document(advance: AdvanceMode) -> Document {
    let pipeline = pipeline();
    Document {
        pipeline_yaml: YAML.to_owned(),
        control: Population::from(&pipeline.control),
        canary: Population::from(&pipeline.canary),
        source: None,
        dry_run: false,
        advance,
        stages: begins("one"),
        decision: None,
    }
}

fn judgement(stage: &str, verdict: Verdict) -> Judgement {
    Judgement {
        stage: id(stage),
        verdict,
        reason_code: match verdict {
            Verdict::Promote => ReasonCode::PASSED,
            _ => ReasonCode::NO_DATA,
        },
        reason: format!("{stage} was judged"),
        progress: "stage 1 of 3, 1 of 60 minutes".to_owned(),
        end_ms: at(3_600_000),
        made_ms: at(3_700_000),
        answer: None,
    }
}

fn judged(document: &Document, stage: &str, verdict: Verdict) -> Option<Change> {
    let judgement = judgement(stage, verdict);
    transition::judged(document, &pipeline(), &judgement, at(3_700_000))
}

fn kinds(change: &Change) -> Vec<Word<EventKind>> {
    let trail = change.trail().iter();
    trail.map(|entry| entry.kind.clone()).collect()
}

#[test]
fn the_same_answer_again_leaves_no_trace() {
    let first = judged(&document(AdvanceMode::Caller), "one", Verdict::Hold).unwrap();
    assert_eq!(kinds(&first), [EventKind::Decided]);
    assert_eq!(judged(first.document(), "one", Verdict::Hold), None);
}

#[test]
fn a_stage_that_passed_waits_for_its_caller() {
    let change = judged(&document(AdvanceMode::Caller), "one", Verdict::Promote).unwrap();
    assert_eq!(kinds(&change), [EventKind::Decided, EventKind::StagePassed]);
    assert_eq!(change.state(), RolloutState::Open);
    assert_eq!(change.document().stages.iter().count(), 1);
    // Whatever is judged of it later changes nothing.
    assert_eq!(judged(change.document(), "one", Verdict::Rollback), None);
}

/// So that the next stage is the same whenever the one before is judged.
#[test]
fn the_next_stage_begins_where_the_judged_data_ends() {
    let change = judged(&document(AdvanceMode::Automatic), "one", Verdict::Promote).unwrap();
    assert_eq!(
        kinds(&change),
        [
            EventKind::Decided,
            EventKind::StagePassed,
            EventKind::StageStarted
        ]
    );
    let current = change.document().current();
    assert_eq!(
        (current.stage().as_str(), current.started()),
        ("two", at(3_600_000))
    );
}

#[test]
fn the_last_stage_ends_the_rollout() {
    let mut document = document(AdvanceMode::Automatic);
    document.stages = begins("three");
    let change = judged(&document, "three", Verdict::Promote).unwrap();
    assert_eq!(change.state(), RolloutState::Promoted);
    assert!(change.is_current());
}

#[test]
fn a_rollback_is_final_until_a_human_decides() {
    let change = judged(&document(AdvanceMode::Automatic), "one", Verdict::Rollback).unwrap();
    assert_eq!(change.state(), RolloutState::RolledBack);
    assert!(change.is_current(), "its key goes on meaning it");
    let advanced = |stage| {
        let pipeline = pipeline();
        let start = StageStart::now(at(0));
        transition::advanced(
            change.document(),
            change.state(),
            &pipeline,
            stage,
            "argo",
            start,
        )
    };
    assert!(matches!(advanced(None), Err(Refused::Over { .. })));
    let reopened = transition::overridden(
        change.document(),
        change.state(),
        &pipeline(),
        OverrideVerdict::Promote,
        "a known outage",
        "ada",
        at(5_000_000),
    )
    .unwrap();
    assert_eq!(reopened.state(), RolloutState::Open);
    assert_eq!(*reopened.document().current().stage(), *"two");
    assert_eq!(reopened.trail()[0].caused_by, "ada");
}

#[test]
fn a_rollout_only_goes_on() {
    let document = document(AdvanceMode::Caller);
    let to = |document: &Document, stage| {
        let start = StageStart::now(at(9));
        transition::advanced(
            document,
            RolloutState::Open,
            &pipeline(),
            stage,
            "argo",
            start,
        )
    };
    let second = to(&document, None).unwrap().unwrap();
    assert_eq!(*second.document().current().stage(), *"two");
    assert_eq!(second.document().current().started(), at(9));
    let third = to(second.document(), Some("three")).unwrap().unwrap();
    assert_eq!(to(third.document(), Some("three")), Ok(None));
    for stage in [Some("one"), Some("four"), None] {
        assert!(matches!(
            to(third.document(), stage),
            Err(Refused::Stage(_))
        ));
    }
}

#[test]
fn what_was_ended_is_ended_once() {
    let document = document(AdvanceMode::Caller);
    let end = End::Cancelled;
    let change = transition::ended(&document, true, end, Some("replaced"), "ada").unwrap();
    assert!(!change.is_current());
    assert_eq!(change.trail()[0].reason.as_deref(), Some("replaced"));
    assert_eq!(transition::ended(&document, false, end, None, "ada"), None);
}

fn key(text: &str) -> RolloutKey {
    RolloutKey::new(text).unwrap()
}

fn stored(document: &Document, state: RolloutState) -> StoredRollout {
    StoredRollout {
        id: RolloutId::new(Uuid::from_u128(1)),
        pipeline: "checkout".to_owned(),
        key: key("a"),
        attempt: 1,
        state,
        is_current: true,
        version: 1,
        created_ms: at(0),
        updated_ms: at(0),
        closed_ms: None,
        document: serde_json::to_string(document).unwrap(),
    }
}

fn live(document: &Document, state: RolloutState) -> Live {
    Live::read(&stored(document, state)).unwrap()
}

#[test]
fn memory_forgets_what_was_over_until_a_time_and_nothing_that_is_open() {
    let memory = Memory::default();
    let document = document(AdvanceMode::Caller);
    let ended = |number, name: &str, state, updated_ms| StoredRollout {
        id: RolloutId::new(Uuid::from_u128(number)),
        key: key(name),
        updated_ms: at(updated_ms),
        ..stored(&document, state)
    };
    for rollout in [
        ended(1, "old", RolloutState::Promoted, 5),
        ended(2, "young", RolloutState::Promoted, 6),
        ended(3, "open", RolloutState::Open, 1),
    ] {
        memory.adopt(&rollout).unwrap();
    }
    memory.forget_over_since(at(5));
    assert_eq!(memory.count(), 2);
    assert!(memory.current("checkout", &key("old")).is_none());
    assert!(memory.by_id(RolloutId::new(Uuid::from_u128(1))).is_none());
    assert!(memory.current("checkout", &key("young")).is_some());
    assert!(memory.current("checkout", &key("open")).is_some());
}

#[test]
fn a_document_survives_its_text() {
    let change = judged(&document(AdvanceMode::Automatic), "one", Verdict::Promote).unwrap();
    let text = serde_json::to_string(change.document()).unwrap();
    assert_eq!(
        serde_json::from_str::<Document>(&text).unwrap(),
        *change.document()
    );
    assert_eq!(change.trail()[0].caused_by, JUDGE);
    let pipeline = change.document().pipeline("checkout").unwrap();
    assert_eq!(Arc::new(pipeline).stages.len(), 3);
}

/// It was told as `no_data`, with the advice to make the window longer.
#[test]
fn a_stage_is_judged_to_an_end_only_when_a_whole_interval_of_it_is_sealed() {
    let pipeline = pipeline();
    assert_eq!(pipeline.analysis.interval_seconds, 30);
    let end = |started| window_end(&pipeline, at(started), at(90_000));
    assert_eq!(end(30_000), Some(at(90_000)));
    assert_eq!(end(60_000), Some(at(90_000)));
    assert_eq!(end(60_001), None);
    assert_eq!(end(90_000), None);
    assert_eq!(end(120_000), None);
}

/// Each way in says to which rule its `start` is held; nothing else tells them apart.
#[test]
fn a_start_is_held_to_the_rule_that_its_way_in_names() {
    let pipeline = pipeline();
    let now = at(1_800_000_000_000);
    let first = StartRule::CanBeJudged(&pipeline, &pipeline.stages[0]);
    let refused = |given: UnixMillis, rule| {
        let checked = check_start(Some(given), now, rule);
        checked.err().map(|error| error.to_string())
    };
    for (given, words) in [
        (now.plus(1), "in the future"),
        (at(-1), "before 1970"),
        (at(0), "more than 20160"),
    ] {
        let told = refused(given, first).unwrap();
        assert!(told.contains(words), "{told}");
        assert_eq!(refused(given, StartRule::AsGiven), None);
    }
    assert_eq!(
        refused(now.plus(1), StartRule::NotInTheFuture),
        refused(now.plus(1), first)
    );
    assert_eq!(refused(at(-1), StartRule::NotInTheFuture), None);
    for rule in [first, StartRule::NotInTheFuture, StartRule::AsGiven] {
        assert_eq!(check_start(None, now, rule), Ok(StageStart::now(now)));
        let earlier = now.minus(60_000);
        let expected = Ok(StageStart::now(earlier));
        assert_eq!(check_start(Some(earlier), now, rule), expected);
    }
}
