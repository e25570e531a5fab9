//! Counts as bytes: to keep many of them in memory, and in the store those of a decision, so that
//! it can be computed again.

use std::io::{self, Read, Write};

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Longest data that is read: a store that was tampered with must not fill the memory.
const MOST_BYTES: u64 = 1024 * 1024 * 1024;

/// Why bytes cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum UnpackError {
    /// It cannot be unpacked.
    #[error("it cannot be unpacked: {0}")]
    Packed(#[from] io::Error),
    /// Another version wrote it.
    #[error("another version wrote it: {0}")]
    Version(#[from] postcard::Error),
}

/// The bytes of some data, compressed: counts are mostly small whole numbers. Every number keeps
/// all its bits, infinite bounds included.
///
/// # Errors
///
/// None that is known: memory is written, and no sequence is of unknown length.
pub fn pack(data: &impl Serialize) -> Result<Vec<u8>, UnpackError> {
    let mut packed = GzEncoder::new(Vec::new(), Compression::default());
    packed.write_all(&postcard::to_stdvec(data)?)?;
    let mut bytes = packed.finish()?;
    // It has grown by doubling, and many are kept for long.
    bytes.shrink_to_fit();
    Ok(bytes)
}

/// Reads the bytes.
///
/// # Errors
///
/// [`UnpackError`] for bytes that are damaged, or that another version wrote.
pub fn unpack<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, UnpackError> {
    let mut plain = Vec::new();
    GzDecoder::new(bytes)
        .take(MOST_BYTES)
        .read_to_end(&mut plain)?;
    Ok(postcard::from_bytes(&plain)?)
}
