//! `/docs`: Swagger UI, from the binary itself.
//!
//! Served by hand because the router of `utoipa-swagger-ui` has no headers of ours, redirects to
//! an absolute path (wrong behind a prefix), and answers an unknown page with an empty 404.

use std::sync::Arc;

use axum::extract::Path;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use utoipa_swagger_ui::Config;

use crate::access::Scope;
use crate::http::error;
use crate::http::routing::Routes;

/// Swagger UI has no inline script; its styles are inline. It may talk to this server only.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; \
     style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self'; \
     connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The pages. They fetch the document by a relative path, so they work behind a prefix.
pub(super) fn add_to(routes: Routes) -> Routes {
    let config = Arc::new(
        Config::new(["../openapi.json"])
            .try_it_out_enabled(true)
            .display_request_duration(true)
            .display_operation_id(true)
            .deep_linking(true)
            .default_models_expand_depth(0)
            // Else a badge is fetched from a server on the internet.
            .validator_url("none"),
    );
    let index_config = Arc::clone(&config);
    routes
        .page(
            Scope::Read,
            "/docs",
            get(async || (StatusCode::SEE_OTHER, [(header::LOCATION, "docs/")])),
        )
        .page(
            Scope::Read,
            "/docs/",
            get(async move || page("index.html", &index_config)),
        )
        .page(
            Scope::Read,
            "/docs/{*page}",
            get(async move |Path(name): Path<String>| page(&name, &config)),
        )
}

/// Without it a telephone shows the page as a small picture of a large screen.
const VIEWPORT: &str =
    "<head>\n    <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">";

fn page(name: &str, config: &Arc<Config<'static>>) -> Response {
    let file = match utoipa_swagger_ui::serve(name, Arc::clone(config)) {
        Ok(Some(file)) => file,
        Ok(None) => return error::not_found().into_response(),
        Err(cause) => {
            tracing::error!(page.name = name, "cannot write the page {name:?}: {cause}");
            return StatusCode::INTERNAL_SERVER_ERROR.into_response();
        }
    };
    let header = |name: HeaderName, value: &'static str| (name, HeaderValue::from_static(value));
    let fixed = [
        header(header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
        header(header::CACHE_CONTROL, "no-cache"),
        header(header::REFERRER_POLICY, "no-referrer"),
    ];
    let content_type = [(header::CONTENT_TYPE, file.content_type)];
    let bytes = match name {
        "index.html" => with_viewport(&file.bytes),
        _ => file.bytes.into_owned(),
    };
    (fixed, content_type, bytes).into_response()
}

fn with_viewport(page: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(page);
    text.replacen("<head>", VIEWPORT, 1).into_bytes()
}
