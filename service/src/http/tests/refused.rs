//! Who is turned away by every way in: pages of other sites, names that are not the server's, what is
//! no host at all, and templates that were not filled in. Nothing of it is recorded.

use std::collections::BTreeMap;

use axum::body::Body;
use axum::http::{Request, StatusCode};
use serde_json::{Value, json};

use super::ask::{Answered, PIPELINE, TestServer};
use crate::access::Access;
use crate::host::{Host, KnownHosts};
use crate::http::{App, Limits};

const GATE: &str = "/v1/pipelines/checkout/stages/first/gate";

/// A request that does something where it is let through: its name, method, path and body.
type Way = (&'static str, &'static str, String, String);

/// Every way in that can start, move or change something, or makes the server work.
fn ways(rollout: &str) -> Vec<Way> {
    let by_id = |action: &str| format!("/v1/rollouts/{rollout}/{action}");
    let start = json!({"pipeline": "checkout", "key": "new"}).to_string();
    let decide = json!({"verdict": "rollback", "reason": "a test"}).to_string();
    let hook = json!({"name": "a", "namespace": "b", "checksum": "c"}).to_string();
    let flagger = |hook: &str| format!("/adapters/flagger/checkout/{hook}");
    let none = String::new;
    let by_key = "/v1/pipelines/checkout/cancel?key=there".to_owned();
    let post = |name, path: String, body: String| (name, "POST", path, body);
    vec![
        ("gate by GET", "GET", format!("{GATE}?key=new"), none()),
        ("gate by HEAD", "HEAD", format!("{GATE}?key=new"), none()),
        post("gate by an empty POST", format!("{GATE}?key=new"), none()),
        post(
            "gate by POST",
            GATE.to_owned(),
            json!({"key": "new"}).to_string(),
        ),
        post("start", "/v1/rollouts".to_owned(), start),
        post("advance", by_id("advance"), none()),
        post("override", by_id("override"), decide),
        post("cancel", by_id("cancel"), none()),
        post("cancel by key", by_key, none()),
        post("Flagger advance", flagger("advance"), hook.clone()),
        post("Flagger rollback", flagger("rollback"), hook.clone()),
        post("Flagger promotion", flagger("promotion"), hook.clone()),
        post("Flagger event", flagger("event"), hook.clone()),
        post("Flagger finished", flagger("finished"), hook),
        post("analysis", "/v1/analyses".to_owned(), analysis()),
        post(
            "validation",
            "/v1/pipelines/validate".to_owned(),
            pipeline(),
        ),
        (
            "put a pipeline",
            "PUT",
            "/v1/pipelines/shop".to_owned(),
            pipeline(),
        ),
        (
            "delete a pipeline",
            "DELETE",
            "/v1/pipelines/put".to_owned(),
            none(),
        ),
    ]
}

fn pipeline() -> String {
    json!({"pipeline_yaml": PIPELINE}).to_string()
}

fn analysis() -> String {
    json!({"pipeline": "checkout", "stage": "first"}).to_string()
}

/// What only looks, for everybody.
const LOOKS: [&str; 7] = [
    "/v1/pipelines",
    "/v1/pipelines/checkout",
    "/v1/rollouts",
    "/metrics",
    "/openapi.json",
    "/docs",
    "/docs/index.html",
];

fn request(way: &Way, headers: &[(&str, &str)]) -> Request<Body> {
    let (_, method, path, body) = way;
    let mut request = Request::builder().method(*method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(Body::from(body.clone())).unwrap()
}

fn get(path: &str) -> Way {
    ("look", "GET", path.to_owned(), String::new())
}

/// The status, and the type of the problem where there is one.
fn told(answered: &Answered) -> String {
    let problem = serde_json::from_str::<Value>(&answered.body).ok();
    let kind = problem.and_then(|problem| {
        let uri = problem.get("type")?.as_str()?;
        uri.strip_prefix("urn:serinus:problem:").map(str::to_owned)
    });
    format!("{} {}", answered.status.as_u16(), kind.unwrap_or_default())
}

/// Everything that is recorded.
async fn recorded(server: &TestServer, rollout: &str) -> BTreeMap<String, Value> {
    let mut all = BTreeMap::new();
    for path in [
        "/v1/rollouts".to_owned(),
        "/v1/pipelines".to_owned(),
        format!("/v1/rollouts/{rollout}/events"),
    ] {
        let answered = server.get(&path).await;
        assert_eq!(answered.status, StatusCode::OK, "{path}");
        all.insert(path, answered.json());
    }
    all
}

/// A server with a rollout and a pipeline that was put.
async fn server() -> (TestServer, String) {
    let build = |app: App, _folder: &_| {
        let known = KnownHosts::default().and(Host::without_port("serinus.example"));
        app.with_access(Access::Everybody).with_hosts(known)
    };
    let server = TestServer::built("http://127.0.0.1:1", Limits::default(), build).await;
    let put = ("", "PUT", "/v1/pipelines/put".to_owned(), pipeline());
    let answered = server.ask(request(&put, &[])).await;
    assert!(answered.status.is_success(), "{}", answered.body);
    let started = json!({"pipeline": "checkout", "key": "there"}).to_string();
    let started = server.post("/v1/rollouts", started).await.json();
    (server, started["rollout"].as_str().unwrap().to_owned())
}

/// Asks by every way with these headers, and holds what is told and that nothing is recorded.
async fn all_are_told(headers: &[(&str, &str)], expected: &str) {
    let (server, rollout) = server().await;
    let before = recorded(&server, &rollout).await;
    for way in ways(&rollout) {
        let answered = server.ask_as_it_is(request(&way, headers)).await;
        let told = told(&answered);
        // An answer to HEAD has no body that would say the type.
        let is_right = match way.1 {
            "HEAD" => expected.starts_with(told.trim()),
            _ => told == expected,
        };
        assert!(is_right, "{} with {headers:?}: {told}", way.0);
    }
    assert_eq!(recorded(&server, &rollout).await, before, "{headers:?}");
}

#[tokio::test]
async fn pages_of_other_sites_start_move_and_change_nothing() {
    for headers in [
        [("host", "localhost"), ("sec-fetch-site", "cross-site")],
        [("host", "localhost"), ("sec-fetch-site", "x")],
        [("host", "localhost"), ("origin", "https://evil.example")],
        [("host", "localhost"), ("origin", "null")],
    ] {
        all_are_told(&headers, "403 forbidden").await;
    }
}

#[tokio::test]
async fn names_that_are_not_the_servers_are_turned_away() {
    for host in ["evil.example", "evil.example:8080", "10.9.8.7", "serinus"] {
        // What a browser sends once the name of the page leads here.
        let headers = [("host", host), ("sec-fetch-site", "same-origin")];
        all_are_told(&headers, "403 forbidden").await;
    }
}

#[tokio::test]
async fn what_is_no_host_is_turned_away() {
    let long = format!("{}.example", "a".repeat(250));
    for headers in [
        &[][..],
        &[("host", "")],
        &[("host", "a b")],
        &[("host", "user@localhost")],
        &[("host", "localhost:99999")],
        &[("host", &long)],
        &[("host", "localhost"), ("host", "localhost")],
    ] {
        all_are_told(headers, "400 invalid-request").await;
    }
}

#[tokio::test]
async fn looking_and_health_are_served_to_those_who_may() {
    let (server, rollout) = server().await;
    let cross_site = [("host", "localhost"), ("sec-fetch-site", "cross-site")];
    for path in LOOKS {
        let answered = server.ask_as_it_is(request(&get(path), &cross_site)).await;
        let status = answered.status.as_u16();
        assert!((200..400).contains(&status), "{path}: {status}");
        let strange = request(&get(path), &[("host", "evil.example")]);
        assert_eq!(told(&server.ask_as_it_is(strange).await), "403 forbidden");
    }
    for path in ["/healthz", "/readyz"] {
        for headers in [&[][..], &[("host", "10.1.2.3:8080")], &cross_site] {
            let answered = server.ask_as_it_is(request(&get(path), headers)).await;
            assert_eq!(answered.status, StatusCode::OK, "{path} {headers:?}");
        }
    }
    // The same requests do something when they come from where they may.
    for site in ["same-origin", "same-site", "none"] {
        for way in ways(&rollout) {
            let headers = [("host", "Serinus.Example:8080"), ("sec-fetch-site", site)];
            let answered = server.ask_as_it_is(request(&way, &headers)).await;
            assert_ne!(answered.status, StatusCode::FORBIDDEN, "{}", way.0);
            assert_ne!(answered.status, StatusCode::BAD_REQUEST, "{}", way.0);
        }
    }
    let list = server.get("/v1/rollouts").await.json();
    assert!(list["rollouts"].as_array().unwrap().len() > 1);
}

/// Every operation of the document is one of the ways, or one that only looks.
#[test]
fn no_operation_is_left_out() {
    let document = serde_json::to_value(crate::http::document(None)).unwrap();
    let all = ways("{id}");
    let is_way = |method: &str, path: &str| {
        let path = path
            .replace("{pipeline}", "checkout")
            .replace("{stage}", "first");
        all.iter().any(|(_, way, asked, _)| {
            let asked = asked.split('?').next().unwrap();
            let is_pipeline =
                asked.starts_with("/v1/pipelines/shop") || asked.starts_with("/v1/pipelines/put");
            let same = asked == path || is_pipeline && path == "/v1/pipelines/checkout";
            *way == method && same
        })
    };
    for (path, item) in document["paths"].as_object().unwrap() {
        for method in item.as_object().unwrap().keys() {
            let method = method.to_uppercase();
            if method != "GET" {
                assert!(is_way(&method, path), "{method} {path}: add it to the ways");
            }
        }
    }
    assert!(is_way(
        "GET",
        "/v1/pipelines/{pipeline}/stages/{stage}/gate"
    ));
}

/// SW20, by every way in that takes a key or a population.
#[tokio::test]
async fn templates_that_were_not_filled_in_are_told_and_start_nothing() {
    let (server, rollout) = server().await;
    let before = recorded(&server, &rollout).await;
    for template in ["${execution.id}", "{{args.hash}}"] {
        let in_query = template.replace('{', "%7B").replace('}', "%7D");
        let canary = json!({"version": template});
        for (path, body, field) in [
            (format!("{GATE}?key={in_query}"), Value::Null, "key"),
            (
                format!("{GATE}?key=a&canary.version={in_query}"),
                Value::Null,
                "canary",
            ),
            (GATE.to_owned(), json!({"key": template}), "key"),
            (
                GATE.to_owned(),
                json!({"key": "a", "canary": canary}),
                "canary",
            ),
            (
                "/v1/rollouts".to_owned(),
                json!({"pipeline": "checkout", "key": template}),
                "key",
            ),
            (
                "/v1/rollouts".to_owned(),
                json!({"pipeline": "checkout", "key": "a", "canary": canary}),
                "canary",
            ),
            (
                "/v1/analyses".to_owned(),
                json!({"pipeline": "checkout", "stage": "first", "canary": canary}),
                "canary",
            ),
            (
                "/adapters/flagger/checkout/advance".to_owned(),
                json!({"name": template, "namespace": "b", "checksum": "c"}),
                "key",
            ),
            (
                "/adapters/flagger/checkout/advance".to_owned(),
                json!({
                    "name": "a", "namespace": "b", "checksum": "c",
                    "metadata": {"canary.version": template},
                }),
                "canary",
            ),
        ] {
            let answered = match &body {
                Value::Null => server.get(&path).await,
                body => server.post(&path, body.to_string()).await,
            };
            assert_eq!(answered.status, StatusCode::BAD_REQUEST, "{path} {body}");
            let detail = answered.json()["detail"].as_str().unwrap().to_owned();
            assert!(
                detail.contains("a template that was not filled in"),
                "{detail}"
            );
            assert!(detail.contains(field), "{detail}");
        }
    }
    assert_eq!(recorded(&server, &rollout).await, before);
}
