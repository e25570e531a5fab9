//! The same question, asked by several at once, is asked once.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio_util::sync::CancellationToken;

use super::{Answer, Question, SourceFault};

/// One answer for all who asked the same.
pub(super) type Outcome = Result<Arc<Answer>, SourceFault>;

/// Empty until one of the callers has the outcome. Who holds the lock is asking.
type Slot = Arc<tokio::sync::Mutex<Option<Outcome>>>;

/// The questions that are being asked now.
#[derive(Debug, Default)]
pub(super) struct InFlight {
    entries: Mutex<BTreeMap<Question, Entry>>,
}

#[derive(Debug, Default)]
struct Entry {
    slot: Slot,
    /// Told when who is asking waits for room: whoever waits for the outcome may have that room.
    stuck: CancellationToken,
    callers: usize,
}

impl InFlight {
    /// Asks, or waits for who is asking the same already and takes the same outcome. Nothing is
    /// kept: a caller that comes after the outcome asks anew. If who asks is cancelled, the next
    /// in line asks; if who asks says that it is stuck, each asks for itself.
    pub(super) async fn ask<F>(
        &self,
        question: &Question,
        asking: impl FnOnce(CancellationToken) -> F,
    ) -> Outcome
    where
        F: Future<Output = Result<Answer, SourceFault>>,
    {
        let ticket = self.join(question);
        let asking = asking(ticket.stuck.clone());
        let mut place = tokio::select! {
            biased;
            place = ticket.slot.lock() => place,
            () = ticket.stuck.cancelled() => return asking.await.map(Arc::new),
        };
        if let Some(outcome) = &*place {
            return outcome.clone();
        }
        let outcome = asking.await.map(Arc::new);
        self.close(&ticket);
        place.insert(outcome).clone()
    }

    fn entries(&self) -> MutexGuard<'_, BTreeMap<Question, Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn join(&self, question: &Question) -> Ticket<'_> {
        let mut entries = self.entries();
        let entry = entries.entry(question.clone()).or_default();
        entry.callers += 1;
        Ticket {
            in_flight: self,
            question: question.clone(),
            slot: Arc::clone(&entry.slot),
            stuck: entry.stuck.clone(),
        }
    }

    /// Lets nobody join any more.
    fn close(&self, ticket: &Ticket<'_>) {
        let mut entries = self.entries();
        if let Some(entry) = entries.get(&ticket.question)
            && Arc::ptr_eq(&entry.slot, &ticket.slot)
        {
            entries.remove(&ticket.question);
        }
    }
}

/// One caller's part in a question.
struct Ticket<'a> {
    in_flight: &'a InFlight,
    question: Question,
    slot: Slot,
    stuck: CancellationToken,
}

impl Drop for Ticket<'_> {
    fn drop(&mut self) {
        let mut entries = self.in_flight.entries();
        if let Some(entry) = entries.get_mut(&self.question)
            && Arc::ptr_eq(&entry.slot, &self.slot)
        {
            entry.callers -= 1;
            if entry.callers == 0 {
                entries.remove(&self.question);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::time::Duration;

    use serinus_analysis::data::FaultCode;
    use tokio::time::{sleep, timeout};

    use super::super::QuestionTime;
    use super::*;

    fn question(promql: &str) -> Question {
        Question {
            promql: promql.to_owned(),
            at: QuestionTime::Instant { at_ms: 0 },
        }
    }

    async fn answer_after_a_while(asked: &Cell<u32>) -> Result<Answer, SourceFault> {
        asked.set(asked.get() + 1);
        sleep(Duration::from_millis(100)).await;
        Ok(Answer {
            bytes: 7,
            ..Answer::default()
        })
    }

    #[tokio::test]
    async fn callers_at_the_same_time_share_one_question() {
        let in_flight = InFlight::default();
        let asked = Cell::new(0);
        let up = question("up");
        let (first, second, third) = tokio::join!(
            in_flight.ask(&up, |_| answer_after_a_while(&asked)),
            in_flight.ask(&up, |_| answer_after_a_while(&asked)),
            in_flight.ask(&up, |_| answer_after_a_while(&asked)),
        );
        assert_eq!(asked.get(), 1);
        assert_eq!(first.unwrap().bytes, 7);
        assert_eq!(second, third);
        assert!(in_flight.entries().is_empty());
    }

    #[tokio::test]
    async fn other_questions_and_later_callers_ask_for_themselves() {
        let in_flight = InFlight::default();
        let asked = Cell::new(0);
        let (up, down) = (question("up"), question("down"));
        let (first, second) = tokio::join!(
            in_flight.ask(&up, |_| answer_after_a_while(&asked)),
            in_flight.ask(&down, |_| answer_after_a_while(&asked)),
        );
        assert!(first.is_ok() && second.is_ok());
        assert!(
            in_flight
                .ask(&up, |_| answer_after_a_while(&asked))
                .await
                .is_ok()
        );
        assert_eq!(asked.get(), 3);
    }

    #[tokio::test]
    async fn a_failure_is_shared_and_not_kept() {
        let in_flight = InFlight::default();
        let up = question("up");
        let fault = || async {
            sleep(Duration::from_millis(20)).await;
            Err(SourceFault {
                code: FaultCode::SourceFailed,
                message: String::new(),
            })
        };
        let asked = Cell::new(0);
        let (first, second) = tokio::join!(
            in_flight.ask(&up, |_| fault()),
            in_flight.ask(&up, |_| answer_after_a_while(&asked)),
        );
        assert!(first.is_err() && second.is_err());
        assert!(
            in_flight
                .ask(&up, |_| answer_after_a_while(&asked))
                .await
                .is_ok()
        );
        assert_eq!(asked.get(), 1);
    }

    #[tokio::test]
    async fn the_next_in_line_asks_when_the_first_is_cancelled() {
        let in_flight = InFlight::default();
        let asked = Cell::new(0);
        let up = question("up");
        let (cancelled, answered) = tokio::join!(
            timeout(
                Duration::from_millis(5),
                in_flight.ask(&up, |_| answer_after_a_while(&asked)),
            ),
            in_flight.ask(&up, |_| answer_after_a_while(&asked)),
        );
        assert!(cancelled.is_err());
        assert!(answered.is_ok());
        assert_eq!(asked.get(), 2);
        assert!(in_flight.entries().is_empty());
    }

    #[tokio::test]
    async fn nobody_waits_for_one_who_is_stuck() {
        let in_flight = InFlight::default();
        let asked = Cell::new(0);
        let up = question("up");
        let stuck = |told: CancellationToken| async move {
            sleep(Duration::from_millis(5)).await;
            told.cancel();
            std::future::pending().await
        };
        let (never, answered) = tokio::join!(
            timeout(Duration::from_millis(300), in_flight.ask(&up, stuck)),
            timeout(
                Duration::from_millis(250),
                in_flight.ask(&up, |_| answer_after_a_while(&asked))
            ),
        );
        assert!(never.is_err());
        assert!(answered.unwrap().is_ok());
    }
}
