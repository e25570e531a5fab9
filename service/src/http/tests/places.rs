//! Who is served when connections run short.

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use super::sockets::{REQUEST, Running, answer, closed_after, limits, run};
use crate::http::server::ServerLimits;
use std::time::Duration;

const GATE: &[u8] =
    b"GET /v1/pipelines/checkout/stages/first/gate?key=a HTTP/1.1\r\nHost: localhost\r\n\r\n";
const LIST: &[u8] = b"GET /v1/rollouts HTTP/1.1\r\nHost: localhost\r\n\r\n";

/// Sixteen connections: twelve for all but gates, four of them for this machine.
async fn crowded() -> Running {
    let limits = ServerLimits {
        header_time: Duration::from_secs(30),
        connections: 16,
        ..limits()
    };
    run(limits, Duration::ZERO).await
}

async fn connect(running: &Running, first: &[u8]) -> TcpStream {
    let mut client = TcpStream::connect(running.address).await.unwrap();
    client.write_all(first).await.unwrap();
    client
}

async fn is_answered(client: &mut TcpStream, request: &[u8]) {
    client.write_all(request).await.unwrap();
    let answered = answer(client).await;
    assert!(answered.starts_with("HTTP/1.1 200"), "{answered}");
}

#[tokio::test]
async fn however_many_connections_rest_new_ones_are_answered_and_gates_stay() {
    let running = crowded().await;
    let mut gate = connect(&running, b"").await;
    is_answered(&mut gate, GATE).await;
    let mut resting = Vec::new();
    for number in 0..200 {
        let half: &[u8] = if number % 2 == 0 { b"" } else { b"GET /v1/p" };
        resting.push(connect(&running, half).await);
        if number % 20 == 0 {
            is_answered(&mut gate, GATE).await;
            let mut health = connect(&running, b"").await;
            is_answered(&mut health, REQUEST).await;
            let mut other_gate = connect(&running, b"").await;
            is_answered(&mut other_gate, GATE).await;
        }
    }
    is_answered(&mut gate, GATE).await;
    closed_after(&mut resting[0]).await;
}

#[tokio::test]
async fn a_stream_is_not_cut_by_those_who_come() {
    let running = crowded().await;
    let mut gate = connect(&running, b"").await;
    gate.write_all(GATE).await.unwrap();
    let answered = answer(&mut gate).await;
    let (_head, body) = answered.split_once("\r\n\r\n").unwrap();
    let body: serde_json::Value = serde_json::from_str(body).unwrap();
    let path = format!("/v1/rollouts/{}", body["rollout"].as_str().unwrap());
    let ask = format!(
        "GET {path}/events HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n"
    );
    let mut stream = connect(&running, b"").await;
    is_answered(&mut stream, ask.as_bytes()).await;
    let mut resting = Vec::new();
    for _ in 0..50 {
        resting.push(connect(&running, b"").await);
    }
    let cancel = format!("POST {path}/cancel HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let mut operator = connect(&running, b"").await;
    is_answered(&mut operator, cancel.as_bytes()).await;
    let mut told = String::new();
    while !told.contains("cancelled") {
        let more = answer(&mut stream).await;
        assert!(!more.is_empty(), "the stream was cut: {told}");
        told.push_str(&more);
    }
}

#[tokio::test]
async fn an_address_that_reads_no_answers_is_told_so_and_its_gates_go_on() {
    let running = crowded().await;
    let body = "POST /v1/analyses HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n";
    // Bodies that never come, on both connections that may wait for one.
    let mut busy = Vec::new();
    for _ in 0..2 {
        busy.push(connect(&running, body.as_bytes()).await);
    }
    tokio::time::sleep(Duration::from_millis(50)).await;
    let mut refused = connect(&running, LIST).await;
    let answered = answer(&mut refused).await;
    assert!(answered.starts_with("HTTP/1.1 429"), "{answered}");
    assert!(answered.contains("retry-after: 1"), "{answered}");
    assert!(answered.contains("max_connections"), "{answered}");
    is_answered(&mut refused, GATE).await;
    is_answered(&mut refused, REQUEST).await;
    // Told 408 after 200 ms, they make room.
    answer(&mut busy[0]).await;
    is_answered(&mut refused, LIST).await;
}
