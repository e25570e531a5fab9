//! The server: takes connections, and stops without losing any.
//!
//! `axum::serve` would do the first, but it has no time limit for headers (a client that sends a
//! byte a minute holds its connection for ever) and its graceful shutdown waits for ever for an
//! idle keep-alive client. Only HTTP/1.1 is spoken: telling HTTP/2 apart by its first bytes is
//! one more wait without a limit, and no caller needs it.

mod clock;
mod connection;
mod date;
mod open_files;
mod signals;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub(crate) use self::date::read_date_once;
pub(crate) use self::signals::{Hurry, Stop, stop_signal};
use super::App;
use super::places::Places;
use crate::watched::BackgroundTask;

/// How often it is told how many connections were closed to make room.
const TELL_INTERVAL: Duration = Duration::from_mins(1);

/// How long to wait before a connection is accepted again where that failed.
const ACCEPT_AGAIN: Duration = Duration::from_millis(50);

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
    let connections = TaskTracker::new();
    let stopping = CancellationToken::new();
    let places = Places::new(open_files::connections(limits.connections));
    let accepting = || async {
        let mut accept = Accept::new(&listener);
        loop {
            let Some((stream, peer)) = accept.next(&places).await else {
                continue;
            };
            let place = Arc::new(places.enter(peer.ip()).await);
            let (router, stopping) = (router.clone(), stopping.clone());
            connections.spawn(connection::serve(
                stream, peer, place, router, limits, stopping,
            ));
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
    let accepting_and_telling = || async {
        tokio::select! {
            () = accepting() => {}
            () = tell_closed(&places) => {}
        }
    };
    tokio::select! {
        () = app.tasks().keep(BackgroundTask::Connections, &stopping, accepting_and_telling) => {}
        () = draining => {}
    }
    drop(listener);
    stopping.cancel();
    tokio::select! {
        () = finish(&connections) => {}
        () = tokio::time::sleep(limits.grace) => {}
        () = hurry => {}
    }
    tell_cut(&connections);
    tracing::info!("stopped");
}

/// Tells now and then how many connections were closed to make room.
async fn tell_closed(places: &Places) {
    loop {
        tokio::time::sleep(TELL_INTERVAL).await;
        places.log_closed();
    }
}

/// Waits until every connection has ended.
async fn finish(connections: &TaskTracker) {
    connections.close();
    connections.wait().await;
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

/// Takes connections from the system.
struct Accept<'a> {
    listener: &'a TcpListener,
    /// The last try failed for a reason of this machine, which was logged.
    is_failing: bool,
}

impl<'a> Accept<'a> {
    fn new(listener: &'a TcpListener) -> Self {
        Self {
            listener,
            is_failing: false,
        }
    }

    async fn next(&mut self, places: &Places) -> Option<(TcpStream, SocketAddr)> {
        use std::io::ErrorKind;
        match self.listener.accept().await {
            Ok(accepted) => {
                self.is_failing = false;
                return Some(accepted);
            }
            Err(error) => match error.kind() {
                ErrorKind::ConnectionAborted
                | ErrorKind::ConnectionReset
                | ErrorKind::ConnectionRefused
                | ErrorKind::Interrupted => {}
                _ => {
                    if !self.is_failing {
                        tracing::error!(
                            "cannot accept a connection, trying again until it works: {error}"
                        );
                    }
                    self.is_failing = true;
                    // Mostly out of file descriptors, of which a connection that rests has one.
                    places.close_one();
                    tokio::time::sleep(ACCEPT_AGAIN).await;
                }
            },
        }
        None
    }
}
