//! The clock of a service: the system's, as far as it can be believed.

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::keeping::{ClockNews, Keeping, Reading};
use super::{Clock, SharedClock};
use crate::time::{SteadyMillis, UnixMillis};

/// A clock whose date goes on when the one that it reads jumps: see [`keeping`](super::keeping).
#[derive(Debug)]
pub(crate) struct KeptClock {
    read: SharedClock,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    keeping: Keeping,
    /// What came of an answer, until it is told with the rest.
    heard: Vec<ClockNews>,
}

impl KeptClock {
    /// Begins with what a clock shows.
    pub(crate) fn new(read: SharedClock) -> Self {
        let keeping = Keeping::new(Reading {
            wall: read.now(),
            steady: read.steady(),
        });
        Self {
            read,
            state: Mutex::new(State {
                keeping,
                heard: Vec::new(),
            }),
        }
    }

    fn reading(&self) -> Reading {
        Reading {
            wall: self.read.now(),
            steady: self.read.steady(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Clock for KeptClock {
    fn now_ms(&self) -> i64 {
        let steady = self.steady();
        self.state().keeping.date(steady).get()
    }

    fn steady(&self) -> SteadyMillis {
        self.read.steady()
    }

    fn look(&self) -> Vec<ClockNews> {
        let reading = self.reading();
        let mut state = self.state();
        let mut news = std::mem::take(&mut state.heard);
        news.extend(state.keeping.look(reading));
        news
    }

    fn hear(&self, told: UnixMillis) {
        let reading = self.reading();
        let mut state = self.state();
        // The wall clock may have jumped since it was looked at.
        let jumped = state.keeping.look(reading);
        state.heard.extend(jumped);
        let settled = state.keeping.hear(reading, told);
        state.heard.extend(settled);
    }

    fn is_confirmed(&self) -> bool {
        self.state().keeping.is_confirmed()
    }

    fn doubt(&self) -> Option<String> {
        let state = self.state();
        let ahead_ms = state.keeping.wall_ahead_ms();
        let so_far = in_words(ahead_ms);
        if state.keeping.is_in_doubt() {
            return Some(format!(
                "the clock of this machine jumped and is {so_far}, and the default source has not \
                 said since what time it is: times go on by the monotonic clock"
            ));
        }
        state.keeping.is_wall_wrong().then(|| {
            format!(
                "the clock of this machine is {so_far} by what the default source says, whose time \
                 counts: set it right"
            )
        })
    }
}

/// How far one time is from another.
pub(crate) fn in_words(ahead_ms: i64) -> String {
    // The two clocks are read one after the other.
    let seconds = ahead_ms.unsigned_abs().saturating_add(500) / 1_000;
    let direction = if ahead_ms < 0 { "behind" } else { "ahead" };
    format!("{seconds} s {direction}")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::tests::SetClock;
    use super::*;

    const START_MS: i64 = 1_800_000_000_000;

    #[test]
    fn the_date_goes_on_while_the_wall_clock_is_wrong_and_it_is_told() {
        let wall = Arc::new(SetClock::at(START_MS));
        let clock = KeptClock::new(Arc::clone(&wall) as SharedClock);
        clock.hear(UnixMillis::new(START_MS));
        assert_eq!(clock.doubt(), None);
        wall.jump(-3_600_000);
        wall.pass(500);
        assert_eq!(clock.now_ms(), START_MS + 500);
        let by_ms = -3_600_000;
        assert_eq!(clock.look(), [ClockNews::Jumped { by_ms }]);
        let doubt = clock.doubt().unwrap();
        assert!(doubt.contains("3600 s behind"), "{doubt}");
        assert!(!clock.is_confirmed());
        clock.hear(UnixMillis::new(START_MS));
        let settled = ClockNews::Settled {
            by_ms: 0,
            wall_ahead_ms: by_ms,
        };
        assert_eq!(clock.look(), [settled]);
        assert!(clock.doubt().unwrap().contains("set it right"));
        assert!(clock.is_confirmed());
        wall.jump(3_600_000);
        wall.pass(500);
        clock.look();
        assert_eq!((clock.now_ms(), clock.doubt()), (START_MS + 1_000, None));
    }
}
