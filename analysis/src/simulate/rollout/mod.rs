//! Whole rollouts with several kinds of checks, and how they end.
//!
//! A [`Law`] says what the pods of a service do, and what is wrong with its canary. [`Rollouts`] takes replicates of
//! it through the stages of a pipeline of eight checks: two of counts, two of latency, four of gauges. What is drawn
//! are the counts, buckets and gauges of each pod in each interval. All else is done by the code that does it of real
//! rollouts: the file is parsed by [`crate::pipeline`], the hour before and each interval are judged by
//! [`crate::judge`], and its verdict, [`crate::judge::Course`] and the stages' durations decide how it goes on.
//!
//! A replicate is a pure function of (seed, law, index), so the number of threads changes nothing.

mod checks;
mod compared;
mod course;
mod figures;
mod fleet;
mod law;
mod measured;
mod pod;
mod reading;
#[cfg(test)]
mod tests;

pub use compared::Differences;
pub use course::{End, Outcome, Said};
pub use figures::{Figures, Published};
pub use law::{Description, Fault, Law, PodsOfStage, UnknownLaw};
pub use measured::{Measured, Reason};

use super::operating::Executor;
use crate::pipeline::{Diagnostic, Pipeline};

/// The pipeline that simulated rollouts go through.
#[derive(Debug, Clone)]
pub struct Rollouts {
    pipeline: Pipeline,
}

impl Rollouts {
    /// Reads it, with what the control's pods tell or without.
    ///
    /// # Errors
    ///
    /// What is wrong with the file.
    pub fn new(has_pods: bool) -> Result<Self, Vec<Diagnostic>> {
        checks::pipeline(has_pods).map(|pipeline| Self { pipeline })
    }

    /// What comes of the replicate with this index.
    pub fn replicate(&self, description: Description, seed: u64, index: u64) -> Outcome {
        course::replicate(&self.pipeline, description, (seed, index))
    }

    /// How many replicates of a law end.
    pub fn measure(
        &self,
        executor: &impl Executor,
        description: Description,
        (replicates, seed): (u64, u64),
    ) -> Measured {
        let replicate = |index| self.replicate(description, seed, index);
        let outcomes = executor.map(replicates, replicate);
        Measured::of(description.fault, &outcomes)
    }
}
