//! The routes, one file a resource.

mod analyses;
pub(super) mod docs;
mod operations;
mod pipelines;

use std::sync::Arc;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::App;

/// All routes that the document knows.
pub(super) fn all() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::default()
        .routes(routes!(analyses::analyse))
        .routes(routes!(pipelines::validate))
        .routes(routes!(pipelines::list))
        .routes(routes!(pipelines::show))
        .routes(routes!(operations::healthz))
        .routes(routes!(operations::readyz))
        .routes(routes!(operations::openapi))
}
