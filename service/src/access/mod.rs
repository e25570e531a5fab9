//! Who may ask, and for what.
//!
//! A caller shows a token. The file of tokens holds only their SHA-256 digests, so who reads it
//! can show none of them; the tokens are long and random, so a digest without salt or stretching
//! gives nothing away either.

mod credentials;
mod file;
mod scope;
mod tokens;

use std::sync::Arc;

use axum::http::HeaderMap;
use secrecy::ExposeSecret as _;

pub(crate) use credentials::Shown;
pub(crate) use file::TokensFile;
pub(crate) use scope::{Scope, Scopes, UnknownScope};
pub(crate) use tokens::is_name;
pub(crate) use tokens::{Tokens, digest_hex};

/// The name of whoever shows no token.
pub(crate) const ANONYMOUS: &str = "anonymous";

/// Who asks, and what they may ask. In the extensions of every request that reaches a handler.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Principal {
    name: Arc<str>,
    scopes: Scopes,
}

impl Principal {
    /// Returns the principal of that name.
    pub(crate) fn new(name: impl Into<Arc<str>>, scopes: Scopes) -> Self {
        Self {
            name: name.into(),
            scopes,
        }
    }

    /// Returns somebody who showed no token.
    pub(crate) fn anonymous(scopes: Scopes) -> Self {
        Self::new(ANONYMOUS, scopes)
    }

    /// The name that the file of tokens gives; [`ANONYMOUS`] without one. May be logged.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The name, to be kept.
    pub(crate) fn shared_name(&self) -> Arc<str> {
        Arc::clone(&self.name)
    }

    /// Whether they showed no token.
    pub(crate) fn is_anonymous(&self) -> bool {
        *self.name == *ANONYMOUS
    }

    /// What they may ask.
    pub(crate) fn scopes(&self) -> Scopes {
        self.scopes
    }

    /// Whether they may ask for that.
    pub(crate) fn may(&self, scope: Scope) -> bool {
        self.scopes.contains(scope)
    }
}

/// Who may ask.
#[derive(Debug, Clone, Default)]
pub(crate) enum Access {
    /// Everybody may ask everything: no tokens are configured.
    #[default]
    Everybody,
    /// Whoever shows one of these tokens.
    Tokens(Arc<TokensFile>),
}

/// What the credentials of a request say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Identity {
    /// This one.
    Known(Principal),
    /// No credentials were shown.
    Nobody,
    /// Credentials were shown that are none of those known.
    Unknown,
}

impl Access {
    /// Says who asks. The credentials are taken out of the headers, so that nothing behind can
    /// print or store them.
    pub(crate) async fn identify(&self, headers: &mut HeaderMap) -> Identity {
        let shown = Shown::take_from(headers);
        let Self::Tokens(file) = self else {
            return Identity::Known(Principal::anonymous(Scopes::ALL));
        };
        match shown {
            Shown::Nothing => Identity::Nobody,
            Shown::Unreadable => Identity::Unknown,
            Shown::Token(token) => file
                .tokens()
                .await
                .find(token.expose_secret())
                .map_or(Identity::Unknown, |principal| {
                    Identity::Known(principal.clone())
                }),
        }
    }

    /// Whether everybody may ask everything.
    pub(crate) fn is_for_everybody(&self) -> bool {
        matches!(self, Self::Everybody)
    }

    /// Why the newest form of the tokens is not the one that counts. Names no secret.
    pub(crate) fn problem(&self) -> Option<String> {
        match self {
            Self::Everybody => None,
            Self::Tokens(file) => file.problem(),
        }
    }
}
