//! The flags of `serinus simulate`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use serinus_analysis::simulate::operating::{Looks, NoiseLaw, Row};

const AFTER_HELP: &str = "\
Simulates thousands of rollouts whose truth is known and lets a method judge them, with the
code that judges real ones. A canary with effect 1 is as good as the control: each rollback of
it is false.

The columns
  false rollback   rollouts rolled back although the canary kept its limit until then
  detected         rollouts rolled back for a violation that was there
  delay            median number of intervals (30 s) from the onset to the rollback
  fixed            the yardstick: intervals that a test of level 1 % and power 90 % needs that
                   looks once, at a time chosen by somebody who knows the truth
  promoted         rollouts in which the canary was shown to be within the margin
  after            median number of intervals until then
Shares have their standard error, or in brackets what they are at most (95 %) when nothing
happened.

Noise is what the failure rate of each population does by itself
  iid              nothing: requests fail independently
  beta:0.5         a new rate in every interval, with a coefficient of variation of 0.5
  ar:0.8,0.3       a rate that drifts: correlation 0.8 between intervals, variation 0.3
  bursts           twenty times the failures in 2 % of the intervals

Examples:
  serinus simulate
  serinus simulate --method sequential,wilson,kayenta,gate --noise beta:0.5 --history 4h
  serinus simulate --base-rate 1e-4 --requests-per-interval 1500 --effect 1,5,10
  serinus simulate --share 0.01,0.05,0.25,0.5 --effect 3 --onset 360
  serinus simulate --row false-rollbacks --replicates 1000
  serinus simulate --table --output json
  serinus simulate rollout --law mild-noise,slow

The same seed gives the same answer on any number of threads.

Exit codes: 0 done, and with --table or --row every target is met, 1 a target is missed or it
cannot be simulated, 2 usage.";

/// Measure how often a method of judging is wrong, and how long it takes to be right
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP, args_conflicts_with_subcommands = true)]
pub(in crate::cli) struct Arguments {
    /// What else is simulated
    #[command(subcommand)]
    pub(super) what: Option<What>,
    /// Methods of judging, separated by commas
    #[arg(
        long,
        value_enum,
        value_name = "METHODS",
        value_delimiter = ',',
        default_value = "sequential"
    )]
    pub(super) method: Vec<MethodName>,
    /// The control's mean failure rate
    #[arg(long, value_name = "RATE", default_value_t = 0.001)]
    pub(super) base_rate: f64,
    /// The canary's share of the traffic; several make a ramp of equally long stages
    #[arg(
        long,
        value_name = "SHARES",
        value_delimiter = ',',
        default_value = "0.1"
    )]
    pub(super) share: Vec<f64>,
    /// Requests of both populations in an interval of 30 s
    #[arg(long, value_name = "COUNT", default_value_t = 30_000)]
    pub(super) requests_per_interval: u64,
    /// Length of the rollout, in intervals of 30 s
    #[arg(long, value_name = "COUNT", default_value_t = 480)]
    pub(super) intervals: usize,
    /// Noise of each population: iid, beta:VARIATION, ar:CORRELATION,VARIATION, bursts
    #[arg(long, value_name = "NOISE", default_value = "iid")]
    pub(super) noise: NoiseLaw,
    /// How long the noise was measured before the rollout, control against control
    #[arg(long, value_enum, value_name = "LENGTH", default_value = "none")]
    pub(super) history: HistoryLength,
    /// The canary's failure rate over the control's, once it is worse; several make several rows
    #[arg(
        long,
        value_name = "RATIOS",
        value_delimiter = ',',
        default_value = "1,2,5"
    )]
    pub(super) effect: Vec<f64>,
    /// Intervals before the effect begins
    #[arg(long, value_name = "COUNT", default_value_t = 0)]
    pub(super) onset: usize,
    /// The limit that is judged: `error_rate < baseline * RATIO`
    #[arg(long, value_name = "RATIO", default_value_t = 1.0)]
    pub(super) ratio: f64,
    /// The ratio that a promotion must show the canary to be within [default: max(2, 1.25 * ratio)]
    #[arg(long, value_name = "RATIO")]
    pub(super) margin: Option<f64>,
    /// Largest failure rate in an interval that passes the gate [default: twice the base rate]
    #[arg(long, value_name = "RATE")]
    pub(super) gate_limit: Option<f64>,
    /// When somebody asks: every, once (at the end), or every so many intervals [default: every;
    /// kayenta: once]
    #[arg(long, value_name = "LOOKS")]
    pub(super) looks: Option<Looks>,
    /// Rollouts in each row
    #[arg(long, value_name = "COUNT", default_value_t = 300,
          value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    pub(super) replicates: u64,
    /// Seed of the random numbers
    #[arg(long, default_value_t = 1)]
    pub(super) seed: u64,
    /// Threads to work with [default: one a core]
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u16).range(1..=512))]
    pub(super) threads: Option<u16>,
    /// Measure the whole table of docs/operating-characteristics.md; only --replicates, --seed,
    /// --threads, --output and --write apply
    #[arg(long, conflicts_with = "row")]
    pub(super) table: bool,
    /// Measure some rows of that table, separated by commas
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub(super) row: Vec<Row>,
    /// Put the table into this document too, between its marks
    #[arg(long, value_name = "FILE", requires = "table")]
    pub(super) write: Option<PathBuf>,
    /// The commit that the document names
    #[arg(long, value_name = "COMMIT", requires = "write")]
    pub(super) commit: Option<String>,
    /// How to write the answer
    #[arg(long, value_enum, value_name = "FORMAT", default_value = "text")]
    pub(super) output: super::super::output::Format,
}

/// What else is simulated.
#[derive(Debug, Subcommand)]
pub(in crate::cli) enum What {
    Rollout(super::rollout::Arguments),
}

/// A method on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum MethodName {
    /// Evidence that polling cannot break: the default of the service
    Sequential,
    /// 99 % Wilson intervals of all requests so far that do not overlap
    Wilson,
    /// Kayenta's rank test over the intervals
    Kayenta,
    /// A threshold on the newest interval
    Gate,
}

impl MethodName {
    pub(super) fn text(self) -> &'static str {
        match self {
            Self::Sequential => "sequential",
            Self::Wilson => "wilson",
            Self::Kayenta => "kayenta",
            Self::Gate => "gate",
        }
    }
}

/// A length of the history.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum HistoryLength {
    /// No history
    None,
    /// Four hours
    #[value(name = "4h")]
    FourHours,
    /// A day
    #[value(name = "24h")]
    Day,
}

impl HistoryLength {
    pub(super) fn text(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::FourHours => "4h",
            Self::Day => "24h",
        }
    }
}
