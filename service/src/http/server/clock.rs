//! Limits for the time that headers take to arrive, and that an answer takes to be read.
//!
//! hyper has one for headers (`header_read_timeout`), but its clock runs from the end of the request
//! before, so it is the limit for resting connections as well. The two need different lengths: ten
//! seconds are plenty for headers, and far too short for a client that polls every ten seconds.
//! For an answer that nobody reads it has none.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

use crate::http::places::Answering;

/// Knows what a connection is doing, and since when it has been waiting for its client.
#[derive(Debug, Clone, Default)]
pub(super) struct Clock(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    phase: Phase,
    /// Since when the client has taken nothing of what is to be written.
    stuck_since: Option<Instant>,
    /// Held from when the last of an answer was handed on until it is written.
    ending: Option<Answering>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Phase {
    /// Between requests.
    #[default]
    Resting,
    /// Something of a request has arrived, but not all its headers.
    Headers { since: Instant },
    /// The request is being answered, up to the last byte.
    Busy,
}

/// What a client took too long for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RanOut {
    /// Sending the headers of a request.
    Headers,
    /// Reading anything of an answer.
    Answer,
}

impl Clock {
    /// All headers are there. Returns what the answer before held, when it is not written yet.
    pub(super) fn headers_are_there(&self) -> Option<Answering> {
        let mut state = self.locked();
        state.phase = Phase::Busy;
        state.ending.take()
    }

    /// The last of the answer was handed on.
    pub(super) fn handed_on(&self, answering: Answering) {
        self.locked().ending = Some(answering);
    }

    /// Ends when headers have been arriving for longer than `header_time`, or nothing of an answer
    /// was read for longer than `read_time`.
    pub(super) async fn ran_out(&self, header_time: Duration, read_time: Duration) -> RanOut {
        loop {
            // At the latest a limit after what it waits for this looks again, and then it knows
            // the exact deadline: the clock runs out between one and two limits after that.
            let now = Instant::now();
            let mut next = now + header_time.min(read_time);
            for (since, limit, ran_out) in [
                (self.headers_since(), header_time, RanOut::Headers),
                (self.locked().stuck_since, read_time, RanOut::Answer),
            ] {
                let Some(since) = since else { continue };
                if now >= since + limit {
                    return ran_out;
                }
                next = next.min(since + limit);
            }
            tokio::time::sleep_until(next).await;
        }
    }

    fn headers_since(&self) -> Option<Instant> {
        match self.locked().phase {
            Phase::Headers { since } => Some(since),
            Phase::Resting | Phase::Busy => None,
        }
    }

    fn bytes_arrived(&self) {
        let mut state = self.locked();
        if state.phase == Phase::Resting {
            state.phase = Phase::Headers {
                since: Instant::now(),
            };
        }
    }

    /// All that was handed on is written.
    fn flushed(&self) {
        // Dropped without the lock, because it takes another one.
        let _ended = {
            let mut state = self.locked();
            if state.ending.is_some() {
                state.phase = Phase::Resting;
            }
            state.ending.take()
        };
    }

    fn wrote(&self, is_stuck: bool) {
        let mut state = self.locked();
        if is_stuck {
            state.stuck_since.get_or_insert_with(Instant::now);
        } else {
            state.stuck_since = None;
        }
    }

    fn locked(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A stream that tells its clock when bytes arrive, and whether any go out.
#[derive(Debug)]
pub(super) struct Timed<S> {
    pub(super) stream: S,
    pub(super) clock: Clock,
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
        let polled = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.clock.wrote(polled.is_pending());
        polled
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        // Asked for once there is nothing left to be written.
        let polled = Pin::new(&mut self.stream).poll_flush(context);
        if polled.is_ready() {
            self.clock.flushed();
        }
        polled
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffers: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write_vectored(context, buffers);
        self.clock.wrote(polled.is_pending());
        polled
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;
    use crate::http::places::Places;

    const LIMIT: Duration = Duration::from_millis(100);

    async fn has_run_out_within(clock: &Clock, time: Duration) -> Option<RanOut> {
        tokio::time::timeout(time, clock.ran_out(LIMIT, 2 * LIMIT))
            .await
            .ok()
    }

    #[tokio::test]
    async fn half_a_header_runs_out_and_more_bytes_win_no_time() {
        let clock = Clock::default();
        clock.bytes_arrived();
        assert_eq!(has_run_out_within(&clock, LIMIT / 10).await, None);
        tokio::time::sleep(LIMIT).await;
        clock.bytes_arrived();
        assert_eq!(
            has_run_out_within(&clock, LIMIT / 2).await,
            Some(RanOut::Headers)
        );
    }

    #[tokio::test]
    async fn resting_and_working_do_not_run_out() {
        let clock = Clock::default();
        assert_eq!(has_run_out_within(&clock, LIMIT * 3).await, None);
        let place = Arc::new(Places::new(1).enter(Ipv4Addr::LOCALHOST.into()).await);
        clock.bytes_arrived();
        clock.headers_are_there();
        clock.bytes_arrived();
        clock.wrote(false);
        clock.handed_on(place.answering().unwrap());
        clock.bytes_arrived();
        assert_eq!(has_run_out_within(&clock, LIMIT * 3).await, None);
        clock.flushed();
        assert_eq!(has_run_out_within(&clock, LIMIT * 3).await, None);
        clock.bytes_arrived();
        assert!(has_run_out_within(&clock, LIMIT * 20).await.is_some());
    }

    #[tokio::test]
    async fn an_answer_that_nobody_reads_runs_out_and_one_that_is_read_slowly_does_not() {
        let clock = Clock::default();
        clock.headers_are_there();
        for _ in 0..4 {
            clock.wrote(true);
            assert_eq!(has_run_out_within(&clock, LIMIT).await, None);
            clock.wrote(false);
        }
        clock.wrote(true);
        assert_eq!(
            has_run_out_within(&clock, LIMIT * 20).await,
            Some(RanOut::Answer)
        );
    }
}
