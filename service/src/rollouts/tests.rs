//! How a rollout changes, and what is remembered of it. What moves it: `moving`; when a stage begins:
//! `beginning`; a clock that is set: `clock`; what acts: `acting`; what is told of it: `telling`; steps that are counted: `weight`.

mod acting;
mod beginning;
mod clock;
mod moving;
mod telling;
mod weight;

use std::sync::Arc;

use serinus_analysis::data::Purpose;
use serinus_analysis::pipeline::{Pipeline, parse};
use serinus_openapi::Word;
use serinus_openapi::analysis::{ReasonCode, Verdict};
use serinus_openapi::population::Population;
use serinus_openapi::rollout::{AdvanceMode, EventKind, OverrideVerdict};
use uuid::Uuid;

use super::beginning::StageStart;
use super::change::Change;
use super::document::{Begun, Document, METHOD_VERSION, StageId, StageRecord, Steps, stage_of};
use super::judgement::{JUDGE, Judgement};
use super::live::{Live, Present, Watched};
use super::memory::Memory;
use super::schedule::looked_at;
use super::transition::{self, End, GoingOn, Overriding, Refused};
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
        ended_as: None,
        superseded_ms: None,
        steps: Steps::default(),
        interval_seconds: None,
        method_version: METHOD_VERSION,
    }
}

fn judgement(stage: &str, verdict: Verdict) -> Judgement {
    Judgement {
        stage: id(stage),
        started: at(0),
        purpose: Purpose::Decide,
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
    let judgement = Judgement {
        started: document.current().started(),
        ..judgement(stage, verdict)
    };
    transition::judged(document, &pipeline(), &judgement, at(3_700_000))
}

/// What is judged of a stage that has passed.
fn judged_after(document: &Document, stage: &str, verdict: Verdict) -> Option<Change> {
    let judgement = Judgement {
        purpose: Purpose::AfterPassing,
        started: document.current().started(),
        ..judgement(stage, verdict)
    };
    transition::judged(document, &pipeline(), &judgement, at(3_800_000))
}

fn present(document: &Document, state: RolloutState) -> Present {
    Present {
        version: 1,
        state,
        is_current: true,
        updated_ms: at(0),
        document: document.clone(),
        judgement: None,
    }
}

fn going(stage: Option<&str>) -> GoingOn<'_> {
    GoingOn {
        stage,
        start: None,
        judged_until: None,
        caused_by: "argo",
        now: at(4_000_000),
    }
}

fn advanced(document: &Document, stage: Option<&str>) -> Result<Change, Refused> {
    transition::advanced(document, RolloutState::Open, &pipeline(), going(stage))
}

fn overridden(document: &Document, state: RolloutState, verdict: OverrideVerdict) -> Change {
    let by = Overriding {
        verdict,
        reason: "a known outage",
        caused_by: "ada",
        now: at(5_000_000),
    };
    transition::overridden(&present(document, state), &pipeline(), by).unwrap()
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
    // A judgement that was under way when it passed changes nothing.
    assert_eq!(judged(change.document(), "one", Verdict::Rollback), None);
}

/// Its answer came after the stage had begun again, and passed it within a second.
#[test]
fn a_judgement_of_the_time_before_a_stage_began_is_of_no_use() {
    let mut begun_again = document(AdvanceMode::Caller);
    let under_way = judgement("one", Verdict::Promote);
    begun_again.stages.begin_again(StageStart::now(at(9)));
    let change = transition::judged(&begun_again, &pipeline(), &under_way, at(10));
    assert_eq!(change, None);
}

/// A canary that failed 90 % of its requests was told `promote` for minutes.
#[test]
fn nobody_looks_away_between_stages() {
    let passed = judged(&document(AdvanceMode::Caller), "one", Verdict::Promote).unwrap();
    for verdict in [Verdict::Hold, Verdict::Promote] {
        assert_eq!(judged_after(passed.document(), "one", verdict), None);
    }
    let found = judged_after(passed.document(), "one", Verdict::Rollback).unwrap();
    assert_eq!(kinds(&found), [EventKind::Decided, EventKind::RolledBack]);
    assert_eq!(found.state(), RolloutState::RolledBack);
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
    let refused = transition::advanced(change.document(), change.state(), &pipeline(), going(None));
    assert!(matches!(refused, Err(Refused::Over { .. })));
    let reopened = overridden(change.document(), change.state(), OverrideVerdict::Promote);
    assert_eq!(reopened.state(), RolloutState::Open);
    assert_eq!(*reopened.document().current().stage(), *"two");
    assert_eq!(reopened.trail()[0].caused_by, "ada");
}

/// A person cannot make a rollback of what changes nothing.
#[test]
fn a_dry_run_is_not_rolled_back_by_a_person_either() {
    let mut dry = document(AdvanceMode::Caller);
    dry.dry_run = true;
    let by = Overriding {
        verdict: OverrideVerdict::Rollback,
        reason: "it fails",
        caused_by: "ada",
        now: at(9),
    };
    let refused = transition::overridden(&present(&dry, RolloutState::Open), &pipeline(), by);
    assert!(matches!(refused, Err(Refused::Stage(_))));
}

#[test]
fn what_was_ended_is_ended_once() {
    let mut open = present(&document(AdvanceMode::Caller), RolloutState::Open);
    let ended =
        |present: &Present, end| transition::ended(present, end, Some("replaced"), "ada", at(9));
    let change = ended(&open, End::Cancelled).unwrap();
    assert!(!change.is_current());
    assert_eq!(change.trail()[0].reason.as_deref(), Some("replaced"));
    open.is_current = false;
    assert_eq!(ended(&open, End::Cancelled), None);
}

#[test]
fn a_rollout_that_is_closed_says_as_what_it_ended() {
    let document = document(AdvanceMode::Caller);
    for (state, word) in [
        (RolloutState::RolledBack, "rolled back"),
        (RolloutState::Superseded, "superseded"),
        (RolloutState::Open, "open"),
    ] {
        let change = transition::ended(
            &present(&document, state),
            End::Closed,
            None,
            "flagger",
            at(9),
        );
        let change = change.unwrap();
        let live = live(change.document(), change.state());
        let told = live.present().told(&live.pipeline, None).reason;
        assert_eq!(told, format!("the rollout is over (closed, it was {word})"));
    }
}

/// Only one that is open can be superseded, and its key goes on meaning it.
#[test]
fn a_rollout_is_superseded_once() {
    let document = document(AdvanceMode::Caller);
    let superseded = |state| {
        transition::ended(
            &present(&document, state),
            End::Superseded,
            None,
            "flagger",
            at(9),
        )
    };
    let change = superseded(RolloutState::Open).unwrap();
    assert_eq!(change.state(), RolloutState::Superseded);
    assert!(change.is_current());
    for state in [RolloutState::RolledBack, RolloutState::Superseded] {
        assert_eq!(superseded(state), None);
    }
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
    let end = |started| looked_at(&pipeline, &watched(&pipeline, started, false), at(90_000)).end;
    assert_eq!(end(30_000), Some(at(90_000)));
    assert_eq!(end(60_000), Some(at(90_000)));
    assert_eq!(end(60_001), None);
    assert_eq!(end(90_000), None);
    assert_eq!(end(120_000), None);
}

fn watched(pipeline: &Pipeline, started: i64, counts_only_what_is_wrong: bool) -> Watched<'_> {
    Watched {
        stage: &pipeline.stages[0],
        started: at(started),
        counts_only_what_is_wrong,
    }
}

/// It was judged no more, and its kill switch was blind.
#[test]
fn of_a_stage_that_is_too_old_the_newest_is_looked_at_for_ever() {
    let pipeline = pipeline();
    let looked = |intervals: i64, has_passed| {
        let end = at(intervals * 30_000);
        looked_at(&pipeline, &watched(&pipeline, 0, has_passed), end)
    };
    assert_eq!(looked(20_160, false).purpose, Purpose::Decide);
    assert_eq!(looked(20_160, true).purpose, Purpose::AfterPassing);
    for has_passed in [false, true] {
        let old = looked(20_161, has_passed);
        assert_eq!(old.purpose, Purpose::KillSwitches);
        assert_eq!(old.end, Some(at(20_161 * 30_000)));
        assert_eq!(old.start, at((20_161 - 960) * 30_000));
    }
}
