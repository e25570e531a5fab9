//! `serinus lint`.

mod source;
mod tree;

use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;
use serinus_analysis::pipeline::{self, Diagnostic, Pipeline};
use serinus_openapi::pipeline as wire;

use super::output::{self, Format};
use super::selectors::{Checked, unaskable_of};
use super::{FAILED, Failure};
use crate::regular_file;
use source::{Source, SourceArguments};
use tree::tree;

/// What names standard input in place of a file.
const STANDARD_INPUT: &str = "-";

const AFTER_HELP: &str = "\
Examples:
  serinus lint pipelines/*.yaml
  serinus lint --output json checkout.yaml | jq '.[0].pipeline.stages[].id'
  git show main:pipelines/checkout.yaml | serinus lint -
  serinus lint --prometheus http://prometheus:9090 pipelines/checkout.yaml

Prints what makes a pipeline harmless or strange, its populations, the units of its buckets, and
every stage that it expands to with its checks as they were understood; or every mistake as
  FILE:LINE:COLUMN: PATH: what is wrong and what to change
With --prometheus or --config every selector is held against the source as well, over the last day:
one that can never match is told before a rollout waits for it, and where a metric is not there but
those of a preset are, a hint says which.

A query that leaves out a population of the file is told without a source, too.

Exit codes: 0 no mistakes, 1 mistakes, a file that cannot be read, a query that leaves out a population,
a selector that can never match or a source that does not answer, 2 usage.";

/// Look pipelines through, without a server
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Arguments {
    /// The pipeline files; - is standard input
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,

    /// How to write the answer
    #[arg(long, value_enum, value_name = "FORMAT", default_value = "text")]
    output: Format,

    #[command(flatten)]
    source: SourceArguments,
}

/// What came of one file, for programs.
#[derive(Debug, Serialize)]
struct Linted {
    file: String,
    valid: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    diagnostics: Vec<wire::Diagnostic>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    remarks: Vec<wire::Remark>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pipeline: Option<wire::Pipeline>,
    /// What a gate would refuse to ask, and what the source says of the selectors; absent where there is
    /// nothing of the one and no source was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    selectors: Option<Vec<Checked>>,
}

/// What came of one file.
enum Outcome {
    Good(Box<Pipeline>, Option<Vec<Checked>>),
    Mistakes { text: String, all: Vec<Diagnostic> },
    Unreadable(String),
}

pub(super) fn run(arguments: &Arguments) -> Result<u8, Failure> {
    let source = arguments.source.open()?;
    let mut outcomes = Vec::new();
    for file in &arguments.files {
        let outcome = look_through(file, source.as_ref())?;
        outcomes.push((file.display().to_string(), outcome));
    }
    match arguments.output {
        Format::Json => {
            let linted: Vec<_> = outcomes.iter().map(for_programs).collect();
            output::line(&serde_json::to_string_pretty(&linted)?);
        }
        Format::Text => {
            for (file, outcome) in &outcomes {
                match outcome {
                    Outcome::Good(pipeline, selectors) => {
                        output::line(&tree(file, pipeline));
                        for checked in selectors.iter().flatten() {
                            output::line(&checked.to_string());
                        }
                    }
                    Outcome::Mistakes { text, all } => {
                        for mistake in all {
                            output::line(&shown(file, text, mistake));
                        }
                    }
                    Outcome::Unreadable(error) => output::error(&format!("{file}: {error}")),
                }
            }
        }
    }
    let all_good = outcomes.iter().all(|(_, outcome)| match outcome {
        Outcome::Good(_, selectors) => !selectors.iter().flatten().any(Checked::fails),
        Outcome::Mistakes { .. } | Outcome::Unreadable(_) => false,
    });
    Ok(if all_good { 0 } else { FAILED })
}

fn look_through(file: &Path, source: Option<&Source>) -> Result<Outcome, Failure> {
    let read = if file == Path::new(STANDARD_INPUT) {
        regular_file::read_standard_input()
    } else {
        regular_file::read_text(file)
    };
    let text = match read {
        Ok(text) => text,
        Err(error) => return Ok(Outcome::Unreadable(error.to_string())),
    };
    let stem = file
        .file_stem()
        .map_or_else(|| "pipeline".into(), |stem| stem.to_string_lossy());
    let pipeline = match pipeline::parse(&text, &stem) {
        Ok(pipeline) => pipeline,
        Err(all) => return Ok(Outcome::Mistakes { text, all }),
    };
    let unaskable = unaskable_of(&pipeline);
    let looked = source.map(|source| source.check(&pipeline)).transpose()?;
    let selectors = match looked {
        None if unaskable.is_empty() => None,
        looked => Some(
            unaskable
                .into_iter()
                .chain(looked.into_iter().flatten())
                .collect(),
        ),
    };
    Ok(Outcome::Good(Box::new(pipeline), selectors))
}

fn for_programs((file, outcome): &(String, Outcome)) -> Linted {
    let mut linted = Linted {
        file: file.clone(),
        valid: false,
        error: None,
        diagnostics: Vec::new(),
        remarks: Vec::new(),
        pipeline: None,
        selectors: None,
    };
    match outcome {
        Outcome::Good(pipeline, selectors) => {
            linted.valid = true;
            linted.selectors.clone_from(selectors);
            linted.remarks = pipeline.remarks().iter().map(Into::into).collect();
            linted.pipeline = Some((&**pipeline).into());
        }
        Outcome::Mistakes { all, .. } => {
            linted.diagnostics = all.iter().map(Into::into).collect();
        }
        Outcome::Unreadable(error) => linted.error = Some(error.clone()),
    }
    linted
}

/// A mistake with the line that it is in, and a caret below its column.
fn shown(file: &str, text: &str, mistake: &Diagnostic) -> String {
    let Diagnostic {
        line,
        column,
        path,
        message,
    } = mistake;
    let head = if path.is_empty() {
        format!("{file}:{line}:{column}: {message}")
    } else {
        format!("{file}:{line}:{column}: {path}: {message}")
    };
    let index = usize::try_from(*line).unwrap_or(0).saturating_sub(1);
    let Some(source) = text.lines().nth(index) else {
        return head;
    };
    let before = usize::try_from(*column).unwrap_or(0).saturating_sub(1);
    // Tabs stay, so that the caret stands where the terminal puts the character.
    let indent: String = source
        .chars()
        .take(before)
        .map(|character| if character == '\t' { '\t' } else { ' ' })
        .collect();
    let margin = " ".repeat(line.to_string().len());
    format!("{head}\n {line} | {source}\n {margin} | {indent}^")
}
