//! Who calls, for the trail.

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;

use crate::access::Principal;

/// The name of whoever calls: that of the token, which the guard has looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::http) struct Caller(String);

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
        Ok(Self(principal.map_or_else(
            || "anonymous".to_owned(),
            |principal| principal.name().to_owned(),
        )))
    }
}
