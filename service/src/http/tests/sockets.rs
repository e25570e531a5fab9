//! What only shows on a socket: half a header, resting clients, stopping.

use std::future;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::ask::TestServer;
use crate::http::server::{ServerLimits, Stop, serve};

pub(super) const REQUEST: &[u8] = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n";

pub(super) struct Running {
    pub(super) address: SocketAddr,
    stop: CancellationToken,
    served: JoinHandle<()>,
    server: TestServer,
}

pub(super) async fn run(limits: ServerLimits, drain_delay: Duration) -> Running {
    let server = TestServer::new().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let stop = CancellationToken::new();
    let stopped = stop.clone();
    let stop_future = async move {
        stopped.cancelled().await;
        Stop {
            reason: "the test",
            drain_delay,
            hurry: Box::pin(future::pending()),
        }
    };
    let served = TaskTracker::new().spawn(serve(
        listener,
        server.router(),
        server.app.clone(),
        limits,
        stop_future,
    ));
    Running {
        address,
        stop,
        served,
        server,
    }
}

pub(super) fn limits() -> ServerLimits {
    ServerLimits {
        header_time: Duration::from_millis(200),
        idle_time: Duration::from_secs(30),
        connections: 64,
        grace: Duration::from_millis(500),
        ..ServerLimits::default()
    }
}

/// Reads one answer's head, and its body as far as it came with it.
pub(super) async fn answer(client: &mut TcpStream) -> String {
    let mut buffer = vec![0; 4096];
    let count = timeout(Duration::from_secs(5), client.read(&mut buffer))
        .await
        .unwrap()
        .unwrap();
    String::from_utf8_lossy(&buffer[..count]).into_owned()
}

/// How long it takes until the server closes the connection.
pub(super) async fn closed_after(client: &mut TcpStream) -> Duration {
    let started_at = Instant::now();
    let mut rest = Vec::new();
    // A reset is an end as well.
    let _ = timeout(Duration::from_secs(20), client.read_to_end(&mut rest))
        .await
        .expect("the connection stays open");
    started_at.elapsed()
}

#[tokio::test]
async fn too_many_headers_and_too_long_ones_are_refused() {
    let few = ServerLimits {
        headers: 10,
        header_bytes: 1_000,
        ..limits()
    };
    let running = run(few, Duration::ZERO).await;
    let head = |more: String| format!("GET /healthz HTTP/1.1\r\nHost: x\r\n{more}\r\n");
    for (more, expected) in [
        ("a: b\r\n".repeat(9), "HTTP/1.1 200"),
        ("a: b\r\n".repeat(10), "HTTP/1.1 431"),
        (format!("a: {}\r\n", "b".repeat(900)), "HTTP/1.1 200"),
        (format!("a: {}\r\n", "b".repeat(1_000)), "HTTP/1.1 431"),
    ] {
        let mut client = TcpStream::connect(running.address).await.unwrap();
        client.write_all(head(more).as_bytes()).await.unwrap();
        let answered = answer(&mut client).await;
        assert!(answered.starts_with(expected), "{answered}");
    }
}

#[tokio::test]
async fn half_a_header_is_closed_within_the_limit() {
    let running = run(limits(), Duration::ZERO).await;
    let mut client = TcpStream::connect(running.address).await.unwrap();
    client
        .write_all(b"GET /healthz HTTP/1.1\r\nHos")
        .await
        .unwrap();
    let time = closed_after(&mut client).await;
    assert!(time >= Duration::from_millis(150), "{time:?}");
    assert!(time < Duration::from_secs(2), "{time:?}");
}

#[tokio::test]
async fn a_byte_now_and_then_wins_no_time() {
    let running = run(limits(), Duration::ZERO).await;
    let mut client = TcpStream::connect(running.address).await.unwrap();
    let started_at = Instant::now();
    let mut is_open = true;
    while is_open && started_at.elapsed() < Duration::from_secs(5) {
        is_open = client.write_all(b"G").await.is_ok();
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(started_at.elapsed() < Duration::from_secs(2));
}

#[tokio::test]
async fn a_client_may_rest_longer_than_a_header_may_take() {
    let running = run(limits(), Duration::ZERO).await;
    let mut client = TcpStream::connect(running.address).await.unwrap();
    for _ in 0..3 {
        client.write_all(REQUEST).await.unwrap();
        assert!(answer(&mut client).await.starts_with("HTTP/1.1 200"));
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

#[tokio::test]
async fn a_resting_client_does_not_keep_the_server_from_stopping() {
    let running = run(limits(), Duration::ZERO).await;
    let mut silent = TcpStream::connect(running.address).await.unwrap();
    let mut resting = TcpStream::connect(running.address).await.unwrap();
    resting.write_all(REQUEST).await.unwrap();
    assert!(answer(&mut resting).await.starts_with("HTTP/1.1 200"));
    running.stop.cancel();
    timeout(Duration::from_secs(2), running.served)
        .await
        .expect("the server stops within its grace")
        .unwrap();
    closed_after(&mut resting).await;
    closed_after(&mut silent).await;
    assert!(TcpStream::connect(running.address).await.is_err());
}

#[tokio::test]
async fn a_busy_client_is_waited_for_but_not_for_ever() {
    let running = run(limits(), Duration::ZERO).await;
    let mut busy = TcpStream::connect(running.address).await.unwrap();
    // A body that never comes: the handler waits for it.
    busy.write_all(b"POST /v1/analyses HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n")
        .await
        .unwrap();
    tokio::time::sleep(Duration::from_millis(50)).await;
    running.stop.cancel();
    timeout(Duration::from_secs(2), running.served)
        .await
        .expect("the server stops within its grace")
        .unwrap();
    assert!(answer(&mut busy).await.starts_with("HTTP/1.1 408"));
}

#[tokio::test]
async fn while_draining_the_server_serves_and_says_that_it_is_not_ready() {
    let running = run(limits(), Duration::from_millis(400)).await;
    running.stop.cancel();
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(running.server.app.is_draining());
    let mut client = TcpStream::connect(running.address).await.unwrap();
    client
        .write_all(b"GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n")
        .await
        .unwrap();
    assert!(answer(&mut client).await.starts_with("HTTP/1.1 503"));
    timeout(Duration::from_secs(3), running.served)
        .await
        .unwrap()
        .unwrap();
}

/// As Orca sends it: a payload in chunks, or none.
#[tokio::test]
async fn a_post_in_chunks_is_read_with_and_without_a_payload() {
    let running = run(limits(), Duration::ZERO).await;
    let gate = "/v1/pipelines/checkout/stages/first/gate";
    let payload = "{\"key\":\"a\"}";
    let start = "{\"pipeline\":\"checkout\",\"key\":\"b\"}";
    for (path, payload, expected) in [
        (format!("{gate}?key=a"), "", "HTTP/1.1 200"),
        (gate.to_owned(), payload, "HTTP/1.1 200"),
        (format!("{gate}?dry_run=false"), payload, "HTTP/1.1 200"),
        ("/v1/rollouts".to_owned(), start, "HTTP/1.1 201"),
    ] {
        let mut client = TcpStream::connect(running.address).await.unwrap();
        let chunk = match payload {
            "" => String::new(),
            payload => format!("{:x}\r\n{payload}\r\n", payload.len()),
        };
        let request = format!(
            "POST {path} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n\
             {chunk}0\r\n\r\n"
        );
        client.write_all(request.as_bytes()).await.unwrap();
        let answered = answer(&mut client).await;
        assert!(answered.starts_with(expected), "{path}: {answered}");
    }
}

/// The address at which a connection comes in is one of the server's own.
#[tokio::test]
async fn a_host_is_needed_in_every_version_of_http_and_not_for_health() {
    let running = run(limits(), Duration::ZERO).await;
    for (request, expected) in [
        (
            "GET /v1/pipelines HTTP/1.1\r\nHost: 127.0.0.1",
            "HTTP/1.1 200",
        ),
        ("GET /v1/pipelines HTTP/1.0", "HTTP/1.0 400"),
        ("GET /v1/pipelines HTTP/1.1", "HTTP/1.1 400"),
        (
            "GET http://evil.example/v1/pipelines HTTP/1.1\r\nHost: localhost",
            "HTTP/1.1 403",
        ),
        ("GET /healthz HTTP/1.0", "HTTP/1.0 200"),
        (
            "GET /readyz HTTP/1.1\r\nHost: 10.1.2.3:8080",
            "HTTP/1.1 200",
        ),
    ] {
        let mut client = TcpStream::connect(running.address).await.unwrap();
        client
            .write_all(format!("{request}\r\n\r\n").as_bytes())
            .await
            .unwrap();
        let answered = answer(&mut client).await;
        assert!(answered.starts_with(expected), "{request}: {answered}");
    }
}
