//! Whether anything names the service that is judged: labels of a version alone select every service
//! that has such versions.

use super::model::{Metric, MetricKind};
use super::selection::Selection;
use crate::matchers::Matchers;

/// Labels that tell a version or a pod from another, but not a service from another.
const LABELS_OF_A_VERSION: &[&str] = &[
    "track",
    "version",
    "app_version",
    "service_version",
    "destination_version",
    "pod_template_hash",
    "rollouts_pod_template_hash",
    "pod",
    "instance",
    "node",
    "role",
    "slot",
    "color",
    "canary",
    "release_track",
    "revision",
];

/// Labels that name a service where a metric's own selector has them.
const LABELS_OF_A_SERVICE: &[&str] = &[
    "job",
    "service",
    "app",
    "service_name",
    "application",
    "component",
    "container",
    "deployment",
    "workload",
    "destination_workload",
    "destination_service",
    "destination_service_name",
    "destination_app",
    "exported_service",
    "ingress",
    "backend",
    "envoy_cluster_name",
    "name",
];

/// Whether a population names a service, and not only a version or a pod.
pub(super) fn names_a_service(matchers: &Matchers) -> bool {
    matchers.iter().any(|matcher| {
        let label = matcher.label.replace('-', "_");
        !LABELS_OF_A_VERSION.contains(&label.as_str())
    })
}

/// Whether the metric's own selectors name a service, all of them.
pub(super) fn selects_a_service(metric: &Metric) -> bool {
    let selects = |selection: &Selection| {
        selection.every().all(|promql| {
            let mut labels = LABELS_OF_A_SERVICE.iter();
            labels.any(|label| has_matcher(promql, label))
        })
    };
    match &metric.kind {
        MetricKind::Proportion { events, total, .. } => selects(events) && selects(total),
        MetricKind::EventRate { events, .. } => selects(events),
        MetricKind::Quantile { histogram, .. } => selects(histogram),
        MetricKind::Gauge { expression, .. } => selects(expression),
        MetricKind::PerRequest { counter, total } => selects(counter) && selects(total),
    }
}

/// Whether a text of PromQL has a matcher of the label that asks for something.
fn has_matcher(promql: &str, label: &str) -> bool {
    promql.match_indices(label).any(|(at, _)| {
        let is_whole = promql
            .get(..at)
            .is_some_and(|before| before.trim_end().ends_with(['{', ',']));
        let after = promql.get(at + label.len()..).unwrap_or_default();
        is_whole && after.trim_start().starts_with('=')
    })
}
