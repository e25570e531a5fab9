//! What can be set for a source.

mod clouds;

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use percent_encoding::percent_decode_str;
use reqwest::Url;
use secrecy::SecretString;
use serde::{Deserialize, Deserializer, de};

pub(crate) use clouds::{
    ClientProof, GoogleConfig, OAuth2Config, SecretPlace, SigV4Config, token_url,
};

/// Longest time that one query may be given: callers of the gate give up at 10 s, and a query
/// that takes a minute is a mistake in any case.
const MAX_TIMEOUT_SECONDS: f64 = 60.0;

/// A Prometheus, or what speaks its API, and how it is asked.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SourceConfig {
    /// Where the API is, less `/api/v1`: `http://prometheus:9090`, with a path where there is one.
    pub url: SourceUrl,
    /// Longest time for one query, retries and queueing included, in seconds.
    #[serde(default = "default_timeout_seconds")]
    pub timeout_seconds: f64,
    /// Most queries that run at the same time.
    #[serde(default = "default_max_concurrent")]
    pub max_concurrent: usize,
    /// Most bytes of one answer, after decompression.
    #[serde(default = "default_max_bytes")]
    pub max_bytes: u64,
    /// Most series of one answer.
    #[serde(default = "default_max_series")]
    pub max_series: usize,
    /// Headers sent with every query, such as `X-Scope-OrgID`.
    #[serde(default)]
    pub headers: BTreeMap<String, SecretString>,
    /// Headers whose value is the content of a file, read again when it changes.
    #[serde(default)]
    pub header_files: BTreeMap<String, PathBuf>,
    /// User name and password.
    #[serde(default)]
    pub basic_auth: Option<BasicAuthConfig>,
    /// Bearer token.
    #[serde(default)]
    pub bearer_token: Option<SecretString>,
    /// File with the bearer token, read again when it changes.
    #[serde(default)]
    pub bearer_token_file: Option<PathBuf>,
    /// Keys that sign each query for AWS.
    #[serde(default)]
    pub sigv4: Option<SigV4Config>,
    /// A client that gets tokens by itself, as Azure wants it.
    #[serde(default)]
    pub oauth2: Option<OAuth2Config>,
    /// A service account of Google.
    #[serde(default, deserialize_with = "clouds::some_google")]
    pub google: Option<GoogleConfig>,
    /// PEM file of the certificate authorities to trust in place of the system's.
    #[serde(default)]
    pub ca_file: Option<PathBuf>,
    /// PEM file of the client's certificate, with its chain.
    #[serde(default)]
    pub client_certificate_file: Option<PathBuf>,
    /// PEM file of the client's private key.
    #[serde(default)]
    pub client_key_file: Option<PathBuf>,
}

/// User name and password of a source.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct BasicAuthConfig {
    /// User name.
    pub username: String,
    /// Password.
    #[serde(default)]
    pub password: Option<SecretString>,
    /// File with the password, read again when it changes.
    #[serde(default)]
    pub password_file: Option<PathBuf>,
}

fn default_timeout_seconds() -> f64 {
    6.0
}

fn default_max_concurrent() -> usize {
    16
}

fn default_max_bytes() -> u64 {
    64 * 1024 * 1024
}

fn default_max_series() -> usize {
    20_000
}

impl SourceConfig {
    /// A source without credentials and with the default limits.
    pub(crate) fn new(url: SourceUrl) -> Self {
        Self {
            url,
            timeout_seconds: default_timeout_seconds(),
            max_concurrent: default_max_concurrent(),
            max_bytes: default_max_bytes(),
            max_series: default_max_series(),
            headers: BTreeMap::new(),
            header_files: BTreeMap::new(),
            basic_auth: None,
            bearer_token: None,
            bearer_token_file: None,
            sigv4: None,
            oauth2: None,
            google: None,
            ca_file: None,
            client_certificate_file: None,
            client_key_file: None,
        }
    }

    /// Checks what the types do not: limits, and credentials that exclude each other.
    ///
    /// # Errors
    ///
    /// What must be changed, in one sentence.
    pub(super) fn check(&self) -> Result<Duration, String> {
        if self.max_concurrent == 0 {
            return Err("max_concurrent is 0: set it to at least 1".to_owned());
        }
        if self.max_bytes == 0 || self.max_series == 0 {
            return Err("max_bytes and max_series must be at least 1".to_owned());
        }
        self.one_authorization()?;
        if let Some(basic_auth) = &self.basic_auth
            && basic_auth.password.is_some()
            && basic_auth.password_file.is_some()
        {
            return Err("basic_auth has both password and password_file: keep one".to_owned());
        }
        if self.client_certificate_file.is_some() != self.client_key_file.is_some() {
            return Err(
                "client_certificate_file and client_key_file belong together: set both".to_owned(),
            );
        }
        // The comparison refuses NaN as well.
        if !(self.timeout_seconds > 0.0 && self.timeout_seconds <= MAX_TIMEOUT_SECONDS) {
            return Err(format!(
                "timeout_seconds is {}: set it above 0 and up to {MAX_TIMEOUT_SECONDS}",
                self.timeout_seconds
            ));
        }
        Duration::try_from_secs_f64(self.timeout_seconds).map_err(|error| error.to_string())
    }

    /// Checks that it says only once who asks, and that well.
    fn one_authorization(&self) -> Result<(), String> {
        let kinds = [
            ("a user in the url", self.url.user.is_some()),
            ("basic_auth", self.basic_auth.is_some()),
            ("bearer_token", self.bearer_token.is_some()),
            ("bearer_token_file", self.bearer_token_file.is_some()),
            ("sigv4", self.sigv4.is_some()),
            ("oauth2", self.oauth2.is_some()),
            ("google", self.google.is_some()),
        ];
        let set: Vec<&str> = kinds
            .into_iter()
            .filter_map(|(kind, is_set)| is_set.then_some(kind))
            .collect();
        if set.len() > 1 {
            return Err(format!(
                "{} are set, and a source takes one kind of credentials: keep one",
                set.join(" and ")
            ));
        }
        self.sigv4.as_ref().map_or(Ok(()), SigV4Config::check)?;
        self.oauth2.as_ref().map_or(Ok(()), OAuth2Config::check)?;
        self.google.as_ref().map_or(Ok(()), GoogleConfig::check)
    }
}

/// Why a source cannot be set up as configured.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("cannot use source {name:?}: {detail}")]
pub(crate) struct SourceConfigError {
    /// The name of the source.
    pub name: String,
    /// What must be changed.
    pub detail: String,
}

/// The base address of a source, and the user that it was written with. Prints without the user.
#[derive(Clone)]
pub(crate) struct SourceUrl {
    address: Url,
    user: Option<BasicAuthConfig>,
}

impl SourceUrl {
    /// The address, without a user and password.
    pub(super) fn address(&self) -> &Url {
        &self.address
    }

    /// The user and password that stood in the address.
    pub(crate) fn user(&self) -> Option<&BasicAuthConfig> {
        self.user.as_ref()
    }
}

impl FromStr for SourceUrl {
    type Err = String;

    /// Reads an address. No message repeats the text, which may hold a password.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const EXAMPLE: &str = "write it like http://prometheus:9090";
        let mut url = Url::parse(text.trim())
            .map_err(|error| format!("url cannot be read ({error}): {EXAMPLE}"))?;
        if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
            return Err(format!("url is neither http:// nor https://: {EXAMPLE}"));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(format!("url has a query or a fragment: {EXAMPLE}"));
        }
        // The transport joins by pasting a slash between.
        let path = url.path().trim_end_matches('/').to_owned();
        if path.ends_with("/api/v1") {
            return Err(
                "url ends in /api/v1, which Serinus adds by itself: leave that out".to_owned(),
            );
        }
        url.set_path(&path);
        Ok(Self {
            user: take_user(&mut url),
            address: url,
        })
    }
}

/// Takes the user and password out of an address: they travel as a header, and are never printed.
fn take_user(url: &mut Url) -> Option<BasicAuthConfig> {
    if url.username().is_empty() && url.password().is_none() {
        return None;
    }
    let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
    let user = BasicAuthConfig {
        username: decoded(url.username()),
        password: Some(decoded(url.password().unwrap_or_default()).into()),
        password_file: None,
    };
    // Neither can fail: an address with a host has room for both.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    Some(user)
}

impl<'de> Deserialize<'de> for SourceUrl {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(de::Error::custom)
    }
}

impl fmt::Display for SourceUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.address.as_str().trim_end_matches('/'))
    }
}

impl fmt::Debug for SourceUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "\"{self}\"")
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::*;

    fn config(yaml: &str) -> Result<SourceConfig, String> {
        serde_saphyr::from_str(yaml).map_err(|error| error.to_string())
    }

    #[test]
    fn everything_can_be_set() {
        let read = config(
            "url: https://mimir.example/prometheus/\n\
             timeout_seconds: 2.5\nmax_concurrent: 4\nmax_bytes: 1000\nmax_series: 10\n\
             headers: {X-Scope-OrgID: team-a}\nheader_files: {X-Api-Key: /run/key}\n\
             basic_auth: {username: reader, password_file: /run/password}\n\
             ca_file: /run/ca.pem\nclient_certificate_file: /run/tls.crt\n\
             client_key_file: /run/tls.key\n",
        )
        .unwrap();
        assert_eq!(read.check(), Ok(Duration::from_millis(2_500)));
        assert_eq!(read.url.to_string(), "https://mimir.example/prometheus");
        assert_eq!(read.headers["X-Scope-OrgID"].expose_secret(), "team-a");
    }

    #[test]
    fn the_limits_have_defaults() {
        let read = config("url: http://localhost:9090").unwrap();
        let default = SourceConfig::new("http://localhost:9090/".parse().unwrap());
        assert_eq!(format!("{read:?}"), format!("{default:?}"));
        assert_eq!(read.max_series, 20_000);
        assert_eq!(read.check(), Ok(Duration::from_secs(6)));
    }

    #[test]
    fn an_unknown_field_is_refused() {
        assert!(config("url: http://localhost\nurll: x").is_err());
        assert!(config("url: http://localhost\nbasic_auth: {username: a, pasword: b}").is_err());
    }

    #[test]
    fn wrong_addresses_are_refused_without_repeating_them() {
        for text in [
            "",
            "prometheus:9090",
            "ftp://u:hunter2@host",
            "http://u:hunter2@host:99999",
            "http://u:hunter2@host/?a=b",
            "http://u:hunter2@host/api/v1/",
            "http://",
        ] {
            let message = text.parse::<SourceUrl>().unwrap_err();
            assert!(!message.contains("hunter2"), "{message}");
        }
    }

    #[test]
    fn secrets_do_not_print() {
        let read = config(
            "{url: 'http://reader:hunter2@h', headers: {X-Key: hunter2}, bearer_token: hunter2, \
             basic_auth: {username: reader, password: hunter2}}",
        );
        let shown = format!("{:?}", read.unwrap());
        assert!(!shown.contains("hunter2"), "{shown}");
    }

    #[test]
    fn an_address_prints_without_its_password() {
        let url: SourceUrl = "http://user:hunter2@host:9090/prometheus//"
            .parse()
            .unwrap();
        assert_eq!(url.to_string(), "http://host:9090/prometheus");
        assert_eq!(format!("{url:?}"), "\"http://host:9090/prometheus\"");
    }

    #[test]
    fn contradictions_are_refused() {
        for yaml in [
            "{url: 'http://a:b@h', bearer_token: t}",
            "{url: 'http://h', bearer_token: t, bearer_token_file: f}",
            "{url: 'http://h', basic_auth: {username: u, password: p, password_file: f}}",
            "{url: 'http://h', client_key_file: k}",
            "{url: 'http://h', timeout_seconds: 0}",
            "{url: 'http://h', timeout_seconds: .nan}",
            "{url: 'http://h', timeout_seconds: 3600}",
            "{url: 'http://h', max_concurrent: 0}",
            "{url: 'http://h', max_series: 0}",
        ] {
            assert!(config(yaml).unwrap().check().is_err(), "{yaml}");
        }
    }
}
