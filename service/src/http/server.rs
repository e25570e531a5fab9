//! The server: takes connections, and stops without losing any.
//!
//! `axum::serve` would do the first, but it has no time limit for headers (a client that sends a
//! byte a minute holds its connection for ever) and its graceful shutdown waits for ever for an
//! idle keep-alive client. Only HTTP/1.1 is spoken: telling HTTP/2 apart by its first bytes is
//! one more wait without a limit, and no caller needs it.

mod clock;
mod connection;
mod date;
mod door;
mod open_files;
mod signals;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub(crate) use self::date::read_date_once;
use self::door::Door;
pub(crate) use self::door::listen;
pub(crate) use self::signals::{Hurry, Stop, stop_signal};
use super::App;
use super::places::Places;
use crate::watched::BackgroundTask;

/// How connections are served and ended. All have defaults.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ServerLimits {
    /// Longest time from the first byte of a request to the end of its headers.
    pub header_time: Duration,
    /// Longest time that a connection may rest between requests. More than the interval of a
    /// usual poll, or clients would now and then write to a connection that is just being closed.
    pub idle_time: Duration,
    /// Longest time that a client may read nothing of what is sent to it.
    pub read_time: Duration,
    /// Most connections at the same time: see [`places`](super::places).
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
            read_time: Duration::from_secs(30),
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
    let stopping = CancellationToken::new();
    let door = Door {
        listener,
        router,
        limits,
        places: Places::new(open_files::connections(limits.connections)),
        connections: TaskTracker::new(),
        stopping: stopping.clone(),
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
    tokio::select! {
        () = app.tasks().keep(BackgroundTask::Connections, &stopping, || door.hold_open()) => {}
        () = draining => {}
    }
    let connections = door.close();
    stopping.cancel();
    tokio::select! {
        () = connections.wait() => {}
        () = tokio::time::sleep(limits.grace) => {}
        () = hurry => {}
    }
    tell_cut(&connections);
    tracing::info!("stopped");
}

/// Tells how many connections are cut because they have not ended.
fn tell_cut(connections: &TaskTracker) {
    if !connections.is_empty() {
        tracing::warn!(
            connections.count = connections.len(),
            "{} connections are still busy and are cut",
            connections.len(),
        );
    }
}
