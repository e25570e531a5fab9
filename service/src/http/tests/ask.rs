//! A server without a network, and what it answers.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::header::HOST;
use axum::http::{HeaderMap, HeaderValue, Request, StatusCode};
use http_body_util::BodyExt;
use serde_json::Value;
use tempfile::TempDir;
use tower::ServiceExt;

use crate::boot::Parts;
use crate::clock::SystemClock;
use crate::http::{App, Limits, router};
use crate::pipelines::Folder;
use crate::prometheus::{SourceConfig, Sources, install_crypto_provider};
use crate::store::StoreUrl;

pub(super) const PIPELINE: &str = "\
control: {track: stable}
canary: {track: canary}
canary_pipeline:
  first: {traffic_percent: 5, duration_minutes: 60, metrics: [error_rate < 0.01]}
  second: {traffic_percent: [10, 20], duration_minutes: [60, 60], metrics: [error_rate < 0.01]}
";

/// What was answered.
#[derive(Debug)]
pub(super) struct Answered {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) bytes: usize,
    pub(super) body: String,
}

impl Answered {
    pub(super) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }

    pub(super) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }
}

/// A server that knows one pipeline, and a Prometheus that refuses every connection.
pub(super) struct TestServer {
    pub(super) app: Arc<App>,
    pub(super) folder: TempDir,
    router: Router,
    // Held so that the files in it live as long as the server.
    _others: TempDir,
}

impl TestServer {
    pub(super) async fn new() -> Self {
        Self::with(Limits {
            body_bytes: 2_000,
            body_time: Duration::from_millis(200),
            ..Limits::default()
        })
        .await
    }

    /// Port 1 of this machine: nobody listens there.
    pub(super) async fn with(limits: Limits) -> Self {
        Self::on("http://127.0.0.1:1", limits).await
    }

    pub(super) async fn on(prometheus_url: &str, limits: Limits) -> Self {
        Self::built(prometheus_url, limits, |app, _folder| app).await
    }

    /// The app is finished by `build`, which may put files into a folder.
    pub(super) async fn built(
        prometheus_url: &str,
        limits: Limits,
        build: impl FnOnce(App, &Path) -> App,
    ) -> Self {
        install_crypto_provider();
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("checkout.yaml"), PIPELINE).unwrap();
        let config = SourceConfig::new(prometheus_url.parse().unwrap());
        let sources = Sources::new([("default".to_owned(), config)].into(), None).unwrap();
        let parts = Parts {
            pipelines: Folder::open(folder.path()).unwrap(),
            limits,
            ..Parts::new(Arc::new(SystemClock), sources, StoreUrl::memory())
        };
        let others = tempfile::tempdir().unwrap();
        let app = Arc::new(build(parts.assemble().await.unwrap(), others.path()));
        Self {
            router: router(Arc::clone(&app)),
            app,
            folder,
            _others: others,
        }
    }

    pub(super) fn router(&self) -> Router {
        self.router.clone()
    }

    /// Asks localhost, unless the request names another host.
    pub(super) async fn ask(&self, mut request: Request<Body>) -> Answered {
        let headers = request.headers_mut();
        headers
            .entry(HOST)
            .or_insert(HeaderValue::from_static("localhost"));
        self.ask_as_it_is(request).await
    }

    pub(super) async fn ask_as_it_is(&self, request: Request<Body>) -> Answered {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        Answered {
            status: parts.status,
            headers: parts.headers,
            bytes: bytes.len(),
            body: String::from_utf8_lossy(&bytes).into_owned(),
        }
    }

    pub(super) async fn get(&self, path: &str) -> Answered {
        self.ask(Request::get(path).body(Body::empty()).unwrap())
            .await
    }

    /// Sends a body without a content type.
    pub(super) async fn post(&self, path: &str, body: impl Into<Body>) -> Answered {
        self.ask(Request::post(path).body(body.into()).unwrap())
            .await
    }

    pub(super) async fn post_as(
        &self,
        content_type: &str,
        path: &str,
        body: impl Into<Body>,
    ) -> Answered {
        let request = Request::post(path).header("content-type", content_type);
        self.ask(request.body(body.into()).unwrap()).await
    }
}
