//! The flags and variables that several commands share.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;

use clap::Args;

use super::LogFormat;
use crate::prometheus::SourceUrl;
use crate::store::StoreUrl;

/// Which Prometheus is asked.
#[derive(Debug, Clone, Default, Args)]
pub struct SourceArguments {
    /// The Prometheus to read: the source named `default` [default: `http://localhost:9090`]
    #[arg(
        long,
        value_name = "URL",
        env = "SERINUS_PROMETHEUS",
        hide_env_values = true
    )]
    pub prometheus: Option<SourceUrl>,

    /// Further sources by name; requests and pipelines choose one with `source`
    #[arg(
        long,
        value_name = "NAME=URL",
        env = "SERINUS_SOURCES",
        hide_env_values = true,
        value_delimiter = ','
    )]
    pub sources: Vec<NamedSource>,

    /// The source that is asked when nobody names one
    #[arg(long, value_name = "NAME", env = "SERINUS_DEFAULT_SOURCE")]
    pub default_source: Option<String>,

    /// A YAML file with the same settings, and credentials and limits of each source
    #[arg(long, value_name = "FILE", env = "SERINUS_CONFIG")]
    pub config: Option<PathBuf>,
}

/// A source as a flag gives it: `eu=http://prometheus.eu:9090`.
#[derive(Debug, Clone)]
pub struct NamedSource {
    /// Its name.
    pub name: String,
    /// Where it is.
    pub url: SourceUrl,
}

impl FromStr for NamedSource {
    type Err = String;

    /// No message repeats the address, which may hold a password.
    fn from_str(text: &str) -> Result<Self, String> {
        let example = "write it like eu=http://prometheus.eu:9090";
        let (name, url) = text.split_once('=').ok_or(example)?;
        let name = name.trim();
        let is_name = !name.is_empty()
            && name
                .chars()
                .all(|character| character.is_ascii_alphanumeric() || "-_.".contains(character));
        if !is_name {
            return Err(format!(
                "a name has letters, digits, dots, dashes and underscores only: {example}"
            ));
        }
        Ok(Self {
            name: name.to_owned(),
            url: url.parse()?,
        })
    }
}

/// What is written to the log, and how.
#[derive(Debug, Clone, Default, Args)]
pub struct LogArguments {
    /// What is logged: error, warn, info, debug, trace, also by module [default: info]
    #[arg(long, value_name = "FILTER", env = "SERINUS_LOG")]
    pub log: Option<String>,

    /// How a log line is written [default: text]
    #[arg(long, value_name = "FORMAT", env = "SERINUS_LOG_FORMAT", value_enum)]
    pub log_format: Option<LogFormat>,
}

/// What a client may ask of the server.
#[derive(Debug, Clone, Default, Args)]
pub struct LimitArguments {
    /// Most connections at the same time; more wait to be taken [default: 4096]
    #[arg(long, value_name = "COUNT", env = "SERINUS_MAX_CONNECTIONS")]
    pub max_connections: Option<usize>,

    /// Most requests answered at the same time, and as many of gates [default: 1024]
    #[arg(long, value_name = "COUNT", env = "SERINUS_MAX_REQUESTS_IN_FLIGHT")]
    pub max_requests_in_flight: Option<usize>,

    /// Requests a second of one token, or of one address without; 0 is no limit [default: 200]
    #[arg(long, value_name = "COUNT", env = "SERINUS_RATE_LIMIT_PER_SECOND")]
    pub rate_limit_per_second: Option<u32>,

    /// How many of them may come at once [default: twice the rate]
    #[arg(long, value_name = "COUNT", env = "SERINUS_RATE_LIMIT_BURST")]
    pub rate_limit_burst: Option<u32>,
}

/// How a server is set up.
#[derive(Debug, Clone, Default, Args)]
pub struct ServeArguments {
    /// Where to listen [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDRESS:PORT", env = "SERINUS_LISTEN")]
    pub listen: Option<SocketAddr>,

    /// Who may ask: names, digests of tokens, and scopes; read again when it changes
    #[arg(long, value_name = "FILE", env = "SERINUS_TOKENS_FILE")]
    pub tokens: Option<PathBuf>,

    /// Listen for everybody without tokens, also beyond this machine
    #[arg(
        long, value_name = "BOOL", env = "SERINUS_INSECURE", num_args = 0..=1,
        require_equals = true, default_missing_value = "true", hide_possible_values = true
    )]
    pub insecure: Option<bool>,

    /// Which Prometheus is asked.
    #[command(flatten)]
    pub sources: SourceArguments,

    /// A folder of pipelines (*.yaml, *.yml), read again when a file changes
    #[arg(long, value_name = "FOLDER", env = "SERINUS_PIPELINES")]
    pub pipelines: Option<PathBuf>,

    /// Where rollouts are remembered: `sqlite:FILE`, or `sqlite::memory:` to forget them at the end
    /// [default: sqlite:serinus.db]
    #[arg(long, value_name = "URL", env = "SERINUS_STORE")]
    pub store: Option<StoreUrl>,

    /// Other processes use the same store: look for their changes on every poll
    #[arg(long, env = "SERINUS_SHARED_STORE", num_args = 0..=1, default_missing_value = "true", require_equals = true)]
    pub shared_store: Option<bool>,

    /// How long rollouts that are over are kept, in days; one that was rolled back stays until it is
    /// closed [default: 90]
    #[arg(long, value_name = "DAYS", env = "SERINUS_KEEP_DAYS")]
    pub keep_days: Option<u32>,

    /// Largest accepted body, in bytes [default: 1048576]
    #[arg(long, value_name = "BYTES", env = "SERINUS_MAX_BODY_BYTES")]
    pub max_body_bytes: Option<usize>,

    /// What a client may ask of the server.
    #[command(flatten)]
    pub limits: LimitArguments,

    /// Where clients reach the server, when it is not where it listens
    #[arg(long, value_name = "URL", env = "SERINUS_PUBLIC_URL")]
    pub public_url: Option<String>,

    /// How long to go on serving after SIGTERM, while /readyz answers 503 [default: 10]
    #[arg(long, value_name = "SECONDS", env = "SERINUS_DRAIN_SECONDS")]
    pub drain_seconds: Option<u64>,

    /// What is written to the log, and how.
    #[command(flatten)]
    pub log: LogArguments,
}
