//! Which file lies where: what makes it the same one, whatever it is called.

use std::fmt;
use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use super::loss::StoreFile;

/// A file of a file system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    device: u64,
    inode: u64,
}

impl Place {
    /// The file that a path leads to, if there is one.
    pub(super) fn at(path: &Path) -> Option<Self> {
        Some(Self::of(&fs::metadata(path).ok()?))
    }

    /// The file of which this is told.
    pub(super) fn of(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}", self.device, self.inode)
    }
}

impl FromStr for Place {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (device, inode) = text.split_once(':').ok_or(())?;
        let number = |text: &str| text.parse().map_err(|_| ());
        Ok(Self {
            device: number(device)?,
            inode: number(inode)?,
        })
    }
}

/// Where a file of a store is that is named by this path.
pub(super) fn path_of(store: &Path, file: StoreFile) -> PathBuf {
    match file {
        // As it is named: a link can be turned to another store.
        StoreFile::Main => store.to_owned(),
        // SQLite calls the others by the name that links lead to.
        StoreFile::Wal | StoreFile::Shm => {
            let real = store.canonicalize().unwrap_or_else(|_| store.to_owned());
            let mut name = real.into_os_string();
            name.push(file.suffix());
            name.into()
        }
    }
}
