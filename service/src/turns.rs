//! Whose turn it is to use a source.
//!
//! Only so many rollouts are judged, and only so many long stretches are read, at the same time. One
//! whose Prometheus does not answer keeps its turn until the time limit, so each source has turns of
//! its own: a source that is slow delays none but what is read from it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The turns of every source.
#[derive(Debug)]
pub(crate) struct Turns {
    most: usize,
    by_source: Mutex<BTreeMap<String, Arc<Semaphore>>>,
}

impl Turns {
    /// Gives every source as many turns at the same time.
    pub(crate) fn new(most: usize) -> Self {
        Self {
            most: most.max(1),
            by_source: Mutex::default(),
        }
    }

    /// Waits for a turn of a source, which is over when what is returned is dropped. Only sources
    /// that are configured are asked for, so there are few.
    pub(crate) async fn next(&self, source: &str) -> Option<OwnedSemaphorePermit> {
        let turns = {
            let mut by_source = self
                .by_source
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            let turns = by_source
                .entry(source.to_owned())
                .or_insert_with(|| Arc::new(Semaphore::new(self.most)));
            Arc::clone(turns)
        };
        // Only fails when the semaphore is closed, which it never is.
        turns.acquire_owned().await.ok()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    #[tokio::test]
    async fn a_source_whose_turns_are_all_taken_delays_no_other() {
        const SOON: Duration = Duration::from_millis(20);
        let turns = Turns::new(2);
        let first = turns.next("slow").await;
        let _second = turns.next("slow").await;
        assert!(timeout(SOON, turns.next("slow")).await.is_err());
        assert!(timeout(SOON, turns.next("quick")).await.is_ok());
        drop(first);
        assert!(timeout(SOON, turns.next("slow")).await.is_ok());
    }
}
