//! Answers that nobody may keep.

use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};

/// An answer that is only true now.
pub(super) fn no_store(response: impl IntoResponse) -> Response {
    let mut response = response.into_response();
    response
        .headers_mut()
        .insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
