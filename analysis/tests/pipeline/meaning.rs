//! What can be written and means nothing, and what a file that was accepted once goes on meaning.

use serinus_analysis::pipeline::{Pipeline, RemarkCode, Stage, parse, parse_of_a_rollout};

use crate::support::read;

fn file(check: &str) -> String {
    format!(
        "metrics:\n  success: {{events: good_total, total: all_total, better: higher}}\n  heap: \
         {{gauge: heap, unit: bytes}}\n  ready: {{gauge: ready, unit: fraction, better: higher}}\n\
         canary_pipeline:\n  stage: {{traffic_percent: 5, duration_minutes: 60, metrics: [{check}]}}"
    )
}

fn switch_file(switch: &str) -> String {
    format!("kill_switch: [{switch}]\n{}", file("error_rate < 1%"))
}

/// The one mistake of a file that earlier versions accepted.
#[expect(clippy::unwrap_used, reason = "a helper of tests")]
fn refusal(text: &str) -> String {
    let mistakes = parse(text, "test").unwrap_err();
    assert_eq!(mistakes.len(), 1, "{mistakes:#?}");
    assert!(
        parse_of_a_rollout(text, "test").is_ok(),
        "a rollout that runs keeps it: {text}"
    );
    mistakes
        .into_iter()
        .map(|mistake| mistake.message)
        .collect()
}

#[test]
fn a_share_or_a_rate_on_its_edge_is_refused_with_what_to_write() {
    for (check, hint) in [
        ("error_rate <= 0", "write < 0.01%, or a kill switch > 0"),
        ("error_rate < 0", "write < 0.01%, or a kill switch > 0"),
        ("error_rate <= 0%", "write < 0.01%, or a kill switch > 0"),
        ("restarts <= 0", "write < 0.01, or a kill switch > 0"),
        ("error_rate < 100%", "did you mean 1%?"),
        ("error_rate <= 1", "did you mean 1%?"),
        ("success >= 100%", "write > 99.99%, or a kill switch < 100%"),
        ("success > 1", "write > 99.99%, or a kill switch < 100%"),
        ("success > 0", "write > 0.01%"),
        ("success >= 0%", "write > 0.01%"),
        ("throughput > 0", "write > 0.01"),
    ] {
        let message = refusal(&file(check));
        assert!(message.ends_with(hint), "{check}: {message}");
    }
    for (switch, hint) in [
        ("error_rate >= 0", "always fires: write > 0"),
        ("error_rate >= 100%", "never fires: write > 99.99%"),
        ("error_rate > 100%", "never fires: write > 99.99%"),
        ("success <= 0", "never fires: write < 0.01%"),
        ("success <= 100%", "always fires: write < 100%"),
    ] {
        let message = refusal(&switch_file(switch));
        assert!(message.ends_with(hint), "{switch}: {message}");
    }
}

#[test]
fn what_data_can_show_is_accepted_on_the_edge_too() {
    for check in ["queue_depth <= 0", "ready >= 100%", "error_rate < 0.01%"] {
        read(&file(check));
    }
    for switch in [
        "error_rate > 0",
        "success < 100%",
        "restarts > 0",
        "heap > 0",
    ] {
        read(&switch_file(switch));
    }
}

#[test]
fn a_time_or_a_size_without_a_unit_is_refused_with_both_readings() {
    for (check, readings) in [
        (
            "latency_p99 < 200",
            "latency_p99 < 200ms or latency_p99 < 200s",
        ),
        (
            "latency_p99 <= 0.2",
            "latency_p99 <= 0.2ms or latency_p99 <= 0.2s",
        ),
        ("heap < 512", "heap < 512MiB or heap < 512B"),
        (
            "memory_usage < 536870912",
            "536870912B or memory_usage < 536870912KiB",
        ),
        ("latency_p99 < baseline * 1.2 + 5", "write 5ms or 5s"),
    ] {
        let message = refusal(&file(check));
        assert!(message.contains("has no unit"), "{check}: {message}");
        assert!(message.ends_with(readings), "{check}: {message}");
    }
    assert!(
        refusal(&switch_file("latency_p99 > 2")).ends_with("latency_p99 > 2ms or latency_p99 > 2s")
    );
    for check in [
        "heap <= 0",
        "latency_p99 < baseline * 1.2 + 0",
        "queue_depth < 5",
    ] {
        read(&file(check));
    }
}

#[test]
fn a_limit_that_the_sequential_method_cannot_test_is_refused() {
    for check in ["error_rate < baseline * 10000000", "restarts < 1e-40"] {
        let message = refusal(&file(check));
        assert!(message.starts_with("cannot test the limit"), "{message}");
    }
    read(&file(
        "{check: error_rate < baseline * 10000000, method: wilson}",
    ));
}

fn stage_of(minutes: &str, check: &str) -> String {
    format!(
        "canary_pipeline:\n  a: {{traffic_percent: 5, duration_minutes: {minutes}, metrics: [{check}]}}"
    )
}

#[test]
fn a_check_that_its_stage_ends_before_is_refused_with_the_least_stage() {
    let message = refusal(&stage_of("1", "cpu_usage < baseline * 1.5"));
    assert_eq!(
        message,
        "cpu_usage cannot be decided: it takes 5 intervals of 30 s with data, and the stage lasts \
         at most 2 minutes: set max_duration_minutes to 2.5 or more, or a shorter interval"
    );
    read(&stage_of("1.25", "cpu_usage < baseline * 1.5"));
    let with_interval = format!(
        "analysis: {{interval: 15s}}\n{}",
        stage_of("1.25", "cpu_usage < 2")
    );
    read(&with_interval);
    // Kayenta knows no fewest points.
    read(&stage_of(
        "1",
        "{check: error_rate < baseline * 1.1, method: kayenta}",
    ));
    // A stage that goes on without it is only strange.
    for (settings, check) in [
        (
            "analysis: {on_inconclusive: promote}\n",
            "cpu_usage < baseline * 1.5",
        ),
        ("", "{check: cpu_usage < baseline * 1.5, critical: false}"),
    ] {
        let remarks = read(&format!("{settings}{}", stage_of("1", check))).remarks();
        assert!(
            remarks
                .iter()
                .any(|remark| remark.code == RemarkCode::TooFewIntervals
                    && remark.message.contains("cpu_usage cannot be decided")),
            "{remarks:?}"
        );
    }
    read(&stage_of("0.75", "error_rate < baseline * 1.1"));
    assert_eq!(
        refusal(&stage_of("0.5", "error_rate < baseline * 1.1")),
        "it lasts at most 1 minutes, and nothing passes in fewer than 3 intervals of 30 s: set \
         max_duration_minutes to 1.5 or more, or a shorter interval"
    );
}

#[test]
fn a_check_that_a_later_stage_takes_over_is_told_there_unless_it_stops_counting() {
    let later = |stage: &str| {
        format!(
            "{}\n  b: {stage}",
            stage_of("60", "cpu_usage < baseline * 1.5")
        )
    };
    let mistakes = parse(&later("{traffic_percent: 50, duration_minutes: 1}"), "test").unwrap_err();
    let told: Vec<_> = mistakes
        .iter()
        .map(|one| (one.line, one.path.as_str()))
        .collect();
    assert_eq!(told, [(3, "canary_pipeline.b")]);
    read(&later("{traffic_percent: 100, duration_minutes: 2}"));
}

fn interval_and_lag(text: &str) -> Pipeline {
    read(&format!("{text}\n{}", file("error_rate < 1%")))
}

#[test]
fn every_duration_may_be_written_as_prometheus_writes_it() {
    let analysis =
        interval_and_lag("analysis: {interval: 1m30s, lag: 1m5s, history: 4h50m}").analysis;
    assert_eq!(
        (
            analysis.interval_seconds,
            analysis.lag_seconds,
            analysis.history_seconds
        ),
        (90, 65, Some(17_400))
    );
    let budget = "error_budget: {metric: error_rate, objective: 99.9%, window: 1w1d}";
    assert_eq!(
        interval_and_lag(budget)
            .error_budget
            .map(|budget| budget.window_seconds),
        Some(8 * 86_400)
    );
    let stage = &read(
        "canary_pipeline: {a: {traffic_percent: [5, 10], duration_minutes: [1h30m, 90s], \
         max_duration_minutes: 4h50m, metrics: [error_rate < 1%]}}",
    )
    .stages;
    let minutes = |index: usize| {
        let stage: &Stage = &stage[index];
        format!("{} {}", stage.duration_minutes, stage.max_duration_minutes)
    };
    assert_eq!([minutes(0), minutes(1)], ["90 290", "1.5 290"]);
}

#[test]
fn a_check_is_told_as_it_was_understood() {
    for (check, understood) in [
        ("latency_p99<200ms", "latency_p99 < 200 ms"),
        ("error_rate <= 0.001", "error_rate <= 0.1 %"),
        ("heap < 1.7GiB", "heap < 1.7 GiB"),
        ("error_rate < legacy * 110%", "error_rate < baseline * 1.1"),
        ("error_rate < control", "error_rate < baseline"),
        (
            "latency_p99 < baseline * 1.2 - 5ms",
            "latency_p99 < baseline * 1.2 - 5 ms",
        ),
        (
            "throughput within 5% of baseline",
            "throughput within 5 % of baseline",
        ),
        (
            "business_kpi_impact < 1%",
            "business_kpi_impact: conversion > baseline * 0.99",
        ),
    ] {
        assert_eq!(
            read(&file(check)).stages[0].checks[0].understood(),
            understood
        );
    }
    for (switch, understood) in [
        ("latency_p99 > 2s", "latency_p99 > 2 s"),
        ("error_rate >= 5%", "error_rate >= 5 %"),
        ("success < 95%", "success < 95 %"),
    ] {
        let told = read(&switch_file(switch)).kill_switch[0].understood_as_kill_switch();
        assert_eq!(told, understood);
    }
}
