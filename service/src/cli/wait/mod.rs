//! `serinus wait`: blocks until the gate decides, for everything that reads exit codes.

mod client;
mod patience;

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use secrecy::SecretString;
use serde::Serialize;
use serinus_openapi::analysis::{Gate, Verdict};
use serinus_openapi::population::LabelText;
use serinus_openapi::rollout::GateAnswer;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{Instant, sleep, timeout_at};

use super::{Failure, output};
use crate::boot;
use crate::prometheus::install_crypto_provider;
use client::{Client, Heard};
use patience::{Pause, parse_duration};

const AFTER_HELP: &str = "\
Examples:
  serinus wait --server https://serinus.example --pipeline checkout --stage stage_2 --key $BUILD_ID
  serinus wait --pipeline checkout --stage stage_2 --key 6d4f9.7 --control track=stable --canary track=canary

The first call starts the rollout, as every call of a gate does. Run it again with the same key to go
on waiting for the same rollout. What may pass (a refused connection, a time-out, 429, 5xx, a page
that is not JSON) is tried again until the time-out.

Exit codes: 0 promote, 1 rollback, 2 the time-out came on a hold, 3 usage or connection error,
130 SIGINT, 143 SIGTERM.";

/// The time-out came on a hold.
const HELD: u8 = 2;

/// A flag that cannot be used, a server that refuses, or none that answers.
pub(super) const COULD_NOT_ASK: u8 = 3;

const ROLLBACK: u8 = 1;
const INTERRUPTED: u8 = 130;
const TERMINATED: u8 = 143;

/// Longest time without a line on standard error: jobs that say nothing are killed.
const LONGEST_SILENCE: Duration = Duration::from_mins(1);

/// Wait until a gate says promote or rollback
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Arguments {
    /// Where Serinus is
    #[arg(
        long,
        value_name = "URL",
        env = "SERINUS_SERVER",
        default_value = "http://127.0.0.1:8080"
    )]
    server: String,

    /// The pipeline
    #[arg(long, value_name = "NAME")]
    pipeline: String,

    /// The stage
    #[arg(long, value_name = "ID")]
    stage: String,

    /// Names the rollout: the same key goes on with the same rollout
    #[arg(long, value_name = "KEY")]
    key: String,

    /// Selects the control, laid over the pipeline's own label by label: =, !=, =~ and !~; job!=
    /// takes a label away; may be given more than once
    #[arg(long, value_name = "LABEL=VALUE")]
    control: Vec<LabelText>,

    /// Selects the canary, in the same way
    #[arg(long, value_name = "LABEL=VALUE")]
    canary: Vec<LabelText>,

    /// How long to wait: 90s, 30m, 4h50m
    #[arg(long, value_name = "TIME", default_value = "5h", value_parser = parse_duration)]
    timeout: Duration,

    /// How often to ask
    #[arg(long, value_name = "TIME", default_value = "15s", value_parser = parse_duration)]
    poll: Duration,

    /// A file that holds the token; `SERINUS_TOKEN` may hold the token itself
    #[arg(long, value_name = "FILE", env = "SERINUS_TOKEN_FILE")]
    token_file: Option<PathBuf>,

    // Not a flag that is shown: the arguments of a process can be read by others.
    #[arg(long, env = "SERINUS_TOKEN", hide = true, hide_env_values = true)]
    token: Option<SecretString>,

    /// How the answer is written
    #[arg(long, value_enum, default_value_t)]
    output: output::Format,
}

/// The last line, for programs.
#[derive(Debug, Serialize)]
struct Ending<'a> {
    gate: &'a Gate,
    #[serde(skip_serializing_if = "Option::is_none")]
    status_url: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    true_verdict: Option<Verdict>,
    #[serde(skip_serializing_if = "Option::is_none")]
    true_reason: Option<&'a str>,
}

pub(super) fn run(arguments: &Arguments) -> Result<u8, Failure> {
    install_crypto_provider();
    let client = Client::new(arguments)?;
    boot::runtime_of_a_command()?.block_on(async {
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        tokio::select! {
            ended = wait(arguments, &client) => ended,
            _ = interrupt.recv() => Ok(INTERRUPTED),
            _ = terminate.recv() => Ok(TERMINATED),
        }
    })
}

async fn wait(arguments: &Arguments, client: &Client) -> Result<u8, Failure> {
    let ends_at = Instant::now() + arguments.timeout;
    let mut pause = Pause::new(arguments.poll);
    let mut last_said = String::new();
    let mut said_at = Instant::now();
    let mut last_hold = None;
    loop {
        // The first question is asked however short the time is.
        let heard = timeout_at(ends_at, client.ask()).await.ok();
        let said = match heard {
            Some(Heard::Verdict(answer)) => {
                let code = match answer.verdict {
                    Verdict::Promote => Some(0),
                    Verdict::Rollback => Some(ROLLBACK),
                    Verdict::Hold => None,
                };
                if let Some(code) = code {
                    tell(arguments, &answer);
                    return Ok(code);
                }
                let said = format!("hold: {} ({})", answer.gate.reason, answer.progress);
                last_hold = Some(answer);
                said
            }
            Some(Heard::Passing(message)) => {
                last_hold = None;
                format!("cannot ask, trying again: {message}")
            }
            Some(Heard::Refused(message)) => return Err(Failure(message)),
            None => last_said.clone(),
        };
        if said != last_said || said_at.elapsed() >= LONGEST_SILENCE {
            output::note(&said);
            said_at = Instant::now();
            last_said = said;
        }
        let asks_next_at = Instant::now() + pause.next();
        if asks_next_at >= ends_at {
            sleep(ends_at.saturating_duration_since(Instant::now())).await;
            break;
        }
        sleep(asks_next_at.saturating_duration_since(Instant::now())).await;
    }
    // The last answer decides: a hold is the server's word, an error is nobody's.
    match last_hold {
        Some(answer) => {
            tell(arguments, &answer);
            Ok(HELD)
        }
        None => Err(Failure(format!(
            "no verdict within {} s; the last try: {last_said}",
            arguments.timeout.as_secs()
        ))),
    }
}

/// The verdict and why. Of a dry run and a shadow stage the reason says what the checks say, too.
fn tell(arguments: &Arguments, answer: &GateAnswer) {
    let gate = &answer.gate;
    match arguments.output {
        output::Format::Text => {
            output::line(&format!("{}: {}", gate.verdict.name(), gate.reason));
        }
        output::Format::Json => {
            let ending = Ending {
                gate,
                status_url: answer.status_url.as_deref(),
                true_verdict: answer.true_verdict,
                true_reason: answer.true_reason.as_deref(),
            };
            output::line(&serde_json::to_string(&ending).unwrap_or_default());
        }
    }
}
