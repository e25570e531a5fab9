//! What is kept: rollouts, their events, the inputs of their decisions.

use std::fmt;

use super::names::{RolloutId, RolloutKey};
use crate::time::UnixMillis;

/// Where a rollout stands, as far as the store must know to find it again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum RolloutState {
    /// It is being judged.
    Open,
    /// All stages passed.
    Promoted,
    /// A stage failed: final.
    RolledBack,
    /// A human or a caller stopped it.
    Cancelled,
    /// Its caller began another one in its place.
    Superseded,
    /// It ended and its key is free again.
    Closed,
}

impl RolloutState {
    /// Every state.
    pub(crate) const ALL: [Self; 6] = [
        Self::Open,
        Self::Promoted,
        Self::RolledBack,
        Self::Cancelled,
        Self::Superseded,
        Self::Closed,
    ];

    /// Its name in the store.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Promoted => "promoted",
            Self::RolledBack => "rolled_back",
            Self::Cancelled => "cancelled",
            Self::Superseded => "superseded",
            Self::Closed => "closed",
        }
    }

    /// Returns the state of a name, if it is one.
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == name)
    }
}

impl fmt::Display for RolloutState {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// A rollout as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StoredRollout {
    /// Names it for ever.
    pub id: RolloutId,
    /// The pipeline it goes through.
    pub pipeline: String,
    /// What the caller calls it; unique among the current ones of a pipeline.
    pub key: RolloutKey,
    /// How many rollouts this pipeline and key have had, this one included.
    pub attempt: i64,
    /// Where it stands.
    pub state: RolloutState,
    /// Whether a call with its key means this one. A rolled-back rollout stays current until it is
    /// cancelled or closed; those two never are.
    pub is_current: bool,
    /// Grows by one with each record: 1 after the start.
    pub version: i64,
    /// When it was started.
    pub created_ms: UnixMillis,
    /// When it was last recorded.
    pub updated_ms: UnixMillis,
    /// When it ended.
    pub closed_ms: Option<UnixMillis>,
    /// JSON text that the engine understands.
    pub document: String,
}

/// A rollout to be started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NewRollout {
    /// A fresh id; unused when the key has a current rollout.
    pub id: RolloutId,
    /// The pipeline it goes through.
    pub pipeline: String,
    /// What the caller calls it.
    pub key: RolloutKey,
    /// Now.
    pub created_ms: UnixMillis,
    /// JSON text that the engine understands.
    pub document: String,
    /// Its first event.
    pub first_event: NewEvent,
}

/// What a start came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Started {
    /// The key was free.
    Created(StoredRollout),
    /// The key has a current rollout: nothing was written.
    Existing(StoredRollout),
}

#[cfg(test)]
impl Started {
    /// The rollout that the key means now.
    pub(crate) fn into_rollout(self) -> StoredRollout {
        match self {
            Self::Created(rollout) | Self::Existing(rollout) => rollout,
        }
    }
}

/// An event to be added to the trail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NewEvent {
    /// When it happened.
    pub at_ms: UnixMillis,
    /// What happened, as one word.
    pub kind: String,
    /// JSON text that the engine understands.
    pub document: String,
}

/// An event as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StoredEvent {
    /// From 1 in each rollout, without gaps.
    pub sequence: i64,
    /// When it happened.
    pub at_ms: UnixMillis,
    /// What happened, as one word.
    pub kind: String,
    /// JSON text that the engine understands.
    pub document: String,
}

/// What a rollout becomes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RolloutUpdate {
    /// Where it stands now.
    pub state: RolloutState,
    /// Whether a call with its key still means it.
    pub is_current: bool,
    /// Now.
    pub updated_ms: UnixMillis,
    /// When it ended.
    pub closed_ms: Option<UnixMillis>,
    /// JSON text that the engine understands.
    pub document: String,
}

/// A pipeline that was put over HTTP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StoredPipeline {
    /// Its name.
    pub name: String,
    /// When it was put.
    pub updated_ms: UnixMillis,
    /// The text as it was sent.
    pub text: String,
}

/// What a decision was computed from. Kept once per digest and rollout, and as long as it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Inputs {
    /// Names the bytes: the same digest means the same bytes.
    pub digest: String,
    /// The bytes.
    pub bytes: Vec<u8>,
}

/// What a record came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Recorded {
    /// All of it is kept; the rollout as it is now.
    Done(StoredRollout),
    /// Somebody else recorded since that version was read: nothing was written. The rollout as it
    /// is now.
    Conflict(StoredRollout),
    /// No rollout has this id: nothing was written.
    Unknown,
}

/// What is kept of the rollouts that are over. One that is open is never removed, nor one that was
/// rolled back and not closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Retention {
    /// Over for longer than this is removed, in milliseconds.
    pub closed_for_ms: i64,
    /// More than this are removed, the longest over first.
    pub most_closed: u64,
}
