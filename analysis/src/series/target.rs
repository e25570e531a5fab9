//! What is scraped, and the labels by which it is told from others.

use serde::Serialize;

use super::Series;

/// The labels that tell targets apart unless a pipeline says others: those of Prometheus, of
/// OpenTelemetry's collectors, and what an exporter says of what it speaks for.
///
/// Source: docs/design/reading-prometheus.md, "Targets".
const USUAL_LABELS: [&str; 8] = [
    "instance",
    "pod",
    "k8s_pod_name",
    "service_instance_id",
    "exported_instance",
    "exported_pod",
    "container",
    "host_name",
];

/// The labels that tell targets apart, as far as series have them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct TargetLabels(Vec<String>);

impl TargetLabels {
    /// These labels and no others.
    pub fn new(labels: Vec<String>) -> Self {
        Self(labels)
    }

    /// The labels, in the order in which they are asked for.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    /// Whether targets are told apart by a label.
    pub fn contains(&self, label: &str) -> bool {
        self.0.iter().any(|known| known == label)
    }

    /// The target that a series belongs to; a label that is empty is absent, as in Prometheus.
    pub(super) fn target_of(&self, series: &Series) -> Target {
        let labels = self.0.iter().enumerate();
        let named = labels.filter_map(|(label, name)| {
            let value = label_of(series, name)?;
            Some((label, value.to_owned()))
        });
        Target(named.collect())
    }
}

impl Default for TargetLabels {
    fn default() -> Self {
        Self(USUAL_LABELS.map(str::to_owned).to_vec())
    }
}

/// What is scraped: one process, or one of several that an exporter speaks for. Its labels are told by
/// their places among the [`TargetLabels`].
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(super) struct Target(Vec<(usize, String)>);

impl Target {
    /// Whether what is known of this one is known of the other: it has all of its labels. A process
    /// that speaks for others is scraped once for all of them.
    pub(super) fn speaks_for(&self, other: &Self) -> bool {
        !self.0.is_empty() && self.0.iter().all(|label| other.0.contains(label))
    }
}

/// The value of a label; one that is empty is absent, as in Prometheus.
pub(super) fn label_of<'a>(series: &'a Series, label: &str) -> Option<&'a str> {
    let value = series.labels.get(label)?;
    (!value.is_empty()).then_some(value)
}
