//! What is told of a rollout, and what acts.

use serinus_openapi::analysis::Verdict;
use serinus_openapi::rollout::AdvanceMode;

use super::{at, document, judged, judgement, live, pipeline};
use crate::rollouts::acting::Acting;
use crate::rollouts::live::Live;
use crate::rollouts::transition;
use crate::store::RolloutState;

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
    let live = live(change.document(), change.state());
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
    let live = live(change.document(), change.state());
    for stage in [None, Some("one"), Some("two")] {
        assert_eq!(told(&live, stage).0, Verdict::Rollback);
    }
}

#[test]
fn a_dry_run_always_lets_pass_and_tells_the_truth() {
    let mut document = document(AdvanceMode::Caller);
    document.dry_run = true;
    let change = judged(&document, "one", Verdict::Rollback).unwrap();
    let live = live(change.document(), change.state());
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

/// A verdict of a shadow stage or of a dry run is told as `promote`, and moves the rollout as any
/// other does: both by the rule of one file.
#[test]
fn what_acts_is_the_same_wherever_it_is_asked() {
    let plain = pipeline();
    let mut shadow = pipeline();
    shadow.stages[0].shadow = true;
    let mut harmless = pipeline();
    harmless.dry_run = true;
    for (pipeline, acting) in [
        (&plain, Acting::Acts),
        (&shadow, Acting::Shadow),
        (&harmless, Acting::DryRun),
    ] {
        let document = document(AdvanceMode::Caller);
        let first = pipeline.stages.first();
        assert_eq!(Acting::of(&document, pipeline, first), acting);
        for (verdict, state, passes) in [
            (Verdict::Hold, RolloutState::Open, false),
            (Verdict::Promote, RolloutState::Open, true),
            (Verdict::Rollback, RolloutState::RolledBack, false),
        ] {
            let judgement = judgement("one", verdict);
            let change = transition::judged(&document, pipeline, &judgement, at(1)).unwrap();
            assert_eq!(change.state(), state, "{acting:?} {verdict:?}");
            let has_passed = change.document().current().passed().is_some();
            assert_eq!(has_passed, passes, "{acting:?} {verdict:?}");
            let live = live(change.document(), change.state());
            let told = live.present().told(pipeline, Some("one"));
            let acts = acting == Acting::Acts;
            let expected = if acts { told.verdict } else { Verdict::Promote };
            assert_eq!(told.acted_on().0, expected, "{acting:?} {verdict:?}");
            assert_eq!(told.is_dry_run(), !acts);
        }
    }
}
