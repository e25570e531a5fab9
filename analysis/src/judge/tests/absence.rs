//! Counts that do not say what they seem to: no events where none could be, more than there can be.

use super::*;
use crate::data::{Lack, Mismatch, NotSeen, SelectorFinding};
use crate::judge::WarningCode;
use crate::series::Population;

/// No failures of 900,000 and 100,000 requests.
const NONE: ((f64, f64), (f64, f64)) = ((0.0, 900_000.0), (0.0, 100_000.0));
/// The canary has none where a hundred were to be expected.
const NONE_OF_THE_CANARY: ((f64, f64), (f64, f64)) = ((900.0, 900_000.0), (0.0, 100_000.0));

fn absolute() -> Vec<Check> {
    let written = written("error_rate", "error_rate < 1%", below(0.01));
    vec![written.resolved(subject("error_rate"), &settings())]
}

fn quality(data: &mut StageData) -> &mut DataQuality {
    match data.metrics.get_mut("error_rate") {
        Some(MetricData::Counts(counts)) => &mut counts.quality,
        other => panic!("{other:?}"),
    }
}

/// The data of a stage that is over, of which something was found out.
fn found(of: ((f64, f64), (f64, f64)), finding: Option<SelectorFinding>) -> StageData {
    let mut data = errors(STAGE_INTERVALS, of);
    let quality = quality(&mut data);
    quality.no_canary_event_series = of.1.0 == 0.0;
    quality.no_event_series = of.0.0 + of.1.0 == 0.0;
    let found = finding.map(|finding| ("error_rate".to_owned(), finding));
    data.findings.selectors = found.into_iter().collect();
    data
}

fn no_label() -> Mismatch {
    Mismatch::Label {
        metric: "http_requests_total".to_owned(),
        label: "code".to_owned(),
        asked: "code=~\"5..\"".to_owned(),
        near: vec!["status".to_owned(), "pod".to_owned()],
        others_have_it: false,
    }
}

fn no_name() -> Mismatch {
    Mismatch::Metric {
        metric: "faults_total".to_owned(),
        near: Vec::new(),
    }
}

fn lack() -> SelectorFinding {
    lack_of(Population::Canary, false)
}

fn lack_of(population: Population, is_renamed: bool) -> SelectorFinding {
    SelectorFinding::LacksTheLabels(Lack {
        population,
        metric: "http_requests_total".to_owned(),
        asked: vec!["code".to_owned()],
        near: vec!["status".to_owned()],
        is_renamed,
    })
}

/// The same pipeline, whose error rate may have a canary without a series of failures.
fn with_absent_events(mut checks: Vec<Check>) -> Pipeline {
    for check in &mut checks {
        Arc::make_mut(&mut check.measured).events_may_be_absent = true;
    }
    let mut pipeline = pipeline(checks);
    for metric in pipeline.metrics.values_mut() {
        metric.events_may_be_absent = true;
    }
    pipeline
}

fn kill_switch(metric: &str, text: &str, limit: f64) -> Check {
    let condition = Condition::Absolute {
        comparison: Comparison::Greater,
        limit,
    };
    switch(metric, text, condition)
}

fn codes(verdict: &StageVerdict) -> Vec<WarningCode> {
    verdict.warnings.iter().map(|one| one.code).collect()
}

#[test]
fn no_failures_anywhere_promote_and_say_that_nobody_has_ever_seen_one() {
    let pipeline = pipeline(absolute());
    let told = second_stage(&pipeline, &found(NONE, Some(SelectorFinding::CouldMatch)));
    assert_eq!(told.verdict, Verdict::Promote, "{}", told.reason);
    assert!(
        told.reason.contains(
            "error_rate: neither population has a series of the events, which counts as none"
        ),
        "{}",
        told.reason
    );
    assert!(codes(&told).contains(&WarningCode::NoEventSeries));
}

#[test]
fn a_selector_that_can_never_match_promotes_nothing() {
    for (why, what) in [(no_label(), "status"), (no_name(), "faults_total")] {
        let finding = SelectorFinding::MatchesNothing(why);
        let told = second_stage(&pipeline(absolute()), &found(NONE, Some(finding)));
        assert_eq!(told.verdict, Verdict::Hold);
        assert_eq!(told.reason_code, ReasonCode::SelectorMatchesNothing);
        assert!(told.reason.contains(what), "{}", told.reason);
        assert!(!codes(&told).contains(&WarningCode::NoEventSeries));
    }
}

#[test]
fn what_is_never_seen_before_its_first_event_may_be_said_to_be_fine() {
    let pipeline = with_absent_events(absolute());
    let nowhere = SelectorFinding::MatchesNothing(no_name());
    let told = second_stage(&pipeline, &found(NONE, Some(nowhere)));
    assert_eq!(told.verdict, Verdict::Promote, "{}", told.reason);
    // A label does not come with the first event.
    let label = SelectorFinding::MatchesNothing(no_label());
    let told = second_stage(&pipeline, &found(NONE, Some(label)));
    assert_eq!(told.reason_code, ReasonCode::SelectorMatchesNothing);
}

#[test]
fn a_source_that_does_not_say_is_a_warning_and_no_more() {
    let fault = DataFault {
        code: FaultCode::SourceSlow,
        message: "source \"main\" did not answer".to_owned(),
    };
    let unknown = found(NONE, Some(SelectorFinding::Unknown(fault)));
    let told = second_stage(&pipeline(absolute()), &unknown);
    assert_eq!(told.verdict, Verdict::Promote);
    assert!(codes(&told).contains(&WarningCode::SelectorNotChecked));
    assert!(
        told.reason.contains("does not say whether"),
        "{}",
        told.reason
    );
}

#[test]
fn a_canary_that_lacks_the_label_of_its_failures_is_not_promoted() {
    for checks in [absolute(), error_rate_checks()] {
        let told = second_stage(
            &pipeline(checks.clone()),
            &found(NONE_OF_THE_CANARY, Some(lack())),
        );
        assert_eq!(told.verdict, Verdict::Hold);
        assert_eq!(told.reason_code, ReasonCode::CanaryEventsMissing);
        for what in ["100 events were to be expected", "renamed", "status"] {
            assert!(told.reason.contains(what), "{}", told.reason);
        }
        let allowed = with_absent_events(checks);
        let told = second_stage(&allowed, &found(NONE_OF_THE_CANARY, Some(lack())));
        assert_eq!(told.verdict, Verdict::Promote, "{}", told.reason);
    }
}

#[test]
fn a_version_that_repairs_all_failures_is_promoted_by_who_says_so() {
    let repaired = found(
        NONE_OF_THE_CANARY,
        Some(SelectorFinding::CanaryHasTheLabels),
    );
    let told = second_stage(&pipeline(error_rate_checks()), &repaired);
    assert_eq!(told.reason_code, ReasonCode::CanaryEventsMissing);
    assert!(
        told.reason.contains("events_may_be_absent"),
        "{}",
        told.reason
    );
    let allowed = with_absent_events(error_rate_checks());
    let told = second_stage(&allowed, &repaired);
    assert_eq!(told.verdict, Verdict::Promote, "{}", told.reason);
}

#[test]
fn few_failures_that_did_not_happen_are_no_sign_of_anything() {
    let four = ((36.0, 900_000.0), (0.0, 100_000.0));
    let told = second_stage(&pipeline(absolute()), &found(four, Some(lack())));
    assert_eq!(told.verdict, Verdict::Promote, "{}", told.reason);
    let five = ((46.0, 900_000.0), (0.0, 100_000.0));
    let told = second_stage(&pipeline(absolute()), &found(five, Some(lack())));
    assert_eq!(told.reason_code, ReasonCode::CanaryEventsMissing);
}

#[test]
fn what_leaves_nothing_out_counts_every_request_and_decides_nothing() {
    let all = ((900_000.0, 900_000.0), (100_000.0, 100_000.0));
    let finding = SelectorFinding::LeavesOutNothing(no_label());
    for checks in [absolute(), error_rate_checks()] {
        let told = second_stage(&pipeline(checks), &found(all, Some(finding.clone())));
        assert_eq!(told.verdict, Verdict::Hold);
        assert_eq!(told.reason_code, ReasonCode::SelectorMatchesNothing);
        assert!(
            told.reason.contains("leaves nothing out"),
            "{}",
            told.reason
        );
    }
}

/// D13: from a fifth of the intervals on.
#[test]
fn more_events_than_requests_are_two_counters_that_race_or_are_swapped() {
    let raced = |intervals: usize| {
        let mut data = errors(STAGE_INTERVALS, GOOD);
        quality(&mut data).more_events_than_total = intervals;
        second_stage(&pipeline(error_rate_checks()), &data)
    };
    assert_eq!(raced(24).verdict, Verdict::Promote);
    let told = raced(25);
    assert_eq!(told.verdict, Verdict::Hold);
    assert_eq!(told.reason_code, ReasonCode::EventsExceedTotal);
    assert!(
        told.reason
            .contains("more events than requests in 25 of 120 intervals: are they swapped?"),
        "{}",
        told.reason
    );
}

#[test]
fn a_control_that_cannot_be_counted_compares_with_nothing() {
    let lacking = || Some(lack_of(Population::Control, true));
    // Without its label a control has no events, or with an excluding matcher nothing else.
    for control in [0.0, 900_000.0] {
        for canary in [100.0, 20_000.0] {
            let of = ((control, 900_000.0), (canary, 100_000.0));
            let told = second_stage(&pipeline(error_rate_checks()), &found(of, lacking()));
            assert_eq!(told.verdict, Verdict::Hold, "{}", told.reason);
            assert_eq!(told.reason_code, ReasonCode::ControlEventsMissing);
            for what in [
                "the control has no series",
                "with code; they have status",
                "compare",
            ] {
                assert!(told.reason.contains(what), "{}", told.reason);
            }
        }
        let of = ((control, 900_000.0), (20_000.0, 100_000.0));
        let told = second_stage(&pipeline(absolute()), &found(of, lacking()));
        assert_eq!(told.verdict, Verdict::Rollback, "{}", told.reason);
        let mut watched = pipeline(error_rate_checks());
        watched.kill_switch = vec![kill_switch("error_rate", "error_rate > 5%", 0.05)];
        let told = second_stage(&watched, &found(of, lacking()));
        assert_eq!(told.reason_code, ReasonCode::KillSwitch, "{}", told.reason);
        let good = ((control, 900_000.0), (100.0, 100_000.0));
        let told = second_stage(&pipeline(absolute()), &found(good, lacking()));
        assert_eq!(told.verdict, Verdict::Promote, "{}", told.reason);
    }
}

#[test]
fn a_canary_whose_every_request_is_an_event_for_want_of_a_label_is_not_rolled_back() {
    let all = ((900.0, 900_000.0), (100_000.0, 100_000.0));
    for checks in [absolute(), error_rate_checks()] {
        let data = found(all, Some(lack_of(Population::Canary, true)));
        let mut pipeline = pipeline(checks);
        pipeline.kill_switch = vec![kill_switch("error_rate", "error_rate > 5%", 0.05)];
        let told = second_stage(&pipeline, &data);
        assert_eq!(told.verdict, Verdict::Hold, "{}", told.reason);
        assert_eq!(told.reason_code, ReasonCode::CanaryEventsMissing);
    }
    // One that has the label and fails every request is.
    let told = second_stage(&pipeline(absolute()), &found(all, None));
    assert_eq!(told.verdict, Verdict::Rollback, "{}", told.reason);
}

#[test]
fn every_request_of_both_a_bad_event_decides_nothing() {
    let all = ((900_000.0, 900_000.0), (100_000.0, 100_000.0));
    for checks in [absolute(), error_rate_checks()] {
        let told = second_stage(&pipeline(checks), &found(all, None));
        assert_eq!(told.verdict, Verdict::Hold);
        assert_eq!(told.reason_code, ReasonCode::SelectorMatchesNothing);
        assert!(
            told.reason
                .contains("does errors_total leave anything out?"),
            "{}",
            told.reason
        );
    }
}

#[test]
fn every_request_of_both_a_good_event_is_a_healthy_service() {
    let above = Condition::Absolute {
        comparison: Comparison::Greater,
        limit: 0.98,
    };
    let checks = vec![check("conversion", "conversion > 98%", above)];
    let counted = counts(
        STAGE_INTERVALS,
        (900_000.0, 900_000.0),
        (100_000.0, 100_000.0),
    );
    let mut data = data(STAGE_INTERVALS, vec![("conversion", counted)]);
    let told = second_stage(&pipeline(checks.clone()), &data);
    assert_eq!(told.verdict, Verdict::Promote, "{}", told.reason);
    let why = Mismatch::Value {
        label: "code".to_owned(),
        asked: "code!~\"5...\"".to_owned(),
        near: vec!["200".to_owned()],
        is_of_every_status: true,
    };
    let finding = SelectorFinding::LeavesOutNothing(why);
    data.findings.selectors = BTreeMap::from([("conversion".to_owned(), finding)]);
    let told = second_stage(&pipeline(checks), &data);
    assert_eq!(told.verdict, Verdict::Promote, "{}", told.reason);
    assert!(codes(&told).contains(&WarningCode::LeavesNothingOut));
}

#[test]
fn events_that_nobody_has_seen_are_told_while_a_stage_holds_and_no_limit_is_advised() {
    let why = Mismatch::Value {
        label: "handler".to_owned(),
        asked: "handler=\"/chekout\"".to_owned(),
        near: vec!["/checkout".to_owned()],
        is_of_every_status: false,
    };
    let unlikely = SelectorFinding::NoSuchValue(why);
    let told = second_stage(&pipeline(error_rate_checks()), &found(NONE, Some(unlikely)));
    assert_eq!(told.reason_code, ReasonCode::Undecided);
    for what in [
        "neither population has a series of the events",
        "of handler there is /checkout",
    ] {
        assert!(told.reason.contains(what), "{}", told.reason);
    }
    assert!(!told.reason.contains("baseline +"), "{}", told.reason);
    // A counter that is there and stands still has been read.
    let mut still = found(NONE, None);
    quality(&mut still).no_event_series = false;
    let told = second_stage(&pipeline(error_rate_checks()), &still);
    assert!(told.reason.contains("baseline + 0.001"), "{}", told.reason);
}

#[test]
fn a_kill_switch_whose_events_nobody_has_seen_is_told_with_a_promotion() {
    let mut pipeline = pipeline(error_rate_checks());
    let limit = Condition::Absolute {
        comparison: Comparison::Greater,
        limit: 0.5,
    };
    pipeline.kill_switch = vec![switch("conversion", "conversion > 50%", limit)];
    let mut data = errors(STAGE_INTERVALS, GOOD);
    let mut nothing = counts(STAGE_INTERVALS, NONE.0, NONE.1);
    if let MetricData::Counts(counts) = &mut nothing {
        counts.quality.no_event_series = true;
    }
    data.metrics.insert("conversion".to_owned(), nothing);
    let told = second_stage(&pipeline, &data);
    assert_eq!(told.verdict, Verdict::Promote, "{}", told.reason);
    assert!(
        told.reason.contains("conversion: neither population"),
        "{}",
        told.reason
    );
}

#[test]
fn a_kill_switch_of_another_metric_still_fires() {
    let mut pipeline = pipeline(absolute());
    pipeline.kill_switch = vec![kill_switch("cpu_usage", "cpu_usage > 0.8", 0.8)];
    let mut data = found(NONE, Some(SelectorFinding::MatchesNothing(no_label())));
    let busy = Populations {
        control: Some(0.3),
        canary: Some(0.95),
    };
    let gauge = PairedGauge {
        intervals: vec![busy; STAGE_INTERVALS],
        ..PairedGauge::default()
    };
    let cpu = MetricData::Gauge(gauge);
    data.metrics.insert("cpu_usage".to_owned(), cpu);
    let told = second_stage(&pipeline, &data);
    assert_eq!(told.verdict, Verdict::Rollback, "{}", told.reason);
    assert_eq!(told.reason_code, ReasonCode::KillSwitch);
}

#[test]
fn a_kill_switch_that_counts_nothing_cannot_see() {
    let mut pipeline = pipeline(error_rate_checks());
    pipeline.kill_switch = vec![kill_switch("error_rate", "error_rate > 5%", 0.05)];
    let data = found(NONE_OF_THE_CANARY, Some(lack()));
    let told = second_stage(&pipeline, &data);
    let switch = told.checks.last().unwrap();
    assert_eq!(switch.reason_code, ReasonCode::CanaryEventsMissing);
    assert!(switch.reason.contains("cannot see"), "{}", switch.reason);
}

#[test]
fn a_population_that_has_nothing_is_told_with_where_it_may_be() {
    let fault = DataFault {
        code: FaultCode::NoData,
        message: "no series of the canary answers Q; the control has some".to_owned(),
    };
    let mut data = data(10, vec![("error_rate", MetricData::Fault(fault))]);
    let unseen = NotSeen::Value {
        metric: "http_requests_total".to_owned(),
        asked: "track=\"canary\"".to_owned(),
        near: vec!["stable".to_owned(), "next".to_owned()],
    };
    let finding = SelectorFinding::NotSeen(unseen);
    data.findings.selectors = BTreeMap::from([("error_rate".to_owned(), finding)]);
    let told = second_stage(&pipeline(error_rate_checks()), &data);
    assert_eq!(told.reason_code, ReasonCode::NoData);
    assert!(
        told.reason.ends_with(
            "the control has some; no series of http_requests_total has track=\"canary\"; there is \
             stable, next"
        ),
        "{}",
        told.reason
    );
}

#[test]
fn a_canary_that_fails_every_request_is_rolled_back_though_its_counters_race() {
    let mut data = errors(
        STAGE_INTERVALS,
        ((9_000.0, 900_000.0), (99_000.0, 100_000.0)),
    );
    quality(&mut data).more_events_than_total = 100;
    let told = second_stage(&pipeline(error_rate_checks()), &data);
    assert_eq!(told.verdict, Verdict::Rollback, "{}", told.reason);
}

#[test]
fn what_is_under_way_is_told_from_events_that_are_counted_otherwise() {
    // In 18 of 30 intervals a start has seen fewer agree: events are ahead by what is under way.
    let told = |beyond: f64| {
        let mut data = errors(30, ((90.0, 9_000.0), (900.0, 1_000.0)));
        let Some(MetricData::Counts(counts)) = data.metrics.get_mut("error_rate") else {
            panic!("{data:?}");
        };
        counts.intervals.truncate(12);
        counts.quality.more_events_than_total = 18;
        counts.beyond_total.canary = ArmCount {
            events: beyond,
            exposure: 600.0,
        };
        second_stage(&pipeline(absolute()), &data)
    };
    let race = told(609.0);
    assert_eq!(race.verdict, Verdict::Rollback, "{}", race.reason);
    let items = told(900.0);
    assert_eq!(
        items.reason_code,
        ReasonCode::EventsExceedTotal,
        "{}",
        items.reason
    );
}
