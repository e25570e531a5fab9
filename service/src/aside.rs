//! Work that takes long enough to keep others waiting.
//!
//! As much of it is done at a time as there are cores. More would be done no sooner, every piece
//! would hold its memory for longer, and the C library gives each further thread that allocates a
//! heap of its own, which keeps what it once needed: with a thousand rollouts that was more than
//! half of the resident memory.

use std::panic::resume_unwind;
use std::sync::LazyLock;
use std::thread::available_parallelism;

use tokio::sync::Semaphore;

static TURNS: LazyLock<Semaphore> =
    LazyLock::new(|| Semaphore::new(available_parallelism().map_or(1, usize::from)));

/// Does work on a thread where it blocks nobody, so that deadlines of whoever waits can pass
/// meanwhile; who gives up before its turn has come asks for no work. A panic of the work is one of
/// the caller.
///
/// The work must not wait for other work of this kind: it may be its turn that the other waits for.
pub(crate) async fn aside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    // Only fails when the semaphore is closed, which it never is.
    let turn = TURNS.acquire().await;
    let working = tokio::task::spawn_blocking(move || {
        // Until the work is done, however long its caller waits.
        let _turn = turn;
        work()
    });
    match working.await {
        Ok(done) => done,
        Err(stopped) => match stopped.try_into_panic() {
            Ok(panic) => resume_unwind(panic),
            // The runtime ends before the work began, and whoever waits ends with it.
            Err(_cancelled) => std::future::pending().await,
        },
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    /// On one thread: work that ran there would let no deadline pass.
    #[tokio::test]
    async fn a_deadline_passes_while_work_is_done() {
        let (finish, finished) = mpsc::channel::<()>();
        let waiting = aside(move || finished.recv_timeout(Duration::from_secs(30)).is_err());
        let is_late = timeout(Duration::from_millis(20), waiting).await.is_err();
        finish.send(()).unwrap();
        assert!(is_late);
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
