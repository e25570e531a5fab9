//! Service meshes with metrics of their own. Those that show Envoy's are in `envoy`.

use super::resources::CONTAINER;
use super::{Durations, Preset, Requests};

/// Istio's standard metrics, as the workload's own proxy reports them: `reporter` is `destination`
/// for the server's proxy.
pub(super) const ISTIO: Preset = Preset {
    name: "istio",
    project: "Istio",
    version: "1.24",
    read_in: &["<https://istio.io/latest/docs/reference/config/metrics/>"],
    requests: Requests {
        errors: r#"istio_requests_total{reporter="destination",response_code=~"5.."}"#,
        total: r#"istio_requests_total{reporter="destination"}"#,
        durations: Some(Durations {
            histogram: r#"istio_request_duration_milliseconds{reporter="destination"}"#,
            scale: 0.001,
        }),
    },
    resources: CONTAINER,
    control: "{destination_canonical_service: checkout, destination_version: v1}",
    canary: "{destination_canonical_service: checkout, destination_version: v2}",
    about: "The label `version` of the pods.",
};

/// Linkerd's proxy metrics, inbound side. `classification` knows gRPC's failures too.
pub(super) const LINKERD: Preset = Preset {
    name: "linkerd",
    project: "Linkerd",
    version: "2.16",
    read_in: &["<https://linkerd.io/2/reference/proxy-metrics/>"],
    requests: Requests {
        errors: r#"response_total{direction="inbound",classification="failure"}"#,
        total: r#"response_total{direction="inbound"}"#,
        durations: Some(Durations {
            histogram: r#"response_latency_ms{direction="inbound"}"#,
            scale: 0.001,
        }),
    },
    resources: CONTAINER,
    control: "{namespace: shop, deployment: checkout-primary}",
    canary: "{namespace: shop, deployment: checkout}",
    about: "The deployment, as Flagger names them: the scrape of Linkerd's own Prometheus adds it.",
};
