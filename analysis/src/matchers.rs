//! Label matchers: how a population (control, canary, a region) is told from the others.

use std::fmt;

use serde::Serialize;

/// How a matcher compares a label's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub enum MatchOperator {
    /// `=`: the value is equal.
    Equal,
    /// `!=`: the value differs.
    NotEqual,
    /// `=~`: the value matches an anchored regular expression.
    Regex,
    /// `!~`: the value does not match an anchored regular expression.
    NotRegex,
}

impl MatchOperator {
    /// Every operator. The usual ones first: the first of equally near names is suggested for a wrong
    /// one. `=` after `=~`, which begins with it.
    pub const ALL: [Self; 4] = [Self::Regex, Self::NotRegex, Self::Equal, Self::NotEqual];

    /// As PromQL writes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Equal => "=",
            Self::NotEqual => "!=",
            Self::Regex => "=~",
            Self::NotRegex => "!~",
        }
    }

    /// The operator that a text begins with, and what stands behind it.
    pub fn in_front_of(text: &str) -> Option<(Self, &str)> {
        Self::ALL
            .into_iter()
            .find_map(|operator| Some((operator, text.strip_prefix(operator.as_str())?)))
    }

    /// The operator that is meant where the value of a label begins with one, or with what is left of
    /// `=~` when a text is cut at its first `=`; and what stands behind it.
    pub fn meant_by(value: &str) -> Option<(Self, &str)> {
        let cut = || Some((Self::Regex, value.strip_prefix('~')?));
        Self::in_front_of(value).or_else(cut)
    }
}

impl fmt::Display for MatchOperator {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// One label matcher. The value is plain text: it is never pasted into a query, only added to
/// a syntax tree (see [`crate::query`]).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Matcher {
    /// The label's name.
    pub label: String,
    /// How the value is compared.
    pub operator: MatchOperator,
    /// The value or the regular expression.
    pub value: String,
}

impl Matcher {
    /// Returns the matcher `label = value`.
    pub fn equal(label: impl Into<String>, value: impl Into<String>) -> Self {
        Self {
            label: label.into(),
            operator: MatchOperator::Equal,
            value: value.into(),
        }
    }

    /// Returns the matcher `label =~ pattern`.
    pub fn regex(label: impl Into<String>, pattern: impl Into<String>) -> Self {
        Self {
            label: label.into(),
            operator: MatchOperator::Regex,
            value: pattern.into(),
        }
    }
}

impl fmt::Display for Matcher {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}{}{:?}", self.label, self.operator, self.value)
    }
}

/// The matchers of one population, sorted, so that the same population always gives the same
/// queries.
pub type Matchers = std::collections::BTreeSet<Matcher>;
