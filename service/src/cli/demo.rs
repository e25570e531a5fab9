//! `serinus demo`.

use std::io;
use std::net::SocketAddr;

use clap::Args;

use super::{FAILED, Failure};
use crate::config::{DEFAULT_LISTEN, LogArguments, LogFormat};
use crate::demo::{self, DemoOptions};
use crate::prometheus::install_crypto_provider;
use crate::telemetry;

const AFTER_HELP: &str = "\
Examples:
  serinus demo          # plays, then leaves Swagger UI up until Ctrl-C
  serinus demo --once   # ends after the play

Nothing else is needed: the fleet is simulated, behind a Prometheus API on this machine.

Exit codes: 0 promote for the good canary and rollback for the bad one, or ended by Ctrl-C,
1 anything else, 2 usage.";

/// Play a good and a bad canary on a simulated fleet
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Arguments {
    /// End after the play instead of leaving Swagger UI up
    #[arg(long)]
    once: bool,

    /// Seed of the simulated fleet: the same seed gives the same verdicts
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    seed: u64,

    /// Where to listen; a free port is taken when this one is not
    #[arg(long, value_name = "ADDRESS:PORT", env = "SERINUS_LISTEN", default_value = DEFAULT_LISTEN)]
    listen: SocketAddr,

    #[command(flatten)]
    log: LogArguments,
}

pub(super) fn run(arguments: &Arguments) -> Result<u8, Failure> {
    // Errors only: the table tells the rest.
    telemetry::start(
        arguments.log.log_format.unwrap_or(LogFormat::Text),
        arguments.log.log.as_deref().unwrap_or("error"),
    )?;
    install_crypto_provider();
    let options = DemoOptions {
        once: arguments.once,
        seed: arguments.seed,
        listen: arguments.listen,
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let as_expected = runtime.block_on(demo::run(options, || Box::new(io::stdout())))?;
    Ok(if as_expected { 0 } else { FAILED })
}
