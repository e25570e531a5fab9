//! What stands before every route: who asks, may they, and is there room.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderValue, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serinus_openapi::ProblemType;
use tracing::Span;

use super::admission::{Class, Payer};
use super::asked_host;
use super::foreign::is_of_another_site;
use super::layers::RouteSlot;
use super::places::{Crowded, Place};
use super::routing::{Effect, Rule, Rules};
use super::{ApiError, App, error};
use crate::access::{Identity, Principal, Scope, Scopes};

/// What the guard knows.
#[derive(Debug)]
pub(super) struct Guard {
    pub(super) app: Arc<App>,
    pub(super) rules: Rules,
}

/// Lets a request through to its route, or says why not. Every request that gets through has its
/// [`Principal`] in its extensions, and no credentials in its headers.
pub(super) async fn admit(
    State(guard): State<Arc<Guard>>,
    mut request: Request,
    next: Next,
) -> Response {
    let app = &guard.app;
    let template = request.extensions().get::<MatchedPath>();
    let Some(rules) = template.and_then(|template| guard.rules.of(template.as_str())) else {
        // What has no rules is not served.
        return error::not_found().into_response();
    };
    if let Some(slot) = request.extensions().get::<RouteSlot>() {
        slot.fill(&rules.route);
    }
    let identity = app.access().identify(request.headers_mut()).await;
    // A method that the path does not answer to: a matter for those who may know the path.
    let rule = rules.of(request.method());
    if rule == Some(Rule::Open) {
        let anonymous = Principal::anonymous(Scopes::NONE);
        request.extensions_mut().insert(anonymous);
        return next.run(request).await;
    }
    if let Err(error) = asked_host::check(&request, app) {
        return error.into_response();
    }
    let (scope, effect) = match rule {
        Some(Rule::Needs(scope, effect)) => (Some(scope), effect),
        Some(Rule::Open) | None => (None, Effect::Moves),
    };
    let class = scope.map_or(Class::Other, Class::of);
    if let Some(principal) = identity.principal() {
        Span::current().record("principal.name", principal.name());
    }
    let payer = Payer::of(identity.principal(), request.extensions());
    if let Err(wait) = app.admission().count(payer, class) {
        return too_many(class, wait);
    }
    let principal = match identity {
        Identity::Known(principal) => principal,
        Identity::Nobody => return unauthorized(&request, "this needs a token"),
        Identity::Unknown => return unauthorized(&request, "the token is none of those known"),
    };
    if let Some(scope) = scope
        && !principal.may(scope)
    {
        return forbidden(&principal, scope);
    }
    if effect == Effect::Moves && is_of_another_site(&request, app.public_url()) {
        return of_another_site();
    }
    let place = request.extensions().get::<Arc<Place>>();
    if let Some(Err(crowded)) = place.map(|place| place.ask(class)) {
        return no_connection(crowded);
    }
    let Some(_place) = app.admission().place(class).await else {
        return no_place(class);
    };
    request.extensions_mut().insert(principal);
    next.run(request).await
}

fn unauthorized(request: &Request, what: &str) -> Response {
    let error = ApiError::new(
        ProblemType::Unauthorized,
        format!(
            "{what}: send it as `Authorization: Bearer TOKEN`, or as the password of basic \
             authentication; `serinus token` makes one"
        ),
    );
    let mut response = error.into_response();
    let headers = response.headers_mut();
    let mut challenge = |value| {
        headers.append(header::WWW_AUTHENTICATE, HeaderValue::from_static(value));
    };
    challenge("Bearer realm=\"serinus\"");
    // Makes a browser ask for a password. Only where people go by themselves: elsewhere its
    // window would cover Swagger UI, which shows the answer.
    let path = request.uri().path();
    if path.starts_with("/docs") || path == "/openapi.json" {
        challenge("Basic realm=\"serinus: any name, the token as password\", charset=\"UTF-8\"");
    }
    response
}

fn forbidden(principal: &Principal, scope: Scope) -> Response {
    let error = ApiError::new(
        ProblemType::Forbidden,
        format!(
            "this needs the scope {scope}, and the token {:?} has {}: use another token, or give \
             this one the scope in the file of tokens",
            principal.name(),
            principal.scopes()
        ),
    );
    let mut response = error.into_response();
    let challenge =
        format!("Bearer realm=\"serinus\", error=\"insufficient_scope\", scope=\"{scope}\"");
    if let Ok(challenge) = HeaderValue::from_str(&challenge) {
        response
            .headers_mut()
            .insert(header::WWW_AUTHENTICATE, challenge);
    }
    response
}

fn of_another_site() -> Response {
    ApiError::new(
        ProblemType::Forbidden,
        "a page of another site sent this through a browser: ask from a program, or from the \
         pages of this server",
    )
    .into_response()
}

fn too_many(class: Class, wait: Duration) -> Response {
    let error = ApiError::new(
        ProblemType::TooManyRequests,
        format!(
            "these are more requests than rate_limit_per_second allows: ask again in {:.1} s, or \
             raise it in the server's configuration",
            wait.as_secs_f64()
        ),
    );
    with_retry_after(error.into_response(), class, wait)
}

/// A gate never answers 5xx by choice: several of its callers take that for a broken server.
fn no_place(class: Class) -> Response {
    let problem_type = match class {
        Class::Gate => ProblemType::TooManyRequests,
        Class::Other => ProblemType::Overloaded,
    };
    let error = ApiError::new(
        problem_type,
        "too many other requests are being answered: ask again in a second, or raise \
         max_requests_in_flight in the server's configuration",
    );
    with_retry_after(error.into_response(), class, Duration::from_secs(1))
}

/// Gates are never told this.
fn no_connection(crowded: Crowded) -> Response {
    let (problem_type, who) = match crowded {
        Crowded::ByItsAddress => (ProblemType::TooManyRequests, "your address"),
        Crowded::ByAll => (ProblemType::Overloaded, "all others"),
    };
    let problem = ApiError::new(
        problem_type,
        format!(
            "too many connections of {who} wait for answers or read them: ask again in a second, \
             read answers to their end, or raise max_connections in the server's configuration"
        ),
    );
    error::with_retry_after(problem.into_response(), Duration::from_secs(1))
}

/// Callers of gates and adapters have an interval of their own, and one of them obeys any
/// `Retry-After` without a cap.
fn with_retry_after(response: Response, class: Class, wait: Duration) -> Response {
    match class {
        Class::Gate => response,
        Class::Other => error::with_retry_after(response, wait),
    }
}
