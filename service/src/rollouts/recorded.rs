//! Between what is decided and the texts that the store keeps.

use serinus_openapi::analysis::timestamp;
use serinus_openapi::rollout::{self, Event};

use super::document::Document;
use super::trail::TrailEntry;
use crate::store::{NewEvent, RolloutState, StoredEvent};
use crate::time::UnixMillis;

/// The text of a document. Neither it nor an entry holds anything that JSON cannot say.
pub(super) fn document(document: &Document) -> String {
    serde_json::to_string(document).unwrap_or_default()
}

/// What the store keeps of an entry.
pub(super) fn event(entry: &TrailEntry, at: UnixMillis) -> NewEvent {
    NewEvent {
        at_ms: at,
        kind: entry.kind.name().to_owned(),
        document: serde_json::to_string(entry).unwrap_or_default(),
    }
}

/// Reads an event that the store kept.
///
/// # Errors
///
/// What is wrong with a text of another version.
pub(crate) fn read_event(stored: &StoredEvent) -> Result<Event, serde_json::Error> {
    let entry: TrailEntry = serde_json::from_str(&stored.document)?;
    Ok(Event {
        sequence: stored.sequence,
        at: timestamp(stored.at_ms.get()),
        kind: entry.kind,
        stage: entry.stage.to_string(),
        caused_by: entry.caused_by,
        verdict: entry.verdict,
        acted: entry.acted,
        reason_code: entry.reason_code,
        reason: entry.reason,
        analysis: entry.analysis.map(|boxed| *boxed),
    })
}

impl From<RolloutState> for rollout::RolloutState {
    fn from(state: RolloutState) -> Self {
        match state {
            RolloutState::Open => Self::Open,
            RolloutState::Promoted => Self::Promoted,
            RolloutState::RolledBack => Self::RolledBack,
            RolloutState::Cancelled => Self::Cancelled,
            RolloutState::Superseded => Self::Superseded,
            RolloutState::Closed => Self::Closed,
        }
    }
}

impl From<rollout::RolloutState> for RolloutState {
    fn from(state: rollout::RolloutState) -> Self {
        match state {
            rollout::RolloutState::Open => Self::Open,
            rollout::RolloutState::Promoted => Self::Promoted,
            rollout::RolloutState::RolledBack => Self::RolledBack,
            rollout::RolloutState::Cancelled => Self::Cancelled,
            rollout::RolloutState::Superseded => Self::Superseded,
            rollout::RolloutState::Closed => Self::Closed,
        }
    }
}
