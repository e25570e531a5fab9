//! Who uses the file of a store: one process alone, or several that look for each other's changes.
//!
//! A process that uses a store alone tells from its memory what it once recorded. If another one
//! wrote to the same file, both would go on telling their own.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use super::StoreUrl;

/// Holds a store for this process, until it is dropped or the process ends by any means.
///
/// The lock is on a file beside the store: closing any handle of the store's own file would take
/// SQLite's locks away.
#[derive(Debug)]
pub(crate) struct StoreClaim {
    _locked: Option<File>,
}

/// Why a store cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ClaimError {
    /// Another process uses it.
    #[error(
        "another process uses it: stop that one first, or let both look for each other's changes \
         with --shared-store"
    )]
    Taken,
    /// The file of the lock cannot be made.
    #[error("cannot lock {}: {error}; its folder must exist and be writable", path.display())]
    Lock {
        /// The file.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
}

impl StoreClaim {
    /// Takes a store for this process alone, or to be shared with others that say so too. A store in
    /// memory is nobody else's.
    ///
    /// # Errors
    ///
    /// [`ClaimError`] says who has to give way.
    pub(crate) fn new(url: &StoreUrl, is_shared: bool) -> Result<Self, ClaimError> {
        let Some(path) = url.path() else {
            return Ok(Self { _locked: None });
        };
        let path = beside(path);
        let file = match open(&path) {
            Ok(file) => file,
            Err(error) => return Err(ClaimError::Lock { path, error }),
        };
        match lock(&file, is_shared) {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(ClaimError::Taken),
            // Some file systems know no locks. They are none for SQLite either, but that is for the
            // store to say.
            Err(TryLockError::Error(error)) => tracing::warn!(
                error = %error,
                "cannot lock {}, so nothing keeps a second process from using the store: {error}",
                path.display()
            ),
        }
        Ok(Self {
            _locked: Some(file),
        })
    }
}

/// Opens the file of the lock, and makes it where there is none.
///
/// # Errors
///
/// What the system says, or that it is no regular file: a pipe would be waited for.
pub(super) fn open(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY)
        .open(path)?;
    if file.metadata()?.is_file() {
        Ok(file)
    } else {
        Err(io::Error::other("it is no regular file: remove it"))
    }
}

/// Takes a file of a lock, for this process alone or with others that share it.
pub(super) fn lock(file: &File, is_shared: bool) -> Result<(), TryLockError> {
    if is_shared {
        file.try_lock_shared()
    } else {
        file.try_lock()
    }
}

/// The file of the lock: beside the store itself, also where a link leads to it.
pub(super) fn beside(path: &Path) -> PathBuf {
    let whole = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let mut name = whole.into_os_string();
    name.push("-lock");
    name.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_is_used_by_one_process_or_by_several_that_share_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("serinus.db");
        let url: StoreUrl = format!("sqlite:{}", path.display()).parse().unwrap();
        let claim = |is_shared| StoreClaim::new(&url, is_shared);

        let alone = claim(false).unwrap();
        assert!(matches!(claim(false), Err(ClaimError::Taken)));
        assert!(matches!(claim(true), Err(ClaimError::Taken)));
        drop(alone);

        let shared = claim(true).unwrap();
        let other = claim(true).unwrap();
        assert!(matches!(claim(false), Err(ClaimError::Taken)));
        drop((shared, other));
        assert!(claim(false).is_ok());
    }

    #[test]
    fn a_store_in_memory_is_nobody_elses() {
        let claim = || StoreClaim::new(&StoreUrl::memory(), false);
        let first = claim().unwrap();
        assert!(claim().is_ok());
        drop(first);
    }

    /// It was waited for, and nothing told.
    #[test]
    fn a_lock_that_is_a_pipe_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("serinus.db");
        let pipe = std::process::Command::new("mkfifo")
            .arg(beside(&path))
            .status();
        assert!(pipe.unwrap().success());
        let url: StoreUrl = format!("sqlite:{}", path.display()).parse().unwrap();
        let error = StoreClaim::new(&url, false).unwrap_err().to_string();
        assert!(error.contains("it is no regular file"), "{error}");
    }

    #[test]
    fn a_folder_that_is_not_there_is_told() {
        let url: StoreUrl = "sqlite:/nowhere/at/all/serinus.db".parse().unwrap();
        let error = StoreClaim::new(&url, false).unwrap_err().to_string();
        assert!(error.contains("/nowhere/at/all/serinus.db-lock"), "{error}");
        assert!(error.contains("must exist and be writable"), "{error}");
    }
}
