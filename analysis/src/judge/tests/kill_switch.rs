//! Kill switches.

use super::*;

fn kill_switch(metric: &str, limit: f64, text: &str) -> Check {
    switch(
        metric,
        text,
        Condition::Absolute {
            comparison: Comparison::Greater,
            limit,
        },
    )
}

#[test]
fn a_kill_switch_fires_on_the_newest_data_and_lists_every_reason() {
    let mut pipeline = pipeline(error_rate_checks());
    pipeline.kill_switch = vec![
        kill_switch("error_rate", 0.05, "error_rate > 5%"),
        kill_switch("cpu_usage", 0.8, "cpu_usage > 0.8"),
    ];
    let MetricData::Counts(mut outage) =
        counts(STAGE_INTERVALS, (900.0, 900_000.0), (100.0, 100_000.0))
    else {
        unreachable!()
    };
    for interval in outage.intervals.iter_mut().rev().take(10) {
        interval.canary.events = interval.canary.exposure * 0.2;
    }
    let busy = (0..STAGE_INTERVALS)
        .map(|_| Populations {
            control: Some(0.3),
            canary: Some(0.95),
        })
        .collect();
    let gauge = PairedGauge {
        intervals: busy,
        ..PairedGauge::default()
    };
    let dying = data(
        STAGE_INTERVALS,
        vec![
            ("error_rate", MetricData::Counts(outage)),
            ("cpu_usage", MetricData::Gauge(gauge)),
        ],
    );
    let verdict = second_stage(&pipeline, &dying);
    assert_eq!(
        (verdict.verdict, verdict.reason_code),
        (Verdict::Rollback, ReasonCode::KillSwitch)
    );
    assert!(
        verdict
            .reason
            .contains("error_rate > 5%: the kill switch fired, 20 %")
    );
    assert!(
        verdict
            .reason
            .contains("cpu_usage > 0.8: the kill switch fired, at 0.95")
    );
}

#[test]
fn a_kill_switch_that_cannot_see_holds() {
    let mut pipeline = pipeline(error_rate_checks());
    pipeline.kill_switch = vec![kill_switch("cpu_usage", 0.8, "cpu_usage > 0.8")];
    let verdict = second_stage(&pipeline, &errors(STAGE_INTERVALS, GOOD));
    assert_eq!(
        (verdict.verdict, verdict.reason_code),
        (Verdict::Hold, ReasonCode::NoData)
    );
    assert_eq!(verdict.checks.last().unwrap().condition, "cpu_usage > 0.8");
}

#[test]
fn a_kill_switch_that_the_control_is_beyond_too_blames_the_environment() {
    let mut pipeline = pipeline(error_rate_checks());
    pipeline.kill_switch = vec![kill_switch("error_rate", 0.05, "error_rate > 5%")];
    let outage = errors(
        STAGE_INTERVALS,
        ((90_000.0, 900_000.0), (10_000.0, 100_000.0)),
    );
    let verdict = second_stage(&pipeline, &outage);
    assert_eq!(
        (verdict.verdict, verdict.reason_code),
        (Verdict::Hold, ReasonCode::Environment)
    );
}

#[test]
fn a_kill_switch_on_an_impact_fires_for_a_loss_and_not_for_none() {
    let mut pipeline = pipeline(error_rate_checks());
    pipeline.kill_switch = vec![kill_switch("kpi_impact", 0.1, "kpi_impact > 10%")];
    let conversions = |canary: f64| {
        let mut both = errors(STAGE_INTERVALS, GOOD);
        let counts = counts(
            STAGE_INTERVALS,
            (270_000.0, 9_000_000.0),
            (canary, 1_000_000.0),
        );
        both.metrics.insert("conversion".to_owned(), counts);
        both
    };
    assert_eq!(
        second_stage(&pipeline, &conversions(30_000.0)).verdict,
        Verdict::Promote
    );
    let halved = second_stage(&pipeline, &conversions(15_000.0));
    assert_eq!(
        (halved.verdict, halved.reason_code),
        (Verdict::Rollback, ReasonCode::KillSwitch)
    );
}

#[test]
fn a_kill_switch_does_not_act_on_partial_data() {
    let mut pipeline = pipeline(error_rate_checks());
    pipeline.kill_switch = vec![kill_switch("conversion", 0.05, "conversion > 5%")];
    let mut partial = errors(STAGE_INTERVALS, GOOD);
    let counts = counts(STAGE_INTERVALS, (9.0, 900_000.0), (20_000.0, 100_000.0));
    partial.metrics.insert("conversion".to_owned(), counts);
    assert_eq!(second_stage(&pipeline, &partial).verdict, Verdict::Rollback);
    partial
        .source_warnings
        .insert("conversion".to_owned(), "a store is down".to_owned());
    let verdict = second_stage(&pipeline, &partial);
    assert_eq!(
        (verdict.verdict, verdict.reason_code),
        (Verdict::Hold, ReasonCode::PartialData)
    );
}

#[test]
fn a_kill_switch_beyond_the_last_bucket_says_that_it_could_never_fire() {
    let mut pipeline = pipeline(error_rate_checks());
    pipeline.kill_switch = vec![kill_switch("latency_p99", 20.0, "latency_p99 > 20s")];
    let mut data = errors(STAGE_INTERVALS, GOOD);
    let tails = [0.3, 0.01, 0.000_1];
    let histogram = latency::histogram(STAGE_INTERVALS, tails, tails, 10_000.0);
    data.metrics.insert("latency_p99".to_owned(), histogram);
    let verdict = second_stage(&pipeline, &data);
    assert_eq!(verdict.verdict, Verdict::Hold);
    assert!(
        verdict.reason.contains("could never fire"),
        "{}",
        verdict.reason
    );
}

#[test]
fn a_broken_control_does_not_keep_its_fix_from_being_promoted() {
    let mut pipeline = pipeline(vec![check("error_rate", "error_rate < 1%", below(0.01))]);
    pipeline.kill_switch = vec![kill_switch("error_rate", 0.05, "error_rate > 5%")];
    let fixed = errors(STAGE_INTERVALS, ((72_000.0, 900_000.0), (10.0, 100_000.0)));
    let verdict = second_stage(&pipeline, &fixed);
    assert_eq!(verdict.verdict, Verdict::Promote, "{}", verdict.reason);
}

/// Issue 3: who asks seldom must be told what one who asks at every interval was told.
#[test]
fn a_kill_switch_that_fired_stays_fired_when_the_newest_data_is_calm_again() {
    let mut pipeline = pipeline(error_rate_checks());
    pipeline.kill_switch = vec![
        kill_switch("error_rate", 0.05, "error_rate > 5%"),
        kill_switch("cpu_usage", 0.8, "cpu_usage > 0.8"),
        kill_switch("latency_p99", 0.4, "latency_p99 > 400ms"),
    ];
    let MetricData::Counts(mut outage) = counts(STAGE_INTERVALS, GOOD.0, GOOD.1) else {
        unreachable!()
    };
    for interval in &mut outage.intervals[40..45] {
        interval.canary.events = interval.canary.exposure * 0.2;
    }
    let cpu = |interval| Populations {
        control: Some(0.3),
        canary: Some(if (60..63).contains(&interval) {
            0.95
        } else {
            0.3
        }),
    };
    let gauge = PairedGauge {
        intervals: (0..STAGE_INTERVALS).map(cpu).collect(),
        ..PairedGauge::default()
    };
    let tails = [0.3, 0.001, 0.000_1];
    let calm = latency::histogram(STAGE_INTERVALS, tails, tails, 1_000.0);
    let MetricData::Histogram(mut slow) = calm else {
        unreachable!()
    };
    for interval in 80..84 {
        // All but a tenth are slower than the first bounds.
        for bound in 0..3 {
            slow.canary[(interval, bound)] *= 0.1;
        }
    }
    let spikes = data(
        STAGE_INTERVALS,
        vec![
            ("error_rate", MetricData::Counts(outage)),
            ("cpu_usage", MetricData::Gauge(gauge)),
            ("latency_p99", MetricData::Histogram(slow)),
        ],
    );
    let verdict = second_stage(&pipeline, &spikes);
    assert_eq!(
        (verdict.verdict, verdict.reason_code),
        (Verdict::Rollback, ReasonCode::KillSwitch)
    );
    let fired: Vec<&str> = verdict
        .checks
        .iter()
        .filter(|report| report.reason_code == ReasonCode::KillSwitch)
        .map(|report| report.reason.as_str())
        .collect();
    assert_eq!(fired.len(), 3, "{fired:?}");
    assert!(fired[1].ends_with("at 0.95, 28.5 minutes ago"), "{fired:?}");
}
