//! What can be set for a source that the credentials of a cloud are needed for. Names are those of
//! Prometheus's own configuration where it has one.

use std::collections::BTreeMap;
use std::path::PathBuf;

use reqwest::Url;
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Deserializer};

use super::super::client::is_this_host;
use super::super::files::SecretFrom;

/// The keys that sign each query for AWS.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SigV4Config {
    /// The region of the workspace: `eu-west-1`.
    pub region: String,
    /// The access key.
    #[serde(default)]
    pub access_key: Option<SecretString>,
    /// File with the access key, read again when it changes.
    #[serde(default)]
    pub access_key_file: Option<PathBuf>,
    /// The secret key.
    #[serde(default)]
    pub secret_key: Option<SecretString>,
    /// File with the secret key, read again when it changes.
    #[serde(default)]
    pub secret_key_file: Option<PathBuf>,
    /// The token of temporary keys.
    #[serde(default)]
    pub session_token: Option<SecretString>,
    /// File with the token of temporary keys, read again when it changes.
    #[serde(default)]
    pub session_token_file: Option<PathBuf>,
    /// The service that is asked.
    #[serde(default = "default_service")]
    pub service: String,
}

/// A client that gets tokens by itself: the client credentials of OAuth 2 (RFC 6749, 4.4).
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct OAuth2Config {
    /// Where tokens are given.
    pub token_url: String,
    /// The name of the client.
    pub client_id: String,
    /// The secret of the client.
    #[serde(default)]
    pub client_secret: Option<SecretString>,
    /// File with the secret of the client, read again when it changes.
    #[serde(default)]
    pub client_secret_file: Option<PathBuf>,
    /// File with a token of somebody whom the endpoint trusts (RFC 7523, 2.2), such as Kubernetes, in
    /// place of a secret; read again when it changes.
    #[serde(default)]
    pub client_assertion_file: Option<PathBuf>,
    /// What the token is asked for.
    #[serde(default)]
    pub scopes: Vec<String>,
    /// Parameters that the endpoint wants beside, such as `audience`.
    #[serde(default)]
    pub endpoint_params: BTreeMap<String, SecretString>,
    /// Where the secret is sent.
    #[serde(default)]
    pub send_secret_in: SecretPlace,
    /// PEM file of the certificate authorities to trust in place of the system's.
    #[serde(default)]
    pub ca_file: Option<PathBuf>,
}

/// Where the secret of a client stands in a request for a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum SecretPlace {
    /// As basic authentication, which every endpoint must understand.
    #[default]
    Header,
    /// In the form, as some want it.
    Body,
}

/// A service account of Google.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct GoogleConfig {
    /// The JSON key of a service account, read again when it changes; without it the metadata server
    /// is asked for the account of the machine or the pod.
    #[serde(default)]
    pub credentials_file: Option<PathBuf>,
    /// Where the metadata server is.
    #[serde(default = "default_metadata_url")]
    pub metadata_url: String,
}

fn default_service() -> String {
    "aps".to_owned()
}

fn default_metadata_url() -> String {
    "http://metadata.google.internal".to_owned()
}

impl Default for GoogleConfig {
    fn default() -> Self {
        Self {
            credentials_file: None,
            metadata_url: default_metadata_url(),
        }
    }
}

/// Reads `google:` with nothing behind it as what it says.
pub(super) fn some_google<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<GoogleConfig>, D::Error> {
    let google = Option::deserialize(deserializer)?;
    Ok(Some(google.unwrap_or_default()))
}

/// The parameters that a request for a token has by itself.
const OWN_PARAMETERS: [&str; 7] = [
    "grant_type",
    "scope",
    "client_id",
    "client_secret",
    "client_assertion",
    "client_assertion_type",
    "assertion",
];

impl SigV4Config {
    /// The access key, the secret key, and the token where there is one.
    ///
    /// # Errors
    ///
    /// What must be changed.
    pub(crate) fn keys(&self) -> Result<(SecretFrom, SecretFrom, Option<SecretFrom>), String> {
        let one = |name: &str, text: &Option<SecretString>, file: &Option<PathBuf>| {
            one_of("sigv4", name, text.as_ref(), file.as_ref())
        };
        let needed = |name: &str, found: Option<SecretFrom>| {
            found.ok_or_else(|| {
                format!(
                    "sigv4 has neither {name} nor {name}_file: set one; Serinus reads no keys from \
                     the environment"
                )
            })
        };
        Ok((
            needed(
                "access_key",
                one("access_key", &self.access_key, &self.access_key_file)?,
            )?,
            needed(
                "secret_key",
                one("secret_key", &self.secret_key, &self.secret_key_file)?,
            )?,
            one(
                "session_token",
                &self.session_token,
                &self.session_token_file,
            )?,
        ))
    }

    pub(super) fn check(&self) -> Result<(), String> {
        for (key, value, example) in [
            ("region", &self.region, "eu-west-1"),
            ("service", &self.service, "aps"),
        ] {
            let is_name = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
            if value.is_empty() || !value.bytes().all(is_name) {
                return Err(format!(
                    "{key} of sigv4 is {value:?}: write it like {example}"
                ));
            }
        }
        self.keys().map(|_| ())
    }
}

/// How a client of OAuth 2 shows who it is.
#[derive(Debug, Clone)]
pub(crate) enum ClientProof {
    /// By a secret.
    Secret(SecretFrom),
    /// By a token of somebody whom the endpoint trusts.
    Assertion(SecretFrom),
}

impl OAuth2Config {
    /// What shows who the client is.
    ///
    /// # Errors
    ///
    /// What must be changed.
    pub(crate) fn proof(&self) -> Result<ClientProof, String> {
        let secret = one_of(
            "oauth2",
            "client_secret",
            self.client_secret.as_ref(),
            self.client_secret_file.as_ref(),
        )?;
        match (secret, &self.client_assertion_file) {
            (Some(secret), None) => Ok(ClientProof::Secret(secret)),
            (None, Some(file)) => Ok(ClientProof::Assertion(SecretFrom::File(file.clone()))),
            (Some(_), Some(_)) => Err(
                "oauth2 has both a client secret and client_assertion_file: keep one".to_owned(),
            ),
            (None, None) => Err(
                "oauth2 has none of client_secret, client_secret_file and client_assertion_file: \
                 set one"
                    .to_owned(),
            ),
        }
    }

    /// Where tokens are given.
    ///
    /// # Errors
    ///
    /// What must be changed.
    pub(crate) fn url(&self) -> Result<Url, String> {
        token_url("token_url of oauth2", &self.token_url)
    }

    pub(super) fn check(&self) -> Result<(), String> {
        self.url()?;
        if self.client_id.is_empty() {
            return Err("client_id of oauth2 is empty: write the name of the client".to_owned());
        }
        let own = |name: &&String| OWN_PARAMETERS.contains(&name.as_str());
        if let Some(name) = self.endpoint_params.keys().find(own) {
            return Err(format!(
                "endpoint_params of oauth2 has {name}, which Serinus sends by itself: leave it out"
            ));
        }
        self.proof().map(|_| ())
    }
}

impl GoogleConfig {
    /// Where the metadata server is.
    ///
    /// # Errors
    ///
    /// What must be changed.
    pub(crate) fn metadata(&self) -> Result<Url, String> {
        // No secret goes there: it knows its machine, and speaks plain HTTP.
        endpoint_url("metadata_url of google", &self.metadata_url)
    }

    pub(super) fn check(&self) -> Result<(), String> {
        if self.credentials_file.is_some() && self.metadata_url != default_metadata_url() {
            return Err("google has both credentials_file and metadata_url: keep one".to_owned());
        }
        self.metadata().map(|_| ())
    }
}

/// Reads the address of an endpoint that gives tokens for a secret.
///
/// # Errors
///
/// Also where the secret would cross a network in the clear.
pub(crate) fn token_url(what: &str, text: &str) -> Result<Url, String> {
    let url = endpoint_url(what, text)?;
    if url.scheme() == "http" && !is_this_host(&url) {
        let host = url.host_str().unwrap_or_default();
        return Err(format!(
            "{what} is http:// and would send the secret in the clear to {host}: write https://"
        ));
    }
    Ok(url)
}

/// No message repeats the text, which may hold a password.
fn endpoint_url(what: &str, text: &str) -> Result<Url, String> {
    let url = Url::parse(text.trim()).map_err(|error| {
        format!("{what} cannot be read ({error}): write it like https://login.example/token")
    })?;
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
        return Err(format!("{what} is neither http:// nor https://"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(format!("{what} has a user in it: leave that out"));
    }
    Ok(url)
}

/// The one of a secret and its file that is set.
fn one_of(
    whose: &str,
    name: &str,
    text: Option<&SecretString>,
    file: Option<&PathBuf>,
) -> Result<Option<SecretFrom>, String> {
    match (text, file) {
        (Some(_), Some(_)) => Err(format!("{whose} has both {name} and {name}_file: keep one")),
        (Some(text), None) if text.expose_secret().is_empty() => Err(format!(
            "{name} of {whose} is empty: write it, or leave it out and name {name}_file"
        )),
        (Some(text), None) => Ok(Some(SecretFrom::Text(text.clone()))),
        (None, Some(file)) => Ok(Some(SecretFrom::File(file.clone()))),
        (None, None) => Ok(None),
    }
}

#[cfg(test)]
mod tests;
