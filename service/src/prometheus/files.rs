//! Small files of credentials and certificates that others exchange while we run.

use std::path::Path;
use std::time::SystemTime;

use secrecy::SecretString;

use crate::regular_file;

/// What tells one version of a file from the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FileStamp {
    modified_at: Option<SystemTime>,
    size_bytes: u64,
}

impl FileStamp {
    /// The stamp of a file; nothing if it cannot be looked at.
    ///
    /// A call of a few microseconds on a local file, which is where secrets are mounted: handing
    /// it to another thread would cost more.
    pub(super) fn of(path: &Path) -> Option<Self> {
        let metadata = std::fs::metadata(path).ok()?;
        Some(Self {
            modified_at: metadata.modified().ok(),
            size_bytes: metadata.len(),
        })
    }
}

/// Reads a small file. The message names the file, never its content.
pub(crate) fn read_small(path: &Path) -> Result<Vec<u8>, String> {
    regular_file::read(path).map_err(|error| format!("cannot read {}: {error}", path.display()))
}

/// Reads a file that holds one secret, less the line break that editors append.
pub(super) fn read_secret(path: &Path) -> Result<SecretString, String> {
    let shown = path.display();
    let text = String::from_utf8(read_small(path)?)
        .map_err(|_| format!("{shown} is not UTF-8 text: name the right file"))?;
    let secret = text.trim_end_matches(['\r', '\n']);
    if secret.is_empty() {
        return Err(format!("{shown} is empty: write the secret into it"));
    }
    Ok(secret.into())
}
