//! Who calls, for the trail, and by which address, for the links in the answer.

use std::convert::Infallible;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderName, header};

use crate::access::{ANONYMOUS, Principal, Scopes};
use crate::http::App;
use crate::http::admission::Payer;
use crate::store::RolloutId;

/// The name of whoever calls: that of the token, which the guard has looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::http) struct Caller(Arc<str>);

impl Caller {
    /// The name.
    pub(in crate::http) fn name(&self) -> &str {
        &self.0
    }
}

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Infallible> {
        let principal = parts.extensions.get::<Principal>();
        Ok(Self(
            principal.map_or_else(|| ANONYMOUS.into(), Principal::shared_name),
        ))
    }
}

/// Who calls, for what goes on after the guard has let it through.
#[derive(Debug, Clone)]
pub(in crate::http) struct Holder {
    /// As the guard has found them.
    pub(in crate::http) principal: Principal,
    /// Whose requests theirs are counted with.
    pub(in crate::http) payer: Payer,
}

impl<S: Sync> FromRequestParts<S> for Holder {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Infallible> {
        let known = parts.extensions.get::<Principal>();
        Ok(Self {
            payer: Payer::of(known, &parts.extensions),
            principal: known.map_or_else(|| Principal::anonymous(Scopes::NONE), Clone::clone),
        })
    }
}

/// Where the client reaches the server: by the public URL, or by what was called. Without a slash
/// at its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::http) struct BaseUrl(String);

impl BaseUrl {
    /// Where the state of a rollout is: an absolute URL.
    pub(in crate::http) fn status_url(&self, id: RolloutId) -> String {
        format!("{}/v1/rollouts/{id}", self.0)
    }
}

impl FromRequestParts<Arc<App>> for BaseUrl {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Infallible> {
        let text = |name: HeaderName| parts.headers.get(name)?.to_str().ok();
        let base = app.public_url().map_or_else(
            || {
                let host = text(header::HOST).unwrap_or("localhost");
                let forwarded = text(HeaderName::from_static("x-forwarded-proto"));
                let scheme = if forwarded == Some("https") {
                    "https"
                } else {
                    "http"
                };
                format!("{scheme}://{host}")
            },
            str::to_owned,
        );
        Ok(Self(base))
    }
}
