//! What judgements leave for the next of the same stage: kept as long as there is room, since it saves work and changes
//! nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serinus_analysis::judge::Carried;

use super::document::StageRecord;
use crate::engine::Before;
use crate::time::UnixMillis;

/// Bytes that all rollouts together may keep so: what is beyond is made anew from what was counted.
const MOST_BYTES: usize = 48 * 1024 * 1024;

/// How much is kept.
#[derive(Debug, Clone, Default)]
pub(super) struct Room(Arc<AtomicUsize>);

impl Room {
    /// Keeps what a judgement has left, if there is room for it.
    pub(super) fn keep(
        &self,
        record: &StageRecord,
        before: &Arc<Before>,
        carried: Carried,
    ) -> Option<Keeping> {
        let bytes = carried.bytes();
        let taken = self.0.fetch_add(bytes, Ordering::Relaxed);
        let keeping = Keeping {
            started: record.started(),
            before: Arc::clone(before),
            carried,
            bytes,
            room: self.clone(),
        };
        (taken.saturating_add(bytes) <= MOST_BYTES).then_some(keeping)
    }
}

/// What one rollout keeps.
#[derive(Debug)]
pub(super) struct Keeping {
    started: UnixMillis,
    before: Arc<Before>,
    carried: Carried,
    bytes: usize,
    room: Room,
}

impl Keeping {
    /// What a judgement of a stage goes on with.
    pub(super) fn of(&self, record: &StageRecord, before: &Arc<Before>) -> Option<Carried> {
        let is_same = self.started == record.started() && self.before.made_of == before.made_of;
        is_same.then(|| self.carried.clone())
    }
}

impl Drop for Keeping {
    fn drop(&mut self) {
        self.room.0.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}
