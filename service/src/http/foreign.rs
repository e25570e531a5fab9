//! Pages of other sites that ask through somebody's browser.
//!
//! A browser that was given a token for `/docs` shows it with every request to this server, also
//! with those that a page of another site makes; and without tokens any page may try
//! `http://127.0.0.1:8080`. Such a page cannot read the answer, but asking would have its effect,
//! also by GET: a gate starts and moves rollouts. Browsers say where a request comes from; programs
//! do not, and are not asked to.
//!
//! Which operations it is about is said with their routes: see [`Effect`](super::routing::Effect).

use axum::extract::Request;
use axum::http::{HeaderMap, Uri, header};

const SEC_FETCH_SITE: &str = "sec-fetch-site";

/// Whether the request comes from a page of another site.
pub(super) fn is_of_another_site(request: &Request, public_url: Option<&str>) -> bool {
    let headers = request.headers();
    if headers.contains_key(SEC_FETCH_SITE) {
        return !all(headers, SEC_FETCH_SITE, |site| {
            matches!(site, "same-origin" | "same-site" | "none")
        });
    }
    // Browsers leave it out on plain HTTP to another machine.
    !all(headers, header::ORIGIN.as_str(), |origin| {
        is_ours(origin, headers, public_url)
    })
}

/// Whether every value of a header is as it should be. One that is no text is not.
fn all(headers: &HeaderMap, name: &str, is_right: impl Fn(&str) -> bool) -> bool {
    let mut values = headers.get_all(name).iter();
    values.all(|value| value.to_str().is_ok_and(&is_right))
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

    fn is_foreign(headers: &[(&str, &str)]) -> bool {
        let mut request = Request::builder()
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
            &[("sec-fetch-site", "same-site")],
            &[("origin", "http://SERINUS:8080")],
            &[("origin", "https://public.example")],
        ] {
            assert!(!is_foreign(headers), "{headers:?}");
        }
    }

    #[test]
    fn pages_of_other_sites_may_not() {
        for headers in [
            &[("sec-fetch-site", "cross-site")][..],
            &[("sec-fetch-site", "")],
            &[("sec-fetch-site", "none"), ("sec-fetch-site", "cross-site")],
            &[("sec-fetch-site", "\u{e9}")],
            &[("origin", "https://evil.example")],
            &[("origin", "http://serinus:9090")],
            &[("origin", "null")],
            &[("origin", "http://serinus:8080"), ("origin", "null")],
        ] {
            assert!(is_foreign(headers), "{headers:?}");
        }
    }
}
