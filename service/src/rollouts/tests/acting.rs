//! What a verdict changes where it acts, and where it does not.

use serinus_analysis::data::Purpose;
use serinus_analysis::pipeline::Pipeline;
use serinus_openapi::analysis::Verdict;
use serinus_openapi::rollout::{AdvanceMode, EventKind, OverrideVerdict};

use super::{at, document, judged_after, judgement, kinds, overridden, pipeline};
use crate::rollouts::acting::Acting;
use crate::rollouts::change::Change;
use crate::rollouts::document::Document;
use crate::rollouts::judgement::Judgement;
use crate::rollouts::transition;
use crate::store::RolloutState;

const MINUTE_MS: i64 = 60_000;

fn shadow() -> Pipeline {
    let mut pipeline = pipeline();
    pipeline.stages[0].shadow = true;
    pipeline
}

fn harmless() -> Pipeline {
    let mut pipeline = pipeline();
    pipeline.dry_run = true;
    pipeline
}

fn judged_at(
    (document, pipeline): (&Document, &Pipeline),
    minutes: i64,
    verdict: Verdict,
) -> Option<Change> {
    let judgement = Judgement {
        end_ms: at(minutes * MINUTE_MS),
        ..judgement("one", verdict)
    };
    transition::judged(document, pipeline, &judgement, at(minutes * MINUTE_MS))
}

#[test]
fn a_verdict_that_acts_moves_the_rollout() {
    let (document, pipeline) = (document(AdvanceMode::Caller), pipeline());
    assert_eq!(
        Acting::of(&document, &pipeline, &pipeline.stages[0]),
        Acting::Acts
    );
    for (verdict, state, passes) in [
        (Verdict::Hold, RolloutState::Open, false),
        (Verdict::Promote, RolloutState::Open, true),
        (Verdict::Rollback, RolloutState::RolledBack, false),
    ] {
        let change = judged_at((&document, &pipeline), 10, verdict).unwrap();
        assert_eq!(change.state(), state);
        assert_eq!(change.document().current().passed().is_some(), passes);
        assert_eq!(change.trail()[0].acted, None);
    }
}

/// A shadow stage with a true rollback ended the rollout in the next stage, a dry run at its first
/// one, and both said promote to the very first poll.
#[test]
fn nothing_that_is_found_without_acting_moves_the_rollout_before_its_time() {
    for pipeline in [shadow(), harmless()] {
        for verdict in [Verdict::Hold, Verdict::Promote, Verdict::Rollback] {
            let document = document(AdvanceMode::Caller);
            let change = judged_at((&document, &pipeline), 10, verdict).unwrap();
            assert_eq!(change.state(), RolloutState::Open, "{verdict:?}");
            assert_eq!(change.document().current().passed(), None, "{verdict:?}");
            assert_eq!(kinds(&change), [EventKind::Decided]);
            assert_eq!(change.trail()[0].acted, Some(false));
        }
    }
}

#[test]
fn a_stage_without_acting_passes_when_its_duration_is_over_whatever_was_found() {
    for pipeline in [shadow(), harmless()] {
        for verdict in [Verdict::Hold, Verdict::Promote, Verdict::Rollback] {
            let document = document(AdvanceMode::Automatic);
            let early = judged_at((&document, &pipeline), 10, verdict).unwrap();
            // The same again, which is no news.
            let late = judged_at((early.document(), &pipeline), 60, verdict).unwrap();
            assert_eq!(
                kinds(&late),
                [EventKind::StagePassed, EventKind::StageStarted],
                "{verdict:?}"
            );
            let record = late.document().record_of("one").unwrap();
            assert_eq!(record.found().unwrap().verdict, verdict);
        }
    }
}

#[test]
fn what_would_have_ended_a_stage_is_kept() {
    let pipeline = shadow();
    let mut last = document(AdvanceMode::Caller);
    for (minutes, verdict) in [
        (10, Verdict::Hold),
        (20, Verdict::Promote),
        (30, Verdict::Hold),
        (40, Verdict::Rollback),
        (50, Verdict::Hold),
        (60, Verdict::Promote),
    ] {
        let change = judged_at((&last, &pipeline), minutes, verdict).unwrap();
        last = change.document().clone();
    }
    let found = last.current().found().unwrap();
    assert_eq!(
        (found.verdict, found.at_ms),
        (Verdict::Rollback, at(40 * MINUTE_MS))
    );
    assert!(last.current().passed().is_some());
}

/// What is found after a person has decided is recorded once, and changes nothing.
#[test]
fn an_override_covers_its_stage() {
    let open = document(AdvanceMode::Caller);
    let decided = overridden(&open, RolloutState::Open, OverrideVerdict::Promote);
    let found = judged_after(decided.document(), "one", Verdict::Rollback).unwrap();
    assert_eq!(kinds(&found), [EventKind::Decided]);
    assert_eq!(
        (found.state(), found.trail()[0].acted),
        (RolloutState::Open, Some(false))
    );
    assert_eq!(
        judged_after(found.document(), "one", Verdict::Rollback),
        None
    );
}

#[test]
fn a_kill_switch_of_a_stage_that_is_too_old_still_acts() {
    let document = document(AdvanceMode::Caller);
    let judgement = Judgement {
        purpose: Purpose::KillSwitches,
        ..judgement("one", Verdict::Rollback)
    };
    let change = transition::judged(&document, &pipeline(), &judgement, at(9)).unwrap();
    assert_eq!(change.state(), RolloutState::RolledBack);
}
