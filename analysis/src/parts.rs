//! The parts of a stage: what is read of the same populations, from the same sources.
//!
//! A metric may select the populations by labels of its own, a population may be on a server of its own,
//! and each region on one. Each part is a stage by itself, with the metrics that are read so; what was
//! read of them is put together again.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use crate::matchers::Matchers;
use crate::pipeline::{Check, Metric, Pipeline, PlaceholderError, Stage};
use crate::series::Populations;

/// A part of a stage.
#[derive(Debug, Clone, PartialEq)]
pub struct Part<'a> {
    /// The pipeline, with the kill switches that are of the part's metrics.
    pub pipeline: Cow<'a, Pipeline>,
    /// The stage, with the checks that are of the part's metrics.
    pub stage: Cow<'a, Stage>,
    /// What selects the populations.
    pub populations: Populations<Matchers>,
}

/// Why a metric cannot be read of the populations.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("cannot select the {population} of metric {metric:?}: {error}")]
pub struct PartError {
    /// The name of the metric.
    pub metric: String,
    /// `control` or `canary`.
    pub population: &'static str,
    /// What to send.
    pub error: PlaceholderError,
}

/// The populations of one metric: its own, or those that are judged.
///
/// # Errors
///
/// [`PartError`] says what to send.
pub fn populations_of_metric(
    metric: &Metric,
    populations: Populations<&Matchers>,
) -> Result<Populations<Matchers>, PartError> {
    let of = |population, own: &Option<_>, judged: &Matchers| {
        let Some(own) = own else {
            return Ok(judged.clone());
        };
        let own: &crate::pipeline::OwnMatchers = own;
        own.filled(populations).map_err(|error| PartError {
            metric: metric.name.clone(),
            population,
            error,
        })
    };
    Ok(Populations {
        control: of("control", &metric.own.control, populations.control)?,
        canary: of("canary", &metric.own.canary, populations.canary)?,
    })
}

/// Divides a stage into its parts, of which the first is that of the populations that are judged where
/// any metric is read of them. A stage without metrics is one part.
///
/// # Errors
///
/// Everything that the caller has to send, at once.
pub fn parts<'a>(
    pipeline: &'a Pipeline,
    stage: &'a Stage,
    populations: Populations<&Matchers>,
) -> Result<Vec<Part<'a>>, Vec<PartError>> {
    let mut metrics = BTreeMap::<&str, &Metric>::new();
    for check in stage.checks.iter().chain(&pipeline.kill_switch) {
        metrics.insert(&check.measured.name, &check.measured);
    }
    let mut errors = Vec::new();
    let mut groups = BTreeMap::<Populations<Matchers>, BTreeSet<&str>>::new();
    for (name, metric) in metrics {
        match populations_of_metric(metric, populations) {
            Ok(own) => {
                groups.entry(own).or_default().insert(name);
            }
            Err(error) => errors.push(error),
        }
    }
    if !errors.is_empty() {
        return Err(errors);
    }
    let judged = populations.map(Clone::clone);
    let is_whole = groups.len() <= 1;
    let first = groups.remove_entry(&judged);
    let ordered = first.into_iter().chain(groups);
    let mut parts: Vec<Part<'a>> = ordered
        .map(|(populations, names)| Part {
            pipeline: if is_whole {
                Cow::Borrowed(pipeline)
            } else {
                Cow::Owned(Pipeline {
                    kill_switch: of_metrics(&pipeline.kill_switch, &names),
                    ..pipeline.clone()
                })
            },
            stage: if is_whole {
                Cow::Borrowed(stage)
            } else {
                Cow::Owned(Stage {
                    checks: of_metrics(&stage.checks, &names),
                    ..stage.clone()
                })
            },
            populations,
        })
        .collect();
    if parts.is_empty() {
        parts.push(Part {
            pipeline: Cow::Borrowed(pipeline),
            stage: Cow::Borrowed(stage),
            populations: judged,
        });
    }
    Ok(parts)
}

fn of_metrics(checks: &[Check], names: &BTreeSet<&str>) -> Vec<Check> {
    let is_of_them = |check: &&Check| names.contains(check.measured.name.as_str());
    checks.iter().filter(is_of_them).cloned().collect()
}
