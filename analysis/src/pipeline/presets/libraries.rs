//! Programs that count their own requests, with a library.

use super::resources::{CONTAINER, PROCESS};
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
