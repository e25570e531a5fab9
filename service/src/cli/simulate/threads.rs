//! Replicates on all cores, with a line of progress.

use std::num::NonZeroUsize;
use std::panic;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use serinus_analysis::simulate::operating::Executor;

use crate::terminal::Progress;

/// Spreads replicates over threads. Which thread takes which one is chance; the results are in order.
#[derive(Debug)]
pub(in crate::cli) struct Threads {
    count: NonZeroUsize,
    progress: Progress,
    /// How many steps each replicate is.
    steps: AtomicU64,
}

impl Threads {
    /// As many threads as there are cores.
    pub(in crate::cli) fn available() -> Self {
        Self::new(thread::available_parallelism().unwrap_or(NonZeroUsize::MIN))
    }

    /// As many as somebody asked for, else as many as there are cores.
    pub(super) fn asked(count: Option<u16>) -> Self {
        let asked = count.map(usize::from).and_then(NonZeroUsize::new);
        asked.map_or_else(Self::available, Self::new)
    }

    /// So many threads.
    pub(in crate::cli) fn new(count: NonZeroUsize) -> Self {
        Self {
            count,
            progress: Progress::new(),
            steps: AtomicU64::new(1),
        }
    }

    /// Says how many steps there will be in all.
    pub(in crate::cli) fn expect(&self, steps: u64) {
        self.progress.begin("", steps);
    }

    /// Says what is being worked on, and how many steps each replicate of it is.
    pub(in crate::cli) fn announce(&self, label: String, steps: u64) {
        self.progress.announce(label);
        self.steps.store(steps, Ordering::Relaxed);
    }
}

impl Executor for Threads {
    fn map<T, F>(&self, count: u64, work: F) -> Vec<T>
    where
        T: Send,
        F: Fn(u64) -> T + Sync,
    {
        let next = AtomicU64::new(0);
        let steps = self.steps.load(Ordering::Relaxed);
        let worker = || {
            let mut results = Vec::new();
            loop {
                let index = next.fetch_add(1, Ordering::Relaxed);
                if index >= count {
                    return results;
                }
                results.push((index, work(index)));
                self.progress.advance(steps);
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

/// Counts the replicates that a measurement asks for, and makes none.
#[derive(Debug, Default)]
pub(super) struct Counted(AtomicU64);

impl Counted {
    /// How many it asked for.
    pub(super) fn count(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Executor for Counted {
    fn map<T, F>(&self, count: u64, _work: F) -> Vec<T>
    where
        T: Send,
        F: Fn(u64) -> T + Sync,
    {
        self.0.fetch_add(count, Ordering::Relaxed);
        Vec::new()
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
        for row in [Row::HiddenFaults, Row::PodsFaults, Row::LatencyLimits] {
            let alone = row.measure(&OneThread, 6, 5);
            for count in [1, 2, 5] {
                assert_eq!(row.measure(&threads(count), 6, 5), alone, "{row:?}");
            }
        }
    }

    /// The end is estimated from this: one rollout a cell, counted and made.
    #[test]
    fn replicates_are_counted_without_making_them() {
        for row in Row::ALL {
            let counted = Counted::default();
            row.measure(&counted, 1, 1);
            let made = threads(2);
            row.measure(&made, 1, 1);
            assert_eq!(counted.count(), made.progress.done(), "{row:?}");
        }
    }

    #[test]
    #[should_panic(expected = "replicate 3 failed")]
    fn a_panic_in_a_replicate_is_not_lost() {
        threads(2).map(5, |index| assert_ne!(index, 3, "replicate 3 failed"));
    }
}
