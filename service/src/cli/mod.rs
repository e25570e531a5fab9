//! The command line, one file a command.

mod analyze;
mod asked_source;
mod calibrate;
mod demo;
mod healthcheck;
mod init;
mod lint;
mod openapi;
mod output;
mod past;
mod plan;
mod replay;
mod selectors;
mod serve;
mod simulate;
mod table;
#[cfg(test)]
mod tests;
mod token;
mod wait;

use std::ffi::OsString;
use std::panic;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// What `lint`, `openapi --check` and `healthcheck` say with exit code 1, and every command but
/// `analyze` when it fails.
const FAILED: u8 = 1;

/// clap's own exit code for flags that cannot be read.
const USAGE: u8 = 2;

const AFTER_HELP: &str = "\
Start here:
  serinus demo
  serinus init --prometheus http://prometheus:9090 --out pipelines/checkout.yaml
  serinus lint --prometheus http://prometheus:9090 pipelines/checkout.yaml
  serinus serve --prometheus http://prometheus:9090 --pipelines ./pipelines
  open http://127.0.0.1:8080/docs

Every setting of `serve` is a flag, a SERINUS_* variable and a line of the file that --config names.";

/// Statistical canary analysis: promote, hold or rollback, with evidence
#[derive(Debug, Parser)]
#[command(name = "serinus", version, about, after_help = AFTER_HELP, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Serve(Box<serve::Arguments>),
    Demo(demo::Arguments),
    Init(Box<init::Arguments>),
    Lint(lint::Arguments),
    Analyze(Box<analyze::Arguments>),
    Plan(Box<plan::Arguments>),
    Calibrate(Box<calibrate::Arguments>),
    Simulate(Box<simulate::Arguments>),
    Token(token::Arguments),
    Openapi(openapi::Arguments),
    Wait(Box<wait::Arguments>),
    Replay(replay::Arguments),
    Healthcheck(healthcheck::Arguments),
}

/// A command that could not do its work. The message is for people, one or more lines.
#[derive(Debug, PartialEq, Eq)]
struct Failure(String);

impl<E: std::error::Error> From<E> for Failure {
    fn from(error: E) -> Self {
        let mut message = error.to_string();
        let mut source = error.source();
        while let Some(cause) = source {
            let text = cause.to_string();
            // Many errors tell their cause themselves.
            if !message.contains(&text) {
                message = format!("{message}: {text}");
            }
            source = cause.source();
        }
        Self(message)
    }
}

/// Runs the command that the arguments name and returns its exit code. See the help of each
/// command for what its codes mean.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let all: Vec<OsString> = arguments.into_iter().collect();
    // Codes below this one say what the verdict is.
    let tells_a_verdict = all
        .get(1)
        .is_some_and(|name| name == "analyze" || name == "wait");
    match Cli::try_parse_from(all) {
        Ok(cli) => run(cli.command),
        Err(error) => {
            // Help and version are no errors, and go to standard output.
            let is_help = !error.use_stderr();
            let code = match error.exit_code() {
                _ if is_help => 0,
                // A script that reads 2 as `hold` must not see it for a misspelt flag.
                _ if tells_a_verdict => analyze::COULD_NOT_ASK,
                _ => USAGE,
            };
            // There is nothing left to do when the terminal is gone.
            let _ = error.print();
            ExitCode::from(code)
        }
    }
}

fn run(command: Command) -> ExitCode {
    let (result, failed) = match command {
        Command::Serve(arguments) => (serve::run(*arguments), FAILED),
        Command::Init(arguments) => (init::run(&arguments), FAILED),
        Command::Lint(arguments) => (lint::run(&arguments), FAILED),
        Command::Analyze(arguments) => {
            // A panic would end in 101, which the contract does not know.
            let result = panic::catch_unwind(|| analyze::run(*arguments));
            let result = result.unwrap_or_else(|_| Err(Failure("serinus failed".to_owned())));
            (result, analyze::COULD_NOT_ASK)
        }
        Command::Wait(arguments) => {
            let result = panic::catch_unwind(|| wait::run(&arguments));
            let result = result.unwrap_or_else(|_| Err(Failure("serinus failed".to_owned())));
            (result, wait::COULD_NOT_ASK)
        }
        Command::Replay(arguments) => (replay::run(&arguments), FAILED),
        Command::Demo(arguments) => (demo::run(&arguments), FAILED),
        Command::Plan(arguments) => (plan::run(*arguments), FAILED),
        Command::Calibrate(arguments) => (calibrate::run(*arguments), FAILED),
        Command::Simulate(arguments) => (simulate::run(&arguments), FAILED),
        Command::Token(arguments) => (token::run(&arguments), FAILED),
        Command::Openapi(arguments) => (openapi::run(&arguments), FAILED),
        Command::Healthcheck(arguments) => (healthcheck::run(&arguments), FAILED),
    };
    match result {
        Ok(code) => ExitCode::from(code),
        Err(Failure(message)) => {
            output::error(&message);
            ExitCode::from(failed)
        }
    }
}
