//! Presets: how the usual exporters measure the usual metrics.
//!
//! A preset says where requests come from; the rest is common. Resources are those of the
//! process where the exporter is the process itself, and those of its container everywhere else.
//! The names are those that the projects really use; each stands with its source.

use std::collections::BTreeMap;

use super::metrics::{DefinedKind, Definition, measured};
use crate::series::Populations;

use super::model::{Better, Dimension, Exposure, Metric, MetricKind};

/// The presets that a pipeline file may name.
pub const PRESET_NAMES: &[&str] = &[
    "prometheus",
    "otel-http",
    "istio",
    "linkerd",
    "envoy",
    "nginx-ingress",
    "traefik",
    "grpc",
    "kubernetes",
];

/// The preset of a file that names none.
pub const DEFAULT_PRESET: &str = "prometheus";

/// How an exporter counts requests.
struct Requests {
    /// Counter of the requests that failed by the server's fault.
    errors: &'static str,
    /// Counter of all requests.
    total: &'static str,
    /// Histogram of their durations, without `_bucket`.
    durations: &'static str,
    /// Seconds in one unit of the histogram's bounds.
    scale: f64,
}

/// What the process or its container uses.
struct Resources {
    /// Cores in use.
    cpu: &'static str,
    /// Bytes in use.
    memory: &'static str,
}

/// HTTP services with a Prometheus client library. The libraries leave the names to the
/// program; these are those of the libraries' own examples and of the naming guide.
///
/// Sources: <https://prometheus.io/docs/practices/naming/> (`http_requests_total`,
/// `http_request_duration_seconds`), `prometheus/promhttp/instrument_server.go` of
/// `prometheus/client_golang` (the label `code`).
const PROMETHEUS: Requests = Requests {
    errors: r#"http_requests_total{code=~"5.."}"#,
    total: "http_requests_total",
    durations: "http_request_duration_seconds",
    scale: 1.0,
};

/// OpenTelemetry's HTTP server metrics, exported to Prometheus. The histogram's own count is the
/// counter of requests.
///
/// Source: `http.server.request.duration` (unit `s`) and `http.response.status_code` in
/// <https://opentelemetry.io/docs/specs/semconv/http/http-metrics/>, with dots written as `_` and
/// the unit added by <https://opentelemetry.io/docs/specs/otel/compatibility/prometheus_and_openmetrics/>.
const OTEL_HTTP: Requests = Requests {
    errors: r#"http_server_request_duration_seconds_count{http_response_status_code=~"5.."}"#,
    total: "http_server_request_duration_seconds_count",
    durations: "http_server_request_duration_seconds",
    scale: 1.0,
};

/// Istio's standard metrics, as the workload's own proxy reports them.
///
/// Source: <https://istio.io/latest/docs/reference/config/metrics/> (`reporter` is `destination`
/// for the server's proxy; the duration is in milliseconds).
const ISTIO: Requests = Requests {
    errors: r#"istio_requests_total{reporter="destination",response_code=~"5.."}"#,
    total: r#"istio_requests_total{reporter="destination"}"#,
    durations: r#"istio_request_duration_milliseconds{reporter="destination"}"#,
    scale: 0.001,
};

/// Linkerd's proxy metrics, inbound side. `classification` knows gRPC's failures too.
///
/// Source: <https://linkerd.io/2/reference/proxy-metrics/>.
const LINKERD: Requests = Requests {
    errors: r#"response_total{direction="inbound",classification="failure"}"#,
    total: r#"response_total{direction="inbound"}"#,
    durations: r#"response_latency_ms{direction="inbound"}"#,
    scale: 0.001,
};

/// Envoy's upstream cluster statistics: the populations are told apart by
/// `envoy_cluster_name`. Completed requests, because `upstream_rq_total` also counts those under
/// way, which have no code yet.
///
/// Source: `upstream_rq_<*xx>`, `upstream_rq_completed` and `upstream_rq_time` (milliseconds) in
/// <https://www.envoyproxy.io/docs/envoy/latest/configuration/upstream/cluster_manager/cluster_stats>;
/// `source/common/config/well_known_names.cc` of `envoyproxy/envoy` makes the class a label.
const ENVOY: Requests = Requests {
    errors: r#"envoy_cluster_upstream_rq_xx{envoy_response_code_class="5"}"#,
    total: "envoy_cluster_upstream_rq_completed",
    durations: "envoy_cluster_upstream_rq_time",
    scale: 0.001,
};

/// The ingress controller of the Kubernetes project, on nginx.
///
/// Source: <https://kubernetes.github.io/ingress-nginx/user-guide/monitoring/> and
/// `internal/ingress/metric/collectors/socket.go` of `kubernetes/ingress-nginx` (the label
/// `status`; the label `canary` holds the canary's ingress).
const NGINX_INGRESS: Requests = Requests {
    errors: r#"nginx_ingress_controller_requests{status=~"5.."}"#,
    total: "nginx_ingress_controller_requests",
    durations: "nginx_ingress_controller_request_duration_seconds",
    scale: 1.0,
};

/// Traefik's service metrics: the populations are told apart by `service`.
///
/// Source: <https://doc.traefik.io/traefik/observability/metrics/overview/>, "Service Metrics".
const TRAEFIK: Requests = Requests {
    errors: r#"traefik_service_requests_total{code=~"5.."}"#,
    total: "traefik_service_requests_total",
    durations: "traefik_service_request_duration_seconds",
    scale: 1.0,
};

/// gRPC services with the Prometheus interceptors of the gRPC ecosystem; their histogram must be
/// switched on. Only codes that are the server's fault: `NotFound` is an answer.
///
/// Sources: `providers/prometheus` of `grpc-ecosystem/go-grpc-middleware` (names, and
/// `grpc_code` as Go writes it); the codes that make a server span an error in
/// <https://opentelemetry.io/docs/specs/semconv/rpc/grpc/>.
const GRPC: Requests = Requests {
    errors: "grpc_server_handled_total{grpc_code=~\
             \"Unknown|DeadlineExceeded|Unimplemented|Internal|Unavailable|DataLoss\"}",
    total: "grpc_server_handled_total",
    durations: "grpc_server_handling_seconds",
    scale: 1.0,
};

/// What client libraries say of their own process. Two minutes hold two samples at the slowest
/// usual scrape of one minute.
///
/// Source: <https://prometheus.io/docs/instrumenting/writing_clientlibs/#process-metrics>.
const PROCESS: Resources = Resources {
    cpu: "rate(process_cpu_seconds_total[2m])",
    memory: "process_resident_memory_bytes",
};

/// What cAdvisor, within the kubelet, says of a pod's containers. `container=""` is the sum of
/// the pod's and `POD` its pause container: both would count twice.
///
/// Source: `docs/storage/prometheus.md` of `google/cadvisor`.
const CONTAINER: Resources = Resources {
    cpu: r#"sum by (namespace, pod) (rate(container_cpu_usage_seconds_total{container!="",container!="POD"}[2m]))"#,
    memory: r#"sum by (namespace, pod) (container_memory_working_set_bytes{container!="",container!="POD"})"#,
};

/// Restarts of containers.
///
/// Source: `docs/metrics/workload/pod-metrics.md` of `kubernetes/kube-state-metrics`.
const RESTARTS: &str = "kube_pod_container_status_restarts_total";

/// Periods of the CPU's scheduler, and those in which the container was held back.
///
/// Source: `docs/storage/prometheus.md` of `google/cadvisor`.
const THROTTLED_PERIODS: &str =
    r#"container_cpu_cfs_throttled_periods_total{container!="",container!="POD"}"#;
const PERIODS: &str = r#"container_cpu_cfs_periods_total{container!="",container!="POD"}"#;

/// The business metrics of the first pipeline. No exporter has them: they are the service's own,
/// and a file that uses other names says so under `metrics`.
const ORDERS: &str = "orders_total";
const COMPLAINTS: &str = "customer_complaints_total";
const QUEUE_DEPTH: &str = "queue_depth";

const QUANTILES: &[(&str, f64)] = &[
    ("latency_p50", 0.5),
    ("latency_p75", 0.75),
    ("latency_p90", 0.9),
    ("latency_p95", 0.95),
    ("latency_p99", 0.99),
    ("latency_p999", 0.999),
];

/// Returns what a preset measures by name, or nothing when there is no such preset. Impacts, which
/// are measured as another metric, are not among it.
///
/// ```
/// use serinus_analysis::pipeline::preset_metrics;
///
/// assert!(preset_metrics("istio").unwrap().contains_key("latency_p99"));
/// assert!(preset_metrics("statsd").is_none());
/// ```
pub fn preset_metrics(preset: &str) -> Option<BTreeMap<String, Metric>> {
    preset_definitions(preset).map(|definitions| measured(&definitions))
}

/// Returns what the names of a preset stand for, or nothing when there is no such preset.
pub(super) fn preset_definitions(preset: &str) -> Option<BTreeMap<String, Definition>> {
    let (requests, resources) = match preset {
        "prometheus" => (&PROMETHEUS, &PROCESS),
        "otel-http" => (&OTEL_HTTP, &CONTAINER),
        "istio" => (&ISTIO, &CONTAINER),
        "linkerd" => (&LINKERD, &CONTAINER),
        "envoy" => (&ENVOY, &CONTAINER),
        "nginx-ingress" => (&NGINX_INGRESS, &CONTAINER),
        "traefik" => (&TRAEFIK, &CONTAINER),
        "grpc" => (&GRPC, &PROCESS),
        // The containers of services that count their requests with a client library.
        "kubernetes" => (&PROMETHEUS, &CONTAINER),
        _ => return None,
    };
    let mut metrics = BTreeMap::new();
    let mut add = |one: Definition| metrics.insert(one.name.clone(), one);
    add(share(
        "error_rate",
        requests.errors,
        requests.total,
        Better::Lower,
    ));
    for (name, quantile) in QUANTILES {
        let kind = MetricKind::Quantile {
            quantile: *quantile,
            histogram: requests.durations.into(),
            is_native: false,
            scale: Populations::same(requests.scale),
        };
        add(defined(name, kind, Better::Lower, Dimension::Seconds));
    }
    let requests_in_time = MetricKind::EventRate {
        events: requests.total.into(),
        per: Exposure::TrafficShare,
    };
    add(defined(
        "throughput",
        requests_in_time,
        Better::Higher,
        Dimension::Number,
    ));
    add(gauge("cpu_usage", resources.cpu, Dimension::Fraction));
    add(gauge("memory_usage", resources.memory, Dimension::Bytes));
    let restarts = MetricKind::EventRate {
        events: RESTARTS.into(),
        per: Exposure::PodHours,
    };
    add(defined(
        "restarts",
        restarts,
        Better::Lower,
        Dimension::Number,
    ));
    add(share(
        "throttling",
        THROTTLED_PERIODS,
        PERIODS,
        Better::Lower,
    ));
    add(share("conversion", ORDERS, requests.total, Better::Higher));
    add(share(
        "customer_complaints",
        COMPLAINTS,
        requests.total,
        Better::Lower,
    ));
    add(impact("business_kpi_impact", "conversion"));
    add(gauge("queue_depth", QUEUE_DEPTH, Dimension::Number));
    Some(metrics)
}

fn defined(name: &str, kind: MetricKind, better: Better, dimension: Dimension) -> Definition {
    Definition {
        name: name.to_owned(),
        kind: DefinedKind::Measured(kind),
        better,
        dimension,
        events_may_be_absent: false,
        own: Populations::default(),
    }
}

fn impact(name: &str, of: &str) -> Definition {
    Definition {
        name: name.to_owned(),
        kind: DefinedKind::ImpactOf(of.to_owned()),
        better: Better::Lower,
        dimension: Dimension::Fraction,
        events_may_be_absent: false,
        own: Populations::default(),
    }
}

fn share(name: &str, events: &str, total: &str, better: Better) -> Definition {
    let kind = MetricKind::Proportion {
        events: events.into(),
        total: total.into(),
    };
    defined(name, kind, better, Dimension::Fraction)
}

fn gauge(name: &str, expression: &str, dimension: Dimension) -> Definition {
    let kind = MetricKind::Gauge {
        expression: expression.into(),
    };
    defined(name, kind, Better::Lower, dimension)
}
