//! The failures of one population by itself.

use super::super::super::random::Random;
use super::super::super::sample::{binomial, poisson};
use super::super::noise::{NoiseLaw, RateProcess};
use super::clusters::{Cluster, Clustered};

/// Above this rate failures are binomial, below they are Poisson.
const RARE: f64 = 0.02;

/// How the failures of one population vary while nobody changes it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum ArmLaw {
    /// The rate varies; given the rate, requests fail independently.
    Rate(NoiseLaw),
    /// Failures come in clusters.
    Clusters(Cluster),
    /// Half of them are those of clients that fail for 10 min.
    Clients,
}

impl ArmLaw {
    /// Independent failures.
    pub const INDEPENDENT: Self = Self::Rate(NoiseLaw::Independent);
    /// A rate that wanders: correlation 0.8 from step to step, coefficient of variation 0.3.
    pub const DRIFT: Self = drift(0.8);
    /// The same, slower.
    pub const SLOW_DRIFT: Self = drift(0.95);
    /// Twenty times the failures in 2 % of the steps.
    pub const BURSTS: Self = Self::Rate(NoiseLaw::Bursts);

    /// A new rate in each step, with this coefficient of variation. A beta law, which at such rates is the
    /// gamma law.
    pub const fn white(variation: f64) -> Self {
        Self::Rate(NoiseLaw::BetaBinomial { variation })
    }

    /// `cA/B`.
    pub const fn clusters(mean: f64, seconds: f64) -> Self {
        Self::Clusters(Cluster::Geometric { mean, seconds })
    }
}

const fn drift(correlation: f64) -> ArmLaw {
    ArmLaw::Rate(NoiseLaw::Autoregressive {
        correlation,
        variation: 0.3,
    })
}

/// One population, step by step.
#[derive(Debug, Clone)]
pub(super) struct Population {
    random: Random,
    rate: RateProcess,
    clustered: Option<Clustered>,
    /// The part of the failures that comes in clusters.
    in_clusters: f64,
}

impl Population {
    pub(super) fn new(random: Random, law: ArmLaw) -> Self {
        let (noise, cluster, in_clusters) = match law {
            ArmLaw::Rate(noise) => (noise, None, 0.0),
            ArmLaw::Clusters(cluster) => (NoiseLaw::Independent, Some(cluster), 1.0),
            ArmLaw::Clients => (NoiseLaw::Independent, Some(Cluster::Client), 0.5),
        };
        Self {
            random,
            rate: RateProcess::new(noise),
            clustered: cluster.map(Clustered::new),
            in_clusters,
        }
    }

    /// The failures of the next step.
    pub(super) fn next(&mut self, requests: f64, rate: f64) -> f64 {
        let mut failures = 0.0;
        if let Some(clustered) = &mut self.clustered {
            failures += clustered.next(&mut self.random, self.in_clusters * requests * rate);
        }
        let rest = 1.0 - self.in_clusters;
        if rest > 0.0 {
            let rate = self.rate.next(&mut self.random, rest * rate);
            failures += independent(&mut self.random, requests, rate);
        }
        failures
    }
}

/// Failures of requests that fail independently.
pub(super) fn independent(random: &mut Random, requests: f64, rate: f64) -> f64 {
    if rate <= RARE {
        return poisson(random, requests * rate) as f64;
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "not negative, and `as` saturates"
    )]
    let requests = libm::round(requests) as u64;
    binomial(random, requests, rate.min(1.0)) as f64
}
