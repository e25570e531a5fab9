//! Counters that are added up: one that a version has renamed is missed, not summed as nothing.

use super::*;
use crate::pipeline::Selection;
use crate::series::{Members, Population};

/// Failures over HTTP and over gRPC, of requests over either.
fn lists() -> MetricKind {
    let both = |what: &str| Selection::all_of(vec![format!("http_{what}"), format!("grpc_{what}")]);
    MetricKind::Proportion {
        events: both("errors_total"),
        total: both("requests_total"),
        strata: None,
    }
}

fn checks(kind: &MetricKind, is_absolute: bool) -> Vec<Check> {
    let check = if is_absolute {
        written("error_rate", "error_rate < 1%", below(0.01))
    } else {
        written_error_rate()
    };
    let mut check = check.resolved(subject("error_rate"), &settings());
    Arc::make_mut(&mut check.measured).kind = kind.clone();
    vec![check]
}

/// What the counts above are made of: 450 failures and 450,000 requests of each kind in the control, a
/// ninth of each in the canary.
fn members() -> Members {
    let of = |control: f64, canary: f64| Populations {
        control: vec![Some(control); 2],
        canary: vec![Some(canary); 2],
    };
    Members {
        events: of(450.0, 50.0),
        total: of(450_000.0, 50_000.0),
    }
}

fn judged(checks: Vec<Check>, members: Members) -> StageVerdict {
    let mut data = errors(STAGE_INTERVALS, GOOD);
    let Some(MetricData::Counts(counts)) = data.metrics.get_mut("error_rate") else {
        panic!("{data:?}");
    };
    counts.members = members;
    second_stage(&pipeline(checks), &data)
}

/// The members, of which one population lacks the second counter of the events or of the total.
fn without(population: Population, of_total: bool) -> Members {
    let mut members = members();
    let lists = if of_total {
        &mut members.total
    } else {
        &mut members.events
    };
    lists.get_mut(population)[1] = None;
    members
}

fn held(told: &StageVerdict, code: ReasonCode, words: &str) {
    assert_eq!(told.verdict, Verdict::Hold, "{}", told.reason);
    assert_eq!(told.reason_code, code, "{}", told.reason);
    assert!(told.reason.contains(words), "{}", told.reason);
}

#[test]
fn a_list_of_which_both_versions_have_every_counter_is_judged() {
    let told = judged(checks(&lists(), false), members());
    assert_eq!(told.verdict, Verdict::Promote, "{}", told.reason);
}

#[test]
fn a_canary_whose_failures_of_one_kind_have_another_name_is_not_promoted() {
    let told = judged(checks(&lists(), false), without(Population::Canary, false));
    held(
        &told,
        ReasonCode::CanaryEventsMissing,
        "the canary has no series of grpc_errors_total, and 50 were to be expected",
    );
}

#[test]
fn a_canary_whose_requests_of_one_kind_have_another_name_is_not_judged() {
    for is_absolute in [false, true] {
        let told = judged(
            checks(&lists(), is_absolute),
            without(Population::Canary, true),
        );
        held(
            &told,
            ReasonCode::NoData,
            "no series of grpc_requests_total",
        );
    }
}

#[test]
fn a_control_whose_requests_of_one_kind_have_another_name_compares_with_nothing() {
    let lacking = || without(Population::Control, true);
    let told = judged(checks(&lists(), false), lacking());
    held(
        &told,
        ReasonCode::NoData,
        "the control has no series of grpc_requests_total",
    );
    let told = judged(checks(&lists(), true), lacking());
    assert_eq!(told.verdict, Verdict::Promote, "{}", told.reason);
}

#[test]
fn a_control_that_never_failed_so_is_a_good_control() {
    let told = judged(checks(&lists(), false), without(Population::Control, false));
    assert_eq!(told.verdict, Verdict::Promote, "{}", told.reason);
}

#[test]
fn failures_that_could_well_not_have_happened_are_not_missed() {
    let mut few = without(Population::Canary, false);
    few.events.control[1] = Some(40.0);
    let told = judged(checks(&lists(), false), few);
    assert_eq!(told.verdict, Verdict::Promote, "{}", told.reason);
}

#[test]
fn who_says_that_a_canary_may_have_no_failures_is_believed() {
    let mut checks = checks(&lists(), false);
    Arc::make_mut(&mut checks[0].measured).events_may_be_absent = true;
    let told = judged(checks, without(Population::Canary, false));
    assert_eq!(told.verdict, Verdict::Promote, "{}", told.reason);
}

#[test]
fn versions_with_lists_of_their_own_lack_nothing() {
    let kind = MetricKind::Proportion {
        events: Selection::new(Populations {
            control: vec![
                "http_errors_total".to_owned(),
                "grpc_errors_total".to_owned(),
            ],
            canary: vec!["errors_total".to_owned(), "other_errors_total".to_owned()],
        }),
        total: "requests_total".into(),
        strata: None,
    };
    let mut members = without(Population::Canary, false);
    members.total = Populations::default();
    let told = judged(checks(&kind, false), members);
    assert_eq!(told.verdict, Verdict::Promote, "{}", told.reason);
}
