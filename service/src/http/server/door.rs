//! Where connections come in.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::{ServerLimits, connection};
use crate::http::places::Places;

/// How often it is told how many connections were closed to make room.
const TELL_INTERVAL: Duration = Duration::from_mins(1);

/// How long to wait before a connection is accepted again where that failed.
const ACCEPT_AGAIN: Duration = Duration::from_millis(50);

/// Most connections that wait to be taken, as far as the system allows. In a rush more than these
/// are turned away, and their clients try again a second later.
const WAITING: u32 = 4_096;

/// Listens.
///
/// # Errors
///
/// What the system says.
pub(crate) fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    // What was just stopped may be started again.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(WAITING)
}

/// Where connections come in.
pub(super) struct Door {
    pub(super) listener: TcpListener,
    pub(super) router: Router,
    pub(super) limits: ServerLimits,
    pub(super) places: Arc<Places>,
    /// Those that are served.
    pub(super) connections: TaskTracker,
    /// Tells them that the server stops.
    pub(super) stopping: CancellationToken,
}

impl Door {
    /// Serves whoever comes, and says in the log how many had to go for them. Never ends by itself.
    pub(super) async fn hold_open(&self) {
        tokio::select! {
            () = self.let_in() => {}
            () = self.tell() => {}
        }
    }

    /// Lets nobody in any more. Returns those who are in.
    pub(super) fn close(self) -> TaskTracker {
        self.connections.close();
        self.connections
    }

    async fn let_in(&self) {
        // Said once, and not again until it worked.
        let mut is_failing = false;
        loop {
            let (stream, peer) = match self.listener.accept().await {
                Ok(accepted) => accepted,
                Err(error) if is_of_the_client(error.kind()) => continue,
                Err(error) => {
                    if !is_failing {
                        tracing::error!(
                            "cannot accept a connection, trying again until it works: {error}"
                        );
                    }
                    is_failing = true;
                    // Mostly out of file descriptors, of which a connection that rests has one.
                    self.places.close_one();
                    tokio::time::sleep(ACCEPT_AGAIN).await;
                    continue;
                }
            };
            is_failing = false;
            self.serve(stream, peer).await;
        }
    }

    async fn serve(&self, stream: TcpStream, peer: SocketAddr) {
        let place = Arc::new(self.places.enter(peer.ip()).await);
        self.connections.spawn(connection::serve(
            stream,
            peer,
            place,
            self.router.clone(),
            self.limits,
            self.stopping.clone(),
        ));
    }

    async fn tell(&self) {
        loop {
            tokio::time::sleep(TELL_INTERVAL).await;
            self.places.log_closed();
        }
    }
}

/// Whether it says nothing of this machine.
fn is_of_the_client(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::ConnectionAborted
            | ErrorKind::ConnectionReset
            | ErrorKind::ConnectionRefused
            | ErrorKind::Interrupted
    )
}
