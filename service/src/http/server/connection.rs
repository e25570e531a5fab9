//! One connection.

use std::convert::Infallible;
use std::net::SocketAddr;

use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, Request};
use axum::response::Response;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use super::ServerLimits;
use super::header_clock::{HeaderClock, Timed};
use crate::http::asked_host::CameInAt;

/// hyper's least buffer. It never reads more of a request than that at once.
const MIN_BUFFER_BYTES: usize = 64 * 1024;

/// Serves one connection until the client goes, a limit is reached, or the server stops.
pub(super) async fn serve(
    stream: TcpStream,
    peer: SocketAddr,
    router: Router,
    limits: ServerLimits,
    stopping: CancellationToken,
) {
    // Answers are small and whole: waiting for more to send only costs time.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!("cannot set TCP_NODELAY: {error}");
    }
    let came_in_at = stream.local_addr().ok().map(CameInAt);
    let clock = HeaderClock::default();
    let service_clock = clock.clone();
    let service = service_fn(move |request: hyper::Request<Incoming>| {
        service_clock.headers_are_there();
        let clock = service_clock.clone();
        let router = router.clone();
        async move {
            let mut request: Request = request.map(Body::new);
            request.extensions_mut().insert(ConnectInfo(peer));
            if let Some(came_in_at) = came_in_at {
                request.extensions_mut().insert(came_in_at);
            }
            let response: Result<Response, Infallible> = router.oneshot(request).await;
            clock.answered();
            response
        }
    });
    let io = TokioIo::new(Timed {
        stream,
        clock: clock.clone(),
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.idle_time)
        .max_headers(limits.headers)
        .max_header_size(limits.header_bytes)
        .max_buf_size(limits.header_bytes.max(MIN_BUFFER_BYTES))
        .serve_connection(io, service);
    let mut served = std::pin::pin!(served);
    let result = tokio::select! {
        result = served.as_mut() => result,
        () = clock.ran_out(limits.header_time) => {
            tracing::debug!("headers did not arrive in time: connection closed");
            return;
        }
        () = stopping.cancelled() => {
            // Closes a resting connection at once, a busy one after its answer.
            served.as_mut().graceful_shutdown();
            served.await
        }
    };
    if let Err(error) = result {
        tracing::debug!("connection ended: {error}");
    }
}
