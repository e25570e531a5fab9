//! What a Prometheus says of the selectors of a pipeline.

use std::path::PathBuf;

use clap::Args;
use serinus_analysis::pipeline::Pipeline;
use serinus_analysis::series::Populations;
use tokio::runtime::Runtime;

use super::super::Failure;
use super::super::selectors::Checked;
use crate::boot;
use crate::config::{LogArguments, SourceArguments as CommandSource};
use crate::engine::Engine;
use crate::prometheus::SourceUrl;

/// Which Prometheus is asked. Variables of the environment are not looked at: without a flag no file
/// needs a server to be looked through.
#[derive(Debug, Args)]
pub(super) struct SourceArguments {
    /// Hold the selectors against this Prometheus
    #[arg(long, value_name = "URL")]
    prometheus: Option<SourceUrl>,

    /// Hold them against the sources of this YAML file, with their credentials and limits
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,

    /// The source to ask [default: the pipeline's, else the default one]
    #[arg(long, value_name = "NAME")]
    source: Option<String>,
}

/// A connection to the sources.
pub(super) struct Source {
    name: Option<String>,
    engine: Engine,
    runtime: Runtime,
}

impl SourceArguments {
    /// Sets up the sources; nothing where none is named.
    pub(super) fn open(&self) -> Result<Option<Source>, Failure> {
        if self.prometheus.is_none() && self.config.is_none() {
            return match self.source {
                None => Ok(None),
                Some(_) => Err(Failure(
                    "--source names a source of --prometheus or --config: give one of them"
                        .to_owned(),
                )),
            };
        }
        boot::start_log_of_a_command(&LogArguments::default())?;
        let sources = CommandSource {
            prometheus: self.prometheus.clone(),
            config: self.config.clone(),
            ..CommandSource::default()
        };
        Ok(Some(Source {
            name: self.source.clone(),
            runtime: boot::runtime_of_a_command()?,
            engine: boot::engine_of_a_command(sources)?,
        }))
    }
}

impl Source {
    /// Holds every selector of a pipeline against the source.
    pub(super) fn check(&self, pipeline: &Pipeline) -> Result<Vec<Checked>, Failure> {
        let populations = Populations {
            control: &pipeline.control,
            canary: &pipeline.canary,
        };
        let looking = self
            .engine
            .look_through(pipeline, populations, self.name.as_deref());
        let looked = self.runtime.block_on(looking)?;
        Ok(looked.into_iter().map(Checked::from).collect())
    }
}
