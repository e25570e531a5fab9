//! What the commands have in common that read a service's past: flags, and the reading.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use serinus_analysis::matchers::Matchers;
use serinus_analysis::pipeline::{Check, Pipeline, Stage};
use serinus_analysis::series::Populations;
use serinus_openapi::population::LabelText;
use tokio::runtime::Runtime;

use super::Failure;
use super::analyze::{did_you_mean, find_pipeline, overlay};
use super::asked_source::AskedSource;
use super::selectors::{Checked, unaskable_of};
use crate::boot;
use crate::engine::{Engine, Overlay, PastInput, PastReading, Reading, populations_of};
use crate::terminal::Progress;

/// Which service, and where its past is read.
#[derive(Debug, Args)]
pub(super) struct PastArguments {
    /// The pipeline: a file, or a name in the folder that --pipelines names
    #[arg(value_name = "PIPELINE")]
    pipeline: String,

    /// A folder of pipelines, for a PIPELINE that is a name
    #[arg(long, value_name = "FOLDER", env = "SERINUS_PIPELINES")]
    pipelines: Option<PathBuf>,

    /// One stage [default: all]
    #[arg(long, value_name = "STAGE")]
    stage: Option<String>,

    /// Selects the service, laid over the pipeline's own control label by label: =, !=, =~ and !~;
    /// job!= takes a label away; may be given more than once
    #[arg(long, value_name = "LABEL=VALUE")]
    control: Vec<LabelText>,

    #[command(flatten)]
    asked: AskedSource,
}

/// A pipeline with what selects its service.
pub(super) struct Subject {
    pub(super) pipeline: Arc<Pipeline>,
    pub(super) control: Matchers,
    stage: Option<String>,
    asked: AskedSource,
}

/// A connection to the sources.
pub(super) struct Reader<'a> {
    subject: &'a Subject,
    engine: Engine,
    runtime: Runtime,
}

impl PastArguments {
    /// Reads the pipeline.
    pub(super) fn open(self) -> Result<Subject, Failure> {
        self.asked.start_log()?;
        let pipeline = find_pipeline(&self.pipeline, self.pipelines.as_deref())?;
        let given = Populations {
            control: overlay("control", self.control)?,
            canary: Overlay::default(),
        };
        let control = populations_of(&pipeline, &given).control;
        let ids = || pipeline.stages.iter().map(|stage| stage.id.as_str());
        if let Some(id) = &self.stage
            && !ids().any(|known| known == id)
        {
            let near = did_you_mean(id, ids());
            let known = ids().collect::<Vec<_>>().join(", ");
            return Err(Failure(format!(
                "unknown stage {id:?}{near}; its stages are: {known}"
            )));
        }
        Ok(Subject {
            control,
            stage: self.stage,
            asked: self.asked,
            pipeline,
        })
    }
}

impl Subject {
    /// Sets up the sources, and lets the intervals follow their scrapes where the file does not say how long they
    /// are.
    pub(super) fn settle(&mut self) -> Result<(), Failure> {
        let reader = self.reader()?;
        let populations = Populations::same(&self.control);
        let source = self.asked.source.as_deref();
        let now_ms = reader.engine.clock().now_ms();
        let settling = reader
            .engine
            .with_interval(&self.pipeline, populations, source, now_ms);
        // Who does not answer is told when the past is read.
        let settled = reader.runtime.block_on(settling);
        let settled = settled.map(Cow::into_owned).ok();
        drop(reader);
        if let Some(pipeline) = settled {
            self.pipeline = Arc::new(pipeline);
        }
        Ok(())
    }

    /// The stages that are asked about, those with the same regions together, so that each past is
    /// read once.
    pub(super) fn stages_by_regions(&self) -> Vec<(&[String], Vec<&Stage>)> {
        let mut groups: Vec<(&[String], Vec<&Stage>)> = Vec::new();
        let is_asked = |stage: &&Stage| self.stage.as_ref().is_none_or(|id| *id == stage.id);
        for stage in self.pipeline.stages.iter().filter(is_asked) {
            match groups
                .iter_mut()
                .find(|(regions, _)| *regions == stage.regions)
            {
                Some((_, stages)) => stages.push(stage),
                None => groups.push((&stage.regions, vec![stage])),
            }
        }
        groups
    }

    /// Where a stage stands in the pipeline.
    pub(super) fn position(&self, stage: &str) -> usize {
        let stages = &self.pipeline.stages;
        stages
            .iter()
            .position(|other| other.id == stage)
            .unwrap_or(stages.len())
    }

    /// What selects the service, for people.
    pub(super) fn shown(&self) -> String {
        if self.control.is_empty() {
            return "everything".to_owned();
        }
        let matchers: Vec<String> = self.control.iter().map(ToString::to_string).collect();
        matchers.join(", ")
    }

    /// Sets up the sources.
    pub(super) fn reader(&self) -> Result<Reader<'_>, Failure> {
        Ok(Reader {
            subject: self,
            runtime: boot::runtime_of_a_command()?,
            engine: self.asked.engine()?,
        })
    }
}

impl Reader<'_> {
    /// Holds every selector of the pipeline against the source.
    pub(super) fn look_through(&self) -> Result<Vec<Checked>, Failure> {
        let Subject {
            pipeline,
            control,
            asked,
            ..
        } = self.subject;
        let populations = Populations {
            control,
            canary: &pipeline.canary,
        };
        let looking = self
            .engine
            .look_through(pipeline, populations, asked.source.as_deref());
        let looked = self.runtime.block_on(looking)?;
        let mut all = unaskable_of(pipeline);
        all.extend(looked.into_iter().map(Checked::from));
        Ok(all)
    }

    /// Reads what some checks need, over so many hours before now.
    pub(super) fn read<'a>(
        &self,
        checks: impl Iterator<Item = &'a Check>,
        regions: &[String],
        hours: f64,
    ) -> Result<PastReading, Failure> {
        let mut seen = BTreeSet::new();
        let input = PastInput {
            pipeline: &self.subject.pipeline,
            checks: checks
                .filter(|check| seen.insert(check.metric.clone()))
                .collect(),
            control: &self.subject.control,
            regions,
            hours,
            source: self.subject.asked.source.as_deref(),
        };
        let progress = Progress::new();
        let told = |reading: Reading| match reading {
            Reading::Asked(questions) => {
                progress.begin(format!("reading {hours} h"), questions as u64);
            }
            Reading::Answered => progress.advance(1),
        };
        let reading = self.runtime.block_on(self.engine.read_past(&input, told))?;
        drop(progress);
        match reading.fault() {
            Some(fault) => Err(Failure(format!("cannot read the past: {}", fault.message))),
            None => Ok(reading),
        }
    }
}
