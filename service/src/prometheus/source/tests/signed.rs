//! Queries that are signed for AWS, against a server that computes each signature by itself.

use std::fmt::Write as _;
use std::path::Path;

use chrono::NaiveDateTime;
use ring::{digest, hmac};

use super::super::super::config::SigV4Config;
use super::super::super::{IndexOf, IndexQuestion};
use super::double::{Came, Double};
use super::*;
use crate::clock::{Clock as _, SystemClock};

const SECRET_KEY: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
const WORKSPACE: &str = "/workspaces/ws-12345678/";

fn sigv4() -> SigV4Config {
    SigV4Config {
        region: "eu-west-1".to_owned(),
        access_key: Some("AKIDEXAMPLE".into()),
        access_key_file: None,
        secret_key: Some(SECRET_KEY.into()),
        secret_key_file: None,
        session_token: None,
        session_token_file: None,
        service: "aps".to_owned(),
    }
}

fn hex(bytes: &[u8]) -> String {
    let mut text = String::new();
    for byte in bytes {
        write!(text, "{byte:02x}").unwrap();
    }
    text
}

/// As a service of AWS reads a path: escaped once more than it came.
fn escaped_again(path: &str) -> String {
    path.replace('%', "%25")
}

/// What is wrong with the signature of a request, computed from what came over the wire.
fn wrong_with(came: &Came, secret_key: &str) -> Option<String> {
    let authorization = came.header("authorization");
    let (credential, rest) = authorization
        .strip_prefix("AWS4-HMAC-SHA256 Credential=")?
        .split_once(", SignedHeaders=")
        .unwrap();
    let (names, signature) = rest.split_once(", Signature=").unwrap();
    let (access_key, scope) = credential.split_once('/').unwrap();
    let date = came.header("x-amz-date");
    assert_eq!(access_key, "AKIDEXAMPLE");
    let day = &date[..8];
    assert_eq!(scope, format!("{day}/eu-west-1/aps/aws4_request"));
    let at = NaiveDateTime::parse_from_str(date, "%Y%m%dT%H%M%SZ").unwrap();
    assert!((at.and_utc().timestamp_millis() - SystemClock.now_ms()).abs() < 300_000);
    for name in ["host", "x-amz-date"] {
        assert!(names.split(';').any(|signed| signed == name), "{names}");
    }
    for name in ["content-type", "x-amz-security-token"] {
        let is_signed = names.split(';').any(|signed| signed == name);
        assert_eq!(is_signed, came.headers.contains_key(name), "{name}");
    }

    // A query must come as it is signed: escaped to the letter, and sorted.
    let mut pairs: Vec<&str> = came.query.split('&').collect();
    pairs.sort_unstable();
    assert_eq!(pairs.join("&"), came.query);
    assert!(!came.query.contains(['+', '[', ':', '*']), "{}", came.query);
    let mut headers = String::new();
    for name in names.split(';') {
        writeln!(headers, "{name}:{}", came.header(name)).unwrap();
    }
    let canonical = format!(
        "{}\n{}\n{}\n{headers}\n{names}\n{}",
        came.method,
        escaped_again(&came.path),
        came.query,
        hex(digest::digest(&digest::SHA256, &came.body).as_ref()),
    );
    let hash = hex(digest::digest(&digest::SHA256, canonical.as_bytes()).as_ref());
    let to_sign = format!("AWS4-HMAC-SHA256\n{date}\n{scope}\n{hash}");
    let mut key = format!("AWS4{secret_key}").into_bytes();
    for part in scope.split('/').chain([to_sign.as_str()]) {
        let with = hmac::Key::new(hmac::HMAC_SHA256, &key);
        key = hmac::sign(&with, part.as_bytes()).as_ref().to_vec();
    }
    (hex(&key) != signature).then(|| format!("signed by {canonical:?}"))
}

/// A workspace that knows one secret key.
async fn workspace(secret_key: &'static str) -> Double {
    Double::start(move |came| {
        let is_signed = came.headers.contains_key("authorization");
        match wrong_with(came, secret_key) {
            None if is_signed && came.path.contains("/label") => (
                200,
                r#"{"status":"success","data":["checkout"]}"#.to_owned(),
            ),
            None if is_signed => (200, GOOD.to_owned()),
            wrong => (
                403,
                format!("{{\"message\":{:?}}}", wrong.unwrap_or_default()),
            ),
        }
    })
    .await
}

fn signed_config(double: &Double, sigv4: SigV4Config) -> SourceConfig {
    SourceConfig {
        sigv4: Some(sigv4),
        ..double.config(WORKSPACE)
    }
}

#[tokio::test]
async fn every_query_and_every_question_to_the_index_is_signed() {
    let double = workspace(SECRET_KEY).await;
    let mut config = signed_config(&double, sigv4());
    config.headers.insert("X-Team".to_owned(), "a".into());
    let source = source(config);
    for at in [
        QuestionTime::Instant {
            at_ms: 1_700_000_000_250,
        },
        question().at,
        QuestionTime::Range {
            start_ms: 1_700_000_000_250,
            end_ms: 1_700_000_001_000,
            step_ms: 250,
        },
    ] {
        let promql = "sum by (pod) (rate(a{b=~\"ü +%&=*\"}[1m]))".to_owned();
        source
            .ask(&Question { promql, at }, &share())
            .await
            .unwrap();
    }
    for of in [
        IndexOf::LabelNames,
        IndexOf::ValuesOf("service".to_owned()),
        IndexOf::ValuesOf("schöne label".to_owned()),
    ] {
        let question = IndexQuestion {
            of,
            selectors: vec!["{__name__=\"a\",b=~\"ü +%&=*\"}".to_owned()],
            start_ms: 0,
            end_ms: 30_500,
        };
        source.ask_index(&question, &share()).await.unwrap();
    }
    source.hear_the_time().await;
    let paths: Vec<String> = double
        .came()
        .iter()
        .map(|came| format!("{} {}", came.method, came.path))
        .collect();
    let prefix = "/workspaces/ws-12345678/api/v1";
    assert_eq!(
        paths,
        [
            format!("POST {prefix}/query"),
            format!("POST {prefix}/query_range"),
            format!("POST {prefix}/query_range"),
            format!("POST {prefix}/labels"),
            format!("GET {prefix}/label/service/values"),
            format!("GET {prefix}/label/sch%C3%B6ne%20label/values"),
            format!("GET {prefix}/status/buildinfo"),
        ]
    );
    assert!(
        double
            .came()
            .iter()
            .all(|came| came.header("x-team") == "a")
    );
}

/// The query goes out by parameters of ours where it is signed, else by those of the client's crate:
/// the source must see no difference.
#[tokio::test]
async fn a_signed_query_asks_the_same_as_one_that_is_not() {
    let double = Double::start(|_| (200, GOOD.to_owned())).await;
    let (plain, signed) = (
        source(double.config(WORKSPACE)),
        source(signed_config(&double, sigv4())),
    );
    for at in [question().at, QuestionTime::Instant { at_ms: 1_500 }] {
        let question = Question { at, ..question() };
        plain.ask(&question, &share()).await.unwrap();
        signed.ask(&question, &share()).await.unwrap();
    }
    let asked: Vec<_> = double
        .came()
        .iter()
        .map(|came| {
            let mut form = came.form();
            form.retain(|(name, _)| name != "timeout");
            form.sort();
            (
                came.path.clone(),
                came.header("content-type").to_owned(),
                form,
            )
        })
        .collect();
    assert_eq!(asked[0], asked[1]);
    assert_eq!(asked[2], asked[3]);
}

#[tokio::test]
async fn a_signature_by_another_key_is_refused_and_told() {
    let double = workspace("another").await;
    let fault = fault_of(&source(signed_config(&double, sigv4()))).await;
    assert_eq!(fault.code, FaultCode::SourceRefusedCredentials);
    assert_eq!(
        fault.message,
        "source \"main\" refused the credentials (HTTP 403): check the keys, region and service of \
         sigv4, what the keys may do, and this host's clock"
    );
}

#[tokio::test]
async fn temporary_keys_in_files_are_sent_with_their_token_and_read_again() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    let path = |name: &str| Some(Path::new(folder.path()).join(name));
    write("access", "AKIDEXAMPLE\n");
    write("secret", "an old one\n");
    write("token", "first");
    let double = workspace(SECRET_KEY).await;
    let config = SigV4Config {
        access_key: None,
        access_key_file: path("access"),
        secret_key: None,
        secret_key_file: path("secret"),
        session_token_file: path("token"),
        ..sigv4()
    };
    let source = source(signed_config(&double, config));
    fault_of(&source).await;
    write("secret", SECRET_KEY);
    write("token", "the second");
    source.ask(&question(), &share()).await.unwrap();
    std::fs::remove_file(folder.path().join("token")).unwrap();
    source.ask(&question(), &share()).await.unwrap();
    let came = double.came();
    let tokens: Vec<&str> = came
        .iter()
        .map(|came| came.header("x-amz-security-token"))
        .collect();
    assert_eq!(tokens, ["first", "the second", "the second"]);
}

#[tokio::test]
async fn keys_are_in_no_message() {
    let body = format!(
        r#"{{"status":"error","errorType":"bad_data","error":"{SECRET_KEY} and t0ken-of-session"}}"#
    );
    let double = Double::start(move |_| (400, body.clone())).await;
    let config = SigV4Config {
        session_token: Some("t0ken-of-session".into()),
        ..sigv4()
    };
    let config = signed_config(&double, config);
    let shown = format!("{config:?}");
    let fault = fault_of(&source(config)).await;
    assert!(
        fault.message.contains("[redacted] and [redacted]"),
        "{fault}"
    );
    assert!(
        !shown.contains("wJalr") && !shown.contains("t0ken"),
        "{shown}"
    );
}
