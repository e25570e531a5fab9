//! What the tests of pipeline files share.

use serinus_analysis::pipeline::{Comparison, Condition, Pipeline, Stage, parse};

/// The file that the project was created from.
pub(crate) const SEED: &str = include_str!("../../../pipelines/canary_pipeline.yaml");

#[expect(clippy::panic, reason = "a helper of tests")]
pub(crate) fn read(text: &str) -> Pipeline {
    parse(text, "test").unwrap_or_else(|diagnostics| panic!("{diagnostics:#?}"))
}

/// The condition of a pipeline of one stage with one check.
#[expect(clippy::indexing_slicing, reason = "a helper of tests")]
pub(crate) fn condition(check: &str) -> Condition {
    let text = format!(
        "canary_pipeline:\n  stage: {{traffic_percent: 5, duration_minutes: 5, metrics: ['{check}']}}"
    );
    read(&text).stages[0].checks[0].condition
}

pub(crate) fn absolute(comparison: Comparison, limit: f64) -> Condition {
    Condition::Absolute { comparison, limit }
}

pub(crate) fn relative(comparison: Comparison, ratio: f64, offset: f64) -> Condition {
    Condition::Relative {
        comparison,
        ratio,
        offset,
    }
}

pub(crate) fn texts(stage: &Stage) -> Vec<&str> {
    stage
        .checks
        .iter()
        .map(|check| check.text.as_str())
        .collect()
}

pub(crate) fn ids(pipeline: &Pipeline) -> Vec<&str> {
    pipeline
        .stages
        .iter()
        .map(|stage| stage.id.as_str())
        .collect()
}
