//! Replicates on all cores, with a line of progress.

use std::io::{self, IsTerminal, Write};
use std::num::NonZeroUsize;
use std::panic;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use serinus_analysis::simulate::operating::Executor;

/// Rollouts between two updates of the line.
const ROLLOUTS_PER_UPDATE: u64 = 50;

/// Spreads replicates over threads. Which thread takes which one is chance; the results are in order.
#[derive(Debug)]
pub(in crate::cli) struct Threads {
    count: NonZeroUsize,
    progress: Progress,
}

impl Threads {
    /// As many threads as there are cores.
    pub(in crate::cli) fn available() -> Self {
        Self::new(thread::available_parallelism().unwrap_or(NonZeroUsize::MIN))
    }

    /// So many threads. The line of progress goes to standard error if that is a terminal.
    pub(in crate::cli) fn new(count: NonZeroUsize) -> Self {
        Self {
            count,
            progress: Progress {
                is_shown: io::stderr().is_terminal(),
                label: Mutex::new(String::new()),
                done: AtomicU64::new(0),
            },
        }
    }

    /// Says what is being worked on.
    pub(in crate::cli) fn announce(&self, label: String) {
        let mut current = (self.progress.label.lock()).unwrap_or_else(PoisonError::into_inner);
        *current = label;
    }
}

impl Executor for Threads {
    fn map<T, F>(&self, count: u64, work: F) -> Vec<T>
    where
        T: Send,
        F: Fn(u64) -> T + Sync,
    {
        let next = AtomicU64::new(0);
        let worker = || {
            let mut results = Vec::new();
            loop {
                let index = next.fetch_add(1, Ordering::Relaxed);
                if index >= count {
                    return results;
                }
                results.push((index, work(index)));
                self.progress.tick();
            }
        };
        let mut results: Vec<(u64, T)> = thread::scope(|scope| {
            let workers: Vec<_> = (0..self.count.get()).map(|_| scope.spawn(worker)).collect();
            workers
                .into_iter()
                .flat_map(|worker| match worker.join() {
                    Ok(results) => results,
                    // The panic of a replicate is one of this call.
                    Err(payload) => panic::resume_unwind(payload),
                })
                .collect()
        });
        results.sort_unstable_by_key(|(index, _)| *index);
        results.into_iter().map(|(_, result)| result).collect()
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        self.progress.clear();
    }
}

#[derive(Debug)]
struct Progress {
    is_shown: bool,
    label: Mutex<String>,
    done: AtomicU64,
}

impl Progress {
    fn tick(&self) {
        let done = self.done.fetch_add(1, Ordering::Relaxed) + 1;
        if self.is_shown && done.is_multiple_of(ROLLOUTS_PER_UPDATE) {
            let label = self.label.lock().unwrap_or_else(PoisonError::into_inner);
            // Nobody is left to be told when the terminal is gone.
            let _ = write!(io::stderr(), "\r\x1b[K{label}: {done} rollouts");
        }
    }

    fn clear(&self) {
        if self.is_shown {
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
    }
}

#[cfg(test)]
mod tests {
    use serinus_analysis::simulate::operating::{OneThread, Row};

    use super::*;

    fn threads(count: usize) -> Threads {
        Threads::new(NonZeroUsize::new(count).unwrap())
    }

    #[test]
    fn results_are_in_order() {
        let squares = threads(7).map(1000, |index| index * index);
        assert_eq!(squares, OneThread.map(1000, |index| index * index));
        assert!(threads(3).map(0, |index| index).is_empty());
    }

    #[test]
    fn the_number_of_threads_changes_nothing() {
        for row in [Row::Crash, Row::Latency] {
            let alone = row.measure(&OneThread, 6, 5).unwrap();
            for count in [1, 2, 5] {
                assert_eq!(
                    row.measure(&threads(count), 6, 5).unwrap(),
                    alone,
                    "{row:?}"
                );
            }
        }
    }

    #[test]
    #[should_panic(expected = "replicate 3 failed")]
    fn a_panic_in_a_replicate_is_not_lost() {
        threads(2).map(5, |index| assert_ne!(index, 3, "replicate 3 failed"));
    }
}
