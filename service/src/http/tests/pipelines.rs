//! Pipelines that are put, and everything that reads them.

use axum::body::Body;
use axum::http::{Request, StatusCode};
use serde_json::json;

use super::ask::{Answered, PIPELINE, TestServer};

const SHOP: &str = "/v1/pipelines/shop";

async fn put(server: &TestServer, path: &str, body: &str) -> Answered {
    let request = Request::put(path).header("content-type", "application/yaml");
    server
        .ask(request.body(Body::from(body.to_owned())).unwrap())
        .await
}

async fn delete(server: &TestServer, path: &str) -> Answered {
    let request = Request::delete(path).body(Body::empty()).unwrap();
    server.ask(request).await
}

fn is_problem(answered: &Answered, status: u16, token: &str) {
    let problem = answered.json();
    assert_eq!(answered.status.as_u16(), status, "{problem}");
    assert_eq!(answered.header("content-type"), "application/problem+json");
    assert_eq!(problem["type"], format!("urn:serinus:problem:{token}"));
}

#[tokio::test]
async fn what_is_put_is_found_everywhere_until_it_is_deleted() {
    let server = TestServer::new().await;
    let created = put(&server, SHOP, PIPELINE).await;
    assert_eq!(created.status, StatusCode::CREATED, "{}", created.body);
    assert_eq!(created.json()["name"], "shop");
    let replaced = put(&server, SHOP, PIPELINE).await;
    assert_eq!(replaced.status, StatusCode::OK);

    let shown = server.get(SHOP).await;
    assert_eq!(shown.json(), replaced.json());
    assert_eq!(shown.json()["stages"].as_array().unwrap().len(), 3);
    assert!(shown.json()["put_at"].is_string());
    assert!(shown.json().get("file").is_none());
    let list = server.get("/v1/pipelines").await.json();
    assert_eq!(list["pipelines"][0]["file"], "checkout.yaml");
    assert!(list["pipelines"][0].get("put_at").is_none());
    assert_eq!(list["pipelines"][1]["name"], "shop");

    let asked = json!({"pipeline": "shop", "stage": "first"}).to_string();
    let analysed = server.post("/v1/analyses", asked).await;
    assert_eq!(analysed.json()["pipeline"], "shop");
    let named = json!({"pipeline": "shop"}).to_string();
    let validated = server.post("/v1/pipelines/validate", named).await;
    assert_eq!(validated.json()["valid"], true);
    let gate = server
        .get("/v1/pipelines/shop/stages/first/gate?key=6d4f9.7")
        .await;
    assert_eq!(gate.status, StatusCode::OK);
    assert_eq!(gate.json()["verdict"], "hold");

    let deleted = delete(&server, SHOP).await;
    assert_eq!((deleted.status, deleted.bytes), (StatusCode::NO_CONTENT, 0));
    is_problem(&delete(&server, SHOP).await, 404, "unknown-pipeline");
    is_problem(&server.get(SHOP).await, 404, "unknown-pipeline");
    // A rollout that runs keeps the text that it was started with.
    let again = server
        .get("/v1/pipelines/shop/stages/second.1/gate?key=6d4f9.7")
        .await;
    assert_eq!(again.json()["rollout"], gate.json()["rollout"]);
    let other = server
        .get("/v1/pipelines/shop/stages/first/gate?key=6d4f9.8")
        .await;
    is_problem(&other, 404, "unknown-pipeline");
}

#[tokio::test]
async fn a_pipeline_is_put_in_every_form_that_is_validated() {
    let server = TestServer::new().await;
    let object = json!({"canary_pipeline": {"only": {
        "traffic_percent": 1, "duration_minutes": 1, "metrics": ["error_rate < 0.1"]}}});
    let bodies = [
        json!({ "pipeline": object }),
        json!({"pipeline_yaml": format!("name: shop\n{PIPELINE}")}),
    ];
    for body in bodies {
        let request = Request::put(SHOP).body(Body::from(body.to_string()));
        let answered = server.ask(request.unwrap()).await;
        assert!(answered.status.is_success(), "{}", answered.body);
        assert_eq!(server.get(SHOP).await.json(), answered.json());
    }
}

#[tokio::test]
async fn a_good_pipeline_is_told_with_what_makes_it_harmless() {
    let server = TestServer::new().await;
    let text = format!("dry_run: true\n{PIPELINE}");
    let validated = server
        .post_as("application/yaml", "/v1/pipelines/validate", text)
        .await;
    let first = &validated.json()["remarks"][0];
    assert_eq!(first["code"], "dry_run");
    assert_eq!(first["level"], "note");
    assert!(first.get("stages").is_none(), "it is about all of them");
}

#[tokio::test]
async fn mistakes_are_told_as_the_validation_tells_them_and_nothing_is_kept() {
    let server = TestServer::new().await;
    let text = "canary_pipeline:\n  first: {trafic_percent: 5}\n";
    let refused = put(&server, SHOP, text).await;
    is_problem(&refused, 422, "invalid-pipeline");
    let validated = server
        .post_as("application/yaml", "/v1/pipelines/validate", text)
        .await;
    let diagnostics = &validated.json()["diagnostics"];
    assert_eq!(refused.json()["diagnostics"], *diagnostics);
    assert_eq!(diagnostics[0]["line"], 2);
    is_problem(&server.get(SHOP).await, 404, "unknown-pipeline");

    let named = format!("name: other\n{PIPELINE}");
    let refused = put(&server, SHOP, &named).await;
    is_problem(&refused, 400, "invalid-request");
    assert!(refused.body.contains("/v1/pipelines/other"), "{refused:?}");
    let refused = put(&server, "/v1/pipelines/Shop", PIPELINE).await;
    is_problem(&refused, 400, "invalid-request");
    for body in [r#"{"pipeline": "checkout"}"#, "{}"] {
        let request = Request::put(SHOP).body(Body::from(body)).unwrap();
        is_problem(&server.ask(request).await, 400, "invalid-request");
    }
    let request = Request::put(SHOP).header("content-type", "text/html");
    let refused = server.ask(request.body(Body::from("x")).unwrap()).await;
    is_problem(&refused, 415, "unsupported-media-type");
}

#[tokio::test]
async fn what_a_file_defines_is_changed_in_the_file() {
    let server = TestServer::new().await;
    let path = "/v1/pipelines/checkout";
    for refused in [
        put(&server, path, PIPELINE).await,
        delete(&server, path).await,
    ] {
        is_problem(&refused, 409, "pipeline-conflict");
        assert!(refused.body.contains("checkout.yaml"), "{refused:?}");
    }
}

#[tokio::test]
async fn while_the_store_is_away_nothing_is_put_and_what_was_put_still_counts() {
    let server = TestServer::new().await;
    put(&server, SHOP, PIPELINE).await;
    server.app.rollouts().store().clone().close().await;
    let refused = put(&server, SHOP, PIPELINE).await;
    is_problem(&refused, 503, "store-unavailable");
    is_problem(&delete(&server, SHOP).await, 503, "store-unavailable");
    assert_eq!(server.get(SHOP).await.status, StatusCode::OK);
    let gate = "/v1/pipelines/shop/stages/first/gate?key=6d4f9.7";
    let held = server.get(gate).await;
    assert_eq!(held.status, StatusCode::OK);
    assert_eq!(held.json()["reason_code"], "store_unavailable");
}
