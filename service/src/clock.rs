//! The one place that reads the wall clock: everything else is given a [`Clock`].

use std::sync::Arc;

use serinus_fleet::VirtualClock;

/// Tells the time: the system's, or that of a simulated fleet, which runs faster.
pub(crate) trait Clock: Send + Sync + std::fmt::Debug {
    /// Milliseconds since 1970.
    fn now_ms(&self) -> i64;
}

/// A shared clock.
pub(crate) type SharedClock = Arc<dyn Clock>;

/// The system's clock.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct SystemClock;

impl Clock for SystemClock {
    fn now_ms(&self) -> i64 {
        #[expect(
            clippy::disallowed_methods,
            reason = "this is the clock that the others are given"
        )]
        chrono::Utc::now().timestamp_millis()
    }
}

impl Clock for VirtualClock {
    fn now_ms(&self) -> i64 {
        self.now_ms()
    }
}
