//! Event streams, by tokens that come and go.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::{Request, StatusCode};
use http_body_util::BodyExt;
use tokio::time::timeout;
use tower::ServiceExt;

use super::ask::TestServer;
use crate::access::{Access, TokensFile, digest_hex};
use crate::http::Limits;

const NOWHERE: &str = "http://127.0.0.1:1";

/// Longer than a look at the file of tokens is good for.
const TOKENS_ARE_OLD: Duration = Duration::from_millis(1_200);

/// A server with two tokens, and a rollout.
struct Streamed {
    server: TestServer,
    tokens: PathBuf,
    rollout: String,
}

impl Streamed {
    async fn new() -> Self {
        let mut tokens = PathBuf::new();
        let server = TestServer::built(NOWHERE, Limits::default(), |app, folder| {
            tokens = folder.join("tokens.yaml");
            write(
                &tokens,
                &[("reader", "one", "read"), ("operator", "all", "all")],
            );
            let file = TokensFile::open(&tokens).unwrap();
            app.with_access(Access::Tokens(Arc::new(file)))
        })
        .await;
        let gate = "/v1/pipelines/checkout/stages/first/gate?key=a";
        let started = server.ask(request("GET", gate, "all")).await;
        let rollout = started.json()["rollout"].as_str().unwrap().to_owned();
        Self {
            server,
            tokens,
            rollout,
        }
    }

    async fn stream(&self, token: &str) -> (StatusCode, Body) {
        let path = format!("/v1/rollouts/{}/events", self.rollout);
        let mut request = request("GET", &path, token);
        let headers = request.headers_mut();
        headers.insert("accept", "text/event-stream".parse().unwrap());
        headers.insert("host", "localhost".parse().unwrap());
        let response = self.server.router().oneshot(request).await.unwrap();
        (response.status(), response.into_body())
    }

    /// Something happens that a stream tells.
    async fn cancel(&self) {
        let path = format!("/v1/rollouts/{}/cancel", self.rollout);
        let cancelled = self.server.ask(request("POST", &path, "all")).await;
        assert_eq!(cancelled.status, StatusCode::OK, "{}", cancelled.body);
    }
}

fn write(path: &Path, tokens: &[(&str, &str, &str)]) {
    let entries = tokens.iter().map(|(name, token, scopes)| {
        let digest = digest_hex(token);
        format!("- {{name: {name}, sha256: \"{digest}\", scopes: [{scopes}]}}\n")
    });
    fs::write(path, entries.collect::<String>()).unwrap();
}

fn request(method: &str, path: &str, token: &str) -> Request<Body> {
    Request::builder()
        .method(method)
        .uri(path)
        .header("authorization", format!("Bearer {token}"))
        .body(Body::empty())
        .unwrap()
}

/// What a stream tells until it says a word; nothing when it ends before.
async fn until(body: &mut Body, word: &str) -> Option<String> {
    let mut told = String::new();
    while !told.contains(word) {
        let frame = timeout(Duration::from_secs(20), body.frame()).await;
        let data = frame
            .expect("the stream says nothing")
            .transpose()
            .unwrap()?;
        told.push_str(str::from_utf8(data.data_ref().unwrap()).unwrap());
    }
    Some(told)
}

/// Taken out, good for less, and replaced under the same name.
#[tokio::test]
async fn a_stream_ends_when_its_token_is_no_longer_good_for_it_and_tells_nothing_more() {
    let operator = ("operator", "all", "all");
    for tokens in [
        &[operator][..],
        &[operator, ("reader", "one", "gate")],
        &[operator, ("reader", "another", "read")],
    ] {
        let streamed = Streamed::new().await;
        let (_status, mut body) = streamed.stream("one").await;
        until(&mut body, "started").await.unwrap();
        write(&streamed.tokens, tokens);
        tokio::time::sleep(TOKENS_ARE_OLD).await;
        streamed.cancel().await;
        let told = until(&mut body, "no longer good").await.unwrap();
        assert!(!told.contains("data:"), "{told}");
        assert_eq!(until(&mut body, "anything").await, None);
    }
}

#[tokio::test]
async fn a_stream_goes_on_while_its_token_is_good_for_it() {
    let streamed = Streamed::new().await;
    let (_status, mut body) = streamed.stream("one").await;
    until(&mut body, "started").await.unwrap();
    write(
        &streamed.tokens,
        &[("other", "one", "read, gate"), ("operator", "all", "all")],
    );
    tokio::time::sleep(TOKENS_ARE_OLD).await;
    streamed.cancel().await;
    until(&mut body, "cancelled").await.unwrap();
}

#[tokio::test]
async fn one_token_has_sixteen_streams_and_a_list_is_no_stream() {
    let streamed = Streamed::new().await;
    let mut open = Vec::new();
    for _ in 0..16 {
        let (status, body) = streamed.stream("one").await;
        assert_eq!(status, StatusCode::OK);
        open.push(body);
    }
    let (status, refused) = streamed.stream("one").await;
    assert_eq!(status, StatusCode::TOO_MANY_REQUESTS);
    let refused = refused.collect().await.unwrap().to_bytes();
    let refused = str::from_utf8(&refused).unwrap();
    assert!(refused.contains("16 event streams are open"), "{refused}");
    let path = format!("/v1/rollouts/{}/events", streamed.rollout);
    let list = streamed.server.ask(request("GET", &path, "one")).await;
    assert_eq!(list.status, StatusCode::OK);
    assert_eq!(streamed.stream("all").await.0, StatusCode::OK);
    open.pop();
    assert_eq!(streamed.stream("one").await.0, StatusCode::OK);
}
