//! The data of a decision, as the store keeps it: to compute the decision again.

use std::io::{self, Read, Write};

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use serinus_analysis::judge::StageData;

/// Longest data that is read: a store that was tampered with must not fill the memory.
const MOST_BYTES: u64 = 1024 * 1024 * 1024;

/// Why stored data cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum InputsError {
    /// It cannot be unpacked.
    #[error("it cannot be unpacked: {0}")]
    Packed(#[from] io::Error),
    /// Another version wrote it.
    #[error("another version wrote it: {0}")]
    Version(#[from] postcard::Error),
}

/// The bytes of the data, compressed: counts are mostly small whole numbers. Every number keeps
/// all its bits, infinite bounds included.
///
/// # Errors
///
/// None that is known: memory is written, and no sequence is of unknown length.
pub fn to_bytes(data: &StageData) -> Result<Vec<u8>, InputsError> {
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    packed.write_all(&postcard::to_stdvec(data)?)?;
    Ok(packed.finish()?)
}

/// Reads the bytes.
///
/// # Errors
///
/// [`InputsError`] for bytes that are damaged, or that another version wrote.
pub fn from_bytes(bytes: &[u8]) -> Result<StageData, InputsError> {
    let mut plain = Vec::new();
    GzDecoder::new(bytes)
        .take(MOST_BYTES)
        .read_to_end(&mut plain)?;
    Ok(postcard::from_bytes(&plain)?)
}
