//! What is answered while nothing can be recorded.

use axum::http::StatusCode;
use serde_json::{Value, json};

use super::ask::{Answered, TestServer};

const FIRST: &str = "/v1/pipelines/checkout/stages/first/gate";
const SECOND: &str = "/v1/pipelines/checkout/stages/second.1/gate";

async fn decided(server: &TestServer, key: &str, verdict: &str) -> Value {
    let called = server.get(&format!("{FIRST}?key={key}")).await.json();
    let id = called["rollout"].as_str().unwrap();
    let body = json!({"verdict": verdict, "reason": "a test"}).to_string();
    let answered = server
        .post(&format!("/v1/rollouts/{id}/override"), body)
        .await;
    assert_eq!(answered.status, StatusCode::OK, "{}", answered.body);
    called["rollout"].clone()
}

fn holds(answered: &Answered) -> Value {
    assert_eq!(answered.status, StatusCode::OK, "{}", answered.body);
    let answer = answered.json();
    assert_eq!(answer["verdict"], "hold");
    assert_eq!(answer["gate"]["verdict"], "hold");
    assert_eq!(answer["reason_code"], "store_unavailable");
    assert!(!answer["progress"].as_str().unwrap().is_empty());
    answer
}

#[tokio::test]
async fn a_gate_holds_and_keeps_to_what_it_told_while_the_store_is_down() {
    let server = TestServer::new().await;
    let passed = decided(&server, "passed", "promote").await;
    decided(&server, "failed", "rollback").await;
    server.app.rollouts().store().clone().close().await;

    let told = server.get(&format!("{FIRST}?key=passed")).await.json();
    assert_eq!(told["verdict"], "promote");
    let told = server.get(&format!("{FIRST}?key=failed")).await.json();
    assert_eq!(told["verdict"], "rollback");
    let told = server.get(&format!("{SECOND}?key=failed")).await.json();
    assert_eq!(told["verdict"], "rollback");

    // To go on would have to be recorded; what is known of it is told.
    let answer = holds(&server.get(&format!("{SECOND}?key=passed")).await);
    assert_eq!(answer["rollout"], passed);
    assert_eq!(answer["progress"], "stage 2 of 3");
    assert!(answer["status_url"].is_string());

    let answer = holds(&server.get(&format!("{FIRST}?key=new")).await);
    assert_eq!(answer.get("rollout"), None);
    let answered = server
        .get("/v1/pipelines/other/stages/first/gate?key=new")
        .await;
    assert_eq!(answered.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_start_and_every_change_are_problems_while_the_store_is_down() {
    let server = TestServer::new().await;
    let id = server.get(&format!("{FIRST}?key=known")).await.json()["rollout"].clone();
    let id = id.as_str().unwrap();
    server.app.rollouts().store().clone().close().await;
    let changes = [
        (
            "/v1/rollouts".to_owned(),
            json!({"pipeline": "checkout", "key": "new"}),
        ),
        (
            format!("/v1/rollouts/{id}/override"),
            json!({"verdict": "rollback", "reason": "a test"}),
        ),
        (
            format!("/v1/rollouts/{id}/advance"),
            json!({"stage": "second.1"}),
        ),
        (
            format!("/v1/rollouts/{id}/cancel"),
            json!({"reason": "a test"}),
        ),
    ];
    for (path, body) in changes {
        let answered = server.post(&path, body.to_string()).await;
        assert_eq!(answered.status, StatusCode::SERVICE_UNAVAILABLE, "{path}");
        assert_eq!(answered.header("content-type"), "application/problem+json");
        let problem = answered.json();
        assert_eq!(problem["type"], "urn:serinus:problem:store-unavailable");
    }
}
