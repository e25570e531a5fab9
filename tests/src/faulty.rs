//! A server in the place of Prometheus that goes wrong as it is told.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::net::Ipv4Addr;

use axum::body::{Body, Bytes};
use axum::extract::{Form, State};
use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use futures_util::stream;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::network::free_port;

/// Samples that an answer has when the question names no range.
const DEFAULT_SAMPLES: i64 = 10;

/// How far the samples of a range selector are apart.
const SCRAPE_SECONDS: i64 = 5;

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fault {
    /// Nothing: counters that grow evenly, the same for control and canary.
    None,
    /// Nobody listens.
    ConnectionRefused,
    /// The request is read and never answered.
    Hang,
    /// Status 400 with Prometheus's own error document.
    BadRequest,
    /// Status 401, as for a token that has expired.
    Unauthorized,
    /// Status 500.
    InternalServerError,
    /// Status 503, as a proxy answers for a server that is starting.
    ServiceUnavailable,
    /// Status 200 with a page, as a login proxy answers.
    Html,
    /// A complete HTTP answer whose JSON ends in the middle.
    TruncatedJson,
    /// The connection closes in the middle of the body.
    ConnectionCut,
    /// Every sample is NaN.
    NotANumber,
    /// Every sample is infinite.
    Infinite,
    /// Success, with no series.
    NoSeries,
    /// More series than anybody can want: this many.
    Series(usize),
    /// A body of this many bytes and more, that never becomes complete before.
    Bytes(usize),
    /// Data, and a warning that it is not all.
    Warnings,
}

/// The running server.
#[derive(Debug)]
pub struct FaultyUpstream {
    url: String,
    server: Option<JoinHandle<()>>,
}

impl FaultyUpstream {
    /// Starts a server with that fault.
    ///
    /// # Errors
    ///
    /// When it cannot listen.
    pub async fn start(fault: Fault) -> anyhow::Result<Self> {
        if fault == Fault::ConnectionRefused {
            let url = format!("http://127.0.0.1:{}", free_port()?);
            return Ok(Self { url, server: None });
        }
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let url = format!("http://{}", listener.local_addr()?);
        let router = axum::Router::new()
            .route("/-/ready", get(async || "ready"))
            .fallback(answer)
            .with_state(fault);
        let server = tokio::spawn(async move {
            // It ends by being aborted.
            let _ = axum::serve(listener, router).await;
        });
        Ok(Self {
            url,
            server: Some(server),
        })
    }

    /// The base URL, without a slash at its end.
    pub fn url(&self) -> &str {
        &self.url
    }
}

impl Drop for FaultyUpstream {
    fn drop(&mut self) {
        if let Some(server) = self.server.take() {
            server.abort();
        }
    }
}

/// The parameters of a question, from the body of a POST or the query string of a GET.
type Parameters = BTreeMap<String, String>;

async fn answer(State(fault): State<Fault>, Form(parameters): Form<Parameters>) -> Response {
    let question = Question::read(&parameters);
    match fault {
        Fault::None | Fault::ConnectionRefused => document(&question.success(Growth::Even)),
        Fault::Hang => std::future::pending().await,
        Fault::BadRequest => (
            StatusCode::BAD_REQUEST,
            document(&json!({
                "status": "error",
                "errorType": "bad_data",
                "error": "1:1: parse error: this server accepts nothing",
            })),
        )
            .into_response(),
        Fault::Unauthorized => (StatusCode::UNAUTHORIZED, "token has expired").into_response(),
        Fault::InternalServerError => {
            (StatusCode::INTERNAL_SERVER_ERROR, "head block is corrupt").into_response()
        }
        Fault::ServiceUnavailable => {
            (StatusCode::SERVICE_UNAVAILABLE, "starting up").into_response()
        }
        Fault::Html => Html("<!doctype html><title>Sign in</title><p>Sign in</p>").into_response(),
        Fault::TruncatedJson => {
            let whole = question.success(Growth::Even).to_string();
            let half = whole.get(..whole.len() / 2).unwrap_or_default().to_owned();
            ([JSON], half).into_response()
        }
        Fault::ConnectionCut => {
            let start = Ok(Bytes::from_static(
                b"{\"status\":\"success\",\"data\":{\"resultType\":",
            ));
            let cut = Err(std::io::Error::from(std::io::ErrorKind::ConnectionReset));
            ([JSON], Body::from_stream(stream::iter([start, cut]))).into_response()
        }
        Fault::NotANumber => document(&question.success(Growth::Constant("NaN"))),
        Fault::Infinite => document(&question.success(Growth::Constant("+Inf"))),
        Fault::NoSeries => document(&question.no_series()),
        Fault::Series(count) => ([JSON], question.many_series(count)).into_response(),
        Fault::Bytes(count) => ([JSON], endless_body(count)).into_response(),
        Fault::Warnings => {
            let mut whole = question.success(Growth::Even);
            if let Some(fields) = whole.as_object_mut() {
                fields.insert(
                    "warnings".to_owned(),
                    json!(["store 10.0.0.7 did not answer: the result is partial"]),
                );
            }
            document(&whole)
        }
    }
}

const JSON: (header::HeaderName, &str) = (header::CONTENT_TYPE, "application/json");

fn document(value: &Value) -> Response {
    ([JSON], value.to_string()).into_response()
}

/// What the samples look like.
#[derive(Debug, Clone, Copy)]
enum Growth {
    /// One more each second.
    Even,
    /// The same text every time.
    Constant(&'static str),
}

/// The length of the range selector that a query ends with: 510 of `up[8m30s]`.
fn range_seconds(query: &str) -> Option<i64> {
    let (_, range) = query.strip_suffix(']')?.rsplit_once('[')?;
    let mut seconds = 0;
    let mut number = 0;
    for character in range.chars() {
        let unit = match character {
            'd' => 86_400,
            'h' => 3_600,
            'm' => 60,
            's' => 1,
            digit => {
                number = 10 * number + i64::from(digit.to_digit(10)?);
                continue;
            }
        };
        seconds += unit * std::mem::take(&mut number);
    }
    Some(seconds)
}

/// When a query is evaluated, in whole seconds.
#[derive(Debug, Clone, Copy)]
struct Question {
    is_matrix: bool,
    start: i64,
    end: i64,
    step: i64,
}

impl Question {
    /// Reads the parameters; what is left out gets a value that gives an answer all the same. An
    /// instant query of a range selector, such as `up[5m]`, has a sample every five seconds.
    fn read(parameters: &Parameters) -> Self {
        let field = |name: &str| {
            let whole = parameters.get(name)?.split('.').next()?;
            whole.trim_end_matches('s').parse::<i64>().ok()
        };
        let end = field("end").or(field("time")).unwrap_or(1_700_000_000);
        let step = field("step").unwrap_or(1).max(1);
        let range = parameters
            .get("query")
            .and_then(|query| range_seconds(query));
        if let Some(seconds) = range {
            return Self {
                is_matrix: true,
                start: end - seconds,
                end,
                step: SCRAPE_SECONDS,
            };
        }
        Self {
            is_matrix: parameters.contains_key("start"),
            start: field("start").unwrap_or(end - DEFAULT_SAMPLES * step),
            end,
            step,
        }
    }

    /// One series for each population, whichever labels the question groups by.
    fn success(&self, growth: Growth) -> Value {
        let series: Vec<Value> = ["stable", "canary"]
            .iter()
            .map(|track| {
                self.series(
                    &json!({"track": track, "instance": track, "pod": track}),
                    growth,
                )
            })
            .collect();
        self.envelope(&series)
    }

    fn no_series(&self) -> Value {
        self.envelope(&[])
    }

    fn envelope(&self, series: &[Value]) -> Value {
        let kind = if self.is_matrix { "matrix" } else { "vector" };
        json!({"status": "success", "data": {"resultType": kind, "result": series}})
    }

    fn series(&self, labels: &Value, growth: Growth) -> Value {
        let sample = |at: i64| match growth {
            Growth::Even => json!([at, (at - self.start).to_string()]),
            Growth::Constant(text) => json!([at, text]),
        };
        if !self.is_matrix {
            return json!({"metric": labels, "value": sample(self.end)});
        }
        let step = usize::try_from(self.step).unwrap_or(1);
        let values: Vec<Value> = (self.start..=self.end).step_by(step).map(sample).collect();
        json!({"metric": labels, "values": values})
    }

    /// Many series of one sample each, so that their number is the trouble and not the bytes.
    fn many_series(&self, count: usize) -> String {
        let kind = if self.is_matrix { "matrix" } else { "vector" };
        let mut text =
            format!("{{\"status\":\"success\",\"data\":{{\"resultType\":\"{kind}\",\"result\":[");
        for number in 0..count {
            let comma = if number == 0 { "" } else { "," };
            let end = self.end;
            let sample = if self.is_matrix {
                format!("\"values\":[[{end},\"1\"]]")
            } else {
                format!("\"value\":[{end},\"1\"]")
            };
            // Writing to a string cannot fail.
            let _ = write!(
                text,
                "{comma}{{\"metric\":{{\"instance\":\"{number}\"}},{sample}}}"
            );
        }
        text.push_str("]}}");
        text
    }
}

/// The beginning of a matrix with one endless series, one mebibyte at a time.
fn endless_body(bytes: usize) -> Body {
    const CHUNK: usize = 1 << 20;
    let head = Bytes::from_static(
        b"{\"status\":\"success\",\"data\":{\"resultType\":\"matrix\",\"result\":[{\"metric\":{},\"values\":[[0,\"0\"]",
    );
    let samples = Bytes::from(",[1,\"1\"]".repeat(CHUNK / 8));
    let chunks = std::iter::once(head).chain(std::iter::repeat_n(samples, bytes.div_ceil(CHUNK)));
    Body::from_stream(stream::iter(chunks.map(Ok::<_, std::io::Error>)))
}
