//! What can become of a store's files while this process has them open.

use std::fmt;

/// Why nothing that is told as recorded could be relied on any more. An operator has to mend it: no
/// disk that gets room again does.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum StoreLoss {
    /// A file is no longer where it was.
    #[error("{file} of the store was removed while it was in use: {}", file.mended())]
    Removed {
        /// Which.
        file: StoreFile,
    },
    /// Another file lies in the place of one.
    #[error("{file} of the store was replaced by another one while it was in use: {}", file.mended())]
    Replaced {
        /// Which.
        file: StoreFile,
    },
    /// Another process has begun to use the store, which this one was to use alone.
    #[error(
        "another process has begun to use the store after its -lock file was removed: stop one of \
         the two, and this one goes on by itself if it is the other"
    )]
    Taken,
    /// Another program has written into a file, and it is no longer the store that was opened.
    #[error(
        "another program has overwritten the file of the store: stop Serinus, put a backup in its \
         place (without the -wal and -shm of before) and start again: {detail}"
    )]
    Overwritten {
        /// What was found in it.
        detail: String,
    },
}

impl StoreLoss {
    /// Whether the same files, back in their place, are the store again.
    pub(super) const fn can_come_back(&self) -> bool {
        match self {
            Self::Removed { .. } | Self::Replaced { .. } | Self::Taken => true,
            Self::Overwritten { .. } => false,
        }
    }
}

/// A file of a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StoreFile {
    /// The file that the store is named by.
    Main,
    /// What was recorded last and is not in the file yet.
    Wal,
    /// Where in it what is.
    Shm,
}

impl StoreFile {
    /// What follows the store's name.
    pub(super) const fn suffix(self) -> &'static str {
        match self {
            Self::Main => "",
            Self::Wal => "-wal",
            Self::Shm => "-shm",
        }
    }

    const fn mended(self) -> &'static str {
        match self {
            Self::Main => {
                "put the same file back and all goes on by itself; or stop Serinus, remove the -wal \
                 and -shm files of before and start it on what lies there, which may know nothing of \
                 what was recorded before"
            }
            Self::Wal | Self::Shm => {
                "put the same file back and all goes on by itself, or stop Serinus with SIGTERM and \
                 start it again: as it ends it writes all that it recorded into the store's file"
            }
        }
    }
}

impl fmt::Display for StoreFile {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Main => formatter.write_str("the file"),
            Self::Wal | Self::Shm => write!(formatter, "the {} file", self.suffix()),
        }
    }
}
