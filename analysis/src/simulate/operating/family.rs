//! Many checks on one rollout, under one budget.

use super::error::OperatingError;
use super::executor::Executor;
use super::looks::Looks;
use super::measured::{Share, median};
use super::method::{Judge, Method};
use super::scenario::{Rollout, Scenario};
use crate::interval::Confidence;
use crate::sequential::{
    ErrorRate, EvidenceConfig, RelativeEvidence, RelativeLimit, Side, WeightedEvidence,
    combined_log_evidence,
};

/// Checks of equal weight on one rollout, of which at most one is beyond its limit.
#[derive(Debug, Clone)]
pub struct Family {
    good: Scenario,
    first: Scenario,
    limit: RelativeLimit,
    checks: u64,
    wilson: Judge,
}

/// When a rollout with many checks was rolled back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FamilyOutcome {
    /// By the weighted mean of the evidence of all checks.
    combined: Option<usize>,
    /// By the first check's evidence, were it alone.
    alone: Option<usize>,
    /// By polled Wilson intervals of any check.
    wilson: Option<usize>,
}

/// What many rollouts with many checks show.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FamilyCharacteristics {
    /// Rollouts rolled back by all checks together.
    pub rolled_back: Share,
    /// Median interval of that.
    pub median: Option<f64>,
    /// Median interval at which the first check alone would have rolled back.
    pub median_alone: Option<f64>,
    /// Rollouts in which the Wilson intervals of any check came apart at any look.
    pub rolled_back_by_wilson: Share,
}

impl Family {
    /// Returns a family of `checks` of which the first follows a scenario of its own and all others the
    /// good one. Both last equally long.
    ///
    /// # Errors
    ///
    /// [`OperatingError`] where the limit or the number of checks is refused.
    pub fn new(
        good: Scenario,
        first: Scenario,
        checks: u64,
        ratio: f64,
    ) -> Result<Self, OperatingError> {
        let is_within = (1..=1000).contains(&checks);
        super::error::within("a number of checks", checks as f64, is_within, "1 to 1000")?;
        let confidence = Confidence::new(0.99)?;
        Ok(Self {
            good,
            first,
            limit: RelativeLimit::new(ratio, 0.0, Side::Above)?,
            checks,
            wilson: Method::Wilson { confidence }.judge(ratio)?,
        })
    }

    /// Returns what comes of one rollout.
    pub fn replicate(&self, seed: u64, index: u64) -> FamilyOutcome {
        let rollouts: Vec<Rollout> = (0..self.checks)
            .map(|check| {
                let scenario = if check == 0 { &self.first } else { &self.good };
                scenario.rollout(seed, index * self.checks + check)
            })
            .collect();
        let polled = Looks::EVERY_INTERVAL;
        let (combined, alone) = self.crossings(&rollouts);
        FamilyOutcome {
            combined,
            alone,
            wilson: rollouts
                .iter()
                .filter_map(|rollout| self.wilson.rolled_back_at(rollout, polled))
                .min(),
        }
    }

    /// Where the combined evidence and that of the first check cross, counted from 1.
    fn crossings(&self, rollouts: &[Rollout]) -> (Option<usize>, Option<usize>) {
        let intervals = self.good.intervals().min(self.first.intervals());
        let mut evidence: Vec<RelativeEvidence> = rollouts
            .iter()
            .map(|rollout| {
                let config = EvidenceConfig {
                    longest_rollout_intervals: intervals,
                    history: rollout.history.clone(),
                };
                RelativeEvidence::new(self.limit, &config)
            })
            .collect();
        let threshold = ErrorRate::ROLLBACK.log_threshold();
        let weight = 1.0 / self.checks as f64;
        let (mut combined, mut alone) = (None, None);
        for index in 0..intervals {
            let weighted: Vec<WeightedEvidence> = evidence
                .iter_mut()
                .zip(rollouts)
                .filter_map(|(check, rollout)| {
                    let log_evidence = check.push(rollout.intervals.get(index)?);
                    Some(WeightedEvidence {
                        weight,
                        log_evidence,
                    })
                })
                .collect();
            let first = weighted.first().map_or(0.0, |check| check.log_evidence);
            if alone.is_none() && first >= threshold {
                alone = Some(index + 1);
            }
            if combined.is_none() && combined_log_evidence(&weighted) >= threshold {
                combined = Some(index + 1);
            }
            if combined.is_some() && alone.is_some() {
                break;
            }
        }
        (combined, alone)
    }

    /// Runs many rollouts.
    pub fn measure(
        &self,
        executor: &impl Executor,
        replicates: u64,
        seed: u64,
    ) -> FamilyCharacteristics {
        let outcomes = executor.map(replicates, |index| self.replicate(seed, index));
        let times = |time: fn(&FamilyOutcome) -> Option<usize>| -> Vec<Option<usize>> {
            outcomes.iter().map(time).collect()
        };
        FamilyCharacteristics {
            rolled_back: Share::counted(&outcomes, |outcome| outcome.combined.is_some()),
            median: median(&times(|outcome| outcome.combined)),
            median_alone: median(&times(|outcome| outcome.alone)),
            rolled_back_by_wilson: Share::counted(&outcomes, |outcome| outcome.wilson.is_some()),
        }
    }
}
