//! A pod with a native histogram, which Prometheus scrapes by protobuf only: the messages of
//! `client_model`'s `metrics.proto`, written by hand, each after its length.
//!
//! The same observations are served as a classic histogram of another name.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::network::{now_ms, wait_until};

/// The name of the native histogram.
pub const NATIVE_NAME: &str = "latency_native_seconds";

/// The name of the classic histogram of the same observations.
pub const CLASSIC_NAME: &str = "latency_classic_seconds";

const CONTENT_TYPE: &str =
    "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited";

/// Values from zero to here are in the zero bucket. Half of the smallest that is not zero.
const ZERO_THRESHOLD: f64 = 1.0 / 1_048_576.0;

/// `MetricType` of the messages.
const GAUGE: u64 = 1;
const HISTOGRAM: u64 = 4;

/// What a pod serves.
#[derive(Debug, Clone, PartialEq)]
pub struct NativePlan {
    /// The `track` label: `stable`, `canary`.
    pub track: String,
    /// The schema of the native histogram: `2^schema` buckets to a doubling.
    pub schema: i32,
    /// The upper bounds of the classic histogram, ascending, without the infinite one.
    pub classic_bounds: Vec<f64>,
}

/// A pod with a native histogram.
#[derive(Debug)]
pub struct NativePod {
    plan: NativePlan,
    port: u16,
    state: Arc<Mutex<PodState>>,
    server: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct PodState {
    plan: NativePlan,
    process_start_ms: i64,
    observed: Vec<(f64, u64)>,
    scrapes: u64,
}

impl NativePod {
    /// Starts a pod without observations.
    ///
    /// # Errors
    ///
    /// When it cannot listen.
    pub async fn start(plan: NativePlan) -> anyhow::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let state = PodState {
            plan: plan.clone(),
            process_start_ms: now_ms(),
            observed: Vec::new(),
            scrapes: 0,
        };
        let mut pod = Self {
            plan,
            port: listener.local_addr()?.port(),
            state: Arc::new(Mutex::new(state)),
            server: None,
        };
        pod.run(listener);
        Ok(pod)
    }

    /// Lines of a scrape configuration's `static_configs` that name the pod.
    pub fn target(&self) -> String {
        format!(
            "      - targets: ['127.0.0.1:{}']\n        labels: {{track: {}, pod: p{}}}\n",
            self.port, self.plan.track, self.port
        )
    }

    /// Observes a value that many times.
    pub fn observe(&self, seconds: f64, times: u64) {
        lock(&self.state).observed.push((seconds, times));
    }

    /// Waits until a scrape that began after now was answered.
    ///
    /// # Errors
    ///
    /// When there is none within the bound.
    pub async fn wait_for_scrape(&self, bound: Duration) -> anyhow::Result<()> {
        let wanted = lock(&self.state).scrapes + 1;
        wait_until("the pod is scraped", bound, async || {
            Ok((lock(&self.state).scrapes >= wanted).then_some(()))
        })
        .await
    }

    /// Ends the process and starts another in its place, whose counts begin at zero.
    ///
    /// # Errors
    ///
    /// When it cannot listen again.
    pub async fn restart(&mut self) -> anyhow::Result<()> {
        self.stop();
        let port = self.port;
        // The old listener is closed by the runtime a moment after its task was aborted.
        let listener = wait_until("the port is free", Duration::from_secs(2), async || {
            Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.ok())
        })
        .await?;
        {
            let mut state = lock(&self.state);
            state.process_start_ms = now_ms();
            state.observed.clear();
        }
        self.run(listener);
        Ok(())
    }

    fn stop(&mut self) {
        if let Some(server) = self.server.take() {
            server.abort();
        }
    }

    fn run(&mut self, listener: TcpListener) {
        let router = axum::Router::new()
            .route("/metrics", get(scrape))
            .with_state(Arc::clone(&self.state));
        self.server = Some(tokio::spawn(async move {
            // It ends by being aborted.
            let _ = axum::serve(listener, router).await;
        }));
    }
}

impl Drop for NativePod {
    fn drop(&mut self) {
        self.stop();
    }
}

async fn scrape(State(state): State<Arc<Mutex<PodState>>>) -> Response {
    let mut state = lock(&state);
    state.scrapes += 1;
    ([(header::CONTENT_TYPE, CONTENT_TYPE)], state.exposition()).into_response()
}

impl PodState {
    /// Three families, each after its length.
    fn exposition(&self) -> Vec<u8> {
        let start_seconds = self.process_start_ms as f64 / 1_000.0;
        let gauge = Message::default().double(1, start_seconds);
        let families = [
            family("process_start_time_seconds", GAUGE, 2, &gauge),
            family(NATIVE_NAME, HISTOGRAM, 7, &self.native()),
            family(CLASSIC_NAME, HISTOGRAM, 7, &self.classic()),
        ];
        let mut body = Vec::new();
        for family in families {
            write_varint(&mut body, family.0.len() as u64);
            body.extend(family.0);
        }
        body
    }

    fn count(&self) -> u64 {
        self.observed.iter().map(|(_, times)| times).sum()
    }

    fn sum(&self) -> f64 {
        let products = self.observed.iter();
        products
            .map(|(seconds, times)| seconds * *times as f64)
            .sum()
    }

    /// `Histogram` with the number and sum of all observations.
    fn histogram(&self) -> Message {
        Message::default()
            .number(1, self.count())
            .double(2, self.sum())
    }

    fn native(&self) -> Message {
        let per_octave = f64::from(self.plan.schema).exp2();
        let mut zero = 0;
        let mut buckets = BTreeMap::<i64, u64>::new();
        for (seconds, times) in &self.observed {
            if *seconds <= ZERO_THRESHOLD {
                zero += times;
            } else {
                #[expect(
                    clippy::cast_possible_truncation,
                    reason = "whole, and of a float's logarithm"
                )]
                let index = (seconds.log2() * per_octave).ceil() as i64;
                *buckets.entry(index).or_default() += times;
            }
        }
        let mut message = self
            .histogram()
            .signed(5, i64::from(self.plan.schema))
            .double(6, ZERO_THRESHOLD)
            .number(7, zero);
        for span in spans(&buckets) {
            let span = Message::default()
                .signed(1, span.offset)
                .number(2, span.length);
            message = message.message(12, &span);
        }
        let mut before = 0;
        for count in buckets.values() {
            message = message.signed(13, count.cast_signed() - before);
            before = count.cast_signed();
        }
        message
    }

    fn classic(&self) -> Message {
        let mut message = self.histogram();
        for bound in &self.plan.classic_bounds {
            let below = self.observed.iter().filter(|(value, _)| value <= bound);
            let bucket = Message::default()
                .number(1, below.map(|(_, times)| times).sum())
                .double(2, *bound);
            message = message.message(3, &bucket);
        }
        message
    }
}

/// Consecutive populated buckets.
struct Span {
    /// Buckets between this and the span before; the first bucket's index in the first span.
    offset: i64,
    length: u64,
}

fn spans(buckets: &BTreeMap<i64, u64>) -> Vec<Span> {
    let mut spans: Vec<Span> = Vec::new();
    let mut next = 0;
    for &index in buckets.keys() {
        match spans.last_mut() {
            Some(span) if index == next => span.length += 1,
            _ => spans.push(Span {
                offset: index - next,
                length: 1,
            }),
        }
        next = index + 1;
    }
    spans
}

/// `MetricFamily` of one `Metric` without labels, whose value is in the field given.
fn family(name: &str, kind: u64, value_field: u64, value: &Message) -> Message {
    let metric = Message::default().message(value_field, value);
    Message::default()
        .bytes(1, name.as_bytes())
        .number(3, kind)
        .message(4, &metric)
}

/// A protobuf message while it is written.
#[derive(Debug, Default)]
struct Message(Vec<u8>);

impl Message {
    fn number(mut self, field: u64, value: u64) -> Self {
        write_varint(&mut self.0, field << 3);
        write_varint(&mut self.0, value);
        self
    }

    /// `sint32` and `sint64`, in zigzag.
    fn signed(self, field: u64, value: i64) -> Self {
        self.number(field, ((value << 1) ^ (value >> 63)).cast_unsigned())
    }

    fn double(mut self, field: u64, value: f64) -> Self {
        write_varint(&mut self.0, field << 3 | 1);
        self.0.extend(value.to_le_bytes());
        self
    }

    fn bytes(mut self, field: u64, value: &[u8]) -> Self {
        write_varint(&mut self.0, field << 3 | 2);
        write_varint(&mut self.0, value.len() as u64);
        self.0.extend(value);
        self
    }

    fn message(self, field: u64, value: &Self) -> Self {
        self.bytes(field, &value.0)
    }
}

fn write_varint(bytes: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        bytes.push(lowest_byte(value) | 0x80);
        value >>= 7;
    }
    bytes.push(lowest_byte(value));
}

fn lowest_byte(value: u64) -> u8 {
    let [lowest, ..] = value.to_le_bytes();
    lowest
}

fn lock(state: &Mutex<PodState>) -> MutexGuard<'_, PodState> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}
