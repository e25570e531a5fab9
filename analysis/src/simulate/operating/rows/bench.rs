//! What the rows have in common.

use super::super::error::OperatingError;
use super::super::executor::Executor;
use super::super::experiment::{Experiment, Promotion, measure};
use super::super::looks::Looks;
use super::super::measured::{Characteristics, Share};
use super::super::method::Method;
use super::super::noise::NoiseLaw;
use super::super::scenario::{HistoryWindow, Scenario, ScenarioDescription};
use super::{Line, Target};
use crate::interval::Confidence;

/// Requests of both populations in an interval of 30 s: 1000 and 50 a second.
pub(super) const REQUESTS: u64 = 30_000;
pub(super) const LOW_REQUESTS: u64 = 1_500;
/// Longest rollout, in intervals: four hours.
pub(super) const INTERVALS: usize = 480;
/// The rollouts of the harder noise laws: two hours.
pub(super) const SHORT_INTERVALS: usize = 240;
/// Lengths of the history, in intervals.
pub(super) const FOUR_HOURS: usize = 480;
pub(super) const ONE_DAY: usize = 2880;

/// Beta noise with a coefficient of variation of 0.5.
pub(super) const BETA: NoiseLaw = NoiseLaw::BetaBinomial { variation: 0.5 };

/// Runs the cells of a row.
#[derive(Debug)]
pub(super) struct Bench<'a, E> {
    pub(super) executor: &'a E,
    pub(super) replicates: u64,
    pub(super) seed: u64,
}

impl<E: Executor> Bench<'_, E> {
    /// The characteristics of a method that judges `error_rate < baseline * ratio`, looked at after every interval.
    pub(super) fn measure(
        &self,
        description: ScenarioDescription,
        ratio: f64,
        method: Method,
        promotion: Promotion,
    ) -> Result<Characteristics, OperatingError> {
        let scenario = Scenario::new(description)?;
        let experiment =
            Experiment::new(scenario, ratio, method, Looks::EVERY_INTERVAL, promotion)?;
        Ok(self.run(&experiment))
    }

    /// The sequential method against `error_rate < baseline * ratio`.
    pub(super) fn sequential(
        &self,
        description: ScenarioDescription,
        ratio: f64,
    ) -> Result<Characteristics, OperatingError> {
        self.measure(description, ratio, Method::Sequential, Promotion::No)
    }

    /// The shares of false rollbacks of the sequential method, by cell.
    pub(super) fn false_rollbacks(
        &self,
        cells: impl IntoIterator<Item = ScenarioDescription>,
        ratio: f64,
    ) -> Result<Vec<Share>, OperatingError> {
        cells
            .into_iter()
            .map(|cell| Ok(self.sequential(cell, ratio)?.false_rollback))
            .collect()
    }

    /// The share of false rollbacks of each of the peers, over the cells: Wilson intervals of 99 % and a
    /// gate at twice the base rate, looked at after every interval, and Kayenta at the end.
    pub(super) fn peers(
        &self,
        name: &str,
        cells: &[ScenarioDescription],
    ) -> Result<Vec<Line>, OperatingError> {
        let confidence = Confidence::new(0.99)?;
        let mut shares = [Vec::new(), Vec::new(), Vec::new()];
        for cell in cells {
            let gate = Method::ThresholdGate {
                limit: 2.0 * cell.base_rate,
            };
            let peers = [
                (Method::Wilson { confidence }, Looks::EVERY_INTERVAL),
                (gate, Looks::EVERY_INTERVAL),
                (Method::Kayenta, Looks::Once),
            ];
            for (of_peer, (method, looks)) in shares.iter_mut().zip(peers) {
                let scenario = Scenario::new(cell.clone())?;
                let experiment = Experiment::new(scenario, 1.0, method, looks, Promotion::No)?;
                of_peer.push(self.run(&experiment).false_rollback);
            }
        }
        let names = [
            "Wilson 99 % polled",
            "gate at twice the base rate, polled",
            "Kayenta at the end",
        ];
        Ok(names
            .iter()
            .zip(&shares)
            .map(|(peer, shares)| {
                let quantity = format!("false rollback, {name}, {peer}");
                Line::worst(quantity, shares, Target::Report)
            })
            .collect())
    }

    fn run(&self, experiment: &Experiment) -> Characteristics {
        measure(self.executor, experiment, self.replicates, self.seed)
    }
}

/// The nine cells: base rates 1e-4, 1e-3, 1e-2 by shares 1, 10, 50 %.
pub(super) fn nine_cells(requests: u64, noise: NoiseLaw) -> Vec<ScenarioDescription> {
    let mut cells = Vec::new();
    for base_rate in [1e-4, 1e-3, 1e-2] {
        for share in [0.01, 0.1, 0.5] {
            cells.push(cell(base_rate, share, requests, INTERVALS, noise));
        }
    }
    cells
}

/// One stage of a canary that is as good as the control.
pub(super) fn cell(
    base_rate: f64,
    share: f64,
    requests: u64,
    intervals: usize,
    noise: NoiseLaw,
) -> ScenarioDescription {
    ScenarioDescription {
        noise,
        ..ScenarioDescription::constant(base_rate, share, requests, intervals)
    }
}

/// The cell with a history of its own share and noise.
pub(super) fn with_history(cell: &ScenarioDescription, intervals: usize) -> ScenarioDescription {
    let share = cell.stages.first().map_or(0.5, |stage| stage.share);
    with_history_at(cell, intervals, share)
}

/// The cell with a history in which the group that plays the canary has this share.
pub(super) fn with_history_at(
    cell: &ScenarioDescription,
    intervals: usize,
    share: f64,
) -> ScenarioDescription {
    ScenarioDescription {
        history: Some(HistoryWindow {
            intervals,
            share,
            noise: cell.noise,
        }),
        ..cell.clone()
    }
}

/// All cells with a history of four hours.
pub(super) fn all_with_history(cells: &[ScenarioDescription]) -> Vec<ScenarioDescription> {
    cells
        .iter()
        .map(|cell| with_history(cell, FOUR_HOURS))
        .collect()
}

/// The cell with a canary that is worse from an interval on.
pub(super) fn with_effect(
    cell: &ScenarioDescription,
    effect: f64,
    onset: usize,
) -> ScenarioDescription {
    ScenarioDescription {
        effect,
        onset,
        ..cell.clone()
    }
}
