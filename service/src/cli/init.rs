//! `serinus init`.

use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use clap::Args;
use serinus_analysis::guess::Guess;

use super::Failure;
use super::asked_source::AskedSource;
use super::output;
use crate::boot;
use crate::terminal::wrapped;

/// Columns of what is told beside the file.
const COLUMNS: usize = 80;

/// Most services that are told of.
const MOST_TOLD: usize = 8;

const AFTER_HELP: &str = "\
Examples:
  serinus init --prometheus http://prometheus:9090 > pipelines/checkout.yaml
  serinus init --prometheus http://prometheus:9090 --service checkout --out pipelines/checkout.yaml
  serinus lint --prometheus http://prometheus:9090 pipelines/checkout.yaml

Looks at the requests of the last hour: which counter has them, which label names the service, which
tells its versions apart, how failures are counted, whether there is a histogram. The file is short
and says what was guessed, with today's values; the same is told on standard error. Without --service
the one with the most traffic is taken of those of which two versions run, else of all.

Exit codes: 0 written, 1 nothing to judge was found, the source does not answer, or the file is there
already, 2 usage.";

/// Write a pipeline to begin with, guessed from what a Prometheus has
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Arguments {
    /// The service to judge [default: the one with the most traffic]
    #[arg(long, value_name = "NAME")]
    service: Option<String>,

    /// Write the file here instead of to standard output
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,

    /// Write it even if there is such a file
    #[arg(long, requires = "out")]
    force: bool,

    #[command(flatten)]
    asked: AskedSource,
}

pub(super) fn run(arguments: &Arguments) -> Result<u8, Failure> {
    let asked = &arguments.asked;
    asked.start_log()?;
    if let Some(path) = arguments.out.as_deref().filter(|_| !arguments.force)
        && path.exists()
    {
        return Err(is_there(path));
    }
    let runtime = boot::runtime_of_a_command()?;
    let address = asked.sources.prometheus.as_ref().map(ToString::to_string);
    let engine = asked.engine()?;
    let source = asked.source.as_deref();
    let guess = runtime.block_on(engine.guess(source, arguments.service.as_deref()))?;
    match &arguments.out {
        Some(path) => write(path, &guess.file(), arguments.force)?,
        None => output::line(guess.file().trim_end()),
    }
    for line in told(&guess, arguments.service.is_some()) {
        output::note(&line);
    }
    output::note(&next(address.as_deref(), arguments.out.as_deref()));
    Ok(0)
}

fn is_there(path: &Path) -> Failure {
    Failure(format!(
        "{} is there already: choose another --out, or say --force to write over it",
        path.display()
    ))
}

/// Writes a new file, or over one.
fn write(path: &Path, text: &str, is_forced: bool) -> Result<(), Failure> {
    let mut options = OpenOptions::new();
    options.write(true).truncate(is_forced);
    options.create(is_forced).create_new(!is_forced);
    let written = options
        .open(path)
        .and_then(|mut file| file.write_all(text.as_bytes()));
    written.map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => is_there(path),
        _ => Failure(format!("cannot write {}: {error}", path.display())),
    })
}

/// What was guessed, for people.
fn told(guess: &Guess, is_asked_for: bool) -> Vec<String> {
    let others = guess.other_services();
    let mut told = Vec::new();
    if !is_asked_for && !others.is_empty() {
        let head = format!(
            "{} services have requests; {} was taken, --service takes another:",
            others.len() + 1,
            guess.choice.service.name
        );
        told.extend(wrapped(&head, COLUMNS));
        told.extend(
            others
                .iter()
                .take(MOST_TOLD)
                .map(|other| format!("  {other}")),
        );
        if others.len() > MOST_TOLD {
            told.push(format!("  and {} more", others.len() - MOST_TOLD));
        }
    }
    told.extend(guess.said().iter().flat_map(|said| wrapped(said, COLUMNS)));
    told
}

/// The command that holds the file against the source.
fn next(address: Option<&str>, out: Option<&Path>) -> String {
    let file = out.map_or_else(|| "FILE".to_owned(), |path| path.display().to_string());
    let source = address.map_or_else(String::new, |address| format!("--prometheus {address} "));
    format!("Next: serinus lint {source}{file}")
}
