//! A service: its description, and the simulation of all of its pods.

use super::latency::LatencyLaw;
use super::pod::{Behaviour, PodIdentity, PodSimulation, REGIONS, Scrape, Track};
use super::share::ShareHistory;

/// The distance between two scrapes of a pod, in milliseconds.
pub const SCRAPE_INTERVAL_MS: i64 = 15_000;

/// What the canary's numbers are multiplied by. All 1: the same version.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Multipliers {
    /// Of the error probability.
    pub error: f64,
    /// Of every latency.
    pub latency: f64,
    /// Of the CPU use.
    pub cpu: f64,
    /// Of the memory.
    pub memory: f64,
    /// Of the conversion probability.
    pub conversion: f64,
    /// Of the complaint probability.
    pub complaint: f64,
    /// Of the queue's depth.
    pub queue_depth: f64,
}

impl Default for Multipliers {
    fn default() -> Self {
        Self {
            error: 1.0,
            latency: 1.0,
            cpu: 1.0,
            memory: 1.0,
            conversion: 1.0,
            complaint: 1.0,
            queue_depth: 1.0,
        }
    }
}

/// What a service is like.
#[derive(Debug, Clone, PartialEq)]
pub struct ServiceDescription {
    /// Its name, the value of the labels `job` and `service`.
    pub name: String,
    /// The first two numbers of its pods' addresses, such as `10.0`.
    pub network: String,
    /// Requests per second of control and canary together, averaged over a day.
    pub requests_per_second: f64,
    /// How much of the traffic the daily cycle adds and takes away, 0 to 1.
    pub daily_amplitude: f64,
    /// Pods of the control.
    pub control_pods: usize,
    /// Pods of the canary, while it has traffic.
    pub canary_pods: usize,
    /// The chance of a request to fail with a 5xx.
    pub error_probability: f64,
    /// The chance of any other request to be answered with a 404.
    pub not_found_probability: f64,
    /// How long requests take.
    pub latency: LatencyLaw,
    /// CPU cores in use by a pod.
    pub cpu_cores: f64,
    /// Memory in use by a pod, in bytes.
    pub memory_bytes: f64,
    /// The chance of a request to become an order.
    pub conversion_probability: f64,
    /// The chance of a request to become a complaint.
    pub complaint_probability: f64,
    /// The mean depth of a pod's queue.
    pub queue_depth: f64,
    /// How the canary differs.
    pub canary: Multipliers,
}

/// Why a service cannot be simulated.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum SimulationError {
    /// A number that is not finite or is below 0.
    #[error(
        "cannot simulate service \"{service}\": {quantity} is {value}, give a finite number of at least 0"
    )]
    NotANumber {
        /// The service's name.
        service: String,
        /// Which number.
        quantity: &'static str,
        /// Its value.
        value: f64,
    },
    /// The canary's latencies have no law.
    #[error(
        "cannot simulate service \"{service}\": the canary's latency multiplier must be above 0"
    )]
    NoLatency {
        /// The service's name.
        service: String,
    },
}

/// A service as it goes through time: every pod, scraped every [`SCRAPE_INTERVAL_MS`] at a phase
/// of its own.
#[derive(Debug, Clone)]
pub struct ServiceSimulation {
    origin_ms: i64,
    control: Behaviour,
    canary: Behaviour,
    pods: Vec<PodSimulation>,
}

impl ServiceSimulation {
    /// Returns the service as it starts, with a fresh control, at `origin_ms`.
    ///
    /// # Errors
    ///
    /// [`SimulationError`] if a number of the description is not finite, is negative, or leaves
    /// the canary without a law of latencies.
    pub fn new(
        seed: u64,
        description: &ServiceDescription,
        origin_ms: i64,
    ) -> Result<Self, SimulationError> {
        check(description)?;
        let behaviour = |track| {
            Behaviour::of(description, track).ok_or_else(|| SimulationError::NoLatency {
                service: description.name.clone(),
            })
        };
        let control = behaviour(Track::Stable)?;
        let canary = behaviour(Track::Canary)?;
        let identities = (0..description.control_pods)
            .map(|index| identity(description, Track::Stable, index))
            .chain(
                (0..description.canary_pods)
                    .map(|index| identity(description, Track::Canary, index)),
            );
        Ok(Self {
            origin_ms,
            control,
            canary,
            pods: identities
                .map(|identity| PodSimulation::new(seed, &description.name, identity, origin_ms))
                .collect(),
        })
    }

    /// Returns each pod with its phase: its scrape number `tick` is at
    /// `tick * SCRAPE_INTERVAL_MS + phase` milliseconds since 1970.
    pub fn pods(&self) -> impl Iterator<Item = (&PodIdentity, i64)> {
        self.pods.iter().map(|pod| (&pod.identity, pod.phase_ms()))
    }

    /// Simulates every scrape that is due by `now_ms` and was not made before, and hands each to
    /// `record` with the index of its pod and its tick: pod by pod, by time. `shares` may only
    /// have changed after what was simulated already.
    pub fn advance(
        &mut self,
        shares: &ShareHistory,
        now_ms: i64,
        mut record: impl FnMut(usize, i64, Scrape<'_>),
    ) {
        for (index, pod) in self.pods.iter_mut().enumerate() {
            let behaviour = match pod.identity.track {
                Track::Stable => &self.control,
                Track::Canary => &self.canary,
            };
            pod.advance(behaviour, shares, self.origin_ms, now_ms, |tick, scrape| {
                record(index, tick, scrape);
            });
        }
    }
}

fn identity(description: &ServiceDescription, track: Track, index: usize) -> PodIdentity {
    let subnet = match track {
        Track::Stable => 0,
        Track::Canary => 1,
    };
    PodIdentity {
        track,
        name: format!("{}-{}-{index}", description.name, track.as_str()),
        instance: format!("{}.{subnet}.{}:8080", description.network, index + 1),
        region: REGIONS
            .get(index % REGIONS.len())
            .copied()
            .unwrap_or_default(),
    }
}

fn check(description: &ServiceDescription) -> Result<(), SimulationError> {
    let quantities = [
        ("requests_per_second", description.requests_per_second),
        ("daily_amplitude", description.daily_amplitude),
        ("error_probability", description.error_probability),
        ("not_found_probability", description.not_found_probability),
        ("cpu_cores", description.cpu_cores),
        ("memory_bytes", description.memory_bytes),
        ("conversion_probability", description.conversion_probability),
        ("complaint_probability", description.complaint_probability),
        ("queue_depth", description.queue_depth),
        ("canary.error", description.canary.error),
        ("canary.latency", description.canary.latency),
        ("canary.cpu", description.canary.cpu),
        ("canary.memory", description.canary.memory),
        ("canary.conversion", description.canary.conversion),
        ("canary.complaint", description.canary.complaint),
        ("canary.queue_depth", description.canary.queue_depth),
    ];
    for (quantity, value) in quantities {
        if !value.is_finite() || value < 0.0 {
            return Err(SimulationError::NotANumber {
                service: description.name.clone(),
                quantity,
                value,
            });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
