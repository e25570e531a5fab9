//! The pods of a rollout, and how the traffic is shared out among them.

use super::super::operating::Buckets;
use super::law::{Description, PodsOfStage};
use super::pod::{INTERVAL_SECONDS, Pod, Served, Times};
use crate::series::{Population, Populations};

/// The pods of a replicate.
#[derive(Debug, Clone)]
pub(super) struct Fleet {
    description: Description,
    replicate: (u64, u64),
    bounds: Vec<f64>,
    pods: Populations<Vec<Pod>>,
    /// Intervals of the rollout so far.
    intervals: usize,
}

/// The name of a pod.
pub(super) fn pod_name(population: Population, place: usize) -> String {
    format!("{population}-{place}")
}

impl Fleet {
    /// A replicate before its rollout: the control's pods of the first stage.
    pub(super) fn new(description: Description, seed: u64, index: u64) -> Self {
        let mut fleet = Self {
            bounds: Buckets::Default.bounds(),
            replicate: (seed, index),
            pods: Populations::default(),
            intervals: 0,
            description,
        };
        let first = fleet.pods_of_stage(0);
        fleet.scale(Population::Control, first.control);
        fleet
    }

    /// The finite bounds of its histograms.
    pub(super) fn bounds(&self) -> &[f64] {
        &self.bounds
    }

    /// How many pods a stage has.
    pub(super) fn pods_of_stage(&self, place: usize) -> PodsOfStage {
        let all = self.description.pods;
        let [.., last] = all;
        all.get(place).copied().unwrap_or(last)
    }

    /// A stage begins: the canary has more pods, and the control fewer.
    pub(super) fn begin_stage(&mut self, place: usize) {
        let PodsOfStage { canary, control } = self.pods_of_stage(place);
        self.scale(Population::Canary, canary);
        self.scale(Population::Control, control);
    }

    /// An interval before the rollout: the control has all requests.
    pub(super) fn before(&mut self) -> Populations<Vec<Served>> {
        self.draw(0.0, Times::ONE)
    }

    /// The next interval of the rollout, in which the canary has this share of the requests.
    pub(super) fn next(&mut self, share: f64) -> Populations<Vec<Served>> {
        let fault = self.description.fault;
        let minute = self.intervals as f64 * INTERVAL_SECONDS / 60.0;
        self.intervals += 1;
        let times = if minute < fault.from_minute {
            Times::ONE
        } else {
            Times {
                errors: fault.errors,
                latency: fault.latency,
            }
        };
        self.draw(share, times)
    }

    fn draw(&mut self, share: f64, times: Times) -> Populations<Vec<Served>> {
        let all = self.description.requests_per_second * INTERVAL_SECONDS;
        let bounds = &self.bounds;
        let of = |pods: &mut Vec<Pod>, share: f64, times: Times| {
            let each = all * share / pods.len().max(1) as f64;
            let pods = pods.iter_mut();
            pods.map(|pod| pod.next(bounds, each, times)).collect()
        };
        Populations {
            control: of(&mut self.pods.control, 1.0 - share, Times::ONE),
            canary: of(&mut self.pods.canary, share, times),
        }
    }

    /// New pods come last, and the last ones go first.
    fn scale(&mut self, population: Population, count: usize) {
        let (description, replicate) = (self.description, self.replicate);
        let pods = self.pods.get_mut(population);
        pods.truncate(count);
        for place in pods.len()..count {
            let name = pod_name(population, place);
            pods.push(Pod::new(&description, replicate, &name));
        }
    }
}
