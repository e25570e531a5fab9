//! For those who run Serinus: is it alive, is it ready, what can it do.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serinus_openapi::operations::{Health, Readiness, Ready};

use crate::http::{App, document};

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
        status: "ok".to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
    };
    no_store(Json(health))
}

/// Should requests be sent here?
///
/// 503 from the moment that the process is asked to stop; what is sent all the same is still
/// answered. A Prometheus that is down does not make Serinus unready: its answer is then a
/// `hold` with its reason, and no load balancer should hide that.
#[utoipa::path(
    get,
    path = "/readyz",
    operation_id = "readyz",
    tag = "operations",
    responses(
        (status = 200, description = "Send requests", body = Ready),
        (
            status = 503, description = "The process is stopping: send no more", body = Ready,
            example = json!({"status": "draining", "sources": ["default"], "pipelines": 1})
        ),
    )
)]
pub(super) async fn readyz(State(app): State<Arc<App>>) -> Response {
    let known = app.pipelines().known().await;
    let (code, status) = if app.is_draining() {
        (StatusCode::SERVICE_UNAVAILABLE, Readiness::Draining)
    } else {
        (StatusCode::OK, Readiness::Ready)
    };
    let ready = Ready {
        status,
        sources: app.engine().source_names().map(str::to_owned).collect(),
        pipelines: known.names().count(),
    };
    no_store((code, Json(ready)))
}

/// This document
///
/// OpenAPI 3.1, as JSON. `/docs` shows it with a form to try every operation.
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
    Json(document(app.public_url())).into_response()
}

/// An answer that is only true now.
pub(in crate::http) fn no_store(response: impl IntoResponse) -> Response {
    let mut response = response.into_response();
    response
        .headers_mut()
        .insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
