//! What ships with the reader: presets, pipelines, the reference of the format.

use serinus_analysis::pipeline::{MOST_INTERVALS, MetricKind, PRESET_NAMES, preset_metrics};
use serinus_analysis::query::{check_counter_selector, check_gauge_expression};

use crate::support::{SEED, read};

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
        ] {
            assert!(metrics.contains_key(name), "{preset} has no {name}");
        }
        let text = format!(
            "preset: {preset}\ncanary_pipeline: {{a: {{traffic_percent: 5, duration_minutes: 5, \
             metrics: [business_kpi_impact < 1%]}}}}"
        );
        assert_eq!(read(&text).stages[0].checks[0].measured.name, "conversion");
        for (name, metric) in &metrics {
            assert_eq!(name, &metric.name);
            match &metric.kind {
                MetricKind::Proportion { events, total } => {
                    check_counter_selector(events.one()).unwrap();
                    check_counter_selector(total.one()).unwrap();
                }
                MetricKind::EventRate { events, .. } => {
                    check_counter_selector(events.one()).unwrap()
                }
                MetricKind::Quantile { histogram, .. } => {
                    check_counter_selector(histogram.one()).unwrap();
                }
                MetricKind::Gauge { expression } => {
                    check_gauge_expression(expression.one()).unwrap()
                }
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
        // Kustomize's own file, which makes a ConfigMap of one of them.
        if path.ends_with("Kustomization") {
            continue;
        }
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let pipeline = read(&std::fs::read_to_string(&path).unwrap());
        for stage in &pipeline.stages {
            let seconds = stage.max_duration_minutes * 60.0;
            let intervals = seconds / f64::from(pipeline.analysis.interval_seconds);
            assert!(intervals <= MOST_INTERVALS as f64, "{name}: {}", stage.id);
        }
        // `canary_pipeline.yaml` has no name; the others are named like their file.
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
            "every_section",
            "kill_switch",
            "migration_schedule",
            "parallel_run",
            "success_scorecard",
            "verify_performance"
        ]
    );
}

/// The reference of the format names everything that the format has.
#[test]
fn the_reference_shows_every_preset_as_it_is() {
    let reference = include_str!("../../../docs/pipelines.md");
    for preset in PRESET_NAMES {
        assert!(reference.contains(&format!("`{preset}`")), "{preset}");
        for (name, metric) in preset_metrics(preset).unwrap() {
            assert!(reference.contains(&format!("`{name}`")), "{name}");
            let texts = match metric.kind {
                MetricKind::Proportion { events, total } => vec![events, total],
                MetricKind::EventRate { events, .. } => vec![events],
                MetricKind::Quantile { histogram, .. } => vec![histogram],
                MetricKind::Gauge { expression } => vec![expression],
            };
            for text in texts {
                // A bar within a table's cell is escaped.
                let in_table = format!("`{}`", text.one().replace('|', "\\|"));
                assert!(reference.contains(&in_table), "{preset}: {in_table}");
            }
        }
    }
}

#[test]
fn the_examples_of_the_reference_can_be_read() {
    let reference = include_str!("../../../docs/pipelines.md");
    let mut examples = 0;
    for block in reference.split("```yaml\n").skip(1) {
        let text = block.split("```").next().unwrap();
        // A block that shows one section is completed to a file.
        let stage = "canary_pipeline: {a: {traffic_percent: 5, duration_minutes: 5, metrics: [error_rate < 1%]}}\n";
        if text.contains("canary_pipeline:") {
            read(text);
        } else {
            read(&format!("{text}{stage}"));
        }
        examples += 1;
    }
    assert!(examples >= 5);
}
