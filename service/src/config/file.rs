//! The configuration file.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;

use serde::Deserialize;

use super::LogFormat;
use crate::prometheus::{SourceConfig, SourceUrl};

/// What the file says. Everything may be left out; what is not known is refused.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ConfigFile {
    /// Where the server listens: `0.0.0.0:8080`.
    pub listen: Option<SocketAddr>,
    /// The file that says who may ask.
    pub tokens_file: Option<PathBuf>,
    /// Listen for everybody without tokens, also beyond this machine.
    pub insecure: Option<bool>,
    /// The address of the default source: short for `sources: {default: {url: ..}}`.
    pub prometheus: Option<SourceUrl>,
    /// The sources by name, with their credentials and limits.
    pub sources: BTreeMap<String, SourceConfig>,
    /// The source that is asked when nobody names one.
    pub default_source: Option<String>,
    /// The folder of pipelines.
    pub pipelines: Option<PathBuf>,
    /// Where rollouts are remembered.
    pub store: Option<String>,
    /// Whether other processes use the same store.
    pub shared_store: Option<bool>,
    /// How long rollouts that are over are kept, in days.
    pub keep_days: Option<u32>,
    /// Largest accepted body, in bytes.
    pub max_body_bytes: Option<usize>,
    /// Most connections at the same time.
    pub max_connections: Option<usize>,
    /// Most requests answered at the same time, and as many of gates.
    pub max_requests_in_flight: Option<usize>,
    /// Requests a second of one token, or of one address without; 0 is no limit.
    pub rate_limit_per_second: Option<u32>,
    /// How many of them may come at once.
    pub rate_limit_burst: Option<u32>,
    /// Where clients reach the server.
    pub public_url: Option<String>,
    /// How long requests are still taken after SIGTERM, in seconds.
    pub drain_seconds: Option<u64>,
    /// How the log is written.
    pub log_format: Option<LogFormat>,
    /// What is written to the log.
    pub log: Option<String>,
}

impl ConfigFile {
    /// Reads the text of a file. An empty one is a file that says nothing.
    ///
    /// # Errors
    ///
    /// Where the mistake is and what it is.
    pub fn parse(text: &str) -> Result<Self, String> {
        let says_nothing = text
            .lines()
            .map(str::trim)
            .all(|line| line.is_empty() || line.starts_with('#'));
        if says_nothing {
            return Ok(Self::default());
        }
        let file: Self = serde_saphyr::from_str(text).map_err(|error| error.to_string())?;
        if file.prometheus.is_some() && file.sources.contains_key(super::DEFAULT_SOURCE) {
            return Err(
                "the default source is given twice, as `prometheus` and under `sources`: keep one"
                    .to_owned(),
            );
        }
        Ok(file)
    }
}
