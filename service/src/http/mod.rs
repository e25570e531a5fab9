//! The HTTP API: router, bodies, problems, limits, the server itself.
//!
//! Every route but the pages of Swagger UI is registered through `utoipa-axum`, so a route that
//! is not in the document cannot be served. Every error is a problem document.

mod adapters;
mod app;
mod body;
mod document;
mod error;
mod gate_query;
mod layers;
mod resolve;
mod rollout_view;
mod routes;
pub mod server;
#[cfg(test)]
mod tests;

use std::sync::Arc;

pub use app::{App, Limits};
use axum::Router;
pub use document::document;
pub use error::ApiError;

/// Returns the service: every route, with the layers around them.
pub fn router(app: Arc<App>) -> Router {
    let (routes, _document) = routes::all().split_for_parts();
    let router = routes
        .merge(routes::docs::router())
        .with_state(Arc::clone(&app));
    layers::around(router, app)
}
