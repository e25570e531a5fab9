//! The table of presets: usable under every pipeline, with a worked pair, a source, and an exposition to
//! judge.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serinus_analysis::pipeline::{
    MetricKind, PRESET_NAMES, PRESETS, Preset, RemarkCode, preset_metrics,
};
use serinus_analysis::query::{check_counter_selector, check_gauge_expression};

use crate::support::{SEED, read};

/// The file that a preset's row shows: its name and its worked pair.
fn worked(preset: &Preset) -> String {
    let Preset {
        name,
        control,
        canary,
        ..
    } = preset;
    format!(
        "preset: {name}\ncontrol: {control}\ncanary: {canary}\ncanary_pipeline: {{a: \
         {{traffic_percent: 5, duration_minutes: 60, metrics: [error_rate < 1%]}}}}"
    )
}

#[test]
fn the_seed_can_be_read_under_every_preset_that_has_a_histogram() {
    for preset in PRESETS {
        if preset.requests.durations.is_none() {
            continue;
        }
        let name = preset.name;
        let pipeline = read(&format!("preset: {name}\n{SEED}"));
        assert_eq!(pipeline.stages.len(), 9, "{name}");
        assert_eq!(&pipeline.metrics, &preset_metrics(name).unwrap());
    }
    assert_eq!(read(SEED).metrics, preset_metrics("prometheus").unwrap());
}

#[test]
fn every_preset_has_the_usual_metrics_in_usable_promql() {
    for preset in PRESETS {
        let name = preset.name;
        let metrics = preset_metrics(name).unwrap();
        let mut usual = vec![
            "error_rate",
            "throughput",
            "cpu_usage",
            "memory_usage",
            "restarts",
            "customer_complaints",
        ];
        if preset.requests.durations.is_some() {
            usual.extend(["latency_p50", "latency_p90", "latency_p95", "latency_p99"]);
        }
        for metric in usual {
            assert!(metrics.contains_key(metric), "{name} has no {metric}");
        }
        let text = format!(
            "preset: {name}\ncanary_pipeline: {{a: {{traffic_percent: 5, duration_minutes: 5, \
             metrics: [business_kpi_impact < 1%]}}}}"
        );
        assert_eq!(read(&text).stages[0].checks[0].measured.name, "conversion");
        for (name, metric) in &metrics {
            assert_eq!(name, &metric.name);
            match &metric.kind {
                MetricKind::Proportion { events, total, .. } => {
                    check_counter_selector(events.one()).unwrap();
                    check_counter_selector(total.one()).unwrap();
                }
                MetricKind::EventRate { events, .. } => {
                    check_counter_selector(events.one()).unwrap();
                }
                MetricKind::Quantile { histogram, .. } => {
                    check_counter_selector(histogram.one()).unwrap();
                }
                MetricKind::Gauge { expression, .. } => {
                    check_gauge_expression(expression.one()).unwrap();
                }
                MetricKind::PerRequest { counter, total } => {
                    check_counter_selector(counter.one()).unwrap();
                    check_counter_selector(total.one()).unwrap();
                }
            }
        }
    }
}

#[test]
fn every_worked_pair_can_be_read_and_tells_two_versions_of_one_service_apart() {
    for preset in PRESETS {
        let name = preset.name;
        let pipeline = read(&worked(preset));
        assert_ne!(pipeline.control, pipeline.canary, "{name}");
        let labels = |matchers: &serinus_analysis::matchers::Matchers| -> BTreeSet<String> {
            matchers.iter().map(|one| one.label.clone()).collect()
        };
        assert_eq!(
            labels(&pipeline.control),
            labels(&pipeline.canary),
            "{name}: a pair is one way to tell versions apart"
        );
        let remarks = pipeline.remarks();
        assert!(
            !remarks
                .iter()
                .any(|remark| remark.code == RemarkCode::ServiceNotNamed),
            "{name}: {remarks:?}"
        );
    }
}

#[test]
fn every_preset_says_where_its_names_were_read() {
    for preset in PRESETS {
        let Preset {
            name,
            project,
            version,
            read_in,
            about,
            ..
        } = preset;
        assert!(!project.is_empty(), "{name}");
        assert!(
            version.contains(|letter: char| letter.is_ascii_digit()),
            "{name}: {version}"
        );
        for source in *read_in {
            let is_page = source.contains("<https://");
            let is_file = source.contains("` of `");
            assert!(is_page || is_file, "{name}: {source}");
        }
        assert!(!read_in.is_empty(), "{name}");
        assert!(about.ends_with('.'), "{name}: {about}");
    }
    let unique: BTreeSet<&&str> = PRESET_NAMES.iter().collect();
    assert_eq!(unique.len(), PRESETS.len(), "a name stands for one preset");
}

/// The tables of presets are written from the code; those of the common metrics are not.
#[test]
fn the_reference_shows_everything_that_is_measured() {
    let reference = include_str!("../../../docs/pipelines.md");
    for preset in PRESETS {
        for (name, metric) in preset_metrics(preset.name).unwrap() {
            assert!(reference.contains(&format!("`{name}`")), "{name}");
            let texts = match metric.kind {
                MetricKind::Proportion { events, total, .. } => vec![events, total],
                MetricKind::EventRate { events, .. } => vec![events],
                MetricKind::Quantile { histogram, .. } => vec![histogram],
                MetricKind::Gauge { expression, .. } => vec![expression],
                MetricKind::PerRequest { counter, total } => vec![counter, total],
            };
            for text in texts {
                // A bar within a table's cell is escaped.
                let in_table = format!("`{}`", text.one().replace('|', "\\|"));
                assert!(reference.contains(&in_table), "{}: {in_table}", preset.name);
            }
        }
    }
}

/// The integration tests judge what stands there.
#[test]
fn every_preset_has_an_exposition_with_its_worked_pair() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/tests/data/presets");
    for preset in PRESETS {
        let file = folder.join(format!("{}.prom", preset.name));
        let text = fs::read_to_string(&file).unwrap_or_default();
        let head = format!(
            "# control: {}\n# canary: {}\n",
            preset.control, preset.canary
        );
        assert!(text.starts_with(&head), "{}: {head}", preset.name);
    }
    let files = fs::read_dir(&folder).unwrap().count();
    assert_eq!(files, PRESETS.len() + 1, "one each, and a README");
}
