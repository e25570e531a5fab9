//! Pages of other sites that ask through somebody's browser.
//!
//! A browser that was given a token for `/docs` shows it with every request to this server, also
//! with those that a page of another site makes; and without tokens any page may try
//! `http://127.0.0.1:8080`. Such a page cannot read the answer, but a POST would have its effect.
//! Browsers say where a request comes from; programs do not, and are not asked to.

use axum::extract::Request;
use axum::http::{HeaderMap, Method, Uri, header};

/// Whether the request changes something and comes from a page of another site.
pub(super) fn is_of_another_site(request: &Request, public_url: Option<&str>) -> bool {
    if matches!(*request.method(), Method::GET | Method::HEAD) {
        return false;
    }
    let headers = request.headers();
    match text(headers, "sec-fetch-site") {
        Some(site) => !matches!(site, "same-origin" | "none"),
        // Browsers leave it out on plain HTTP to another machine.
        None => text(headers, header::ORIGIN.as_str())
            .is_some_and(|origin| !is_ours(origin, headers, public_url)),
    }
}

/// Whether the origin is the host that was asked, or the one that clients know.
fn is_ours(origin: &str, headers: &HeaderMap, public_url: Option<&str>) -> bool {
    // "null", and anything else without a host, is nobody's.
    let Some(origin) = authority(origin) else {
        return false;
    };
    let is_asked =
        text(headers, header::HOST.as_str()).is_some_and(|host| host.eq_ignore_ascii_case(&origin));
    is_asked
        || public_url
            .and_then(authority)
            .is_some_and(|own| own == origin)
}

fn authority(url: &str) -> Option<String> {
    let uri: Uri = url.parse().ok()?;
    uri.scheme()?;
    Some(uri.authority()?.as_str().to_ascii_lowercase())
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    fn is_foreign(method: Method, headers: &[(&str, &str)]) -> bool {
        let mut request = Request::builder()
            .method(method)
            .uri("/v1/analyses")
            .header("host", "serinus:8080");
        for &(name, value) in headers {
            request = request.header(name, value);
        }
        let request = request.body(Body::empty()).unwrap();
        is_of_another_site(&request, Some("https://public.example/serinus"))
    }

    #[test]
    fn programs_and_our_own_pages_may_ask() {
        for headers in [
            &[][..],
            &[
                ("sec-fetch-site", "same-origin"),
                ("origin", "https://proxied.example"),
            ],
            &[("sec-fetch-site", "none")],
            &[("origin", "http://SERINUS:8080")],
            &[("origin", "https://public.example")],
        ] {
            assert!(!is_foreign(Method::POST, headers), "{headers:?}");
        }
    }

    #[test]
    fn pages_of_other_sites_may_look_and_change_nothing() {
        for headers in [
            [("sec-fetch-site", "cross-site")],
            [("sec-fetch-site", "same-site")],
            [("origin", "https://evil.example")],
            [("origin", "http://serinus:9090")],
            [("origin", "null")],
        ] {
            assert!(is_foreign(Method::POST, &headers), "{headers:?}");
            assert!(is_foreign(Method::DELETE, &headers), "{headers:?}");
            assert!(!is_foreign(Method::GET, &headers), "{headers:?}");
        }
    }
}
