//! Who runs the replicates.

/// Spreads work over threads, or not. The results are in order of index, so that they are the same
/// however they were made.
pub trait Executor {
    /// Returns `work(0), work(1), ..., work(count - 1)`.
    fn map<T, F>(&self, count: u64, work: F) -> Vec<T>
    where
        T: Send,
        F: Fn(u64) -> T + Sync;
}

/// Runs one replicate after the other, here.
#[derive(Debug, Clone, Copy, Default)]
pub struct OneThread;

impl Executor for OneThread {
    fn map<T, F>(&self, count: u64, work: F) -> Vec<T>
    where
        T: Send,
        F: Fn(u64) -> T + Sync,
    {
        (0..count).map(work).collect()
    }
}
