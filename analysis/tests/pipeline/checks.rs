//! Checks: limits, units, names of the control, and what a mapping carries.

use serinus_analysis::pipeline::{Limit, Method};

use crate::support::{Comparison, absolute, condition, read, relative, within};

#[test]
fn limits_are_converted_to_base_units() {
    use Comparison::{Greater, GreaterOrEqual, Less, LessOrEqual};
    for (check, expected) in [
        ("error_rate < 0.001", absolute(Less, 0.001)),
        ("error_rate < 0.1%", absolute(Less, 0.001)),
        ("error_rate <= 10bps", absolute(LessOrEqual, 0.001)),
        ("latency_p99 < 200ms", absolute(Less, 0.2)),
        ("latency_p99 < 2 min", absolute(Less, 120.0)),
        ("memory_usage < 512MiB", absolute(Less, 536_870_912.0)),
        ("memory_usage < 1.5GB", absolute(Less, 1.5e9)),
        ("cpu_usage < 70%", absolute(Less, 0.7)),
        ("queue_depth < 1e4", absolute(Less, 10_000.0)),
        ("conversion >= 99.99%", absolute(GreaterOrEqual, 0.9999)),
        ("queue_depth <= 0", absolute(LessOrEqual, 0.0)),
        ("throughput > 100", absolute(Greater, 100.0)),
        // The part of the conversion that is lost: a limit relative to the control's.
        ("business_kpi_impact < -1%", relative(Greater, 1.01, 0.0)),
        (
            "business_kpi_impact < 2% - 1%",
            relative(Greater, 0.99, 0.0),
        ),
    ] {
        assert_eq!(condition(check), expected, "{check}");
    }
}

#[test]
fn the_control_may_have_other_names_and_stand_anywhere() {
    use Comparison::{Greater, Less};
    for (check, expected) in [
        ("error_rate < baseline", relative(Less, 1.0, 0.0)),
        ("error_rate < control * 1.1", relative(Less, 1.1, 0.0)),
        ("error_rate < 1.1 * legacy", relative(Less, 1.1, 0.0)),
        ("error_rate < baseline * 110%", relative(Less, 1.1, 0.0)),
        (
            "error_rate < legacy_error_rate * 1.1",
            relative(Less, 1.1, 0.0),
        ),
        ("error_rate < legacy_rate", relative(Less, 1.0, 0.0)),
        (
            "response_time_p99 < legacy_p99 * 1.2",
            relative(Less, 1.2, 0.0),
        ),
        (
            "response_time_p99 < legacy_response_time_p99",
            relative(Less, 1.0, 0.0),
        ),
        (
            "latency_p99 < baseline_latency_p99 * 1.2",
            relative(Less, 1.2, 0.0),
        ),
        ("latency_p99 < control_p99", relative(Less, 1.0, 0.0)),
        (
            "latency_p99 < baseline * 1.2 + 5ms",
            relative(Less, 1.2, 0.005),
        ),
        (
            "latency_p99 < 5ms + baseline * 1.2",
            relative(Less, 1.2, 0.005),
        ),
        ("latency_p99 < baseline - 5ms", relative(Less, 1.0, -0.005)),
        ("error_rate < baseline + 10%", relative(Less, 1.0, 0.1)),
        ("error_rate < baseline + 0.001", relative(Less, 1.0, 0.001)),
        ("conversion > baseline * 0.98", relative(Greater, 0.98, 0.0)),
        ("throughput within 5% of baseline", within(0.05)),
        ("throughput within 0.05 of legacy_throughput", within(0.05)),
    ] {
        assert_eq!(condition(check), expected, "{check}");
    }
}

#[test]
fn a_check_of_another_name_is_the_metric_it_names() {
    let text = "
canary_pipeline:
  stage:
    traffic_percent: 5
    duration_minutes: 60
    metrics: [response_time_p95 < legacy_p95]
";
    assert_eq!(read(text).stages[0].checks[0].metric, "latency_p95");
    let own = format!("metrics: {{response_time_p95: {{gauge: response_time}}}}{text}");
    assert_eq!(read(&own).stages[0].checks[0].metric, "response_time_p95");
}

#[test]
fn a_check_may_be_a_mapping() {
    use Method::{Kayenta, Sequential, Wilson};
    let pipeline = read(
        "
canary_pipeline:
  stage:
    traffic_percent: 5%
    duration_minutes: 60.5
    checks:
      - error_rate < 1%
      - {check: error_rate < baseline * 1.1, weight: 2, method: kayenta, promote_ratio: 1.5}
      - {check: cpu_usage < 70%, warn_only: true, rollback: false}
      - {check: memory_usage < 1GB, critical: false, method: wilson}
      - {check: conversion > baseline * 0.9, promote_ratio: 0.8, rollback: true}
      - {check: business_kpi_impact < 5%, promote_ratio: 0.95}
",
    );
    let below = |limit| Limit::absolute(true, limit);
    let below_control = |ratio| Limit::relative(true, ratio, 0.0);
    let above_control = |ratio| Limit::relative(false, ratio, 0.0);
    let stage = &pipeline.stages[0];
    assert_eq!((stage.traffic_percent, stage.duration_minutes), (5.0, 60.5));
    let flags: Vec<_> = stage
        .checks
        .iter()
        .map(|check| {
            (
                check.critical,
                check.weight,
                check.warn_only,
                check.method,
                check.promotion_limit,
                check.may_roll_back,
            )
        })
        .collect();
    assert_eq!(
        flags,
        [
            (true, 1.0, false, Sequential, below(0.01), true),
            (false, 2.0, false, Kayenta, below_control(1.5), true),
            (false, 1.0, true, Sequential, below(0.7), false),
            (false, 1.0, false, Wilson, below(1e9), true),
            (true, 1.0, false, Sequential, above_control(0.8), true),
            (true, 1.0, false, Sequential, above_control(0.95), true),
        ]
    );
}

/// Whether proof against a check is told as a failure, and whether it rolls back.
#[test]
fn what_proof_does_is_as_the_file_says_and_else_holds_for_a_tolerance_of_gauges() {
    for (written, may_fail, may_roll_back) in [
        ("{check: error_rate < 1%}", true, true),
        ("{check: error_rate < 1%, rollback: false}", true, false),
        ("{check: error_rate < 1%, warn_only: true}", true, false),
        ("{check: cpu_usage < baseline * 1.1}", true, true),
        (
            "{check: cpu_usage < baseline * 1.1, rollback: true}",
            true,
            true,
        ),
        (
            "{check: cpu_usage < baseline * 1.1, rollback: false}",
            true,
            false,
        ),
        (
            "{check: cpu_usage < baseline * 1.1, warn_only: true}",
            true,
            false,
        ),
        (
            "{check: cpu_usage < baseline * 1.1, method: kayenta}",
            true,
            true,
        ),
        ("{check: cpu_usage < baseline * 1.3}", true, true),
        ("{check: cpu_usage < 70%}", true, true),
        ("{check: cpu_usage within 30% of baseline}", false, false),
    ] {
        let text = format!(
            "canary_pipeline: {{a: {{traffic_percent: 5, duration_minutes: 60, checks: [{written}]}}}}"
        );
        let pipeline = read(&text);
        let check = &pipeline.stages[0].checks[0];
        let power = (check.may_fail, check.may_roll_back);
        assert_eq!(power, (may_fail, may_roll_back), "{written}");
        let can_only_tell = written.contains("warn_only") || written.contains("rollback: false");
        assert_eq!(check.fails_alone(), can_only_tell, "{written}");
    }
}
