//! When the folder is looked at.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::Duration;

use tokio::time::Instant;

use super::Known;
use super::scan::Files;

/// How long a look at the folder is good for.
const GOOD_FOR: Duration = Duration::from_secs(1);

/// A folder of pipelines; or none.
#[derive(Debug)]
pub(crate) struct Folder {
    path: Option<PathBuf>,
    good_for: Duration,
    /// Held during a look at the disk.
    files: Mutex<Files>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    looked_at: Instant,
    known: Arc<Known>,
}

/// Why a folder cannot be used at all.
#[derive(Debug, thiserror::Error)]
#[error("cannot read the pipelines folder {path:?}: {source}")]
pub(crate) struct FolderError {
    /// The folder.
    pub path: PathBuf,
    /// What the system says.
    pub source: std::io::Error,
}

impl Folder {
    /// Returns a folder without pipelines.
    pub(crate) fn none() -> Self {
        Self::with(None, Files::default())
    }

    /// Reads a folder for the first time. Files with mistakes are no error: they are told in
    /// [`Known::problems`].
    ///
    /// # Errors
    ///
    /// [`FolderError`] when it is not there or not readable: a mistake in the configuration
    /// should show at the start.
    pub(crate) fn open(path: &Path) -> Result<Self, FolderError> {
        fs::read_dir(path).map_err(|source| FolderError {
            path: path.to_owned(),
            source,
        })?;
        let mut files = Files::default();
        files.look(path);
        Ok(Self::with(Some(path.to_owned()), files))
    }

    fn with(path: Option<PathBuf>, files: Files) -> Self {
        Self {
            path,
            good_for: GOOD_FOR,
            state: Mutex::new(State {
                looked_at: Instant::now(),
                known: Arc::new(files.known()),
            }),
            files: Mutex::new(files),
        }
    }

    /// Returns what the folder holds, after a look at it if the last is more than a second old. One
    /// caller looks, the others go on with what is known: a disk that hangs keeps one request waiting
    /// and not all of them.
    pub(crate) async fn known(self: &Arc<Self>) -> Arc<Known> {
        {
            let mut state = locked(&self.state);
            let is_good = self.path.is_none() || state.looked_at.elapsed() < self.good_for;
            if is_good || matches!(self.files.try_lock(), Err(TryLockError::WouldBlock)) {
                return Arc::clone(&state.known);
            }
            state.looked_at = Instant::now();
        }
        let folder = Arc::clone(self);
        let look = tokio::task::spawn_blocking(move || folder.look());
        // Only fails when the look panicked or the runtime stops; what was known still is.
        look.await
            .unwrap_or_else(|_| Arc::clone(&locked(&self.state).known))
    }

    /// Looks at the folder now. Blocks on the disk.
    pub(crate) fn look(&self) -> Arc<Known> {
        let mut files = locked(&self.files);
        if let Some(path) = &self.path
            && files.look(path)
        {
            let known = Arc::new(files.known());
            log(path, &known);
            locked(&self.state).known = known;
        }
        let mut state = locked(&self.state);
        state.looked_at = Instant::now();
        Arc::clone(&state.known)
    }
}

/// A panic while the lock was held leaves what it holds as it was before or after a file.
fn locked<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

fn log(path: &Path, known: &Known) {
    tracing::info!(
        pipelines.count = known.names().count(),
        "pipelines read again from {}",
        path.display()
    );
    known.log_problems();
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "canary_pipeline:\n  a: {traffic_percent: 5, duration_minutes: 60, \
                        metrics: [error_rate < 0.01]}\n";

    #[tokio::test]
    async fn a_look_is_good_for_a_while() {
        let directory = tempfile::tempdir().unwrap();
        let mut folder = Folder::open(directory.path()).unwrap();
        folder.good_for = Duration::from_hours(1);
        let mut folder = Arc::new(folder);
        fs::write(directory.path().join("shop.yaml"), GOOD).unwrap();
        assert_eq!(folder.known().await.names().count(), 0);
        Arc::get_mut(&mut folder).unwrap().good_for = Duration::ZERO;
        assert_eq!(folder.known().await.names().collect::<Vec<_>>(), ["shop"]);
    }

    #[tokio::test]
    async fn a_folder_that_vanishes_keeps_what_was_known() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("shop.yaml"), GOOD).unwrap();
        let mut folder = Folder::open(directory.path()).unwrap();
        folder.good_for = Duration::ZERO;
        let folder = Arc::new(folder);
        fs::remove_dir_all(directory.path()).unwrap();
        let known = folder.known().await;
        assert!(known.get("shop").is_some());
        assert_eq!(known.problems().len(), 1);
    }

    #[test]
    fn a_folder_that_is_not_there_at_the_start_is_an_error() {
        let error = Folder::open(Path::new("/nowhere/at/all")).unwrap_err();
        assert!(error.to_string().contains("/nowhere/at/all"), "{error}");
    }
}
