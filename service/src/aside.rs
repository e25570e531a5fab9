//! Work that takes long enough to keep others waiting.
//!
//! It has threads of its own, as many as there are cores, at least two. With more the work would be done no sooner,
//! each piece would hold its memory for longer, and the C library would give every further thread a
//! heap of its own, which keeps what it once needed: with a thousand rollouts that was more than half
//! of the resident memory. tokio's own threads for blocking work are not used because there are
//! hundreds of them, and because names are looked up there, which can take as long as a time-out.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::LazyLock;
use std::thread::available_parallelism;

use rayon::{ThreadPool, ThreadPoolBuilder};
use tokio::sync::oneshot;

/// One piece of work that takes long must not keep all others waiting.
const FEWEST_THREADS: usize = 2;

/// Nothing where the system gives no threads: then the work is done where it is asked for.
static THREADS: LazyLock<Option<ThreadPool>> = LazyLock::new(|| {
    let cores = available_parallelism().map_or(1, usize::from);
    ThreadPoolBuilder::new()
        .num_threads(cores.max(FEWEST_THREADS))
        .thread_name(|number| format!("aside-{number}"))
        .build()
        .ok()
});

/// Does work on a thread where it blocks nobody, so that deadlines of whoever waits can pass
/// meanwhile. What nobody waits for any more when its turn comes is not begun. A panic of the work is
/// one of the caller.
pub(crate) async fn aside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let Some(threads) = &*THREADS else {
        return work();
    };
    let (tell, told) = oneshot::channel::<Result<T, Box<dyn Any + Send>>>();
    threads.spawn(move || {
        if !tell.is_closed() {
            // Fails when the caller has gone meanwhile.
            let _ = tell.send(catch_unwind(AssertUnwindSafe(work)));
        }
    });
    match told.await {
        Ok(Ok(done)) => done,
        Ok(Err(panic)) => resume_unwind(panic),
        // The threads never go away while somebody waits for them.
        Err(_lost) => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::sync::{Arc, Mutex, mpsc};
    use std::time::Duration;

    use tokio::task::JoinSet;
    use tokio::time::timeout;

    use super::*;

    const LONG: Duration = Duration::from_secs(30);
    const SOON: Duration = Duration::from_millis(20);

    fn threads() -> usize {
        THREADS.as_ref().map_or(0, ThreadPool::current_num_threads)
    }

    /// On one thread: work that ran there would let no deadline pass.
    #[tokio::test]
    async fn a_deadline_passes_while_work_is_done() {
        let (finish, finished) = mpsc::channel::<()>();
        let waiting = aside(move || finished.recv_timeout(LONG).is_err());
        let is_late = timeout(SOON, waiting).await.is_err();
        finish.send(()).unwrap();
        assert!(is_late);
    }

    /// As many pieces as there are threads and one more, of which the last has nobody who waits.
    #[tokio::test]
    async fn what_nobody_waits_for_is_not_begun() {
        let (finish, finished) = mpsc::channel::<()>();
        let finished = Arc::new(Mutex::new(finished));
        let mut blocked = JoinSet::new();
        for _ in 0..threads() {
            let finished = Arc::clone(&finished);
            blocked.spawn(aside(move || {
                let _ = finished.lock().unwrap().recv_timeout(LONG);
            }));
        }
        tokio::task::yield_now().await;
        let is_begun = Arc::new(AtomicBool::new(false));
        let begin = Arc::clone(&is_begun);
        let given_up = aside(move || begin.store(true, Ordering::SeqCst));
        assert!(timeout(SOON, given_up).await.is_err());
        for _ in 0..blocked.len() {
            finish.send(()).unwrap();
        }
        blocked.join_all().await;
        aside(|| ()).await;
        assert!(!is_begun.load(Ordering::SeqCst));
    }

    #[tokio::test]
    async fn what_was_worked_out_is_returned() {
        assert_eq!(aside(|| 6 * 7).await, 42);
    }

    #[tokio::test]
    #[should_panic(expected = "a mistake in the work")]
    async fn a_panic_is_passed_on() {
        aside(|| panic!("a mistake in the work")).await;
    }
}
