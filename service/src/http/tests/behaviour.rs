//! What is right: answers, headers, slashes, pages.

use std::fs;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{Request, StatusCode};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::body::Frame;
use serde_json::json;
use serinus_openapi::analysis::timestamp;
use sha2::{Digest, Sha256};

use super::ask::{PIPELINE, TestServer};
use crate::clock::{Clock, SystemClock};
use crate::http::{Limits, layers};

/// A body that never says anything.
pub(super) struct NeverEnding;

impl hyper::body::Body for NeverEnding {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        _context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, std::io::Error>>> {
        Poll::Pending
    }
}

#[tokio::test]
async fn a_panic_is_a_problem_and_never_a_200() {
    let server = TestServer::new().await;
    let routes = axum::Router::new().route(
        "/boom",
        axum::routing::get(async || -> &'static str { panic!("boom") }),
    );
    let router = layers::around(routes, server.app.clone());
    let request = Request::get("/boom").body(Body::empty()).unwrap();
    let response = tower::ServiceExt::oneshot(router, request).await.unwrap();
    assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(
        response.headers()["content-type"],
        "application/problem+json"
    );
    assert!(response.headers().contains_key("x-request-id"));
}

#[tokio::test]
async fn machine_paths_answer_with_and_without_a_slash() {
    let server = TestServer::new().await;
    for path in [
        "/healthz",
        "/readyz",
        "/openapi.json",
        "/v1/pipelines",
        "/v1/pipelines/checkout",
    ] {
        for path in [path.to_owned(), format!("{path}/"), format!("{path}/?a=b")] {
            let answered = server.get(&path).await;
            assert_eq!(answered.status, StatusCode::OK, "{path}");
            assert!(
                answered
                    .header("content-type")
                    .starts_with("application/json")
            );
        }
    }
    let answered = server
        .post("/v1/pipelines/validate/", "{\"pipeline_yaml\": \"\"}")
        .await;
    assert_eq!(answered.status, StatusCode::OK);
}

#[tokio::test]
async fn the_callers_request_id_comes_back_if_it_is_a_plain_one() {
    let server = TestServer::new().await;
    let with_id = async |id: &str| {
        let request = Request::get("/healthz").header("x-request-id", id);
        server.ask(request.body(Body::empty()).unwrap()).await
    };
    assert_eq!(with_id("abc-1").await.header("x-request-id"), "abc-1");
    let made = with_id("a\"b").await;
    assert_eq!(made.header("x-request-id").len(), 36);
}

#[tokio::test]
async fn readiness_ends_when_the_server_stops_and_health_does_not() {
    let server = TestServer::new().await;
    let ready = server.get("/readyz").await;
    assert_eq!(
        ready.json(),
        json!({"status": "ready", "sources": ["default"], "pipelines": 1, "checks": [
            {"name": "running", "ok": true, "required": true},
            {"name": "store", "ok": true, "required": false},
            {"name": "pipelines", "ok": true, "required": false},
            {"name": "tokens", "ok": true, "required": false},
            {"name": "tasks", "ok": true, "required": true},
            {"name": "clock", "ok": true, "required": false},
        ]})
    );
    server.app.drain();
    let draining = server.get("/readyz").await;
    assert_eq!(draining.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(draining.json()["status"], "draining");
    assert_eq!(draining.json()["checks"][0]["ok"], false);
    assert_eq!(server.get("/healthz").await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_pipeline_is_looked_through_as_yaml_and_as_json() {
    let server = TestServer::new().await;
    let path = "/v1/pipelines/validate";
    let as_yaml = server.post_as("text/yaml", path, PIPELINE).await.json();
    let body = json!({ "pipeline_yaml": PIPELINE }).to_string();
    let as_json = server.post(path, body).await.json();
    assert_eq!(as_yaml, as_json);
    assert_eq!(as_yaml["valid"], true);
    let ids: Vec<_> = as_yaml["pipeline"]["stages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|stage| stage["id"].as_str().unwrap())
        .collect();
    assert_eq!(ids, ["first", "second.1", "second.2"]);
}

#[tokio::test]
async fn the_order_of_an_inline_pipeline_is_kept() {
    let server = TestServer::new().await;
    let body = r#"{"pipeline": {"canary_pipeline": {
        "z": {"traffic_percent": 1, "duration_minutes": 1, "metrics": ["error_rate < 0.1"]},
        "a": {"traffic_percent": 2, "duration_minutes": 1, "metrics": ["error_rate < 0.1"]}}}}"#;
    let answer = server.post("/v1/pipelines/validate", body).await.json();
    assert_eq!(answer["pipeline"]["stages"][0]["id"], "z", "{answer}");
    assert_eq!(answer["pipeline"]["stages"][1]["id"], "a");
}

#[tokio::test]
async fn mistakes_are_an_answer_of_the_validation() {
    let server = TestServer::new().await;
    let answered = server
        .post_as(
            "application/yaml",
            "/v1/pipelines/validate",
            "canary_pipeline: 3",
        )
        .await;
    assert_eq!(answered.status, StatusCode::OK);
    let answer = answered.json();
    assert_eq!(answer["valid"], false);
    assert!(answer["diagnostics"][0]["line"].is_number());
    assert!(answer.get("pipeline").is_none());
}

#[tokio::test]
async fn a_broken_file_is_served_in_its_last_good_form_and_told() {
    let server = TestServer::new().await;
    fs::write(
        server.folder.path().join("checkout.yaml"),
        "canary_pipeline: 3",
    )
    .unwrap();
    server.app.pipelines().folder().look();
    let list = server.get("/v1/pipelines").await.json();
    assert_eq!(list["pipelines"][0]["name"], "checkout");
    assert_eq!(list["problems"][0]["file"], "checkout.yaml");
    let detail = server.get("/v1/pipelines/checkout").await.json();
    assert_eq!(detail["stages"].as_array().unwrap().len(), 3);
    assert!(detail["problem"]["diagnostics"][0]["line"].is_number());
}

#[tokio::test]
async fn a_source_that_refuses_is_a_hold_and_never_stored() {
    let server = TestServer::new().await;
    let body = json!({"pipeline": "checkout", "stage": "first"}).to_string();
    let answered = server.post("/v1/analyses", body).await;
    assert_eq!(answered.status, StatusCode::OK);
    assert_eq!(answered.header("content-type"), "application/json");
    assert_eq!(answered.header("cache-control"), "no-store");
    let answer = answered.json();
    assert_eq!(answer["verdict"], "hold");
    assert_eq!(answer["gate"]["verdict"], "hold");
    assert_eq!(answer["reason_code"], "source_unavailable");
    assert_eq!(answer["stage"], "first");
    assert!(!answer["progress"].as_str().unwrap().is_empty());
    assert_eq!(answer["checks"][0]["outcome"], "no_data");
}

#[tokio::test]
async fn a_late_analysis_is_a_hold_within_the_time() {
    // Accepts connections and never answers: slower than the time for an analysis.
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    let limits = Limits {
        analysis_time: Duration::from_millis(200),
        ..Limits::default()
    };
    let server = TestServer::on(&url, limits).await;
    let body = json!({"pipeline": "checkout", "stage": "first"}).to_string();
    let started_at = tokio::time::Instant::now();
    let answered = server.post("/v1/analyses", body).await;
    assert!(started_at.elapsed() < Duration::from_secs(2));
    assert_eq!(answered.status, StatusCode::OK);
    let answer = answered.json();
    assert_eq!(answer["verdict"], "hold");
    assert_eq!(answer["reason_code"], "still_collecting");
    assert!(
        answer["inputs"]["digest"]
            .as_str()
            .unwrap()
            .starts_with("sha256:")
    );
}

#[tokio::test]
async fn an_analysis_that_waits_for_its_turn_is_a_hold_within_the_time() {
    let limits = Limits {
        analysis_time: Duration::from_millis(200),
        concurrent_analyses: 1,
        ..Limits::default()
    };
    let server = TestServer::with(limits).await;
    let _the_only_turn = server.app.analysis_turns().acquire().await.unwrap();
    let body = json!({"pipeline": "checkout", "stage": "first"}).to_string();
    let answer = server.post("/v1/analyses", body).await.json();
    assert_eq!(answer["reason_code"], "still_collecting");
}

#[tokio::test]
async fn a_pipeline_that_does_not_act_goes_by_the_clock_and_tells_the_truth_beside_it() {
    let server = TestServer::new().await;
    let yaml = format!("dry_run: true\n{PIPELINE}");
    for (hours, verdict) in [(2, "promote"), (0, "hold")] {
        let start = timestamp(SystemClock.now_ms()) - chrono::TimeDelta::minutes(hours * 60 + 10);
        let body = json!({"pipeline_yaml": yaml, "stage": "first", "start": start});
        let answer = server.post("/v1/analyses", body.to_string()).await.json();
        assert_eq!(answer["verdict"], verdict, "{answer}");
        assert_eq!(answer["gate"]["verdict"], verdict);
        assert_eq!(answer["true_verdict"], "hold");
        assert_eq!(answer["dry_run"], true);
    }
}

/// The one page that is open with tokens too: it is the same everywhere.
#[tokio::test]
async fn the_front_page_says_what_this_is_and_its_links_lead_somewhere() {
    let server = TestServer::new().await;
    let front = server.get("/").await;
    assert_eq!(front.status, StatusCode::OK);
    assert_eq!(front.header("content-type"), "text/html; charset=utf-8");
    for expected in ["canary", "docs/operations.md", env!("CARGO_PKG_VERSION")] {
        assert!(front.body.contains(expected), "no {expected}");
    }
    assert!(!front.body.contains("<script"), "{}", front.body);
    for placeholder in ["{style}", "{version}"] {
        assert!(!front.body.contains(placeholder), "{placeholder}");
    }
    let (_, style) = front.body.split_once("<style>").unwrap();
    let (style, _) = style.split_once("</style>").unwrap();
    let digest = STANDARD.encode(Sha256::digest(style));
    let policy = front.header("content-security-policy");
    assert!(
        policy.contains(&format!("style-src 'sha256-{digest}'")),
        "{policy}"
    );
    let links: Vec<_> = front.body.split("href=\"").skip(1).collect();
    assert_eq!(links.len(), 6);
    for link in links {
        let (path, _) = link.split_once('"').unwrap();
        let answered = server.get(&format!("/{path}")).await;
        assert_eq!(answered.status, StatusCode::OK, "{path}");
    }
}

#[tokio::test]
async fn the_pages_are_there_with_their_policy() {
    let server = TestServer::new().await;
    let redirect = server.get("/docs").await;
    assert_eq!(redirect.status, StatusCode::SEE_OTHER);
    assert_eq!(redirect.header("location"), "docs/");
    for page in [
        "",
        "index.html",
        "swagger-ui.css",
        "swagger-ui-bundle.js",
        "swagger-initializer.js",
    ] {
        let answered = server.get(&format!("/docs/{page}")).await;
        assert_eq!(answered.status, StatusCode::OK, "{page}");
        let policy = answered.header("content-security-policy");
        assert!(policy.contains("script-src 'self';"), "{policy}");
    }
    let viewport = "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">";
    for page in ["", "index.html"] {
        let index = server.get(&format!("/docs/{page}")).await.body;
        assert!(index.contains(viewport), "{index}");
        assert!(index.contains("swagger-ui-bundle.js"), "{index}");
    }
    let initializer = server.get("/docs/swagger-initializer.js").await.body;
    assert!(initializer.contains("../openapi.json"), "{initializer}");
    assert!(initializer.contains("\"tryItOutEnabled\": true"));
}

#[tokio::test]
async fn large_answers_are_compressed_for_those_who_ask() {
    let server = TestServer::new().await;
    let plain = server.get("/openapi.json").await;
    assert_eq!(plain.header("content-encoding"), "");
    let ask = |path: &str| {
        let request = Request::get(path).header("accept-encoding", "gzip");
        request.body(Body::empty()).unwrap()
    };
    let compressed = server.ask(ask("/openapi.json")).await;
    assert_eq!(compressed.header("content-encoding"), "gzip");
    assert!(compressed.bytes < plain.bytes / 2);
    let small = server.ask(ask("/healthz")).await;
    assert_eq!(small.header("content-encoding"), "");
}
