//! A method that judges rollouts of a scenario.

use super::error::{OperatingError, within};
use super::executor::Executor;
use super::looks::Looks;
use super::measured::{Characteristics, Share, median};
use super::method::{Judge, Method};
use super::replay::Replay;
use super::scenario::{Rollout, Scenario};
use super::walk::is_shown;
use crate::proof::{Kept, Promotion as Shown};
use crate::sequential::{RelativeLimit, Side};

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
    rollback: Judge,
    promotion: Option<Shown>,
    limit: RelativeLimit,
}

/// What may be concluded besides a rollback.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Promotion {
    /// Nothing.
    No,
    /// That the canary is within `baseline * margin`, and nothing beyond its limit is visible, by the sequential
    /// method, in the last stage.
    Within(f64),
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
        let rollback = method.judge(ratio)?;
        let promotion = match promotion {
            Promotion::No => None,
            Promotion::Within(margin) => {
                within("a margin", margin, margin > 1.0, "above 1")?;
                let limit = RelativeLimit::new(margin, 0.0, Side::Below)?;
                Some(Shown::new(Kept::Relative(limit)))
            }
        };
        Ok(Self {
            scenario,
            looks,
            ratio,
            rollback,
            promotion,
            limit: RelativeLimit::new(ratio, 0.0, Side::Above)?,
        })
    }

    /// The scenario.
    pub fn scenario(&self) -> &Scenario {
        &self.scenario
    }

    /// Returns what comes of one replicate.
    pub fn replicate(&self, seed: u64, index: u64) -> Outcome {
        let rollout = self.scenario.rollout(seed, index);
        let shown = self.promotion.as_ref();
        Outcome {
            rolled_back_at: self.rollback.rolled_back_at(&rollout, self.looks),
            promoted_after: shown.and_then(|shown| self.promoted_after(shown, &rollout)),
        }
    }

    fn promoted_after(&self, shown: &Shown, rollout: &Rollout) -> Option<usize> {
        let mut shown = shown.clone();
        let all = rollout.intervals.len();
        let before = all - rollout.stages.last().copied().unwrap_or(all);
        let mut replay = Replay::new(self.limit, rollout);
        for (interval, counts) in (1..).zip(&rollout.intervals) {
            replay.push(counts);
            let member = replay.member()?;
            if interval <= before {
                continue;
            }
            member.stream.push_into(&mut shown, &[(*counts).into()]);
            if self.looks.includes(interval, all) && is_shown(member, &shown) {
                return Some(interval - before);
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
