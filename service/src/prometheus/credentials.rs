//! The headers that let a source know who asks, read again from their files when these change.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::header::{
    ACCEPT_ENCODING, AUTHORIZATION, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap,
    HeaderName, HeaderValue, TRANSFER_ENCODING,
};
use secrecy::{ExposeSecret as _, SecretString};

use super::config::SourceConfig;
use super::files::{FileStamp, read_secret};

/// Headers that belong to the transport.
const RESERVED: [HeaderName; 5] = [
    ACCEPT_ENCODING,
    CONNECTION,
    CONTENT_LENGTH,
    CONTENT_TYPE,
    TRANSFER_ENCODING,
];

/// Shortest secret that is blotted out of a text of others: shorter ones are words like any.
const MIN_REDACTED_BYTES: usize = 4;

/// Everything that is sent with each query of a source, beside the query.
pub(super) struct Credentials {
    source: String,
    headers: Vec<Credential>,
}

/// One header.
struct Credential {
    name: HeaderName,
    scheme: Scheme,
    /// Absent when the secret is written in the configuration.
    file: Option<PathBuf>,
    current: Mutex<Current>,
}

/// How the value of the header is made of the secret.
enum Scheme {
    Plain,
    Bearer,
    Basic { username: String },
}

struct Current {
    stamp: Option<FileStamp>,
    secret: SecretString,
    value: HeaderValue,
}

impl Scheme {
    fn value(&self, secret: &SecretString) -> Result<HeaderValue, String> {
        let text = match self {
            Self::Plain => secret.expose_secret().to_owned(),
            Self::Bearer => format!("Bearer {}", secret.expose_secret()),
            Self::Basic { username } => {
                format!(
                    "Basic {}",
                    STANDARD.encode(format!("{username}:{}", secret.expose_secret()))
                )
            }
        };
        let mut value = HeaderValue::from_str(&text)
            .map_err(|_| "it holds a character that no header can carry".to_owned())?;
        value.set_sensitive(true);
        Ok(value)
    }
}

impl Credential {
    fn inline(name: HeaderName, scheme: Scheme, secret: &SecretString) -> Result<Self, String> {
        let value = scheme
            .value(secret)
            .map_err(|detail| format!("the value of header {name} cannot be sent: {detail}"))?;
        let current = Current {
            stamp: None,
            secret: secret.clone(),
            value,
        };
        Ok(Self {
            name,
            scheme,
            file: None,
            current: Mutex::new(current),
        })
    }

    fn from_file(name: HeaderName, scheme: Scheme, file: &Path) -> Result<Self, String> {
        let current = read_current(&scheme, file)?;
        Ok(Self {
            name,
            scheme,
            file: Some(file.to_owned()),
            current: Mutex::new(current),
        })
    }

    /// The value to send: that of the file as it is now, or the last good one.
    fn value(&self, source: &str) -> HeaderValue {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(file) = &self.file {
            let stamp = FileStamp::of(file);
            if stamp != current.stamp {
                match read_current(&self.scheme, file) {
                    Ok(read) => *current = read,
                    Err(detail) => {
                        tracing::warn!(
                            source.name = source,
                            "source {source:?} keeps its last credentials: {detail}"
                        );
                        // Said once for each change, not for each query.
                        current.stamp = stamp;
                    }
                }
            }
        }
        current.value.clone()
    }
}

/// Reads a file of credentials. The stamp is taken before the content: a file that is exchanged
/// in between is read again next time.
fn read_current(scheme: &Scheme, file: &Path) -> Result<Current, String> {
    let stamp = FileStamp::of(file);
    let secret = read_secret(file)?;
    let value = scheme
        .value(&secret)
        .map_err(|detail| format!("the content of {} cannot be sent: {detail}", file.display()))?;
    Ok(Current {
        stamp,
        secret,
        value,
    })
}

impl Credentials {
    /// Collects the headers of a source; files must be there.
    pub(super) fn new(source: &str, config: &SourceConfig) -> Result<Self, String> {
        let mut headers = Vec::new();
        headers.extend(authorization(config)?);
        for (name, secret) in &config.headers {
            headers.push(Credential::inline(
                header_name(name)?,
                Scheme::Plain,
                secret,
            )?);
        }
        for (name, file) in &config.header_files {
            headers.push(Credential::from_file(
                header_name(name)?,
                Scheme::Plain,
                file,
            )?);
        }
        for (index, header) in headers.iter().enumerate() {
            if headers
                .iter()
                .skip(index + 1)
                .any(|other| other.name == header.name)
            {
                return Err(format!("header {} is set twice: keep one", header.name));
            }
        }
        Ok(Self {
            source: source.to_owned(),
            headers,
        })
    }

    /// The headers to send now.
    pub(super) fn headers(&self) -> HeaderMap {
        self.headers
            .iter()
            .map(|header| (header.name.clone(), header.value(&self.source)))
            .collect()
    }

    /// Blots the secrets out of a text of others: a proxy that echoes a request must not bring
    /// its credentials into a message.
    pub(super) fn redact(&self, text: String) -> String {
        let mut redacted = text;
        for header in &self.headers {
            let current = header
                .current
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            let sent = current.value.to_str().unwrap_or_default();
            let token = sent.split_once(' ').map_or(sent, |(_scheme, token)| token);
            for secret in [token, current.secret.expose_secret()] {
                if secret.len() >= MIN_REDACTED_BYTES {
                    redacted = redacted.replace(secret, "[redacted]");
                }
            }
        }
        redacted
    }
}

fn authorization(config: &SourceConfig) -> Result<Option<Credential>, String> {
    if let Some(token) = &config.bearer_token {
        return Credential::inline(AUTHORIZATION, Scheme::Bearer, token).map(Some);
    }
    if let Some(file) = &config.bearer_token_file {
        return Credential::from_file(AUTHORIZATION, Scheme::Bearer, file).map(Some);
    }
    let Some(basic_auth) = config.basic_auth.as_ref().or(config.url.user()) else {
        return Ok(None);
    };
    let scheme = basic(basic_auth.username.clone())?;
    if let Some(file) = &basic_auth.password_file {
        return Credential::from_file(AUTHORIZATION, scheme, file).map(Some);
    }
    let password = basic_auth.password.clone().unwrap_or_default();
    Credential::inline(AUTHORIZATION, scheme, &password).map(Some)
}

fn basic(username: String) -> Result<Scheme, String> {
    if username.contains(':') {
        return Err("the user name holds a colon, which basic authentication cannot".to_owned());
    }
    Ok(Scheme::Basic { username })
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
