//! One pod: what it serves in an interval, and what a scrape sees at its end.

use super::super::latency::LatencyLaw;
use super::super::random::{Random, RandomKey};
use super::super::sample::{binomial, multinomial, poisson};
use super::law::Description;

/// Seconds of an interval.
pub(super) const INTERVAL_SECONDS: f64 = 30.0;

/// The part of the requests that are orders.
const ORDERS_PART: f64 = 0.25;
/// The shares of requests and of orders that fail.
const FAILURES: f64 = 0.01;
const FAILED_ORDERS: f64 = 0.04;
/// The median of the latency, and the standard deviation of its logarithm.
const MEDIAN_SECONDS: f64 = 0.05;
const SIGMA: f64 = 0.8;
/// Requests that take longer than this are the slow ones that pods may differ by.
const SLOW_SECONDS: f64 = 0.1;
/// The gauges of a pod: cores, bytes, the mean number of what waits, the used part of the heap.
const CORES: f64 = 0.5;
const MEMORY_BYTES: f64 = 512.0 * 1024.0 * 1024.0;
const WAITING: f64 = 3.0;
const HEAP: f64 = 0.6;

/// The correlation of what wanders from one minute to the next.
const CORRELATION_OF_A_MINUTE: f64 = 0.9;

/// Bad minutes: three in forty, in which three times as many requests fail or are slow.
const BAD_SECONDS: f64 = 180.0;
const GOOD_SECONDS: f64 = 2_220.0;
const BAD_TIMES: f64 = 3.0;

/// What a pod did in an interval.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Served {
    pub(super) requests: f64,
    pub(super) failures: f64,
    pub(super) orders: f64,
    pub(super) failed_orders: f64,
    /// Requests at or below each bound, the infinite one last.
    pub(super) at_most: Vec<f64>,
    /// At its end: cores, bytes of memory, what waits, the used part of the heap.
    pub(super) gauges: [f64; 4],
}

/// How many times as bad an interval is for the canary.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Times {
    pub(super) errors: f64,
    pub(super) latency: f64,
}

impl Times {
    pub(super) const ONE: Self = Self {
        errors: 1.0,
        latency: 1.0,
    };
}

/// A factor of a pod: one for good, times one that wanders.
#[derive(Debug, Clone)]
struct Factor {
    lasting: f64,
    deviation: f64,
    level: f64,
}

impl Factor {
    fn new(random: &mut Random, variation: f64, deviation: f64) -> Self {
        let variance = libm::log1p(variation * variation);
        Self {
            lasting: libm::exp(libm::sqrt(variance) * random.normal() - 0.5 * variance),
            deviation,
            level: random.normal(),
        }
    }

    /// The part that wanders, in the next interval.
    fn wander(&mut self, random: &mut Random) -> f64 {
        let now = libm::exp(self.deviation * self.level);
        let correlation = libm::pow(CORRELATION_OF_A_MINUTE, INTERVAL_SECONDS / 60.0);
        let rest = libm::sqrt(1.0 - correlation * correlation);
        self.level = correlation * self.level + rest * random.normal();
        now
    }

    /// All of it, in the next interval.
    fn next(&mut self, random: &mut Random) -> f64 {
        self.lasting * self.wander(random)
    }
}

/// Bad minutes come and go by themselves: both are geometric.
#[derive(Debug, Clone)]
struct BadMinutes {
    is_bad: bool,
}

impl BadMinutes {
    fn new(random: &mut Random) -> Self {
        Self {
            is_bad: random.uniform() < BAD_SECONDS / (BAD_SECONDS + GOOD_SECONDS),
        }
    }

    /// How many times the failures and the slow requests, in the next interval.
    fn next(&mut self, random: &mut Random) -> f64 {
        let now = self.is_bad;
        let seconds = if now { BAD_SECONDS } else { GOOD_SECONDS };
        if random.uniform() < INTERVAL_SECONDS / seconds {
            self.is_bad = !now;
        }
        if now { BAD_TIMES } else { 1.0 }
    }
}

/// One pod of a rollout.
#[derive(Debug, Clone)]
pub(super) struct Pod {
    /// What it is like.
    nature: Random,
    /// What chance makes of that.
    chance: Random,
    failures: Factor,
    failed_orders: Factor,
    /// How slow it is, and for good how many of its requests are slow.
    latency: Factor,
    gauges: [Factor; 4],
    bad_minutes: Option<BadMinutes>,
}

impl Pod {
    /// A pod of a replicate by its name: the same for the same seed and index, whatever the law.
    pub(super) fn new(description: &Description, (seed, index): (u64, u64), name: &str) -> Self {
        let stream = |what: &str| Random::new(&RandomKey::new(seed, what, name), index);
        let mut nature = stream("rollout, nature");
        let Description {
            noise,
            counts_differ,
            gauges_differ,
            has_bad_minutes,
            ..
        } = *description;
        let mut factor = |variation: f64| Factor::new(&mut nature, variation, noise);
        let [failures, failed_orders, latency] = [counts_differ; 3].map(&mut factor);
        let gauges = [gauges_differ; 4].map(factor);
        Self {
            bad_minutes: has_bad_minutes.then(|| BadMinutes::new(&mut nature)),
            nature,
            chance: stream("rollout, chance"),
            failures,
            failed_orders,
            latency,
            gauges,
        }
    }

    /// The next interval, with so many requests in the mean.
    pub(super) fn next(&mut self, bounds: &[f64], requests: f64, times: Times) -> Served {
        let nature = &mut self.nature;
        let bad = self.bad_minutes.as_mut();
        let bad = bad.map_or(1.0, |bad| bad.next(nature));
        let failures = FAILURES * bad * times.errors * self.failures.next(nature);
        let failed_orders = FAILED_ORDERS * self.failed_orders.next(nature);
        let speed = times.latency * self.latency.wander(nature);
        let chances = by_bucket(bounds, speed, bad * self.latency.lasting);
        let mut gauge = self.gauges.each_mut().into_iter();
        let mut factor = || gauge.next().map_or(1.0, |gauge| gauge.next(nature));
        let [cores, memory, waiting, heap] = [(); 4].map(|()| factor());

        let chance = &mut self.chance;
        let counted = poisson(chance, requests);
        let ordered = poisson(chance, requests * ORDERS_PART);
        let mut below = 0;
        let mut at_most = Vec::with_capacity(bounds.len() + 1);
        multinomial(chance, counted, &chances, |_, count| {
            below += count;
            at_most.push(below as f64);
        });
        Served {
            requests: counted as f64,
            failures: binomial(chance, counted, failures) as f64,
            orders: ordered as f64,
            failed_orders: binomial(chance, ordered, failed_orders) as f64,
            at_most,
            gauges: [
                CORES * cores,
                MEMORY_BYTES * memory,
                poisson(chance, WAITING * waiting) as f64,
                (HEAP * heap).min(1.0),
            ],
        }
    }
}

/// The chance of a request to fall into each bucket given that it fell into none before, of a pod that is so many
/// times as slow, and has so many times the requests that take longer than [`SLOW_SECONDS`].
fn by_bucket(bounds: &[f64], speed: f64, slow: f64) -> Vec<f64> {
    let law = LatencyLaw::new(MEDIAN_SECONDS * speed, SIGMA);
    let beyond = |bound: f64| law.map_or(0.0, |law| 1.0 - law.cumulative_probability(bound));
    let usual = beyond(SLOW_SECONDS);
    let raised = (slow * usual).min(1.0);
    let beyond = |bound: &f64| {
        if *bound < SLOW_SECONDS {
            // The others are as many fewer.
            1.0 - (1.0 - beyond(*bound)) * (1.0 - raised) / (1.0 - usual)
        } else {
            beyond(*bound) * raised / usual
        }
    };
    let mut before = 1.0;
    let mut chances: Vec<f64> = Vec::with_capacity(bounds.len() + 1);
    for now in bounds.iter().map(beyond) {
        chances.push(if before > 0.0 {
            1.0 - now / before
        } else {
            1.0
        });
        before = now;
    }
    chances.push(1.0);
    chances
}
