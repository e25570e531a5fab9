//! `serinus simulate rollout`: whole rollouts with several kinds of checks, and how they end.

mod arguments;
mod document;
mod text;

use std::time::Duration;

use serde::Serialize;
use serinus_analysis::simulate::operating::Executor;
use serinus_analysis::simulate::rollout::{Differences, Figures, Law, Measured, Rollouts};
use tokio::time::Instant;

pub(in crate::cli) use arguments::Arguments;
use document::Making;

use super::super::output::{self, Format};
use super::super::{FAILED, Failure};
use super::threads::Threads;
use crate::clock::{Clock as _, SystemClock};
use crate::terminal;

/// What came of a law.
#[derive(Debug, Serialize)]
struct Row {
    law: &'static str,
    title: &'static str,
    #[serde(skip)]
    is_good: bool,
    #[serde(flatten)]
    measured: Measured,
    /// What the design has measured, with so many rollouts.
    target: Figures,
    target_replicates: u64,
    differences: Differences,
}

/// What was asked for, and what came of it.
#[derive(Debug, Serialize)]
struct Report {
    replicates: u64,
    seed: u64,
    pod_spread: bool,
    /// How much what pods do wanders, where that is not as the laws say.
    noise: Option<f64>,
    laws: Vec<Row>,
}

pub(super) fn run(arguments: &Arguments) -> Result<u8, Failure> {
    let threads = Threads::asked(arguments.threads);
    let laws = arguments.laws();
    let count = u64::try_from(laws.len()).unwrap_or(u64::MAX);
    threads.expect(count.saturating_mul(arguments.replicates));
    let begun = Instant::now();
    let report = simulate(arguments, &laws, &threads, |label| {
        threads.announce(label, 1);
    })?;
    // The line of progress goes before the answer comes.
    drop(threads);
    match arguments.output {
        Format::Json => output::line(&serde_json::to_string_pretty(&report)?),
        Format::Text => {
            let columns = usize::from(terminal::columns());
            output::line(&text::of(&report, arguments.table, columns));
        }
    }
    if let Some(path) = &arguments.write {
        let making = making(arguments, begun.elapsed());
        document::write(path, &report, &making)?;
    }
    let is_worse = report.laws.iter().any(|row| row.differences.is_worse);
    Ok(if arguments.table && is_worse {
        FAILED
    } else {
        0
    })
}

/// Goes through the laws, and tells which.
fn simulate(
    arguments: &Arguments,
    laws: &[Law],
    executor: &impl Executor,
    announce: impl Fn(String),
) -> Result<Report, Failure> {
    let pod_spread = !arguments.without_pods;
    let rollouts = Rollouts::new(pod_spread).map_err(|mistakes| {
        let told = mistakes.iter().map(|one| one.message.clone());
        Failure(told.collect::<Vec<_>>().join("\n"))
    })?;
    let (replicates, seed) = (arguments.replicates, arguments.seed);
    let mut rows = Vec::with_capacity(laws.len());
    for (index, &law) in laws.iter().enumerate() {
        announce(format!(
            "law {} of {}, {}",
            index + 1,
            laws.len(),
            law.name()
        ));
        let description = arguments.description(law);
        let measured = rollouts.measure(executor, description, (replicates, seed));
        let published = law.published();
        let target = if pod_spread {
            published.with
        } else {
            published.without
        };
        rows.push(Row {
            law: law.name(),
            title: law.title(),
            is_good: law.description().fault.is_none(),
            differences: Differences::of(law, &measured, target, published.replicates),
            measured,
            target,
            target_replicates: published.replicates,
        });
    }
    Ok(Report {
        replicates,
        seed,
        pod_spread,
        noise: arguments.noise,
        laws: rows,
    })
}

fn making(arguments: &Arguments, elapsed: Duration) -> Making {
    Making {
        date: SystemClock
            .now()
            .date()
            .map_or_else(String::new, |date| date.format("%Y-%m-%d").to_string()),
        commit: arguments.commit.clone(),
        elapsed,
    }
}

#[cfg(test)]
mod tests;
