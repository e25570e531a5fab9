//! Whether the files that are open are still the store that its path names.
//!
//! SQLite goes on with files that were removed, replaced or overwritten under it and answers as if
//! nothing had happened; the next process finds what lies there then. So the files of the path are
//! compared with those that were opened, before a write begins and before it is told: three calls
//! of `stat`, some microseconds. The time of change of a file that only this process writes tells
//! that another program wrote into it; what it holds is looked through then (`soundness`).

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::store::beside::{Beside, Last, Parted, Parting, Used};
use crate::store::loss::{StoreFile, StoreLoss};
use crate::store::place::{Place, path_of};
use crate::time::UnixMillis;

/// How long a look at the files is good for where nothing is promoted by it.
const GOOD_FOR: Duration = Duration::from_millis(100);

/// Looks after the files of a store that is open. A clone looks after the same.
#[derive(Debug, Clone)]
pub(super) struct Guard {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    files: Vec<Watched>,
    /// The store's own name, which is inside the file.
    identity: String,
    /// Whether no other process may write into the files.
    is_alone: bool,
    state: Mutex<State>,
}

/// A file, and which one it was when the store was opened.
#[derive(Debug)]
struct Watched {
    file: StoreFile,
    path: PathBuf,
    place: Place,
}

/// What tells that somebody wrote into a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    size_bytes: u64,
    modified_at: (i64, i64),
}

#[derive(Debug)]
struct State {
    looked_at: Instant,
    loss: Option<StoreLoss>,
    /// What the files were like after this process wrote last.
    stamps: Vec<Option<Stamp>>,
    /// What is remembered outside of the store, by a process that serves it.
    beside: Option<Beside>,
    /// In what it differs from the store of before, until that is remembered.
    parting: Option<Parting>,
}

impl Guard {
    /// Looks after the files of a store that was opened, as they are now.
    pub(super) fn new(path: &Path, identity: String, is_alone: bool) -> Self {
        let files = [StoreFile::Main, StoreFile::Wal, StoreFile::Shm];
        let watched = files.into_iter().filter_map(|file| {
            let path = path_of(path, file);
            let place = Place::at(&path)?;
            Some(Watched { file, path, place })
        });
        let guard = Self {
            shared: Arc::new(Shared {
                files: watched.collect(),
                identity,
                is_alone,
                state: Mutex::new(State {
                    looked_at: Instant::now(),
                    loss: None,
                    stamps: Vec::new(),
                    beside: None,
                    parting: None,
                }),
            }),
        };
        guard.note();
        guard
    }

    /// Remembers beside the store what is recorded in it from now on, and how it differs from what
    /// was remembered before.
    pub(super) fn remember(&self, mut beside: Beside, parting: Option<Parting>) {
        let mut state = self.locked();
        if parting.is_none() {
            beside.uses(&self.used(), None);
        }
        state.parting = parting;
        state.beside = Some(beside);
    }

    /// Since when it is used without what was recorded before, if it is.
    pub(super) fn parted(&self, now: UnixMillis) -> Option<Parted> {
        let mut state = self.locked();
        let State {
            beside, parting, ..
        } = &mut *state;
        let beside = beside.as_mut()?;
        if let Some(parting) = parting.take() {
            let parted = Parted {
                since: now,
                parting,
            };
            beside.uses(&self.used(), Some(parted));
        }
        beside.parted(now)
    }

    /// Notes what was recorded last; nothing when it may have been removed for its age.
    pub(super) fn recorded(&self, last: Option<Last>) {
        if let Some(beside) = &mut self.locked().beside {
            beside.recorded(last);
        }
    }

    /// What was recorded last, by any process.
    pub(super) fn last(&self) -> Option<Last> {
        self.locked().beside.as_ref()?.last()
    }

    /// The store that is used.
    fn used(&self) -> Used {
        let place = |wanted: StoreFile| {
            let found = self.shared.files.iter().find(|one| one.file == wanted);
            found.map(|watched| watched.place)
        };
        Used {
            identity: self.shared.identity.clone(),
            files: place(StoreFile::Main).zip(place(StoreFile::Wal)),
        }
    }

    /// The store's own name.
    pub(super) fn identity(&self) -> &str {
        &self.shared.identity
    }

    /// Looks at the files now.
    ///
    /// # Errors
    ///
    /// What has become of them.
    pub(super) fn look(&self) -> Result<(), StoreLoss> {
        let found = self.shared.files.iter().find_map(Watched::loss);
        let mut state = self.locked();
        // Also once the rest is lost: the next process is to know of it.
        let stayed = state.beside.as_mut().map_or(Ok(()), Beside::stay);
        let found = found.or(stayed.err().map(|_held| StoreLoss::Taken));
        state.looked_at = Instant::now();
        match (&state.loss, found) {
            (Some(before), _) if !before.can_come_back() => return Err(before.clone()),
            (Some(before), Some(found)) if *before == found => return Err(found),
            (_, Some(found)) => {
                self.log(&found);
                state.loss = Some(found.clone());
                return Err(found);
            }
            (Some(_), None) => {
                tracing::info!("the files of the store are where they were, all goes on");
                state.loss = None;
            }
            (None, None) => {}
        }
        Ok(())
    }

    /// What has become of the files, by a look that is a moment old at most.
    pub(super) fn loss(&self) -> Option<StoreLoss> {
        {
            let state = self.locked();
            if state.looked_at.elapsed() < GOOD_FOR {
                return state.loss.clone();
            }
        }
        self.look().err()
    }

    /// Whether what the files hold is still what was recorded: files that were taken away hold it as
    /// long as they are open, one that was overwritten does not.
    ///
    /// # Errors
    ///
    /// What has become of it.
    pub(super) fn holds_what_was_recorded(&self) -> Result<(), StoreLoss> {
        match &self.locked().loss {
            Some(loss) if !loss.can_come_back() => Err(loss.clone()),
            _ => Ok(()),
        }
    }

    /// Whether no other process may write into the files.
    pub(super) fn is_alone(&self) -> bool {
        self.shared.is_alone
    }

    /// Whether another program wrote into the files since this process did last. Only to be asked
    /// while nobody here writes.
    pub(super) fn was_changed(&self) -> bool {
        self.stamps() != self.locked().stamps
    }

    /// Whether the file that the store is named by holds nothing, which none does that was opened.
    pub(super) fn is_empty(&self) -> bool {
        let main = self.shared.files.first();
        let metadata = main.and_then(|watched| fs::metadata(&watched.path).ok());
        metadata.is_some_and(|metadata| metadata.len() == 0)
    }

    /// Whether a file is shorter than this process left it. Only to be asked while nobody here writes.
    pub(super) fn was_cut(&self) -> bool {
        let state = self.locked();
        let pairs = self.stamps().into_iter().zip(&state.stamps);
        pairs.into_iter().any(|(now, before)| match (now, before) {
            (Some(now), Some(before)) => now.size_bytes < before.size_bytes,
            _ => false,
        })
    }

    /// Takes the files as they are for those that this process wrote.
    pub(super) fn note(&self) {
        let stamps = self.stamps();
        self.locked().stamps = stamps;
    }

    /// What was found in the file is not the store any more.
    pub(super) fn overwritten(&self, detail: String) -> StoreLoss {
        let loss = StoreLoss::Overwritten { detail };
        self.log(&loss);
        self.locked().loss = Some(loss.clone());
        loss
    }

    fn stamps(&self) -> Vec<Option<Stamp>> {
        let files = self.shared.files.iter();
        // Those that others write as well say nothing, and in the third all that read write.
        let own = files.filter(|watched| match watched.file {
            StoreFile::Main => true,
            StoreFile::Wal => self.shared.is_alone,
            StoreFile::Shm => false,
        });
        own.map(|watched| Some(Stamp::of(&fs::metadata(&watched.path).ok()?)))
            .collect()
    }

    fn log(&self, loss: &StoreLoss) {
        let path = self.shared.files.first().map(|watched| &watched.path);
        let path = path.map(|path| path.display().to_string());
        let path = path.unwrap_or_default();
        tracing::error!(
            store = path, error = %loss,
            "nothing more is recorded or promoted by the store {path}: {loss}"
        );
    }

    /// Each change is one assignment: a panic elsewhere leaves it whole.
    fn locked(&self) -> MutexGuard<'_, State> {
        let state = self.shared.state.lock();
        state.unwrap_or_else(PoisonError::into_inner)
    }
}

impl Watched {
    fn loss(&self) -> Option<StoreLoss> {
        let file = self.file;
        match fs::metadata(&self.path) {
            Ok(metadata) if Place::of(&metadata) == self.place => None,
            Ok(_) => Some(StoreLoss::Replaced { file }),
            Err(_) => Some(StoreLoss::Removed { file }),
        }
    }
}

impl Stamp {
    fn of(metadata: &fs::Metadata) -> Self {
        Self {
            size_bytes: metadata.len(),
            modified_at: (metadata.mtime(), metadata.mtime_nsec()),
        }
    }
}
