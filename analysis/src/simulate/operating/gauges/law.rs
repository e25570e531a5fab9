//! The laws that the method of gauges was chosen on.

use super::super::super::random::Random;
use super::super::super::sample::poisson;
use super::signal::{drifting, log_normal};
use super::values::{GaugeValues, Minutes, PodValues};
use crate::series::Populations;

/// The correlation of what both populations share from one minute to the next.
const SHARED_CORRELATION: f64 = 0.99;
/// Heavy tails: this share of the samples is so many times as large.
const HEAVY_SHARE: f64 = 0.02;
const HEAVY_TIMES: f64 = 20.0;
/// Minutes in each of which a pod has one burst.
const BURST_EVERY: f64 = 30.0;

/// A pod's values are so many times as large for so many minutes, once in each half an hour.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bursts {
    /// How many times.
    pub times: f64,
    /// For how many minutes.
    pub minutes: f64,
}

/// Log-normal values with mean 1, autoregressive in the logarithm, by pod; and what is wrong with the canary.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GaugeLaw {
    /// Coefficient of variation of a pod's values.
    pub variation: f64,
    /// Their correlation from one minute to the next, whatever the sampling.
    pub correlation: f64,
    /// How many pods there are.
    pub pods: Populations<usize>,
    /// Coefficient of variation of a factor that each pod has for good.
    pub pod_variation: f64,
    /// That of a slow drift that both populations have together.
    pub shared_variation: f64,
    /// How many times as large the canary's values are, from a minute on.
    pub times: f64,
    /// Which minute.
    pub from_minute: f64,
    /// By how much of its level the canary grows each minute.
    pub leak: f64,
    /// Whether only one canary pod is worse.
    pub is_of_one_pod: bool,
    /// Bursts of each pod.
    pub bursts: Option<Bursts>,
    /// Whether 2 % of the samples are twenty times as large.
    pub is_heavy: bool,
    /// How many times as large the values of one control pod are.
    pub sick_times: f64,
    /// Hours before the rollout that the control was read.
    pub hours_before: f64,
    /// Values are Poisson numbers, of so much at a level of 1.
    pub poisson_mean: Option<f64>,
    /// Values are rounded to multiples of this.
    pub quantum: Option<f64>,
}

impl GaugeLaw {
    /// Constant values of one pod a side.
    pub const CONSTANT: Self = Self {
        variation: 0.0,
        correlation: 0.0,
        pods: Populations {
            control: 1,
            canary: 1,
        },
        pod_variation: 0.0,
        shared_variation: 0.0,
        times: 1.0,
        from_minute: 0.0,
        leak: 0.0,
        is_of_one_pod: false,
        bursts: None,
        is_heavy: false,
        sick_times: 1.0,
        hours_before: 0.0,
        poisson_mean: None,
        quantum: None,
    };

    pub(super) fn draw(
        &self,
        random: &mut Random,
        step_seconds: f64,
        longest_minutes: f64,
    ) -> GaugeValues {
        let minutes = Minutes::new(step_seconds, longest_minutes, self.hours_before);
        let mut arm = |pods: usize| -> Vec<Vec<f64>> {
            (0..pods)
                .map(|_| self.pod(random, &minutes, step_seconds))
                .collect()
        };
        let (mut control, mut canary) = (arm(self.pods.control), arm(self.pods.canary));
        if let Some(sick) = control.first_mut() {
            for value in sick {
                *value *= self.sick_times;
            }
        }
        let worse = if self.is_of_one_pod { 1 } else { canary.len() };
        for pod in canary.iter_mut().take(worse) {
            for (value, minute) in pod.iter_mut().zip(&minutes.all) {
                *value *= self.fault(*minute);
            }
        }
        if self.shared_variation > 0.0 {
            let correlation = libm::pow(SHARED_CORRELATION, step_seconds / 60.0);
            let samples = minutes.all.len();
            let shared = drifting(random, samples, self.shared_variation, correlation);
            for pod in control.iter_mut().chain(&mut canary) {
                let both = pod.iter_mut().zip(&shared);
                both.for_each(|(value, shared)| *value *= shared);
            }
        }
        let mut seen = |pods: Vec<Vec<f64>>| -> PodValues {
            let mut one = |value: f64| Some(self.seen(random, value));
            pods.into_iter()
                .map(|pod| pod.into_iter().map(&mut one).collect())
                .collect()
        };
        let (control, canary) = (seen(control), seen(canary));
        GaugeValues::split((control, canary), &minutes)
    }

    fn pod(&self, random: &mut Random, minutes: &Minutes, step_seconds: f64) -> Vec<f64> {
        let samples = minutes.all.len();
        let correlation = libm::pow(self.correlation, step_seconds / 60.0);
        let mut values = drifting(random, samples, self.variation, correlation);
        if self.pod_variation > 0.0 {
            let factor = log_normal(random.normal(), self.pod_variation);
            for value in &mut values {
                *value *= factor;
            }
        }
        if self.is_heavy {
            for value in &mut values {
                if random.uniform() < HEAVY_SHARE {
                    *value *= HEAVY_TIMES;
                }
            }
        }
        if let Some(bursts) = self.bursts {
            self.burst(bursts, random, minutes, &mut values);
        }
        values
    }

    /// One burst begins in each half an hour, anywhere: those of the first one began up to 15 minutes before.
    fn burst(&self, bursts: Bursts, random: &mut Random, minutes: &Minutes, values: &mut [f64]) {
        let mut begin = -0.5 * BURST_EVERY - 60.0 * self.hours_before;
        let last = minutes.all.last().copied().unwrap_or_default();
        while begin < last {
            let at = begin + BURST_EVERY * random.uniform();
            for (value, minute) in values.iter_mut().zip(&minutes.all) {
                if (at..at + bursts.minutes).contains(minute) {
                    *value *= bursts.times;
                }
            }
            begin += BURST_EVERY;
        }
    }

    fn fault(&self, minute: f64) -> f64 {
        let times = if minute > self.from_minute {
            self.times
        } else {
            1.0
        };
        times * (1.0 + self.leak * minute.max(0.0))
    }

    fn seen(&self, random: &mut Random, value: f64) -> f64 {
        match (self.poisson_mean, self.quantum) {
            (Some(mean), _) => poisson(random, value * mean) as f64,
            (None, Some(quantum)) => libm::rint(value / quantum) * quantum,
            (None, None) => value,
        }
    }
}
