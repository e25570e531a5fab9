//! The pods of a population: how fast each is, and what it serves.

use super::super::super::random::Random;
use super::super::super::sample::{multinomial, poisson};
use super::super::laws::{BadMinutes, TwoStates};
use super::drift::{Drift, Wandering};
use super::law::Latencies;

/// How the speeds of pods of one version differ, each by itself, in both populations alike.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum PodSpeed {
    /// Not at all.
    Equal,
    /// By a factor for good, whose logarithm has this standard deviation.
    Differ(f64),
    /// By a factor that wanders.
    Wander(Drift),
    /// By bad minutes.
    BadMinutes(BadMinutes),
    /// One pod of the control is so many times as slow.
    OneOfTheControl(f64),
}

/// The pods of both populations, all with the same part of their population's requests.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Servers {
    /// The canary's pods.
    pub canary: usize,
    /// The control's.
    pub control: usize,
    /// How they differ.
    pub each: PodSpeed,
}

impl Servers {
    /// One of each.
    pub const ONE: Self = Self {
        canary: 1,
        control: 1,
        each: PodSpeed::Equal,
    };
}

/// One pod, step by step.
#[derive(Debug, Clone)]
pub(super) struct Server {
    random: Random,
    speed: Speed,
    law: Latencies,
    /// How many slow requests come together in the mean; 1 where each comes by itself.
    cluster: f64,
    /// The chances of the buckets at the scale that was last asked for.
    scale: f64,
    alone: Vec<f64>,
    together: Vec<f64>,
}

#[derive(Debug, Clone)]
enum Speed {
    Fixed(f64),
    Wandering(Wandering),
    BadMinutes(TwoStates, f64),
}

impl Server {
    /// `is_first_of_control` says that it is the control's first.
    pub(super) fn new(
        mut random: Random,
        each: PodSpeed,
        is_first_of_control: bool,
        (law, cluster): (Latencies, f64),
    ) -> Self {
        let speed = match each {
            PodSpeed::Differ(deviation) => Speed::Fixed(libm::exp(deviation * random.normal())),
            PodSpeed::Wander(drift) => Speed::Wandering(Wandering::new(drift)),
            PodSpeed::BadMinutes(bad) => {
                let states = TwoStates::new(&mut random, bad.good, bad.bad);
                Speed::BadMinutes(states, bad.times)
            }
            PodSpeed::OneOfTheControl(times) if is_first_of_control => Speed::Fixed(times),
            PodSpeed::Equal | PodSpeed::OneOfTheControl(_) => Speed::Fixed(1.0),
        };
        Self {
            random,
            speed,
            law,
            cluster,
            scale: f64::NAN,
            alone: Vec::new(),
            together: Vec::new(),
        }
    }

    /// The requests of the next step, by bucket.
    pub(super) fn next(&mut self, bounds: &[f64], requests: f64, scale: f64) -> Vec<f64> {
        let factor = match &mut self.speed {
            Speed::Fixed(factor) => *factor,
            Speed::Wandering(wandering) => wandering.next(&mut self.random),
            Speed::BadMinutes(states, times) => {
                if states.next(&mut self.random) {
                    *times
                } else {
                    1.0
                }
            }
        };
        self.set_scale(bounds, scale * factor);
        let random = &mut self.random;
        let alone = self.alone.iter();
        let mut row: Vec<f64> = alone
            .map(|chance| poisson(random, requests * chance) as f64)
            .collect();
        if !self.together.is_empty() {
            add_clusters(random, &mut row, requests, &self.together, self.cluster);
        }
        row
    }

    fn set_scale(&mut self, bounds: &[f64], scale: f64) {
        if self.scale.total_cmp(&scale).is_eq() {
            return;
        }
        self.scale = scale;
        if self.cluster > 1.0 {
            let (alone, together) = self.law.apart();
            self.alone = by_bucket(&alone, bounds, scale);
            self.together = by_bucket(&together, bounds, scale);
        } else {
            self.alone = by_bucket(&self.law, bounds, scale);
        }
    }
}

/// The chance of a request to fall into each bucket.
fn by_bucket(law: &Latencies, bounds: &[f64], scale: f64) -> Vec<f64> {
    let mut before = law.beyond(0.0, scale);
    let beyond = bounds.iter().map(|bound| law.beyond(*bound, scale));
    let each = beyond.chain(std::iter::once(0.0));
    each.map(|beyond| {
        let chance = (before - beyond).max(0.0);
        before = beyond;
        chance
    })
    .collect()
}

/// Adds slow requests that come in clusters of geometric size; `chances` are those of a request by bucket.
fn add_clusters(random: &mut Random, row: &mut [f64], requests: f64, chances: &[f64], mean: f64) {
    let share: f64 = chances.iter().sum();
    let goes_on = 1.0 - 1.0 / mean;
    let mut members = 0;
    for _ in 0..poisson(random, requests * share / mean) {
        members += 1;
        while random.uniform() < goes_on {
            members += 1;
        }
    }
    let mut left = share;
    let conditional: Vec<f64> = chances
        .iter()
        .map(|chance| {
            let part = if left > 0.0 { chance / left } else { 0.0 };
            left -= chance;
            part
        })
        .collect();
    multinomial(random, members, &conditional, |bucket, count| {
        if let Some(sum) = row.get_mut(bucket) {
            *sum += count as f64;
        }
    });
}
