//! What the gate remembers.
//!
//! A deployment system asks about a rollout by its key for hours, through restarts of this
//! service. So whatever was accepted is kept: rollouts, every decision about them as a trail of
//! events, and the inputs of the decisions, so that each can be computed again. Beside them stand the
//! pipelines that were put over HTTP.
//!
//! The store is dumb on purpose. It keeps documents that the engine makes and reads, and beside
//! them only the columns that somebody looks up. What it does know:
//!
//! * **One rollout of a pipeline and key is current**: the one that a call with this key means. A
//!   unique index says so, not a careful program. [`Store::start`] finds it or makes the next
//!   attempt, in one transaction, however many callers start at once.
//! * **A rollout has a version.** [`Store::record`] writes the new state, its events and inputs
//!   together or not at all, and only upon the version that the caller has read.
//! * **Events are numbered** from 1 in each rollout, without gaps: a reader that continues after a
//!   number has missed nothing.
//!
//! What answered `Ok` survives the end of the process by any means, `kill -9` included, and the
//! store works again by itself when a full disk has room. A loss of power can take the last
//! commits with it, never the store's soundness (SQLite's `synchronous = NORMAL` in WAL mode).
//!
//! Every call ends within seconds: each has a deadline of its own, after which it is
//! [`StoreError::Unavailable`]. The deadlines run on tokio's clock, while SQLite works on threads
//! that tokio does not see: a test that pauses the clock will see deadlines pass.
//!
//! | file | one idea |
//! |---|---|
//! | `url`, `claim` | where the store is, and which process uses it |
//! | `place`, `loss`, `beside` | what can become of its files, and what is remembered of it outside of them |
//! | `names`, `model`, `page` | what names a rollout, what is kept, and how lists are cut |
//! | `statements` | all SQL, portable |
//! | `sqlite/` | the engine: one writer, some readers, and what to do when the disk is full |
//! | `conformance` | what every engine must do, apart from the engine under test |
//!
//! A second engine is another variant of [`Store`], a folder of migrations, and one line that runs
//! the conformance suite.

mod beside;
mod claim;
#[cfg(test)]
mod conformance;
mod error;
mod loss;
mod model;
mod names;
mod page;
mod place;
mod sqlite;
mod statements;
mod url;

pub(crate) use beside::Parted;
pub(crate) use claim::StoreClaim;
pub(crate) use error::StoreError;
pub(crate) use loss::StoreLoss;
pub(crate) use model::{
    Inputs, NewEvent, NewRollout, Recorded, Retention, RolloutState, RolloutUpdate, Started,
    StoredEvent, StoredPipeline, StoredRollout,
};
pub(crate) use names::{InvalidKey, RolloutId, RolloutKey};
pub(crate) use page::{Cursor, Filter, MOST_ON_A_PAGE, Page, RolloutPage};
pub(crate) use sqlite::SqliteStore;
pub(crate) use url::StoreUrl;

use crate::time::UnixMillis;
use url::Place;

/// The most events that are read at once.
pub(crate) const MOST_EVENTS: usize = 1_000;

/// How a process uses a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Use {
    /// It reads what others have recorded.
    Look,
    /// It records, and no other process does.
    Alone,
    /// It records, and others do too.
    Shared,
}

/// A store of any engine. A clone is the same store.
#[derive(Debug, Clone)]
pub(crate) enum Store {
    /// A file, or the memory of this process.
    Sqlite(SqliteStore),
}

impl Store {
    /// Opens a store, makes it when it is not there, and brings its tables up to date.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`] when the file cannot be opened or written,
    /// [`StoreError::Corrupt`] when it is no store or a damaged one, [`StoreError::Invalid`] when a newer Serinus
    /// has written it.
    pub(crate) async fn open(url: &StoreUrl, usage: Use) -> Result<Self, StoreError> {
        let store = match url.place() {
            Place::SqliteFile(path) => SqliteStore::open_file(path, usage).await?,
            Place::SqliteMemory => SqliteStore::open_memory().await?,
        };
        Ok(Self::Sqlite(store))
    }

    /// Returns the current rollout of a pipeline and key; starts one when there is none.
    ///
    /// # Errors
    ///
    /// [`StoreError::Invalid`] when the id is taken; otherwise as [`rollout`](Self::rollout).
    pub(crate) async fn start(&self, new: NewRollout) -> Result<Started, StoreError> {
        match self {
            Self::Sqlite(store) => store.start(new).await,
        }
    }

    /// Returns the rollout of an id.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`] when the store cannot be read now, [`StoreError::Corrupt`] when
    /// what it holds cannot be understood.
    pub(crate) async fn rollout(&self, id: RolloutId) -> Result<Option<StoredRollout>, StoreError> {
        match self {
            Self::Sqlite(store) => store.rollout(id).await,
        }
    }

    /// Returns the rollout that a key means now.
    ///
    /// # Errors
    ///
    /// As [`rollout`](Self::rollout).
    pub(crate) async fn current(
        &self,
        pipeline: &str,
        key: &RolloutKey,
    ) -> Result<Option<StoredRollout>, StoreError> {
        match self {
            Self::Sqlite(store) => store.current(pipeline, key).await,
        }
    }

    /// Returns all open rollouts, oldest first: what a worker continues after a restart.
    ///
    /// They are read in pages, so none holds a reader for long and each page has the deadline for
    /// itself. The answer holds every open rollout with its document: memory in proportion to the
    /// rollouts that are open, as the worker needs them all anyway. One that is started or ends
    /// while this reads may be in it or not.
    ///
    /// # Errors
    ///
    /// As [`rollout`](Self::rollout).
    pub(crate) async fn open_rollouts(&self) -> Result<Vec<StoredRollout>, StoreError> {
        match self {
            Self::Sqlite(store) => store.open_rollouts().await,
        }
    }

    /// Records what a rollout has become, with the events that led there and the inputs of the
    /// decision, together or not at all, if nobody has recorded since `expected_version`.
    ///
    /// # Errors
    ///
    /// [`StoreError::Invalid`] when the update makes it current while another of its key is, or
    /// makes a cancelled or closed one current; otherwise as [`rollout`](Self::rollout).
    pub(crate) async fn record(
        &self,
        id: RolloutId,
        expected_version: i64,
        update: RolloutUpdate,
        events: Vec<NewEvent>,
        inputs: Option<Inputs>,
    ) -> Result<Recorded, StoreError> {
        match self {
            Self::Sqlite(store) => {
                store
                    .record(id, expected_version, update, events, inputs)
                    .await
            }
        }
    }

    /// Returns a page of rollouts, newest first.
    ///
    /// # Errors
    ///
    /// As [`rollout`](Self::rollout).
    pub(crate) async fn list(
        &self,
        filter: &Filter,
        page: Page,
    ) -> Result<RolloutPage, StoreError> {
        match self {
            Self::Sqlite(store) => store.list(filter, page).await,
        }
    }

    /// Returns the events of a rollout after a sequence number (0 for all), at most `limit` and
    /// [`MOST_EVENTS`]. An unknown rollout has none.
    ///
    /// # Errors
    ///
    /// As [`rollout`](Self::rollout).
    pub(crate) async fn events(
        &self,
        id: RolloutId,
        after_sequence: i64,
        limit: usize,
    ) -> Result<Vec<StoredEvent>, StoreError> {
        match self {
            Self::Sqlite(store) => store.events(id, after_sequence, limit).await,
        }
    }

    /// Returns the bytes of a digest.
    ///
    /// # Errors
    ///
    /// As [`rollout`](Self::rollout).
    pub(crate) async fn inputs(&self, digest: &str) -> Result<Option<Vec<u8>>, StoreError> {
        match self {
            Self::Sqlite(store) => store.inputs(digest).await,
        }
    }

    /// Keeps a pipeline under its name, in the place of one that had it. Says whether the name is
    /// new.
    ///
    /// # Errors
    ///
    /// As [`rollout`](Self::rollout).
    pub(crate) async fn put_pipeline(&self, pipeline: &StoredPipeline) -> Result<bool, StoreError> {
        match self {
            Self::Sqlite(store) => store.put_pipeline(pipeline).await,
        }
    }

    /// Removes the pipeline of a name. Says whether there was one.
    ///
    /// # Errors
    ///
    /// As [`rollout`](Self::rollout).
    pub(crate) async fn delete_pipeline(&self, name: &str) -> Result<bool, StoreError> {
        match self {
            Self::Sqlite(store) => store.delete_pipeline(name).await,
        }
    }

    /// Returns the pipeline of a name.
    ///
    /// # Errors
    ///
    /// As [`rollout`](Self::rollout).
    pub(crate) async fn pipeline(&self, name: &str) -> Result<Option<StoredPipeline>, StoreError> {
        match self {
            Self::Sqlite(store) => store.pipeline(name).await,
        }
    }

    /// Returns all pipelines, by name. Whoever puts them bounds their number.
    ///
    /// # Errors
    ///
    /// As [`rollout`](Self::rollout).
    pub(crate) async fn pipelines(&self) -> Result<Vec<StoredPipeline>, StoreError> {
        let mut pipelines = match self {
            Self::Sqlite(store) => store.pipelines().await,
        }?;
        pipelines.sort_by(|left, right| left.name.cmp(&right.name));
        Ok(pipelines)
    }

    /// Removes rollouts that are over and need not be kept, with their events and inputs, and
    /// returns how many. One that was rolled back and is what its key means stays, because a rollback
    /// is final, with its trail: when it is old, only its inputs are removed.
    ///
    /// Works in small transactions, so that others can write in between, and in a bounded number
    /// of them: what is left over is removed by the next call.
    ///
    /// # Errors
    ///
    /// As [`rollout`](Self::rollout). What was removed before stays removed.
    pub(crate) async fn prune(&self, keep: &Retention, now: UnixMillis) -> Result<u64, StoreError> {
        match self {
            Self::Sqlite(store) => store.prune(keep, now).await,
        }
    }

    /// Looks now whether the store is still the one that was opened: a cheap look at its files, which
    /// comes before whatever must not be told by a store that is lost.
    ///
    /// # Errors
    ///
    /// What has become of it.
    pub(crate) fn look(&self) -> Result<(), StoreLoss> {
        match self {
            Self::Sqlite(store) => store.look(),
        }
    }

    /// Whether another program wrote into files that only this process writes, as far as that can be
    /// told without a wait: a check then looks what they hold.
    pub(crate) fn was_changed(&self) -> bool {
        match self {
            Self::Sqlite(store) => store.was_changed(),
        }
    }

    /// What has become of the store, by a look that is a moment old at most.
    pub(crate) fn loss(&self) -> Option<StoreLoss> {
        match self {
            Self::Sqlite(store) => store.loss(),
        }
    }

    /// Since when the store is used without what was recorded before, if it is: it is new, another
    /// one, or put back from a backup. Told for a day.
    pub(crate) fn parted(&self, now: UnixMillis) -> Option<Parted> {
        match self {
            Self::Sqlite(store) => store.parted(now),
        }
    }

    /// Writes and commits something small, to see that the next rollout could be accepted.
    ///
    /// # Errors
    ///
    /// As [`rollout`](Self::rollout).
    pub(crate) async fn check(&self) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(store) => store.check().await,
        }
    }

    /// Lets running calls end and closes the store, for all its clones. Later calls are
    /// [`StoreError::Unavailable`].
    pub(crate) async fn close(self) {
        match self {
            Self::Sqlite(store) => store.close().await,
        }
    }
}
