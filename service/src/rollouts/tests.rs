//! How a rollout changes, and what is told of it.

use std::sync::Arc;

use serinus_analysis::pipeline::{Pipeline, parse};
use serinus_openapi::analysis::{ReasonCode, Verdict};
use serinus_openapi::population::Population;
use serinus_openapi::rollout::{AdvanceMode, EventKind, OverrideVerdict};
use uuid::Uuid;

use super::document::{Document, StageRecord};
use super::judging::window_end_ms;
use super::live::Live;
use super::memory::Memory;
use super::transition::{self, Change, JUDGE, Judgement, Refused};
use crate::store::{RolloutState, StoredRollout};

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

fn document(advance: AdvanceMode) -> Document {
    let pipeline = pipeline();
    Document {
        pipeline_yaml: YAML.to_owned(),
        control: Population::from(&pipeline.control),
        canary: Population::from(&pipeline.canary),
        source: None,
        dry_run: false,
        advance,
        stages: vec![StageRecord {
            stage: "one".to_owned(),
            started_ms: 0,
            passed_ms: None,
        }],
        decision: None,
    }
}

fn judgement(stage: &str, verdict: Verdict) -> Judgement {
    Judgement {
        stage: stage.to_owned(),
        verdict,
        reason_code: match verdict {
            Verdict::Promote => ReasonCode::PASSED,
            _ => ReasonCode::NO_DATA,
        },
        reason: format!("{stage} was judged"),
        progress: "stage 1 of 3, 1 of 60 minutes".to_owned(),
        end_ms: 3_600_000,
        made_ms: 3_700_000,
        answer: None,
    }
}

fn judged(document: &Document, stage: &str, verdict: Verdict) -> Option<Change> {
    transition::judged(document, &pipeline(), &judgement(stage, verdict), 3_700_000)
}

fn kinds(change: &Change) -> Vec<EventKind> {
    change.trail.iter().map(|entry| entry.kind).collect()
}

#[test]
fn the_same_answer_again_leaves_no_trace() {
    let first = judged(&document(AdvanceMode::Caller), "one", Verdict::Hold).unwrap();
    assert_eq!(kinds(&first), [EventKind::Decided]);
    assert_eq!(judged(&first.document, "one", Verdict::Hold), None);
}

#[test]
fn a_stage_that_passed_waits_for_its_caller() {
    let change = judged(&document(AdvanceMode::Caller), "one", Verdict::Promote).unwrap();
    assert_eq!(kinds(&change), [EventKind::Decided, EventKind::StagePassed]);
    assert_eq!(change.state, RolloutState::Open);
    assert_eq!(change.document.stages.len(), 1);
    // Whatever is judged of it later changes nothing.
    assert_eq!(judged(&change.document, "one", Verdict::Rollback), None);
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
    let current = change.document.current().unwrap();
    assert_eq!(
        (current.stage.as_str(), current.started_ms),
        ("two", 3_600_000)
    );
}

#[test]
fn the_last_stage_ends_the_rollout() {
    let mut document = document(AdvanceMode::Automatic);
    document.stages[0].stage = "three".to_owned();
    let change = judged(&document, "three", Verdict::Promote).unwrap();
    assert_eq!(change.state, RolloutState::Promoted);
    assert!(change.is_current);
}

#[test]
fn a_rollback_is_final_until_a_human_decides() {
    let change = judged(&document(AdvanceMode::Automatic), "one", Verdict::Rollback).unwrap();
    assert_eq!(change.state, RolloutState::RolledBack);
    assert!(change.is_current, "its key goes on meaning it");
    let advanced = |stage| {
        let pipeline = pipeline();
        transition::advanced(&change.document, change.state, &pipeline, stage, "argo", 0)
    };
    assert!(matches!(advanced(None), Err(Refused::Over { .. })));
    let reopened = transition::overridden(
        &change.document,
        change.state,
        &pipeline(),
        OverrideVerdict::Promote,
        "a known outage",
        "ada",
        5_000_000,
    )
    .unwrap();
    assert_eq!(reopened.state, RolloutState::Open);
    assert_eq!(reopened.document.current().unwrap().stage, "two");
    assert_eq!(reopened.trail[0].caused_by, "ada");
}

#[test]
fn a_rollout_only_goes_on() {
    let document = document(AdvanceMode::Caller);
    let to = |document: &Document, stage| {
        transition::advanced(document, RolloutState::Open, &pipeline(), stage, "argo", 9)
    };
    let second = to(&document, None).unwrap().unwrap();
    assert_eq!(second.document.current().unwrap().stage, "two");
    assert_eq!(second.document.current().unwrap().started_ms, 9);
    let third = to(&second.document, Some("three")).unwrap().unwrap();
    assert_eq!(to(&third.document, Some("three")), Ok(None));
    for stage in [Some("one"), Some("four"), None] {
        assert!(matches!(to(&third.document, stage), Err(Refused::Stage(_))));
    }
}

#[test]
fn what_was_ended_is_ended_once() {
    let document = document(AdvanceMode::Caller);
    let end = RolloutState::Cancelled;
    let change = transition::ended(&document, true, end, Some("replaced"), "ada").unwrap();
    assert!(!change.is_current);
    assert_eq!(change.trail[0].reason.as_deref(), Some("replaced"));
    assert_eq!(transition::ended(&document, false, end, None, "ada"), None);
}

fn stored(document: &Document, state: RolloutState) -> StoredRollout {
    StoredRollout {
        id: Uuid::from_u128(1),
        pipeline: "checkout".to_owned(),
        key: "a".to_owned(),
        attempt: 1,
        state,
        is_current: true,
        version: 1,
        created_ms: 0,
        updated_ms: 0,
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
    let ended = |number, key: &str, state, updated_ms| StoredRollout {
        id: Uuid::from_u128(number),
        key: key.to_owned(),
        updated_ms,
        ..stored(&document, state)
    };
    for rollout in [
        ended(1, "old", RolloutState::Promoted, 5),
        ended(2, "young", RolloutState::Promoted, 6),
        ended(3, "open", RolloutState::Open, 1),
    ] {
        memory.adopt(&rollout).unwrap();
    }
    memory.forget_over_since(5);
    assert_eq!(memory.count(), 2);
    assert!(memory.current("checkout", "old").is_none());
    assert!(memory.by_id(Uuid::from_u128(1)).is_none());
    assert!(memory.current("checkout", "young").is_some());
    assert!(memory.current("checkout", "open").is_some());
}

fn told(live: &Live, stage: Option<&str>) -> (Verdict, String) {
    let told = live.present().told(&live.pipeline, stage);
    (told.verdict, told.reason_code.token().to_owned())
}

#[test]
fn a_stage_is_held_until_its_promotion_is_recorded() {
    let live = live(&document(AdvanceMode::Caller), RolloutState::Open);
    let collecting = (Verdict::Hold, "still_collecting".to_owned());
    assert_eq!(told(&live, Some("one")), collecting);
    live.note(judgement("one", Verdict::Hold));
    assert_eq!(
        told(&live, Some("one")),
        (Verdict::Hold, "no_data".to_owned())
    );
    // A judgement that could not be recorded must not be told: it may be lost.
    live.note(judgement("one", Verdict::Promote));
    assert_eq!(told(&live, Some("one")), collecting);
    assert_eq!(told(&live, Some("two")), collecting);
}

#[test]
fn a_stage_that_passed_stays_passed() {
    let change = judged(&document(AdvanceMode::Automatic), "one", Verdict::Promote).unwrap();
    let live = live(&change.document, change.state);
    assert_eq!(
        told(&live, Some("one")),
        (Verdict::Promote, "passed".to_owned())
    );
    assert_eq!(told(&live, Some("two")).0, Verdict::Hold);
    assert_eq!(
        told(&live, None).0,
        Verdict::Hold,
        "not all stages have passed"
    );
}

#[test]
fn a_rollback_is_told_for_every_stage() {
    let change = judged(&document(AdvanceMode::Caller), "one", Verdict::Rollback).unwrap();
    let live = live(&change.document, change.state);
    for stage in [None, Some("one"), Some("two")] {
        assert_eq!(told(&live, stage).0, Verdict::Rollback);
    }
}

#[test]
fn a_dry_run_always_lets_pass_and_tells_the_truth() {
    let mut document = document(AdvanceMode::Caller);
    document.dry_run = true;
    let change = judged(&document, "one", Verdict::Rollback).unwrap();
    let live = live(&change.document, change.state);
    let told = live.present().told(&live.pipeline, Some("one"));
    let (acted_on, reason) = told.acted_on();
    assert_eq!(
        (acted_on, told.verdict),
        (Verdict::Promote, Verdict::Rollback)
    );
    assert!(
        reason.starts_with("dry run, the verdict is rollback: "),
        "{reason}"
    );
}

#[test]
fn a_document_survives_its_text() {
    let change = judged(&document(AdvanceMode::Automatic), "one", Verdict::Promote).unwrap();
    let text = serde_json::to_string(&change.document).unwrap();
    assert_eq!(
        serde_json::from_str::<Document>(&text).unwrap(),
        change.document
    );
    assert_eq!(change.trail[0].caused_by, JUDGE);
    let pipeline = change.document.pipeline("checkout").unwrap();
    assert_eq!(Arc::new(pipeline).stages.len(), 3);
}

/// It was told as `no_data`, with the advice to make the window longer.
#[test]
fn a_stage_is_judged_to_an_end_only_when_a_whole_interval_of_it_is_sealed() {
    let pipeline = pipeline();
    assert_eq!(pipeline.analysis.interval_seconds, 30);
    let end_ms = |started_ms| window_end_ms(&pipeline, started_ms, 90_000);
    assert_eq!(end_ms(30_000), Some(90_000));
    assert_eq!(end_ms(60_000), Some(90_000));
    assert_eq!(end_ms(60_001), None);
    assert_eq!(end_ms(90_000), None);
    assert_eq!(end_ms(120_000), None);
}
