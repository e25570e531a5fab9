//! The signature of AWS: version 4, in headers, of requests whose body is at hand.
//!
//! Source: <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html>. The tests
//! hold it against the published vectors.

use std::fmt::Write as _;

use chrono::{DateTime, Utc};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, percent_encode};
use ring::{digest, hmac};
use secrecy::{ExposeSecret as _, SecretString};

const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// What ends every scope and every chain of keys.
const TERMINATOR: &str = "aws4_request";

/// Everything but the unreserved characters of RFC 3986.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// What of a request is signed.
pub(super) struct Signable<'a> {
    pub(super) method: &'a str,
    /// The path as it is sent.
    pub(super) path: &'a str,
    /// The parameters as they are sent, without a `+` for a space.
    pub(super) query: &'a str,
    /// Lower case names with their values, sorted by name.
    pub(super) headers: &'a [(&'a str, &'a str)],
    pub(super) body: &'a [u8],
}

/// Where and when a signature counts.
pub(super) struct Scope<'a> {
    pub(super) region: &'a str,
    pub(super) service: &'a str,
    pub(super) at: DateTime<Utc>,
}

impl Scope<'_> {
    /// The time, as `x-amz-date` says it.
    pub(super) fn amz_date(&self) -> String {
        self.at.format("%Y%m%dT%H%M%SZ").to_string()
    }

    fn day(&self) -> String {
        self.at.format("%Y%m%d").to_string()
    }
}

/// The value of `Authorization`.
pub(super) fn authorization(
    access_key: &str,
    secret_key: &SecretString,
    scope: &Scope<'_>,
    request: &Signable<'_>,
) -> String {
    let signature = signature(
        secret_key,
        scope,
        &string_to_sign(scope, &canonical_request(request)),
    );
    format!(
        "{ALGORITHM} Credential={access_key}/{}, SignedHeaders={}, Signature={signature}",
        credential_scope(scope),
        signed_headers(request),
    )
}

fn canonical_request(request: &Signable<'_>) -> String {
    let mut headers = String::new();
    for (name, value) in request.headers {
        // Writing to a string does not fail.
        let _ = writeln!(headers, "{name}:{}", value.trim());
    }
    [
        request.method,
        &canonical_path(request.path),
        &canonical_query(request.query),
        &headers,
        &signed_headers(request),
        &sha256_hex(request.body),
    ]
    .join("\n")
}

/// The path, escaped once more than it is sent, as all services but S3 want it; several slashes are
/// one.
fn canonical_path(path: &str) -> String {
    let parts: Vec<String> = path
        .split('/')
        .filter(|part| !part.is_empty())
        .map(|part| escaped(part.as_bytes()))
        .collect();
    let end = if path.ends_with('/') && !parts.is_empty() {
        "/"
    } else {
        ""
    };
    format!("/{}{end}", parts.join("/"))
}

/// The parameters, strictly escaped and sorted.
pub(super) fn canonical_query(query: &str) -> String {
    let strict = |text: &str| escaped(&percent_decode_str(text).collect::<Vec<u8>>());
    let mut pairs: Vec<(String, String)> = query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(name, value)| (strict(name), strict(value)))
        .collect();
    pairs.sort();
    let pairs: Vec<String> = pairs
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    pairs.join("&")
}

fn signed_headers(request: &Signable<'_>) -> String {
    let names: Vec<&str> = request.headers.iter().map(|(name, _)| *name).collect();
    names.join(";")
}

fn credential_scope(scope: &Scope<'_>) -> String {
    let (day, region, service) = (scope.day(), scope.region, scope.service);
    format!("{day}/{region}/{service}/{TERMINATOR}")
}

fn string_to_sign(scope: &Scope<'_>, canonical_request: &str) -> String {
    [
        ALGORITHM,
        &scope.amz_date(),
        &credential_scope(scope),
        &sha256_hex(canonical_request.as_bytes()),
    ]
    .join("\n")
}

fn signature(secret_key: &SecretString, scope: &Scope<'_>, string_to_sign: &str) -> String {
    let first = format!("AWS4{}", secret_key.expose_secret());
    let day = keyed(first.as_bytes(), &scope.day());
    let region = keyed(day.as_ref(), scope.region);
    let service = keyed(region.as_ref(), scope.service);
    let key = keyed(service.as_ref(), TERMINATOR);
    hex(keyed(key.as_ref(), string_to_sign).as_ref())
}

fn keyed(key: &[u8], text: &str) -> hmac::Tag {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text.as_bytes())
}

fn sha256_hex(bytes: &[u8]) -> String {
    hex(digest::digest(&digest::SHA256, bytes).as_ref())
}

fn escaped(bytes: &[u8]) -> String {
    percent_encode(bytes, ESCAPED).to_string()
}

fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        // Writing to a string does not fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::{Path, PathBuf};

    use super::*;

    const SECRET_KEY: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";

    fn vectors() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("src/prometheus/credentials/signature/vectors")
    }

    fn vector(file: &str) -> String {
        let path = vectors().join(file);
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    /// A request of the suite as it was sent, and the signature that it was sent with.
    struct Sent {
        method: String,
        path: String,
        query: String,
        headers: Vec<(String, String)>,
        body: String,
        authorization: String,
    }

    fn sent(name: &str) -> Sent {
        let text = vector(&format!("{name}.sreq"));
        let (head, body) = text.split_once("\n\n").unwrap();
        let (request, headers) = head.split_once('\n').unwrap();
        let request = request.strip_suffix(" HTTP/1.1").unwrap();
        let (method, target) = request.split_once(' ').unwrap();
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let mut headers: Vec<(String, String)> = headers
            .lines()
            .map(|line| line.split_once(':').unwrap())
            .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
            .collect();
        headers.sort();
        let place = headers.iter().position(|(name, _)| name == "authorization");
        let (_, authorization) = headers.remove(place.unwrap());
        Sent {
            method: method.to_owned(),
            path: path.to_owned(),
            query: query.to_owned(),
            headers,
            body: body.to_owned(),
            authorization,
        }
    }

    fn scope() -> Scope<'static> {
        Scope {
            region: "us-east-1",
            service: "service",
            at: "2015-08-30T12:36:00Z".parse().unwrap(),
        }
    }

    impl Sent {
        fn with<T>(&self, look: impl FnOnce(&Signable<'_>) -> T) -> T {
            let headers: Vec<(&str, &str)> = self
                .headers
                .iter()
                .map(|(name, value)| (name.as_str(), value.as_str()))
                .collect();
            look(&Signable {
                method: &self.method,
                path: &self.path,
                query: &self.query,
                headers: &headers,
                body: self.body.as_bytes(),
            })
        }
    }

    /// The names of the vectors that have a file with this ending.
    fn named(ending: &str) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(vectors())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter_map(|file| Some(file.strip_suffix(ending)?.to_owned()))
            .collect();
        names.sort();
        names
    }

    #[test]
    fn every_published_request_is_signed_as_it_was_published() {
        let names = named(".sreq");
        assert_eq!(names.len(), 12, "{names:?}");
        for name in names {
            let sent = sent(&name);
            let ours = sent.with(|request| {
                authorization("AKIDEXAMPLE", &SECRET_KEY.into(), &scope(), request)
            });
            assert_eq!(ours, sent.authorization, "{name}");
        }
    }

    #[test]
    fn the_canonical_requests_are_the_published_ones() {
        for name in named(".creq") {
            let ours = sent(&name).with(canonical_request);
            assert_eq!(ours, vector(&format!("{name}.creq")), "{name}");
        }
    }

    #[test]
    fn the_strings_to_sign_are_the_published_ones() {
        for name in named(".sts") {
            let ours = string_to_sign(&scope(), &sent(&name).with(canonical_request));
            assert_eq!(ours, vector(&format!("{name}.sts")), "{name}");
        }
    }

    /// From the documentation of the derived key, which is of another service.
    #[test]
    fn a_path_that_was_escaped_is_escaped_once_more() {
        assert_eq!(canonical_path("/%E1%88%B4"), "/%25E1%2588%25B4");
    }
}
