//! `/readyz` and `/metrics`.

use std::fs;

use axum::body::Body;
use axum::http::{Request, StatusCode};

use super::ask::TestServer;
use crate::http::{Limits, layers};

const NOWHERE: &str = "http://127.0.0.1:1";

#[tokio::test]
async fn a_required_check_that_is_not_well_makes_the_server_unready() {
    let check = |message: &'static str| -> crate::http::CheckFunction {
        Box::new(move || {
            Box::pin(async move {
                if message.is_empty() {
                    Ok(())
                } else {
                    Err(message.to_owned().into())
                }
            })
        })
    };
    let server = TestServer::built(NOWHERE, Limits::default(), |app, _| {
        app.with_check("disk", true, check("it is full: make room"))
            .with_check("mirror", false, check("it runs behind"))
            .with_check("fine", true, check(""))
    })
    .await;
    let answered = server.get("/readyz").await;
    assert_eq!(answered.status, StatusCode::SERVICE_UNAVAILABLE);
    let ready = answered.json();
    assert_eq!(ready["status"], "not_ready");
    let found = |name: &str| {
        let checks = ready["checks"].as_array().unwrap();
        checks
            .iter()
            .find(|check| check["name"] == name)
            .cloned()
            .unwrap_or_else(|| panic!("{ready}"))
    };
    assert_eq!(found("disk")["ok"], false);
    assert_eq!(found("disk")["message"], "it is full: make room");
    assert_eq!(found("fine")["ok"], true);
    // The store that every service has.
    assert_eq!(found("store")["ok"], true);
    assert_eq!(found("store")["required"], false);
    let metrics = server.get("/metrics").await.body;
    assert!(metrics.contains("serinus_ready 0\n"), "{metrics}");
    assert!(metrics.contains("serinus_ready_check{check=\"disk\"} 0\n"));
    assert!(metrics.contains("serinus_ready_check{check=\"fine\"} 1\n"));
    let warned = TestServer::built(NOWHERE, Limits::default(), |app, _| {
        app.with_check("mirror", false, check("it runs behind"))
    })
    .await;
    assert_eq!(warned.get("/readyz").await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_broken_pipeline_is_a_warning_that_quotes_nothing_of_it() {
    let server = TestServer::new().await;
    let path = server.folder.path().join("broken.yaml");
    fs::write(path, "canary_pipeline: hunter2").unwrap();
    server.app.pipelines().folder().look();
    let answered = server.get("/readyz").await;
    assert_eq!(answered.status, StatusCode::OK);
    let check = &answered.json()["checks"][2];
    assert_eq!(check["name"], "pipelines");
    assert_eq!(check["ok"], false);
    assert_eq!(check["required"], false);
    assert!(check["message"].as_str().unwrap().contains("mistakes: 1"));
    assert!(!answered.body.contains("hunter2"));
}

#[tokio::test]
async fn requests_are_counted_by_the_template_of_their_route() {
    let server = TestServer::new().await;
    server.get("/v1/pipelines/checkout").await;
    server.get("/v1/pipelines/checkout/?a=b").await;
    server.get("/v1/pipelines/nobody").await;
    server.get("/no/such/path").await;
    let strange = Request::builder()
        .method("BREW")
        .uri("/v1/pipelines")
        .body(Body::empty())
        .unwrap();
    server.ask(strange).await;
    let answered = server.get("/metrics").await;
    assert_eq!(
        answered.header("content-type"),
        "application/openmetrics-text; version=1.0.0; charset=utf-8"
    );
    let template = "route=\"/v1/pipelines/{pipeline}\",method=\"GET\"";
    for line in [
        format!("serinus_http_requests_total{{{template},status=\"200\"}} 2"),
        format!("serinus_http_requests_total{{{template},status=\"404\"}} 1"),
        format!("serinus_http_request_duration_seconds_count{{{template}}} 3"),
        "serinus_http_requests_total{route=\"unmatched\",method=\"GET\",status=\"404\"} 1"
            .to_owned(),
        "serinus_http_requests_total{route=\"/v1/pipelines\",method=\"other\",status=\"405\"} 1"
            .to_owned(),
        // The scrape itself is not answered yet, and is one of the others.
        "serinus_http_requests_in_flight{class=\"other\"} 1".to_owned(),
        "serinus_http_requests_in_flight{class=\"gate\"} 0".to_owned(),
        "serinus_pipelines 1".to_owned(),
        "serinus_ready 1".to_owned(),
    ] {
        assert!(
            answered.body.lines().any(|found| found == line),
            "{line}\n{}",
            answered.body
        );
    }
    assert!(!answered.body.contains("/no/such/path"));
}

#[tokio::test]
async fn a_panic_is_counted_as_a_500() {
    let server = TestServer::new().await;
    let routes = axum::Router::new().route(
        "/boom",
        axum::routing::get(async || -> &'static str { panic!("boom") }),
    );
    let router = layers::around(routes, server.app.clone());
    let request = Request::get("/boom").body(Body::empty()).unwrap();
    tower::ServiceExt::oneshot(router, request).await.unwrap();
    let metrics = server.get("/metrics").await.body;
    assert!(
        metrics.contains("method=\"GET\",status=\"500\"} 1"),
        "{metrics}"
    );
}

#[tokio::test]
async fn analyses_and_queries_are_counted() {
    let server = TestServer::new().await;
    let body = "{\"pipeline\": \"checkout\", \"stage\": \"first\"}";
    server.post("/v1/analyses", body).await;
    let metrics = server.get("/metrics").await.body;
    assert!(
        metrics.contains("serinus_verdicts_total{verdict=\"hold\"} 1"),
        "{metrics}"
    );
    let refused = "serinus_source_queries_total{source=\"default\",outcome=\"source_unavailable\"}";
    assert!(metrics.contains(refused), "{metrics}");
    assert!(metrics.contains("serinus_source_query_duration_seconds_count{source=\"default\"}"));
}

#[tokio::test]
async fn the_open_verdicts_are_told_at_each_scrape() {
    let server = TestServer::new().await;
    let gate = "/v1/pipelines/checkout/stages/first/gate?key=6d4f9.7";
    let before = server.get("/metrics").await.body;
    assert!(!before.contains("serinus_verdict{"), "{before}");
    let called = server.get(gate).await.json();
    let labels = "{pipeline=\"checkout\",stage=\"first\",key=\"6d4f9.7\"}";
    let held = server.get("/metrics").await.body;
    assert!(
        held.contains(&format!("serinus_verdict{labels} 0\n")),
        "{held}"
    );
    assert!(held.contains(&format!("serinus_evaluated_timestamp_seconds{labels} ")));
    let id = called["rollout"].as_str().unwrap();
    let body = "{\"verdict\": \"rollback\", \"reason\": \"a test\"}";
    server
        .post(&format!("/v1/rollouts/{id}/override"), body)
        .await;
    let ended = server.get("/metrics").await.body;
    assert!(
        ended.contains(&format!("serinus_verdict{labels} -1\n")),
        "{ended}"
    );
}
