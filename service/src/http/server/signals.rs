//! What makes the server stop.

use std::fmt;
use std::pin::Pin;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};

/// Why and how the server stops.
pub(crate) struct Stop {
    /// What asked for it, for the log.
    pub reason: &'static str,
    /// How long requests are still taken, so that load balancers can move away.
    pub drain_delay: Duration,
    /// Ends when the server shall wait for nothing any more.
    pub hurry: Hurry,
}

/// Ends when the server shall wait for nothing any more.
pub(crate) type Hurry = Pin<Box<dyn Future<Output = ()> + Send>>;

impl fmt::Debug for Stop {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Stop")
            .field("reason", &self.reason)
            .field("drain_delay", &self.drain_delay)
            .finish_non_exhaustive()
    }
}

/// Waits for SIGTERM or SIGINT.
///
/// SIGTERM comes from a cluster: the drain delay applies. SIGINT comes from a person at the
/// keyboard, who waits for nothing: there is no delay, and a further one cuts what still runs.
///
/// # Errors
///
/// The system lets no handler be set.
pub(crate) fn stop_signal(
    drain_delay: Duration,
) -> std::io::Result<impl Future<Output = Stop> + Send + 'static> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        let (reason, drain_delay) = tokio::select! {
            _ = terminate.recv() => ("SIGTERM", drain_delay),
            _ = interrupt.recv() => ("SIGINT", Duration::ZERO),
        };
        let hurry = Box::pin(async move {
            interrupt.recv().await;
        });
        Stop {
            reason,
            drain_delay,
            hurry,
        }
    })
}
