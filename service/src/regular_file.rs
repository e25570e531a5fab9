//! Reading a file that somebody named: a regular one, of a size that fits.
//!
//! A name can lead anywhere. A pipe waits for a writer that never comes, a device gives zeros for
//! ever or does something when it is opened, and what a file says of its size need not be true. Links
//! are followed: mounted volumes are made of them.

use std::fs::{self, FileType, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{FileTypeExt as _, OpenOptionsExt as _};
use std::path::Path;

/// Largest file of a pipeline, of settings, credentials or certificates: the bundle of a whole system
/// has some 250 KB.
pub(crate) const MOST_BYTES: u64 = 1024 * 1024;

/// Why a file is not read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unread {
    /// The system refuses.
    #[error("{0}")]
    System(#[from] io::Error),
    /// It is something else that has a name.
    #[error("it is {0}, and only regular files are read: name the right one")]
    NotRegular(&'static str),
    /// It is larger than what is read.
    #[error("it has more than {most_bytes} bytes: name the right file")]
    TooLarge {
        /// How much is read at most.
        most_bytes: u64,
    },
    /// It is not text.
    #[error("it is not UTF-8 from byte {from_byte} on")]
    NotText {
        /// Where it ends to be.
        from_byte: usize,
    },
}

/// Reads a regular file.
///
/// # Errors
///
/// Why it is not read; nothing of what it holds.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>, Unread> {
    read_up_to(path, MOST_BYTES)
}

fn read_up_to(path: &Path, most_bytes: u64) -> Result<Vec<u8>, Unread> {
    // Before it is opened: to open a device can do something.
    fits(&fs::metadata(path)?, most_bytes)?;
    let file = OpenOptions::new()
        .read(true)
        // In between it may have become a pipe, which would wait.
        .custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY)
        .open(path)?;
    fits(&file.metadata()?, most_bytes)?;
    read_bounded(file, most_bytes)
}

/// Reads a regular file of text.
///
/// # Errors
///
/// As [`read`].
pub(crate) fn read_text(path: &Path) -> Result<String, Unread> {
    text(read(path)?)
}

/// The same, of a kind of file that is never so large.
///
/// # Errors
///
/// As [`read`].
pub(crate) fn read_text_up_to(path: &Path, most_bytes: u64) -> Result<String, Unread> {
    text(read_up_to(path, most_bytes)?)
}

/// Reads text from standard input, for a command that is told to.
///
/// # Errors
///
/// As [`read`].
pub(crate) fn read_standard_input() -> Result<String, Unread> {
    text(read_bounded(io::stdin().lock(), MOST_BYTES)?)
}

fn fits(metadata: &fs::Metadata, most_bytes: u64) -> Result<(), Unread> {
    if !metadata.is_file() {
        return Err(Unread::NotRegular(kind(metadata.file_type())));
    }
    if metadata.len() > most_bytes {
        return Err(Unread::TooLarge { most_bytes });
    }
    Ok(())
}

/// Whatever it says of its size.
fn read_bounded(from: impl Read, most_bytes: u64) -> Result<Vec<u8>, Unread> {
    let mut bytes = Vec::new();
    from.take(most_bytes.saturating_add(1))
        .read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most_bytes {
        return Err(Unread::TooLarge { most_bytes });
    }
    Ok(bytes)
}

fn text(bytes: Vec<u8>) -> Result<String, Unread> {
    String::from_utf8(bytes).map_err(|error| Unread::NotText {
        from_byte: error.utf8_error().valid_up_to(),
    })
}

fn kind(file: FileType) -> &'static str {
    if file.is_dir() {
        "a folder"
    } else if file.is_fifo() {
        "a pipe"
    } else if file.is_socket() {
        "a socket"
    } else {
        "a device"
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;
    use std::os::unix::net::UnixListener;
    use std::process::Command;

    use super::*;

    #[test]
    fn a_regular_file_is_read_also_through_links() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::write(path("real"), "text").unwrap();
        symlink("real", path("data")).unwrap();
        symlink("data", path("linked")).unwrap();
        assert_eq!(read_text(&path("linked")).unwrap(), "text");
        fs::write(path("empty"), "").unwrap();
        assert_eq!(read(&path("empty")).unwrap(), b"");
        // It says that it has no bytes, and has some.
        assert!(!read(Path::new("/proc/self/status")).unwrap().is_empty());
    }

    #[test]
    fn what_is_no_regular_file_is_named_and_never_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let made = Command::new("mkfifo").arg(path("pipe")).status().unwrap();
        assert!(made.success());
        let _socket = UnixListener::bind(path("socket")).unwrap();
        symlink("/dev/zero", path("zeros")).unwrap();
        for (name, said) in [
            (".", "it is a folder"),
            ("pipe", "it is a pipe"),
            ("socket", "it is a socket"),
            ("zeros", "it is a device"),
            ("nothing", "No such file"),
        ] {
            let error = read(&path(name)).unwrap_err().to_string();
            assert!(error.contains(said), "{name}: {error}");
        }
    }

    #[test]
    fn what_does_not_fit_is_left_whatever_it_says_of_its_size() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("large");
        let file = fs::File::create(&path).unwrap();
        file.set_len(MOST_BYTES).unwrap();
        assert_eq!(read(&path).unwrap().len() as u64, MOST_BYTES);
        file.set_len(MOST_BYTES + 1).unwrap();
        assert!(matches!(read(&path), Err(Unread::TooLarge { .. })));
        assert!(matches!(
            read_bounded(io::repeat(b'x'), 7),
            Err(Unread::TooLarge { most_bytes: 7 })
        ));
        assert!(matches!(
            read_text_up_to(&path, 7),
            Err(Unread::TooLarge { most_bytes: 7 })
        ));
    }

    #[test]
    fn what_is_no_text_says_from_where() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("binary");
        fs::write(&path, b"abc\xff").unwrap();
        let error = read_text(&path).unwrap_err().to_string();
        assert_eq!(error, "it is not UTF-8 from byte 3 on");
    }
}
