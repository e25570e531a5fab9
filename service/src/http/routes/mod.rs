//! The routes, one file a resource.

mod analyses;
pub(super) mod caller;
mod cancel;
mod docs;
mod events;
pub(super) mod gate;
pub(super) mod operations;
mod pipelines;
mod rollouts;

use utoipa_axum::routes;

use super::adapters::flagger;
use super::routing::Routes;
use crate::access::Scope;

/// All routes, each with the scope that it needs.
pub(super) fn all() -> Routes {
    let routes = Routes::new()
        .needs(Scope::Read, routes!(analyses::analyse))
        .needs(Scope::Read, routes!(pipelines::validate))
        .needs(Scope::Read, routes!(pipelines::list))
        .needs(Scope::Read, routes!(pipelines::show))
        .needs(Scope::Operate, routes!(pipelines::put, pipelines::delete))
        .needs(Scope::Gate, routes!(gate::ask, gate::post))
        .needs(Scope::Gate, routes!(rollouts::start))
        .needs(Scope::Read, routes!(rollouts::list))
        .needs(Scope::Read, routes!(rollouts::show))
        .needs(Scope::Read, routes!(events::events))
        .needs(Scope::Gate, routes!(rollouts::advance))
        .needs(Scope::Operate, routes!(rollouts::decide))
        .needs(Scope::Operate, routes!(rollouts::cancel))
        .needs(Scope::Gate, routes!(cancel::by_key))
        .needs(Scope::Gate, routes!(flagger::advance))
        .needs(Scope::Gate, routes!(flagger::rollback))
        .needs(Scope::Gate, routes!(flagger::promotion))
        .needs(Scope::Gate, routes!(flagger::event))
        .needs(Scope::Gate, routes!(flagger::finished))
        .open(routes!(operations::healthz))
        .open(routes!(operations::readyz))
        .needs(Scope::Read, routes!(operations::metrics))
        .needs(Scope::Read, routes!(operations::openapi));
    docs::add_to(routes)
}
