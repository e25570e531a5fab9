//! A server on a real socket that answers as it is told: well, wrongly, late, in part, or not.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio::time::sleep;
use tokio_rustls::TlsAcceptor;

/// What the server does with one request.
#[derive(Debug, Clone)]
pub(super) enum Reply {
    /// Sends these bytes and closes.
    Bytes(Vec<u8>),
    /// Sends these bytes after a while and closes.
    Late(Duration, Vec<u8>),
    /// Keeps the connection open and says nothing.
    Hang,
    /// Sends these bytes and then nothing more.
    Stall(Vec<u8>),
    /// Resets the connection while the request is read.
    Reset,
}

/// A whole response with the given status, type and body.
pub(super) fn response(status: &str, content_type: &str, body: &[u8]) -> Vec<u8> {
    let mut bytes = format!(
        "HTTP/1.1 {status}\r\ncontent-type: {content_type}\r\ncontent-length: {}\r\n\
         connection: close\r\n\r\n",
        body.len()
    )
    .into_bytes();
    bytes.extend_from_slice(body);
    bytes
}

/// A whole response of JSON.
pub(super) fn json(status: &str, body: &str) -> Reply {
    Reply::Bytes(response(status, "application/json", body.as_bytes()))
}

/// The running server. It stops when dropped.
pub(super) struct Upstream {
    address: SocketAddr,
    requests: Arc<Mutex<Vec<String>>>,
    most_at_once: Arc<Mutex<(usize, usize)>>,
    _task: JoinSet<()>,
}

impl Upstream {
    /// Answers the first request with the first reply and so on; the last reply is for all that
    /// follow.
    pub(super) async fn start(replies: Vec<Reply>) -> Self {
        Self::start_with(replies, None).await
    }

    /// The same behind TLS.
    pub(super) async fn start_tls(replies: Vec<Reply>, acceptor: TlsAcceptor) -> Self {
        Self::start_with(replies, Some(acceptor)).await
    }

    async fn start_with(replies: Vec<Reply>, acceptor: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let most_at_once = Arc::new(Mutex::new((0, 0)));
        let (seen, load) = (Arc::clone(&requests), Arc::clone(&most_at_once));
        let mut task = JoinSet::new();
        task.spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (replies, seen, load) = (replies.clone(), seen.clone(), load.clone());
                let acceptor = acceptor.clone();
                connections.spawn(async move {
                    match acceptor {
                        None => serve(stream, &replies, &seen, &load).await,
                        Some(acceptor) => {
                            // Who does not trust the certificate goes away here.
                            if let Ok(stream) = acceptor.accept(stream).await {
                                serve(stream, &replies, &seen, &load).await;
                            }
                        }
                    }
                });
            }
        });
        Self {
            address,
            requests,
            most_at_once,
            _task: task,
        }
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The requests so far, head and body, as text.
    pub(super) fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }

    /// The largest number of requests that were open at the same time.
    pub(super) fn most_at_once(&self) -> usize {
        self.most_at_once.lock().unwrap().1
    }
}

async fn serve(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    replies: &[Reply],
    seen: &Mutex<Vec<String>>,
    load: &Mutex<(usize, usize)>,
) {
    let mut bytes = Vec::new();
    while !is_whole(&bytes) {
        let mut chunk = [0; 4096];
        if matches!(replies, [Reply::Reset]) {
            let _ = stream.read(&mut chunk[..1]).await;
            seen.lock().unwrap().push(String::new());
            // The close of a socket with unread bytes is a reset.
            return;
        }
        match stream.read(&mut chunk).await {
            Ok(0) | Err(_) => return,
            Ok(count) => bytes.extend_from_slice(&chunk[..count]),
        }
    }
    let index = {
        let mut seen = seen.lock().unwrap();
        seen.push(String::from_utf8(bytes).unwrap());
        seen.len() - 1
    };
    {
        let mut load = load.lock().unwrap();
        load.0 += 1;
        load.1 = load.1.max(load.0);
    }
    let forever = Duration::from_mins(10);
    match replies[index.min(replies.len() - 1)].clone() {
        Reply::Bytes(reply) => stream.write_all(&reply).await.unwrap_or_default(),
        Reply::Late(delay, reply) => {
            sleep(delay).await;
            stream.write_all(&reply).await.unwrap_or_default();
        }
        Reply::Hang | Reply::Reset => sleep(forever).await,
        Reply::Stall(reply) => {
            stream.write_all(&reply).await.unwrap_or_default();
            sleep(forever).await;
        }
    }
    load.lock().unwrap().0 -= 1;
    // Without this the close of a socket with unread bytes is a reset.
    stream.shutdown().await.unwrap_or_default();
}

fn is_whole(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes);
    let Some((head, body)) = text.split_once("\r\n\r\n") else {
        return false;
    };
    let length = head
        .lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .map_or(0, |(_, value)| value.trim().parse().unwrap());
    body.len() >= length
}
