//! Proxies and ingress controllers with metrics of their own. Those that show Envoy's are in `envoy`.

use super::resources::CONTAINER;
use super::{Durations, Preset, Requests};

/// The ingress controller of the Kubernetes project, on nginx. The label `canary` holds the backend of
/// the canary's ingress, and is empty for what the stable one answered.
pub(super) const NGINX_INGRESS: Preset = Preset {
    name: "nginx-ingress",
    project: "ingress-nginx",
    version: "1.11",
    read_in: &[
        "<https://kubernetes.github.io/ingress-nginx/user-guide/monitoring/>",
        "`internal/ingress/metric/collectors/socket.go` of `kubernetes/ingress-nginx`",
    ],
    requests: Requests {
        errors: r#"nginx_ingress_controller_requests{status=~"5.."}"#,
        total: "nginx_ingress_controller_requests",
        durations: Some(Durations {
            histogram: "nginx_ingress_controller_request_duration_seconds",
            scale: 1.0,
        }),
    },
    resources: CONTAINER,
    control: r#"{ingress: checkout, canary: ""}"#,
    canary: "{ingress: checkout, canary: shop-checkout-canary-80}",
    about: "The label `canary`: namespace, service and port of the canary's ingress.",
};

/// Traefik's service metrics.
pub(super) const TRAEFIK: Preset = Preset {
    name: "traefik",
    project: "Traefik",
    version: "3.3",
    read_in: &[
        "\"Service Metrics\" of <https://doc.traefik.io/traefik/observability/metrics/overview/>",
    ],
    requests: Requests {
        errors: r#"traefik_service_requests_total{code=~"5.."}"#,
        total: "traefik_service_requests_total",
        durations: Some(Durations {
            histogram: "traefik_service_request_duration_seconds",
            scale: 1.0,
        }),
    },
    resources: CONTAINER,
    control: r#"{service: "shop-checkout-80@kubernetescrd"}"#,
    canary: r#"{service: "shop-checkout-canary-80@kubernetescrd"}"#,
    about: "The service behind a weight of the TraefikService: namespace, service, port and provider.",
};
