//! What is scraped, and the labels by which it is told from others.

use super::Series;

/// The labels that tell targets apart, as far as series have them: those of Prometheus, of
/// OpenTelemetry's collectors, and what an exporter says of what it speaks for.
///
/// Source: docs/design/reading-prometheus.md, "Targets".
pub const TARGET_LABELS: [&str; 8] = [
    "instance",
    "pod",
    "k8s_pod_name",
    "service_instance_id",
    "exported_instance",
    "exported_pod",
    "container",
    "host_name",
];

/// The labels that name a pod, the best first.
pub(super) const POD_LABELS: [&str; 8] = [
    "pod",
    "k8s_pod_name",
    "exported_pod",
    "service_instance_id",
    "exported_instance",
    "instance",
    "host_name",
    "container",
];

/// What is scraped: one process, or one of several that an exporter speaks for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(super) struct Target(Vec<(&'static str, String)>);

impl Target {
    /// The target that a series belongs to; a label that is empty is absent, as in Prometheus.
    pub(super) fn of(series: &Series) -> Self {
        let named = TARGET_LABELS.iter().filter_map(|label| {
            let value = label_of(series, label)?;
            Some((*label, value.to_owned()))
        });
        Self(named.collect())
    }

    /// Whether what is known of this one is known of the other: it has all of its labels. A process
    /// that speaks for others is scraped once for all of them.
    pub(super) fn speaks_for(&self, other: &Self) -> bool {
        !self.0.is_empty() && self.0.iter().all(|label| other.0.contains(label))
    }
}

/// The name of the pod that a series belongs to: its pod, or what is scraped where there are no pods.
pub(crate) fn pod_name(series: &Series) -> &str {
    let mut names = POD_LABELS.iter();
    names
        .find_map(|label| label_of(series, label))
        .unwrap_or_default()
}

fn label_of<'a>(series: &'a Series, label: &str) -> Option<&'a str> {
    let value = series.labels.get(label)?;
    (!value.is_empty()).then_some(value)
}
