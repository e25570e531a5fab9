//! What the tests of pipeline files share.

use serinus_analysis::pipeline::{Check, Limit, Pipeline, Stage, parse};

/// The file that the project was created from.
pub(crate) const SEED: &str = include_str!("../../../pipelines/canary_pipeline.yaml");

#[expect(clippy::panic, reason = "a helper of tests")]
pub(crate) fn read(text: &str) -> Pipeline {
    parse(text, "test").unwrap_or_else(|diagnostics| panic!("{diagnostics:#?}"))
}

/// How a metric is compared with its limit.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Comparison {
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Comparison {
    fn wants_less(self) -> bool {
        matches!(self, Self::Less | Self::LessOrEqual)
    }

    fn is_inclusive(self) -> bool {
        matches!(self, Self::LessOrEqual | Self::GreaterOrEqual)
    }
}

/// What must hold, and whether a value on the limit keeps it.
pub(crate) type MustHold = (Limit, bool);

pub(crate) fn must_hold(check: &Check) -> MustHold {
    (check.limit, check.is_inclusive)
}

/// What must hold in a pipeline of one stage with one check.
#[expect(clippy::indexing_slicing, reason = "a helper of tests")]
pub(crate) fn condition(check: &str) -> MustHold {
    let text = format!(
        "canary_pipeline:\n  stage: {{traffic_percent: 5, duration_minutes: 60, metrics: ['{check}']}}"
    );
    must_hold(&read(&text).stages[0].checks[0])
}

pub(crate) fn absolute(comparison: Comparison, limit: f64) -> MustHold {
    let must = Limit::absolute(comparison.wants_less(), limit);
    (must, comparison.is_inclusive())
}

pub(crate) fn relative(comparison: Comparison, ratio: f64, offset: f64) -> MustHold {
    let must = Limit::relative(comparison.wants_less(), ratio, offset);
    (must, comparison.is_inclusive())
}

pub(crate) fn within(tolerance: f64) -> MustHold {
    (Limit::Within { tolerance }, true)
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
