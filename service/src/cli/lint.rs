//! `serinus lint`.

use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;
use serinus_analysis::pipeline::{self, Diagnostic, ErrorBudget, Pipeline, Stage};
use serinus_openapi::pipeline as wire;

use super::output::{self, Format};
use super::{FAILED, Failure};

const AFTER_HELP: &str = "\
Examples:
  serinus lint pipelines/*.yaml
  serinus lint --output json checkout.yaml | jq '.[0].pipeline.stages[].id'

Prints every stage that a pipeline expands to with its checks, or every mistake as
  FILE:LINE:COLUMN: PATH: what is wrong and what to change

Exit codes: 0 no mistakes, 1 mistakes or a file that cannot be read, 2 usage.";

/// Look pipelines through, without a server
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Arguments {
    /// The pipeline files
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,

    /// How to write the answer
    #[arg(long, value_enum, value_name = "FORMAT", default_value = "text")]
    output: Format,
}

/// What came of one file, for programs.
#[derive(Debug, Serialize)]
struct Linted {
    file: String,
    valid: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    diagnostics: Vec<wire::Diagnostic>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pipeline: Option<wire::Pipeline>,
}

/// What came of one file.
enum Outcome {
    Good(Box<Pipeline>),
    Mistakes { text: String, all: Vec<Diagnostic> },
    Unreadable(String),
}

pub(super) fn run(arguments: &Arguments) -> Result<u8, Failure> {
    let outcomes: Vec<_> = arguments
        .files
        .iter()
        .map(|file| (file.display().to_string(), look_through(file)))
        .collect();
    match arguments.output {
        Format::Json => {
            let linted: Vec<_> = outcomes.iter().map(for_programs).collect();
            output::line(&serde_json::to_string_pretty(&linted)?);
        }
        Format::Text => {
            for (file, outcome) in &outcomes {
                match outcome {
                    Outcome::Good(pipeline) => output::line(&tree(file, pipeline)),
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
    let all_good = outcomes
        .iter()
        .all(|(_, outcome)| matches!(outcome, Outcome::Good(_)));
    Ok(if all_good { 0 } else { FAILED })
}

fn look_through(file: &Path) -> Outcome {
    let text = match fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) => return Outcome::Unreadable(error.to_string()),
    };
    let stem = file
        .file_stem()
        .map_or_else(|| "pipeline".into(), |stem| stem.to_string_lossy());
    match pipeline::parse(&text, &stem) {
        Ok(pipeline) => Outcome::Good(Box::new(pipeline)),
        Err(all) => Outcome::Mistakes { text, all },
    }
}

fn for_programs((file, outcome): &(String, Outcome)) -> Linted {
    let mut linted = Linted {
        file: file.clone(),
        valid: false,
        error: None,
        diagnostics: Vec::new(),
        pipeline: None,
    };
    match outcome {
        Outcome::Good(pipeline) => {
            linted.valid = true;
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

/// A pipeline with every stage that it expands to.
fn tree(file: &str, pipeline: &Pipeline) -> String {
    let stages = &pipeline.stages;
    let minutes: f64 = stages.iter().map(|stage| stage.duration_minutes).sum();
    let mut lines = vec![format!(
        "{file}: pipeline {:?}, {} stage{}, at least {}",
        pipeline.name,
        stages.len(),
        if stages.len() == 1 { "" } else { "s" },
        duration(minutes)
    )];
    let width = stages
        .iter()
        .map(|stage| stage.id.chars().count())
        .max()
        .unwrap_or(0);
    for (index, stage) in stages.iter().enumerate() {
        let is_last = index + 1 == stages.len()
            && pipeline.kill_switch.is_empty()
            && pipeline.error_budget.is_none();
        let (branch, trunk) = if is_last {
            ("└─", "  ")
        } else {
            ("├─", "│ ")
        };
        lines.push(format!("{branch} {:width$}  {}", stage.id, headline(stage)));
        for check in &stage.checks {
            lines.push(format!("{trunk}   {}", check.text));
        }
    }
    if let Some(budget) = &pipeline.error_budget {
        let branch = if pipeline.kill_switch.is_empty() {
            "└─"
        } else {
            "├─"
        };
        lines.push(format!("{branch} {}", error_budget(budget)));
    }
    if !pipeline.kill_switch.is_empty() {
        lines.push("└─ kill switch, in every stage".to_owned());
        for check in &pipeline.kill_switch {
            lines.push(format!("     {}", check.text));
        }
    }
    lines.join("\n")
}

fn error_budget(budget: &ErrorBudget) -> String {
    const SECONDS_PER_HOUR: f64 = 3_600.0;
    format!(
        "error budget: {} keeps {} % over {} hours; no more traffic with less than {} % of it left",
        budget.metric,
        // Rounded: 0.999 * 100 is not 99.9.
        (budget.objective * 1e8).round() / 1e6,
        f64::from(budget.window_seconds) / SECONDS_PER_HOUR,
        (budget.minimum_remaining * 1e8).round() / 1e6,
    )
}

fn headline(stage: &Stage) -> String {
    let mut parts = vec![
        format!("{} % of the traffic", stage.traffic_percent),
        format!("for {}", duration(stage.duration_minutes)),
    ];
    if !stage.regions.is_empty() {
        parts.push(format!("in {}", stage.regions.join(", ")));
    }
    if stage.shadow {
        parts.push("judging without acting".to_owned());
    }
    let origin = if stage.inherits_checks {
        ", with the checks of the stages before"
    } else {
        ""
    };
    format!("{}: {}{origin}", stage.name, parts.join(" "))
}

/// `4 h`, `1 h 30 min`, `45 min`.
fn duration(minutes: f64) -> String {
    let hours = (minutes / 60.0).floor();
    let rest = minutes - hours * 60.0;
    if hours < 1.0 {
        format!("{minutes} min")
    } else if rest == 0.0 {
        format!("{hours} h")
    } else {
        format!("{hours} h {rest} min")
    }
}
