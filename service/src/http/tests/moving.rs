//! What a call starts, moves or leaves alone, by every way in: the table of `docs/design/gate.md`.

use axum::http::StatusCode;
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use serinus_openapi::analysis::timestamp;

use super::ask::{Answered, TestServer};
use crate::clock::{Clock, SystemClock};

const GATE: &str = "/v1/pipelines/checkout/stages";

async fn post_gate(server: &TestServer, stage: &str, body: Value) -> Answered {
    let path = format!("{GATE}/{stage}/gate");
    server.post(&path, body.to_string()).await
}

async fn get_gate(server: &TestServer, stage: &str, query: &str) -> Answered {
    server.get(&format!("{GATE}/{stage}/gate?{query}")).await
}

/// Status, and the problem's type or the reason's code.
fn told(answered: &Answered) -> (u16, String) {
    let body = answered.json();
    let word = match body["type"].as_str() {
        Some(problem) => problem.trim_start_matches("urn:serinus:problem:"),
        None => body["reason_code"].as_str().unwrap_or_default(),
    };
    (answered.status.as_u16(), word.to_owned())
}

async fn rollouts(server: &TestServer) -> Vec<Value> {
    let list = server.get("/v1/rollouts?limit=200").await.json();
    list["rollouts"].as_array().unwrap().clone()
}

fn in_time(delta: TimeDelta) -> DateTime<Utc> {
    timestamp(SystemClock.now_ms()) + delta
}

#[tokio::test]
async fn a_get_starts_the_first_stage_only() {
    let server = TestServer::new().await;
    for stage in ["second.1", "second.2"] {
        let answered = get_gate(&server, stage, "key=a").await;
        assert_eq!(told(&answered), (404, "no-such-rollout".to_owned()));
        let detail = answered.json()["detail"].as_str().unwrap().to_owned();
        assert!(
            detail.ends_with("POST to this address starts it there"),
            "{detail}"
        );
    }
    assert_eq!(rollouts(&server).await, [] as [Value; 0]);
    assert_eq!(
        get_gate(&server, "first", "key=a").await.status,
        StatusCode::OK
    );
    assert_eq!(rollouts(&server).await.len(), 1);
}

/// It moved the rollout for good, and the stage that was left held as `still_collecting` for ever.
#[tokio::test]
async fn a_get_of_a_later_stage_moves_nothing() {
    let server = TestServer::new().await;
    post_gate(&server, "first", json!({"key": "a"})).await;
    for stage in ["second.1", "second.2"] {
        let answered = get_gate(&server, stage, "key=a").await;
        assert_eq!(told(&answered), (200, "not_reached".to_owned()));
        assert_eq!(rollouts(&server).await[0]["stage"], "first");
    }
}

#[tokio::test]
async fn a_post_goes_on_and_says_once_what_it_left() {
    let server = TestServer::new().await;
    post_gate(&server, "first", json!({"key": "a"})).await;
    // An empty POST with a query is a POST.
    let path = format!("{GATE}/second.2/gate?key=a");
    let reason = |answered: &Answered| {
        let reason = answered.json()["gate"]["reason"]
            .as_str()
            .unwrap()
            .to_owned();
        reason.ends_with("; second.2 begins without first, second.1")
    };
    assert!(reason(&server.post(&path, "").await));
    assert!(!reason(&server.post(&path, "").await));
    for stage in ["first", "second.1"] {
        let answered = get_gate(&server, stage, "key=a").await;
        assert_eq!(told(&answered), (200, "left".to_owned()));
    }
    let begun = post_gate(&server, "second.1", json!({"key": "b"})).await;
    let begun = begun.json()["gate"]["reason"].as_str().unwrap().to_owned();
    assert!(
        begun.ends_with("; second.1 begins without first"),
        "{begun}"
    );
}

#[tokio::test]
async fn advance_refuses_the_stage_it_is_at_and_those_before() {
    let server = TestServer::new().await;
    let started = post_gate(&server, "second.1", json!({"key": "a"}))
        .await
        .json();
    let advance = format!(
        "/v1/rollouts/{}/advance",
        started["rollout"].as_str().unwrap()
    );
    for stage in ["first", "second.1"] {
        let body = json!({"stage": stage}).to_string();
        let answered = server.post_as("application/json", &advance, body).await;
        assert_eq!(
            told(&answered),
            (409, "rollout-conflict".to_owned()),
            "{stage}"
        );
    }
    assert_eq!(server.post(&advance, "").await.status, StatusCode::OK);
    assert_eq!(server.post(&advance, "").await.status, StatusCode::CONFLICT);
}

/// Held for ever (2099), or promoted at once by data from before the traffic moved (1970).
#[tokio::test]
async fn a_start_that_cannot_be_is_refused_by_every_way_in() {
    let server = TestServer::new().await;
    let began = in_time(TimeDelta::minutes(-30));
    let known = json!({"key": "known", "start": began});
    let known = post_gate(&server, "first", known).await.json();
    let advance = format!(
        "/v1/rollouts/{}/advance",
        known["rollout"].as_str().unwrap()
    );
    let before = rollouts(&server).await;
    for bad in [
        json!("2099-01-01T00:00:00Z"),
        json!(in_time(TimeDelta::seconds(60))),
        json!("1970-01-01T00:00:00Z"),
        json!(in_time(TimeDelta::hours(-27))),
        json!(began),
        json!(began - TimeDelta::seconds(1)),
    ] {
        let of_a_first_stage = bad != json!(began) && bad != json!(began - TimeDelta::seconds(1));
        let mut answers = vec![
            post_gate(&server, "second.1", json!({"key": "known", "start": bad})).await,
            server
                .post(&advance, json!({"start": bad}).to_string())
                .await,
        ];
        if of_a_first_stage {
            let text = bad.as_str().unwrap().replace('+', "%2B");
            answers.extend([
                post_gate(&server, "first", json!({"key": "new", "start": bad})).await,
                get_gate(&server, "first", &format!("key=new&start={text}")).await,
                post_gate(&server, "second.2", json!({"key": "new", "start": bad})).await,
                server
                    .post(
                        "/v1/rollouts",
                        json!({"pipeline": "checkout", "key": "new", "start": bad}).to_string(),
                    )
                    .await,
            ]);
        }
        for answered in &answers {
            assert_eq!(
                told(answered),
                (400, "invalid-window".to_owned()),
                "{bad}: {}",
                answered.body
            );
        }
        assert_eq!(rollouts(&server).await, before, "{bad}");
    }
    // A clock that is a little ahead.
    let ahead = json!({"key": "ahead", "start": in_time(TimeDelta::seconds(20))});
    assert_eq!(
        post_gate(&server, "first", ahead).await.status,
        StatusCode::OK
    );
}

#[tokio::test]
async fn a_key_is_cancelled_by_name_and_nothing_that_is_over_changes() {
    let server = TestServer::new().await;
    let cancel = "/v1/pipelines/checkout/cancel?key=a";
    let unknown = server.post(cancel, "").await;
    assert_eq!(told(&unknown), (404, "no-such-rollout".to_owned()));
    let rollout = post_gate(&server, "first", json!({"key": "a"}))
        .await
        .json();
    let rollout = rollout["rollout"].as_str().unwrap().to_owned();
    for body in ["", "ignored", "{\"key\": \"a\", \"more\": 1}"] {
        let answered = server.post(cancel, body).await;
        assert_eq!(answered.status, StatusCode::OK, "{}", answered.body);
        assert_eq!(answered.json()["state"], "cancelled");
        assert_eq!(answered.json()["rollout"], rollout.as_str());
    }
    // Orca calls it after a rollback too, and must not free the key.
    let failed = post_gate(&server, "first", json!({"key": "b"}))
        .await
        .json();
    let decide = format!(
        "/v1/rollouts/{}/override",
        failed["rollout"].as_str().unwrap()
    );
    let verdict = json!({"verdict": "rollback", "reason": "it fails"}).to_string();
    assert_eq!(server.post(&decide, verdict).await.status, StatusCode::OK);
    let by_body = json!({"key": "b"}).to_string();
    let answered = server.post("/v1/pipelines/checkout/cancel", by_body).await;
    assert_eq!(answered.json()["state"], "rolled_back");
    let again = post_gate(&server, "first", json!({"key": "b"}))
        .await
        .json();
    assert_eq!(again["verdict"], "rollback");
}

/// Whoever looks for the one that was rolled back would have to open every one.
#[tokio::test]
async fn a_list_tells_of_each_what_its_own_state_tells() {
    let server = TestServer::new().await;
    let mut started = Vec::new();
    for key in ["open", "decided", "cancelled", "dry"] {
        let body = json!({"key": key, "dry_run": key == "dry"});
        let answered = post_gate(&server, "first", body).await.json();
        started.push(answered["rollout"].as_str().unwrap().to_owned());
    }
    let decision = json!({"verdict": "rollback", "reason": "its pages are blank"});
    let path = |at: usize, action: &str| format!("/v1/rollouts/{}/{action}", started[at]);
    let json = "application/json";
    let decided = server
        .post_as(json, &path(1, "override"), decision.to_string())
        .await;
    assert_eq!(decided.status, StatusCode::OK);
    assert_eq!(
        server.post(&path(2, "cancel"), "").await.status,
        StatusCode::OK
    );
    let list = rollouts(&server).await;
    assert_eq!(list.len(), 4);
    for listed in &list {
        let id = listed["rollout"].as_str().unwrap();
        let shown = server.get(&format!("/v1/rollouts/{id}")).await.json();
        for field in ["verdict", "reason_code", "state", "stage", "dry_run"] {
            assert_eq!(listed[field], shown[field], "{field}: {listed}");
        }
        let gate_says = shown["gate"]["reason"].as_str().unwrap();
        assert_eq!(listed["reason"], gate_says, "{listed}");
    }
    assert_eq!(list[2]["verdict"], "rollback");
    assert_eq!(list[2]["reason_code"], "override");
}
