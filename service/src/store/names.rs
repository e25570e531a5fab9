//! What names a rollout: its id for ever, its key within a pipeline for as long as it is meant.

use std::fmt;
use std::str::FromStr;

use serinus_openapi::population::is_unfilled_template;
use uuid::{NoContext, Timestamp, Uuid};

use crate::time::UnixMillis;

/// The id of a rollout. It sorts by the time of its start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct RolloutId(Uuid);

impl RolloutId {
    /// The id of a number that is known.
    pub(crate) const fn new(uuid: Uuid) -> Self {
        Self(uuid)
    }

    /// A new one: a UUID of version 7.
    pub(crate) fn begun_at(now: UnixMillis) -> Self {
        let now_ms = u64::try_from(now.get()).unwrap_or(0);
        let nanoseconds = u32::try_from(now_ms % 1000 * 1_000_000).unwrap_or(0);
        let at = Timestamp::from_unix(NoContext, now_ms / 1000, nanoseconds);
        Self(Uuid::new_v7(at))
    }

    /// Its number.
    pub(crate) const fn uuid(self) -> Uuid {
        self.0
    }
}

impl fmt::Display for RolloutId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

impl FromStr for RolloutId {
    type Err = uuid::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

/// What a caller calls its rollout: unique among the current ones of a pipeline.
///
/// There is none that was not looked at: a rollout cannot be opened with another.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct RolloutKey(String);

/// Why a text is no key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum InvalidKey {
    /// There is none.
    #[error(
        "no key: give `key`, which names the rollout, such as the pod-template hash and the \
         revision, 6d4f9.7"
    )]
    Missing,
    /// It is longer than the document says.
    #[error(
        "the key has {characters} characters, more than {}: shorten it",
        RolloutKey::MOST_CHARACTERS
    )]
    TooLong {
        /// How long it is.
        characters: usize,
    },
    /// A log or a terminal would not show it as it is.
    #[error("the key has a line break or another control character: take it out")]
    ControlCharacter,
    /// All rollouts of its caller would share it.
    #[error(
        "the key {key:?} is a template that was not filled in: correct the expression where the \
         call is written"
    )]
    UnfilledTemplate {
        /// What was sent.
        key: String,
    },
}

impl RolloutKey {
    /// Longest key, in characters, as the document says it.
    pub(crate) const MOST_CHARACTERS: usize = 256;

    /// The key that a caller sends.
    ///
    /// # Errors
    ///
    /// [`InvalidKey`] says what to send.
    pub(crate) fn new(text: impl Into<String>) -> Result<Self, InvalidKey> {
        let text = text.into();
        if text.is_empty() {
            return Err(InvalidKey::Missing);
        }
        let characters = text.chars().count();
        if characters > Self::MOST_CHARACTERS {
            return Err(InvalidKey::TooLong { characters });
        }
        if text.chars().any(char::is_control) {
            return Err(InvalidKey::ControlCharacter);
        }
        if is_unfilled_template(&text) {
            return Err(InvalidKey::UnfilledTemplate { key: text });
        }
        Ok(Self(text))
    }

    /// A key that the store kept: it was looked at when it was sent, by the rules of that time.
    pub(in crate::store) fn kept(text: String) -> Self {
        Self(text)
    }

    /// Its text.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RolloutKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_one_line_of_up_to_256_characters() {
        for good in ["a", "6d4f9.7", "shop/checkout@6d4f9", "é", &"é".repeat(256)] {
            assert!(RolloutKey::new(good).is_ok(), "{good}");
        }
        assert_eq!(RolloutKey::new(""), Err(InvalidKey::Missing));
        let characters = 257;
        assert_eq!(
            RolloutKey::new("é".repeat(characters)),
            Err(InvalidKey::TooLong { characters })
        );
        for bad in ["a\n", "\t", "a\u{7f}b", "\u{85}"] {
            assert_eq!(RolloutKey::new(bad), Err(InvalidKey::ControlCharacter));
        }
        for bad in ["${execution.id}", "a-{{args.hash}}", "{{ key }}"] {
            let key = bad.to_owned();
            assert_eq!(
                RolloutKey::new(bad),
                Err(InvalidKey::UnfilledTemplate { key })
            );
            // One that an earlier version took can still be read.
            assert_eq!(RolloutKey::kept(bad.to_owned()).as_str(), bad);
        }
    }

    #[test]
    fn new_ids_sort_by_their_time() {
        let at = |milliseconds| RolloutId::begun_at(UnixMillis::new(milliseconds));
        assert!(at(1_800_000_000_000) < at(1_800_000_000_001));
        assert_eq!(at(5).to_string().len(), 36);
    }
}
