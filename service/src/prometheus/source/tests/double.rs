//! A server on a real socket that looks at each request before it answers.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Bytes, to_bytes};
use axum::extract::Request;
use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse as _;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::SourceConfig;

/// A request as it came over the wire.
#[derive(Debug, Clone)]
pub(super) struct Came {
    pub(super) method: String,
    pub(super) path: String,
    pub(super) query: String,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Came {
    /// The value of a header; empty where there is none.
    pub(super) fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name);
        value.map_or("", |value| value.to_str().unwrap())
    }

    /// The parameters of a form.
    pub(super) fn form(&self) -> Vec<(String, String)> {
        let form = std::str::from_utf8(&self.body).unwrap();
        let url = reqwest::Url::parse(&format!("http://form/?{form}")).unwrap();
        url.query_pairs().into_owned().collect()
    }

    /// One of them; empty where there is none.
    pub(super) fn parameter(&self, name: &str) -> String {
        let form = self.form();
        let found = form.into_iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value).unwrap_or_default()
    }
}

/// The running server. It stops when dropped.
pub(super) struct Double {
    pub(super) address: SocketAddr,
    came: Arc<Mutex<Vec<Came>>>,
    _task: JoinSet<()>,
}

impl Double {
    /// Answers each request by what it is, with a status and JSON.
    pub(super) async fn start(
        answer: impl Fn(&Came) -> (u16, String) + Clone + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let came = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&came);
        let handler = move |request: Request| {
            let (seen, answer) = (Arc::clone(&seen), answer.clone());
            async move {
                let (parts, body) = request.into_parts();
                let came = Came {
                    method: parts.method.to_string(),
                    path: parts.uri.path().to_owned(),
                    query: parts.uri.query().unwrap_or_default().to_owned(),
                    headers: parts.headers,
                    body: to_bytes(body, usize::MAX).await.unwrap(),
                };
                let (status, text) = answer(&came);
                seen.lock().unwrap().push(came);
                let status = StatusCode::from_u16(status).unwrap();
                (status, [("content-type", "application/json")], text).into_response()
            }
        };
        let mut task = JoinSet::new();
        task.spawn(async move {
            let served = axum::serve(listener, Router::new().fallback(handler));
            served.await.unwrap();
        });
        Self {
            address,
            came,
            _task: task,
        }
    }

    /// The requests so far.
    pub(super) fn came(&self) -> Vec<Came> {
        self.came.lock().unwrap().clone()
    }

    /// A source there.
    pub(super) fn config(&self, prefix: &str) -> SourceConfig {
        let mut config =
            SourceConfig::new(format!("http://{}{prefix}", self.address).parse().unwrap());
        config.timeout_seconds = 3.0;
        config
    }
}
