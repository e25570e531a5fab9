//! What happens around every handler: an id, a line in the log, a figure in the metrics, a net
//! under panics, compression.

use std::sync::{Arc, LazyLock, OnceLock};

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, Method, Uri, header};
use axum::middleware::{self, Next};
use axum::response::Response;
use tower::Layer;
use tower::util::{MapRequest, MapResponse};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::predicate::{NotForContentType, Predicate, SizeAbove};
use tower_http::compression::{CompressionLayer, CompressionLevel};
use tracing::Instrument;

use super::{App, error};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Longest id that a client may give its request.
const MAX_REQUEST_ID_BYTES: usize = 128;

/// Smaller bodies gain nothing by compression.
const MIN_COMPRESSED_BYTES: u64 = 1024;

/// The route of requests that have none, in the metrics.
static UNMATCHED: LazyLock<Arc<str>> = LazyLock::new(|| "unmatched".into());

/// Where the guard puts the template of the route, for the metrics outside: a panic in the handler
/// leaves no answer that could carry it.
#[derive(Debug, Clone, Default)]
pub(super) struct RouteSlot(Arc<OnceLock<Arc<str>>>);

impl RouteSlot {
    /// Notes the route. The first counts.
    pub(super) fn fill(&self, route: &Arc<str>) {
        let _ = self.0.set(Arc::clone(route));
    }

    fn route(&self) -> &Arc<str> {
        self.0.get().unwrap_or(&UNMATCHED)
    }
}

/// Puts the layers around the routes, the outermost last.
pub(super) fn around(routes: Router, app: Arc<App>) -> Router {
    let compress_when = SizeAbove::new(MIN_COMPRESSED_BYTES)
        .and(NotForContentType::IMAGES)
        .and(NotForContentType::SSE);
    let routes = routes.fallback(async || error::not_found());
    // Around the router, not inside: the path has to be put right before a route is chosen, and
    // `Allow` is added after the layers of a route. And one within the other, not each by
    // `Router::layer`, which puts every layer in a box that is cloned for every request.
    let caught = CatchPanicLayer::custom(error::of_panic).layer(routes);
    let told = MapResponse::new(caught, |response: axum::http::Response<_>| {
        error::as_problem(response.map(Body::new))
    });
    let compressed = CompressionLayer::new()
        .quality(CompressionLevel::Fastest)
        .compress_when(compress_when)
        .layer(told);
    let seen = middleware::from_fn_with_state(app, observed).layer(compressed);
    Router::new().fallback_service(MapRequest::new(seen, without_trailing_slash))
}

/// Gives the request its id, and log and metrics what became of it. A poll changes nothing, so its
/// line in the log is for debugging. Of the request the line has method and path: a query may name
/// populations, and headers hold credentials.
async fn observed(State(app): State<Arc<App>>, mut request: Request, next: Next) -> Response {
    let slot = RouteSlot::default();
    request.extensions_mut().insert(slot.clone());
    let id = request
        .headers()
        .get(REQUEST_ID)
        .filter(|id| is_usable_id(id))
        .cloned()
        .or_else(|| HeaderValue::from_str(&app.new_request_id()).ok());
    let id_text = id
        .as_ref()
        .and_then(|id| id.to_str().ok())
        .unwrap_or_default();
    let method = request.method().clone();
    let path = request.uri().path().to_owned();
    let span = tracing::info_span!(
        "request",
        request.id = id_text,
        principal.name = tracing::field::Empty
    );
    let started_at = tokio::time::Instant::now();
    let work = async {
        let response = next.run(request).await;
        let status = response.status().as_u16();
        let took = started_at.elapsed();
        let duration_ms = took.as_secs_f64() * 1e3;
        app.metrics()
            .request(slot.route(), method_name(&method), status, took);
        // What made a 5xx is in the log already, with its cause.
        tracing::debug!(
            http.method = %method, http.path = path, http.status = status, duration_ms,
            "{method} {path} answered {status}"
        );
        response
    };
    let mut response = work.instrument(span).await;
    let headers = response.headers_mut();
    if let Some(id) = id {
        headers.insert(REQUEST_ID, id);
    }
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    response
}

/// Methods are of the client's choosing, and a label has a bounded number of values.
fn method_name(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::DELETE => "DELETE",
        Method::PATCH => "PATCH",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}

/// An id of the client goes into the log and into a header: only plain characters, not too many.
fn is_usable_id(id: &HeaderValue) -> bool {
    let bytes = id.as_bytes();
    !bytes.is_empty()
        && bytes.len() <= MAX_REQUEST_ID_BYTES
        && bytes
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_.:/+=".contains(byte))
}

/// Paths that machines ask answer with and without a trailing slash, without a redirect: some
/// callers read one as an answer. The pages of `/docs/` keep theirs, which their links need.
fn without_trailing_slash(mut request: Request) -> Request {
    let path = request.uri().path();
    let bare = path.trim_end_matches('/');
    let is_machine_path = !bare.is_empty() && bare.len() < path.len() && !path.starts_with("/docs");
    if !is_machine_path {
        return request;
    }
    let path_and_query = match request.uri().query() {
        Some(query) => format!("{bare}?{query}"),
        None => bare.to_owned(),
    };
    let mut parts = request.uri().clone().into_parts();
    parts.path_and_query = path_and_query.parse().ok();
    if let Ok(uri) = Uri::from_parts(parts) {
        *request.uri_mut() = uri;
    }
    request
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trailing_slash_is_taken_away_and_the_query_kept() {
        for (sent, expected) in [
            ("/v1/analyses/", "/v1/analyses"),
            ("/v1/analyses//?a=b", "/v1/analyses?a=b"),
            ("/v1/analyses?a=/", "/v1/analyses?a=/"),
            ("/docs/", "/docs/"),
            ("/", "/"),
            ("//", "//"),
        ] {
            let request = Request::builder().uri(sent).body(Body::empty()).unwrap();
            assert_eq!(without_trailing_slash(request).uri(), expected, "{sent}");
        }
    }

    #[test]
    fn ids_of_clients_are_plain_and_short() {
        let usable = |text: &str| is_usable_id(&HeaderValue::from_str(text).unwrap());
        assert!(usable("a-1_2.3:4/5+6="));
        assert!(!usable(""));
        assert!(!usable("a b"));
        assert!(!usable(&"a".repeat(MAX_REQUEST_ID_BYTES + 1)));
    }
}
