//! What platforms that run containers tell of them.

use super::libraries::CLIENT_LIBRARY;
use super::resources::CONTAINER;
use super::{Durations, Preset, Requests};

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

/// The sidecar of every Knative pod, which counts what the program answers, since it speaks
/// OpenTelemetry. Its names are those of 1.21: 1.19 and 1.20 had others.
pub(super) const KNATIVE: Preset = Preset {
    name: "knative",
    project: "Knative Serving (OpenTelemetry)",
    version: "1.21",
    read_in: &[
        "<https://knative.dev/docs/serving/observability/metrics/serving-metrics>",
        "`pkg/queue/sharedmain/otel.go` of `knative/serving`",
    ],
    requests: Requests {
        errors: r#"kn_serving_invocation_duration_seconds_count{http_response_status_code=~"5.."}"#,
        total: "kn_serving_invocation_duration_seconds_count",
        durations: Some(Durations {
            histogram: "kn_serving_invocation_duration_seconds",
            scale: 1.0,
        }),
    },
    resources: CONTAINER,
    control: "{kn_service_name: checkout, kn_revision_name: checkout-00001}",
    canary: "{kn_service_name: checkout, kn_revision_name: checkout-00002}",
    about: "The revision, a resource attribute: a label where metrics are pushed; where they are scraped \
            use the pod. Needs `request-metrics-protocol` in `config-observability`.",
};

/// The sidecar of every Knative pod before it spoke OpenTelemetry, and of `OpenShift` Serverless.
pub(super) const KNATIVE_OPENCENSUS: Preset = Preset {
    name: "knative-opencensus",
    project: "Knative Serving (OpenCensus)",
    version: "1.10 (up to 1.18)",
    read_in: &[
        "<https://knative.dev/v1.10-docs/serving/services/service-metrics/>",
        "`pkg/queue/metrics/request_metric.go` of `knative/serving`",
    ],
    requests: Requests {
        errors: r#"revision_app_request_count{response_code_class="5xx"}"#,
        total: "revision_app_request_count",
        durations: Some(Durations {
            histogram: "revision_app_request_latencies",
            scale: 0.001,
        }),
    },
    resources: CONTAINER,
    control: "{service_name: checkout, revision_name: checkout-00001}",
    canary: "{service_name: checkout, revision_name: checkout-00002}",
    about: "The revision.",
};
