//! Sources for which a token is asked for first, against an endpoint that counts and lets tokens end.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::future::join_all;

use super::super::super::config::{OAuth2Config, SecretPlace};
use super::double::{Came, Double};
use super::*;

const SECRET: &str = "hunter2/+ü";

fn oauth2(token_url: &str) -> OAuth2Config {
    OAuth2Config {
        token_url: token_url.to_owned(),
        client_id: "serinus:reader".to_owned(),
        client_secret: Some(SECRET.into()),
        client_secret_file: None,
        client_assertion_file: None,
        scopes: vec!["metrics.read".to_owned(), "offline".to_owned()],
        endpoint_params: [("audience".to_owned(), "prometheus".into())].into(),
        send_secret_in: SecretPlace::Header,
        ca_file: None,
    }
}

pub(super) fn url(double: &Double) -> String {
    format!("http://{}/tenant/token", double.address)
}

/// Gives tokens `token-1`, `token-2` and so on, which count for so long.
pub(super) async fn endpoint(expires_in: &'static str) -> Double {
    let given = Arc::new(AtomicU64::new(0));
    Double::start(move |_| {
        let number = given.fetch_add(1, Ordering::Relaxed) + 1;
        let token = format!("token-{number}");
        let body = format!(
            r#"{{"token_type":"Bearer","access_token":"{token}","expires_in":{expires_in}}}"#
        );
        (200, body)
    })
    .await
}

/// An endpoint that always answers the same.
async fn answering(status: u16, body: &'static str) -> Double {
    Double::start(move |_| (status, body.to_owned())).await
}

/// A Prometheus that takes any token of the endpoint.
pub(super) async fn prometheus() -> Double {
    Double::start(|came| {
        if came.header("authorization").starts_with("Bearer token-") {
            (200, GOOD.to_owned())
        } else {
            (401, String::new())
        }
    })
    .await
}

fn with(prometheus: &Double, oauth2: OAuth2Config) -> Source {
    source(SourceConfig {
        oauth2: Some(oauth2),
        ..prometheus.config("")
    })
}

pub(super) fn tokens_sent(prometheus: &Double) -> Vec<String> {
    let came = prometheus.came();
    came.iter()
        .map(|came| came.header("authorization").to_owned())
        .collect()
}

#[tokio::test]
async fn one_token_is_asked_for_and_sent_with_every_query() {
    let (endpoint, prometheus) = (endpoint("3600").await, prometheus().await);
    let source = with(&prometheus, oauth2(&url(&endpoint)));
    // Different questions, so that they are no one query.
    let questions: Vec<Question> = (0..8)
        .map(|at_ms| Question {
            at: QuestionTime::Instant { at_ms },
            ..question()
        })
        .collect();
    let share = share();
    let asked = join_all(
        questions
            .iter()
            .map(|question| source.ask(question, &share)),
    )
    .await;
    assert!(asked.iter().all(Result::is_ok), "{asked:?}");
    assert_eq!(endpoint.came().len(), 1);
    assert_eq!(tokens_sent(&prometheus), vec!["Bearer token-1"; 8]);
}

#[tokio::test]
async fn the_client_says_who_it_is_as_the_standard_wants_it() {
    let (endpoint, prometheus) = (endpoint("3600").await, prometheus().await);
    let config = oauth2(&url(&endpoint));
    let in_body = OAuth2Config {
        send_secret_in: SecretPlace::Body,
        scopes: Vec::new(),
        ..config.clone()
    };
    let folder = tempfile::tempdir().unwrap();
    let assertion = folder.path().join("assertion");
    std::fs::write(&assertion, "signed-by-kubernetes\n").unwrap();
    let asserting = OAuth2Config {
        client_secret: None,
        client_assertion_file: Some(assertion),
        ..config.clone()
    };
    for config in [config, in_body, asserting] {
        with(&prometheus, config)
            .ask(&question(), &share())
            .await
            .unwrap();
    }
    let came = endpoint.came();
    let is_form = |came: &Came| {
        came.method == "POST"
            && came.path == "/tenant/token"
            && came.header("content-type") == "application/x-www-form-urlencoded"
            && came.parameter("grant_type") == "client_credentials"
            && came.parameter("audience") == "prometheus"
    };
    assert!(came.iter().all(is_form), "{came:?}");
    // Escaped before they are joined: the name of the client may hold a colon.
    let basic = format!(
        "Basic {}",
        STANDARD.encode("serinus%3Areader:hunter2%2F%2B%C3%BC")
    );
    assert_eq!(came[0].header("authorization"), basic);
    assert_eq!(came[0].parameter("scope"), "metrics.read offline");
    assert_eq!(came[0].parameter("client_secret"), "");

    assert_eq!(came[1].header("authorization"), "");
    assert_eq!(came[1].parameter("client_id"), "serinus:reader");
    assert_eq!(came[1].parameter("client_secret"), SECRET);
    assert!(came[1].form().iter().all(|(name, _)| name != "scope"));

    assert_eq!(
        came[2].parameter("client_assertion"),
        "signed-by-kubernetes"
    );
    assert_eq!(
        came[2].parameter("client_assertion_type"),
        "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
    );
}

#[tokio::test]
async fn a_token_is_renewed_before_it_ends() {
    // Some say the time as a text.
    let (endpoint, prometheus) = (endpoint("\"1\"").await, prometheus().await);
    let source = with(&prometheus, oauth2(&url(&endpoint)));
    source.ask(&question(), &share()).await.unwrap();
    source.ask(&question(), &share()).await.unwrap();
    // Four fifths of its life.
    tokio::time::sleep(Duration::from_millis(820)).await;
    source.ask(&question(), &share()).await.unwrap();
    assert_eq!(
        tokens_sent(&prometheus),
        ["Bearer token-1", "Bearer token-1", "Bearer token-2"]
    );
}

#[tokio::test]
async fn a_token_that_cannot_be_renewed_is_sent_until_it_ends() {
    let given = Arc::new(AtomicU64::new(0));
    let endpoint = Double::start(move |_| match given.fetch_add(1, Ordering::Relaxed) {
        0 => (
            200,
            r#"{"access_token":"token-1","expires_in":1}"#.to_owned(),
        ),
        _ => (400, r#"{"error":"invalid_client"}"#.to_owned()),
    })
    .await;
    let prometheus = prometheus().await;
    let source = with(&prometheus, oauth2(&url(&endpoint)));
    source.ask(&question(), &share()).await.unwrap();
    tokio::time::sleep(Duration::from_millis(820)).await;
    source.ask(&question(), &share()).await.unwrap();
    // It is not tried with every query.
    source.ask(&question(), &share()).await.unwrap();
    assert_eq!(endpoint.came().len(), 2);
    tokio::time::sleep(Duration::from_millis(200)).await;
    let fault = fault_of(&source).await;
    assert_eq!(fault.code, FaultCode::SourceRefusedCredentials);
    assert_eq!(prometheus.came().len(), 3);
}

#[tokio::test]
async fn a_secret_in_a_file_is_read_again_and_gets_a_token_of_its_own() {
    let (endpoint, prometheus) = (endpoint("3600").await, prometheus().await);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("secret");
    std::fs::write(&file, "first\n").unwrap();
    let source = with(
        &prometheus,
        OAuth2Config {
            client_secret: None,
            client_secret_file: Some(file.clone()),
            send_secret_in: SecretPlace::Body,
            ..oauth2(&url(&endpoint))
        },
    );
    source.ask(&question(), &share()).await.unwrap();
    std::fs::write(&file, "the second").unwrap();
    source.ask(&question(), &share()).await.unwrap();
    std::fs::write(&file, "").unwrap();
    source.ask(&question(), &share()).await.unwrap();
    let came = endpoint.came();
    let secrets: Vec<String> = came
        .iter()
        .map(|came| came.parameter("client_secret"))
        .collect();
    assert_eq!(
        secrets,
        ["first", "the second"],
        "the last good one is kept"
    );
}

/// The fault of a source whose endpoint answers so, with a name in the place of its address.
async fn fault_where(endpoint: &Double) -> SourceFault {
    let prometheus = prometheus().await;
    let mut fault = fault_of(&with(&prometheus, oauth2(&url(endpoint)))).await;
    assert!(prometheus.came().is_empty(), "it was asked without a token");
    let address = endpoint.address.to_string();
    fault.message = fault.message.replace(&address, "LOGIN");
    fault
}

#[tokio::test]
async fn each_way_to_give_no_token_is_told_with_its_cure() {
    let mut told = String::new();
    for (status, body) in [
        (
            401,
            r#"{"error":"invalid_client","error_description":"AADSTS7000215: wrong\nsecret"}"#,
        ),
        (400, r#"{"error":"invalid_scope"}"#),
        (403, "no"),
        (404, "<html>"),
        (500, r#"{"error":"server_error"}"#),
        (429, ""),
        (302, ""),
        (200, "<html>log in</html>"),
        (200, "{}"),
        (200, r#"{"access_token":""}"#),
        (200, r#"{"access_token":"a\nb"}"#),
        (200, r#"{"access_token":"a","token_type":"mac"}"#),
        (200, r#"{"access_token":"a","expires_in":0}"#),
    ] {
        let fault = fault_where(&answering(status, body).await).await;
        writeln!(told, "{:?}: {}", fault.code, fault.message).unwrap();
    }
    insta::assert_snapshot!(told);
}

#[tokio::test]
async fn an_endpoint_that_cannot_be_reached_is_told_and_not_the_source() {
    let prometheus = prometheus().await;
    let gone = {
        let endpoint = endpoint("1").await;
        url(&endpoint)
    };
    let fault = fault_of(&with(&prometheus, oauth2(&gone))).await;
    assert_eq!(fault.code, FaultCode::SourceUnavailable);
    let expected = format!(
        "source \"main\" has no token, for {gone} cannot be reached (Connection refused (os error \
         111)): check token_url of oauth2 and what answers there"
    );
    assert_eq!(fault.message, expected);
}

#[tokio::test]
async fn an_endpoint_that_is_slow_is_told_and_all_who_wait_are_told_at_once() {
    let (endpoint, prometheus) = (Upstream::start(vec![Reply::Hang]).await, prometheus().await);
    let url = format!("http://{}/token", endpoint.address());
    let source = with(&prometheus, oauth2(&url));
    let questions = [0, 1, 2].map(|at_ms| Question {
        at: QuestionTime::Instant { at_ms },
        ..question()
    });
    let share = share();
    let started = Instant::now();
    let asked = join_all(
        questions
            .iter()
            .map(|question| source.ask(question, &share)),
    )
    .await;
    assert!(started.elapsed() < Duration::from_millis(2_500));
    for asked in asked {
        let fault = asked.unwrap_err();
        assert_eq!(fault.code, FaultCode::SourceSlow);
        let expected = format!(
            "source \"main\" has no token, for {url} did not answer within 1.5 s: check \
             token_url of oauth2 and what answers there"
        );
        assert_eq!(fault.message, expected);
    }
    assert_eq!(endpoint.requests().len(), 1);
}

#[tokio::test]
async fn secrets_are_in_no_message() {
    let echo = Double::start(|came| {
        let sent = format!(
            "{} {}",
            came.header("authorization"),
            came.parameter("client_secret")
        );
        (
            400,
            format!(r#"{{"error":"bad","error_description":"got {sent}"}}"#),
        )
    })
    .await;
    let prometheus = Double::start(|came| {
        let error = came.header("authorization").to_owned();
        let body = format!(r#"{{"status":"error","errorType":"bad_data","error":"{error}"}}"#);
        (400, body)
    })
    .await;
    let in_header = oauth2(&url(&echo));
    let in_body = OAuth2Config {
        send_secret_in: SecretPlace::Body,
        ..in_header.clone()
    };
    for config in [in_header, in_body] {
        let shown = format!("{config:?}");
        let fault = fault_of(&with(&prometheus, config)).await;
        assert!(fault.message.contains("[redacted]"), "{fault}");
        for text in [fault.message, shown] {
            assert!(
                !text.contains("hunter2") && !text.contains("c2VyaW51"),
                "{text}"
            );
        }
    }
    let endpoint = endpoint("3600").await;
    let fault = fault_of(&with(&prometheus, oauth2(&url(&endpoint)))).await;
    assert!(fault.message.contains("Bearer [redacted]"), "{fault}");
}
