//! `serinus simulate`.

mod arguments;
mod marks;
mod report;
mod rollout;
mod table;
mod threads;

use serinus_analysis::interval::Confidence;
use serinus_analysis::sequential::default_promotion_ratio;
use serinus_analysis::simulate::operating::{
    Executor, Experiment, HistoryWindow, INTERVALS_PER_HOUR, Looks, Method, Promotion, Scenario,
    ScenarioDescription, StageDescription, fixed_horizon_intervals, measure,
};

pub(super) use arguments::Arguments;
use arguments::{HistoryLength, MethodName, What};
use report::{Cell, Report};
use threads::Counted;
pub(super) use threads::Threads;

use super::Failure;

pub(super) fn run(arguments: &Arguments) -> Result<u8, Failure> {
    if let Some(What::Rollout(rollout)) = &arguments.what {
        return rollout::run(rollout);
    }
    let threads = Threads::asked(arguments.threads);
    if arguments.table || !arguments.row.is_empty() {
        return table::run(arguments, threads);
    }
    let counted = Counted::default();
    simulate(arguments, &counted, |_label| {})?;
    threads.expect(counted.count());
    let report = simulate(arguments, &threads, |label| threads.announce(label, 1))?;
    // The line of progress goes before the answer comes.
    drop(threads);
    report.print(arguments.output)?;
    Ok(0)
}

/// Runs every method on every effect, and tells which.
fn simulate(
    arguments: &Arguments,
    executor: &impl Executor,
    announce: impl Fn(String),
) -> Result<Report, Failure> {
    let mut cells = Vec::new();
    for &effect in &arguments.effect {
        let scenario = scenario(arguments, effect)?;
        let fixed_horizon = if effect > arguments.ratio {
            announce(format!("fixed-horizon test, effect {effect}"));
            let without = self::scenario(arguments, arguments.ratio)?;
            let (replicates, seed) = (arguments.replicates, arguments.seed);
            fixed_horizon_intervals(executor, &without, &scenario, replicates, seed)
        } else {
            None
        };
        for &name in &arguments.method {
            announce(format!("{}, effect {effect}", name.text()));
            let looks = looks(arguments, name);
            let method = method(arguments, name)?;
            let promotion = match name {
                MethodName::Sequential => Promotion::Within(margin(arguments)),
                _ => Promotion::No,
            };
            let experiment =
                Experiment::new(scenario.clone(), arguments.ratio, method, looks, promotion)?;
            let measured = measure(executor, &experiment, arguments.replicates, arguments.seed);
            cells.push(Cell {
                method: name.text(),
                looks: looks.to_string(),
                effect,
                fixed_horizon_intervals: fixed_horizon,
                characteristics: measured,
            });
        }
    }
    Ok(Report::new(arguments, margin(arguments), cells))
}

fn scenario(arguments: &Arguments, effect: f64) -> Result<Scenario, Failure> {
    let stages = stages(&arguments.share, arguments.intervals);
    let first_share = arguments.share.first().copied().unwrap_or(0.5);
    let hours = match arguments.history {
        HistoryLength::None => None,
        HistoryLength::FourHours => Some(4),
        HistoryLength::Day => Some(24),
    };
    let description = ScenarioDescription {
        base_rate: arguments.base_rate,
        requests_per_interval: arguments.requests_per_interval,
        stages,
        noise: arguments.noise,
        effect,
        onset: arguments.onset,
        history: hours.map(|hours| HistoryWindow {
            intervals: hours * INTERVALS_PER_HOUR,
            share: first_share,
            noise: arguments.noise,
        }),
    };
    Ok(Scenario::new(description)?)
}

/// The shares in equal parts of the time; what is left over goes to the last.
fn stages(shares: &[f64], intervals: usize) -> Vec<StageDescription> {
    let length = intervals / shares.len().max(1);
    let last = shares.len().saturating_sub(1);
    shares
        .iter()
        .enumerate()
        .map(|(index, &share)| StageDescription {
            share,
            intervals: if index == last {
                intervals - length * last
            } else {
                length
            },
        })
        .collect()
}

/// Kayenta looks once by default, everybody else after every interval.
fn looks(arguments: &Arguments, name: MethodName) -> Looks {
    arguments.looks.unwrap_or(match name {
        MethodName::Kayenta => Looks::Once,
        _ => Looks::EVERY_INTERVAL,
    })
}

fn margin(arguments: &Arguments) -> f64 {
    let default = default_promotion_ratio(arguments.ratio);
    arguments.margin.unwrap_or(default)
}

fn method(arguments: &Arguments, name: MethodName) -> Result<Method, Failure> {
    Ok(match name {
        MethodName::Sequential => Method::Sequential,
        MethodName::Wilson => Method::Wilson {
            confidence: Confidence::new(0.99)?,
        },
        MethodName::Kayenta => Method::Kayenta,
        MethodName::Gate => Method::ThresholdGate {
            limit: arguments.gate_limit.unwrap_or(2.0 * arguments.base_rate),
        },
    })
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroUsize;

    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Command {
        #[command(flatten)]
        arguments: Arguments,
    }

    fn arguments(flags: &[&str]) -> Arguments {
        let all = ["simulate"].iter().chain(flags);
        Command::try_parse_from(all).unwrap().arguments
    }

    fn json(flags: &[&str], threads: usize) -> String {
        let threads = Threads::new(NonZeroUsize::new(threads).unwrap());
        let report = simulate(&arguments(flags), &threads, |_label| {}).unwrap();
        serde_json::to_string(&report).unwrap()
    }

    #[test]
    fn a_ramp_fills_the_time() {
        let lengths = |shares: &[f64], intervals| -> Vec<usize> {
            let stages = stages(shares, intervals);
            stages.iter().map(|stage| stage.intervals).collect()
        };
        assert_eq!(lengths(&[0.01, 0.1, 0.5], 10), [3, 3, 4]);
        assert_eq!(lengths(&[0.1], 480), [480]);
        assert_eq!(lengths(&[], 480), [0_usize; 0]);
    }

    #[test]
    fn a_seed_gives_one_answer_on_any_number_of_threads() {
        let flags = [
            "--method=sequential,wilson,kayenta,gate",
            "--noise=ar:0.8,0.3",
            "--history=4h",
            "--share=0.05,0.5",
            "--intervals=40",
            "--replicates=20",
        ];
        let alone = json(&flags, 1);
        assert_eq!(json(&flags, 3), alone);
        let mut other = flags.to_vec();
        other.push("--seed=2");
        assert_ne!(json(&other, 1), alone);
    }

    #[test]
    fn kayenta_looks_once_unless_told_otherwise() {
        let looks = |flags: &[&str], name| looks(&arguments(flags), name).to_string();
        assert_eq!(looks(&[], MethodName::Kayenta), "once");
        assert_eq!(looks(&[], MethodName::Gate), "every");
        assert_eq!(looks(&["--looks=10"], MethodName::Kayenta), "10");
    }

    #[test]
    fn what_cannot_be_simulated_is_said() {
        let threads = Threads::new(NonZeroUsize::MIN);
        for flags in [
            &["--share=1.5"][..],
            &["--base-rate=0"],
            &["--onset=480"],
            &["--margin=1"],
            &["--method=gate", "--gate-limit=2"],
        ] {
            let Failure(message) = simulate(&arguments(flags), &threads, |_label| {}).unwrap_err();
            assert!(message.starts_with("cannot "), "{message}");
        }
    }
}
