//! Work that takes long enough to keep others waiting.

use std::panic::resume_unwind;

/// Does work on a thread where it blocks nobody, so that deadlines of whoever waits can pass
/// meanwhile. A panic of the work is one of the caller.
pub(super) async fn aside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
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
