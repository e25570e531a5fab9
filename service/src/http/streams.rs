//! How many event streams there are at once. A stream lasts until its client leaves, so it takes no
//! place of the [requests](super::admission) that are being answered: those are for what ends.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::response::{IntoResponse, Response};
use serinus_openapi::ProblemType;

use super::ApiError;
use super::admission::Payer;
use super::error::with_retry_after;

/// Most streams in all.
pub(super) const MOST: usize = 256;

/// Most streams of one holder of a token, or of one address without.
pub(super) const MOST_OF_ONE: usize = 16;

/// When to ask again: a stream is seldom short.
const ASK_AGAIN: Duration = Duration::from_secs(10);

/// The streams that there are.
#[derive(Debug, Default)]
pub(super) struct Streams(Arc<Mutex<HashMap<Payer, usize>>>);

/// The right to one stream, as long as it is held.
#[derive(Debug)]
pub(super) struct StreamPlace {
    held: Arc<Mutex<HashMap<Payer, usize>>>,
    payer: Payer,
}

/// Why there is no further stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoStream {
    /// Whoever asks has as many as one may have.
    OfOne,
    /// There are as many as there may be.
    OfAll,
}

impl Streams {
    /// Counts one more stream.
    ///
    /// # Errors
    ///
    /// [`NoStream`] when that would be too many.
    pub(super) fn open(&self, payer: Payer) -> Result<StreamPlace, NoStream> {
        let mut held = locked(&self.0);
        if held.get(&payer).is_some_and(|count| *count >= MOST_OF_ONE) {
            return Err(NoStream::OfOne);
        }
        if held.values().sum::<usize>() >= MOST {
            return Err(NoStream::OfAll);
        }
        *held.entry(payer.clone()).or_default() += 1;
        let held = Arc::clone(&self.0);
        Ok(StreamPlace { held, payer })
    }
}

impl Drop for StreamPlace {
    fn drop(&mut self) {
        let mut held = locked(&self.held);
        if let Some(count) = held.get_mut(&self.payer) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                held.remove(&self.payer);
            }
        }
    }
}

impl IntoResponse for NoStream {
    fn into_response(self) -> Response {
        let (problem_type, most, whose) = match self {
            Self::OfOne => (ProblemType::TooManyRequests, MOST_OF_ONE, "yours"),
            Self::OfAll => (ProblemType::Overloaded, MOST, "of all clients"),
        };
        let error = ApiError::new(
            problem_type,
            format!(
                "{most} event streams are open, which is the most {whose}: close one, or ask \
                 without `Accept: text/event-stream` and with `after`"
            ),
        );
        with_retry_after(error.into_response(), ASK_AGAIN)
    }
}

/// A panic while the lock was held leaves the counts as they were before or after a step.
fn locked(held: &Mutex<HashMap<Payer, usize>>) -> MutexGuard<'_, HashMap<Payer, usize>> {
    held.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn payer(number: usize) -> Payer {
        Payer::Principal(number.to_string().into())
    }

    #[test]
    fn one_has_sixteen_streams_and_all_have_256() {
        let streams = Streams::default();
        let mut open: Vec<_> = (0..MOST_OF_ONE)
            .map(|_| streams.open(payer(0)).unwrap())
            .collect();
        assert_eq!(streams.open(payer(0)).unwrap_err(), NoStream::OfOne);
        open.extend((MOST_OF_ONE..MOST).map(|number| streams.open(payer(number)).unwrap()));
        assert_eq!(streams.open(payer(1)).unwrap_err(), NoStream::OfAll);
        assert_eq!(streams.open(payer(0)).unwrap_err(), NoStream::OfOne);
    }

    #[test]
    fn a_stream_that_ended_makes_room_and_nothing_of_it_is_remembered() {
        let streams = Streams::default();
        let open: Vec<_> = (0..MOST_OF_ONE)
            .map(|_| streams.open(payer(0)).unwrap())
            .collect();
        drop(open);
        assert!(streams.open(payer(0)).is_ok());
        assert!(locked(&streams.0).is_empty());
    }

    #[test]
    fn what_is_refused_is_told_with_when_to_ask_again() {
        for (refused, status) in [(NoStream::OfOne, 429), (NoStream::OfAll, 503)] {
            let response = refused.into_response();
            assert_eq!(response.status(), status);
            assert_eq!(response.headers()["retry-after"], "10");
        }
    }
}
