//! `serinus demo`.

use std::net::SocketAddr;

use clap::Args;

use super::{FAILED, Failure};
use crate::boot;
use crate::config::{
    AllowedHosts, DEFAULT_LISTEN, LogFilterArgument, LogFormat, Openness, check_exposure,
};
use crate::demo::{DemoOptions, Screen, run as run_demo};
use crate::host::KnownHosts;
use crate::{telemetry, terminal};

/// Of the log: what somebody must act on. All else is told on the screen.
const USUAL_LOG: &str = "error";

const AFTER_HELP: &str = "\
Two services roll out a new version through the nine stages of pipelines/canary_pipeline.yaml:
checkout a good one, payments a bad one. Each is a rollout whose gate is polled as Argo Rollouts
would. The fleet is simulated behind a Prometheus HTTP API; Serinus asks it as it would ask yours, and
judges each interval of 30 s of its clock. Needs no network and nothing installed; the store is a
temporary file that is removed at the end.

Examples:
  serinus demo                 plays, then leaves Swagger UI up until Ctrl-C
  serinus demo --once          ends after the play
  serinus demo --seed 7        another fleet

Exit codes: 0 the good canary was promoted and the bad one rolled back, 1 not so, 2 usage.";

/// Play a good and a bad canary on a simulated fleet, with Swagger UI to explore
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Arguments {
    /// End after the play instead of leaving Swagger UI up
    #[arg(long)]
    once: bool,
    /// Seed of the simulated fleet: the same seed gives the same verdicts
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How often a gate is asked in the duration of its stage [default: every minute]
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..=1_000))]
    polls_per_stage: Option<u32>,
    /// Where Serinus listens [default: 127.0.0.1:8080, or a free port where that is taken]
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
    /// Listen for everybody, also beyond this machine
    #[arg(long)]
    insecure: bool,
    /// Names by which it may be asked then, beside its address and localhost; '*' is any
    #[arg(long, value_name = "HOST,..")]
    allowed_hosts: Option<AllowedHosts>,
    #[command(flatten)]
    log: LogFilterArgument,
}

pub(super) fn run(arguments: &Arguments) -> Result<u8, Failure> {
    let openness = Openness {
        has_tokens: false,
        is_insecure: arguments.insecure,
        names_hosts: arguments.allowed_hosts.is_some(),
    };
    let listen = match arguments.listen {
        Some(address) => address,
        None => DEFAULT_LISTEN.parse()?,
    };
    check_exposure(listen, openness).map_err(|_exposed| {
        Failure(format!(
            "cannot listen on {listen} for everybody: the demo knows no tokens; listen on 127.0.0.1, \
             or say --insecure, and with --allowed-hosts by which names it is asked"
        ))
    })?;
    let known = KnownHosts::default().and_address(listen.ip());
    let hosts = match &arguments.allowed_hosts {
        Some(allowed) => allowed.add_to(known),
        None => known,
    };
    let log = arguments.log.log.as_deref().unwrap_or(USUAL_LOG);
    telemetry::start(LogFormat::Text, log)?;
    let options = DemoOptions {
        once: arguments.once,
        seed: arguments.seed,
        polls_per_stage: arguments.polls_per_stage,
        listen,
        takes_a_free_port: arguments.listen.is_none(),
        hosts,
    };
    let screen = Screen::new(Box::new(anstream::stdout()), terminal::columns());
    let is_as_expected = boot::run_serving(run_demo(options, screen))?;
    Ok(if is_as_expected { 0 } else { FAILED })
}
