//! Whether a source answers, told once per change and not per query.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serinus_analysis::data::FaultCode;
use tokio::time::Instant;

use super::SourceFault;

/// So many queries in a row without an answer between them, and it is told: one that is too slow
/// among others that are answered is no news of the source.
const MISSED_IN_A_ROW: u32 = 3;

/// A query that nobody waits for any more counts when it was waited for this long.
const WAITED_FOR: Duration = Duration::from_secs(4);

/// Whether a source answers.
#[derive(Debug, Default)]
pub(super) struct Health(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    missed: u32,
    /// Since when none was answered, once that was told.
    silent_since: Option<Instant>,
    first_missed: Option<Instant>,
}

/// What is new about a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum SourceNews {
    /// It answers no more.
    Silent,
    /// It answers again, after so long.
    AnswersAgain(Duration),
}

impl Health {
    /// A query ended, with a fault or without one.
    pub(super) fn note(&self, source: &str, fault: Option<&SourceFault>) {
        // A fault that asking again would not change is an answer, and one that was not read on
        // because others take the memory is none of the source.
        let is_missed = |fault: &&SourceFault| {
            fault.code.is_transient() && fault.code != FaultCode::StillCollecting
        };
        let missed = fault.filter(is_missed);
        let message = missed.map(|fault| fault.message.as_str());
        self.tell(source, message);
    }

    /// A query was given up by those who had asked it.
    pub(super) fn note_abandoned(&self, source: &str, waited: Duration) {
        if waited >= WAITED_FOR {
            let message = format!("source {source:?} had not answered when nobody waited any more");
            self.tell(source, Some(&message));
        }
    }

    fn tell(&self, source: &str, missed: Option<&str>) {
        match self.news(missed.is_some(), Instant::now()) {
            None => {}
            Some(SourceNews::Silent) => tracing::warn!(
                source.name = source,
                reason = missed,
                "source {source:?} stopped answering: what is read from it holds"
            ),
            Some(SourceNews::AnswersAgain(after)) => tracing::info!(
                source.name = source,
                silent_seconds = after.as_secs(),
                "source {source:?} answers again after {} s",
                after.as_secs()
            ),
        }
    }

    fn news(&self, is_missed: bool, now: Instant) -> Option<SourceNews> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if is_missed {
            state.missed = state.missed.saturating_add(1);
            let first_missed = *state.first_missed.get_or_insert(now);
            if state.missed < MISSED_IN_A_ROW || state.silent_since.is_some() {
                return None;
            }
            state.silent_since = Some(first_missed);
            return Some(SourceNews::Silent);
        }
        let before = std::mem::take(&mut *state);
        let silent_since = before.silent_since?;
        let silent = now.saturating_duration_since(silent_since);
        Some(SourceNews::AnswersAgain(silent))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Nothing told that a source had stopped, nor that it was back.
    #[test]
    fn a_source_that_stops_and_one_that_answers_again_are_news_once() {
        let (health, start) = (Health::default(), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        assert_eq!(health.news(false, at(0)), None);
        let missed: Vec<_> = (1..=5)
            .map(|second| health.news(true, at(second)))
            .collect();
        let told = Some(SourceNews::Silent);
        assert_eq!(missed, [None, None, told, None, None]);
        let again = SourceNews::AnswersAgain(Duration::from_secs(6));
        assert_eq!(health.news(false, at(7)), Some(again));
        assert_eq!(health.news(false, at(8)), None);
    }

    #[test]
    fn a_slow_query_among_others_is_no_news() {
        let (health, now) = (Health::default(), Instant::now());
        for is_missed in [true, true, false, true, true, false] {
            assert_eq!(health.news(is_missed, now), None);
        }
    }
}
