//! What platforms that run containers tell of them.

use super::Preset;
use super::libraries::CLIENT_LIBRARY;
use super::resources::CONTAINER;

/// The containers of services that count their requests with a client library.
pub(super) const KUBERNETES: Preset = Preset {
    name: "kubernetes",
    project: "Kubernetes (cAdvisor, kube-state-metrics)",
    version: "cAdvisor 0.49, kube-state-metrics 2.13",
    read_in: &[
        "`docs/storage/prometheus.md` of `google/cadvisor`",
        "`docs/metrics/workload/pod-metrics.md` of `kubernetes/kube-state-metrics`",
    ],
    requests: CLIENT_LIBRARY,
    resources: CONTAINER,
    control: r#"{namespace: shop, pod: {"=~": "checkout-6d4cf56db6-.*"}}"#,
    canary: r#"{namespace: shop, pod: {"=~": "checkout-7f9d8c6b5-.*"}}"#,
    about: "The hash of the pod template, which is part of the names of the pods.",
};
