//! One simulated pod: a process behind a loopback port that may end and start again.

use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::Context;
use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use futures_util::stream;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::plan::{Miss, PodPlan};
use super::process::PodState;
use crate::network::wait_until;

/// A pod.
#[derive(Debug)]
pub(super) struct Pod {
    pub(super) number: usize,
    pub(super) plan: PodPlan,
    pub(super) is_listed: bool,
    port: u16,
    state: Arc<Mutex<PodState>>,
    server: Option<JoinHandle<()>>,
}

impl Pod {
    pub(super) async fn start(number: usize, plan: PodPlan, seed: u64) -> anyhow::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let mut pod = Self {
            number,
            is_listed: plan.is_listed,
            port: listener.local_addr()?.port(),
            state: Arc::new(Mutex::new(PodState::new(number, plan.clone(), seed))),
            plan,
            server: None,
        };
        pod.run(listener);
        Ok(pod)
    }

    /// Starts a new process in the place of the one that was stopped.
    pub(super) async fn start_again(&mut self) -> anyhow::Result<()> {
        let port = self.port;
        // The old listener is closed by the runtime a moment after its task was aborted.
        let listener = wait_until(
            "the port is free again",
            Duration::from_secs(2),
            async || Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.ok()),
        )
        .await
        .with_context(|| format!("cannot listen on {port} again"))?;
        self.run(listener);
        Ok(())
    }

    /// Ends the process: connections are refused from now on.
    pub(super) fn stop(&mut self) {
        if let Some(server) = self.server.take() {
            server.abort();
        }
    }

    pub(super) fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    pub(super) fn state(&self) -> MutexGuard<'_, PodState> {
        lock(&self.state)
    }

    fn run(&mut self, listener: TcpListener) {
        self.state().start_process();
        let router = axum::Router::new()
            .route("/metrics/{source}/{job}", get(scrape))
            .with_state(Arc::clone(&self.state));
        self.server = Some(tokio::spawn(async move {
            // It ends by being aborted.
            let _ = axum::serve(listener, router).await;
        }));
    }
}

impl Drop for Pod {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Every answer closes its connection, so that a stopped pod cannot answer on one kept alive.
async fn scrape(
    State(state): State<Arc<Mutex<PodState>>>,
    Path((source, job)): Path<(String, String)>,
) -> Response {
    let close = (header::CONNECTION, "close");
    match lock(&state).answer(&source, &job) {
        Ok(text) => (
            [close, (header::CONTENT_TYPE, "text/plain; version=0.0.4")],
            text,
        )
            .into_response(),
        Err(Miss::ServerError) => (StatusCode::INTERNAL_SERVER_ERROR, [close]).into_response(),
        Err(Miss::ConnectionCut) => ([close], cut_body()).into_response(),
    }
}

/// A body that begins like an answer and breaks off.
fn cut_body() -> Body {
    let start = Ok(Bytes::from_static(b"http_requests_total{code=\"200\"} 1"));
    let cut = Err(std::io::Error::from(std::io::ErrorKind::ConnectionReset));
    Body::from_stream(stream::iter([start, cut]))
}

fn lock(state: &Mutex<PodState>) -> MutexGuard<'_, PodState> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}
