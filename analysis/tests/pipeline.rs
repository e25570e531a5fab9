//! What pipeline files say: the seed's, the shipped ones and the features of the format.

use serinus_analysis::matchers::{MatchOperator, Matcher, Matchers};
use serinus_analysis::pipeline::{
    AnalysisSettings, Better, Comparison, Condition, Dimension, Exposure, Method, MetricKind,
    OnInconclusive, PRESET_NAMES, Pipeline, Stage, parse, preset_metrics,
};
use serinus_analysis::query::{check_counter_selector, check_gauge_expression};

const SEED: &str = include_str!("../../pipelines/canary_pipeline.yaml");

#[expect(clippy::panic, reason = "a helper of tests")]
fn read(text: &str) -> Pipeline {
    parse(text, "test").unwrap_or_else(|diagnostics| panic!("{diagnostics:#?}"))
}

/// A pipeline of one stage with one check.
fn condition(check: &str) -> Condition {
    let text = format!(
        "canary_pipeline:\n  stage: {{traffic_percent: 5, duration_minutes: 5, metrics: ['{check}']}}"
    );
    read(&text).stages[0].checks[0].condition
}

fn absolute(comparison: Comparison, limit: f64) -> Condition {
    Condition::Absolute { comparison, limit }
}

fn relative(comparison: Comparison, ratio: f64, offset: f64) -> Condition {
    Condition::Relative {
        comparison,
        ratio,
        offset,
    }
}

fn texts(stage: &Stage) -> Vec<&str> {
    stage
        .checks
        .iter()
        .map(|check| check.text.as_str())
        .collect()
}

fn ids(pipeline: &Pipeline) -> Vec<&str> {
    pipeline
        .stages
        .iter()
        .map(|stage| stage.id.as_str())
        .collect()
}

#[test]
fn the_seed_has_nine_stages() {
    let pipeline = read(SEED);
    assert_eq!(
        ids(&pipeline),
        [
            "stage_1",
            "stage_2",
            "stage_3",
            "stage_4.1",
            "stage_4.2",
            "stage_4.3",
            "stage_4.4",
            "stage_4.5",
            "stage_4.6"
        ]
    );
    let schedule: Vec<(f64, f64, f64)> = pipeline
        .stages
        .iter()
        .map(|stage| {
            (
                stage.traffic_percent,
                stage.duration_minutes,
                stage.max_duration_minutes,
            )
        })
        .collect();
    assert_eq!(
        schedule,
        [
            (0.01, 60.0, 120.0),
            (0.1, 240.0, 480.0),
            (1.0, 480.0, 960.0),
            (5.0, 120.0, 240.0),
            (10.0, 120.0, 240.0),
            (25.0, 240.0, 480.0),
            (50.0, 480.0, 960.0),
            (75.0, 480.0, 960.0),
            (100.0, 720.0, 1440.0),
        ]
    );
    assert_eq!(pipeline.name, "test");
    assert_eq!(pipeline.stages[0].name, "Internal Testing");
    assert_eq!(pipeline.stages[3].name, "Progressive Rollout (5%)");
    assert_eq!(pipeline.stages[2].regions, ["us-west-2"]);
    assert!(pipeline.stages[3].regions.is_empty());
}

#[test]
fn a_stage_without_checks_keeps_all_of_those_before() {
    let pipeline = read(SEED);
    assert_eq!(
        texts(&pipeline.stages[1]),
        [
            "error_rate < baseline * 1.1",
            "latency_p99 < baseline * 1.2",
            "memory_usage < baseline * 1.3"
        ]
    );
    assert!(!pipeline.stages[1].inherits_checks);
    for stage in &pipeline.stages[3..] {
        assert!(stage.inherits_checks);
        assert_eq!(
            texts(stage),
            [
                "error_rate < 0.001",
                "latency_p99 < 200ms",
                "cpu_usage < 0.7",
                "error_rate < baseline * 1.1",
                "latency_p99 < baseline * 1.2",
                "memory_usage < baseline * 1.3",
                "business_kpi_impact < 0.01",
                "customer_complaints < baseline"
            ]
        );
    }
    assert_eq!(
        pipeline.stages[0].checks[1].condition,
        Condition::Absolute {
            comparison: Comparison::Less,
            limit: 0.2
        }
    );
    assert_eq!(
        pipeline.stages[2].checks[1].condition,
        Condition::Relative {
            comparison: Comparison::Less,
            ratio: 1.0,
            offset: 0.0
        }
    );
}

#[test]
fn the_seed_can_be_read_under_every_preset() {
    for preset in PRESET_NAMES {
        let pipeline = read(&format!("preset: {preset}\n{SEED}"));
        assert_eq!(pipeline.stages.len(), 9, "{preset}");
        assert_eq!(&pipeline.metrics, &preset_metrics(preset).unwrap());
    }
    assert_eq!(read(SEED).metrics, preset_metrics("prometheus").unwrap());
}

#[test]
fn every_preset_has_the_usual_metrics_in_usable_promql() {
    for preset in PRESET_NAMES {
        let metrics = preset_metrics(preset).unwrap();
        for name in [
            "error_rate",
            "latency_p50",
            "latency_p90",
            "latency_p95",
            "latency_p99",
            "throughput",
            "cpu_usage",
            "memory_usage",
            "restarts",
            "customer_complaints",
            "business_kpi_impact",
        ] {
            assert!(metrics.contains_key(name), "{preset} has no {name}");
        }
        for (name, metric) in &metrics {
            assert_eq!(name, &metric.name);
            match &metric.kind {
                MetricKind::Proportion { events, total } => {
                    check_counter_selector(events).unwrap();
                    check_counter_selector(total).unwrap();
                }
                MetricKind::EventRate { events, .. } => check_counter_selector(events).unwrap(),
                MetricKind::Quantile { histogram, .. } => {
                    check_counter_selector(histogram).unwrap();
                }
                MetricKind::Gauge { expression } => check_gauge_expression(expression).unwrap(),
                MetricKind::Impact { of } => assert!(metrics.contains_key(of)),
            }
        }
    }
}

#[test]
fn every_shipped_pipeline_can_be_read() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../pipelines");
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let pipeline = read(&std::fs::read_to_string(&path).unwrap());
        // The seed has no name; the others are named like their file.
        if name != "canary_pipeline" {
            assert_eq!(pipeline.name, name);
        }
        names.push(name);
    }
    names.sort();
    assert_eq!(
        names,
        [
            "blue_green",
            "canary_pipeline",
            "checkout",
            "kill_switch",
            "migration_schedule",
            "parallel_run",
            "success_scorecard",
            "verify_performance"
        ]
    );
}

#[test]
fn limits_are_converted_to_base_units() {
    use Comparison::{Greater, GreaterOrEqual, Less, LessOrEqual};
    for (check, expected) in [
        ("error_rate < 0.001", absolute(Less, 0.001)),
        ("error_rate < 0.1%", absolute(Less, 0.001)),
        ("error_rate <= 10bps", absolute(LessOrEqual, 0.001)),
        ("error_rate <= 0", absolute(LessOrEqual, 0.0)),
        ("latency_p99 < 200ms", absolute(Less, 0.2)),
        ("latency_p99 < 0.2", absolute(Less, 0.2)),
        ("latency_p99 < 2 min", absolute(Less, 120.0)),
        ("memory_usage < 512MiB", absolute(Less, 536_870_912.0)),
        ("memory_usage < 1.5GB", absolute(Less, 1.5e9)),
        ("cpu_usage < 70%", absolute(Less, 0.7)),
        ("queue_depth < 1e4", absolute(Less, 10_000.0)),
        ("conversion >= 100%", absolute(GreaterOrEqual, 1.0)),
        ("throughput > 100", absolute(Greater, 100.0)),
        ("business_kpi_impact < -1%", absolute(Less, -0.01)),
        ("business_kpi_impact < 2% - 1%", absolute(Less, 0.01)),
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
        (
            "throughput within 5% of baseline",
            Condition::Within { tolerance: 0.05 },
        ),
        (
            "throughput within 0.05 of legacy_throughput",
            Condition::Within { tolerance: 0.05 },
        ),
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
    duration_minutes: 5
    metrics: [response_time_p95 < legacy_p95]
";
    assert_eq!(read(text).stages[0].checks[0].metric, "latency_p95");
    let own = format!("metrics: {{response_time_p95: {{gauge: response_time}}}}{text}");
    assert_eq!(read(&own).stages[0].checks[0].metric, "response_time_p95");
}

#[test]
fn a_check_may_be_a_mapping() {
    let pipeline = read(
        "
canary_pipeline:
  stage:
    traffic_percent: 5%
    duration_minutes: 0.5
    checks:
      - error_rate < 1%
      - {check: error_rate < baseline * 1.1, weight: 2, method: kayenta, promote_ratio: 1.5}
      - {check: cpu_usage < 70%, warn_only: true}
      - {check: memory_usage < 1GB, critical: false, method: wilson}
      - {check: conversion > baseline * 0.9, promote_ratio: 0.8}
",
    );
    let stage = &pipeline.stages[0];
    assert_eq!((stage.traffic_percent, stage.duration_minutes), (5.0, 0.5));
    let flags: Vec<_> = stage
        .checks
        .iter()
        .map(|check| {
            (
                check.critical,
                check.weight,
                check.warn_only,
                check.method,
                check.promote_ratio,
            )
        })
        .collect();
    assert_eq!(
        flags,
        [
            (true, 1.0, false, None, None),
            (true, 2.0, false, Some(Method::Kayenta), Some(1.5)),
            (false, 1.0, true, None, None),
            (false, 1.0, false, Some(Method::Wilson), None),
            (true, 1.0, false, None, Some(0.8)),
        ]
    );
}

#[test]
fn every_kind_of_metric_can_be_defined() {
    let pipeline = read(
        r#"
metrics:
  error_rate: {errors: 'errors_total{job="a"}', total: all_total}
  hits: {events: hits_total, total: all_total, better: higher}
  crashes: {events: crashes_total, per: pod_hours}
  sent: {events: sent_total, per: traffic_share, better: higher}
  wait_p90: {quantile: 90%, histogram: 'wait_ms_bucket{job="a"}', scale: 0.001}
  size_p50: {quantile: 0.5, histogram: response_size, unit: bytes}
  heap: {gauge: "heap_used_bytes
  / heap_limit_bytes", unit: fraction}
  depth: {gauge: depth}
  lost_hits: {impact_of: hits}
canary_pipeline:
  stage: {traffic_percent: 5, duration_minutes: 5, metrics: [heap < 80%, size_p50 < 10KiB, depth < 5min]}
"#,
    );
    let metric = |name: &str| pipeline.metrics[name].clone();
    assert_eq!(
        metric("error_rate").kind,
        MetricKind::Proportion {
            events: "errors_total{job=\"a\"}".to_owned(),
            total: "all_total".to_owned()
        }
    );
    assert_eq!(metric("error_rate").better, Better::Lower);
    assert_eq!(metric("hits").better, Better::Higher);
    assert_eq!(metric("hits").dimension, Dimension::Fraction);
    assert_eq!(
        metric("crashes").kind,
        MetricKind::EventRate {
            events: "crashes_total".to_owned(),
            per: Exposure::PodHours
        }
    );
    assert!(matches!(
        metric("sent").kind,
        MetricKind::EventRate {
            per: Exposure::TrafficShare,
            ..
        }
    ));
    assert_eq!(
        metric("wait_p90").kind,
        MetricKind::Quantile {
            quantile: 0.9,
            histogram: "wait_ms{job=\"a\"}".to_owned(),
            scale: 0.001
        }
    );
    assert_eq!(metric("wait_p90").dimension, Dimension::Seconds);
    assert_eq!(metric("size_p50").dimension, Dimension::Bytes);
    assert_eq!(metric("heap").dimension, Dimension::Fraction);
    assert_eq!(metric("depth").dimension, Dimension::Number);
    assert_eq!(
        metric("lost_hits").kind,
        MetricKind::Impact {
            of: "hits".to_owned()
        }
    );
    // What the file does not define stays the preset's.
    assert_eq!(
        metric("latency_p99"),
        preset_metrics("prometheus").unwrap()["latency_p99"]
    );
}

#[test]
fn populations_are_label_matchers() {
    let pipeline = read(SEED);
    assert_eq!(
        pipeline.control,
        Matchers::from([Matcher::equal("track", "stable")])
    );
    assert_eq!(
        pipeline.canary,
        Matchers::from([Matcher::equal("track", "canary")])
    );
    assert_eq!(pipeline.region_label, "region");
    let text = format!(
        "control: {{canary: \"\", pod: {{\"!~\": \"a-6d4.*\", \"!=\": b}}}}\n\
         canary: {{pod: {{\"=~\": \"a-6d4.*\"}}, zone: \" a \"}}\n\
         region_label: zone\n{SEED}"
    );
    let pipeline = read(&text);
    let matcher = |label: &str, operator: MatchOperator, value: &str| Matcher {
        label: label.to_owned(),
        operator,
        value: value.to_owned(),
    };
    assert_eq!(
        pipeline.control,
        Matchers::from([
            Matcher::equal("canary", ""),
            matcher("pod", MatchOperator::NotRegex, "a-6d4.*"),
            matcher("pod", MatchOperator::NotEqual, "b"),
        ])
    );
    assert_eq!(
        pipeline.canary,
        Matchers::from([
            Matcher::regex("pod", "a-6d4.*"),
            Matcher::equal("zone", " a ")
        ])
    );
    assert_eq!(pipeline.region_label, "zone");
}

#[test]
fn settings_have_defaults_and_can_be_given() {
    assert_eq!(read(SEED).analysis, AnalysisSettings::default());
    let pipeline = read(&format!(
        "analysis: {{method: kayenta, false_rollback: 5%, false_promote: 0.1, confidence: 95%, \
         interval: 1min, lag: 0, on_inconclusive: rollback, promote_ratio: 2}}\n\
         name: own-name\nsource: thanos\ndry_run: true\nkill_switch: [error_rate > 5%]\n{SEED}"
    ));
    assert_eq!(
        pipeline.analysis,
        AnalysisSettings {
            method: Method::Kayenta,
            false_rollback: 0.05,
            false_promote: 0.1,
            confidence: 0.95,
            interval_seconds: 60,
            lag_seconds: 0,
            on_inconclusive: OnInconclusive::Rollback,
            promote_ratio: Some(2.0),
        }
    );
    assert_eq!(pipeline.name, "own-name");
    assert_eq!(pipeline.source.as_deref(), Some("thanos"));
    assert!(pipeline.dry_run);
    assert_eq!(
        pipeline.kill_switch[0].condition,
        absolute(Comparison::Greater, 0.05)
    );
}

#[test]
fn lists_expand_and_single_values_are_repeated() {
    let pipeline = read(
        "
canary_pipeline:
  a:
    name: All
    traffic_percent: 5
    duration_minutes: [10, 20]
    max_duration_minutes: [15, 40]
    promote_early: true
    rollback_point: true
    shadow_mode: true
    metrics: [error_rate < 1%]
  b:
    traffic_percent: [5, 6, 7]
    duration_minutes: 10
    max_duration_minutes: 10
  c:
    traffic_percent: [100]
    duration_minutes: 10
",
    );
    assert_eq!(ids(&pipeline), ["a.1", "a.2", "b.1", "b.2", "b.3", "c.1"]);
    let schedule: Vec<_> = pipeline
        .stages
        .iter()
        .map(|stage| {
            (
                stage.traffic_percent,
                stage.duration_minutes,
                stage.max_duration_minutes,
            )
        })
        .collect();
    assert_eq!(
        schedule,
        [
            (5.0, 10.0, 15.0),
            (5.0, 20.0, 40.0),
            (5.0, 10.0, 10.0),
            (6.0, 10.0, 10.0),
            (7.0, 10.0, 10.0),
            (100.0, 10.0, 20.0),
        ]
    );
    let flags = |stage: &Stage| (stage.promote_early, stage.rollback_point, stage.shadow);
    assert_eq!(flags(&pipeline.stages[1]), (true, true, true));
    assert_eq!(flags(&pipeline.stages[2]), (false, false, false));
    assert_eq!(pipeline.stages[2].name, "b (5%)");
}

/// The lecture's curve, from its own formula x * x * (3 - 2 x).
#[test]
fn a_curve_expands_into_steps_of_equal_time() {
    let pipeline = read(include_str!("../../pipelines/blue_green.yaml"));
    assert_eq!(pipeline.stages.len(), 20);
    for (stage, step) in pipeline.stages.iter().zip(1..=20_u8) {
        let progress = f64::from(step) / 20.0;
        let share = 100.0 * progress * progress * (3.0 - 2.0 * progress);
        assert!((stage.traffic_percent - share).abs() < 1e-12 * share);
        assert_eq!(stage.id, format!("switch.{step}"));
        assert_eq!(
            (stage.duration_minutes, stage.max_duration_minutes),
            (3.0, 3.0)
        );
    }
    assert_eq!(pipeline.stages[0].name, "Blue to green (0.725%)");
    assert_eq!(pipeline.stages[1].name, "Blue to green (2.8%)");
    assert_eq!(pipeline.stages[9].name, "Blue to green (50%)");
    assert_eq!(pipeline.stages[19].name, "Blue to green (100%)");
}

#[test]
fn a_check_given_again_is_taken_over_once_with_its_later_weight() {
    let pipeline = read(
        "
canary_pipeline:
  a: {traffic_percent: 1, duration_minutes: 5, metrics: [error_rate < 1%, latency_p99 < 1s]}
  b: {traffic_percent: 1, duration_minutes: 5, metrics: [{check: error_rate < 0.01, weight: 3}]}
  c: {traffic_percent: 1, duration_minutes: 5}
",
    );
    let stage = &pipeline.stages[2];
    assert!(stage.inherits_checks);
    assert_eq!(texts(stage), ["error_rate < 0.01", "latency_p99 < 1s"]);
    assert_eq!(
        stage
            .checks
            .iter()
            .map(|check| check.weight)
            .collect::<Vec<_>>(),
        [3.0, 1.0]
    );
}

#[test]
fn anchors_and_merges_can_be_used() {
    let pipeline = read(
        "
canary_pipeline:
  a: &stage
    traffic_percent: 1
    duration_minutes: 5
    metrics: &checks [error_rate < 1%]
  b: {<<: *stage, traffic_percent: 5}
  c: {traffic_percent: 10, duration_minutes: 5, metrics: *checks}
",
    );
    let shares: Vec<f64> = pipeline
        .stages
        .iter()
        .map(|stage| stage.traffic_percent)
        .collect();
    assert_eq!(shares, [1.0, 5.0, 10.0]);
    assert_eq!(texts(&pipeline.stages[1]), ["error_rate < 1%"]);
    assert_eq!(texts(&pipeline.stages[2]), ["error_rate < 1%"]);
}

/// JSON is what callers send in a request: the same pipeline, on one long line.
#[test]
fn json_is_read_as_yaml_is() {
    let value: serde_json::Value = serde_json::json!({
        "name": "json",
        "canary": {"pod": {"=~": "a/b \"c\" \\\\d \u{1f600}"}},
        "metrics": {"depth": {"gauge": "queue_depth{job=\"a\"}"}},
        "canary_pipeline": {
            "a": {"traffic_percent": [5, 10.5], "duration_minutes": 1e1, "metrics": ["depth < 5"]},
            "b": {"traffic_percent": 100, "duration_minutes": 5, "shadow": false},
        }
    });
    let short = read(&value.to_string());
    let pretty = read(&serde_json::to_string_pretty(&value).unwrap());
    assert_eq!(short, pretty);
    assert_eq!(ids(&short), ["a.1", "a.2", "b"]);
    assert_eq!(
        short.canary,
        Matchers::from([Matcher::regex("pod", "a/b \"c\" \\\\d \u{1f600}")])
    );
}
