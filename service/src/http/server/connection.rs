//! One connection.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{ConnectInfo, Request};
use axum::response::Response;
use hyper::body::{Frame, Incoming, SizeHint};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use super::ServerLimits;
use super::clock::{Clock, RanOut, Timed};
use crate::http::asked_host::CameInAt;
use crate::http::places::{Answering, Place};

/// hyper's least buffer. It never reads more of a request than that at once.
const MIN_BUFFER_BYTES: usize = 64 * 1024;

/// The connection made room before its request was looked at: it is closed without an answer, and
/// the client may send the request again.
#[derive(Debug, thiserror::Error)]
#[error("the connection made room for others")]
struct MadeRoom;

/// Serves one connection until the client goes, a limit is reached, it has to make room, or the
/// server stops.
pub(super) async fn serve(
    stream: TcpStream,
    peer: SocketAddr,
    place: Arc<Place>,
    router: Router,
    limits: ServerLimits,
    stopping: CancellationToken,
) {
    // Answers are small and whole: waiting for more to send only costs time.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!("cannot set TCP_NODELAY: {error}");
    }
    let clock = Clock::default();
    let asked = Asked {
        router,
        peer,
        came_in_at: stream.local_addr().ok().map(CameInAt),
        place: Arc::clone(&place),
        clock: clock.clone(),
    };
    let service =
        service_fn(move |request: hyper::Request<Incoming>| asked.clone().answer(request));
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
        () = place.has_to_go() => {
            tracing::debug!("closed to make room for another connection");
            return;
        }
        ran_out = clock.ran_out(limits.header_time, limits.read_time) => {
            match ran_out {
                RanOut::Headers => tracing::debug!("headers did not arrive in time: closed"),
                RanOut::Answer => tracing::debug!("nobody reads the answer: closed"),
            }
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

/// What a request of this connection is answered with.
#[derive(Clone)]
struct Asked {
    router: Router,
    peer: SocketAddr,
    came_in_at: Option<CameInAt>,
    place: Arc<Place>,
    clock: Clock,
}

impl Asked {
    async fn answer(
        self,
        request: hyper::Request<Incoming>,
    ) -> Result<hyper::Response<Held>, MadeRoom> {
        let before = self.clock.headers_are_there();
        let answering = before.or_else(|| self.place.answering());
        let busy = Busy {
            answering: Some(answering.ok_or(MadeRoom)?),
            clock: self.clock,
        };
        let mut request: Request = request.map(Body::new);
        let extensions = request.extensions_mut();
        extensions.insert(ConnectInfo(self.peer));
        extensions.insert(self.place);
        if let Some(came_in_at) = self.came_in_at {
            extensions.insert(came_in_at);
        }
        let Ok(response): Result<Response, _> = self.router.oneshot(request).await;
        Ok(response.map(|body| Held { body, _busy: busy }))
    }
}

/// Held while an answer is made and handed on.
struct Busy {
    clock: Clock,
    answering: Option<Answering>,
}

impl Drop for Busy {
    fn drop(&mut self) {
        if let Some(answering) = self.answering.take() {
            self.clock.handed_on(answering);
        }
    }
}

/// The body of an answer.
struct Held {
    body: Body,
    _busy: Busy,
}

impl hyper::body::Body for Held {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
