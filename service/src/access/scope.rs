//! What a token is good for.

use std::fmt;
use std::str::FromStr;

/// What an operation needs. None implies another: the gate's token in a cluster must not be able
/// to override a verdict, and who may override need not be able to ask the gate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Scope {
    /// Look: analyses, pipelines, rollouts, metrics, the document and its pages.
    Read,
    /// What a deployment system asks: gates, adapters, starting and advancing rollouts.
    Gate,
    /// What people decide: overriding, cancelling, changing pipelines.
    Operate,
}

impl Scope {
    /// Every scope.
    pub(crate) const ALL: [Self; 3] = [Self::Read, Self::Gate, Self::Operate];

    /// The name used in the file of tokens and in the document.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Gate => "gate",
            Self::Operate => "operate",
        }
    }

    fn bit(self) -> u8 {
        match self {
            Self::Read => 1,
            Self::Gate => 2,
            Self::Operate => 4,
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// A set of scopes.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Scopes(u8);

impl Scopes {
    /// Nothing.
    pub(crate) const NONE: Self = Self(0);

    /// Everything.
    pub(crate) const ALL: Self = Self(7);

    /// What a list of scopes says: `read`, `gate`, `operate`, or `all` for the three of them.
    pub(crate) const WORDS: &str = "read, gate, operate, or all";

    /// The set with one more.
    #[must_use]
    pub(crate) fn with(self, scope: Scope) -> Self {
        Self(self.0 | scope.bit())
    }

    /// Whether the scope is among them.
    pub(crate) fn contains(self, scope: Scope) -> bool {
        self.0 & scope.bit() != 0
    }

    /// The scopes, in the order of their declaration.
    pub(crate) fn iter(self) -> impl Iterator<Item = Scope> {
        Scope::ALL
            .into_iter()
            .filter(move |&scope| self.contains(scope))
    }
}

/// One word of a list of scopes.
impl FromStr for Scopes {
    type Err = UnknownScope;

    fn from_str(word: &str) -> Result<Self, UnknownScope> {
        if word == "all" {
            return Ok(Self::ALL);
        }
        let known = Scope::ALL.into_iter().find(|scope| scope.name() == word);
        known
            .map(|scope| Self::NONE.with(scope))
            .ok_or(UnknownScope)
    }
}

impl FromIterator<Self> for Scopes {
    fn from_iter<I: IntoIterator<Item = Self>>(sets: I) -> Self {
        Self(sets.into_iter().fold(0, |all, set| all | set.0))
    }
}

/// A word that is no scope. The word is not repeated: somebody may have put a token there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a scope is one of {}", Scopes::WORDS)]
pub(crate) struct UnknownScope;

impl fmt::Debug for Scopes {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_set().entries(self.iter()).finish()
    }
}

impl fmt::Display for Scopes {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.iter().map(Scope::name).collect();
        formatter.write_str(&names.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_scope_implies_another() {
        for scope in Scope::ALL {
            let only: Scopes = scope.name().parse().unwrap();
            assert_eq!(only.iter().collect::<Vec<_>>(), [scope]);
        }
        assert_eq!("all".parse(), Ok(Scopes::ALL));
        assert_eq!(Scopes::ALL.to_string(), "read, gate, operate");
        assert_eq!("Read".parse::<Scopes>(), Err(UnknownScope));
    }
}
