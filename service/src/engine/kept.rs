//! What was asked lately beside samples: polls ask it again and again, and are told the same.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::OnceCell;
use tokio::time::Instant;

use crate::packed::Name;

/// What nobody has asked for in this time is forgotten.
const FORGOTTEN_AFTER: Duration = Duration::from_mins(15);

/// Most that are kept; beyond, all are asked for again.
const MOST_KEPT: usize = 10_000;

/// Answers, each by the name of its question.
#[derive(Debug)]
pub(super) struct Kept<T>(Mutex<BTreeMap<Name, Entry<T>>>);

#[derive(Debug)]
struct Entry<T> {
    found: Arc<OnceCell<T>>,
    used_at: Instant,
}

impl<T> Default for Kept<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T> Kept<T> {
    /// Forgets everything.
    pub(super) fn forget(&self) {
        self.kept().clear();
    }

    /// The place of an answer.
    pub(super) fn of(&self, key: Name) -> Arc<OnceCell<T>> {
        let now = Instant::now();
        let mut kept = self.kept();
        kept.retain(|_, entry| now.duration_since(entry.used_at) < FORGOTTEN_AFTER);
        if kept.len() >= MOST_KEPT {
            kept.clear();
        }
        let entry = kept.entry(key).or_insert_with(|| Entry {
            found: Arc::default(),
            used_at: now,
        });
        entry.used_at = now;
        Arc::clone(&entry.found)
    }

    fn kept(&self) -> MutexGuard<'_, BTreeMap<Name, Entry<T>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
