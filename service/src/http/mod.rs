//! The HTTP API: router, bodies, problems, limits, the server itself.
//!
//! Every route but the pages of Swagger UI is registered through `utoipa-axum`, so a route that
//! is not in the document cannot be served. Every error is a problem document.

mod adapters;
mod admission;
mod app;
mod asked_host;
mod body;
mod checks;
mod document;
mod error;
mod foreign;
mod gate_query;
mod guard;
mod layers;
mod limits;
mod no_store;
mod path;
mod places;
mod problems;
mod readiness;
mod resolve;
mod rollout_view;
mod routes;
mod routing;
pub(crate) mod server;
mod streams;
#[cfg(test)]
mod tests;

use std::sync::Arc;

pub(crate) use app::App;
use axum::Router;
use axum::middleware;
pub(crate) use checks::{CheckFunction, Unwell};
pub(crate) use document::document;
pub(crate) use error::ApiError;
pub(crate) use limits::Limits;

use guard::Guard;

/// Returns the service: every route, with the layers around them.
pub(crate) fn router(app: Arc<App>) -> Router {
    let parts = routes::all().into_parts();
    let guard = Arc::new(Guard {
        app: Arc::clone(&app),
        rules: parts.rules,
    });
    let router = parts
        .router
        .route_layer(middleware::from_fn_with_state(guard, guard::admit))
        .with_state(Arc::clone(&app));
    layers::around(router, app)
}
