//! What a caller sends of a population is laid over the pipeline's, by every way in.

use axum::http::StatusCode;
use serde_json::{Value, json};

use super::ask::TestServer;

const GATE: &str = "/v1/pipelines/checkout/stages/first/gate";

async fn canary_of(server: &TestServer, rollout: &Value) -> Value {
    let path = format!("/v1/rollouts/{}", rollout.as_str().unwrap());
    server.get(&path).await.json()["canary"].clone()
}

#[tokio::test]
async fn the_pipelines_labels_stay_by_every_way_in() {
    let server = TestServer::new().await;
    let expected = json!({"track": "canary", "version": "v2"});
    let canary = json!({"version": "v2"});
    let post = async |path: &str, body: Value| server.post(path, body.to_string()).await.json();
    let hook = |key: &str| {
        json!({
            "name": "a", "namespace": "b", "checksum": key,
            "metadata": {"canary.version": "v2", "control.track": "stable"},
        })
    };
    for (way, answer) in [
        (
            "GET",
            server
                .get(&format!("{GATE}?key=a&canary.version=v2"))
                .await
                .json(),
        ),
        (
            "POST without a body",
            post_query(&server, "key=b&canary.version=v2").await,
        ),
        (
            "POST",
            post(GATE, json!({"key": "c", "canary": canary})).await,
        ),
        (
            "start",
            post(
                "/v1/rollouts",
                json!({"pipeline": "checkout", "key": "d", "canary": canary}),
            )
            .await,
        ),
        (
            "Flagger",
            post("/adapters/flagger/checkout/advance", hook("e")).await,
        ),
    ] {
        assert_eq!(
            canary_of(&server, &answer["rollout"]).await,
            expected,
            "{way}"
        );
    }
    let body = json!({"pipeline": "checkout", "stage": "first", "canary": canary});
    let analysis = post("/v1/analyses", body).await;
    let queries = analysis["inputs"]["queries"].to_string();
    assert!(queries.contains("version=\\\"v2\\\""), "{queries}");
    assert!(queries.contains("track="), "{queries}");
}

async fn post_query(server: &TestServer, query: &str) -> Value {
    server.post(&format!("{GATE}?{query}"), "").await.json()
}

#[tokio::test]
async fn a_label_is_taken_away_only_where_the_caller_says_so() {
    let server = TestServer::new().await;
    let expected = json!({"version": "v2"});
    let query = "key=a&canary.track!=&canary.version=v2";
    let answer = server.get(&format!("{GATE}?{query}")).await.json();
    assert_eq!(canary_of(&server, &answer["rollout"]).await, expected);
    let body = json!({"key": "b", "canary": {"track": null, "version": "v2"}});
    let answer = server.post(GATE, body.to_string()).await.json();
    assert_eq!(canary_of(&server, &answer["rollout"]).await, expected);
    // Without any label everything would be judged.
    let answered = server.get(&format!("{GATE}?key=c&canary.track!=")).await;
    assert_eq!(answered.status, StatusCode::BAD_REQUEST);
    assert!(
        answered.body.contains("nothing selects the canary"),
        "{}",
        answered.body
    );
}

#[tokio::test]
async fn a_later_call_may_name_some_labels_and_change_none() {
    let server = TestServer::new().await;
    let call = async |query: &str| server.get(&format!("{GATE}?key=a{query}")).await;
    let first = call("&canary.version=v2&canary.job=checkout").await;
    assert_eq!(first.status, StatusCode::OK, "{}", first.body);
    for agrees in [
        "",
        "&canary.version=v2",
        "&canary.track=canary",
        "&control.track=stable&canary.job=checkout&canary.version=v2",
        "&canary.zone!=",
    ] {
        assert_eq!(call(agrees).await.status, StatusCode::OK, "{agrees}");
    }
    for differs in [
        "&canary.version=v3",
        "&canary.job!=",
        "&canary.version=~v2",
        "&canary.zone=a",
        "&control.version=v1",
    ] {
        let answered = call(differs).await;
        assert_eq!(answered.status, StatusCode::CONFLICT, "{differs}");
        let problem = answered.json();
        assert_eq!(problem["type"], "urn:serinus:problem:populations-differ");
    }
}

#[tokio::test]
async fn more_labels_than_a_population_may_have_are_refused_together_with_the_pipelines() {
    let server = TestServer::new().await;
    let labels = |count: usize| -> String {
        let labels = (0..count).map(|index| format!("&canary.l{index}=x"));
        labels.collect()
    };
    let answered = server.get(&format!("{GATE}?key=a{}", labels(31))).await;
    assert_eq!(answered.status, StatusCode::OK, "{}", answered.body);
    let answered = server.get(&format!("{GATE}?key=b{}", labels(32))).await;
    assert_eq!(answered.status, StatusCode::BAD_REQUEST);
    assert!(
        answered.body.contains("names 33 labels"),
        "{}",
        answered.body
    );
}
