//! Programs that count their own requests, with a library.

use super::resources::{CONTAINER, DOTNET_PROCESS, PROCESS};
use super::{Durations, Preset, Requests};

/// HTTP services with a Prometheus client library. The libraries leave the names to the
/// program; these are those of the libraries' own examples and of the naming guide.
pub(super) const PROMETHEUS: Preset = Preset {
    name: "prometheus",
    project: "Prometheus client libraries",
    version: "client_golang 1.20",
    read_in: &[
        "<https://prometheus.io/docs/practices/naming/>",
        "`prometheus/promhttp/instrument_server.go` of `prometheus/client_golang`",
    ],
    requests: CLIENT_LIBRARY,
    resources: PROCESS,
    control: "{job: checkout, track: stable}",
    canary: "{job: checkout, track: canary}",
    about: "A label of the pods that the scrape copies.",
};

/// Also what `kubernetes` counts.
pub(super) const CLIENT_LIBRARY: Requests = Requests {
    errors: r#"http_requests_total{code=~"5.."}"#,
    total: "http_requests_total",
    durations: Some(Durations {
        histogram: "http_request_duration_seconds",
        scale: 1.0,
    }),
};

/// OpenTelemetry's HTTP server metrics, exported to Prometheus. The histogram's own count is the
/// counter of requests. Dots are written as `_` and the unit is added by
/// <https://opentelemetry.io/docs/specs/otel/compatibility/prometheus_and_openmetrics/>.
pub(super) const OTEL_HTTP: Preset = Preset {
    name: "otel-http",
    project: "OpenTelemetry HTTP semantic conventions",
    version: "1.23",
    read_in: &["<https://opentelemetry.io/docs/specs/semconv/http/http-metrics/>"],
    requests: Requests {
        errors: r#"http_server_request_duration_seconds_count{http_response_status_code=~"5.."}"#,
        total: "http_server_request_duration_seconds_count",
        durations: Some(Durations {
            histogram: "http_server_request_duration_seconds",
            scale: 1.0,
        }),
    },
    resources: CONTAINER,
    control: "{service_name: checkout, service_version: 1.8.0}",
    canary: "{service_name: checkout, service_version: 1.9.0}",
    about: "Resource attributes, where they are promoted to labels. Also the metrics that ASP.NET Core 8 \
            has built in.",
};

/// Spring Boot and Quarkus, whose timer of requests is the same. The timer's own count is the counter
/// of requests. What probes and scrapes ask of Spring Boot's actuator are no requests of users, and
/// at little traffic more than those; Quarkus leaves its own paths out itself.
pub(super) const MICROMETER: Preset = Preset {
    name: "micrometer",
    project: "Spring Boot, Quarkus (Micrometer)",
    version: "Spring Boot 3.0, Quarkus 2.13",
    read_in: &[
        "`spring-web/src/main/java/org/springframework/http/server/observation/ServerHttpObservationDocumentation.java` \
         of `spring-projects/spring-framework`",
        "<https://quarkus.io/version/2.13/guides/micrometer>",
    ],
    requests: Requests {
        errors: r#"http_server_requests_seconds_count{status=~"5..",uri!~"/actuator.*"}"#,
        total: r#"http_server_requests_seconds_count{uri!~"/actuator.*"}"#,
        durations: Some(Durations {
            histogram: r#"http_server_requests_seconds{uri!~"/actuator.*"}"#,
            scale: 1.0,
        }),
    },
    resources: CONTAINER,
    control: "{application: checkout, version: 1.8.0}",
    canary: "{application: checkout, version: 1.9.0}",
    about: "Common tags (`management.metrics.tags.version`). Latencies need \
            `management.metrics.distribution.percentiles-histogram.http.server.requests=true`.",
};

/// ASP.NET Core with prometheus-net. The metrics that ASP.NET Core has built in go through
/// OpenTelemetry and are those of `otel-http`.
pub(super) const DOTNET: Preset = Preset {
    name: "dotnet",
    project: "prometheus-net (ASP.NET Core)",
    version: "8.2",
    read_in: &[
        "`Prometheus.AspNetCore/HttpMetrics/HttpRequestLabelNames.cs` and \
         `Prometheus.AspNetCore/HttpMetrics/HttpRequestCountMiddleware.cs` of \
         `prometheus-net/prometheus-net`",
    ],
    requests: Requests {
        errors: r#"http_requests_received_total{code=~"5.."}"#,
        total: "http_requests_received_total",
        durations: Some(Durations {
            histogram: "http_request_duration_seconds",
            scale: 1.0,
        }),
    },
    resources: DOTNET_PROCESS,
    control: "{job: payments, track: stable}",
    canary: "{job: payments, track: canary}",
    about: "A label of the pods that the scrape copies. Without prometheus-net: `otel-http`.",
};

/// Node with express-prom-bundle, and what programs with prom-client are used to name alike. The
/// histogram's own count is the counter of requests.
pub(super) const NODE: Preset = Preset {
    name: "node",
    project: "express-prom-bundle, prom-client (Node)",
    version: "express-prom-bundle 8.0",
    read_in: &["`src/index.js` of `jochen-schweizer/express-prom-bundle`"],
    requests: Requests {
        errors: r#"http_request_duration_seconds_count{status_code=~"5.."}"#,
        total: "http_request_duration_seconds_count",
        durations: Some(Durations {
            histogram: "http_request_duration_seconds",
            scale: 1.0,
        }),
    },
    resources: PROCESS,
    control: "{job: storefront, track: stable}",
    canary: "{job: storefront, track: canary}",
    about: "A label of the pods that the scrape copies. The processor and the memory need \
            `promClient: {collectDefaultMetrics: {}}`.",
};

/// gRPC services with the Prometheus interceptors of the gRPC ecosystem; their histogram must be
/// switched on. Only codes that are the server's fault: `NotFound` is an answer.
///
/// Source: the codes that make a server span an error in
/// <https://opentelemetry.io/docs/specs/semconv/rpc/grpc/>.
pub(super) const GRPC: Preset = Preset {
    name: "grpc",
    project: "go-grpc-middleware",
    version: "2.1",
    read_in: &["`providers/prometheus` of `grpc-ecosystem/go-grpc-middleware`"],
    requests: Requests {
        errors: "grpc_server_handled_total{grpc_code=~\
                 \"Unknown|DeadlineExceeded|Unimplemented|Internal|Unavailable|DataLoss\"}",
        total: "grpc_server_handled_total",
        durations: Some(Durations {
            histogram: "grpc_server_handling_seconds",
            scale: 1.0,
        }),
    },
    resources: PROCESS,
    control: "{grpc_service: shop.v1.Checkout, track: stable}",
    canary: "{grpc_service: shop.v1.Checkout, track: canary}",
    about: "A label of the pods that the scrape copies. Latencies need `WithServerHandlingTimeHistogram`.",
};
