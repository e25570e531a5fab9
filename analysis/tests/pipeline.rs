//! What pipeline files say: the seed's, the shipped ones and the features of the format.

use serinus_analysis::pipeline::{Comparison, Condition, Pipeline, Stage, parse};

const SEED: &str = include_str!("../../pipelines/canary_pipeline.yaml");

fn read(text: &str) -> Pipeline {
    parse(text, "test").unwrap_or_else(|diagnostics| panic!("{diagnostics:#?}"))
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
