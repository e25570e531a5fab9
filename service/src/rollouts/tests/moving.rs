//! What moves a rollout: the table of `docs/design/gate.md`.

use serinus_openapi::analysis::Verdict;
use serinus_openapi::rollout::{AdvanceMode, EventKind, OverrideVerdict, StageState};

use super::{advanced, document, judged, kinds, overridden, pipeline, present};
use crate::rollouts::standing::{Visit, may_start};
use crate::rollouts::transition::Refused;
use crate::store::RolloutState;

#[test]
fn a_call_that_looks_starts_the_first_stage_only() {
    let pipeline = pipeline();
    let starts = |visit| -> Vec<bool> {
        let stages = pipeline.stages.iter();
        stages
            .map(|stage| may_start(&pipeline, stage, visit))
            .collect()
    };
    assert_eq!(starts(Visit::Here), [true, true, true]);
    assert_eq!(starts(Visit::Look), [true, false, false]);
}

/// A `GET` of a later stage moved the rollout for good: a link preview, a tab of a browser, a typo.
#[test]
fn a_call_that_looks_goes_past_no_stage_that_has_not_passed() {
    let open = document(AdvanceMode::Caller);
    let passed = judged(&open, "one", Verdict::Promote).unwrap();
    let decided = overridden(&open, RolloutState::Open, OverrideVerdict::Promote);
    for (document, looks) in [
        (&open, [false, false, false]),
        (passed.document(), [false, true, false]),
        (decided.document(), [false, true, false]),
    ] {
        let present = present(document, RolloutState::Open);
        let moves =
            |visit| ["one", "two", "three"].map(|stage| present.moves(&pipeline(), stage, visit));
        assert_eq!(moves(Visit::Look), looks);
        assert_eq!(moves(Visit::Here), [false, true, true]);
    }
}

#[test]
fn nothing_moves_a_rollout_that_is_over() {
    let document = document(AdvanceMode::Caller);
    for state in RolloutState::ALL {
        let moves = present(&document, state).moves(&pipeline(), "two", Visit::Here);
        assert_eq!(moves, state == RolloutState::Open, "{state}");
    }
}

#[test]
fn a_stage_that_had_not_passed_is_left_and_the_trail_says_so() {
    let open = document(AdvanceMode::Caller);
    let change = advanced(&open, Some("three")).unwrap();
    assert_eq!(
        kinds(&change),
        [
            EventKind::StageLeft,
            EventKind::StageLeft,
            EventKind::StageStarted
        ]
    );
    assert_eq!(
        change.trail()[1].reason.as_deref(),
        Some("the caller went on to three before two had passed")
    );
    let present = present(change.document(), change.state());
    let states = pipeline()
        .stages
        .iter()
        .map(|stage| present.stage_state(&pipeline(), stage))
        .collect::<Vec<_>>();
    assert_eq!(
        states,
        [StageState::Left, StageState::Left, StageState::Open]
    );
    let passed = judged(&open, "one", Verdict::Promote).unwrap();
    let after = advanced(passed.document(), None).unwrap();
    assert_eq!(kinds(&after), [EventKind::StageStarted]);
}

#[test]
fn a_rollout_only_goes_on() {
    let third = advanced(&document(AdvanceMode::Caller), Some("three")).unwrap();
    for (stage, words) in [
        (Some("three"), "is at three already"),
        (Some("one"), "a rollout only goes on"),
        (Some("four"), "no stage \"four\""),
        (None, "is the last stage"),
    ] {
        let Err(Refused::Stage(told)) = advanced(third.document(), stage) else {
            panic!("{stage:?}");
        };
        assert!(told.contains(words), "{told}");
    }
}

#[test]
fn every_stage_has_a_word_for_where_it_stands() {
    let open = document(AdvanceMode::Caller);
    let passed = judged(&open, "one", Verdict::Promote).unwrap();
    let decided = overridden(&open, RolloutState::Open, OverrideVerdict::Promote);
    let failed = judged(&open, "one", Verdict::Rollback).unwrap();
    for (change, word) in [
        (&passed, StageState::Passed),
        (&decided, StageState::Overridden),
        (&failed, StageState::Failed),
    ] {
        let present = present(change.document(), change.state());
        let of = |place: usize| present.stage_state(&pipeline(), &pipeline().stages[place]);
        assert_eq!((of(0), of(1)), (word, StageState::Waiting));
    }
}
