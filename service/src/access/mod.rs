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
use tokens::TokenDigest;
pub(crate) use tokens::is_name;
pub(crate) use tokens::{Tokens, digest_hex};

/// The name of whoever shows no token.
pub(crate) const ANONYMOUS: &str = "anonymous";

/// Who asks, and what they may ask. In the extensions of every request that reaches a handler.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Principal {
    name: Arc<str>,
    scopes: Scopes,
    /// Of the token that was shown.
    digest: Option<TokenDigest>,
}

impl Principal {
    /// Returns the principal of that name.
    pub(crate) fn new(name: impl Into<Arc<str>>, scopes: Scopes) -> Self {
        Self {
            name: name.into(),
            scopes,
            digest: None,
        }
    }

    /// Says by which token they are known.
    fn known_by(mut self, digest: TokenDigest) -> Self {
        self.digest = Some(digest);
        self
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

impl Identity {
    /// Who it is, where that is known.
    pub(crate) fn principal(&self) -> Option<&Principal> {
        match self {
            Self::Known(principal) => Some(principal),
            Self::Nobody | Self::Unknown => None,
        }
    }
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

    /// Whether who was identified a while ago may ask for that now: the token may have been taken
    /// out of the file since, or may be good for less.
    pub(crate) async fn still_lets(&self, principal: &Principal, scope: Scope) -> bool {
        let Self::Tokens(file) = self else {
            return true;
        };
        let Some(digest) = &principal.digest else {
            return false;
        };
        let tokens = file.tokens().await;
        tokens
            .holder_of(digest)
            .is_some_and(|holder| holder.may(scope))
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
