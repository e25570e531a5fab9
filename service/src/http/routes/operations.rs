//! For those who run Serinus: is it alive, is it ready, what can it do.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serinus_openapi::ProblemType;
use serinus_openapi::operations::{Health, HealthStatus, Readiness, Ready};

use crate::access::Access;
use crate::http::document::without_tokens;
use crate::http::no_store::no_store;
use crate::http::{ApiError, App, document, readiness};
use crate::metrics::{MEDIA_TYPE, Scrape};

/// Is the process alive?
///
/// Answers as long as the process runs, also while it stops. For liveness probes.
#[utoipa::path(
    get,
    path = "/healthz",
    operation_id = "healthz",
    tag = "operations",
    responses((status = 200, description = "The process is alive", body = Health))
)]
pub(super) async fn healthz() -> Response {
    let health = Health {
        status: HealthStatus::Ok,
        version: env!("CARGO_PKG_VERSION").to_owned(),
    };
    no_store(Json(health))
}

/// Should requests be sent here?
///
/// 503 from the moment that the process is asked to stop, and while a required check is not well;
/// what is sent all the same is still answered. `checks` says what is wrong. A Prometheus that is down does not make Serinus unready: its answer is then a
/// `hold` with its reason, and no load balancer should hide that.
#[utoipa::path(
    get,
    path = "/readyz",
    operation_id = "readyz",
    tag = "operations",
    responses(
        (status = 200, description = "Send requests", body = Ready),
        (
            status = 503,
            description = "The process is stopping, or a required check is not well: send no more",
            body = Ready,
            example = json!({
                "status": "draining", "sources": ["default"], "pipelines": 1,
                "checks": [{
                    "name": "running", "ok": false, "required": true,
                    "message": "the process is stopping: send no more requests here"
                }]
            })
        ),
    )
)]
pub(super) async fn readyz(State(app): State<Arc<App>>) -> Response {
    let checks = readiness::checks(&app).await;
    let known = app.pipelines().known().await;
    let status = readiness::readiness(&app, &checks);
    let code = match status {
        Readiness::Ready => StatusCode::OK,
        Readiness::Draining | Readiness::NotReady => StatusCode::SERVICE_UNAVAILABLE,
    };
    let ready = Ready {
        status,
        sources: app.engine().source_names().map(str::to_owned).collect(),
        pipelines: known.names().count(),
        checks,
    };
    no_store((code, Json(ready)))
}

/// What has happened and what is
///
/// In the text format of OpenMetrics, which Prometheus reads: requests, verdicts, queries of each
/// source, the store, the checks of `/readyz`, the process, and the verdict of every open rollout
/// for those who gate on a query.
#[utoipa::path(
    get,
    path = "/metrics",
    operation_id = "metrics",
    tag = "operations",
    responses((
        status = 200, description = "All figures", body = String,
        content_type = "application/openmetrics-text",
        example = "# HELP serinus_ready 1 when /readyz says ready.\n# TYPE serinus_ready gauge\n\
                   serinus_ready 1\n# EOF\n"
    ))
)]
pub(super) async fn metrics(State(app): State<Arc<App>>) -> Result<Response, ApiError> {
    let checks = readiness::checks(&app).await;
    let scrape = Scrape {
        is_ready: readiness::readiness(&app, &checks) == Readiness::Ready,
        checks: checks
            .into_iter()
            .map(|check| (check.name, check.ok))
            .collect(),
        in_flight: app.admission().in_flight(),
        answer_memory_bytes: app.engine().answer_memory_bytes(),
        pipelines: app.pipelines().known().await.names().count(),
        gates: app.rollouts().gauges(),
    };
    let text = app.metrics().render(&scrape).map_err(|error| {
        tracing::error!("cannot write the metrics: {error}");
        ApiError::new(
            ProblemType::InternalError,
            "the metrics cannot be written: see the log of Serinus",
        )
    })?;
    let content_type = [(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE))];
    Ok(no_store((content_type, text)))
}

/// This document
///
/// OpenAPI 3.1, as JSON. `/docs` shows it with a form to try every operation. On a server without
/// tokens no operation of it names one.
#[utoipa::path(
    get,
    path = "/openapi.json",
    operation_id = "openapi",
    tag = "operations",
    responses((
        status = 200, description = "The OpenAPI document",
        body = serde_json::Value, content_type = "application/json"
    ))
)]
pub(super) async fn openapi(State(app): State<Arc<App>>) -> Response {
    let whole = document(app.public_url());
    Json(match app.access() {
        Access::Tokens(_) => whole,
        Access::Everybody => without_tokens(whole),
    })
    .into_response()
}
