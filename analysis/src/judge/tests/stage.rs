//! From checks to a verdict.

use super::*;
use crate::judge::{WarningCode, is_stage_over};

#[test]
fn promote_when_the_stage_is_over_and_every_check_has_passed() {
    let pipeline = pipeline(error_rate_checks());
    let verdict = second_stage(&pipeline, &errors(STAGE_INTERVALS, GOOD));
    assert_eq!(verdict.verdict, Verdict::Promote);
    assert_eq!(verdict.reason_code, ReasonCode::Passed);
    assert_eq!(verdict.progress, "stage 2 of 3, 60 of 60 minutes");
}

#[test]
fn hold_while_the_stage_lasts_although_every_check_passes() {
    let pipeline = pipeline(error_rate_checks());
    let verdict = second_stage(&pipeline, &errors(60, GOOD));
    assert_eq!(
        (verdict.verdict, verdict.reason_code),
        (Verdict::Hold, ReasonCode::WarmingUp)
    );
    assert_eq!(
        verdict.reason,
        "nothing is broken and all that is needed is shown; the stage lasts 60 minutes, \
         30 minutes are over"
    );
}

/// A dry run passes a stage by this rule: earlier than the judge, it would say of every good canary
/// that it would have been held.
#[test]
fn a_stage_is_over_when_it_may_promote_and_not_before() {
    for minutes in [2.0, 4.0, 5.0, 6.0] {
        let mut pipeline = pipeline(error_rate_checks());
        pipeline.stages[1].duration_minutes = minutes;
        for intervals in 1..=14 {
            let data = errors(intervals, GOOD);
            let is_over = is_stage_over(&pipeline.stages[1], data.grid);
            let verdict = second_stage(&pipeline, &data);
            let told = format!(
                "{intervals} intervals of {minutes} minutes: {}",
                verdict.reason
            );
            if is_over {
                assert_ne!(verdict.reason_code, ReasonCode::WarmingUp, "{told}");
            } else {
                assert_ne!(verdict.verdict, Verdict::Promote, "{told}");
            }
        }
    }
}

#[test]
fn promote_early_does_not_wait_for_the_end() {
    let mut pipeline = pipeline(error_rate_checks());
    pipeline.stages[1].promote_early = true;
    let verdict = second_stage(&pipeline, &errors(60, GOOD));
    assert_eq!(verdict.verdict, Verdict::Promote);
}

#[test]
fn roll_back_at_once_when_a_check_is_broken() {
    let pipeline = pipeline(error_rate_checks());
    let verdict = second_stage(&pipeline, &errors(10, BAD));
    assert_eq!(
        (verdict.verdict, verdict.reason_code),
        (Verdict::Rollback, ReasonCode::CheckFailed)
    );
    assert!(verdict.rollback_to_percent.abs() < 1e-12);
    assert_eq!(
        verdict.reason,
        "error_rate < baseline * 1.1: broken, canary 0.3 % [0.259 %, 0.348 %], control 0.1 % \
         [0.0918 %, 0.109 %]"
    );
}

#[test]
fn an_undecided_check_says_how_much_traffic_it_needs() {
    let pipeline = pipeline(error_rate_checks());
    let verdict = second_stage(&pipeline, &errors(60, ((90.0, 90_000.0), (10.0, 10_000.0))));
    assert_eq!(
        (verdict.verdict, verdict.reason_code),
        (Verdict::Hold, ReasonCode::Undecided)
    );
    let needs = verdict.checks[0].needs.as_ref().unwrap();
    assert!(needs.canary_total > 10_000.0 && needs.canary_total < 100_000.0);
    assert!(needs.projected_at_ms.unwrap() > grid(60).end_ms());
    assert!(
        verdict.reason.contains("10,000 of about"),
        "{}",
        verdict.reason
    );
}

#[test]
fn a_stage_that_cannot_decide_in_its_time_says_so_at_the_first_answer() {
    let pipeline = pipeline(error_rate_checks());
    let verdict = second_stage(&pipeline, &errors(2, ((9.0, 9_000.0), (0.0, 20.0))));
    assert!(
        verdict.reason.contains("the stage ends after 120 minutes"),
        "{}",
        verdict.reason
    );
}

#[test]
fn no_data_holds_and_never_promotes() {
    let pipeline = pipeline(error_rate_checks());
    let fault = DataFault {
        code: FaultCode::SourceUnavailable,
        message: "refused".to_owned(),
    };
    let faulty = data(
        STAGE_INTERVALS,
        vec![("error_rate", MetricData::Fault(fault))],
    );
    let verdict = second_stage(&pipeline, &faulty);
    assert_eq!(
        (verdict.verdict, verdict.reason_code),
        (Verdict::Hold, ReasonCode::SourceUnavailable)
    );
    assert_eq!(verdict.checks[0].outcome, Outcome::NoData);

    let verdict = second_stage(&pipeline, &data(STAGE_INTERVALS, Vec::new()));
    assert_eq!(
        (verdict.verdict, verdict.reason_code),
        (Verdict::Hold, ReasonCode::NoData)
    );

    let silent = errors(STAGE_INTERVALS, ((900.0, 900_000.0), (0.0, 0.0)));
    let verdict = second_stage(&pipeline, &silent);
    assert_eq!(
        (verdict.verdict, verdict.reason_code),
        (Verdict::Hold, ReasonCode::NoData)
    );
}

#[test]
fn a_stage_without_a_whole_interval_is_warming_up() {
    let pipeline = pipeline(error_rate_checks());
    let verdict = second_stage(&pipeline, &data(0, Vec::new()));
    assert_eq!(
        (verdict.verdict, verdict.reason_code),
        (Verdict::Hold, ReasonCode::WarmingUp)
    );
}

#[test]
fn data_that_stopped_holds_although_the_old_data_passes() {
    let pipeline = pipeline(error_rate_checks());
    let mut stopped = errors(STAGE_INTERVALS, GOOD);
    stopped.grid = grid(STAGE_INTERVALS + 5);
    let verdict = second_stage(&pipeline, &stopped);
    assert_eq!(
        (verdict.verdict, verdict.reason_code),
        (Verdict::Hold, ReasonCode::NoData)
    );
}

#[test]
fn partial_data_holds_even_where_the_check_looks_broken() {
    let pipeline = pipeline(error_rate_checks());
    let mut partial = errors(STAGE_INTERVALS, BAD);
    partial
        .source_warnings
        .insert("error_rate".to_owned(), "store gateway is down".to_owned());
    let verdict = second_stage(&pipeline, &partial);
    assert_eq!(
        (verdict.verdict, verdict.reason_code),
        (Verdict::Hold, ReasonCode::PartialData)
    );
    assert!(verdict.reason.contains("store gateway is down"));
    assert_eq!(verdict.warnings[0].code, WarningCode::PartialData);
}

#[test]
fn the_environment_is_to_blame_when_the_control_breaks_the_same_limit() {
    let pipeline = pipeline(vec![check(
        "error_rate",
        "error_rate < 0.05%",
        below(0.000_5),
    )]);
    let verdict = second_stage(&pipeline, &errors(STAGE_INTERVALS, BAD));
    assert_eq!(
        (verdict.verdict, verdict.reason_code),
        (Verdict::Hold, ReasonCode::Environment)
    );
}

#[test]
fn at_full_traffic_relative_checks_stop_counting_and_absolute_ones_go_on() {
    let mut checks = error_rate_checks();
    let alone = pipeline(checks.clone());
    let without_control = errors(STAGE_INTERVALS, ((0.0, 0.0), (100.0, 1_000_000.0)));
    let verdict = judge(&alone, &alone.stages[2], &without_control);
    assert_eq!(
        (verdict.verdict, verdict.reason_code),
        (Verdict::Hold, ReasonCode::NoControl)
    );

    checks.push(check("error_rate", "error_rate < 0.1%", below(0.001)));
    let both = pipeline(checks);
    let verdict = judge(&both, &both.stages[2], &without_control);
    assert_eq!(verdict.verdict, Verdict::Promote);
    assert!(!verdict.checks[0].counts && verdict.checks[1].counts);
}

#[test]
fn a_check_that_only_warns_neither_rolls_back_nor_holds() {
    let mut checks = error_rate_checks();
    checks.push(check("error_rate", "error_rate < 0.05%", below(0.000_5)));
    let mut pipeline = pipeline(checks);
    pipeline.stages[1].checks[0] = only_warns(written_error_rate());
    let canary_broken = errors(STAGE_INTERVALS, ((100.0, 900_000.0), (30.0, 100_000.0)));
    let verdict = second_stage(&pipeline, &canary_broken);
    assert_eq!(verdict.checks[0].outcome, Outcome::Fail);
    assert_eq!(verdict.verdict, Verdict::Promote, "{}", verdict.reason);
    assert!(
        verdict
            .warnings
            .iter()
            .any(|warning| warning.code == WarningCode::CheckFailed)
    );
}

#[test]
fn an_undecided_check_that_is_not_critical_does_not_hold() {
    let mut checks = error_rate_checks();
    checks.push(check("error_rate", "error_rate < 0.1%", below(0.001)));
    let mut pipeline = pipeline(checks);
    let good = errors(STAGE_INTERVALS, GOOD);
    assert_eq!(
        second_stage(&pipeline, &good).verdict,
        Verdict::Hold,
        "on the limit"
    );
    pipeline.stages[1].checks[1].critical = false;
    assert_eq!(second_stage(&pipeline, &good).verdict, Verdict::Promote);
}

#[test]
fn at_the_longest_duration_the_pipelines_rule_applies_but_not_without_data() {
    let mut pipeline = pipeline(error_rate_checks());
    let open = errors(2 * STAGE_INTERVALS, ((90.0, 90_000.0), (10.0, 10_000.0)));
    assert_eq!(second_stage(&pipeline, &open).verdict, Verdict::Hold);
    pipeline.analysis.on_inconclusive = OnInconclusive::Promote;
    let verdict = second_stage(&pipeline, &open);
    assert_eq!(verdict.verdict, Verdict::Promote);
    assert!(
        verdict.reason.starts_with("on_inconclusive is promote"),
        "{}",
        verdict.reason
    );
    let nothing = data(2 * STAGE_INTERVALS, Vec::new());
    assert_eq!(second_stage(&pipeline, &nothing).verdict, Verdict::Hold);
    pipeline.analysis.on_inconclusive = OnInconclusive::Rollback;
    assert_eq!(second_stage(&pipeline, &open).verdict, Verdict::Rollback);
}

#[test]
fn an_impact_is_a_relative_loss_of_another_metric() {
    let pipeline = pipeline(vec![check("kpi_impact", "kpi_impact < 0.01", below(0.01))]);
    let conversions = |canary: f64| {
        data(
            STAGE_INTERVALS,
            vec![(
                "conversion",
                counts(
                    STAGE_INTERVALS,
                    (270_000.0, 9_000_000.0),
                    (canary, 1_000_000.0),
                ),
            )],
        )
    };
    assert_eq!(
        second_stage(&pipeline, &conversions(30_000.0)).verdict,
        Verdict::Promote
    );
    let lost = second_stage(&pipeline, &conversions(28_000.0));
    assert_eq!(lost.verdict, Verdict::Rollback);
    assert_eq!(
        lost.checks[0]
            .wilson
            .as_ref()
            .unwrap()
            .classification
            .name(),
        "regression"
    );
}

#[test]
fn every_broken_check_is_named_also_those_that_only_the_step_down_reaches() {
    // The second check is broken at 99 %, but not at 99.5 %, the share of one of two checks.
    let mut checks = error_rate_checks();
    checks.push(check("conversion", "conversion < 0.1%", below(0.001)));
    let pipeline = pipeline(checks);
    let mut both = errors(60, BAD);
    both.metrics.insert(
        "conversion".to_owned(),
        counts(60, (9.0, 90_000.0), (127.5, 100_000.0)),
    );
    let verdict = second_stage(&pipeline, &both);
    let outcomes: Vec<Outcome> = verdict.checks.iter().map(|check| check.outcome).collect();
    assert_eq!(outcomes, [Outcome::Fail, Outcome::Fail]);
    both.metrics
        .insert("error_rate".to_owned(), counts(60, GOOD.0, GOOD.1));
    assert_eq!(
        second_stage(&pipeline, &both).checks[1].outcome,
        Outcome::Undecided
    );
}

#[test]
fn kayenta_looks_once_at_the_end() {
    let mut pipeline = pipeline(error_rate_checks());
    decided_by(&mut pipeline, Method::Kayenta);
    let early = second_stage(&pipeline, &errors(60, BAD));
    assert_eq!(
        (early.verdict, early.reason_code),
        (Verdict::Hold, ReasonCode::Undecided)
    );
    let MetricData::Counts(mut noisy) = counts(STAGE_INTERVALS, BAD.0, BAD.1) else {
        unreachable!()
    };
    for (index, interval) in noisy.intervals.iter_mut().enumerate() {
        let wobble = 1.0 + 0.01 * (index % 7) as f64;
        interval.canary.events *= wobble * 1_000.0;
        interval.canary.exposure *= 1_000.0;
        interval.control.events *= wobble;
    }
    let scaled = data(
        STAGE_INTERVALS,
        vec![("error_rate", MetricData::Counts(noisy))],
    );
    let verdict = second_stage(&pipeline, &scaled);
    assert_eq!(verdict.checks[0].method, Method::Kayenta);
    assert_ne!(
        verdict.checks[0].outcome,
        Outcome::NoData,
        "{}",
        verdict.reason
    );
}

/// Counts with a canary that has traffic in some intervals only.
fn counts_by(
    intervals: usize,
    mut of: impl FnMut(usize) -> ((f64, f64), (f64, f64)),
) -> MetricData {
    let arm = |(events, exposure): (f64, f64)| ArmCount { events, exposure };
    let interval = |first| {
        let (control, canary) = of(first);
        PairedInterval {
            first,
            length: 1,
            control: arm(control),
            canary: arm(canary),
        }
    };
    MetricData::Counts(PairedCounts {
        intervals: (0..intervals).map(interval).collect(),
        ..PairedCounts::default()
    })
}

#[test]
fn a_canary_that_lost_its_traffic_is_not_promoted_on_what_it_did_before() {
    let pipeline = pipeline(error_rate_checks());
    let died = counts_by(STAGE_INTERVALS, |interval| {
        let canary = if interval < 60 {
            (2.0, 2_000.0)
        } else {
            (0.0, 0.0)
        };
        ((15.0, 15_000.0), canary)
    });
    let verdict = second_stage(
        &pipeline,
        &data(STAGE_INTERVALS, vec![("error_rate", died)]),
    );
    assert_eq!(
        (verdict.verdict, verdict.reason_code),
        (Verdict::Hold, ReasonCode::NoData)
    );
    assert!(
        verdict.reason.contains("no traffic for 60 intervals"),
        "{}",
        verdict.reason
    );
}

/// What was compared before must not promote a canary that is compared with nothing any more.
#[test]
fn a_control_that_lost_its_traffic_promotes_nothing() {
    let mut pipeline = pipeline(error_rate_checks());
    decided_by(&mut pipeline, Method::Sequential);
    let judged = |control_until: usize| {
        let MetricData::Counts(mut counts) = counts(STAGE_INTERVALS, GOOD.0, GOOD.1) else {
            unreachable!()
        };
        for interval in counts.intervals.iter_mut().skip(control_until) {
            interval.control = ArmCount::default();
            interval.canary.events = interval.canary.exposure;
        }
        let metrics = vec![("error_rate", MetricData::Counts(counts))];
        second_stage(&pipeline, &data(STAGE_INTERVALS, metrics))
    };
    let verdict = judged(STAGE_INTERVALS / 2);
    assert_eq!(verdict.verdict, Verdict::Hold, "{}", verdict.reason);
    assert_eq!(
        verdict.reason,
        "error_rate < baseline * 1.1: the control has had no traffic for 60 intervals, where 450,000 were to be expected"
    );
    let verdict = judged(STAGE_INTERVALS);
    assert_eq!(verdict.verdict, Verdict::Promote, "{}", verdict.reason);
}

#[test]
fn a_rare_canary_may_have_intervals_without_requests() {
    let pipeline = pipeline(vec![check("error_rate", "error_rate < 50%", below(0.5))]);
    let rare = counts_by(STAGE_INTERVALS, |interval| {
        let canary = if interval % 12 == 0 {
            (0.0, 4.0)
        } else {
            (0.0, 0.0)
        };
        ((0.0, 3.0), canary)
    });
    let verdict = second_stage(
        &pipeline,
        &data(STAGE_INTERVALS, vec![("error_rate", rare)]),
    );
    assert_eq!(verdict.verdict, Verdict::Promote, "{}", verdict.reason);
}

#[test]
fn a_comparison_leaves_out_the_time_when_only_one_population_had_traffic() {
    let pipeline = pipeline(error_rate_checks());
    // An incident hits both, and the canary has traffic only then.
    let incident = counts_by(STAGE_INTERVALS, |interval| {
        if interval >= 100 {
            ((375.0, 7_500.0), (25.0, 500.0))
        } else {
            ((7.0, 7_500.0), (0.0, 0.0))
        }
    });
    let verdict = second_stage(
        &pipeline,
        &data(STAGE_INTERVALS, vec![("error_rate", incident)]),
    );
    assert_ne!(verdict.verdict, Verdict::Rollback, "{}", verdict.reason);
}

#[test]
fn without_a_start_the_stage_is_as_old_as_the_canary() {
    let pipeline = pipeline(error_rate_checks());
    let young = counts_by(STAGE_INTERVALS, |interval| {
        let canary = if interval >= 100 {
            (5.0, 5_000.0)
        } else {
            (0.0, 0.0)
        };
        ((45.0, 45_000.0), canary)
    });
    let mut young = data(STAGE_INTERVALS, vec![("error_rate", young)]);
    young.starts_with_stage = false;
    let verdict = second_stage(&pipeline, &young);
    assert_eq!(
        (verdict.verdict, verdict.reason_code),
        (Verdict::Hold, ReasonCode::WarmingUp)
    );
    assert_eq!(verdict.progress, "stage 2 of 3, 10 of 60 minutes");
    let mut old = errors(STAGE_INTERVALS, GOOD);
    old.starts_with_stage = false;
    assert_eq!(second_stage(&pipeline, &old).verdict, Verdict::Promote);
}

#[test]
fn too_few_intervals_promote_nothing_even_early() {
    let mut pipeline = pipeline(error_rate_checks());
    pipeline.stages[1].promote_early = true;
    assert_eq!(
        second_stage(&pipeline, &errors(9, GOOD)).reason_code,
        ReasonCode::WarmingUp
    );
    assert_eq!(
        second_stage(&pipeline, &errors(10, GOOD)).verdict,
        Verdict::Promote
    );
}

#[test]
fn at_full_traffic_a_check_that_only_warns_promotes_nothing() {
    let mut checks = error_rate_checks();
    checks.push(check("error_rate", "error_rate < 0.1%", below(0.001)));
    let mut pipeline = pipeline(checks);
    pipeline.stages[2].checks[1] =
        only_warns(written("error_rate", "error_rate < 0.1%", below(0.001)));
    let without_control = errors(STAGE_INTERVALS, ((0.0, 0.0), (100.0, 1_000_000.0)));
    let verdict = judge(&pipeline, &pipeline.stages[2], &without_control);
    assert_eq!(verdict.verdict, Verdict::Hold, "{}", verdict.reason);
}

#[test]
fn a_broken_check_stays_broken_when_others_share_its_level() {
    // At 99 % the control breaks the limit as well, at 99.5 % it does not.
    let mut checks = vec![check("error_rate", "error_rate < 0.1%", below(0.001))];
    checks.push(check("conversion", "conversion < 50%", below(0.5)));
    let pipeline = pipeline(checks);
    for control_errors in (960..1_000).step_by(4) {
        let both = data(
            60,
            vec![
                (
                    "error_rate",
                    counts(
                        60,
                        (f64::from(control_errors), 900_000.0),
                        (300.0, 100_000.0),
                    ),
                ),
                ("conversion", counts(60, (1.0, 100.0), (1.0, 100.0))),
            ],
        );
        let alone = second_stage(&pipeline, &both).checks[0].outcome;
        let environment = second_stage(&pipeline, &both).checks[0].reason_code;
        assert_eq!(
            alone == Outcome::Fail,
            environment != ReasonCode::Environment,
            "{control_errors} errors of the control"
        );
    }
}

#[test]
fn a_relative_check_says_which_wider_limit_was_shown() {
    let pipeline = pipeline(error_rate_checks());
    let verdict = second_stage(&pipeline, &errors(STAGE_INTERVALS, GOOD));
    assert!(
        verdict.checks[0]
            .reason
            .contains("shown to stay below 2 x control"),
        "{}",
        verdict.checks[0].reason
    );
}
