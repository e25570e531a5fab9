//! What is told of a call that means no rollout that can be told of.

use serinus_openapi::analysis::{ReasonCode, Verdict};

use super::RolloutError;
use super::telling::Told;
use super::wording::{lost, unrecorded};

impl Told {
    /// A `hold` while nothing can be recorded: no gate answers 5xx by choice.
    pub(crate) fn unrecorded(error: &RolloutError) -> Self {
        Self {
            progress: "not known while the store is unavailable".to_owned(),
            ..Self::of_none(ReasonCode::STORE_UNAVAILABLE, unrecorded(error))
        }
    }

    /// Of a rollout that is known, by a store that is not relied on.
    pub(super) fn lost(self, doubt: &str) -> Self {
        Self {
            verdict: Verdict::Hold,
            reason_code: ReasonCode::STORE_UNAVAILABLE,
            reason: lost(doubt),
            truth: None,
            ..self
        }
    }

    /// Of a call to roll back while the store cannot be asked.
    pub(super) fn unread(error: &RolloutError) -> Self {
        let reason = format!("nothing can be read: {error}");
        Self::of_none(ReasonCode::STORE_UNAVAILABLE, reason)
    }

    /// Of a call to close a rollout that cannot be recorded.
    pub(super) fn unclosed(error: &RolloutError) -> Self {
        Self::of_none(ReasonCode::STORE_UNAVAILABLE, unrecorded(error))
    }

    /// Of a call to roll back with a key that means no rollout.
    pub(super) fn nothing_to_roll_back(pipeline: &str) -> Self {
        let reason = format!("no rollout of {pipeline} has this key: nothing to roll back");
        Self::of_none(ReasonCode::STILL_COLLECTING, reason)
    }

    /// Of an event, or of a call to close a rollout, with a key that means none.
    pub(super) fn nothing_known(pipeline: &str) -> Self {
        let reason = format!("no rollout of {pipeline} has this key");
        Self::of_none(ReasonCode::CANCELLED, reason)
    }

    /// Of a call to roll back that cannot be read.
    pub(crate) fn not_rolled_back(detail: &str) -> Self {
        Self::of_none(ReasonCode::NO_DATA, format!("not rolled back: {detail}"))
    }

    /// Of a call that tells something and cannot be read.
    pub(crate) fn not_heard(detail: &str) -> Self {
        Self::of_none(ReasonCode::CANCELLED, format!("not understood: {detail}"))
    }
}
