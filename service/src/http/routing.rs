//! Collecting the routes, each with what it needs.
//!
//! A route cannot be added without saying who may ask it, and whether it can start, move or change
//! anything: the router behind is private to this module. The same words go into the document
//! (`security` of the operation) and into the rules by which the [guard](super::guard) lets requests
//! through.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::http::Method;
use axum::routing::MethodRouter;
use serinus_openapi::ProblemType;
use utoipa::openapi::OpenApi;
use utoipa::openapi::path::{Operation, PathItem};
use utoipa::openapi::security::SecurityRequirement;
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouter};

use super::{App, problems};
use crate::access::Scope;

/// The names of the security schemes in the document.
pub(super) const SCHEMES: [&str; 2] = ["bearer", "basic"];

/// Who may ask an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rule {
    /// Everybody, always: probes of health have no token and must not be turned away, and a page
    /// that is the same everywhere needs none.
    Open,
    /// Whoever has the scope.
    Needs(Scope, Effect),
}

/// What asking an operation does, whatever its method.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Effect {
    /// It moves nothing. A page of another site may have a browser ask for it: the page cannot read
    /// the answer.
    Looks,
    /// It can start, move or change something, or makes the server work: not for pages of other
    /// sites.
    Moves,
}

/// The rules of one path.
#[derive(Debug)]
pub(super) struct PathRules {
    /// The template of the path.
    pub(super) route: Arc<str>,
    by_method: Vec<(Method, Rule)>,
}

impl PathRules {
    /// The rule of a method; nothing when the path does not answer to it.
    pub(super) fn of(&self, method: &Method) -> Option<Rule> {
        // axum answers HEAD by the handler of GET.
        let asked = if method == Method::HEAD {
            &Method::GET
        } else {
            method
        };
        self.by_method
            .iter()
            .find_map(|(method, rule)| (method == asked).then_some(*rule))
    }
}

/// All rules.
#[derive(Debug, Default)]
pub(super) struct Rules(BTreeMap<String, PathRules>);

impl Rules {
    /// The rules of the path with this template.
    pub(super) fn of(&self, template: &str) -> Option<&PathRules> {
        self.0.get(template)
    }

    fn add(&mut self, template: &str, method: Method, rule: Rule) {
        let rules = self
            .0
            .entry(template.to_owned())
            .or_insert_with(|| PathRules {
                route: template.into(),
                by_method: Vec::new(),
            });
        rules.by_method.push((method, rule));
    }
}

/// The routes so far.
pub(super) struct Routes {
    documented: OpenApiRouter<Arc<App>>,
    pages: Router<Arc<App>>,
    rules: Rules,
}

/// The routes, put together.
pub(super) struct Parts {
    pub(super) router: Router<Arc<App>>,
    pub(super) document: OpenApi,
    pub(super) rules: Rules,
}

impl Routes {
    pub(super) fn new() -> Self {
        Self {
            documented: OpenApiRouter::default(),
            pages: Router::new(),
            rules: Rules::default(),
        }
    }

    /// Adds operations for everybody.
    pub(super) fn open(self, routes: UtoipaMethodRouter<Arc<App>>) -> Self {
        self.add(Rule::Open, routes)
    }

    /// Adds operations that move nothing, for those who have the scope.
    pub(super) fn looks(self, scope: Scope, routes: UtoipaMethodRouter<Arc<App>>) -> Self {
        self.add(Rule::Needs(scope, Effect::Looks), routes)
    }

    /// Adds operations that can start, move or change something, for those who have the scope.
    pub(super) fn moves(self, scope: Scope, routes: UtoipaMethodRouter<Arc<App>>) -> Self {
        self.add(Rule::Needs(scope, Effect::Moves), routes)
    }

    /// Adds a page for everybody, which is got and not in the document. It must say nothing of this
    /// server.
    pub(super) fn open_page(mut self, path: &'static str, handler: MethodRouter<Arc<App>>) -> Self {
        self.rules.add(path, Method::GET, Rule::Open);
        self.pages = self.pages.route(path, handler);
        self
    }

    /// Adds a page that is got, moves nothing, and is not in the document.
    pub(super) fn page(
        mut self,
        scope: Scope,
        path: &'static str,
        handler: MethodRouter<Arc<App>>,
    ) -> Self {
        let rule = Rule::Needs(scope, Effect::Looks);
        self.rules.add(path, Method::GET, rule);
        self.pages = self.pages.route(path, handler);
        self
    }

    pub(super) fn into_parts(self) -> Parts {
        let (documented, document) = self.documented.split_for_parts();
        Parts {
            router: documented.merge(self.pages),
            document,
            rules: self.rules,
        }
    }

    fn add(mut self, rule: Rule, mut routes: UtoipaMethodRouter<Arc<App>>) -> Self {
        for (template, item) in &mut routes.1.paths {
            for (method, operation) in operations(item) {
                say_in_document(operation, rule);
                self.rules.add(template, method, rule);
            }
        }
        self.documented = self.documented.routes(routes);
        self
    }
}

/// The operations of a path, with their methods.
pub(super) fn operations(item: &mut PathItem) -> impl Iterator<Item = (Method, &mut Operation)> {
    [
        (Method::GET, &mut item.get),
        (Method::PUT, &mut item.put),
        (Method::POST, &mut item.post),
        (Method::DELETE, &mut item.delete),
        (Method::OPTIONS, &mut item.options),
        (Method::HEAD, &mut item.head),
        (Method::PATCH, &mut item.patch),
        (Method::TRACE, &mut item.trace),
    ]
    .into_iter()
    .filter_map(|(method, operation)| Some((method, operation.as_mut()?)))
}

fn say_in_document(operation: &mut Operation, rule: Rule) {
    let Rule::Needs(scope, _effect) = rule else {
        // Said, and empty: else a reader would have to guess.
        operation.security = Some(Vec::new());
        return;
    };
    let requirement = |scheme| SecurityRequirement::new(scheme, [scope.name()]);
    operation.security = Some(SCHEMES.map(requirement).to_vec());
    for (problem, description) in [
        (ProblemType::Unauthorized, "No token, or none that is known"),
        (ProblemType::Forbidden, "The token lacks the scope"),
        (
            ProblemType::TooManyRequests,
            "More requests than the limits allow",
        ),
        (
            ProblemType::Overloaded,
            "Too many other requests are being answered",
        ),
    ] {
        // A gate is told by 429 that there is no place, see `admission`.
        if problem == ProblemType::Overloaded && scope == Scope::Gate {
            continue;
        }
        let (status, response) = problems::problem(problem, description);
        let responses = &mut operation.responses.responses;
        responses.entry(status).or_insert(response);
    }
}
