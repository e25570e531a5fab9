//! Who may ask: every operation of the document, without a token, with the wrong one, with the
//! right one; and the limits.

use std::collections::BTreeSet;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{Request, StatusCode};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use utoipa_axum::routes;

use super::ask::{Answered, TestServer};
use crate::access::{Access, Principal, Scope, Scopes, TokensFile, digest_hex};
use crate::http::admission::Class;
use crate::http::guard::{self, Guard};
use crate::http::routing::{Parts, Routes};
use crate::http::{App, Limits, document, layers};

const NOWHERE: &str = "http://127.0.0.1:1";

/// The tokens are called by what they are good for.
fn with_tokens(app: App, folder: &Path) -> App {
    let path = folder.join("tokens.yaml");
    let entries: String = ["read", "gate", "operate", "all"]
        .map(|scope| {
            let digest = digest_hex(&token(scope));
            format!("- {{name: {scope}-name, sha256: \"{digest}\", scopes: [{scope}]}}\n")
        })
        .concat();
    fs::write(&path, entries).unwrap();
    app.with_access(Access::Tokens(Arc::new(TokensFile::open(&path).unwrap())))
}

fn token(scope: &str) -> String {
    format!("secret-of-{scope}")
}

async fn guarded() -> TestServer {
    TestServer::built(NOWHERE, Limits::default(), with_tokens).await
}

fn request(method: &str, path: &str, authorization: Option<&str>) -> Request<Body> {
    let mut request = Request::builder().method(method).uri(path);
    if let Some(authorization) = authorization {
        request = request.header("authorization", authorization);
    }
    request.body(Body::empty()).unwrap()
}

async fn ask_as(server: &TestServer, method: &str, path: &str, scope: &str) -> Answered {
    let bearer = format!("Bearer {}", token(scope));
    server.ask(request(method, path, Some(&bearer))).await
}

/// Every operation of the document: method, path, and the scope it says.
fn operations() -> Vec<(String, String, Option<String>)> {
    let document = serde_json::to_value(document(None)).unwrap();
    let mut all = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let scope = operation["security"][0]["bearer"][0].as_str();
            let path = path
                .replace("{pipeline}", "checkout")
                .replace("{stage}", "first")
                .replace("{id}", "0198f0c2-7a54-7c3e-9d8a-0123456789ab");
            assert!(!path.contains('{'), "{path}: say what to put there");
            all.push((method.to_uppercase(), path, scope.map(str::to_owned)));
        }
    }
    all
}

fn is_problem(answered: &Answered, token: &str) {
    let problem = answered.json();
    assert_eq!(answered.header("content-type"), "application/problem+json");
    assert_eq!(problem["type"], format!("urn:serinus:problem:{token}"));
    assert_eq!(problem["status"], answered.status.as_u16());
    assert!(!answered.body.contains("secret-of"), "{}", answered.body);
}

/// What is served says what is true of the server: else a form would ask for a token that nobody has.
#[tokio::test]
async fn the_document_of_a_server_without_tokens_names_none() {
    let served = |server: TestServer, scope: &'static str| async move {
        ask_as(&server, "GET", "/openapi.json", scope).await.json()
    };
    let whole = serde_json::to_value(document(None)).unwrap();
    assert_eq!(served(guarded().await, "read").await, whole);
    let open = served(TestServer::new().await, "read").await;
    assert_eq!(open["components"].get("securitySchemes"), None);
    for (path, item) in open["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            assert_eq!(
                operation["security"],
                serde_json::json!([]),
                "{method} {path}"
            );
            assert_eq!(operation["responses"].get("401"), None, "{method} {path}");
            let forbidden = operation["responses"]["403"]["description"].as_str();
            assert!(
                !forbidden.is_some_and(|told| told.contains("token")),
                "{method} {path}"
            );
        }
    }
}

#[tokio::test]
async fn without_a_token_401_and_with_the_wrong_scope_403_on_every_operation_but_health() {
    let server = guarded().await;
    let mut open = BTreeSet::new();
    for (method, path, scope) in operations() {
        let nobody = server.ask(request(&method, &path, None)).await;
        let Some(scope) = scope else {
            assert_eq!(nobody.status, StatusCode::OK, "{method} {path}");
            open.insert(path);
            continue;
        };
        assert_eq!(nobody.status, StatusCode::UNAUTHORIZED, "{method} {path}");
        is_problem(&nobody, "unauthorized");
        assert!(nobody.header("www-authenticate").starts_with("Bearer"));
        for wrong in ["read", "gate", "operate"] {
            if wrong != scope {
                let refused = ask_as(&server, &method, &path, wrong).await;
                assert_eq!(refused.status, StatusCode::FORBIDDEN, "{method} {path}");
                is_problem(&refused, "forbidden");
                let challenge = refused.header("www-authenticate");
                assert!(
                    challenge.contains(&format!("scope=\"{scope}\"")),
                    "{challenge}"
                );
            }
        }
        for right in [scope.as_str(), "all"] {
            let answered = ask_as(&server, &method, &path, right).await;
            assert!(
                ![StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN].contains(&answered.status),
                "{method} {path}: {}",
                answered.body
            );
        }
    }
    assert_eq!(
        open.into_iter().collect::<Vec<_>>(),
        ["/healthz", "/readyz"]
    );
}

#[tokio::test]
async fn a_token_that_is_not_known_is_a_401_however_it_is_sent() {
    let server = guarded().await;
    for authorization in [
        "Bearer secret-of-nobody",
        "Bearer",
        "Basic !",
        "Basic c2VjcmV0LW9mLXJlYWQ=",
        "secret-of-read",
        &format!("Bearer {}", digest_hex(&token("read"))),
    ] {
        let answered = server
            .ask(request("GET", "/v1/pipelines", Some(authorization)))
            .await;
        assert_eq!(answered.status, StatusCode::UNAUTHORIZED, "{authorization}");
        is_problem(&answered, "unauthorized");
    }
}

#[tokio::test]
async fn basic_authentication_takes_any_name_with_the_token() {
    let server = guarded().await;
    for name in ["", "argo", "any body"] {
        let credentials = STANDARD.encode(format!("{name}:{}", token("read")));
        let basic = format!("Basic {credentials}");
        let answered = server
            .ask(request("GET", "/v1/pipelines", Some(&basic)))
            .await;
        assert_eq!(answered.status, StatusCode::OK, "{name:?}");
    }
}

#[tokio::test]
async fn a_browser_is_asked_for_a_password_on_the_pages_and_nowhere_else() {
    let server = guarded().await;
    let challenges = async |path: &str| {
        let answered = server.get(path).await;
        assert_eq!(answered.status, StatusCode::UNAUTHORIZED, "{path}");
        let all = answered.headers.get_all("www-authenticate").iter();
        all.map(|value| {
            value
                .to_str()
                .unwrap()
                .split(' ')
                .next()
                .unwrap()
                .to_owned()
        })
        .collect::<Vec<_>>()
    };
    for page in ["/docs", "/docs/", "/docs/swagger-ui.css", "/openapi.json"] {
        assert_eq!(challenges(page).await, ["Bearer", "Basic"], "{page}");
        let read = ask_as(&server, "GET", page, "read").await;
        assert!(read.status.is_success() || read.status.is_redirection());
    }
    assert_eq!(challenges("/v1/pipelines").await, ["Bearer"]);
}

#[tokio::test]
async fn other_methods_are_a_401_first_and_a_405_then() {
    let server = guarded().await;
    let nobody = server.ask(request("PUT", "/v1/analyses", None)).await;
    assert_eq!(nobody.status, StatusCode::UNAUTHORIZED);
    let known = ask_as(&server, "PUT", "/v1/analyses", "gate").await;
    assert_eq!(known.status, StatusCode::METHOD_NOT_ALLOWED);
    let head = ask_as(&server, "HEAD", "/v1/pipelines", "gate").await;
    assert_eq!(head.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn without_tokens_everybody_may_ask_and_a_token_does_no_harm() {
    let server = TestServer::new().await;
    assert_eq!(server.get("/v1/pipelines").await.status, StatusCode::OK);
    let answered = ask_as(&server, "GET", "/v1/pipelines", "read").await;
    assert_eq!(answered.status, StatusCode::OK);
}

/// With tokens a name that leads here gains nothing: its page has no token.
#[tokio::test]
async fn with_tokens_any_host_may_be_asked_that_is_one() {
    let server = guarded().await;
    let bearer = format!("Bearer {}", token("read"));
    for (host, expected) in [
        ("whatever.example", StatusCode::OK),
        ("a b", StatusCode::BAD_REQUEST),
    ] {
        let mut request = request("GET", "/v1/pipelines", Some(&bearer));
        let headers = request.headers_mut();
        headers.insert("host", host.parse().unwrap());
        assert_eq!(server.ask(request).await.status, expected, "{host}");
    }
}

/// Tells who asks, and what the handler sees of the credentials.
#[utoipa::path(get, path = "/who", responses((status = 200, description = "The name")))]
async fn who(
    Extension(principal): Extension<Principal>,
    request: axum::extract::Request,
) -> String {
    let headers = request.headers();
    assert!(!headers.contains_key("authorization"));
    format!("{} {}", principal.name(), principal.scopes())
}

/// A server with one route that is no operation of Serinus, asked by the guard like any.
fn with_route(server: &TestServer, scope: Scope) -> axum::Router {
    let Parts { router, rules, .. } = Routes::new().looks(scope, routes!(who)).into_parts();
    let guard = Arc::new(Guard {
        app: server.app.clone(),
        rules,
    });
    let router = router
        .route_layer(axum::middleware::from_fn_with_state(guard, guard::admit))
        .with_state(server.app.clone());
    layers::around(router, server.app.clone())
}

async fn answer(router: &axum::Router, mut request: Request<Body>) -> (StatusCode, bool, String) {
    let host = "localhost".parse().unwrap();
    request.headers_mut().insert("host", host);
    let response = tower::ServiceExt::oneshot(router.clone(), request)
        .await
        .unwrap();
    let status = response.status();
    let has_retry_after = response.headers().contains_key("retry-after");
    let body = axum::body::to_bytes(response.into_body(), 10_000)
        .await
        .unwrap();
    (
        status,
        has_retry_after,
        String::from_utf8(body.into()).unwrap(),
    )
}

#[tokio::test]
async fn the_handler_is_told_who_asks_and_sees_no_credentials() {
    let server = guarded().await;
    let router = with_route(&server, Scope::Operate);
    let bearer = format!("Bearer {}", token("all"));
    let (_, _, body) = answer(&router, request("GET", "/who", Some(&bearer))).await;
    assert_eq!(body, "all-name read, gate, operate");
    let open = with_route(&TestServer::new().await, Scope::Operate);
    let (_, _, body) = answer(&open, request("GET", "/who", Some(&bearer))).await;
    assert_eq!(body, format!("anonymous {}", Scopes::ALL));
}

#[tokio::test]
async fn too_many_requests_of_one_token_are_a_429_and_others_go_on() {
    let limits = Limits {
        requests_per_second: 1,
        burst_requests: 2,
        ..Limits::default()
    };
    let server = TestServer::built(NOWHERE, limits, with_tokens).await;
    for _ in 0..2 {
        let answered = ask_as(&server, "GET", "/v1/pipelines", "read").await;
        assert_eq!(answered.status, StatusCode::OK);
    }
    let refused = ask_as(&server, "GET", "/v1/pipelines", "read").await;
    assert_eq!(refused.status, StatusCode::TOO_MANY_REQUESTS);
    is_problem(&refused, "too-many-requests");
    assert_eq!(refused.header("retry-after"), "1");
    let other = ask_as(&server, "GET", "/v1/pipelines", "all").await;
    assert_eq!(other.status, StatusCode::OK);
    // Probes are never turned away.
    for _ in 0..10 {
        assert_eq!(server.get("/readyz").await.status, StatusCode::OK);
    }
}

#[tokio::test]
async fn who_shows_no_token_is_counted_by_address() {
    let limits = Limits {
        requests_per_second: 1,
        burst_requests: 1,
        ..Limits::default()
    };
    let server = TestServer::built(NOWHERE, limits, with_tokens).await;
    let from = async |address: &str| {
        let mut request = request("GET", "/v1/pipelines", Some("Bearer guess"));
        let peer: SocketAddr = address.parse().unwrap();
        request.extensions_mut().insert(ConnectInfo(peer));
        server.ask(request).await.status
    };
    assert_eq!(from("10.0.0.1:1").await, StatusCode::UNAUTHORIZED);
    assert_eq!(from("10.0.0.1:2").await, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(from("10.0.0.2:1").await, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn others_do_not_starve_gates_and_a_full_house_is_told() {
    let limits = Limits {
        requests_in_flight: 1,
        gates_in_flight: 1,
        ..Limits::default()
    };
    let server = TestServer::with(limits).await;
    let gate = with_route(&server, Scope::Gate);
    let ask = || request("GET", "/who", None);
    let _other = server.app.admission().place(Class::Other).await.unwrap();
    let refused = server.get("/v1/pipelines").await;
    assert_eq!(refused.status, StatusCode::SERVICE_UNAVAILABLE);
    is_problem(&refused, "overloaded");
    assert_eq!(refused.header("retry-after"), "1");
    assert_eq!(server.get("/healthz").await.status, StatusCode::OK);
    assert_eq!(answer(&gate, ask()).await.0, StatusCode::OK);
    // A gate waits for its turn, and is never told 5xx nor when to come back.
    let _gate = server.app.admission().place(Class::Gate).await.unwrap();
    let started_at = tokio::time::Instant::now();
    let (status, has_retry_after, _) = answer(&gate, ask()).await;
    assert_eq!(status, StatusCode::TOO_MANY_REQUESTS);
    assert!(!has_retry_after);
    assert!(started_at.elapsed() >= Duration::from_secs(1));
    assert!(started_at.elapsed() < Duration::from_secs(5));
}

#[test]
fn the_document_names_the_scopes_that_tokens_have() {
    let named: BTreeSet<String> = operations()
        .into_iter()
        .filter_map(|(_, _, scope)| scope)
        .collect();
    for scope in named {
        assert!(scope.parse::<Scopes>().is_ok());
    }
}
