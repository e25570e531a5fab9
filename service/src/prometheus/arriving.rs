//! The body of an answer while it arrives: read in pieces, the larger ones aside.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::decode::{DecodeError, Decoded, Decoding};
use crate::aside::aside;

/// As much is read at once, on a thread where that blocks nobody: it takes some milliseconds. So others
/// have their turn in between, and what nobody waits for any more ends soon.
pub(super) const PIECE_BYTES: usize = 512 * 1024;

/// Room is taken for so much at once.
const GRAIN_BYTES: u64 = 64 * 1024;

/// What has arrived of a body.
#[derive(Debug)]
pub(super) struct Arriving {
    decoding: Decoding,
    /// What has arrived and is not read yet.
    unread: Vec<u8>,
    body_bytes: u64,
}

impl Arriving {
    /// Nothing has arrived yet.
    pub(super) fn new(max_series: usize) -> Self {
        Self {
            decoding: Decoding::new(max_series),
            unread: Vec::new(),
            body_bytes: 0,
        }
    }

    /// How long the body is so far, with some bytes more.
    pub(super) fn body_bytes(&self, more: usize) -> u64 {
        self.body_bytes.saturating_add(more as u64)
    }

    /// How much memory it takes, with some bytes of text more, in whole grains.
    pub(super) fn memory_bytes(&self, more: usize) -> u64 {
        let text = (self.unread.len() + more) as u64;
        (self.decoding.bytes() + text).next_multiple_of(GRAIN_BYTES)
    }

    /// Takes in what has arrived, and says whether it is time to read it.
    pub(super) fn push(&mut self, chunk: &[u8]) -> bool {
        self.body_bytes += chunk.len() as u64;
        self.unread.extend_from_slice(chunk);
        self.unread.len() >= PIECE_BYTES
    }

    /// Reads what has arrived, aside.
    ///
    /// # Errors
    ///
    /// As [`Decoding::push`].
    pub(super) async fn read(mut self) -> Result<Self, DecodeError> {
        let reading = move || {
            self.decoding.push(&self.unread)?;
            self.unread.clear();
            Ok(self)
        };
        carefully_aside(reading).await
    }

    /// All has arrived. Returns what was read, and how much memory that takes.
    ///
    /// # Errors
    ///
    /// As [`Decoding::finish`].
    pub(super) async fn finish(mut self) -> Result<(Decoded, u64), DecodeError> {
        let is_small = self.body_bytes < PIECE_BYTES as u64;
        let reading = move || {
            self.decoding.push(&self.unread)?;
            let bytes = self.decoding.series_bytes();
            Ok((self.decoding.finish()?, bytes))
        };
        if is_small {
            return reading();
        }
        carefully_aside(reading).await
    }
}

/// Reads aside. A mistake in the reading is a fault of the answer, and not of whoever asked.
async fn carefully_aside<T: Send + 'static>(
    reading: impl FnOnce() -> Result<T, DecodeError> + Send + 'static,
) -> Result<T, DecodeError> {
    let read = aside(move || catch_unwind(AssertUnwindSafe(reading)));
    read.await.unwrap_or_else(|_panic| {
        Err(DecodeError::NotPrometheus(
            "reading it was stopped".to_owned(),
        ))
    })
}
