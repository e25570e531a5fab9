//! The routes, one file a resource.

mod analyses;
mod docs;
mod operations;
mod pipelines;

use utoipa_axum::routes;

use super::routing::Routes;
use crate::access::Scope;

/// All routes, each with the scope that it needs.
pub(super) fn all() -> Routes {
    let routes = Routes::new()
        .needs(Scope::Read, routes!(analyses::analyse))
        .needs(Scope::Read, routes!(pipelines::validate))
        .needs(Scope::Read, routes!(pipelines::list))
        .needs(Scope::Read, routes!(pipelines::show))
        .open(routes!(operations::healthz))
        .open(routes!(operations::readyz))
        .needs(Scope::Read, routes!(operations::metrics))
        .needs(Scope::Read, routes!(operations::openapi));
    docs::add_to(routes)
}
