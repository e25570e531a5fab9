//! One line on the terminal that says how far a long command is, and about how long it still takes.
//! It is drawn on standard error, where that is a terminal, and goes before the answer comes.

use std::io::{self, IsTerminal, Write};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use terminal_size::{Width, terminal_size_of};
use tokio::time::Instant;

/// Nothing is drawn before: most commands are over by then.
const QUIET: Duration = Duration::from_millis(500);
/// Between two drawings.
const REDRAWN_AFTER: Duration = Duration::from_millis(200);
/// What was seen of the speed before this says little about the end.
const ESTIMATED_AFTER: Duration = Duration::from_secs(2);
/// Back to the line's begin, and what was on it away.
const CLEARED: &str = "\r\x1b[K";
/// Columns where the terminal does not say.
const USUAL_COLUMNS: u16 = 80;

/// How far a command is, in steps of its own measure.
#[derive(Debug)]
pub(crate) struct Progress {
    is_shown: bool,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    label: String,
    done: u64,
    all: u64,
    begun: Instant,
    drawn: Option<Instant>,
}

impl Progress {
    /// Nothing is done yet.
    pub(crate) fn new() -> Self {
        Self {
            is_shown: io::stderr().is_terminal() && anstyle_query::term_supports_color(),
            state: Mutex::new(State {
                label: String::new(),
                done: 0,
                all: 0,
                begun: Instant::now(),
                drawn: None,
            }),
        }
    }

    /// Begins a part of the command that has so many steps.
    pub(crate) fn begin(&self, label: impl Into<String>, all: u64) {
        self.change(|state| {
            *state = State {
                label: label.into(),
                done: 0,
                all,
                begun: Instant::now(),
                drawn: state.drawn,
            };
        });
    }

    /// Says what is being worked on now, as a step of the same part.
    pub(crate) fn announce(&self, label: impl Into<String>) {
        self.change(|state| state.label = label.into());
    }

    /// So many more steps are done.
    pub(crate) fn advance(&self, steps: u64) {
        self.change(|state| state.done = state.done.saturating_add(steps));
    }

    /// So many steps of the part are done by now.
    pub(crate) fn reach(&self, steps: u64) {
        self.change(|state| state.done = steps);
    }

    /// Takes the line away, so that something else can be written. It comes again with the next
    /// step.
    pub(crate) fn clear(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.drawn.take().is_some() {
            draw(CLEARED);
        }
    }

    /// How many steps are done of the present part.
    #[cfg(test)]
    pub(crate) fn done(&self) -> u64 {
        self.state
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .done
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut state);
        if !self.is_shown {
            return;
        }
        let now = Instant::now();
        let is_due = match state.drawn {
            Some(at) => now.duration_since(at) >= REDRAWN_AFTER,
            None => now.duration_since(state.begun) >= QUIET,
        };
        if is_due {
            state.drawn = Some(now);
            let columns =
                terminal_size_of(io::stderr()).map_or(USUAL_COLUMNS, |(Width(columns), _)| columns);
            let line = line(&state, now.duration_since(state.begun));
            // The last column is left free: some terminals begin a new line with it.
            let shown: String = line
                .chars()
                .take(usize::from(columns).saturating_sub(1))
                .collect();
            draw(&format!("{CLEARED}{shown}"));
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.clear();
    }
}

fn draw(text: &str) {
    let mut terminal = io::stderr().lock();
    // Nobody is left to be told when the terminal is gone.
    let _ = terminal
        .write_all(text.as_bytes())
        .and_then(|()| terminal.flush());
}

/// `sequential, effect 2: 37 %, about 2 min left`.
fn line(state: &State, elapsed: Duration) -> String {
    let done = share(state.done, state.all);
    let left = match left(done, elapsed) {
        Some(left) => format!(", about {} left", time(left)),
        None => String::new(),
    };
    format!("{}: {:.0} %{left}", state.label, (100.0 * done).floor())
}

/// What is done, from 0 to 1. Where nothing is to be done, nothing is.
fn share(done: u64, all: u64) -> f64 {
    done.min(all) as f64 / all.max(1) as f64
}

/// What is left, at the speed so far.
fn left(done: f64, elapsed: Duration) -> Option<Duration> {
    if elapsed < ESTIMATED_AFTER {
        return None;
    }
    // Nothing is done: the end is infinitely far, which is no duration.
    Duration::try_from_secs_f64(elapsed.as_secs_f64() * (1.0 - done) / done).ok()
}

/// `40 s`, `3 min`, `2.5 h`: as exact as a guess is.
fn time(duration: Duration) -> String {
    let seconds = duration.as_secs_f64();
    if seconds < 60.0 {
        format!("{:.0} s", seconds.ceil())
    } else if seconds < 5_400.0 {
        format!("{:.0} min", (seconds / 60.0).ceil())
    } else {
        format!("{:.1} h", seconds / 3_600.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_says_how_far_it_is_and_how_long_it_takes() {
        for (done, all, seconds, told) in [
            (0, 240, 9, "replaying stage_2: 0 %"),
            (1, 240, 1, "replaying stage_2: 0 %"),
            (60, 240, 10, "replaying stage_2: 25 %, about 30 s left"),
            (60, 240, 100, "replaying stage_2: 25 %, about 5 min left"),
            (1, 1_001, 9, "replaying stage_2: 0 %, about 2.5 h left"),
            (239, 240, 1, "replaying stage_2: 99 %"),
            (240, 240, 100, "replaying stage_2: 100 %, about 0 s left"),
            (300, 240, 100, "replaying stage_2: 100 %, about 0 s left"),
            (0, 0, 100, "replaying stage_2: 0 %"),
        ] {
            let state = State {
                label: "replaying stage_2".to_owned(),
                done,
                all,
                begun: Instant::now(),
                drawn: None,
            };
            assert_eq!(line(&state, Duration::from_secs(seconds)), told);
        }
    }

    #[test]
    fn nothing_is_written_where_no_terminal_is() {
        let mut progress = Progress::new();
        progress.is_shown = false;
        progress.begin("reading", 3);
        progress.advance(2);
        let state = progress.state.lock().unwrap();
        assert_eq!((state.done, state.all, state.drawn), (2, 3, None));
    }
}
