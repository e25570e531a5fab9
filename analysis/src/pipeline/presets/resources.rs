//! What processes and containers say that they use.

use super::Resources;

/// What client libraries say of their own process. Two minutes hold two samples at the slowest
/// usual scrape of one minute.
///
/// Source: <https://prometheus.io/docs/instrumenting/writing_clientlibs/#process-metrics>.
pub(super) const PROCESS: Resources = Resources {
    cpu: "rate(process_cpu_seconds_total[2m])",
    cpu_seconds: "process_cpu_seconds_total",
    memory: "process_resident_memory_bytes",
};

/// What prometheus-net says of its own process: it names the memory otherwise.
///
/// Source: `Prometheus/DotNetStats.cs` of `prometheus-net/prometheus-net`.
pub(super) const DOTNET_PROCESS: Resources = Resources {
    cpu: "rate(process_cpu_seconds_total[2m])",
    cpu_seconds: "process_cpu_seconds_total",
    memory: "process_working_set_bytes",
};

/// What cAdvisor, within the kubelet, says of a pod's containers. `container=""` is the sum of
/// the pod's and `POD` its pause container: both would count twice.
///
/// Source: `docs/storage/prometheus.md` of `google/cadvisor`.
pub(super) const CONTAINER: Resources = Resources {
    cpu: r#"sum by (namespace, pod) (rate(container_cpu_usage_seconds_total{container!="",container!="POD"}[2m]))"#,
    cpu_seconds: r#"container_cpu_usage_seconds_total{container!="",container!="POD"}"#,
    memory: r#"sum by (namespace, pod) (container_memory_working_set_bytes{container!="",container!="POD"})"#,
};
