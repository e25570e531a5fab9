//! The server: takes connections, and stops without losing any.
//!
//! `axum::serve` would do the first, but it has no time limit for headers (a client that sends a
//! byte a minute holds its connection for ever) and its graceful shutdown waits for ever for an
//! idle keep-alive client. Only HTTP/1.1 is spoken: telling HTTP/2 apart by its first bytes is
//! one more wait without a limit, and no caller needs it.

mod connection;
mod header_clock;
mod signals;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub(crate) use self::signals::{Hurry, Stop, stop_signal};
use super::App;

/// How often what need not be remembered is forgotten.
const TIDY_INTERVAL: Duration = Duration::from_mins(1);

/// How connections are served and ended. All have defaults.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ServerLimits {
    /// Longest time from the first byte of a request to the end of its headers.
    pub header_time: Duration,
    /// Longest time that a connection may rest between requests. More than the interval of a
    /// usual poll, or clients would now and then write to a connection that is just being closed.
    pub idle_time: Duration,
    /// Most connections at the same time. More wait in the system's queue.
    pub connections: usize,
    /// Most headers of a request. More are answered with 431.
    pub headers: usize,
    /// Most bytes of a request's first line and headers. More are answered with 431.
    pub header_bytes: usize,
    /// How long running answers may take once the server stops.
    pub grace: Duration,
}

impl Default for ServerLimits {
    fn default() -> Self {
        Self {
            header_time: Duration::from_secs(10),
            idle_time: Duration::from_secs(75),
            connections: 4_096,
            headers: 100,
            header_bytes: 32 * 1024,
            grace: Duration::from_secs(10),
        }
    }
}

/// Serves until told to stop, then in order: `/readyz` answers 503 while everything is still
/// served for the drain delay, the listener closes, running answers are finished, and what is
/// left after the grace is cut.
///
/// `stop` ends when the server shall stop and says how.
pub(crate) async fn serve(
    listener: TcpListener,
    router: Router,
    app: Arc<App>,
    limits: ServerLimits,
    stop: impl Future<Output = Stop>,
) {
    let connections = TaskTracker::new();
    let stopping = CancellationToken::new();
    let places = Arc::new(Semaphore::new(limits.connections.max(1)));
    let accepting = async {
        loop {
            // Only fails when the semaphore is closed, which it never is.
            let place = Arc::clone(&places).acquire_owned().await;
            let Some((stream, peer)) = accept(&listener).await else {
                continue;
            };
            let served = connection::serve(stream, peer, router.clone(), limits, stopping.clone());
            connections.spawn(async move {
                served.await;
                drop(place);
            });
        }
    };
    let mut hurry: Hurry = Box::pin(std::future::pending());
    let draining = async {
        let stop = stop.await;
        app.drain();
        tracing::info!(
            drain_seconds = stop.drain_delay.as_secs(),
            "stopping on {}: not ready any more, serving {} s longer",
            stop.reason,
            stop.drain_delay.as_secs()
        );
        hurry = stop.hurry;
        tokio::select! {
            () = tokio::time::sleep(stop.drain_delay) => {}
            () = &mut hurry => {}
        }
    };
    let tidying = async {
        loop {
            tokio::time::sleep(TIDY_INTERVAL).await;
            app.tidy();
        }
    };
    tokio::select! {
        () = accepting => {}
        () = tidying => {}
        () = draining => {}
    }
    drop(listener);
    stopping.cancel();
    connections.close();
    tokio::select! {
        () = connections.wait() => {}
        () = tokio::time::sleep(limits.grace) => {}
        () = hurry => {}
    }
    if !connections.is_empty() {
        tracing::warn!(
            connections.count = connections.len(),
            "{} connections are still busy and are cut",
            connections.len(),
        );
    }
    tracing::info!("stopped");
}

async fn accept(listener: &TcpListener) -> Option<(TcpStream, SocketAddr)> {
    match listener.accept().await {
        Ok(accepted) => Some(accepted),
        Err(error) => {
            use std::io::ErrorKind;
            let is_of_the_client = matches!(
                error.kind(),
                ErrorKind::ConnectionAborted
                    | ErrorKind::ConnectionReset
                    | ErrorKind::ConnectionRefused
                    | ErrorKind::Interrupted
            );
            if !is_of_the_client {
                // Mostly out of file descriptors: wait until some are given back.
                tracing::error!("cannot accept a connection, trying again in 1 s: {error}");
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
            None
        }
    }
}
