//! Words of closed lists that are read back.

use serde::{Deserialize, Serialize};

/// A word of an answer that is kept or passed on: one of this version's list, or one that it does
/// not know. Another version that shares the store may have written it. It is passed on as it is,
/// and what it stands in stays readable.
///
/// Only for words that tell something. What is acted on (a verdict, who advances) has no unknown
/// ones: those must fail where they are read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Word<T> {
    /// A word of this version.
    Known(T),
    /// Another one.
    Other(String),
}

impl<T> From<T> for Word<T> {
    fn from(word: T) -> Self {
        Self::Known(word)
    }
}

impl<T: PartialEq> PartialEq<T> for Word<T> {
    fn eq(&self, word: &T) -> bool {
        matches!(self, Self::Known(known) if known == word)
    }
}
