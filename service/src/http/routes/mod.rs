//! The routes, one file a resource.

mod analyses;
pub(super) mod caller;
mod cancel;
mod docs;
mod events;
mod front;
pub(super) mod gate;
pub(super) mod operations;
mod pipelines;
mod rollouts;

use utoipa_axum::routes;

use super::adapters::flagger;
use super::routing::Routes;
use crate::access::Scope;

/// All routes, each with the scope that it needs and with what it does.
pub(super) fn all() -> Routes {
    let routes = Routes::new()
        .moves(Scope::Read, routes!(analyses::analyse))
        .moves(Scope::Read, routes!(pipelines::validate))
        .looks(Scope::Read, routes!(pipelines::list))
        .looks(Scope::Read, routes!(pipelines::show))
        .moves(Scope::Operate, routes!(pipelines::put, pipelines::delete))
        .moves(Scope::Gate, routes!(gate::ask, gate::post))
        .moves(Scope::Gate, routes!(rollouts::start))
        .looks(Scope::Read, routes!(rollouts::list))
        .looks(Scope::Read, routes!(rollouts::show))
        .looks(events::SCOPE, routes!(events::events))
        .moves(Scope::Gate, routes!(rollouts::advance))
        .moves(Scope::Operate, routes!(rollouts::decide))
        .moves(Scope::Operate, routes!(rollouts::cancel))
        .moves(Scope::Gate, routes!(cancel::by_key))
        .moves(Scope::Gate, routes!(flagger::advance))
        .moves(Scope::Gate, routes!(flagger::rollback))
        .moves(Scope::Gate, routes!(flagger::promotion))
        .moves(Scope::Gate, routes!(flagger::event))
        .moves(Scope::Gate, routes!(flagger::finished))
        .open(routes!(operations::healthz))
        .open(routes!(operations::readyz))
        .looks(Scope::Read, routes!(operations::metrics))
        .looks(Scope::Read, routes!(operations::openapi));
    front::add_to(docs::add_to(routes))
}
