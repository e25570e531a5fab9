//! One pod: what it counts between two scrapes, and what a scrape sees of it.

use super::description::{Multipliers, SCRAPE_INTERVAL_MS, ServiceDescription};
use super::latency::{BUCKET_COUNT, LatencyLaw};
use super::random::{Random, RandomKey};
use super::sample::{binomial, multinomial, poisson};
use super::share::ShareHistory;

/// The regions that pods are placed in, in turn.
pub const REGIONS: [&str; 3] = ["us-west-2", "us-east-1", "eu-west-1"];

/// The response codes that requests are counted under.
pub const RESPONSE_CODES: [&str; 4] = ["200", "404", "500", "503"];

/// How many of the errors are a 503; the rest is a 500.
const UNAVAILABLE_AMONG_ERRORS: f64 = 0.3;

/// The chance of a scrape to fail: about three a day and pod.
const MISSED_PROBABILITY: f64 = 0.0005;

/// The chance of a pod to restart between two scrapes: about once in three days.
const RESTART_PROBABILITY: f64 = 0.00006;

/// The relative spread of CPU use and of memory from scrape to scrape.
const CPU_SPREAD: f64 = 0.06;
const MEMORY_SPREAD: f64 = 0.01;

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// Which population a pod belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Track {
    /// The control.
    Stable,
    /// The canary.
    Canary,
}

impl Track {
    /// Returns the value of the label `track`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Stable => "stable",
            Self::Canary => "canary",
        }
    }
}

/// What tells a pod from the others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PodIdentity {
    /// Control or canary.
    pub track: Track,
    /// Its name, such as `checkout-stable-0`.
    pub name: String,
    /// Its address, such as `10.0.0.1:8080`.
    pub instance: String,
    /// Where it runs.
    pub region: &'static str,
}

/// What a pod's process has counted since its start.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct PodCounters {
    /// When the process started, in milliseconds since 1970.
    pub started_ms: i64,
    /// Requests by response code, in the order of [`RESPONSE_CODES`].
    pub requests_by_code: [u64; RESPONSE_CODES.len()],
    /// Requests by latency, each bucket by itself (not cumulative), the infinite one last.
    pub requests_by_bucket: [u64; BUCKET_COUNT],
    /// The sum of all latencies.
    pub duration_seconds: f64,
    /// CPU time used.
    pub cpu_seconds: f64,
    /// Memory in use at the scrape, in bytes.
    pub resident_memory_bytes: f64,
    /// Requests that became an order.
    pub orders: u64,
    /// Requests that became a complaint.
    pub complaints: u64,
    /// Work waiting at the scrape.
    pub queue_depth: u64,
}

/// What a scrape of a pod found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Scrape<'a> {
    /// There is no such pod, and so no target.
    Absent,
    /// The target did not answer.
    Missed,
    /// What the pod had counted.
    Answered(&'a PodCounters),
}

/// How one population behaves: a description with the canary's multipliers worked in.
#[derive(Debug, Clone)]
pub(super) struct Behaviour {
    pub(super) requests_per_second: f64,
    pub(super) daily_amplitude: f64,
    pub(super) pods: usize,
    error_probability: f64,
    not_found_probability: f64,
    bucket_probabilities: [f64; BUCKET_COUNT],
    bucket_means_seconds: [f64; BUCKET_COUNT],
    cpu_cores: f64,
    memory_bytes: f64,
    conversion_probability: f64,
    complaint_probability: f64,
    queue_depth: f64,
}

impl Behaviour {
    /// Returns how a population of this service behaves; nothing if the latency's multiplier
    /// makes no law.
    pub(super) fn of(description: &ServiceDescription, track: Track) -> Option<Self> {
        let factors = match track {
            Track::Stable => Multipliers::default(),
            Track::Canary => description.canary,
        };
        let latency: LatencyLaw = description.latency.scaled(factors.latency)?;
        Some(Self {
            requests_per_second: description.requests_per_second,
            daily_amplitude: description.daily_amplitude,
            pods: match track {
                Track::Stable => description.control_pods,
                Track::Canary => description.canary_pods,
            },
            error_probability: description.error_probability * factors.error,
            not_found_probability: description.not_found_probability,
            bucket_probabilities: latency.conditional_probabilities(),
            bucket_means_seconds: latency.bucket_means_seconds(),
            cpu_cores: description.cpu_cores * factors.cpu,
            memory_bytes: description.memory_bytes * factors.memory,
            conversion_probability: description.conversion_probability * factors.conversion,
            complaint_probability: description.complaint_probability * factors.complaint,
            queue_depth: description.queue_depth * factors.queue_depth,
        })
    }

    /// Requests per second of one pod that takes its part of `share` (0 to 1) of the traffic.
    fn pod_rate(&self, at_ms: i64, share: f64) -> f64 {
        let day = at_ms.rem_euclid(DAY_MS) as f64 / DAY_MS as f64;
        let cycle = 1.0 + self.daily_amplitude * libm::sin(2.0 * std::f64::consts::PI * day);
        self.requests_per_second * cycle * share / self.pods.max(1) as f64
    }

    /// Counts what happens in `seconds` at `rate` requests per second.
    fn count(&self, counters: &mut PodCounters, random: &mut Random, seconds: f64, rate: f64) {
        let requests = poisson(random, rate * seconds);
        let errors = binomial(random, requests, self.error_probability);
        let unavailable = binomial(random, errors, UNAVAILABLE_AMONG_ERRORS);
        let not_found = binomial(random, requests - errors, self.not_found_probability);
        let by_code = [
            requests - errors - not_found,
            not_found,
            errors - unavailable,
            unavailable,
        ];
        for (counter, count) in counters.requests_by_code.iter_mut().zip(by_code) {
            *counter += count;
        }
        multinomial(
            random,
            requests,
            &self.bucket_probabilities,
            |bucket, count| {
                if let Some(counter) = counters.requests_by_bucket.get_mut(bucket) {
                    *counter += count;
                }
                let mean = self.bucket_means_seconds.get(bucket).unwrap_or(&0.0);
                counters.duration_seconds += count as f64 * mean;
            },
        );
        counters.orders += binomial(random, requests, self.conversion_probability);
        counters.complaints += binomial(random, requests, self.complaint_probability);
        counters.queue_depth = poisson(random, self.queue_depth);
        counters.cpu_seconds +=
            self.cpu_cores * seconds * (1.0 + CPU_SPREAD * random.normal()).max(0.0);
        counters.resident_memory_bytes =
            libm::floor(self.memory_bytes * (1.0 + MEMORY_SPREAD * random.normal()).max(0.0));
    }
}

/// A pod and how far it has been simulated.
#[derive(Debug, Clone)]
pub(super) struct PodSimulation {
    pub(super) identity: PodIdentity,
    key: RandomKey,
    phase_ms: i64,
    next_tick: i64,
    /// Since when the pod of this name has existed; the canary's goes and comes again.
    exists_since_ms: Option<i64>,
    counters: PodCounters,
}

impl PodSimulation {
    /// Returns the pod as it is at `origin_ms`, with its own phase within the scrape interval.
    pub(super) fn new(seed: u64, service: &str, identity: PodIdentity, origin_ms: i64) -> Self {
        let key = RandomKey::new(seed, service, &identity.name);
        // The phase has an address of its own, far from every tick.
        let draw = Random::new(&key, u64::MAX).uniform();
        #[expect(
            clippy::cast_possible_truncation,
            reason = "a phase is below the scrape interval"
        )]
        let phase_ms = (draw * SCRAPE_INTERVAL_MS as f64) as i64;
        Self {
            identity,
            key,
            phase_ms,
            // The first scrape after the origin.
            next_tick: (origin_ms - phase_ms).div_euclid(SCRAPE_INTERVAL_MS) + 1,
            exists_since_ms: None,
            counters: PodCounters::default(),
        }
    }

    /// When within the scrape interval the pod is scraped, in milliseconds.
    pub(super) fn phase_ms(&self) -> i64 {
        self.phase_ms
    }

    /// Simulates and records every scrape up to `now_ms`. A control pod exists since
    /// `origin_ms`, a canary pod while its share is above 0.
    pub(super) fn advance(
        &mut self,
        behaviour: &Behaviour,
        shares: &ShareHistory,
        origin_ms: i64,
        now_ms: i64,
        mut record: impl FnMut(i64, Scrape<'_>),
    ) {
        loop {
            let tick = self.next_tick;
            let at_ms = tick * SCRAPE_INTERVAL_MS + self.phase_ms;
            if at_ms > now_ms {
                return;
            }
            self.next_tick += 1;
            let exists_since_ms = match self.identity.track {
                Track::Stable => Some(origin_ms),
                Track::Canary => shares.above_zero_since(at_ms),
            };
            let scrape = match exists_since_ms {
                None => {
                    self.exists_since_ms = None;
                    Scrape::Absent
                }
                Some(since_ms) => self.live(behaviour, shares, tick, at_ms, since_ms),
            };
            record(tick, scrape);
        }
    }

    /// Lives through the interval that ends with the scrape at `at_ms`.
    fn live(
        &mut self,
        behaviour: &Behaviour,
        shares: &ShareHistory,
        tick: i64,
        at_ms: i64,
        since_ms: i64,
    ) -> Scrape<'_> {
        let mut random = Random::new(&self.key, tick.cast_unsigned());
        // Always drawn, in this order: an address must not depend on what happened.
        let is_missed = random.uniform() < MISSED_PROBABILITY;
        let restarts = random.uniform() < RESTART_PROBABILITY;
        let restart_after = random.uniform();

        let mut from_ms = at_ms - SCRAPE_INTERVAL_MS;
        if self.exists_since_ms != Some(since_ms) {
            self.exists_since_ms = Some(since_ms);
            from_ms = since_ms;
            self.counters = PodCounters {
                started_ms: since_ms,
                ..PodCounters::default()
            };
        } else if restarts {
            #[expect(
                clippy::cast_possible_truncation,
                reason = "a part of the scrape interval"
            )]
            let lost_ms = (restart_after * SCRAPE_INTERVAL_MS as f64) as i64;
            from_ms += lost_ms;
            // What the process counted since its last scrape dies with it: nobody saw it.
            self.counters = PodCounters {
                started_ms: from_ms,
                ..PodCounters::default()
            };
        }
        let canary_share = shares.mean_percent(from_ms, at_ms) / 100.0;
        let share = match self.identity.track {
            Track::Stable => 1.0 - canary_share,
            Track::Canary => canary_share,
        };
        let seconds = (at_ms - from_ms).max(0) as f64 / 1000.0;
        let rate = behaviour.pod_rate(at_ms, share);
        behaviour.count(&mut self.counters, &mut random, seconds, rate);
        if is_missed {
            Scrape::Missed
        } else {
            Scrape::Answered(&self.counters)
        }
    }
}
