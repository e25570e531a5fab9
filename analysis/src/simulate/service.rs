//! The simulation of a service: of all of its pods.

use super::description::ServiceDescription;
use super::pod::{Behaviour, PodIdentity, PodSimulation, REGIONS, Scrape, Track};
use super::share::ShareHistory;

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

/// A service as it goes through time: every pod, scraped every [`super::SCRAPE_INTERVAL_MS`] at a phase
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
