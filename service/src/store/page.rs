//! Pages of rollouts: newest first, and stable while others are started.
//!
//! A cursor is the place of the last rollout seen, not a number of rows: what is started later is
//! newer and so lies before it, what is pruned leaves no hole.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use uuid::Uuid;

use super::error::StoreError;
use super::model::{RolloutState, StoredRollout};
use super::names::RolloutId;
use crate::time::UnixMillis;

/// The most rollouts on a page.
pub(crate) const MOST_ON_A_PAGE: usize = 200;

/// Which rollouts are asked for: those that fit everything that is given.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Filter {
    /// Of this pipeline.
    pub pipeline: Option<String>,
    /// With this key; with the pipeline an index finds it, without all are looked through.
    pub key: Option<String>,
    /// In this state.
    pub state: Option<RolloutState>,
    /// Started at this time or later.
    pub since_ms: Option<UnixMillis>,
}

/// Which page of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Page {
    /// How many at most: at least one, [`MOST_ON_A_PAGE`] at most, whatever is asked.
    pub limit: usize,
    /// Where the page before ended.
    pub after: Option<Cursor>,
}

/// A page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RolloutPage {
    /// Newest first.
    pub rollouts: Vec<StoredRollout>,
    /// Where the next page begins, if there is one.
    pub next: Option<Cursor>,
}

impl RolloutPage {
    /// Makes a page of rows of which one more than `limit` was asked for.
    pub(super) fn new(mut rollouts: Vec<StoredRollout>, limit: usize) -> Self {
        let has_next = rollouts.len() > limit;
        rollouts.truncate(limit);
        let next = rollouts.last().filter(|_| has_next).map(Cursor::of);
        Self { rollouts, next }
    }
}

/// A place in the list of rollouts. Its text is opaque to callers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cursor {
    pub(super) created_ms: UnixMillis,
    pub(super) id: RolloutId,
}

impl Cursor {
    fn of(rollout: &StoredRollout) -> Self {
        Self {
            created_ms: rollout.created_ms,
            id: rollout.id,
        }
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = [0_u8; 24];
        let (created, id) = bytes.split_at_mut(8);
        created.copy_from_slice(&self.created_ms.get().to_be_bytes());
        id.copy_from_slice(self.id.uuid().as_bytes());
        formatter.write_str(&URL_SAFE_NO_PAD.encode(bytes))
    }
}

impl FromStr for Cursor {
    type Err = StoreError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let invalid = || {
            StoreError::Invalid(
                "the cursor is none of this service; leave it out to start at the first page"
                    .to_owned(),
            )
        };
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| invalid())?;
        let (created, id) = bytes.split_first_chunk::<8>().ok_or_else(invalid)?;
        Ok(Self {
            created_ms: UnixMillis::new(i64::from_be_bytes(*created)),
            id: RolloutId::new(Uuid::from_slice(id).map_err(|_| invalid())?),
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_cursor_survives_its_text(created_ms in any::<i64>(), id in any::<u128>()) {
            let cursor = Cursor {
                created_ms: UnixMillis::new(created_ms),
                id: RolloutId::new(Uuid::from_u128(id)),
            };
            prop_assert_eq!(cursor.to_string().parse::<Cursor>(), Ok(cursor));
        }

        #[test]
        fn any_text_is_a_cursor_or_an_error(text in ".*") {
            if let Ok(cursor) = text.parse::<Cursor>() {
                prop_assert_eq!(cursor.to_string(), text);
            }
        }
    }
}
