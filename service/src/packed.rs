//! Counts as bytes: to keep many of them in memory, and in the store those of a decision, so that
//! it can be computed again. And the name of what such bytes say.

use std::fmt;
use std::hash::{BuildHasher as _, RandomState};
use std::io::{self, Read, Write};

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};

/// Longest data that is read: a store that was tampered with must not fill the memory.
const MOST_BYTES: u64 = 1024 * 1024 * 1024;

/// The first byte, which says what the others mean: another one with every change of what is packed.
/// It is none that compressed bytes without it begin with, as they were stored at first.
const FORMAT: u8 = 11;

/// Why bytes cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum UnpackError {
    /// It cannot be unpacked.
    #[error("it cannot be unpacked: {0}")]
    Packed(#[from] io::Error),
    /// Another version wrote it.
    #[error("another version of Serinus wrote it")]
    Version,
    /// It is not what this version writes.
    #[error("it is damaged: {0}")]
    Damaged(#[from] postcard::Error),
}

/// The bytes of some data, compressed: counts are mostly small whole numbers. Every number keeps
/// all its bits, infinite bounds included.
///
/// # Errors
///
/// None that is known: memory is written, and no sequence is of unknown length.
pub(crate) fn pack(data: &impl Serialize) -> Result<Vec<u8>, UnpackError> {
    let mut packed = GzEncoder::new(vec![FORMAT], Compression::default());
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
pub(crate) fn unpack<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, UnpackError> {
    let Some((&FORMAT, compressed)) = bytes.split_first() else {
        return Err(UnpackError::Version);
    };
    let mut plain = Vec::new();
    GzDecoder::new(compressed)
        .take(MOST_BYTES)
        .read_to_end(&mut plain)?;
    Ok(postcard::from_bytes(&plain)?)
}

/// The name of some data: the SHA-256 of its bytes before they are compressed. It is the same in
/// every process and on every machine, since every number is its bits and every map is in order.
/// Other data has another name, as long as both are of the same type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Name([u8; 32]);

impl Name {
    /// The name of some data. Data that has no bytes gets another name each time: that of what was
    /// written before the failure could be the name of other data too. No such data is known, since
    /// no sequence is of unknown length.
    pub(crate) fn of(data: &impl Serialize) -> Self {
        let mut hash = Sha256::new();
        if let Err(error) = postcard::to_io(data, &mut hash) {
            tracing::error!(error = %error, "data cannot be named: {error}");
            // Each of these has other keys.
            hash.update(RandomState::new().hash_one(()).to_le_bytes());
        }
        Self(hash.finalize().into())
    }
}

/// `sha256:` and the digits.
impl fmt::Display for Name {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("sha256:")?;
        self.0
            .iter()
            .try_for_each(|byte| write!(formatter, "{byte:02x}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// printf '\0\0\0\0\0\0\360\077' | sha256sum
    #[test]
    fn a_name_is_that_of_the_bytes_of_the_numbers() {
        let one = Name::of(&1.0).to_string();
        assert_eq!(
            one,
            "sha256:6c3c396ed6b5c36dcae172271f462051b1266b851e92df3deea8ac65478fd712"
        );
        assert_ne!(Name::of(&0.0), Name::of(&-0.0));
        assert_ne!(Name::of(&("ab", "c")), Name::of(&("a", "bc")));
    }

    /// Data whose bytes end in a failure.
    struct Broken;

    impl Serialize for Broken {
        fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
            Err(serde::ser::Error::custom("broken"))
        }
    }

    #[test]
    fn data_that_cannot_be_written_shares_its_name_with_nothing() {
        let name = Name::of(&(1, Broken));
        assert_ne!(name, Name::of(&(1, Broken)));
        assert_ne!(name, Name::of(&1));
    }

    #[test]
    fn bytes_of_another_version_are_told_and_never_read() {
        let bytes = pack(&[1.0, f64::INFINITY]).unwrap();
        assert_eq!(
            unpack::<Vec<f64>>(&pack(&vec![0.1]).unwrap()).unwrap(),
            [0.1]
        );
        let Some((_, without_format)) = bytes.split_first() else {
            panic!("no bytes");
        };
        for other in [without_format, &[], &[FORMAT + 1, 0], &[FORMAT - 1, 0]] {
            let error = unpack::<Vec<f64>>(other).unwrap_err();
            assert!(matches!(error, UnpackError::Version), "{error}");
        }
        let cut = &bytes[..bytes.len() - 1];
        assert!(matches!(
            unpack::<Vec<f64>>(cut),
            Err(UnpackError::Packed(_))
        ));
    }
}
