//! What an answer says in passing: where to go back to, how far it is, what would do.

use super::*;
use crate::judge::rollback_to_percent;

fn marked() -> Pipeline {
    let mut pipeline = pipeline(error_rate_checks());
    pipeline.stages[0].rollback_point = true;
    pipeline.stages[1].rollback_point = true;
    pipeline
}

fn assert_share(found: f64, expected: f64) {
    assert!(
        (found - expected).abs() < 1e-12,
        "{found} and not {expected}"
    );
}

#[test]
fn a_rollback_goes_to_nothing_unless_a_stage_that_passed_is_marked() {
    let unmarked = pipeline(error_rate_checks());
    assert_share(
        rollback_to_percent(&unmarked, &unmarked.stages[2], |_| true),
        0.0,
    );
    let marked = marked();
    let to = |stage: usize, passed: &[&str]| {
        rollback_to_percent(&marked, &marked.stages[stage], |id| passed.contains(&id))
    };
    assert_share(to(2, &["stage_1", "stage_2"]), 10.0);
    assert_share(to(2, &["stage_1"]), 1.0);
    assert_share(to(2, &[]), 0.0);
    assert_share(to(1, &["stage_1", "stage_2"]), 1.0);
    assert_share(to(0, &["stage_1"]), 0.0);
}

#[test]
fn a_shadow_stage_is_no_place_to_go_back_to() {
    let mut marked = marked();
    marked.stages[1].shadow = true;
    assert_share(
        rollback_to_percent(&marked, &marked.stages[2], |_| true),
        1.0,
    );
}

#[test]
fn of_an_analysis_the_stages_before_count_as_passed() {
    let marked = marked();
    let bad = errors(10, BAD);
    assert_share(
        judge(&marked, &marked.stages[2], &bad).rollback_to_percent,
        10.0,
    );
}

#[test]
fn a_stage_that_is_over_has_all_of_its_minutes() {
    let mut pipeline = pipeline(error_rate_checks());
    pipeline.stages[1].duration_minutes = 6.0;
    let verdict = second_stage(&pipeline, &errors(11, GOOD));
    assert_eq!(verdict.verdict, Verdict::Promote, "{}", verdict.reason);
    assert_eq!(verdict.progress, "stage 2 of 3, 6 of 6 minutes");
    let verdict = second_stage(&pipeline, &errors(10, GOOD));
    assert_eq!(verdict.progress, "stage 2 of 3, 5 of 6 minutes");
}

#[test]
fn one_check_is_told_as_one() {
    let one = pipeline(error_rate_checks());
    let verdict = second_stage(&one, &errors(STAGE_INTERVALS, GOOD));
    assert_eq!(verdict.reason, "1 check passed");
    let other = check("error_rate", "error_rate < 5%", below(0.05));
    let two = pipeline([error_rate_checks(), vec![other]].concat());
    let verdict = second_stage(&two, &errors(STAGE_INTERVALS, GOOD));
    assert_eq!(verdict.reason, "all 2 checks passed");
}

/// So many requests of the control in an interval, a tenth as many of the canary.
fn at(requests: f64, share_of_control: f64, share_of_canary: f64, intervals: usize) -> StageData {
    let all = requests * intervals as f64;
    let canary = all / 10.0;
    errors(
        intervals,
        (
            (all * share_of_control, all),
            (canary * share_of_canary, canary),
        ),
    )
}

fn sequential() -> Pipeline {
    let mut pipeline = pipeline(error_rate_checks());
    decided_by(&mut pipeline, Method::Sequential);
    pipeline
}

#[test]
fn no_advice_that_no_person_would_follow() {
    let hopeless = second_stage(&sequential(), &at(30.0, 0.001, 0.001, 60));
    assert_eq!(hopeless.verdict, Verdict::Hold);
    assert!(
        hopeless
            .reason
            .contains("this stage cannot decide it: it has 180 of about"),
        "{}",
        hopeless.reason
    );
    for advice in ["promote_ratio", "max_duration_minutes", "times the traffic"] {
        assert!(!hopeless.reason.contains(advice), "{}", hopeless.reason);
    }
}

#[test]
fn no_wider_ratio_is_proposed_for_a_canary_that_looks_bad() {
    let mut pipeline = sequential();
    pipeline.stages[1].max_duration_minutes = 60.0;
    let told = |canary| second_stage(&pipeline, &at(600.0, 0.002, canary, 60)).reason;
    let (good, bad) = (told(0.002), told(0.003));
    assert!(good.contains("promote_ratio: 2."), "{good}");
    assert!(bad.contains("undecided, canary 0.3 %"), "{bad}");
    assert!(!bad.contains("promote_ratio"), "{bad}");
}
