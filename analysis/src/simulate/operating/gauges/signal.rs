//! What the laws of gauges are made of.

use super::super::super::random::Random;

/// Standard normal numbers, an autoregressive series of order 1 that begins in its stationary law.
pub(super) fn autoregressive(random: &mut Random, samples: usize, correlation: f64) -> Vec<f64> {
    let innovation = libm::sqrt(1.0 - correlation * correlation);
    let mut level: Option<f64> = None;
    let mut next = || {
        let new = random.normal();
        let now = level.map_or(new, |before| correlation * before + innovation * new);
        level = Some(now);
        now
    };
    (0..samples).map(|_| next()).collect()
}

/// The log-normal number of a standard normal one: mean 1, this coefficient of variation.
pub(super) fn log_normal(standard: f64, variation: f64) -> f64 {
    let deviation = libm::sqrt(libm::log1p(variation * variation));
    libm::exp(deviation * standard - 0.5 * deviation * deviation)
}

/// `ar(variation, correlation)`: log-normal with mean 1, its logarithm autoregressive.
pub(super) fn drifting(
    random: &mut Random,
    samples: usize,
    variation: f64,
    correlation: f64,
) -> Vec<f64> {
    let mut values = autoregressive(random, samples, correlation);
    for value in &mut values {
        *value = log_normal(*value, variation);
    }
    values
}

/// An exponential number.
pub(super) fn exponential(random: &mut Random, mean: f64) -> f64 {
    -mean * libm::log(random.uniform())
}

/// A number between two.
pub(super) fn between(random: &mut Random, low: f64, high: f64) -> f64 {
    low + (high - low) * random.uniform()
}

/// Whether `minute` lies in the first `length` minutes of a period that began at `phase`.
pub(super) fn is_in_the_first(minute: f64, phase: f64, period: f64, length: f64) -> bool {
    (minute - phase).rem_euclid(period) < length
}

/// The part of a period that has passed.
pub(super) fn part_of_the_period(minute: f64, phase: f64, period: f64) -> f64 {
    (minute - phase).rem_euclid(period) / period
}
