//! What can be wrong with a store, as far as a caller must tell it apart.

use std::time::Duration;

use super::loss::StoreLoss;

/// Why the store did not do what it was asked.
///
/// After [`Unavailable`](Self::Unavailable) a write may, rarely, have happened all the same (the
/// answer came too late, not the write). Both writes can be asked again safely: a second start
/// finds the rollout of the first, a second record meets its own version as a conflict.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum StoreError {
    /// It cannot be done now, and may be possible later: the disk is full or broken, the file is
    /// locked, the store is closed.
    #[error("cannot {operation}: the store is unavailable: {reason}")]
    Unavailable {
        /// What was asked.
        operation: &'static str,
        /// What the engine says.
        reason: String,
    },
    /// The file holds what no Serinus has written: waiting does not help.
    #[error("cannot {operation}: the store is damaged: {reason}")]
    Corrupt {
        /// What was asked.
        operation: &'static str,
        /// What the engine says.
        reason: String,
    },
    /// Its files are not those that were opened: an operator has to mend it.
    #[error("cannot {operation}: {loss}")]
    Lost {
        /// What was asked.
        operation: &'static str,
        /// What has become of them.
        loss: StoreLoss,
    },
    /// The question itself is wrong: a URL, a cursor, an id that is taken.
    #[error("{0}")]
    Invalid(String),
}

impl StoreError {
    /// An operation took longer than it may.
    pub(super) fn too_slow(operation: &'static str, deadline: Duration) -> Self {
        Self::Unavailable {
            operation,
            reason: format!("no answer within {} s", deadline.as_secs()),
        }
    }

    /// The store was closed before.
    pub(super) fn closed(operation: &'static str) -> Self {
        Self::Unavailable {
            operation,
            reason: "it is closed".to_owned(),
        }
    }

    /// A value that was read is none that a Serinus writes.
    pub(super) fn corrupt(operation: &'static str, reason: impl Into<String>) -> Self {
        Self::Corrupt {
            operation,
            reason: reason.into(),
        }
    }
}
