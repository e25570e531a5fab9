//! How a server is set up: flags, `SERINUS_*` variables and one YAML file say the same things.
//!
//! A flag counts before a variable, a variable before the file, the file before the default.
//! Variables are read by clap, together with the flags, and nowhere else.

mod arguments;
mod exposure;
mod file;
mod hosts;
mod settings;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

pub(crate) use arguments::{LogArguments, ServeArguments, SourceArguments};
pub(crate) use exposure::{Openness, check_exposure};
pub(crate) use hosts::AllowedHosts;
use serde::Deserialize;
pub(crate) use settings::{ConfigFile, DEFAULT_LISTEN, DEFAULT_STORE, LogFilterArgument, Settings};

use crate::host::{Host, KnownHosts};
use crate::prometheus::{SourceConfig, Sources, SourcesError};
use crate::regular_file::{self, Unread};
use crate::store::{StoreError, StoreUrl};

/// What is asked when no source is configured: where a Prometheus listens by default.
pub(crate) const DEFAULT_PROMETHEUS: &str = "http://localhost:9090";

/// The name of the source that `--prometheus` gives.
const DEFAULT_SOURCE: &str = "default";

/// The least room for answers, in bytes: that of a stage of some hundred targets.
const FEWEST_MEMORY_BYTES: u64 = 16 * 1024 * 1024;

/// How a log line is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub(crate) enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

impl std::str::FromStr for LogFormat {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        <Self as clap::ValueEnum>::from_str(text, false)
    }
}

/// Why the configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfigError {
    /// The file is not read.
    #[error("cannot read the configuration {path:?}: {source}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: Unread,
    },
    /// The file is no configuration.
    #[error("cannot read the configuration {path:?}: {detail}")]
    Invalid {
        /// The file.
        path: PathBuf,
        /// Where and what.
        detail: String,
    },
    /// A setting is out of its range.
    #[error("cannot use {name}: {detail}")]
    Setting {
        /// The setting.
        name: &'static str,
        /// What to change.
        detail: String,
    },
    /// Everybody who reaches the address could ask everything, and nobody said that they may.
    #[error(
        "cannot listen on {listen} for everybody: name a file of tokens with --tokens \
         (`serinus token` makes one), listen on 127.0.0.1, or say --insecure when something else \
         guards the address"
    )]
    Exposed {
        /// Where it should listen.
        listen: SocketAddr,
    },
    /// Nobody said by which names everybody may ask.
    #[error(
        "cannot listen on {listen} for everybody: say with --allowed-hosts by which names it is \
         asked, such as --allowed-hosts serinus.example (or '*' for any: then a page on the internet \
         can ask it through the browser of somebody inside), or name a file of tokens with --tokens"
    )]
    NoHosts {
        /// Where it should listen.
        listen: SocketAddr,
    },
    /// The sources cannot be used.
    #[error(transparent)]
    Sources(#[from] SourcesError),
}

/// Everything that a server is told.
#[derive(Debug, Clone)]
pub(crate) struct Config {
    /// The settings of the table.
    pub settings: Settings,
    /// The sources by name. Never empty.
    pub sources: BTreeMap<String, SourceConfig>,
    /// The source that is asked when nobody names one.
    pub default_source: Option<String>,
    /// Where rollouts are remembered.
    pub store: StoreUrl,
}

impl Config {
    /// Puts flags, variables and the file together.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] names the file or the setting and says what to change.
    pub(crate) fn load(arguments: ServeArguments) -> Result<Self, ConfigError> {
        let ServeArguments {
            listen,
            sources,
            service,
            log,
        } = arguments;
        let mut file = read_file(sources.config.as_deref())?;
        let default_source = sources
            .default_source
            .clone()
            .or(file.default_source.take());
        let sources = merged_sources(
            sources,
            file.prometheus.take(),
            std::mem::take(&mut file.sources),
        );
        let mut settings = Settings::merged(listen, service, log.format, log.filter, file)?;
        at_least_one("max_body_bytes", settings.max_body_bytes)?;
        enough_memory(settings.max_memory_bytes)?;
        at_least_one("max_connections", settings.max_connections)?;
        at_least_one("max_requests_in_flight", settings.max_requests_in_flight)?;
        let openness = Openness {
            has_tokens: settings.tokens_file.is_some(),
            is_insecure: settings.is_insecure(),
            names_hosts: settings.allowed_hosts.is_some(),
        };
        check_exposure(settings.listen, openness)?;
        settings.public_url = settings
            .public_url
            .map(|url| checked_public_url(&url))
            .transpose()?;
        let store = store_url(&settings.store)?;
        Ok(Self {
            settings,
            sources,
            default_source,
            store,
        })
    }

    /// The hosts by which it may be asked where it has no tokens.
    pub(crate) fn known_hosts(&self) -> KnownHosts {
        let public_url = self.settings.public_url.as_deref();
        let public = public_url.and_then(|url| {
            let url = reqwest::Url::parse(url).ok()?;
            Host::read(url.host_str()?)
        });
        let known = KnownHosts::default()
            .and_address(self.settings.listen.ip())
            .and(public);
        match &self.settings.allowed_hosts {
            Some(allowed) => allowed.add_to(known),
            None => known,
        }
    }
}

/// Sets the sources up that flags, variables and the file name.
///
/// # Errors
///
/// [`ConfigError`] says what to change.
pub(crate) fn load_sources(arguments: SourceArguments) -> Result<Sources, ConfigError> {
    let file = read_file(arguments.config.as_deref())?;
    let default = arguments.default_source.clone().or(file.default_source);
    let sources = merged_sources(arguments, file.prometheus, file.sources);
    Ok(Sources::new(sources, default.as_deref())?)
}

/// A source of a flag or a variable takes the place of the file's source of the same name, with
/// all its settings: credentials must not go to another address than they were written for.
fn merged_sources(
    arguments: SourceArguments,
    file_prometheus: Option<crate::prometheus::SourceUrl>,
    file_sources: BTreeMap<String, SourceConfig>,
) -> BTreeMap<String, SourceConfig> {
    let mut sources = file_sources;
    if let Some(url) = file_prometheus {
        sources.insert(DEFAULT_SOURCE.to_owned(), SourceConfig::new(url));
    }
    for named in arguments.sources {
        sources.insert(named.name, SourceConfig::new(named.url));
    }
    if let Some(url) = arguments.prometheus {
        sources.insert(DEFAULT_SOURCE.to_owned(), SourceConfig::new(url));
    }
    if sources.is_empty()
        && let Ok(url) = DEFAULT_PROMETHEUS.parse()
    {
        sources.insert(DEFAULT_SOURCE.to_owned(), SourceConfig::new(url));
    }
    sources
}

fn read_file(path: Option<&Path>) -> Result<ConfigFile, ConfigError> {
    let Some(path) = path else {
        return Ok(ConfigFile::default());
    };
    let invalid = |detail: String| ConfigError::Invalid {
        path: path.to_owned(),
        detail,
    };
    let text = regular_file::read_text(path).map_err(|source| ConfigError::Unreadable {
        path: path.to_owned(),
        source,
    })?;
    ConfigFile::parse(&text).map_err(invalid)
}

fn store_url(text: &str) -> Result<StoreUrl, ConfigError> {
    text.parse()
        .map_err(|error: StoreError| ConfigError::Setting {
            name: "store",
            detail: error.to_string(),
        })
}

fn at_least_one(name: &'static str, value: usize) -> Result<(), ConfigError> {
    if value == 0 {
        return Err(ConfigError::Setting {
            name,
            detail: "0 would refuse everything: set it to at least 1".to_owned(),
        });
    }
    Ok(())
}

fn enough_memory(bytes: u64) -> Result<(), ConfigError> {
    if bytes < FEWEST_MEMORY_BYTES {
        return Err(ConfigError::Setting {
            name: "max_memory_bytes",
            detail: format!(
                "{bytes} bytes are too few for the answers about one stage: set it to at least \
                 {FEWEST_MEMORY_BYTES}"
            ),
        });
    }
    Ok(())
}

fn checked_public_url(text: &str) -> Result<String, ConfigError> {
    const EXAMPLE: &str = "write it like https://serinus.example";
    let error = |detail: String| ConfigError::Setting {
        name: "public_url",
        detail,
    };
    let url = reqwest::Url::parse(text).map_err(|cause| error(format!("{cause}: {EXAMPLE}")))?;
    let is_plain = matches!(url.scheme(), "http" | "https")
        && url.has_host()
        && url.query().is_none()
        && url.fragment().is_none()
        && url.username().is_empty()
        && url.password().is_none();
    if !is_plain {
        return Err(error(format!(
            "it needs http or https, a host, and nothing but a path behind it: {EXAMPLE}"
        )));
    }
    Ok(url.as_str().trim_end_matches('/').to_owned())
}

#[cfg(test)]
mod tests;
