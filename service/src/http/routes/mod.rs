//! The routes, one file a resource.

mod analyses;
pub(super) mod caller;
pub(super) mod docs;
mod events;
pub(super) mod gate;
pub(super) mod operations;
mod pipelines;
mod rollouts;

use std::sync::Arc;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::App;
use super::adapters::flagger;

/// All routes that the document knows.
pub(super) fn all() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::default()
        .routes(routes!(analyses::analyse))
        .routes(routes!(pipelines::validate))
        .routes(routes!(pipelines::list))
        .routes(routes!(pipelines::show))
        .routes(routes!(gate::ask, gate::post))
        .routes(routes!(rollouts::start, rollouts::list))
        .routes(routes!(rollouts::show))
        .routes(routes!(rollouts::advance))
        .routes(routes!(rollouts::decide))
        .routes(routes!(rollouts::cancel))
        .routes(routes!(events::events))
        .routes(routes!(flagger::advance))
        .routes(routes!(flagger::rollback))
        .routes(routes!(flagger::finished))
        .routes(routes!(operations::healthz))
        .routes(routes!(operations::readyz))
        .routes(routes!(operations::openapi))
}
