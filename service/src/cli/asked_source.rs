//! The flags by which a command says which source it asks.

use clap::Args;

use super::Failure;
use crate::boot;
use crate::config::{LogArguments, SourceArguments};
use crate::engine::Engine;

/// Which source is asked, and what is logged meanwhile.
#[derive(Debug, Args)]
pub(super) struct AskedSource {
    /// The source to ask [default: the pipeline's where there is one, else the default one]
    #[arg(long, value_name = "NAME")]
    pub(super) source: Option<String>,

    #[command(flatten)]
    pub(super) sources: SourceArguments,

    #[command(flatten)]
    log: LogArguments,
}

impl AskedSource {
    /// Logs as the flags say.
    pub(super) fn start_log(&self) -> Result<(), Failure> {
        Ok(boot::start_log_of_a_command(&self.log)?)
    }

    /// Sets up the sources.
    pub(super) fn engine(&self) -> Result<Engine, Failure> {
        Ok(boot::engine_of_a_command(self.sources.clone())?)
    }
}
