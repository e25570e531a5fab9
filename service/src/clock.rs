//! What tells the time: the one place that reads the system's clocks. Everything else is given a
//! [`Clock`].
//!
//! A clock tells two times. The date ([`Clock::now`]) is what data is asked for by and what is
//! recorded. What is due goes by the other one ([`Clock::steady`]), which never goes back and never
//! jumps. A service takes its date from a [`KeptClock`], which a wall clock that jumps does not lead
//! astray. Source: docs/design/gate.md, "Clocks and tasks".

mod keeping;
mod kept;

use std::sync::{Arc, OnceLock};
use std::time::{SystemTime, UNIX_EPOCH};

use serinus_fleet::VirtualClock;
use tokio::time::Instant;

pub(crate) use keeping::ClockNews;
pub(crate) use kept::{KeptClock, in_words};

use crate::time::{SteadyMillis, UnixMillis};

/// The first moment of the year 1: before it RFC 3339 has no date.
const FIRST_DATE_MS: i64 = -62_135_596_800_000;
/// The last moment of the year 9999: after it RFC 3339 has no date.
const LAST_DATE_MS: i64 = 253_402_300_799_999;

/// Tells the time: the system's, or that of a simulated fleet, which runs faster.
pub(crate) trait Clock: Send + Sync + std::fmt::Debug {
    /// The date, in milliseconds since 1970.
    fn now_ms(&self) -> i64;

    /// The date.
    fn now(&self) -> UnixMillis {
        UnixMillis::new(self.now_ms())
    }

    /// The time that only grows, as fast as the date.
    fn steady(&self) -> SteadyMillis;

    /// Looks whether the date is still right. To be called often; says what is new since.
    fn look(&self) -> Vec<ClockNews> {
        Vec::new()
    }

    /// The default source says what time it is: its clock is the one that data is stamped by.
    fn hear(&self, _told: UnixMillis) {}

    /// Whether it may be relied on for what cannot be undone: the date was confirmed, and the wall
    /// clock has not jumped since.
    fn is_confirmed(&self) -> bool {
        true
    }

    /// Why the date may be wrong, in words.
    fn doubt(&self) -> Option<String> {
        None
    }
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
        since_1970(SystemTime::now())
    }

    fn steady(&self) -> SteadyMillis {
        static ORIGIN: OnceLock<Instant> = OnceLock::new();
        let now = Instant::now();
        let origin = *ORIGIN.get_or_init(|| now);
        let elapsed = now.saturating_duration_since(origin);
        SteadyMillis::new(i64::try_from(elapsed.as_millis()).unwrap_or(i64::MAX))
    }
}

/// Milliseconds since 1970, negative before: a date, whatever a clock shows.
fn since_1970(time: SystemTime) -> i64 {
    let milliseconds = match time.duration_since(UNIX_EPOCH) {
        Ok(after) => i64::try_from(after.as_millis()).unwrap_or(i64::MAX),
        Err(before) => {
            i64::try_from(before.duration().as_millis()).map_or(i64::MIN, |before| -before)
        }
    };
    milliseconds.clamp(FIRST_DATE_MS, LAST_DATE_MS)
}

impl Clock for VirtualClock {
    fn now_ms(&self) -> i64 {
        self.now_ms()
    }

    // It never goes back, and where it leaps ahead everything is meant to be due.
    fn steady(&self) -> SteadyMillis {
        SteadyMillis::new(self.now_ms())
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::sync::atomic::{AtomicI64, Ordering};
    use std::time::Duration;

    use super::*;

    /// A clock that a test sets: its date and its steady time, each by itself.
    #[derive(Debug, Default)]
    pub(crate) struct SetClock {
        wall_ms: AtomicI64,
        steady_ms: AtomicI64,
    }

    impl SetClock {
        pub(crate) fn at(wall_ms: i64) -> Self {
            Self {
                wall_ms: AtomicI64::new(wall_ms),
                steady_ms: AtomicI64::new(0),
            }
        }

        /// Time passes, on both.
        pub(crate) fn pass(&self, milliseconds: i64) {
            self.jump(milliseconds);
            self.steady_ms.fetch_add(milliseconds, Ordering::Relaxed);
        }

        /// The wall clock is set, and no time passes.
        pub(crate) fn jump(&self, milliseconds: i64) {
            self.wall_ms.fetch_add(milliseconds, Ordering::Relaxed);
        }
    }

    impl Clock for SetClock {
        fn now_ms(&self) -> i64 {
            self.wall_ms.load(Ordering::Relaxed)
        }

        fn steady(&self) -> SteadyMillis {
            SteadyMillis::new(self.steady_ms.load(Ordering::Relaxed))
        }
    }

    /// A clock before 1970 panicked.
    #[test]
    fn whatever_a_clock_shows_is_a_date() {
        assert_eq!(since_1970(UNIX_EPOCH), 0);
        let before = UNIX_EPOCH - Duration::from_millis(1_500);
        assert_eq!(since_1970(before), -1_500);
        let far = Duration::from_secs(u64::pow(10, 15));
        for (time, bound) in [
            (UNIX_EPOCH - far, FIRST_DATE_MS),
            (UNIX_EPOCH + far, LAST_DATE_MS),
        ] {
            assert_eq!(since_1970(time), bound);
            assert!(UnixMillis::new(bound).date().is_some());
        }
    }

    #[test]
    fn the_steady_time_of_the_system_does_not_go_back() {
        let times: Vec<_> = (0..100).map(|_| SystemClock.steady()).collect();
        assert!(times.is_sorted());
    }
}
