//! `/`: what this is, and where everything else lies. For a person who opens the address.
//!
//! It is the same on every server and says nothing of this one, so it is open: asking for a token
//! here would have a browser send it to every other path as well.

use std::sync::LazyLock;

use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

use crate::http::routing::Routes;

/// Colours and shape. No script, no other host.
const STYLE: &str = include_str!("front.css");

/// The page between the head and the end. Its links are relative, so they work behind a prefix.
const BODY: &str = include_str!("front.html");

/// The page, and the policy that allows its one block of styles by digest.
static PAGE: LazyLock<(String, Option<HeaderValue>)> = LazyLock::new(|| {
    let page = BODY
        .replace("{style}", STYLE)
        .replace("{version}", env!("CARGO_PKG_VERSION"));
    let digest = STANDARD.encode(Sha256::digest(STYLE.as_bytes()));
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'; \
         frame-ancestors 'none'"
    );
    (page, HeaderValue::from_str(&policy).ok())
});

/// The page.
pub(super) fn add_to(routes: Routes) -> Routes {
    routes.open_page("/", get(async || page()))
}

fn page() -> Response {
    let (page, policy) = &*PAGE;
    let fixed = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CACHE_CONTROL, "no-cache"),
        (header::REFERRER_POLICY, "no-referrer"),
    ];
    let mut response = (fixed, page.as_str()).into_response();
    if let Some(policy) = policy {
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_SECURITY_POLICY, policy.clone());
    }
    response
}
