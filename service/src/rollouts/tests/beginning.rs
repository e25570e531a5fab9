//! When a stage may begin.

use serinus_analysis::pipeline::Pipeline;
use serinus_openapi::analysis::Verdict;
use serinus_openapi::rollout::AdvanceMode;

use super::{at, document, going, judged, judgement, pipeline, present};
use crate::rollouts::beginning::{StageStart, check_start};
use crate::rollouts::document::Document;
use crate::rollouts::transition::{self, GoingOn, Refused};
use crate::store::RolloutState;
use crate::time::UnixMillis;

const MINUTE_MS: i64 = 60_000;

fn refused(pipeline: &Pipeline, given: UnixMillis, before: Option<&Document>) -> Option<String> {
    let stage = &pipeline.stages[1];
    let earlier = before.map_or_else(Vec::new, |before| before.stages.earlier());
    let checked = check_start(Some(given), stage, &earlier, now());
    checked.err().map(|error| error.to_string())
}

fn now() -> UnixMillis {
    at(1_800_000_000_000)
}

#[test]
fn a_stage_begins_now_or_a_little_earlier_or_by_a_clock_that_is_ahead() {
    let pipeline = pipeline();
    let begins = |given| check_start(given, &pipeline.stages[0], &[], now()).unwrap();
    assert_eq!(begins(None), StageStart::now(now()));
    assert_eq!(begins(Some(now().plus(30_000))), StageStart::now(now()));
    let earlier = now().minus(60 * MINUTE_MS);
    assert_eq!(begins(Some(earlier)), StageStart::now(earlier));
}

/// Held for ever (2099), or promoted at once by data from before the traffic moved (1970).
#[test]
fn no_stage_begins_in_the_future_or_long_ago() {
    let pipeline = pipeline();
    // The stage may last two hours.
    let longest_ms = (120 + 24 * 60) * MINUTE_MS;
    for (given, words) in [
        (now().plus(30_001), "lies in the future"),
        (at(4_070_908_800_000), "lies in the future"),
        (now().minus(longest_ms + 1), "lies longer ago"),
        (at(0), "lies longer ago"),
        (at(-1), "lies longer ago"),
        (UnixMillis::EARLIEST, "lies longer ago"),
        (UnixMillis::LATEST, "lies in the future"),
    ] {
        let told = refused(&pipeline, given, None).unwrap();
        assert!(told.contains(words), "{told}");
        assert!(told.ends_with("or leave `start` out"), "{told}");
    }
    assert_eq!(refused(&pipeline, now().minus(longest_ms), None), None);
}

#[test]
fn a_later_stage_begins_after_what_the_one_before_was_judged_by() {
    let pipeline = pipeline();
    let mut began = document(AdvanceMode::Caller);
    let first = now().minus(70 * MINUTE_MS);
    began.stages.begin_again(StageStart::now(first));
    let judged_until = at(3_600_000);
    let passed = judged(&began, "one", Verdict::Promote).unwrap();
    let earlier = passed.document().stages.earlier();
    assert_eq!(earlier[0].judged_until, judged_until);

    let before = Some(&began);
    let told = refused(&pipeline, first.minus(1), before).unwrap();
    assert!(told.contains("before the rollout began"), "{told}");
    let told = refused(&pipeline, first, before).unwrap();
    assert!(
        told.contains("is that of one too, and every stage has its own"),
        "{told}"
    );
    assert_eq!(refused(&pipeline, first.plus(1), before), None);
}

/// It was promoted at once by what the stage that it left had been judged by.
#[test]
fn what_a_stage_that_is_left_was_judged_by_belongs_to_no_other_either() {
    let began = document(AdvanceMode::Caller);
    let to_second = |start| {
        let going = GoingOn {
            start: Some(start),
            judged_until: Some(at(3_000_000)),
            ..going(Some("two"))
        };
        transition::advanced(&began, RolloutState::Open, &pipeline(), going)
    };
    assert!(matches!(to_second(at(2_999_999)), Err(Refused::Start(_))));
    assert!(to_second(at(3_000_000)).is_ok());
}

/// The caller moves the traffic of a stage that has passed, and says so a little later.
#[test]
fn what_was_looked_at_since_a_stage_passed_may_belong_to_the_next() {
    let mut began = present(&document(AdvanceMode::Caller), RolloutState::Open);
    began.judgement = Some(judgement("one", Verdict::Hold));
    assert_eq!(began.judged_until(), Some(at(3_600_000)));
    let passed = judged(&began.document, "one", Verdict::Promote).unwrap();
    began.document = passed.document().clone();
    assert_eq!(began.judged_until(), None);
}

#[test]
fn what_a_stage_passed_by_belongs_to_no_other() {
    let pipeline = pipeline();
    let mut began = document(AdvanceMode::Caller);
    began
        .stages
        .begin_again(StageStart::now(now().minus(70 * MINUTE_MS)));
    let judged_until = now().minus(10 * MINUTE_MS);
    began.stages.pass(now(), judged_until);
    let told = refused(&pipeline, judged_until.minus(1), Some(&began)).unwrap();
    assert!(
        told.contains("lies within what one was judged by"),
        "{told}"
    );
    assert_eq!(refused(&pipeline, judged_until, Some(&began)), None);
}
