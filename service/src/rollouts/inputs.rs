//! The data of a decision, as the store keeps it: to compute the decision again.

use serinus_analysis::judge::StageData;

/// The bytes of the data. Every number keeps all its bits, infinite bounds included.
pub fn to_bytes(data: &StageData) -> Vec<u8> {
    // Fails only for sequences of unknown length, of which there are none.
    postcard::to_stdvec(data).unwrap_or_default()
}

/// Reads the bytes.
///
/// # Errors
///
/// What is wrong with bytes that another version wrote.
pub fn from_bytes(bytes: &[u8]) -> Result<StageData, postcard::Error> {
    postcard::from_bytes(bytes)
}
