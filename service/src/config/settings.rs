//! The table of the settings, one row each. How a setting is called, what it takes and what it is
//! by default stands in no other file.
//!
//! A row is the help text, the key of the file (and of the flag, unless it says another one), the
//! type, the name of the value, the variable, and the default. Switches, which are off, and the
//! burst, which follows from the rate, have theirs below the table. Three exceptions stand in
//! [`arguments`](super::arguments) and [`file`](super::file): which Prometheus is asked is told
//! with credentials in the file, without in flags, and to commands that do not serve as well.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;

use clap::Args;
use serde::Deserialize;

use super::hosts::AllowedHosts;
use super::{ConfigError, LogFormat};
use crate::prometheus::{SourceConfig, SourceUrl};
use crate::store::{StoreError, StoreUrl};

/// Where the server listens unless told otherwise: this machine only.
pub(crate) const DEFAULT_LISTEN: &str = "127.0.0.1:8080";

/// Where rollouts are remembered unless told otherwise: a file beside the process.
pub(crate) const DEFAULT_STORE: &str = "sqlite:serinus.db";

/// Makes of the rows: the flags and variables of each group, the form of the file, and
/// [`Settings`], where a flag counts before the file and the file before the default. The groups
/// are the parts of the help whose order another part may interrupt.
macro_rules! settings {
    (
        $(
            $(#[doc = $about:literal])+
            $group:ident as $flags:ident {
                $(
                    $(#[doc = $help:literal])+
                    $(#[arg($($extra:tt)+)])?
                    $key:ident: $type:ty, $value:literal, $variable:literal $(= $default:expr)?;
                )+
            }
            $(file only { $($(#[doc = $file_help:literal])+ $file_key:ident: $file_type:ty;)+ })?
        )+
    ) => {
        $(
            $(#[doc = $about])+
            #[derive(Debug, Clone, Default, Args)]
            pub(crate) struct $group {
                $(
                    $(#[doc = $help])+
                    #[arg(
                        long, value_name = $value, env = $variable $(, $($extra)+)?,
                        help = help(&[$($help),+], &[$($default)?])
                    )]
                    pub(crate) $key: Option<$type>,
                )+
            }
        )+

        /// What the file says. Everything may be left out; what is not known is refused.
        #[derive(Debug, Clone, Default, Deserialize)]
        #[serde(default, deny_unknown_fields)]
        pub(crate) struct ConfigFile {
            $(
                $($(#[doc = $help])+ pub(crate) $key: Option<$type>,)+
                $($($(#[doc = $file_help])+ pub(crate) $file_key: $file_type,)+)?
            )+
        }

        /// What holds.
        #[derive(Debug, Clone, PartialEq)]
        pub(crate) struct Settings {
            $($($(#[doc = $help])+ pub(crate) $key: held!(type $type $(, $default)?),)+)+
        }

        impl Settings {
            /// Puts flags, variables, the file and the defaults together.
            ///
            /// # Errors
            ///
            /// [`ConfigError`] if a default of the table is none, which a test holds.
            pub(crate) fn merged($($flags: $group,)+ file: ConfigFile) -> Result<Self, ConfigError> {
                Ok(Self {
                    $($($key: {
                        let given = $flags.$key.or(file.$key);
                        held!(value given, stringify!($key) $(, $default)?)
                    },)+)+
                })
            }
        }
    };
}

/// The type and the value of a setting: there is always one where there is a default.
macro_rules! held {
    (type $type:ty) => { Option<$type> };
    (type $type:ty, $default:expr) => { $type };
    (value $given:ident, $key:expr) => { $given };
    (value $given:ident, $key:expr, $default:expr) => {
        match $given {
            Some(given) => given,
            None => default_of($key, $default)?,
        }
    };
}

settings! {
    /// Where to listen, and for whom.
    ListenArguments as listen_flags {
        /// Where to listen
        listen: SocketAddr, "ADDRESS:PORT", "SERINUS_LISTEN" = DEFAULT_LISTEN;

        /// Who may ask: names, digests of tokens, and scopes; read again when it changes
        #[arg(long = "tokens")]
        tokens_file: PathBuf, "FILE", "SERINUS_TOKENS_FILE";

        /// Listen for everybody without tokens, also beyond this machine
        #[arg(
            num_args = 0..=1, require_equals = true, default_missing_value = "true",
            hide_possible_values = true
        )]
        insecure: bool, "BOOL", "SERINUS_INSECURE";

        /// Names by which a server without tokens may be asked, beside its address, localhost and
        /// that of --public-url; '*' is any. --insecure needs them beyond this machine
        allowed_hosts: AllowedHosts, "HOST,..", "SERINUS_ALLOWED_HOSTS";
    }
    file only {
        /// The address of the default source: short for `sources: {default: {url: ..}}`
        prometheus: Option<SourceUrl>;
        /// The sources by name, with their credentials and limits
        sources: BTreeMap<String, SourceConfig>;
        /// The source that is asked when nobody names one
        default_source: Option<String>;
    }

    /// What is known, remembered and taken.
    ServiceArguments as service_flags {
        /// A folder of pipelines (*.yaml, *.yml), read again when a file changes
        pipelines: PathBuf, "FOLDER", "SERINUS_PIPELINES";

        /// Where rollouts are remembered: `sqlite:FILE`, or `sqlite::memory:` to forget them at the
        /// end
        #[arg(value_parser = text_of_a_store)]
        store: String, "URL", "SERINUS_STORE" = DEFAULT_STORE;

        /// Other processes use the same store: look for their changes on every poll
        #[arg(num_args = 0..=1, require_equals = true, default_missing_value = "true")]
        shared_store: bool, "SHARED_STORE", "SERINUS_SHARED_STORE";

        /// How long rollouts that are over are kept, in days; one that was rolled back stays until
        /// it is closed
        keep_days: u32, "DAYS", "SERINUS_KEEP_DAYS" = "90";

        /// Largest accepted body, in bytes
        max_body_bytes: usize, "BYTES", "SERINUS_MAX_BODY_BYTES" = "1048576";

        /// Most bytes of memory for the answers of all sources together; what does not fit waits
        max_memory_bytes: u64, "BYTES", "SERINUS_MAX_MEMORY_BYTES" = "536870912";

        /// Most connections at the same time; for one more, one that rests is closed
        max_connections: usize, "COUNT", "SERINUS_MAX_CONNECTIONS" = "4096";

        /// Most requests answered at the same time, and as many of gates
        max_requests_in_flight: usize, "COUNT", "SERINUS_MAX_REQUESTS_IN_FLIGHT" = "1024";

        /// Requests a second of one token, or of one address without; 0 is no limit
        rate_limit_per_second: u32, "COUNT", "SERINUS_RATE_LIMIT_PER_SECOND" = "200";

        /// How many of them may come at once [default: twice the rate]
        rate_limit_burst: u32, "COUNT", "SERINUS_RATE_LIMIT_BURST";

        /// Where clients reach the server, when it is not where it listens
        public_url: String, "URL", "SERINUS_PUBLIC_URL";

        /// How long to go on serving after SIGTERM, while /readyz answers 503
        drain_seconds: u64, "SECONDS", "SERINUS_DRAIN_SECONDS" = "10";
    }

    /// How the log is written.
    LogFormatArgument as log_format_flag {
        /// How a log line is written
        log_format: LogFormat, "FORMAT", "SERINUS_LOG_FORMAT" = "text";
    }

    /// What is written to the log.
    LogFilterArgument as log_flag {
        /// What is logged: error, warn, info, debug, trace, also by module
        log: String, "FILTER", "SERINUS_LOG" = "info";
    }
}

/// The defaults that no row says: a switch is off, and the burst follows from the rate.
impl Settings {
    /// Whether everybody may ask, also from beyond this machine.
    pub(crate) fn is_insecure(&self) -> bool {
        self.insecure.unwrap_or(false)
    }

    /// Whether other processes use the same store.
    pub(crate) fn is_store_shared(&self) -> bool {
        self.shared_store.unwrap_or(false)
    }

    /// How many requests of one client may come at once: twice those of a second unless it is said.
    pub(crate) fn burst_requests(&self) -> u32 {
        self.rate_limit_burst
            .unwrap_or_else(|| self.rate_limit_per_second.saturating_mul(2))
    }
}

/// The help of a row, on one line, with its default.
fn help(lines: &[&str], default: &[&str]) -> String {
    let mut parts: Vec<String> = lines.iter().map(|line| line.trim().to_owned()).collect();
    parts.extend(default.iter().map(|text| format!("[default: {text}]")));
    parts.join(" ")
}

fn default_of<T: FromStr>(name: &'static str, text: &str) -> Result<T, ConfigError> {
    text.parse().map_err(|_error| ConfigError::Setting {
        name,
        detail: format!("its default {text:?} is none"),
    })
}

/// Refuses a flag that names no store; what the file says is looked at when all is put together.
fn text_of_a_store(text: &str) -> Result<String, StoreError> {
    text.parse::<StoreUrl>().map(|_store| text.to_owned())
}
