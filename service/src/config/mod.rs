//! How a server is set up: flags, `SERINUS_*` variables and one YAML file say the same things.
//!
//! A flag counts before a variable, a variable before the file, the file before the default.
//! Variables are read by clap, together with the flags, and nowhere else.

mod arguments;
mod exposure;
mod file;

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

pub use arguments::{LimitArguments, LogArguments, ServeArguments, SourceArguments};
pub use exposure::check_exposure;
pub use file::ConfigFile;
use serde::Deserialize;

use crate::prometheus::{SourceConfig, Sources, SourcesError};
use crate::store::{StoreError, StoreUrl};

/// Where the server listens unless told otherwise: this machine only.
pub const DEFAULT_LISTEN: &str = "127.0.0.1:8080";

/// What is asked when no source is configured: where a Prometheus listens by default.
pub const DEFAULT_PROMETHEUS: &str = "http://localhost:9090";

/// Where rollouts are remembered unless told otherwise: a file beside the process.
pub const DEFAULT_STORE: &str = "sqlite:serinus.db";

/// The name of the source that `--prometheus` gives.
const DEFAULT_SOURCE: &str = "default";

/// Largest configuration file, in bytes.
const MAX_FILE_BYTES: u64 = 1024 * 1024;

/// How a log line is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// Why the configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read the configuration {path:?}: {source}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
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
    /// The sources cannot be used.
    #[error(transparent)]
    Sources(#[from] SourcesError),
}

/// Everything that a server is told.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where it listens.
    pub listen: SocketAddr,
    /// The file that says who may ask; everybody without one.
    pub tokens_file: Option<PathBuf>,
    /// The sources by name. Never empty.
    pub sources: BTreeMap<String, SourceConfig>,
    /// The source that is asked when nobody names one.
    pub default_source: Option<String>,
    /// The folder of pipelines.
    pub pipelines: Option<PathBuf>,
    /// Where rollouts are remembered.
    pub store: StoreUrl,
    /// Whether other processes use the same store.
    pub is_store_shared: bool,
    /// How long rollouts that are over are kept, in days.
    pub keep_days: u32,
    /// Largest accepted body, in bytes.
    pub max_body_bytes: usize,
    /// Most connections at the same time.
    pub max_connections: usize,
    /// Most requests answered at the same time, and as many of gates.
    pub max_requests_in_flight: usize,
    /// Requests a second of one token, or of one address without; 0 is no limit.
    pub rate_limit_per_second: u32,
    /// How many of them may come at once.
    pub rate_limit_burst: u32,
    /// Where clients reach the server, when it is not where it listens.
    pub public_url: Option<String>,
    /// How long requests are still taken after SIGTERM, in seconds.
    pub drain_seconds: u64,
    /// How the log is written.
    pub log_format: LogFormat,
    /// What is written to the log.
    pub log: String,
}

impl Config {
    /// Puts flags, variables and the file together.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] names the file or the setting and says what to change.
    pub fn load(arguments: ServeArguments) -> Result<Self, ConfigError> {
        let ServeArguments {
            listen,
            tokens,
            insecure,
            sources,
            pipelines,
            store,
            shared_store,
            keep_days,
            max_body_bytes,
            limits,
            public_url,
            drain_seconds,
            log,
        } = arguments;
        let file = read_file(sources.config.as_deref())?;
        let max_body_bytes = max_body_bytes
            .or(file.max_body_bytes)
            .unwrap_or(1024 * 1024);
        at_least_one("max_body_bytes", max_body_bytes)?;
        let max_connections = limits
            .max_connections
            .or(file.max_connections)
            .unwrap_or(4_096);
        at_least_one("max_connections", max_connections)?;
        let max_requests_in_flight = limits
            .max_requests_in_flight
            .or(file.max_requests_in_flight)
            .unwrap_or(1_024);
        at_least_one("max_requests_in_flight", max_requests_in_flight)?;
        let rate_limit_per_second = limits
            .rate_limit_per_second
            .or(file.rate_limit_per_second)
            .unwrap_or(200);
        let tokens_file = tokens.or(file.tokens_file);
        let listen = listen
            .or(file.listen)
            .unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], 8080)));
        let is_open = tokens_file.is_none();
        check_exposure(
            listen,
            is_open && !insecure.or(file.insecure).unwrap_or(false),
        )?;
        let public_url = public_url
            .or(file.public_url)
            .map(|url| checked_public_url(&url))
            .transpose()?;
        Ok(Self {
            listen,
            tokens_file,
            default_source: sources.default_source.clone().or(file.default_source),
            sources: merged_sources(sources, file.prometheus, file.sources),
            pipelines: pipelines.or(file.pipelines),
            store: store_url(store, file.store.as_deref())?,
            is_store_shared: shared_store.or(file.shared_store).unwrap_or(false),
            keep_days: keep_days.or(file.keep_days).unwrap_or(90),
            max_body_bytes,
            max_connections,
            max_requests_in_flight,
            rate_limit_per_second,
            rate_limit_burst: limits
                .rate_limit_burst
                .or(file.rate_limit_burst)
                .unwrap_or_else(|| rate_limit_per_second.saturating_mul(2)),
            public_url,
            drain_seconds: drain_seconds.or(file.drain_seconds).unwrap_or(10),
            log_format: log.log_format.or(file.log_format).unwrap_or_default(),
            log: log.log.or(file.log).unwrap_or_else(|| "info".to_owned()),
        })
    }
}

/// Sets the sources up that flags, variables and the file name.
///
/// # Errors
///
/// [`ConfigError`] says what to change.
pub fn load_sources(arguments: SourceArguments) -> Result<Sources, ConfigError> {
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
    let unreadable = |source| ConfigError::Unreadable {
        path: path.to_owned(),
        source,
    };
    let invalid = |detail: String| ConfigError::Invalid {
        path: path.to_owned(),
        detail,
    };
    let size_bytes = fs::metadata(path).map_err(unreadable)?.len();
    if size_bytes > MAX_FILE_BYTES {
        return Err(invalid(format!(
            "it has {size_bytes} bytes, more than {MAX_FILE_BYTES}"
        )));
    }
    let text = fs::read_to_string(path).map_err(unreadable)?;
    ConfigFile::parse(&text).map_err(invalid)
}

fn store_url(flag: Option<StoreUrl>, file: Option<&str>) -> Result<StoreUrl, ConfigError> {
    if let Some(url) = flag {
        return Ok(url);
    }
    file.unwrap_or(DEFAULT_STORE)
        .parse()
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
