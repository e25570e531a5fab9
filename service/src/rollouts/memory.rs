//! The rollouts that this process has in memory, by their id and by what their key means.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use super::live::{Live, Unreadable};
use crate::store::{RolloutId, RolloutKey, RolloutState, StoredRollout};
use crate::time::UnixMillis;

/// Most rollouts that are over which are kept.
const MOST_OVER: usize = 10_000;

/// The rollouts in memory. The store knows them all; this is asked first.
#[derive(Debug, Default)]
pub(super) struct Memory(RwLock<Index>);

#[derive(Debug, Default)]
struct Index {
    by_id: HashMap<RolloutId, Arc<Live>>,
    /// The current ones: by pipeline, then by key.
    by_key: HashMap<String, HashMap<RolloutKey, Arc<Live>>>,
}

impl Memory {
    /// The one that a call with this key means.
    pub(super) fn current(&self, pipeline: &str, key: &RolloutKey) -> Option<Arc<Live>> {
        self.read().by_key.get(pipeline)?.get(key).cloned()
    }

    /// The one of an id.
    pub(super) fn by_id(&self, id: RolloutId) -> Option<Arc<Live>> {
        self.read().by_id.get(&id).cloned()
    }

    /// All of them.
    pub(super) fn all(&self) -> Vec<Arc<Live>> {
        self.read().by_id.values().cloned().collect()
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.read().by_id.len()
    }

    /// Takes what the store holds into memory, unless it is there.
    ///
    /// # Errors
    ///
    /// [`Unreadable`] for a document of another version.
    pub(super) fn adopt(&self, stored: &StoredRollout) -> Result<Arc<Live>, Unreadable> {
        let read = Arc::new(Live::read(stored)?);
        let mut index = self.write();
        let live = Arc::clone(index.by_id.entry(stored.id).or_insert(read));
        if stored.is_current {
            let keys = index.by_key.entry(stored.pipeline.clone()).or_default();
            keys.insert(stored.key.clone(), Arc::clone(&live));
        }
        Ok(live)
    }

    /// Forgets those that are over until a time. The store still tells those that it keeps.
    pub(super) fn forget_over_since(&self, until: UnixMillis) {
        let over = self.over().into_iter();
        self.forget(over.filter(|(updated, _)| *updated <= until));
    }

    /// Forgets the oldest of those that are over. The store still knows them.
    pub(super) fn forget_too_many(&self) {
        let mut over = self.over();
        let too_many = over.len().saturating_sub(MOST_OVER);
        over.sort_unstable();
        self.forget(over.into_iter().take(too_many));
    }

    /// Those that are over, with the time.
    fn over(&self) -> Vec<(UnixMillis, RolloutId)> {
        let all = self.all();
        let present = all.iter().map(|live| (live.present(), live.id));
        present
            .filter(|(present, _)| present.state != RolloutState::Open)
            .map(|(present, id)| (present.updated_ms, id))
            .collect()
    }

    fn forget(&self, forgotten: impl Iterator<Item = (UnixMillis, RolloutId)>) {
        let mut index = self.write();
        for (_, id) in forgotten {
            if let Some(live) = index.by_id.remove(&id)
                && let Some(keys) = index.by_key.get_mut(&live.pipeline_name)
                && keys.get(&live.key).is_some_and(|known| known.id == id)
            {
                keys.remove(&live.key);
            }
        }
        index.by_key.retain(|_, keys| !keys.is_empty());
    }

    /// A call with its key no longer means it.
    pub(super) fn release_key(&self, live: &Live) {
        let mut index = self.write();
        if let Some(keys) = index.by_key.get_mut(&live.pipeline_name)
            && keys.get(&live.key).is_some_and(|known| known.id == live.id)
        {
            keys.remove(&live.key);
        }
    }

    fn read(&self) -> RwLockReadGuard<'_, Index> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Index> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}
