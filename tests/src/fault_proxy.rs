//! A proxy before a real Prometheus that goes wrong as it is told, and comes right again.

use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Context;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use futures_util::stream;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::network::{http_client, wait_until};

/// How long the port may take to be free again after the listener was closed.
const BIND_BOUND: Duration = Duration::from_secs(5);

/// Largest request and answer that pass.
const MOST_BYTES: usize = 64 << 20;

/// How long it flaps one way.
const HALF_A_FLAP: Duration = Duration::from_millis(1_300);

/// What every answer says, so that no connection outlives a change of the fault.
const CLOSE: (header::HeaderName, HeaderValue) =
    (header::CONNECTION, HeaderValue::from_static("close"));

/// Bodies that are JSON, but no answer of a Prometheus.
const OTHER_SHAPES: [&str; 8] = [
    "null",
    "[]",
    "\"ready\"",
    r#"{"message": "hello"}"#,
    r#"{"status": "success"}"#,
    r#"{"status": "success", "data": {"resultType": "matrix"}}"#,
    r#"{"status": "success", "data": {"resultType": "matrix", "result": {"a": 1}}}"#,
    r#"{"status": "success", "data": {"resultType": "matrix", "result": [{"metric": {}, "values": [["x", "y"]]}]}}"#,
];

/// What a Prometheus answers that knows nothing.
const NO_SERIES: &str = r#"{"status": "success", "data": {"resultType": "matrix", "result": []}}"#;

/// What goes wrong between a client and Prometheus.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ProxyFault {
    /// Nothing.
    None,
    /// Nobody listens.
    Refuse,
    /// The right answer, after this time.
    Slow(Duration),
    /// Every other request fails with status 500.
    EveryOtherRequest,
    /// For 1.3 seconds of every 2.6 the connection closes in the middle of the answer: no multiple of
    /// what is asked on a grid of seconds.
    Flapping,
    /// Status 500.
    ServerError,
    /// Status 429, as a limit on the queries of a tenant answers.
    TooManyRequests,
    /// Status 200 with a page, as a login proxy answers.
    Html,
    /// Status 200 without a body.
    Empty,
    /// JSON of another shape: each request gets another one.
    OtherShape,
    /// The first half of the right answer, as if it were whole.
    HalfOfIt,
    /// The connection closes in the middle of the right answer.
    Cut,
    /// The right answer, with every value `NaN`.
    NotANumber,
    /// Success, with no series.
    NoSeries,
}

#[derive(Debug)]
struct Shared {
    upstream: String,
    client: reqwest::Client,
    fault: Mutex<ProxyFault>,
    only_before_ms: AtomicI64,
    started: Instant,
    asked: AtomicUsize,
    spoiled: AtomicUsize,
}

/// The running proxy.
#[derive(Debug)]
pub struct FaultProxy {
    port: u16,
    shared: Arc<Shared>,
    server: tokio::sync::Mutex<Option<JoinHandle<()>>>,
}

impl FaultProxy {
    /// Starts a proxy before the server at `upstream`, without a fault.
    ///
    /// # Errors
    ///
    /// When it cannot listen.
    pub async fn start(upstream: &str) -> anyhow::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let port = listener.local_addr()?.port();
        let shared = Arc::new(Shared {
            upstream: upstream.to_owned(),
            client: http_client()?,
            fault: Mutex::new(ProxyFault::None),
            only_before_ms: AtomicI64::new(i64::MAX),
            started: Instant::now(),
            asked: AtomicUsize::new(0),
            spoiled: AtomicUsize::new(0),
        });
        let server = serve(listener, Arc::clone(&shared));
        Ok(Self {
            port,
            shared,
            server: tokio::sync::Mutex::new(Some(server)),
        })
    }

    /// The base URL, without a slash at its end.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Requests that were not answered as Prometheus would have.
    pub fn spoiled(&self) -> usize {
        self.shared.spoiled.load(Ordering::Relaxed)
    }

    /// Goes wrong only for queries about what was before that time, in milliseconds since 1970.
    pub fn only_before(&self, at_ms: i64) {
        self.shared.only_before_ms.store(at_ms, Ordering::Relaxed);
    }

    /// Goes wrong so from now on.
    ///
    /// # Errors
    ///
    /// When it cannot listen again.
    pub async fn set(&self, fault: ProxyFault) -> anyhow::Result<()> {
        let mut server = self.server.lock().await;
        *self.shared.fault() = fault;
        if fault == ProxyFault::Refuse {
            if let Some(running) = server.take() {
                running.abort();
                // The error says that it was aborted.
                let _ = running.await;
            }
        } else if server.is_none() {
            let port = self.port;
            let listener = wait_until("the port is free again", BIND_BOUND, async || {
                Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.ok())
            })
            .await
            .with_context(|| format!("cannot listen on {port} again"))?;
            *server = Some(serve(listener, Arc::clone(&self.shared)));
        }
        Ok(())
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        if let Some(server) = self.server.get_mut().take() {
            server.abort();
        }
    }
}

impl Shared {
    fn fault(&self) -> std::sync::MutexGuard<'_, ProxyFault> {
        self.fault.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn serve(listener: TcpListener, shared: Arc<Shared>) -> JoinHandle<()> {
    let router = axum::Router::new().fallback(answer).with_state(shared);
    tokio::spawn(async move {
        // It ends by being aborted.
        let _ = axum::serve(listener, router).await;
    })
}

async fn answer(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let response = answer_or_fail(&shared, request)
        .await
        .unwrap_or_else(|error| {
            let told = format!("the server behind does not answer: {error:#}");
            (StatusCode::BAD_GATEWAY, told).into_response()
        });
    ([CLOSE], response).into_response()
}

async fn answer_or_fail(shared: &Shared, request: Request) -> anyhow::Result<Response> {
    let (head, body) = request.into_parts();
    let asked = Asked {
        head,
        body: axum::body::to_bytes(body, MOST_BYTES).await?,
    };
    let fault = *shared.fault();
    let number = shared.asked.fetch_add(1, Ordering::Relaxed);
    let is_wrong_now = match fault {
        ProxyFault::None => false,
        ProxyFault::EveryOtherRequest => number.is_multiple_of(2),
        ProxyFault::Flapping => {
            let halves = shared.started.elapsed().as_millis() / HALF_A_FLAP.as_millis();
            halves.is_multiple_of(2)
        }
        _ => true,
    };
    let only_before_ms = shared.only_before_ms.load(Ordering::Relaxed);
    if !is_wrong_now
        || asked
            .about_ms()
            .is_some_and(|at_ms| at_ms >= only_before_ms)
    {
        return Ok(right(forward(shared, asked).await?));
    }
    shared.spoiled.fetch_add(1, Ordering::Relaxed);
    spoil(shared, asked, fault, number).await
}

/// What was asked.
struct Asked {
    head: Parts,
    body: Bytes,
}

impl Asked {
    /// The last instant that a query is about, where it says so in its form.
    fn about_ms(&self) -> Option<i64> {
        let form = std::str::from_utf8(&self.body).ok()?;
        let field = form
            .split('&')
            .find_map(|field| field.strip_prefix("end=").or(field.strip_prefix("time=")))?;
        let whole_seconds = field.split('.').next()?;
        Some(whole_seconds.parse::<i64>().ok()? * 1_000)
    }
}

/// What Prometheus answers.
struct Forwarded {
    status: StatusCode,
    body: Bytes,
}

async fn forward(shared: &Shared, asked: Asked) -> anyhow::Result<Forwarded> {
    let Parts {
        method,
        uri,
        headers,
        ..
    } = asked.head;
    let path = uri.path_and_query().context("no path")?.as_str();
    let url = format!("{}{path}", shared.upstream);
    let mut request = shared.client.request(method, url);
    if let Some(kind) = headers.get(header::CONTENT_TYPE) {
        request = request.header(header::CONTENT_TYPE, kind.clone());
    }
    let response = request.body(asked.body).send().await?;
    Ok(Forwarded {
        status: response.status(),
        body: response.bytes().await?,
    })
}

const JSON: (header::HeaderName, &str) = (header::CONTENT_TYPE, "application/json");

fn right(forwarded: Forwarded) -> Response {
    (forwarded.status, [JSON], forwarded.body).into_response()
}

async fn spoil(
    shared: &Shared,
    asked: Asked,
    fault: ProxyFault,
    number: usize,
) -> anyhow::Result<Response> {
    Ok(match fault {
        // Who is connected already is not refused.
        ProxyFault::None | ProxyFault::Refuse => right(forward(shared, asked).await?),
        ProxyFault::Slow(time) => {
            tokio::time::sleep(time).await;
            right(forward(shared, asked).await?)
        }
        ProxyFault::EveryOtherRequest | ProxyFault::ServerError => {
            (StatusCode::INTERNAL_SERVER_ERROR, "head block is corrupt").into_response()
        }
        ProxyFault::TooManyRequests => (
            StatusCode::TOO_MANY_REQUESTS,
            "too many outstanding requests",
        )
            .into_response(),
        ProxyFault::Html => {
            Html("<!doctype html><title>Sign in</title><p>Sign in</p>").into_response()
        }
        ProxyFault::Empty => StatusCode::OK.into_response(),
        ProxyFault::OtherShape => {
            let shape = OTHER_SHAPES.get(number % OTHER_SHAPES.len());
            ([JSON], shape.copied().unwrap_or_default()).into_response()
        }
        ProxyFault::NoSeries => ([JSON], NO_SERIES).into_response(),
        ProxyFault::HalfOfIt => {
            let whole = forward(shared, asked).await?.body;
            ([JSON], whole.slice(..whole.len() / 2)).into_response()
        }
        ProxyFault::Flapping | ProxyFault::Cut => {
            let whole = forward(shared, asked).await?.body;
            let start = Ok(whole.slice(..whole.len() / 2));
            let cut = Err(std::io::Error::from(std::io::ErrorKind::ConnectionReset));
            ([JSON], Body::from_stream(stream::iter([start, cut]))).into_response()
        }
        ProxyFault::NotANumber => {
            let forwarded = forward(shared, asked).await?;
            let mut whole: Value = serde_json::from_slice(&forwarded.body)?;
            make_not_a_number(&mut whole);
            (forwarded.status, [JSON], whole.to_string()).into_response()
        }
    })
}

/// Replaces every value of an answer.
fn make_not_a_number(answer: &mut Value) {
    let series = answer
        .pointer_mut("/data/result")
        .and_then(Value::as_array_mut);
    for one in series.into_iter().flatten() {
        if let Some(value) = one.pointer_mut("/value/1") {
            *value = "NaN".into();
        }
        let values = one.get_mut("values").and_then(Value::as_array_mut);
        for sample in values.into_iter().flatten() {
            if let Some(value) = sample.pointer_mut("/1") {
                *value = "NaN".into();
            }
        }
    }
}
