//! What the tables have in common.

use super::super::executor::Executor;
use super::super::gauges::{GaugeOutcome, GaugeTrial};
use super::super::latency::LatencyTrial;
use super::super::measured::Share;
use super::super::trial::{Outcome, Trial};
use super::line::{Known, Line, MINUTES, Published, Unit};

/// Runs the cells of a table.
#[derive(Debug)]
pub(super) struct Bench<'a, E> {
    pub(super) executor: &'a E,
    pub(super) replicates: u64,
    pub(super) seed: u64,
}

impl<E: Executor> Bench<'_, E> {
    /// The same with a part of the rollouts, where each takes long: at least so many, unless fewer are asked for.
    pub(super) fn part(&self, part: u64, least: u64) -> Self {
        Self {
            executor: self.executor,
            replicates: (self.replicates / part).max(least.min(self.replicates)),
            seed: self.seed,
        }
    }

    /// What comes of the replicates of a trial.
    pub(super) fn run(&self, trial: &Trial) -> Vec<Outcome> {
        let seed = self.seed;
        let outcomes = self
            .executor
            .map(self.replicates, |index| trial.replicate(seed, index));
        outcomes.into_iter().flatten().collect()
    }

    /// What comes of the replicates of a trial of latency.
    pub(super) fn run_latency(&self, trial: &LatencyTrial) -> Vec<Outcome> {
        let seed = self.seed;
        let outcomes = self
            .executor
            .map(self.replicates, |index| trial.replicate(seed, index));
        outcomes.into_iter().flatten().collect()
    }

    /// What comes of the replicates of a trial of a gauge.
    pub(super) fn run_gauge(&self, trial: &GaugeTrial) -> Vec<GaugeOutcome> {
        let seed = self.seed;
        self.executor
            .map(self.replicates, |index| trial.replicate(seed, index))
    }

    /// How many of them were rolled back.
    pub(super) fn rolled_back(&self, trial: &Trial) -> Share {
        Share::counted(&self.run(trial), |one| one.rolled_back_at.is_some())
    }

    /// The line of how many of them were.
    pub(super) fn false_rollbacks(
        &self,
        quantity: impl Into<String>,
        trial: &Trial,
        published: impl Into<Published>,
        known: Known,
    ) -> Line {
        Line::percent(quantity, self.rolled_back(trial), published.into(), known)
    }
}

/// Those that were rolled back after an onset.
pub(super) fn found(outcomes: &[Outcome]) -> Share {
    Share::counted(outcomes, |one| one.rolled_back_at.is_some())
}

/// Those that were passed.
pub(super) fn completed(outcomes: &[Outcome]) -> Share {
    Share::counted(outcomes, |one| one.completed_at.is_some())
}

/// The line of the median time from an onset to the rollback, in minutes, over those that were not rolled back
/// before it.
pub(super) fn minutes(
    quantity: impl Into<String>,
    outcomes: &[Outcome],
    onset: usize,
    published: impl Into<Published>,
    known: Known,
) -> Line {
    let times = delays(outcomes, onset);
    let unit = (Unit::Minutes, MINUTES);
    Line::median_of(quantity, &times, unit, published.into(), known)
}

/// The same, over those that were rolled back after it.
pub(super) fn minutes_of_found(
    quantity: impl Into<String>,
    outcomes: &[Outcome],
    onset: usize,
    published: impl Into<Published>,
    known: Known,
) -> Line {
    let mut times = delays(outcomes, onset);
    times.retain(Option::is_some);
    let unit = (Unit::Minutes, MINUTES);
    Line::median_of(quantity, &times, unit, published.into(), known)
}

/// The times from an onset to the rollback, of those that were not rolled back before it.
pub(super) fn delays(outcomes: &[Outcome], onset: usize) -> Vec<Option<usize>> {
    let times = outcomes.iter().map(|one| one.rolled_back_at);
    let after = times.filter(|at| at.is_none_or(|at| at > onset));
    after.map(|at| at.map(|at| at - onset)).collect()
}
