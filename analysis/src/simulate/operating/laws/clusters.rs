//! Failures that come together: one cause, several failures.

use std::collections::VecDeque;

use super::super::super::random::Random;
use super::super::super::sample::poisson;
use super::STEP_SECONDS;

/// The tail of the sizes of heavy clusters, the largest, and how long after the first their members come, in
/// the mean.
const PARETO_TAIL: f64 = 1.1;
const PARETO_MOST: u32 = 2_000;
const PARETO_SECONDS: f64 = 20.0;
/// When what failed is tried again, each after the one before, and how often it fails again.
const RETRIES_SECONDS: [f64; 6] = [5.0, 10.0, 20.0, 40.0, 80.0, 160.0];
const RETRY_FAILS: f64 = 0.85;
/// A client that fails at this pace for so long.
const CLIENT_EVERY_SECONDS: f64 = 5.0;
const CLIENT_SECONDS: f64 = 600.0;

/// A law of clusters. Clusters begin independently of each other.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Cluster {
    /// `cA/B`: of geometric size with mean A, members uniform over B seconds.
    Geometric {
        /// The mean size.
        mean: f64,
        /// Over how many seconds its members come.
        seconds: f64,
    },
    /// Sizes `floor(U^(-1/1.1))`, at most 2,000; members exponential with mean 20 s after the first.
    Pareto,
    /// What failed is tried again after 5, 10, .. 160 s, and fails again with 0.85.
    Retries,
    /// A client that fails each 5 s for 10 min.
    Client,
}

impl Cluster {
    /// The mean number of members.
    fn mean_size(self) -> f64 {
        match self {
            Self::Geometric { mean, .. } => mean,
            Self::Pareto => (1..=PARETO_MOST)
                .map(|size| libm::pow(f64::from(size), -PARETO_TAIL))
                .sum(),
            Self::Retries => {
                let all = RETRIES_SECONDS.len() as f64 + 1.0;
                (1.0 - libm::pow(RETRY_FAILS, all)) / (1.0 - RETRY_FAILS)
            }
            Self::Client => CLIENT_SECONDS / CLIENT_EVERY_SECONDS,
        }
    }

    /// How long after its beginning nearly all members have come.
    fn longest_seconds(self) -> f64 {
        match self {
            Self::Geometric { seconds, .. } => seconds,
            Self::Pareto => 15.0 * PARETO_SECONDS,
            Self::Retries => RETRIES_SECONDS.iter().sum(),
            Self::Client => CLIENT_SECONDS,
        }
    }

    /// Tells of each member how many seconds after the cluster's beginning it comes.
    fn members(self, random: &mut Random, mut tell: impl FnMut(f64)) {
        match self {
            Self::Geometric { mean, seconds } => {
                let goes_on = 1.0 - 1.0 / mean;
                loop {
                    tell(seconds * random.uniform());
                    if random.uniform() >= goes_on {
                        return;
                    }
                }
            }
            Self::Pareto => {
                let most = f64::from(PARETO_MOST);
                let size = libm::pow(random.uniform(), -1.0 / PARETO_TAIL).min(most);
                tell(0.0);
                let mut told = 2.0;
                while told <= size {
                    tell(-PARETO_SECONDS * libm::log(random.uniform()));
                    told += 1.0;
                }
            }
            Self::Retries => {
                let mut at = 0.0;
                tell(at);
                for wait in RETRIES_SECONDS {
                    if random.uniform() >= RETRY_FAILS {
                        return;
                    }
                    at += wait;
                    tell(at);
                }
            }
            Self::Client => {
                let mut at = 0.0;
                while at < CLIENT_SECONDS {
                    tell(at);
                    at += CLIENT_EVERY_SECONDS;
                }
            }
        }
    }
}

/// Failures in clusters of one population, step by step.
#[derive(Debug, Clone)]
pub(super) struct Clustered {
    cluster: Cluster,
    mean_size: f64,
    /// What is to come of clusters that have begun: this step first.
    ahead: VecDeque<f64>,
    has_begun: bool,
}

impl Clustered {
    pub(super) fn new(cluster: Cluster) -> Self {
        Self {
            cluster,
            mean_size: cluster.mean_size(),
            ahead: VecDeque::new(),
            has_begun: false,
        }
    }

    /// The failures of the next step, of which there are `mean` in the mean. The first is in equilibrium.
    pub(super) fn next(&mut self, random: &mut Random, mean: f64) -> f64 {
        if !self.has_begun {
            self.has_begun = true;
            let mut seconds = 0.0;
            while seconds < self.cluster.longest_seconds() {
                self.step(random, mean);
                seconds += STEP_SECONDS;
            }
        }
        self.step(random, mean)
    }

    fn step(&mut self, random: &mut Random, mean: f64) -> f64 {
        for _ in 0..poisson(random, mean / self.mean_size) {
            let begins_at = STEP_SECONDS * random.uniform();
            let ahead = &mut self.ahead;
            self.cluster.members(random, |after| {
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "not negative, and a few minutes at most"
                )]
                let step = ((begins_at + after) / STEP_SECONDS) as usize;
                if ahead.len() <= step {
                    ahead.resize(step + 1, 0.0);
                }
                if let Some(count) = ahead.get_mut(step) {
                    *count += 1.0;
                }
            });
        }
        self.ahead.pop_front().unwrap_or(0.0)
    }
}
