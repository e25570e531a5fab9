//! The requests of both populations, interval by interval.

use super::super::super::random::{Random, RandomKey};
use super::super::laws::Fault;
use super::buckets::Buckets;
use super::drift::{Drift, Wandering};
use super::law::Latencies;
use super::server::{Server, Servers};

/// What makes requests slower or more while nobody changes a version.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Disturbance {
    /// How many times as slow both populations are, interval by interval.
    pub shared: Fault,
    /// How many times as much the traffic is.
    pub traffic: Fault,
    /// A drift of both together, of the canary by itself, and of the control.
    pub drifts: [Drift; 3],
    /// A wave of an hour that both share: the amplitude of the logarithm.
    pub wave: f64,
    /// How many of the slowest kind of requests come together, in the mean.
    pub cluster: f64,
}

impl Disturbance {
    /// Nothing.
    pub const NONE: Self = Self {
        shared: Fault::Times(1.0),
        traffic: Fault::Times(1.0),
        drifts: [Drift::NONE; 3],
        wave: 0.0,
        cluster: 1.0,
    };
}

/// What a fleet is made of.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LatencyFleetDescription {
    /// Requests of both populations in a second.
    pub requests_per_second: f64,
    /// Seconds of an interval.
    pub interval_seconds: f64,
    /// The laws at scale 1 of the control and of the canary.
    pub laws: [Latencies; 2],
    /// The scale, in seconds, of one replicate after the other: where the laws lie among the buckets.
    pub scales: [f64; 4],
    /// How many times as slow the canary is, interval by interval.
    pub fault: Fault,
    /// The buckets.
    pub buckets: Buckets,
    /// What else happens.
    pub disturbance: Disturbance,
    /// The pods.
    pub servers: Servers,
}

/// What an interval had, each row by bucket.
#[derive(Debug, Clone, Default)]
pub struct Rows {
    /// The canary's pods.
    pub canary: Vec<Vec<f64>>,
    /// The control's.
    pub control: Vec<Vec<f64>>,
}

/// One replicate.
#[derive(Debug, Clone)]
pub struct LatencyFleet {
    description: LatencyFleetDescription,
    bounds: Vec<f64>,
    scale: f64,
    drifts: [(Random, Wandering); 3],
    canary: Vec<Server>,
    control: Vec<Server>,
    interval: usize,
}

impl LatencyFleet {
    /// A replicate at its start: the same one for the same seed, description and index.
    pub fn new(description: LatencyFleetDescription, seed: u64, index: u64) -> Self {
        let label = format!("{description:?}");
        let stream = |name: &str| Random::new(&RandomKey::new(seed, &label, name), index);
        let Servers {
            canary,
            control,
            each,
        } = description.servers;
        let [of_control, of_canary] = description.laws;
        let cluster = description.disturbance.cluster;
        let servers = |count: usize, name: &str, law: Latencies| -> Vec<Server> {
            let one = |pod: usize| {
                let is_first_of_control = pod == 0 && name == "control";
                let random = stream(&format!("{name} {pod}"));
                Server::new(random, each, is_first_of_control, (law, cluster))
            };
            (0..count).map(one).collect()
        };
        let place = usize::try_from(index % 4).unwrap_or(0);
        let [shared, by_canary, by_control] = description.disturbance.drifts.map(Wandering::new);
        Self {
            bounds: description.buckets.bounds(),
            scale: description.scales.get(place).copied().unwrap_or(1.0),
            drifts: [
                (stream("shared drift"), shared),
                (stream("drift of the canary"), by_canary),
                (stream("drift of the control"), by_control),
            ],
            canary: servers(canary, "canary", of_canary),
            control: servers(control, "control", of_control),
            description,
            interval: 0,
        }
    }

    /// The finite bounds.
    pub fn bounds(&self) -> &[f64] {
        &self.bounds
    }

    /// The next interval, in which the canary has this share of the requests.
    pub fn next(&mut self, share: f64) -> Rows {
        /// Intervals of the wave.
        const PERIOD: f64 = 120.0;
        let Disturbance {
            shared,
            traffic,
            wave,
            ..
        } = self.description.disturbance;
        let at = self.interval;
        let turn = 2.0 * std::f64::consts::PI * at as f64 / PERIOD;
        let both = shared.times(at) * libm::exp(wave * libm::sin(turn));
        let [of_both, of_canary, of_control] = &mut self.drifts;
        let both = both * of_both.1.next(&mut of_both.0);
        let canary = of_canary.1.next(&mut of_canary.0) * self.description.fault.times(at);
        let control = of_control.1.next(&mut of_control.0);
        self.interval += 1;
        let requests = self.requests() * traffic.times(at);
        let bounds = &self.bounds;
        let of = |servers: &mut Vec<Server>, part: f64, factor: f64| {
            let requests = requests * part / servers.len().max(1) as f64;
            let scale = self.scale * both * factor;
            let each = servers.iter_mut();
            each.map(|server| server.next(bounds, requests, scale))
                .collect()
        };
        Rows {
            canary: of(&mut self.canary, share, canary),
            control: of(&mut self.control, 1.0 - share, control),
        }
    }

    /// An interval before the rollout: the control has all requests, and nothing else happens.
    pub fn before(&mut self) -> Vec<Vec<f64>> {
        let requests = self.requests() / self.control.len().max(1) as f64;
        let (bounds, scale) = (&self.bounds, self.scale);
        let each = self.control.iter_mut();
        each.map(|server| server.next(bounds, requests, scale))
            .collect()
    }

    fn requests(&self) -> f64 {
        self.description.requests_per_second * self.description.interval_seconds
    }
}
