//! A moment, as callers send it and as the store keeps it.

use std::fmt;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// A moment: milliseconds since 1970. One that a caller sends may lie anywhere, before 1970 too.
///
/// Stored and sent as the bare number that it is.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub(crate) struct UnixMillis(i64);

impl UnixMillis {
    /// Before any other.
    pub(crate) const EARLIEST: Self = Self(i64::MIN);

    /// After any other.
    pub(crate) const LATEST: Self = Self(i64::MAX);

    /// The moment of a number.
    pub(crate) const fn new(milliseconds: i64) -> Self {
        Self(milliseconds)
    }

    /// Its number.
    pub(crate) const fn get(self) -> i64 {
        self.0
    }

    /// The moment so much later, or the latest there is.
    #[must_use]
    pub(crate) const fn plus(self, milliseconds: i64) -> Self {
        Self(self.0.saturating_add(milliseconds))
    }

    /// The moment so much earlier, or the earliest there is.
    #[must_use]
    pub(crate) const fn minus(self, milliseconds: i64) -> Self {
        Self(self.0.saturating_sub(milliseconds))
    }

    /// How long after another it is, in milliseconds; negative when it is before.
    pub(crate) const fn since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }

    /// The date, where a calendar has one.
    pub(crate) fn date(self) -> Option<DateTime<Utc>> {
        DateTime::from_timestamp_millis(self.0)
    }
}

/// A moment of the time that only grows: milliseconds since some beginning. It says nothing of the
/// date, and differs between processes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct SteadyMillis(i64);

impl SteadyMillis {
    /// Before any other.
    pub(crate) const EARLIEST: Self = Self(i64::MIN);

    /// After any other.
    pub(crate) const LATEST: Self = Self(i64::MAX);

    /// The moment of a number.
    pub(crate) const fn new(milliseconds: i64) -> Self {
        Self(milliseconds)
    }

    /// Its number.
    pub(crate) const fn get(self) -> i64 {
        self.0
    }

    /// The moment so much later, or the latest there is.
    #[must_use]
    pub(crate) const fn plus(self, milliseconds: i64) -> Self {
        Self(self.0.saturating_add(milliseconds))
    }
}

impl From<DateTime<Utc>> for UnixMillis {
    fn from(date: DateTime<Utc>) -> Self {
        Self(date.timestamp_millis())
    }
}

impl fmt::Display for UnixMillis {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_kept_as_its_bare_number() {
        let moment = UnixMillis::new(-5);
        assert_eq!(serde_json::to_string(&moment).unwrap(), "-5");
        assert_eq!(serde_json::from_str::<UnixMillis>("-5").unwrap(), moment);
    }

    #[test]
    fn no_sum_of_moments_overflows() {
        assert_eq!(UnixMillis::LATEST.plus(1), UnixMillis::LATEST);
        assert_eq!(UnixMillis::EARLIEST.minus(1), UnixMillis::EARLIEST);
        assert_eq!(UnixMillis::LATEST.since(UnixMillis::EARLIEST), i64::MAX);
    }
}
