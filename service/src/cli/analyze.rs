//! `serinus analyze`: one analysis without a server.

use std::path::{Path, PathBuf};
use std::str;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use clap::Args;
use serinus_analysis::data::Purpose;
use serinus_analysis::pipeline::{self, Pipeline, Stage, nearest_name};
use serinus_analysis::series::Populations;
use serinus_openapi::analysis::Verdict;
use serinus_openapi::population::{LabelText, PopulationError, PopulationOverlay};

use super::asked_source::AskedSource;
use super::output::{self, Format};
use super::{Failure, table};
use crate::boot;
use crate::engine::{AnalysisInput, Overlay, Stages, populations_of};
use crate::pipelines::Folder;
use crate::regular_file;
use crate::terminal;
use crate::wire;

/// The exit code for everything that is not a verdict.
pub(super) const COULD_NOT_ASK: u8 = 3;

const AFTER_HELP: &str = "\
Examples:
  serinus analyze --pipeline pipelines/canary_pipeline.yaml --stage stage_2 \\
    --prometheus http://prometheus:9090 --control track=stable --canary track=canary
  serinus analyze --pipeline checkout --pipelines ./pipelines --stage stage_1 --output json
  serinus analyze --pipeline p.yaml --stage s --canary 'pod=~web-6d4.*' --start 2026-11-22T09:00:00Z

Exit codes: 0 promote, 1 rollback, 2 hold, 3 could not ask (usage, a pipeline with mistakes, an
unknown stage or source). A Prometheus that does not answer is a hold.";

/// Judge a stage now, without a server
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Arguments {
    /// The pipeline: a file, or a name in the folder that --pipelines names
    #[arg(long, value_name = "FILE|NAME")]
    pipeline: String,

    /// A folder of pipelines, for --pipeline NAME
    #[arg(long, value_name = "FOLDER", env = "SERINUS_PIPELINES")]
    pipelines: Option<PathBuf>,

    /// The stage; may be left out when the pipeline has one
    #[arg(long, value_name = "STAGE")]
    stage: Option<String>,

    /// Selects the control, laid over the pipeline's own label by label: =, !=, =~ and !~; job!=
    /// takes a label away; may be given more than once
    #[arg(long, value_name = "LABEL=VALUE")]
    control: Vec<LabelText>,

    /// Selects the canary, in the same way
    #[arg(long, value_name = "LABEL=VALUE")]
    canary: Vec<LabelText>,

    /// Start of the window (RFC 3339) [default: the stage's duration before the end]
    #[arg(long, value_name = "TIME", value_parser = time)]
    start: Option<DateTime<Utc>>,

    /// End of the window (RFC 3339) [default: now, less the time that samples may be late]
    #[arg(long, value_name = "TIME", value_parser = time)]
    end: Option<DateTime<Utc>>,

    /// How to write the answer
    #[arg(long, value_enum, value_name = "FORMAT", default_value = "text")]
    output: Format,

    #[command(flatten)]
    asked: AskedSource,
}

pub(super) fn run(arguments: Arguments) -> Result<u8, Failure> {
    arguments.asked.start_log()?;
    let pipeline = find_pipeline(&arguments.pipeline, arguments.pipelines.as_deref())?;
    let stage = find_stage(&pipeline, arguments.stage.as_deref())?;
    let given = Populations {
        control: overlay("control", arguments.control)?,
        canary: overlay("canary", arguments.canary)?,
    };
    let input = AnalysisInput {
        pipeline: &pipeline,
        stage,
        populations: populations_of(&pipeline, &given),
        start_ms: arguments.start.as_ref().map(DateTime::timestamp_millis),
        end_ms: arguments.end.as_ref().map(DateTime::timestamp_millis),
        source: arguments.asked.source.as_deref(),
        purpose: Purpose::Decide,
        stages: Stages::Alone,
        carried: None,
    };
    let runtime = boot::runtime_of_a_command()?;
    let engine = arguments.asked.engine()?;
    let analysis = runtime.block_on(engine.analyse(&input))?;
    let answer = wire::answer(&input, &analysis);
    match arguments.output {
        Format::Json => output::line(&serde_json::to_string_pretty(&answer)?),
        Format::Text => output::line(&table::of(&answer, terminal::columns())),
    }
    Ok(match answer.verdict {
        Verdict::Promote => 0,
        Verdict::Rollback => 1,
        Verdict::Hold => 2,
    })
}

pub(super) fn find_pipeline(given: &str, folder: Option<&Path>) -> Result<Arc<Pipeline>, Failure> {
    let path = Path::new(given);
    let looks_like_a_file = path.extension().is_some() || given.contains('/') || path.is_file();
    match folder {
        Some(folder) if !looks_like_a_file => {
            let known = Folder::open(folder)?.look();
            if let Some(found) = known.get(given) {
                return Ok(Arc::clone(&found.pipeline));
            }
            let near = did_you_mean(given, known.names());
            Err(Failure(format!(
                "unknown pipeline {given:?} in {}{near}",
                folder.display()
            )))
        }
        _ => read_pipeline(path),
    }
}

fn read_pipeline(path: &Path) -> Result<Arc<Pipeline>, Failure> {
    let text = regular_file::read_text(path)
        .map_err(|error| Failure(format!("cannot read pipeline {}: {error}", path.display())))?;
    let stem = path
        .file_stem()
        .map_or_else(|| "pipeline".into(), |stem| stem.to_string_lossy());
    pipeline::parse(&text, &stem)
        .map(Arc::new)
        .map_err(|mistakes| {
            let lines = mistakes.iter().map(|mistake| {
                format!(
                    "\n  {}:{}:{}: {}: {}",
                    path.display(),
                    mistake.line,
                    mistake.column,
                    mistake.path,
                    mistake.message
                )
            });
            Failure(format!(
                "cannot read pipeline {}:{}",
                path.display(),
                lines.collect::<String>()
            ))
        })
}

fn find_stage<'a>(pipeline: &'a Pipeline, id: Option<&str>) -> Result<&'a Stage, Failure> {
    let ids = || pipeline.stages.iter().map(|stage| stage.id.as_str());
    let known = ids().collect::<Vec<_>>().join(", ");
    match (id, pipeline.stages.as_slice()) {
        (None, [only]) => Ok(only),
        (None, _) => Err(Failure(format!("give --stage, one of: {known}"))),
        (Some(id), stages) => stages.iter().find(|stage| stage.id == id).ok_or_else(|| {
            let near = did_you_mean(id, ids());
            Failure(format!(
                "unknown stage {id:?}{near}; its stages are: {known}"
            ))
        }),
    }
}

pub(super) fn did_you_mean<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> String {
    nearest_name(name, known).map_or(String::new(), |near| format!(", did you mean {near:?}?"))
}

/// What flags lay over a population of the pipeline.
pub(super) fn overlay(name: &str, given: Vec<LabelText>) -> Result<Overlay, Failure> {
    let unusable = |error: PopulationError| Failure(format!("--{name}: {error}"));
    let given = PopulationOverlay::of_texts(given).map_err(unusable)?;
    let labels = given.map(|given| given.to_matchers()).transpose();
    Ok(labels.map_err(unusable)?.unwrap_or_default().into())
}

fn time(text: &str) -> Result<DateTime<Utc>, String> {
    DateTime::parse_from_rfc3339(text)
        .map(|time| time.with_timezone(&Utc))
        .map_err(|error| format!("{error}: write it like 2026-11-22T09:00:00Z"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `analyze`, `plan`, `calibrate` and `replay` read their flags so.
    #[test]
    fn what_is_no_regular_expression_is_told_with_its_flag_and_its_place() {
        let text: LabelText = "pod=~checkout-(.*".parse().unwrap();
        let Failure(message) = overlay("control", vec![text]).unwrap_err();
        assert_eq!(
            message,
            "--control: \"checkout-(.*\" of the label pod is not a regular expression \
             (unclosed group, at character 10): correct it, or use = for a plain value"
        );
    }
}
