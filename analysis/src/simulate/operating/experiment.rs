//! A method that judges rollouts of a scenario.

use super::error::OperatingError;
use super::executor::Executor;
use super::looks::Looks;
use super::measured::{Characteristics, Share, median};
use super::method::{Judge, Method};
use super::scenario::{Rollout, Scenario};
use crate::sequential::{ErrorRate, NoiseState, RelativeCompliance, RelativeLimit, Side};

/// What came of one rollout. Rollback and promotion are found apart from each other: neither ends the
/// rollout for the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outcome {
    /// The interval, counted from 1, of the look at which it was rolled back.
    pub rolled_back_at: Option<usize>,
    /// Intervals from the start of the last stage to the first look at which the canary was shown to
    /// be within the limit.
    pub promoted_after: Option<usize>,
}

/// A method that judges rollouts of a scenario.
#[derive(Debug, Clone)]
pub struct Experiment {
    scenario: Scenario,
    looks: Looks,
    ratio: f64,
    rollback: Option<Judge>,
    promotion: Option<RelativeCompliance>,
}

/// What may be concluded besides a rollback.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Promotion {
    /// Nothing.
    No,
    /// That the canary is within `baseline * margin`, by the sequential method, in the last stage.
    Within(f64),
    /// The same, without asking for a rollback at all: four times faster.
    OnlyWithin(f64),
}

impl Experiment {
    /// Returns the experiment: the method judges `error_rate < baseline * ratio`. What it does to a
    /// canary within that limit is false, whether or not the method has the same limit in mind.
    ///
    /// # Errors
    ///
    /// [`OperatingError`] where the method refuses its limit, or a promotion its ratio.
    pub fn new(
        scenario: Scenario,
        ratio: f64,
        method: Method,
        looks: Looks,
        promotion: Promotion,
    ) -> Result<Self, OperatingError> {
        let judge = method.judge(ratio)?;
        let (rollback, margin) = match promotion {
            Promotion::No => (Some(judge), None),
            Promotion::Within(margin) => (Some(judge), Some(margin)),
            Promotion::OnlyWithin(margin) => (None, Some(margin)),
        };
        let compliance = |margin| {
            let limit = RelativeLimit::new(margin, 0.0, Side::Below)?;
            RelativeCompliance::new(limit, scenario.last_stage_start())
        };
        let promotion = margin.map(compliance).transpose()?;
        Ok(Self {
            scenario,
            looks,
            ratio,
            rollback,
            promotion,
        })
    }

    /// The scenario.
    pub fn scenario(&self) -> &Scenario {
        &self.scenario
    }

    /// Returns what comes of one replicate.
    pub fn replicate(&self, seed: u64, index: u64) -> Outcome {
        let rollout = self.scenario.rollout(seed, index);
        let judge = self.rollback.as_ref();
        let compliance = self.promotion.as_ref();
        Outcome {
            rolled_back_at: judge.and_then(|judge| judge.rolled_back_at(&rollout, self.looks)),
            promoted_after: compliance.and_then(|start| self.promoted_after(start, &rollout)),
        }
    }

    fn promoted_after(&self, start: &RelativeCompliance, rollout: &Rollout) -> Option<usize> {
        let mut compliance = start.clone();
        let stage_start = compliance.stage_start();
        let mut noise = NoiseState::relative(rollout.history.clone());
        for (interval, counts) in (1..).zip(&rollout.intervals) {
            noise.push(counts);
            if interval <= stage_start {
                continue;
            }
            compliance.push(counts);
            if self.looks.includes(interval, rollout.intervals.len())
                && compliance.is_shown(&noise, ErrorRate::PROMOTION)
            {
                return Some(interval - stage_start);
            }
        }
        None
    }

    /// Returns what the outcomes of many replicates say about the method.
    pub fn characteristics(&self, outcomes: &[Outcome]) -> Characteristics {
        let description = self.scenario.description();
        let is_violation = description.effect > self.ratio;
        let onset = if is_violation {
            description.onset
        } else {
            usize::MAX
        };
        let is_false = |outcome: &Outcome| outcome.rolled_back_at.is_some_and(|at| at <= onset);
        let is_detected = |outcome: &Outcome| outcome.rolled_back_at.is_some_and(|at| at > onset);
        let delays: Vec<Option<usize>> = outcomes
            .iter()
            .filter(|outcome| !is_false(outcome))
            .map(|outcome| outcome.rolled_back_at.map(|at| at - onset))
            .collect();
        let promotions: Vec<Option<usize>> = outcomes
            .iter()
            .map(|outcome| outcome.promoted_after)
            .collect();
        let can_promote = self.promotion.is_some();
        Characteristics {
            false_rollback: Share::counted(outcomes, is_false),
            detected: is_violation.then(|| Share::counted(outcomes, is_detected)),
            median_delay: is_violation.then(|| median(&delays)).flatten(),
            promoted: can_promote.then(|| Share::counted(&promotions, Option::is_some)),
            median_to_promote: median(&promotions),
        }
    }
}

/// Runs an experiment many times and returns its operating characteristics.
pub fn measure(
    executor: &impl Executor,
    experiment: &Experiment,
    replicates: u64,
    seed: u64,
) -> Characteristics {
    let outcomes = executor.map(replicates, |index| experiment.replicate(seed, index));
    experiment.characteristics(&outcomes)
}
