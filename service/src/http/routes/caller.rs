//! Who calls, for the trail.

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;

/// The name of whoever calls.
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

    async fn from_request_parts(_parts: &mut Parts, _state: &S) -> Result<Self, Infallible> {
        Ok(Self("anonymous".to_owned()))
    }
}
