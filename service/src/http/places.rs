//! The places of the connections: who holds one, what for, and who gives way when they run short.
//!
//! Whoever reaches the server can open connections and leave them, so a place must not be worth
//! more than what is asked over it. A connection belongs to what it asked last; one that has not
//! asked yet is idle, and asking for health changes nothing about that. A quarter of the places is
//! kept for gates and for those who come: idle connections and others hold at most three quarters,
//! and those of one address a quarter. Who goes over that makes a connection go that rests: an idle
//! one first, of the address that has most, the one that has rested longest. What is being answered
//! is never cut. So a new connection is always taken, since it may turn out to be a gate.
//!
//! Every request passes here twice, so the lock is held for a few steps and never while waiting.

mod registry;

use std::fmt;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

pub(super) use self::registry::Crowded;
use self::registry::Registry;
use super::admission::{Class, network_of};

/// All places. Shared by the connections.
#[derive(Debug)]
pub(super) struct Places {
    registry: Mutex<Registry>,
    /// Told whenever a connection comes to rest or leaves.
    room: Notify,
}

impl Places {
    /// Returns so many places, all free.
    pub(super) fn new(most: usize) -> Arc<Self> {
        Arc::new(Self {
            registry: Mutex::new(Registry::new(most)),
            room: Notify::new(),
        })
    }

    /// Takes a place for a connection from this address. Waits only while every place is held by
    /// something that is being answered.
    pub(super) async fn enter(self: &Arc<Self>, peer: IpAddr) -> Place {
        let network = network_of(peer);
        loop {
            let room = self.room.notified();
            let entered = self.locked().enter(network);
            if let Some((id, close)) = entered {
                return Place {
                    id,
                    close,
                    places: Arc::clone(self),
                };
            }
            room.await;
        }
    }

    /// Makes a connection that rests go, if there is one.
    pub(super) fn close_one(&self) {
        self.locked().close_first();
    }

    /// Says in the log how many connections had to make room since this was asked last.
    pub(super) fn log_closed(&self) {
        let (closed, most) = {
            let mut registry = self.locked();
            (std::mem::take(&mut registry.closed), registry.most)
        };
        if closed > 0 {
            tracing::warn!(
                connections.closed = closed,
                connections.most = most,
                "{closed} connections that rested were closed to make room for others: of \
                 {most} places one address has at most a quarter for all but gates; raise \
                 max_connections if these are no attack"
            );
        }
    }

    /// A panic while the lock was held leaves the counts as they were before or after a step.
    fn locked(&self) -> MutexGuard<'_, Registry> {
        self.registry.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A place, held as long as its connection lives. In the extensions of every request.
pub(super) struct Place {
    id: u64,
    close: CancellationToken,
    places: Arc<Places>,
}

impl fmt::Debug for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Place")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

impl Place {
    /// Ends when the connection has to make room.
    pub(super) async fn has_to_go(&self) {
        self.close.cancelled().await;
    }

    /// Says that a request has come: the connection is not made to go until it is answered.
    /// Nothing when it has to go already; the request must then be left as if it had never come.
    pub(super) fn answering(self: &Arc<Self>) -> Option<Answering> {
        self.places
            .locked()
            .begin(self.id)
            .then(|| Answering(Arc::clone(self)))
    }

    /// Says what is asked for. Gates are never refused.
    ///
    /// # Errors
    ///
    /// [`Crowded`] when nothing else may be answered on one more connection.
    pub(super) fn ask(&self, class: Class) -> Result<(), Crowded> {
        self.places.locked().ask(self.id, class.into())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.places.locked().leave(self.id);
        self.places.room.notify_one();
    }
}

/// Held while a request is answered, up to the last byte.
#[derive(Debug)]
pub(super) struct Answering(Arc<Place>);

impl Drop for Answering {
    fn drop(&mut self) {
        self.0.places.locked().rest(self.0.id);
        self.0.places.room.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    const ADDRESS: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

    #[tokio::test]
    async fn who_comes_when_all_is_busy_enters_once_an_answer_ends() {
        let places = Places::new(1);
        let place = Arc::new(places.enter(ADDRESS).await);
        let answering = place.answering().unwrap();
        place.ask(Class::Gate).unwrap();
        let entered = tokio::join!(places.enter(ADDRESS), async {
            tokio::task::yield_now().await;
            drop(answering);
        });
        place.has_to_go().await;
        assert!(place.answering().is_none());
        drop(entered);
    }
}
