//! `serinus demo`.

use std::net::SocketAddr;

use clap::Args;

use super::{FAILED, Failure};
use crate::boot;
use crate::config::{AllowedHosts, Openness, check_exposure};
use crate::demo::{DemoOptions, run as run_demo};
use crate::host::KnownHosts;

const AFTER_HELP: &str = "\
Two services roll out a new version through the seed's pipeline: checkout a good one, payments a
bad one. Each is a rollout whose gate is polled as Argo Rollouts would. The fleet is simulated behind
a Prometheus HTTP API; Serinus asks it as it would ask yours. Needs no network and nothing installed;
the store is a temporary file that is removed at the end.

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
    /// Where Serinus listens; another free port is taken when this one is in use
    #[arg(long, default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// Listen for everybody, also beyond this machine
    #[arg(long)]
    insecure: bool,
    /// Names by which it may be asked then, beside its address and localhost; '*' is any
    #[arg(long, value_name = "HOST,..")]
    allowed_hosts: Option<AllowedHosts>,
}

pub(super) fn run(arguments: &Arguments) -> Result<u8, Failure> {
    let openness = Openness {
        has_tokens: false,
        is_insecure: arguments.insecure,
        names_hosts: arguments.allowed_hosts.is_some(),
    };
    check_exposure(arguments.listen, openness)?;
    let known = KnownHosts::default().and_address(arguments.listen.ip());
    let hosts = match &arguments.allowed_hosts {
        Some(allowed) => allowed.add_to(known),
        None => known,
    };
    let options = DemoOptions {
        once: arguments.once,
        seed: arguments.seed,
        listen: arguments.listen,
        hosts,
    };
    let is_as_expected = boot::run_serving(run_demo(options, || Box::new(std::io::stdout())))?;
    Ok(if is_as_expected { 0 } else { FAILED })
}
