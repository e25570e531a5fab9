//! A server that answers what it is told, byte by byte: what callers make of it is the question.

use std::collections::VecDeque;
use std::fmt::Write;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// Largest request that is read.
const MOST_REQUEST_BYTES: usize = 1 << 20;

/// One answer.
#[derive(Debug, Clone)]
pub struct Scripted {
    /// The status code.
    pub status: u16,
    /// The headers, but the length.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
    /// How long until the first byte.
    pub first_byte_after: Duration,
    /// How long from the first half of the body to the second.
    pub second_half_after: Duration,
    /// Whether the connection closes after half of the body that was announced.
    pub is_cut: bool,
}

impl Scripted {
    /// An answer with a body of that media type; none with an empty type.
    pub fn new(status: u16, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        let mut headers = Vec::new();
        if !content_type.is_empty() {
            headers.push(("Content-Type".to_owned(), content_type.to_owned()));
        }
        Self {
            status,
            headers,
            body: body.into(),
            first_byte_after: Duration::ZERO,
            second_half_after: Duration::ZERO,
            is_cut: false,
        }
    }

    /// JSON with status 200.
    pub fn json(body: &Value) -> Self {
        Self::new(200, "application/json", body.to_string())
    }

    /// What the gate answers for a verdict.
    pub fn verdict(verdict: &str) -> Self {
        Self::json(&json!({
            "verdict": verdict,
            "gate": {"verdict": verdict, "reason": format!("the reason for {verdict}")},
            "progress": "stage 2 of 4, 41 of 240 minutes",
            "pipeline": "checkout", "stage": "stage_2", "key": "k",
            "rollout": "0198f0c2-7a54-7c3e-9d8a-0123456789ab",
            "status_url": "http://127.0.0.1/v1/rollouts/0198f0c2-7a54-7c3e-9d8a-0123456789ab",
            "reason_code": "undecided", "dry_run": false,
        }))
    }

    /// A page of a proxy.
    pub fn page(status: u16) -> Self {
        Self::new(status, "text/html", "<!doctype html><title>a page</title>")
    }

    /// A redirect.
    pub fn redirect(status: u16, location: &str) -> Self {
        let mut answer = Self::page(status);
        answer
            .headers
            .push(("Location".to_owned(), location.to_owned()));
        answer
    }

    /// Says the letters `P` (promote), `H` (hold), `R` (rollback) and `E` (503) as answers.
    pub fn play(letters: &str) -> Vec<Self> {
        letters
            .chars()
            .filter_map(|letter| match letter {
                'P' => Some(Self::verdict("promote")),
                'H' => Some(Self::verdict("hold")),
                'R' => Some(Self::verdict("rollback")),
                'E' => Some(Self::page(503)),
                _ => None,
            })
            .collect()
    }
}

/// A request as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    /// The method.
    pub method: String,
    /// Path and query.
    pub target: String,
    /// The headers, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Received {
    /// The value of a header; empty when there is none.
    pub fn header(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|(known, _)| known == name);
        found.map_or("", |(_, value)| value)
    }

    /// The body as JSON; `null` when it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}

#[derive(Debug, Default)]
struct State {
    answers: VecDeque<Scripted>,
    received: Vec<Received>,
}

/// The running server. The last answer is repeated.
#[derive(Debug)]
pub struct ScriptedServer {
    url: String,
    state: Arc<Mutex<State>>,
    server: JoinHandle<()>,
}

impl ScriptedServer {
    /// Starts a server on a free port.
    ///
    /// # Errors
    ///
    /// When it cannot listen.
    pub async fn start(answers: Vec<Scripted>) -> anyhow::Result<Self> {
        Self::start_on(0, answers).await
    }

    /// Starts a server on that port.
    ///
    /// # Errors
    ///
    /// When it cannot listen.
    pub async fn start_on(port: u16, answers: Vec<Scripted>) -> anyhow::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
        let url = format!("http://{}", listener.local_addr()?);
        let state = Arc::new(Mutex::new(State {
            answers: answers.into(),
            received: Vec::new(),
        }));
        let shared = Arc::clone(&state);
        let server = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let shared = Arc::clone(&shared);
                tokio::spawn(async move {
                    // A client that went away is no failure of the server.
                    let _ = serve(stream, &shared).await;
                });
            }
        });
        Ok(Self { url, state, server })
    }

    /// The base URL, without a slash at its end.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The requests so far.
    pub fn received(&self) -> Vec<Received> {
        self.state
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .received
            .clone()
    }
}

impl Drop for ScriptedServer {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn serve(mut stream: TcpStream, state: &Mutex<State>) -> std::io::Result<()> {
    let Some(request) = read(&mut stream).await? else {
        return Ok(());
    };
    let answer = {
        let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
        state.received.push(request);
        if state.answers.len() > 1 {
            state.answers.pop_front()
        } else {
            state.answers.front().cloned()
        }
    };
    let Some(answer) = answer else {
        return Ok(());
    };
    tokio::time::sleep(answer.first_byte_after).await;
    // Writing to a string cannot fail.
    let mut head = format!(
        "HTTP/1.1 {} Scripted\r\nConnection: close\r\n",
        answer.status
    );
    if answer.status != 204 {
        let _ = write!(head, "Content-Length: {}\r\n", answer.body.len());
    }
    for (name, value) in &answer.headers {
        let _ = write!(head, "{name}: {value}\r\n");
    }
    head.push_str("\r\n");
    stream.write_all(head.as_bytes()).await?;
    let (first, second) = answer.body.split_at(answer.body.len() / 2);
    stream.write_all(first).await?;
    stream.flush().await?;
    if answer.is_cut {
        return Ok(());
    }
    tokio::time::sleep(answer.second_half_after).await;
    stream.write_all(second).await?;
    stream.shutdown().await
}

async fn read(stream: &mut TcpStream) -> std::io::Result<Option<Received>> {
    let mut bytes = Vec::new();
    let head_end = loop {
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break end;
        }
        if bytes.len() > MOST_REQUEST_BYTES || stream.read_buf(&mut bytes).await? == 0 {
            return Ok(None);
        }
    };
    let head = String::from_utf8_lossy(bytes.get(..head_end).unwrap_or_default()).into_owned();
    let mut lines = head.split("\r\n");
    let mut first = lines.next().unwrap_or_default().split(' ');
    let mut received = Received {
        method: first.next().unwrap_or_default().to_owned(),
        target: first.next().unwrap_or_default().to_owned(),
        headers: lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
            .collect(),
        body: Vec::new(),
    };
    let length = received.header("content-length").parse().unwrap_or(0);
    while bytes.len() < head_end + 4 + length && length < MOST_REQUEST_BYTES {
        if stream.read_buf(&mut bytes).await? == 0 {
            return Ok(None);
        }
    }
    received.body = bytes.split_off(head_end + 4);
    Ok(Some(received))
}
