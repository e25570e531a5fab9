//! What ships with the reader: pipelines, the reference of the format.

use serinus_analysis::pipeline::MOST_INTERVALS;

use crate::support::read;

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
