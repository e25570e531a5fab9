//! The flags of `serinus simulate rollout`.

use std::path::PathBuf;

use clap::Args;
use serinus_analysis::simulate::rollout::{Description, Law};

use super::super::super::output::Format;

const AFTER_HELP: &str = "\
Eight checks (errors and failed orders, latency p95 and p99, cpu, memory, queue, heap) judge a
canary through stages of 5, 20, 50 and 80 % of the traffic, 15 minutes each and at most 30, with
the code that judges real rollouts. What is drawn are the counts, buckets and gauges of each pod.

Laws: of a good version
  mild-noise              what pods do wanders by 8 %
  pods-differ-10, -20     and all that they do differs by 10 or 20 % from pod to pod
  counts-differ           and their failures and slow requests do by 20 %
  counts-differ-busy      the same with 2,000 requests a second in place of 200
  counts-differ-few-pods  the same with 1 1 2 3 pods beside 3 3 2 1, in place of 1 2 5 8 : 10 8 5 2
  strong-noise            what pods do wanders by 20 %
  bad-minutes             each pod fails and is slow three times as often for 3 of 40 minutes
of a bad one
  errors, errors-late     three times the failures, from the start or from minute 40
  slow, slow-late         one and a half times the latency, from the start or from minute 40
  slow-little-noise       the same where what pods do wanders by 2 %
  errors-counts-differ    three times the failures among pods that differ by 20 %
  slow-counts-differ      one and a half times the latency among them

The columns
  rolled back   and the median minute, of a fault since it began
  completed     through all stages, and the median minute
  stuck         held at the longest duration of a stage, in brackets by gauges alone
Below it what held most of them, and what the answer said to one.

Examples:
  serinus simulate rollout
  serinus simulate rollout --law slow,slow-little-noise --replicates 200
  serinus simulate rollout --law strong-noise --noise 0.3
  serinus simulate rollout --law slow --without-pods --output json

The same seed gives the same answer on any number of threads.

Exit codes: 0 done, and with --table nothing is worse than what the design has measured, 1 something
is or it cannot be simulated, 2 usage.";

/// Take whole rollouts with several kinds of checks to their end
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(in crate::cli) struct Arguments {
    /// Laws of rollouts, separated by commas [default: all]
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    law: Vec<Law>,
    /// Rollouts of each law
    #[arg(long, value_name = "COUNT", default_value_t = 100,
          value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    pub(super) replicates: u64,
    /// Seed of the random numbers
    #[arg(long, default_value_t = 1)]
    pub(super) seed: u64,
    /// Threads to work with [default: one a core]
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u16).range(1..=512))]
    pub(super) threads: Option<u16>,
    /// Judge as if pods told nothing of how much they differ (`pod_spread: off`)
    #[arg(long)]
    pub(super) without_pods: bool,
    /// How much what pods do wanders, in place of what the laws say: the standard deviation of the
    /// logarithm
    #[arg(long, value_name = "DEVIATION", value_parser = deviation)]
    pub(super) noise: Option<f64>,
    /// All laws, beside what the design has measured
    #[arg(long, conflicts_with_all = ["law", "noise"])]
    pub(super) table: bool,
    /// Put the table into this document too, between its marks
    #[arg(
        long,
        value_name = "FILE",
        requires = "table",
        conflicts_with = "without_pods"
    )]
    pub(super) write: Option<PathBuf>,
    /// The commit that the document names
    #[arg(long, value_name = "COMMIT", requires = "write")]
    pub(super) commit: Option<String>,
    /// How to write the answer
    #[arg(long, value_enum, value_name = "FORMAT", default_value = "text")]
    pub(super) output: Format,
}

/// From nothing to what no service does.
fn deviation(text: &str) -> Result<f64, String> {
    let number = text.parse::<f64>().ok();
    number
        .filter(|number| (0.0..=3.0).contains(number))
        .ok_or_else(|| "give a number from 0 to 3, such as 0.2".to_owned())
}

impl Arguments {
    /// What a law is made of, with what is asked for in its place.
    pub(super) fn description(&self, law: Law) -> Description {
        let usual = law.description();
        Description {
            noise: self.noise.unwrap_or(usual.noise),
            ..usual
        }
    }

    /// The laws that are asked for.
    pub(super) fn laws(&self) -> Vec<Law> {
        if self.law.is_empty() {
            Law::ALL.to_vec()
        } else {
            self.law.clone()
        }
    }
}
