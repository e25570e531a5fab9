//! A header that lets a source know who asks.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::header::{
    ACCEPT_ENCODING, AUTHORIZATION, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, HeaderName,
    HeaderValue, TRANSFER_ENCODING,
};
use secrecy::{ExposeSecret as _, SecretString};

use super::super::config::SourceConfig;
use super::super::files::{FromFiles, SecretFrom};

/// Headers that belong to the transport.
const RESERVED: [HeaderName; 5] = [
    ACCEPT_ENCODING,
    CONNECTION,
    CONTENT_LENGTH,
    CONTENT_TYPE,
    TRANSFER_ENCODING,
];

/// One header.
pub(super) struct SecretHeader {
    pub(super) name: HeaderName,
    current: FromFiles<Arc<Current>>,
}

/// How the value of the header is made of the secret.
#[derive(Clone)]
enum Scheme {
    Plain,
    Bearer,
    Basic { username: String },
}

struct Current {
    secret: SecretString,
    value: HeaderValue,
}

impl Scheme {
    fn value(&self, secret: &SecretString) -> Result<HeaderValue, String> {
        match self {
            Self::Plain => secret_value(secret.expose_secret()),
            Self::Bearer => bearer(secret),
            Self::Basic { username } => secret_value(&basic(username, secret)),
        }
    }
}

/// The value of a header, which no log shows.
///
/// # Errors
///
/// It holds a character that no header can carry.
pub(super) fn secret_value(text: &str) -> Result<HeaderValue, String> {
    let mut value = HeaderValue::from_str(text)
        .map_err(|_| "it holds a character that no header can carry".to_owned())?;
    value.set_sensitive(true);
    Ok(value)
}

/// The value of `Authorization` with a token.
///
/// # Errors
///
/// As [`secret_value`].
pub(super) fn bearer(token: &SecretString) -> Result<HeaderValue, String> {
    secret_value(&format!("Bearer {}", token.expose_secret()))
}

/// The text of `Authorization` with a user name and a password.
pub(super) fn basic(username: &str, password: &SecretString) -> String {
    let pair = format!("{username}:{}", password.expose_secret());
    format!("Basic {}", STANDARD.encode(pair))
}

impl SecretHeader {
    fn new(name: HeaderName, scheme: Scheme, from: SecretFrom) -> Result<Self, String> {
        let told = match &from {
            SecretFrom::Text(_) => format!("the value of header {name}"),
            SecretFrom::File(file) => format!("the content of {}", file.display()),
        };
        let current = FromFiles::new(from.file(), move || {
            let secret = from.read()?;
            let value = scheme
                .value(&secret)
                .map_err(|detail| format!("{told} cannot be sent: {detail}"))?;
            Ok(Arc::new(Current { secret, value }))
        })?;
        Ok(Self { name, current })
    }

    /// All headers that the configuration names; files must be there.
    ///
    /// # Errors
    ///
    /// What must be changed.
    pub(super) fn all_of(config: &SourceConfig) -> Result<Vec<Self>, String> {
        let mut headers = Vec::new();
        headers.extend(authorization(config)?);
        for (name, secret) in &config.headers {
            let from = SecretFrom::Text(secret.clone());
            headers.push(Self::new(header_name(name)?, Scheme::Plain, from)?);
        }
        for (name, file) in &config.header_files {
            let from = SecretFrom::File(file.clone());
            headers.push(Self::new(header_name(name)?, Scheme::Plain, from)?);
        }
        Ok(headers)
    }

    /// The value to send: that of the file as it is now, or the last good one.
    pub(super) fn value(&self, source: &str) -> HeaderValue {
        self.current.get(source, "credentials").value.clone()
    }

    /// What must be in no message: the secret, and the form in which it is sent.
    pub(super) fn secrets(&self) -> [SecretString; 2] {
        let current = self.current.last();
        let sent = current.value.to_str().unwrap_or_default();
        let token = sent.split_once(' ').map_or(sent, |(_scheme, token)| token);
        [current.secret.clone(), token.into()]
    }
}

fn authorization(config: &SourceConfig) -> Result<Option<SecretHeader>, String> {
    let (scheme, from) = if let Some(token) = &config.bearer_token {
        (Scheme::Bearer, SecretFrom::Text(token.clone()))
    } else if let Some(file) = &config.bearer_token_file {
        (Scheme::Bearer, SecretFrom::File(file.clone()))
    } else if let Some(user) = config.basic_auth.as_ref().or(config.url.user()) {
        let username = user.username.clone();
        if username.contains(':') {
            return Err(
                "the user name holds a colon, which basic authentication cannot".to_owned(),
            );
        }
        let from = match &user.password_file {
            Some(file) => SecretFrom::File(file.clone()),
            None => SecretFrom::Text(user.password.clone().unwrap_or_default()),
        };
        (Scheme::Basic { username }, from)
    } else {
        return Ok(None);
    };
    SecretHeader::new(AUTHORIZATION, scheme, from).map(Some)
}

fn header_name(text: &str) -> Result<HeaderName, String> {
    let name = HeaderName::from_bytes(text.as_bytes())
        .map_err(|_| format!("{text:?} is not the name of a header"))?;
    if RESERVED.contains(&name) {
        return Err(format!(
            "header {name} belongs to the transport: leave it out"
        ));
    }
    Ok(name)
}
