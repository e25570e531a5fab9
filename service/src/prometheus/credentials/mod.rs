//! What lets a source know who asks, read again from its files when these change.

mod google;
mod grant;
mod header;
mod redact;
mod signature;
mod signer;
mod token;

use std::time::Duration;

use reqwest::Request;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderName};
use secrecy::SecretString;

use super::config::SourceConfig;
use crate::clock::{Clock as _, SystemClock};
use grant::GrantConfig;
use header::SecretHeader;
use redact::redacted;
use signer::Signer;
use token::Tokens;
pub(super) use token::{TokenFault, TokenTrouble};

/// Everything that is sent with each query of a source, beside the query.
pub(super) struct Credentials {
    source: String,
    headers: Vec<SecretHeader>,
    made: Made,
}

/// What is made for a query, and not just sent with it.
enum Made {
    Nothing,
    Signature(Signer),
    Token(Box<Tokens>),
}

/// What one query is sent with.
pub(super) struct Seal<'a> {
    headers: HeaderMap,
    signer: Option<&'a Signer>,
    source: &'a str,
}

impl Credentials {
    /// Collects what a source is asked with; files must be there. Nothing is sent yet.
    ///
    /// # Errors
    ///
    /// What must be changed.
    pub(super) fn new(
        source: &str,
        config: &SourceConfig,
        timeout: Duration,
    ) -> Result<Self, String> {
        let tokens =
            |grant| Tokens::new(source, grant, timeout).map(|tokens| Made::Token(Box::new(tokens)));
        let made = if let Some(sigv4) = &config.sigv4 {
            Made::Signature(Signer::new(sigv4)?)
        } else if let Some(oauth2) = &config.oauth2 {
            tokens(GrantConfig::OAuth2(oauth2.clone()))?
        } else if let Some(google) = &config.google {
            tokens(GrantConfig::Google(google.clone()))?
        } else {
            Made::Nothing
        };
        let headers = SecretHeader::all_of(config)?;
        let mut names = made.headers();
        for header in &headers {
            if names.contains(&header.name) {
                return Err(format!("header {} is set twice: keep one", header.name));
            }
            names.push(header.name.clone());
        }
        Ok(Self {
            source: source.to_owned(),
            headers,
            made,
        })
    }

    /// What to send a query with now. A token may have to be asked for first.
    ///
    /// # Errors
    ///
    /// Why there is no token.
    pub(super) async fn seal(&self) -> Result<Seal<'_>, TokenFault> {
        let mut headers: HeaderMap = self
            .headers
            .iter()
            .map(|header| (header.name.clone(), header.value(&self.source)))
            .collect();
        let signer = match &self.made {
            Made::Nothing => None,
            Made::Signature(signer) => Some(signer),
            Made::Token(tokens) => {
                headers.insert(AUTHORIZATION, tokens.value().await?);
                None
            }
        };
        Ok(Seal {
            headers,
            signer,
            source: &self.source,
        })
    }

    /// The source did not take what it was asked with (401).
    pub(super) fn refused(&self) {
        if let Made::Token(tokens) = &self.made {
            tokens.refused();
        }
    }

    /// What to look at where a source refuses them.
    pub(super) fn cure(&self) -> &'static str {
        match &self.made {
            Made::Nothing => "check user, token and tenant headers",
            Made::Signature(_) => {
                "check the keys, region and service of sigv4, what the keys may do, and this host's \
                 clock"
            }
            Made::Token(_) => "check what the account of oauth2 or google may read",
        }
    }

    /// Blots the secrets out of a text of others: a proxy that echoes a request must not bring
    /// its credentials into a message.
    pub(super) fn redact(&self, text: String) -> String {
        let sent = self.headers.iter().flat_map(SecretHeader::secrets);
        redacted(text, sent.chain(self.made.secrets()))
    }
}

impl Made {
    /// The headers that it puts on a query.
    fn headers(&self) -> Vec<HeaderName> {
        match self {
            Self::Nothing => Vec::new(),
            Self::Signature(_) => Signer::headers().to_vec(),
            Self::Token(_) => vec![AUTHORIZATION],
        }
    }

    fn secrets(&self) -> Vec<SecretString> {
        match self {
            Self::Nothing => Vec::new(),
            Self::Signature(signer) => signer.secrets(),
            Self::Token(tokens) => tokens.secrets().into_iter().collect(),
        }
    }
}

impl Seal<'_> {
    /// The headers of a query that is not signed.
    pub(super) fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// Whether a query must be whole before it can be sent.
    pub(super) fn is_signature(&self) -> bool {
        self.signer.is_some()
    }

    /// Puts all of it on a request that is whole.
    ///
    /// # Errors
    ///
    /// Why it cannot be signed.
    pub(super) fn put_on(&self, request: &mut Request) -> Result<(), String> {
        request.headers_mut().extend(self.headers.clone());
        let Some(signer) = self.signer else {
            return Ok(());
        };
        // By the wall clock: who checks it looks at theirs.
        let at = SystemClock.now().date().unwrap_or_default();
        signer.sign(self.source, request, at)
    }
}
