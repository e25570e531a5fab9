//! The flags and variables of the commands: those of the table, and which Prometheus is asked.

use std::path::PathBuf;
use std::str::FromStr;

use clap::Args;

use super::settings::{ListenArguments, LogFilterArgument, LogFormatArgument, ServiceArguments};
use crate::prometheus::SourceUrl;

/// Which Prometheus is asked.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct SourceArguments {
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
pub(crate) struct NamedSource {
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
pub(crate) struct LogArguments {
    /// What is written.
    #[command(flatten)]
    pub filter: LogFilterArgument,

    /// How.
    #[command(flatten)]
    pub format: LogFormatArgument,
}

/// How a server is set up, in the order of its help.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct ServeArguments {
    /// Where to listen, and for whom.
    #[command(flatten)]
    pub listen: ListenArguments,

    /// Which Prometheus is asked.
    #[command(flatten)]
    pub sources: SourceArguments,

    /// What is known, remembered and taken.
    #[command(flatten)]
    pub service: ServiceArguments,

    /// What is written to the log, and how.
    #[command(flatten)]
    pub log: LogArguments,
}
