//! Small files of credentials and certificates that others exchange while we run.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use secrecy::SecretString;

use crate::regular_file;

/// What tells one version of a file from the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct FileStamp {
    modified_at: Option<SystemTime>,
    size_bytes: u64,
}

impl FileStamp {
    /// The stamp of a file; nothing if it cannot be looked at.
    ///
    /// A call of a few microseconds on a local file, which is where secrets are mounted: handing
    /// it to another thread would cost more.
    fn of(path: &Path) -> Option<Self> {
        let metadata = std::fs::metadata(path).ok()?;
        Some(Self {
            modified_at: metadata.modified().ok(),
            size_bytes: metadata.len(),
        })
    }
}

/// What is made of files: made anew when one of them changes, and kept as it was where it cannot be.
/// The one rule for whatever a source is asked with.
pub(super) struct FromFiles<T> {
    files: Vec<PathBuf>,
    make: Box<dyn Fn() -> Result<T, String> + Send + Sync>,
    current: Mutex<Made<T>>,
}

struct Made<T> {
    stamps: Vec<Option<FileStamp>>,
    value: T,
}

impl<T: Clone> FromFiles<T> {
    /// Makes it for the first time: the files must be there. Without files it stays as it is made.
    ///
    /// # Errors
    ///
    /// Why it cannot be made.
    pub(super) fn new(
        files: impl IntoIterator<Item = PathBuf>,
        make: impl Fn() -> Result<T, String> + Send + Sync + 'static,
    ) -> Result<Self, String> {
        let files: Vec<PathBuf> = files.into_iter().collect();
        // Before the content: a file that is exchanged in between is read again next time.
        let stamps = stamps(&files);
        let value = make()?;
        Ok(Self {
            files,
            make: Box::new(make),
            current: Mutex::new(Made { stamps, value }),
        })
    }

    /// Of the files as they are now, or the last good one. `what` is the word for it in the log.
    pub(super) fn get(&self, source: &str, what: &str) -> T {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        let stamps = stamps(&self.files);
        if stamps != current.stamps {
            // Whatever comes of it, it is tried and told once for each change, not for each query.
            current.stamps = stamps;
            match (self.make)() {
                Ok(value) => current.value = value,
                Err(detail) => tracing::warn!(
                    source.name = source,
                    "source {source:?} keeps its last {what}: {detail}"
                ),
            }
        }
        current.value.clone()
    }

    /// What was made last, without a look at the files.
    pub(super) fn last(&self) -> T {
        let current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        current.value.clone()
    }
}

fn stamps(files: &[PathBuf]) -> Vec<Option<FileStamp>> {
    files.iter().map(|file| FileStamp::of(file)).collect()
}

/// A secret as it is configured: the text itself, or the file that holds it.
#[derive(Debug, Clone)]
pub(crate) enum SecretFrom {
    /// The text.
    Text(SecretString),
    /// The file, which is read again when it changes.
    File(PathBuf),
}

impl SecretFrom {
    /// The file to look at.
    pub(crate) fn file(&self) -> Option<PathBuf> {
        match self {
            Self::Text(_) => None,
            Self::File(file) => Some(file.clone()),
        }
    }

    /// The secret as it is now.
    ///
    /// # Errors
    ///
    /// Names the file, never its content.
    pub(crate) fn read(&self) -> Result<SecretString, String> {
        match self {
            Self::Text(secret) => Ok(secret.clone()),
            Self::File(file) => read_secret(file),
        }
    }
}

/// Reads a small file. The message names the file, never its content.
pub(crate) fn read_small(path: &Path) -> Result<Vec<u8>, String> {
    regular_file::read(path).map_err(|error| format!("cannot read {}: {error}", path.display()))
}

/// Reads a file that holds one secret, less the line break that editors append.
fn read_secret(path: &Path) -> Result<SecretString, String> {
    let shown = path.display();
    let text = String::from_utf8(read_small(path)?)
        .map_err(|_| format!("{shown} is not UTF-8 text: name the right file"))?;
    let secret = text.trim_end_matches(['\r', '\n']);
    if secret.is_empty() {
        return Err(format!("{shown} is empty: write the secret into it"));
    }
    Ok(secret.into())
}
