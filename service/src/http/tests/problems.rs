//! Every problem document, word for word.

use axum::body::Body;
use axum::http::Request;
use serde_json::json;

use super::ask::{Answered, TestServer};

const ANALYSES: &str = "/v1/analyses";

/// The parts of a problem that are its contract, as one text.
fn told(answered: &Answered) -> String {
    assert_eq!(answered.header("content-type"), "application/problem+json");
    assert_eq!(answered.header("cache-control"), "no-store");
    assert!(!answered.header("x-request-id").is_empty());
    let problem = answered.json();
    assert_eq!(problem["status"], answered.status.as_u16());
    serde_json::to_string_pretty(&problem).unwrap()
}

macro_rules! problem {
    ($name:ident, $server:ident => $answered:expr) => {
        #[tokio::test]
        async fn $name() {
            let $server = TestServer::new().await;
            let answered: Answered = $answered.await;
            insta::assert_snapshot!(told(&answered));
        }
    };
}

problem!(malformed_json, s => s.post(ANALYSES, "{\"pipeline\": \"checkout\",\n  \"stage\"}"));
problem!(empty_body, s => s.post(ANALYSES, " \n"));
problem!(not_an_object, s => s.post(ANALYSES, "3"));
problem!(unknown_field, s => s.post(ANALYSES, "{\"pipeline\": \"checkout\", \"stgae\": \"first\"}"));
problem!(wrong_type, s => s.post(ANALYSES, json!({"pipeline": "checkout", "stage": 2}).to_string()));
problem!(not_a_time, s => s.post(ANALYSES, json!({"pipeline": "checkout", "end": "now"}).to_string()));
problem!(no_pipeline, s => s.post(ANALYSES, "{}"));
problem!(two_pipelines, s => s.post(
    ANALYSES, json!({"pipeline": "checkout", "pipeline_yaml": "a: 1"}).to_string()
));
problem!(unknown_pipeline, s => s.post(ANALYSES, json!({"pipeline": "chekout"}).to_string()));
problem!(unknown_pipeline_in_the_path, s => s.get("/v1/pipelines/chekout"));
problem!(unknown_stage, s => s.post(
    ANALYSES, json!({"pipeline": "checkout", "stage": "frist"}).to_string()
));
problem!(a_list_named_as_a_stage, s => s.post(
    ANALYSES, json!({"pipeline": "checkout", "stage": "second"}).to_string()
));
problem!(no_stage, s => s.post(ANALYSES, json!({"pipeline": "checkout"}).to_string()));
problem!(pipeline_text_with_mistakes, s => s.post(
    ANALYSES,
    json!({"pipeline_yaml": "canary_pipeline:\n  a:\n    trafic_percent: 5\n"}).to_string()
));
problem!(pipeline_object_with_mistakes, s => s.post(
    ANALYSES,
    "{\n  \"pipeline\": {\"canary_pipeline\": {\n    \"a\": {\"trafic_percent\": 5}}}}"
));
problem!(label_that_is_none, s => s.post(
    ANALYSES,
    json!({"pipeline": "checkout", "stage": "first", "canary": {"a-b": "x"}}).to_string()
));
problem!(unknown_operator, s => s.post(
    ANALYSES,
    json!({"pipeline": "checkout", "stage": "first", "canary": {"a": {"~=": "x"}}}).to_string()
));
problem!(unknown_source, s => s.post(
    ANALYSES,
    json!({"pipeline": "checkout", "stage": "first", "source": "defalt"}).to_string()
));
problem!(population_that_selects_everything, s => s.post(
    ANALYSES, json!({"pipeline": "checkout", "stage": "first", "canary": {}}).to_string()
));
problem!(the_same_population_twice, s => s.post(
    ANALYSES,
    json!({"pipeline": "checkout", "stage": "first", "canary": {"track": "stable"}}).to_string()
));
problem!(regular_expression_that_is_none, s => s.post(
    ANALYSES,
    json!({"pipeline": "checkout", "stage": "first", "canary": {"pod": {"=~": "web-(.*"}}})
        .to_string()
));
problem!(inverted_window, s => s.post(
    ANALYSES,
    json!({
        "pipeline": "checkout", "stage": "first",
        "start": "2026-01-02T00:00:00Z", "end": "2026-01-01T00:00:00Z"
    })
    .to_string()
));
problem!(body_that_is_no_text, s => s.post(ANALYSES, vec![b'{', 0xff]));
problem!(body_too_large, s => s.post(ANALYSES, " ".repeat(2_001)));
problem!(body_that_says_it_is_too_large, s => s.ask(
    Request::post(ANALYSES).header("content-length", "2001").body(Body::empty()).unwrap()
));
problem!(media_type_of_a_form, s => s.post_as(
    "application/x-www-form-urlencoded", ANALYSES, "{}"
));
problem!(yaml_for_an_analysis, s => s.post_as("application/yaml", ANALYSES, "a: 1"));
problem!(media_type_for_validation, s => s.post_as("image/png", "/v1/pipelines/validate", "x"));
problem!(nothing_here, s => s.get("/v2/analyses"));
problem!(unknown_page, s => s.get("/docs/no-such-page.js"));
problem!(path_that_is_no_text, s => s.get("/v1/pipelines/%ff"));

#[tokio::test]
async fn wrong_method_names_the_right_ones() {
    let answered = TestServer::new().await.get(ANALYSES).await;
    assert_eq!(answered.header("allow"), "POST");
    insta::assert_snapshot!(told(&answered));
}

#[tokio::test]
async fn a_body_that_does_not_arrive_in_time() {
    let server = TestServer::new().await;
    let body = Body::new(super::behaviour::NeverEnding);
    let answered = server.post(ANALYSES, body).await;
    insta::assert_snapshot!(told(&answered));
}
