//! What the labels of the series say of both populations, where every sample is read.

use super::*;
use crate::data::Findings;
use crate::populations::KindLevel;

/// What is found in an interval of which each question about a population has these series.
fn found(form: Form, control: Vec<Series>, canary: Vec<Series>) -> Findings {
    let pipeline = apart();
    let populations = Populations {
        control: &pipeline.control,
        canary: &pipeline.canary,
    };
    let window = grid(1);
    let stage = stage(&["error_rate"]);
    let plan = StageQuestions::new(&pipeline, &stage, populations, window, form).unwrap();
    let answered = answers(
        &plan,
        &[
            ("http_errors_total", ok(Vec::new())),
            ("process_start", ok(Vec::new())),
            ("canary-", ok(canary)),
            ("shop-", ok(control)),
        ],
    );
    let chunks: Vec<(Chunk, ChunkData)> = Chunk::of_window(&window)
        .into_iter()
        .map(|chunk| (chunk, plan.assemble_chunk(&answered)))
        .collect();
    plan.join(window, &chunks).findings
}

const VALUES: [f64; 4] = [0.0, 40.0, 80.0, 120.0];

fn of_job(pod: &str, job: &str) -> Series {
    counter(pod, &[("job", job)], VALUES)
}

#[test]
fn a_series_of_both_populations_is_found() {
    let both = of_job("shop-canary-1", "shop");
    let control = vec![of_job("shop-1", "shop"), both.clone()];
    let findings = found(Form::Samples, control.clone(), vec![both.clone()]);
    assert!(
        findings
            .overlap
            .is_some_and(|series| series.contains("pod=\"shop-canary-1\""))
    );
    // Sums by target do not tell series apart.
    assert_eq!(found(SUMS, control.clone(), vec![both]).overlap, None);
    let canary = vec![of_job("canary-1", "shop")];
    assert_eq!(found(Form::Samples, control, canary).overlap, None);
}

#[test]
fn a_service_that_only_the_control_spans_is_found() {
    let control = vec![of_job("shop-1", "shop"), of_job("payments-1", "payments")];
    let canary = vec![of_job("canary-1", "shop")];
    let differences = found(Form::Samples, control, canary).differences;
    assert_eq!(differences.len(), 1, "{differences:?}");
    assert_eq!(differences[0].label, "job");
    assert_eq!(differences[0].level, KindLevel::Service);
    assert_eq!(differences[0].values, ["payments"]);
}

#[test]
fn labels_that_could_tell_events_apart_are_seen_of_both_populations_in_every_chunk() {
    let pipeline = apart();
    let populations = Populations {
        control: &pipeline.control,
        canary: &pipeline.canary,
    };
    let window = grid(60);
    let share = MetricKind::Proportion {
        events: r#"http_requests_total{code=~"5.."}"#.into(),
        total: "http_requests_total".into(),
        strata: None,
    };
    let stage = stage_of("failures", share, 1.0);
    let chunks: Vec<(Chunk, ChunkData)> = Chunk::of_window(&window)
        .into_iter()
        .enumerate()
        .map(|(index, chunk)| {
            let plan = StageQuestions::new(
                &pipeline,
                &stage,
                populations,
                chunk.counted(),
                Form::Samples,
            )
            .unwrap();
            let label = if index == 0 { "status" } else { "code" };
            let answered = answers(
                &plan,
                &[
                    ("process_start", ok(Vec::new())),
                    (
                        "canary-",
                        ok(vec![counter("canary-1", &[(label, "200")], VALUES)]),
                    ),
                    (
                        "shop-",
                        ok(vec![counter("shop-1", &[("code", "500")], VALUES)]),
                    ),
                ],
            );
            (chunk, plan.assemble_chunk(&answered))
        })
        .collect();
    assert!(chunks.len() > 1);
    let plan = StageQuestions::new(&pipeline, &stage, populations, window, Form::Samples).unwrap();
    let labels = &plan.join(window, &chunks).findings.labels["failures"];
    assert!(labels.control.all_have("code") && !labels.control.has_others);
    assert!(labels.canary.has("code") && labels.canary.has("status"));
    assert!(!labels.canary.all_have("code") && labels.canary.has_others);
}
