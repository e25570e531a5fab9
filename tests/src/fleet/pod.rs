//! One simulated pod: a process behind a loopback port that may end and start again.

use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::Context;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use futures_util::stream;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::counters::{Counters, Random};
use super::plan::PodPlan;
use crate::network::{now_ms, wait_until};

/// How a scrape fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Miss {
    /// Status 500.
    ServerError,
    /// The connection breaks in the middle of the answer.
    ConnectionCut,
}

/// What one scrape was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Served {
    /// The scrape's number, unique in the pod, also after a restart. It is served as
    /// `truth_scrape`, so that a stored sample names the answer that it came from.
    pub(super) scrape: u64,
    /// When the request came.
    pub(super) arrived_ms: i64,
    /// When the process that answered was started.
    pub(super) process_start_ms: i64,
    /// Its count of requests.
    pub(super) requests: u64,
    /// Its count of errors.
    pub(super) errors: u64,
}

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

/// What changes while a pod runs.
#[derive(Debug)]
pub(super) struct PodState {
    plan: PodPlan,
    random: Random,
    counters: Counters,
    process_start_ms: i64,
    scrapes: u64,
    misses_ahead: Option<(u32, Miss)>,
    /// The good answers, oldest first.
    pub(super) served: Vec<Served>,
    /// When a scrape was made to fail.
    pub(super) missed_at_ms: Vec<i64>,
}

impl Pod {
    pub(super) async fn start(number: usize, plan: PodPlan, seed: u64) -> anyhow::Result<Self> {
        let state = PodState {
            plan: plan.clone(),
            random: Random::new(seed),
            counters: Counters::default(),
            process_start_ms: 0,
            scrapes: 0,
            misses_ahead: None,
            served: Vec::new(),
            missed_at_ms: Vec::new(),
        };
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let mut pod = Self {
            number,
            is_listed: plan.is_listed,
            plan,
            port: listener.local_addr()?.port(),
            state: Arc::new(Mutex::new(state)),
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

    pub(super) fn instance(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    pub(super) fn state(&self) -> MutexGuard<'_, PodState> {
        lock(&self.state)
    }

    fn run(&mut self, listener: TcpListener) {
        self.state().start_process();
        let router = axum::Router::new()
            .route("/metrics", get(scrape))
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

impl PodState {
    pub(super) fn miss_next(&mut self, count: u32, miss: Miss) {
        self.misses_ahead = (count > 0).then_some((count, miss));
    }

    pub(super) fn set_error_rate(&mut self, error_rate: f64) {
        self.plan.error_rate = error_rate;
    }

    fn start_process(&mut self) {
        self.process_start_ms = now_ms();
        self.counters = Counters::default();
        if self.plan.error_before_first_scrape {
            self.counters.count_error();
        }
    }

    /// Counts what happened since the last scrape and answers it, or fails as planned.
    fn answer(&mut self) -> Result<String, Miss> {
        self.counters.serve_requests(&self.plan, &mut self.random);
        self.scrapes += 1;
        let arrived_ms = now_ms();
        if let Some((ahead, miss)) = self.misses_ahead {
            self.miss_next(ahead - 1, miss);
            self.missed_at_ms.push(arrived_ms);
            return Err(miss);
        }
        self.served.push(Served {
            scrape: self.scrapes,
            arrived_ms,
            process_start_ms: self.process_start_ms,
            requests: self.counters.requests(),
            errors: self.counters.errors(),
        });
        Ok(self
            .counters
            .exposition(self.process_start_ms, self.scrapes))
    }
}

/// Every answer closes its connection, so that a stopped pod cannot answer on one kept alive.
async fn scrape(State(state): State<Arc<Mutex<PodState>>>) -> Response {
    let close = (header::CONNECTION, "close");
    match lock(&state).answer() {
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
