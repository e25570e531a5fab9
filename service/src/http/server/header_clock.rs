//! A limit for the time that headers take to arrive.
//!
//! hyper has one (`header_read_timeout`), but its clock runs from the end of the request before,
//! so it is the limit for resting connections as well. The two need different lengths: ten
//! seconds are plenty for headers, and far too short for a client that polls every ten seconds.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

/// Knows since when the headers of a request have been arriving.
#[derive(Debug, Clone, Default)]
pub(super) struct HeaderClock(Arc<Mutex<Phase>>);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Phase {
    /// Between requests.
    #[default]
    Resting,
    /// Something of a request has arrived, but not all its headers.
    Headers { since: Instant },
    /// The request is with its handler.
    Busy,
}

impl HeaderClock {
    /// All headers are there.
    pub(super) fn headers_are_there(&self) {
        self.set(|_| Phase::Busy);
    }

    /// The answer is made.
    pub(super) fn answered(&self) {
        self.set(|_| Phase::Resting);
    }

    /// Ends when headers have been arriving for longer than the limit.
    pub(super) async fn ran_out(&self, limit: Duration) {
        loop {
            let deadline = match self.phase() {
                Phase::Headers { since } => since + limit,
                Phase::Resting | Phase::Busy => Instant::now() + limit,
            };
            // At the latest a limit after the first byte this looks again, and then it knows the
            // exact deadline: the clock runs out between one and two limits after that byte.
            tokio::time::sleep_until(deadline).await;
            if let Phase::Headers { since } = self.phase()
                && since.elapsed() >= limit
            {
                return;
            }
        }
    }

    fn bytes_arrived(&self) {
        self.set(|phase| match phase {
            Phase::Resting => Phase::Headers {
                since: Instant::now(),
            },
            other => other,
        });
    }

    fn phase(&self) -> Phase {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, next: impl FnOnce(Phase) -> Phase) {
        let mut phase = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *phase = next(*phase);
    }
}

/// A stream that tells its clock when bytes arrive.
#[derive(Debug)]
pub(super) struct Timed<S> {
    pub(super) stream: S,
    pub(super) clock: HeaderClock,
}

impl<S: AsyncRead + Unpin> AsyncRead for Timed<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let filled_before = buffer.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(context, buffer);
        if buffer.filled().len() > filled_before {
            self.clock.bytes_arrived();
        }
        polled
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Timed<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffers: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, buffers)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_millis(100);

    async fn has_run_out_within(clock: &HeaderClock, time: Duration) -> bool {
        tokio::time::timeout(time, clock.ran_out(LIMIT))
            .await
            .is_ok()
    }

    #[tokio::test]
    async fn half_a_header_runs_out_and_more_bytes_win_no_time() {
        let clock = HeaderClock::default();
        clock.bytes_arrived();
        assert!(!has_run_out_within(&clock, LIMIT / 10).await);
        tokio::time::sleep(LIMIT).await;
        clock.bytes_arrived();
        assert!(has_run_out_within(&clock, LIMIT / 2).await);
    }

    #[tokio::test]
    async fn resting_and_working_do_not_run_out() {
        let clock = HeaderClock::default();
        assert!(!has_run_out_within(&clock, LIMIT * 3).await);
        clock.bytes_arrived();
        clock.headers_are_there();
        clock.bytes_arrived();
        assert!(!has_run_out_within(&clock, LIMIT * 3).await);
        clock.answered();
        assert!(!has_run_out_within(&clock, LIMIT * 3).await);
        clock.bytes_arrived();
        assert!(has_run_out_within(&clock, LIMIT * 20).await);
    }
}
