//! The section `error_budget`: no more traffic for a service that has spent what it may fail.

use super::cursor::{Cursor, Fields, Problems, checked, shortened};
use super::definition::{DefinedKind, Definition};
use super::metrics::KnownMetrics;
use super::model::{ErrorBudget, MetricKind};
use super::population::read_matchers;
use super::settings::read_seconds;
use crate::matchers::Matchers;

const KEYS: &[&str] = &[
    "metric",
    "objective",
    "window",
    "minimum_remaining",
    "selector",
];

/// Four weeks: every weekday as often as the others.
const DEFAULT_WINDOW_SECONDS: u32 = 28 * 86_400;
const SHORTEST_WINDOW_SECONDS: u32 = 3_600;
const LONGEST_WINDOW_SECONDS: u32 = 90 * 86_400;

/// Source: docs/design/statistics.md, "11. The verdict of a stage", the error budget.
const DEFAULT_MINIMUM_REMAINING: f64 = 0.001;

/// Reads the section; nothing when there is none, or when it has mistakes.
pub(super) fn read_error_budget(
    fields: &Fields<'_>,
    metrics: &KnownMetrics,
    problems: &mut Problems,
) -> Option<ErrorBudget> {
    let section = fields.get("error_budget")?;
    let keys = section.fields(
        "a mapping such as {metric: error_rate, objective: 99.9%}",
        KEYS,
        problems,
    )?;
    for (key, what) in [
        (
            "metric",
            "name the share of failed requests, such as error_rate",
        ),
        (
            "objective",
            "say which share of the requests is promised to be good, such as 99.9%",
        ),
    ] {
        if keys.lacks(key) {
            section.problem(problems, format!("no {key:?}: {what}"));
        }
    }
    let metric = keys
        .get("metric")
        .and_then(|value| read_metric(value, metrics, problems));
    let objective = keys
        .get("objective")
        .and_then(|value| read_objective(value, problems));
    let window_seconds = keys
        .get("window")
        .map_or(Some(DEFAULT_WINDOW_SECONDS), |value| {
            const WINDOW: &str = "a time from 1h to 90d in whole seconds, such as 28d";
            let bounds = (SHORTEST_WINDOW_SECONDS, LONGEST_WINDOW_SECONDS);
            read_seconds(value, bounds, WINDOW, problems)
        });
    let minimum_remaining =
        keys.get("minimum_remaining")
            .map_or(Some(DEFAULT_MINIMUM_REMAINING), |value| {
                const SHARE: &str = "a share of the budget from 0 to below 1, such as 0.1%";
                let share = value.fraction(SHARE, problems)?;
                checked(value, share, (0.0..1.0).contains(&share), SHARE, problems)
            });
    let selector = keys
        .get("selector")
        .map_or_else(Matchers::new, |value| read_matchers(value, problems));
    Some(ErrorBudget {
        metric: metric?,
        objective: objective?,
        window_seconds: window_seconds?,
        minimum_remaining: minimum_remaining?,
        selector,
    })
}

fn read_metric(
    value: &Cursor<'_>,
    metrics: &KnownMetrics,
    problems: &mut Problems,
) -> Option<String> {
    let name = value.text("the name of a metric", problems)?;
    match metrics.resolve(name) {
        Ok(Definition {
            name,
            kind: DefinedKind::Measured(MetricKind::Proportion { .. }),
            ..
        }) => Some(name.clone()),
        Ok(_) => {
            let message = format!(
                "{:?} is no share of the requests: an error budget needs a metric with `errors` \
                 (or `events`) and `total`",
                shortened(name)
            );
            value.problem(problems, message);
            None
        }
        Err(reason) => {
            if let Some(reason) = reason {
                value.problem(problems, reason);
            }
            None
        }
    }
}

fn read_objective(value: &Cursor<'_>, problems: &mut Problems) -> Option<f64> {
    const OBJECTIVE: &str = "a share of good requests from 50% to 99.9999%, such as 99.9%";
    let objective = value.fraction(OBJECTIVE, problems)?;
    let is_right = (0.5..=0.999_999).contains(&objective);
    checked(value, objective, is_right, OBJECTIVE, problems)
}
