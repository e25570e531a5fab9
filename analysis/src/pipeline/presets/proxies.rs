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

/// NGINX Plus with nginx-prometheus-exporter. For NGINX without Plus the exporter knows no status, only
/// `nginx_http_requests_total` of the whole server: nothing that could be judged.
pub(super) const NGINX_PLUS: Preset = Preset {
    name: "nginx-plus",
    project: "nginx-prometheus-exporter (NGINX Plus)",
    version: "1.4",
    read_in: &["`README.md` and `collector/nginx_plus.go` of `nginxinc/nginx-prometheus-exporter`"],
    requests: Requests {
        errors: r#"nginxplus_upstream_server_responses{code="5xx"}"#,
        total: "nginxplus_upstream_server_responses",
        durations: None,
    },
    resources: CONTAINER,
    control: "{upstream: checkout_stable}",
    canary: "{upstream: checkout_canary}",
    about: "The upstream that `split_clients` chose. No histogram: no `latency_*`. NGINX without Plus has no \
            status in this exporter and cannot be judged: use `nginx-vts`.",
};

/// NGINX with the module of virtual hosts' traffic. `code="total"`, of newer versions, is the sum of
/// the others: it would count twice.
pub(super) const NGINX_VTS: Preset = Preset {
    name: "nginx-vts",
    project: "nginx-module-vts",
    version: "0.2",
    read_in: &[
        "`src/ngx_http_vhost_traffic_status_display_prometheus.h` of `vozlt/nginx-module-vts`",
    ],
    requests: Requests {
        errors: r#"nginx_vts_upstream_requests_total{code="5xx"}"#,
        total: r#"nginx_vts_upstream_requests_total{code=~"[1-5]xx"}"#,
        durations: Some(Durations {
            histogram: "nginx_vts_upstream_response_duration_seconds",
            scale: 1.0,
        }),
    },
    resources: CONTAINER,
    control: "{upstream: checkout_stable}",
    canary: "{upstream: checkout_canary}",
    about: "The upstream that `split_clients` chose. Latencies need `vhost_traffic_status_histogram_buckets`.",
};

/// The exporter that `HAProxy` has built in. Responses of backends, which have a class; requests are
/// counted without.
pub(super) const HAPROXY: Preset = Preset {
    name: "haproxy",
    project: "HAProxy",
    version: "3.0",
    read_in: &[
        "`addons/promex/README` and `addons/promex/service-prometheus.c` of `haproxy/haproxy`",
    ],
    requests: Requests {
        errors: r#"haproxy_backend_http_responses_total{code="5xx"}"#,
        total: "haproxy_backend_http_responses_total",
        durations: None,
    },
    resources: CONTAINER,
    control: "{proxy: checkout_stable}",
    canary: "{proxy: checkout_canary}",
    about: "The backend. No histogram, only means of the last 1,024 requests: no `latency_*`.",
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

/// Apache APISIX. Its counter of answers has no `_total`; `apisix_http_requests_total` is a gauge of
/// the whole node. `type="request"` is the time that the client saw, in milliseconds.
pub(super) const APISIX: Preset = Preset {
    name: "apisix",
    project: "Apache APISIX",
    version: "3.12",
    read_in: &[
        "`apisix/plugins/prometheus/exporter.lua` of `apache/apisix`",
        "<https://apisix.apache.org/docs/apisix/3.12/plugins/prometheus>",
    ],
    requests: Requests {
        errors: r#"apisix_http_status{code=~"5.."}"#,
        total: "apisix_http_status",
        durations: Some(Durations {
            histogram: r#"apisix_http_latency{type="request"}"#,
            scale: 0.001,
        }),
    },
    resources: CONTAINER,
    control: "{route: shop_checkout-stable}",
    canary: "{route: shop_checkout-canary}",
    about: "The route, where each version has one. Behind one route with `traffic-split` only `node`, the \
            address of the pod, tells them apart.",
};

/// Skipper. Its histogram of served routes has the status by default; its own count is the counter of
/// requests.
pub(super) const SKIPPER: Preset = Preset {
    name: "skipper",
    project: "Skipper",
    version: "0.22",
    read_in: &[
        "`metrics/prometheus.go` and `dataclients/kubernetes/ingress.go` of `zalando/skipper`",
        "`pkg/metrics/observers/skipper.go` of `fluxcd/flagger`",
    ],
    requests: Requests {
        errors: r#"skipper_serve_route_duration_seconds_count{code=~"5.."}"#,
        total: "skipper_serve_route_duration_seconds_count",
        durations: Some(Durations {
            histogram: "skipper_serve_route_duration_seconds",
            scale: 1.0,
        }),
    },
    resources: CONTAINER,
    control: r#"{route: {"=~": "kube_shop__checkout__.*__checkout_stable"}}"#,
    canary: r#"{route: {"=~": "kube_shop__checkout__.*__checkout_canary"}}"#,
    about: "The route, which ends in the service behind a weight. Needs `-serve-route-metrics`.",
};
