//! What is told before a rollout.

use super::*;
use crate::data::{DataFault, FaultCode, MetricData};
use crate::judge::tests::{
    below, below_baseline, check, decided_by, only_warns, pipeline, settings, stage, subject,
    written,
};
use crate::pipeline::{Method, Pipeline, WrittenCheck};
use crate::series::PairedCounts;

/// One stage of one hour at 10 %, at most two.
fn hour(checks: Vec<Check>, traffic_percent: f64) -> Pipeline {
    let mut pipeline = pipeline(checks.clone());
    pipeline.stages = vec![stage("stage_1", traffic_percent, checks)];
    decided_by(&mut pipeline, Method::Sequential);
    pipeline
}

fn told(pipeline: &Pipeline, requests_per_second: f64, error_rate: f64) -> StageOutlook {
    let whole = service_of(pipeline, requests_per_second, error_rate);
    let past = Past {
        whole: &whole,
        noise: Noise::Given(1.0),
    };
    outlook(pipeline, &pipeline.stages[0], &past)
}

fn sentences(outlook: &StageOutlook) -> String {
    let mut lines = vec![outlook.sentence.clone()];
    lines.extend(outlook.checks.iter().map(|check| check.sentence.clone()));
    lines.join("\n")
}

fn written_relative(ratio: f64) -> WrittenCheck {
    let text = format!("error_rate < baseline * {ratio}");
    written("error_rate", &text, below_baseline(ratio))
}

fn relative(ratio: f64) -> Check {
    written_relative(ratio).resolved(subject("error_rate"), &settings())
}

/// docs/design/statistics.md, "12. Planning": 90 minutes until x2, 21 until x3, 6.5 until x5, 31 to
/// promote, which notebooks/planning.ipynb computes too.
#[test]
fn the_worked_example_is_told_in_minutes() {
    let outlook = told(&hour(vec![relative(1.25)], 10.0), 100.0, 0.001);
    let check = &outlook.checks[0];
    let minutes = |factor: f64| {
        let sight = check
            .sees
            .iter()
            .find(|sight| (sight.factor - factor).abs() < 1e-12);
        sight.unwrap().minutes.unwrap()
    };
    for (factor, expected) in [(2.0, 90.0), (3.0, 21.0), (5.0, 6.5)] {
        let minutes = minutes(factor);
        assert!((minutes - expected).abs() < 0.1, "x{factor}: {minutes}");
    }
    let smallest = check.smallest_seen_in_duration.unwrap();
    assert!(smallest > 2.15 && smallest < 2.25, "{smallest}");
    let promotion = check.promotion.as_ref().unwrap().minutes.unwrap();
    assert!((promotion - 31.0).abs() < 0.1, "{promotion}");
    assert_eq!(outlook.can_promote, Some(true));
    assert_eq!(outlook.promotes_after_minutes, Some(60.0));
}

#[test]
fn checks_share_what_may_be_rolled_back_wrongly_and_stages_do_not() {
    let needed = |pipeline: &Pipeline| {
        let outlook = told(pipeline, 100.0, 0.001);
        outlook.checks[0].sees[2].intervals.unwrap()
    };
    let alone = needed(&hour(vec![relative(1.25)], 10.0));
    let two = needed(&hour(vec![relative(1.25), relative(1.5)], 10.0));
    let mut stages = hour(vec![relative(1.25)], 10.0);
    stages.stages.push(stages.stages[0].clone());
    assert!(two > alone);
    // The same check in two stages is one stream: what the rollout may spend is spent once.
    assert!((needed(&stages) - alone).abs() < 1e-6);
    let mut warns = hour(vec![relative(1.25), relative(1.5)], 10.0);
    warns.stages[0].checks[1] = only_warns(written_relative(1.5));
    decided_by(&mut warns, Method::Sequential);
    assert!((needed(&warns) - alone).abs() < 1e-6, "takes no share");
}

#[test]
fn a_stage_is_told_in_sentences() {
    let absolute = check("error_rate", "error_rate < 1%", below(0.01));
    insta::assert_snapshot!(sentences(&told(
        &hour(vec![relative(1.1), absolute], 1.0),
        100.0,
        0.001
    )));
}

#[test]
fn what_would_be_enough_is_told() {
    insta::assert_snapshot!(sentences(&told(
        &hour(vec![relative(1.1)], 0.1),
        100.0,
        0.001
    )));
}

#[test]
fn what_cannot_be_planned_says_why() {
    let checks = || {
        vec![
            check("latency_p99", "latency_p99 < 200ms", below(0.2)),
            check("error_rate", "error_rate < 0.1%", below(0.001)),
            relative(1.1),
        ]
    };
    insta::assert_snapshot!(sentences(&told(&hour(checks(), 100.0), 100.0, 0.002)));
    let without_errors = told(&hour(vec![relative(1.1)], 10.0), 100.0, 0.0);
    insta::assert_snapshot!(sentences(&without_errors));
    let without_traffic = told(&hour(vec![relative(1.1)], 10.0), 0.0, 0.0);
    assert_eq!(without_traffic.checks[0].status, OutlookStatus::NoData);
    assert_eq!(without_traffic.can_promote, None);
    let mut wilson = hour(vec![relative(1.1)], 10.0);
    decided_by(&mut wilson, Method::Wilson);
    let outlook = told(&wilson, 100.0, 0.001);
    assert_eq!(outlook.checks[0].status, OutlookStatus::NotPlanned);
}

#[test]
fn values_that_cannot_be_planned_with_say_so_themselves() {
    let pipeline = hour(vec![relative(1.5)], 10.0);
    let mut whole = service_of(&pipeline, 10.0, 0.001);
    assert_eq!(unusable(&whole), [] as [&str; 0]);
    let of = |code, message: &str| {
        MetricData::Fault(DataFault {
            code,
            message: message.to_owned(),
        })
    };
    let mut told = |metric| {
        whole.metrics.insert("error_rate".to_owned(), metric);
        unusable(&whole)
    };
    assert_eq!(told(of(FaultCode::NoData, "none")), [] as [&str; 0]);
    let no_counter = "no counter: 9 of 20 values fall";
    assert_eq!(
        told(of(FaultCode::NotACounter, no_counter)),
        [format!("error_rate: {no_counter}")]
    );
    let mut counts = PairedCounts::default();
    counts.quality.more_events_than_total = 7;
    assert_eq!(
        told(MetricData::Counts(counts)),
        ["error_rate: more events than requests in 1 of 1 intervals: are they swapped?"]
    );
}
