//! A clock that runs faster than the wall's.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// A clock that starts at a given time and runs at a given speed, which can change without a
/// jump of the time.
#[derive(Debug)]
pub struct VirtualClock {
    anchor: Mutex<Anchor>,
}

/// What the clock showed at one moment of real time, and its speed since.
#[derive(Debug, Clone, Copy)]
struct Anchor {
    real: Instant,
    virtual_ms: f64,
    speed: f64,
}

impl VirtualClock {
    /// Returns a clock that shows `start_ms` (milliseconds since 1970) now and runs `speed` times
    /// as fast as real time.
    pub fn new(start_ms: i64, speed: f64) -> Self {
        Self {
            anchor: Mutex::new(Anchor {
                real: real_now(),
                virtual_ms: start_ms as f64,
                speed: usable(speed),
            }),
        }
    }

    /// Returns what the clock shows, in milliseconds since 1970.
    pub fn now_ms(&self) -> i64 {
        let anchor = *self.lock();
        whole(anchor.time_at(real_now()))
    }

    /// Sets the speed from now on. What is not finite or is negative stops the clock.
    pub fn set_speed(&self, speed: f64) {
        let mut anchor = self.lock();
        let now = real_now();
        *anchor = Anchor {
            real: now,
            virtual_ms: anchor.time_at(now),
            speed: usable(speed),
        };
    }

    /// Sets the clock forward to `at_ms`, at an unchanged speed. A clock never goes back: an
    /// earlier time changes nothing.
    pub fn advance_to(&self, at_ms: i64) {
        let mut anchor = self.lock();
        let now = real_now();
        *anchor = Anchor {
            real: now,
            virtual_ms: anchor.time_at(now).max(at_ms as f64),
            speed: anchor.speed,
        };
    }

    /// Returns how many times as fast as real time the clock runs.
    pub fn speed(&self) -> f64 {
        self.lock().speed
    }

    /// Returns the real time until the clock shows `at_ms` at its present speed: zero if that is
    /// past, nothing if the clock stands still before it.
    pub fn real_time_until(&self, at_ms: i64) -> Option<Duration> {
        let anchor = *self.lock();
        let left_ms = at_ms as f64 - anchor.time_at(real_now());
        if left_ms <= 0.0 {
            return Some(Duration::ZERO);
        }
        Duration::try_from_secs_f64(left_ms / anchor.speed / 1000.0).ok()
    }

    fn lock(&self) -> MutexGuard<'_, Anchor> {
        // The anchor is written in one assignment: a panic elsewhere leaves it whole.
        self.anchor.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Anchor {
    fn time_at(&self, real: Instant) -> f64 {
        let elapsed = real.saturating_duration_since(self.real);
        self.virtual_ms + elapsed.as_secs_f64() * 1000.0 * self.speed
    }
}

fn usable(speed: f64) -> f64 {
    if speed.is_finite() {
        speed.max(0.0)
    } else {
        0.0
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "milliseconds of any date fit, and `as` saturates"
)]
fn whole(milliseconds: f64) -> i64 {
    milliseconds.floor() as i64
}

#[expect(
    clippy::disallowed_methods,
    reason = "the fleet's time is made of real time here, and nowhere else"
)]
fn real_now() -> Instant {
    Instant::now()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_runs_at_the_speed() {
        let anchor = Anchor {
            real: real_now(),
            virtual_ms: 5_000.0,
            speed: 1800.0,
        };
        let later = anchor.time_at(anchor.real + Duration::from_millis(20));
        assert_eq!(whole(later), 41_000);
    }

    #[test]
    fn a_stopped_clock_stands_and_a_change_of_speed_makes_no_jump() {
        let clock = VirtualClock::new(1_000_000, 0.0);
        assert_eq!(clock.now_ms(), 1_000_000);
        clock.set_speed(f64::NAN);
        assert_eq!(clock.now_ms(), 1_000_000);
        assert_eq!(clock.real_time_until(1_000_001), None);
        assert_eq!(clock.real_time_until(999_999), Some(Duration::ZERO));
        clock.set_speed(1e6);
        let running = clock.now_ms();
        assert!(running >= 1_000_000);
        clock.set_speed(0.0);
        let stopped = clock.now_ms();
        assert!(stopped >= running);
        assert_eq!(clock.now_ms(), stopped);
    }
}
