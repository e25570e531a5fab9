//! The date of answers, which hyper writes: it reads the wall clock by itself, keeps what it read for
//! each thread, and panics where a thread reads it first while the clock shows a time before 1970.

use std::convert::Infallible;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::Body;
use axum::response::Response;
use futures_util::FutureExt;
use hyper::body::Incoming;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper::server::conn::http1;
use hyper::service::service_fn;

use crate::clock::{Clock as _, SystemClock};
use crate::time::UnixMillis;

/// Has hyper read the date on this thread, while the clock is as it was when the service started. A
/// clock that goes back later leaves it as it is.
///
/// A thread that starts while the clock shows a time before 1970 reads none: it would end by that, and
/// with it what it was started for. It serves no connection: those that do start with the service.
pub(crate) fn read_date_once() {
    if SystemClock.now() < UnixMillis::default() {
        return;
    }
    let service = service_fn(async |_request: hyper::Request<Incoming>| {
        Ok::<_, Infallible>(Response::new(Body::empty()))
    });
    let connection = http1::Builder::new().serve_connection(Nobody, service);
    // It reads the date first, finds that nobody is there, and ends.
    let _ = connection.now_or_never();
}

/// A client that has gone.
struct Nobody;

impl Read for Nobody {
    fn poll_read(
        self: Pin<&mut Self>,
        _context: &mut Context<'_>,
        _buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl Write for Nobody {
    fn poll_write(
        self: Pin<&mut Self>,
        _context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
