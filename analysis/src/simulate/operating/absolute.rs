//! A fixed limit on the canary alone.

use super::error::OperatingError;
use super::executor::Executor;
use super::experiment::Outcome;
use super::measured::{Share, median};
use super::scenario::Scenario;
use crate::sequential::{
    AbsoluteCompliance, AbsoluteEvidence, AbsoluteLimit, CountLaw, ErrorRate, EvidenceConfig, Side,
};

/// A canary that is judged against a fixed failure rate, without history.
#[derive(Debug, Clone)]
pub struct AbsoluteExperiment {
    scenario: Scenario,
    violation: AbsoluteLimit,
    compliance: AbsoluteLimit,
}

impl AbsoluteExperiment {
    /// Returns the experiment: the scenario's canary against `error_rate < limit`.
    ///
    /// # Errors
    ///
    /// [`OperatingError::Sequential`] unless the limit is between 0 and 1.
    pub fn new(scenario: Scenario, limit: f64) -> Result<Self, OperatingError> {
        Ok(Self {
            scenario,
            violation: AbsoluteLimit::new(limit, Side::Above, CountLaw::Bernoulli)?,
            compliance: AbsoluteLimit::new(limit, Side::Below, CountLaw::Bernoulli)?,
        })
    }

    /// Returns what comes of one replicate.
    pub fn replicate(&self, seed: u64, index: u64) -> Outcome {
        let intervals = self.scenario.rollout_counts(seed, index);
        let config = EvidenceConfig {
            longest_rollout_intervals: intervals.len(),
            history: None,
        };
        let mut evidence = AbsoluteEvidence::new(self.violation, &config);
        let mut compliance = AbsoluteCompliance::new(self.compliance, 0);
        let threshold = ErrorRate::ROLLBACK.log_threshold();
        let mut outcome = Outcome {
            rolled_back_at: None,
            promoted_after: None,
        };
        for (interval, counts) in (1..).zip(&intervals) {
            let log_evidence = evidence.push(&counts.canary);
            compliance.push(&counts.canary);
            if outcome.rolled_back_at.is_none() && log_evidence >= threshold {
                outcome.rolled_back_at = Some(interval);
            }
            if outcome.promoted_after.is_none()
                && compliance.is_shown(evidence.noise(), ErrorRate::PROMOTION)
            {
                outcome.promoted_after = Some(interval);
            }
        }
        outcome
    }

    /// Runs many replicates and returns the shares rolled back and promoted, and the median interval of
    /// a rollback.
    pub fn measure(
        &self,
        executor: &impl Executor,
        replicates: u64,
        seed: u64,
    ) -> (Share, Share, Option<f64>) {
        let outcomes = executor.map(replicates, |index| self.replicate(seed, index));
        let times: Vec<_> = outcomes.iter().map(|one| one.rolled_back_at).collect();
        (
            Share::counted(&outcomes, |one| one.rolled_back_at.is_some()),
            Share::counted(&outcomes, |one| one.promoted_after.is_some()),
            median(&times),
        )
    }
}
