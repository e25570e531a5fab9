//! What is told of a rollout.

use serinus_analysis::pipeline::Pipeline;
use serinus_openapi::analysis::{ReasonCode, Verdict};
use serinus_openapi::rollout::{AdvanceMode, OverrideVerdict};

use super::{
    YAML, advanced, at, document, judged, judged_after, judgement, live, overridden, pipeline,
};
use crate::rollouts::Told;
use crate::rollouts::change::Change;
use crate::rollouts::document::Document;
use crate::rollouts::judgement::Judgement;
use crate::rollouts::live::Live;
use crate::rollouts::transition;
use crate::store::RolloutState;

fn told(live: &Live, stage: Option<&str>) -> (Verdict, String) {
    let told = live.present().told(&live.pipeline, stage);
    (told.verdict, told.reason_code.token().to_owned())
}

fn told_of(change: &Change, stage: Option<&str>) -> Told {
    let live = live(change.document(), change.state());
    live.present().told(&live.pipeline, stage)
}

fn says(verdict: Verdict, code: &str) -> (Verdict, String) {
    (verdict, code.to_owned())
}

#[test]
fn a_stage_is_held_until_its_promotion_is_recorded() {
    let live = live(&document(AdvanceMode::Caller), RolloutState::Open);
    let collecting = says(Verdict::Hold, "still_collecting");
    assert_eq!(told(&live, Some("one")), collecting);
    live.note(judgement("one", Verdict::Hold));
    assert_eq!(told(&live, Some("one")), says(Verdict::Hold, "no_data"));
    // A judgement that could not be recorded must not be told: it may be lost.
    live.note(judgement("one", Verdict::Promote));
    assert_eq!(told(&live, Some("one")), collecting);
}

#[test]
fn a_stage_that_passed_stays_passed() {
    let change = judged(&document(AdvanceMode::Automatic), "one", Verdict::Promote).unwrap();
    let live = live(change.document(), change.state());
    assert_eq!(told(&live, Some("one")), says(Verdict::Promote, "passed"));
    assert_eq!(told(&live, Some("two")).0, Verdict::Hold);
    assert_eq!(
        told(&live, None).0,
        Verdict::Hold,
        "not all stages have passed"
    );
}

/// Something was found since it passed, and the disk is full.
#[test]
fn a_stage_that_passed_holds_while_what_was_found_since_cannot_be_recorded() {
    let change = judged(&document(AdvanceMode::Caller), "one", Verdict::Promote).unwrap();
    let live = live(change.document(), change.state());
    live.note(Judgement {
        reason_code: ReasonCode::STORE_UNAVAILABLE,
        ..judgement("one", Verdict::Hold)
    });
    let unavailable = says(Verdict::Hold, "store_unavailable");
    assert_eq!(told(&live, Some("one")), unavailable);
    live.note(judgement("one", Verdict::Promote));
    assert_eq!(told(&live, Some("one")), says(Verdict::Promote, "passed"));
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
fn a_stage_that_is_not_reached_says_how_to_go_there() {
    let live = live(&document(AdvanceMode::Caller), RolloutState::Open);
    let told = live.present().told(&live.pipeline, Some("three"));
    assert_eq!(told.reason_code.token(), "not_reached");
    assert_eq!(
        told.reason,
        "the rollout is at one, which has not passed; POST to this address, or advance, goes on \
         without it"
    );
}

#[test]
fn a_stage_that_was_left_says_where_its_caller_went() {
    let change = advanced(&document(AdvanceMode::Caller), Some("three")).unwrap();
    for stage in ["one", "two"] {
        let told = told_of(&change, Some(stage));
        assert_eq!(told.reason_code.token(), "left");
        assert_eq!(
            told.reason,
            format!(
                "the caller went on to three at 1970-01-01 01:06 UTC before {stage} had passed"
            )
        );
    }
    assert_eq!(
        told_of(&change, Some("three")).reason_code.token(),
        "still_collecting"
    );
}

/// A rollout that was begun at its second stage said that all stages had passed.
#[test]
fn only_of_stages_that_passed_it_is_said() {
    let mut to = advanced(&document(AdvanceMode::Caller), Some("three")).unwrap();
    to = judged(to.document(), "three", Verdict::Promote).unwrap();
    let told = told_of(&to, None);
    assert_eq!(told.verdict, Verdict::Promote);
    assert_eq!(told.progress, "1 of 3 stages passed; left: one, two");
    assert_eq!(
        told.reason,
        "three, the last stage of checkout, has passed; 1 of 3 stages passed; left: one, two"
    );
    assert_eq!(told_of(&to, Some("one")).verdict, Verdict::Hold);
}

/// Nobody asks the last stage again, so what its checks remarked stands in what is told of the rollout.
#[test]
fn what_the_last_stage_remarked_is_told_of_a_promotion() {
    let mut to = advanced(&document(AdvanceMode::Caller), Some("three")).unwrap();
    let judgement = Judgement {
        started: to.document().current().started(),
        reason: "1 check passed; error_rate: neither population has a series of the events"
            .to_owned(),
        ..judgement("three", Verdict::Promote)
    };
    to = transition::judged(to.document(), &pipeline(), &judgement, at(3_700_000)).unwrap();
    let told = told_of(&to, None);
    assert_eq!(told.verdict, Verdict::Promote);
    assert!(
        told.reason
            .ends_with("; error_rate: neither population has a series of the events"),
        "{}",
        told.reason
    );
}

#[test]
fn an_override_tells_who_and_why_and_what_the_checks_had_said() {
    let held = judged(&document(AdvanceMode::Caller), "one", Verdict::Hold).unwrap();
    let change = overridden(
        held.document(),
        RolloutState::Open,
        OverrideVerdict::Promote,
    );
    let told = told_of(&change, Some("one"));
    assert_eq!(
        (told.verdict, told.reason_code.token()),
        (Verdict::Promote, "override")
    );
    assert_eq!(
        told.reason,
        "decided by ada: a known outage; evidence, kill switches and alpha begin anew with two; \
         the checks had said hold (one was judged)"
    );
    let back = overridden(
        held.document(),
        RolloutState::Open,
        OverrideVerdict::Rollback,
    );
    let told = told_of(&back, None);
    assert_eq!(told.verdict, Verdict::Rollback);
    assert_eq!(
        told.reason,
        "decided by ada: a known outage; the checks had said hold (one was judged)"
    );
}

#[test]
fn a_rollout_that_a_person_promoted_says_so_for_ever() {
    let last = advanced(&document(AdvanceMode::Caller), Some("three")).unwrap();
    let change = overridden(
        last.document(),
        RolloutState::Open,
        OverrideVerdict::Promote,
    );
    assert_eq!(change.state(), RolloutState::Promoted);
    let told = told_of(&change, None);
    assert_eq!(
        (told.verdict, told.reason_code.token()),
        (Verdict::Promote, "override")
    );
    assert!(
        told.reason.starts_with("decided by ada: a known outage; "),
        "{}",
        told.reason
    );
    assert_eq!(
        told.progress,
        "0 of 3 stages passed; overridden: three; left: one, two"
    );
}

fn without_acting(word: &str) -> (Document, Pipeline) {
    let mut document = document(AdvanceMode::Caller);
    if word == "dry run" {
        document.dry_run = true;
    } else {
        let first = "one: {traffic_percent: 1,";
        document.pipeline_yaml = YAML.replace(first, &format!("{first} shadow: true,"));
    }
    let pipeline = document.pipeline("checkout").unwrap();
    (document, pipeline)
}

#[test]
fn what_does_not_act_holds_for_its_duration_and_tells_the_truth_beside_it() {
    for (word, code) in [("shadow stage", "shadow_stage"), ("dry run", "dry_run")] {
        let (document, pipeline) = without_acting(word);
        let judged = |document: &Document, minutes: i64| {
            let judgement = Judgement {
                end_ms: at(minutes * 60_000),
                ..judgement("one", Verdict::Rollback)
            };
            let live = live(document, RolloutState::Open);
            let change = transition::judged(document, &pipeline, &judgement, at(0));
            live.note(judgement);
            (change, live)
        };
        let (early, live) = judged(&document, 12);
        let told = live.present().told(&pipeline, Some("one"));
        assert_eq!(
            (told.verdict, told.reason_code.token()),
            (Verdict::Hold, code)
        );
        let truth = "its checks say rollback: one was judged";
        assert_eq!(told.reason, format!("{word}, 12 of 60 minutes; {truth}"));
        assert_eq!(
            told.truth,
            Some((Verdict::Rollback, "one was judged".to_owned()))
        );

        let (late, _) = judged(early.unwrap().document(), 60);
        let told = told_of(&late.unwrap(), Some("one"));
        assert_eq!(
            (told.verdict, told.reason_code.token()),
            (Verdict::Promote, code)
        );
        assert_eq!(
            told.reason,
            format!("{word}, its 60 minutes are over; {truth}")
        );
        assert_eq!(
            told.truth,
            Some((Verdict::Rollback, "one was judged".to_owned()))
        );
    }
}

/// So that a month of dry runs beside an old gate teaches something.
#[test]
fn a_dry_run_that_is_over_says_what_it_would_have_done_and_when() {
    let (mut document, pipeline) = without_acting("dry run");
    document.advance = AdvanceMode::Automatic;
    let found = [
        ("one", Verdict::Promote),
        ("two", Verdict::Rollback),
        ("three", Verdict::Hold),
    ];
    let mut end_ms = 0;
    for (stage, verdict) in found {
        end_ms += 3_600_000;
        let judgement = Judgement {
            started: document.current().started(),
            end_ms: at(end_ms),
            ..judgement(stage, verdict)
        };
        let change = transition::judged(&document, &pipeline, &judgement, at(end_ms)).unwrap();
        document = change.document().clone();
    }
    let summary = "dry run, over: it would have been rolled back in two at 1970-01-01 02:00 UTC: two was judged";
    let ended = live(&document, RolloutState::Promoted);
    let told = ended.present().told(&pipeline, None);
    assert_eq!(told.verdict, Verdict::Promote);
    assert_eq!(told.reason, summary);
    assert_eq!(
        told.truth.map(|(verdict, _)| verdict),
        Some(Verdict::Rollback)
    );
    // Some callers close each of their rollouts.
    document.ended_as = Some(serinus_openapi::rollout::RolloutState::Promoted);
    let closed = live(&document, RolloutState::Closed);
    let told = closed.present().told(&pipeline, None);
    assert_eq!(told.verdict, Verdict::Hold);
    assert!(told.reason.ends_with(summary), "{}", told.reason);
}

/// An earlier version rolled it back for good, and told `promote`: an update must not send its caller
/// back.
#[test]
fn what_was_rolled_back_without_acting_by_an_earlier_version_goes_on_telling_promote() {
    for word in ["shadow stage", "dry run"] {
        let (mut document, pipeline) = without_acting(word);
        let acted = judged(&document, "one", Verdict::Rollback).unwrap();
        document.decision.clone_from(&acted.document().decision);
        let live = live(&document, RolloutState::RolledBack);
        let told = live.present().told(&pipeline, Some("one"));
        assert_eq!(told.verdict, Verdict::Promote, "{word}");
        assert_eq!(
            told.truth,
            Some((Verdict::Rollback, "one was judged".to_owned()))
        );
    }
}

/// The shadow stage before it goes on telling what every other call is told.
#[test]
fn a_rollback_after_a_shadow_stage_is_told_of_that_stage_too() {
    let (document, pipeline) = without_acting("shadow stage");
    let second = advanced(&document, Some("two")).unwrap();
    let failed = judged(second.document(), "two", Verdict::Rollback).unwrap();
    let live = live(failed.document(), failed.state());
    for stage in [None, Some("one"), Some("two"), Some("three")] {
        let told = live.present().told(&pipeline, stage);
        assert_eq!(told.verdict, Verdict::Rollback, "{stage:?}");
    }
}

#[test]
fn what_is_found_after_an_override_is_told_beside_it() {
    let open = document(AdvanceMode::Caller);
    let decided = overridden(&open, RolloutState::Open, OverrideVerdict::Promote);
    let found = judged_after(decided.document(), "one", Verdict::Rollback).unwrap();
    let told = told_of(&found, Some("one"));
    assert_eq!(told.verdict, Verdict::Promote);
    assert_eq!(
        told.truth,
        Some((Verdict::Rollback, "one was judged".to_owned()))
    );
    assert!(
        told.reason
            .ends_with("; since then its checks say rollback")
    );
}

#[test]
fn a_superseded_rollout_says_so_and_holds() {
    let document = document(AdvanceMode::Caller);
    let mut superseded = document.clone();
    superseded.superseded_ms = Some(at(46_860_000));
    let live = live(&superseded, RolloutState::Superseded);
    for stage in [None, Some("one"), Some("three")] {
        let told = live.present().told(&pipeline(), stage);
        assert_eq!(
            (told.verdict, told.reason_code.token()),
            (Verdict::Hold, "superseded")
        );
        assert!(
            told.reason
                .starts_with("another revision began at 1970-01-01 13:01 UTC")
        );
    }
}
