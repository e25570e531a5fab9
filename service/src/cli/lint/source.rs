//! What a Prometheus says of the selectors of a pipeline.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::Args;
use serinus_analysis::foresight::{LastHour, said_by_the_last_hour};
use serinus_analysis::matchers::Matchers;
use serinus_analysis::pipeline::{Check, MetricKind, Pipeline};
use serinus_analysis::series::Populations;
use serinus_openapi::population::LabelText;
use tokio::runtime::Runtime;

use super::super::Failure;
use super::super::analyze::overlay;
use super::super::selectors::Checked;
use crate::boot;
use crate::config::{LogArguments, SourceArguments as CommandSource};
use crate::engine::{Engine, Overlay, PastInput, populations_of};
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

    /// What callers will send of the control, laid over the pipeline's own: fills ${control.LABEL}; may be
    /// given more than once
    #[arg(long, value_name = "LABEL=VALUE")]
    control: Vec<LabelText>,

    /// The same of the canary: fills ${canary.LABEL}
    #[arg(long, value_name = "LABEL=VALUE")]
    canary: Vec<LabelText>,
}

/// A connection to the sources.
pub(super) struct Source {
    name: Option<String>,
    given: Populations<Overlay>,
    engine: Engine,
    runtime: Runtime,
}

impl SourceArguments {
    /// Sets up the sources; nothing where none is named.
    pub(super) fn open(&self) -> Result<Option<Source>, Failure> {
        if self.prometheus.is_none() && self.config.is_none() {
            let is_alone =
                self.source.is_some() || !self.control.is_empty() || !self.canary.is_empty();
            return if is_alone {
                Err(Failure(
                    "--source, --control and --canary say what to ask of --prometheus or --config: give \
                     one of them"
                        .to_owned(),
                ))
            } else {
                Ok(None)
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
            given: Populations {
                control: overlay("control", self.control.clone())?,
                canary: overlay("canary", self.canary.clone())?,
            },
            runtime: boot::runtime_of_a_command()?,
            engine: boot::engine_of_a_command(sources)?,
        }))
    }
}

impl Source {
    /// Holds every selector of a pipeline against the source, and what it says of the service against what the
    /// service did in the last hour.
    pub(super) fn check(&self, pipeline: &Pipeline) -> Result<Vec<Checked>, Failure> {
        let populations = populations_of(pipeline, &self.given);
        let looking =
            self.engine
                .look_through(pipeline, populations.as_ref(), self.name.as_deref());
        let looked = self.runtime.block_on(looking)?;
        let mut checked: Vec<Checked> = looked.into_iter().map(Checked::from).collect();
        // Who does not answer is not asked again.
        if !checked.iter().any(Checked::is_unknown) {
            checked.extend(self.last_hour(pipeline, &populations));
        }
        Ok(checked)
    }

    fn last_hour(&self, pipeline: &Pipeline, populations: &Populations<Matchers>) -> Vec<Checked> {
        let mut shares = BTreeMap::<&str, &Check>::new();
        for check in pipeline.stages.iter().flat_map(|stage| &stage.checks) {
            if matches!(check.measured.kind, MetricKind::Proportion { .. }) {
                shares.insert(&check.measured.name, check);
            }
        }
        if shares.is_empty() {
            return Vec::new();
        }
        let input = PastInput {
            pipeline,
            checks: shares.into_values().collect(),
            control: &populations.control,
            regions: &[],
            hours: 1.0,
            source: self.name.as_deref(),
        };
        let reading = self.engine.read_past(&input, |_| ());
        // What cannot be asked has been told of its selector.
        let Ok(past) = self.runtime.block_on(reading) else {
            return Vec::new();
        };
        let now_ms = self.engine.clock().now_ms();
        let name = self.name.as_deref();
        let asking = self
            .engine
            .scrape_seconds(pipeline, populations.as_ref(), name, now_ms);
        // The pods say it better than the number of their samples.
        let told = past
            .scrape_period_ms()
            .map(|period_ms| period_ms as f64 / 1_000.0);
        let scrape_seconds = told.or_else(|| self.runtime.block_on(asking).ok().flatten());
        let hour = LastHour {
            whole: &past.whole(),
            scrape_seconds,
        };
        let said = said_by_the_last_hour(pipeline, hour).into_iter();
        said.map(Checked::from).collect()
    }
}
