//! Stages: those of `pipelines/canary_pipeline.yaml`, their expansion, and the checks that they
//! take over.

use serinus_analysis::matchers::{Matcher, Matchers};
use serinus_analysis::pipeline::Stage;

use crate::support::{Comparison, SEED, absolute, ids, must_hold, read, relative, texts};

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
        must_hold(&pipeline.stages[0].checks[1]),
        absolute(Comparison::Less, 0.2)
    );
    assert_eq!(
        must_hold(&pipeline.stages[2].checks[1]),
        relative(Comparison::Less, 1.0, 0.0)
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
    let pipeline = read(include_str!("../../../pipelines/blue_green.yaml"));
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
            "b": {"traffic_percent": 100, "duration_minutes": 10, "shadow": false},
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

/// Each step of a curve is judged over a window of its own.
#[test]
fn the_whole_of_a_curve_may_last_longer_than_a_window() {
    let curve = "traffic_curve: {steps: 20}, duration_minutes: 100000";
    let text = format!("canary_pipeline: {{a: {{{curve}, metrics: [error_rate < 1%]}}}}");
    assert_eq!(read(&text).stages.len(), 20);
}
