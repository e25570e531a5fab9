//! What the values of one pod do by themselves.

use super::super::super::random::Random;
use super::super::super::sample::poisson;
use super::signal::{
    between, drifting, exponential, is_in_the_first, log_normal, part_of_the_period,
};
use super::values::Minutes;

/// Of a gauge that is mostly 0: how large it is otherwise in the mean.
const MEAN_OF_THE_REST: f64 = 10.0;
/// How far a sawtooth falls, of 1.
const LOWEST: f64 = 0.4;
/// Of lag: the mean between spikes, and how large they are.
const LAG: f64 = 0.1;
const SPIKE: f64 = 30.0;
/// A leak a minute, and the deviation of the walk on top of it a square root of a minute.
const LEAK: f64 = 0.01;
const WALK: f64 = 0.02;

/// The law of a pod's values. Correlations are from one minute to the next.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum PodLaw {
    /// `ar(variation, correlation)`, each pod times a factor for good of a variation of its own.
    Drift {
        /// Coefficient of variation.
        variation: f64,
        /// Of the logarithm.
        correlation: f64,
        /// Coefficient of variation of the factor.
        of_pods: f64,
    },
    /// `ar(variation, .5)` with a part of the values lost.
    Gaps {
        /// Coefficient of variation.
        variation: f64,
        /// The part.
        lost: f64,
    },
    /// `|1 + scale t|` with `t` of Student's law of two degrees of freedom.
    HeavyTails(f64),
    /// A Poisson number of this mean.
    Queue(f64),
    /// A Poisson number of so many times `ar(1, .9)`.
    SlowQueue(f64),
    /// Exponential with mean 10 in this share of the samples, else 0.
    MostlyZero(f64),
    /// Exponential with mean 10 in runs of four samples, one an hour, else 0.
    RunsOfValues,
    /// Exponential with mean .1, and once an hour a spike that all pods share.
    Lag,
    /// 1 or 2, each for half an hour in the mean, times `ar(.05, .5)`.
    TwoLevels,
    /// A job that each pod runs at its own time, over `ar(variation, correlation)`.
    Job {
        /// How many times the values are meanwhile.
        times: f64,
        /// For how many minutes.
        minutes: f64,
        /// In so many minutes once.
        every: f64,
        /// Coefficient of variation.
        variation: f64,
        /// Of the logarithm.
        correlation: f64,
    },
    /// `ar(.1, .5)`, one of all pods three times as large.
    Leader,
    /// `exp(scale v z)` with `v` an `ar(1, .95)` and `z` standard normal.
    Volatile(f64),
    /// From .4 to 1 in so many minutes, then .4 again; plus a normal number of deviation .01.
    Sawtooth {
        /// The shortest and the longest period of a pod, in minutes.
        period: (f64, f64),
        /// When it begins.
        phase: Phase,
    },
    /// `1 + .01 t` and a random walk of .02 a square root of a minute; pods up to so much ahead.
    Leak(f64),
}

/// When the period of a pod begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// With the rollout.
    Start,
    /// Each pod has its own.
    Own,
    /// All pods of the control have one.
    Common,
}

/// What pods have in common in a rollout.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Common {
    /// Minutes at which all begin to lag.
    pub(super) spikes: Vec<f64>,
    /// A part of a period.
    pub(super) phase: f64,
    /// The pod that leads, counted over both populations, the canary's first.
    pub(super) leader: usize,
}

impl Common {
    pub(super) fn draw(random: &mut Random, minutes: &Minutes, pods: usize) -> Self {
        let (first, last) = (minutes.all.first(), minutes.all.last());
        let mut spikes = Vec::new();
        // A spike of ten minutes before may still be seen.
        let mut at = first.map_or(0.0, |first| first - 10.0) + exponential(random, 60.0);
        while last.is_some_and(|last| at < *last) {
            spikes.push(at);
            at += exponential(random, 60.0);
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "below the number of pods"
        )]
        let leader = (random.uniform() * pods as f64) as usize;
        Self {
            spikes,
            phase: random.uniform(),
            leader,
        }
    }
}

impl PodLaw {
    /// `ar(variation, correlation)`.
    pub const fn drift(variation: f64, correlation: f64) -> Self {
        Self::Drift {
            variation,
            correlation,
            of_pods: 0.0,
        }
    }

    /// The values of a pod: `level` is by what they are multiplied as they are seen, sample by sample.
    pub(super) fn draw(
        self,
        random: &mut Random,
        (minutes, level): (&Minutes, &[f64]),
        common: &Common,
        pod: usize,
    ) -> Vec<Option<f64>> {
        let values = self.plain(random, minutes, common, pod);
        let seen = |(value, level): (f64, &f64)| match self {
            Self::Queue(_) | Self::SlowQueue(_) => Some(level * poisson(random, value) as f64),
            Self::Gaps { lost, .. } => (random.uniform() >= lost).then_some(level * value),
            _ => Some(level * value),
        };
        values.into_iter().zip(level).map(seen).collect()
    }

    fn plain(
        self,
        random: &mut Random,
        minutes: &Minutes,
        common: &Common,
        pod: usize,
    ) -> Vec<f64> {
        let samples = minutes.all.len();
        match self {
            Self::Drift {
                variation,
                correlation,
                of_pods,
            } => {
                let factor = log_normal(random.normal(), of_pods);
                let values = drifting(random, samples, variation, correlation);
                values.into_iter().map(|value| factor * value).collect()
            }
            Self::Gaps { variation, .. } => drifting(random, samples, variation, 0.5),
            Self::HeavyTails(scale) => (0..samples).map(|_| heavy(random, scale)).collect(),
            Self::Queue(mean) => vec![mean; samples],
            Self::SlowQueue(mean) => {
                let slow = drifting(random, samples, 1.0, 0.9);
                slow.into_iter().map(|value| mean * value).collect()
            }
            Self::MostlyZero(share) => mostly_zero(random, samples, share),
            Self::RunsOfValues => runs(random, samples),
            Self::Lag => lag(random, minutes, common),
            Self::TwoLevels => two_levels(random, minutes),
            Self::Job {
                times,
                minutes: length,
                every,
                variation,
                correlation,
            } => {
                let phase = between(random, 0.0, every);
                let values = drifting(random, samples, variation, correlation);
                let at = |(value, minute): (f64, &f64)| {
                    let runs = is_in_the_first(*minute, phase, every, length);
                    if runs { times * value } else { value }
                };
                values.into_iter().zip(&minutes.all).map(at).collect()
            }
            Self::Leader => {
                let times = if pod == common.leader { 3.0 } else { 1.0 };
                let values = drifting(random, samples, 0.1, 0.5);
                values.into_iter().map(|value| times * value).collect()
            }
            Self::Volatile(scale) => {
                let volatility = drifting(random, samples, 1.0, 0.95);
                let one = |volatility: f64| libm::exp(scale * volatility * random.normal());
                volatility.into_iter().map(one).collect()
            }
            Self::Sawtooth { period, phase } => sawtooth(random, minutes, common, (period, phase)),
            Self::Leak(ahead) => leak(random, minutes, ahead),
        }
    }
}

fn heavy(random: &mut Random, scale: f64) -> f64 {
    // The inverse of the distribution function of two degrees of freedom.
    let part = random.uniform();
    let student = (2.0 * part - 1.0) / libm::sqrt(2.0 * part * (1.0 - part));
    (1.0 + scale * student).abs()
}

fn mostly_zero(random: &mut Random, samples: usize, share: f64) -> Vec<f64> {
    let mut one = || {
        let is_there = random.uniform() < share;
        let value = exponential(random, MEAN_OF_THE_REST);
        if is_there { value } else { 0.0 }
    };
    (0..samples).map(|_| one()).collect()
}

fn runs(random: &mut Random, samples: usize) -> Vec<f64> {
    /// Samples of a run in the mean, and between two.
    const RUN: f64 = 4.0;
    const BETWEEN: f64 = 56.0;
    let mut is_on = random.uniform() < RUN / (RUN + BETWEEN);
    let mut values = Vec::with_capacity(samples);
    for _ in 0..samples {
        let value = exponential(random, MEAN_OF_THE_REST);
        values.push(if is_on { value } else { 0.0 });
        let ends = random.uniform() * if is_on { RUN } else { BETWEEN } < 1.0;
        is_on ^= ends;
    }
    values
}

fn lag(random: &mut Random, minutes: &Minutes, common: &Common) -> Vec<f64> {
    let falls_in = between(random, 1.0, 4.0);
    let heights = common.spikes.iter().map(|at| {
        let height = SPIKE * between(random, 0.5, 1.5);
        (*at, height)
    });
    let heights: Vec<(f64, f64)> = heights.collect();
    let mut values = Vec::with_capacity(minutes.all.len());
    for minute in &minutes.all {
        let of_a_spike = |(at, height): &(f64, f64)| {
            let since = minute - at;
            if since < 0.0 {
                0.0
            } else {
                height * libm::exp(-since / falls_in)
            }
        };
        let spikes: f64 = heights.iter().map(of_a_spike).sum();
        values.push(exponential(random, LAG) + spikes);
    }
    values
}

fn two_levels(random: &mut Random, minutes: &Minutes) -> Vec<f64> {
    const STAYS: f64 = 30.0;
    let mut values = drifting(random, minutes.all.len(), 0.05, 0.5);
    let mut is_high = random.uniform() < 0.5;
    let mut until = minutes.all.first().copied().unwrap_or_default() + exponential(random, STAYS);
    for (value, minute) in values.iter_mut().zip(&minutes.all) {
        while *minute >= until {
            is_high = !is_high;
            until += exponential(random, STAYS);
        }
        *value *= if is_high { 2.0 } else { 1.0 };
    }
    values
}

fn sawtooth(
    random: &mut Random,
    minutes: &Minutes,
    common: &Common,
    ((shortest, longest), phase): ((f64, f64), Phase),
) -> Vec<f64> {
    const NOISE: f64 = 0.01;
    let period = between(random, shortest, longest);
    let begun_at = match phase {
        Phase::Start => 0.0,
        Phase::Own => period * random.uniform(),
        Phase::Common => period * common.phase,
    };
    let at = |minute: &f64| {
        let part = part_of_the_period(*minute, begun_at, period);
        LOWEST + (1.0 - LOWEST) * part + NOISE * random.normal()
    };
    minutes.all.iter().map(at).collect()
}

/// It leaks from the rollout's begin on.
fn leak(random: &mut Random, minutes: &Minutes, most_ahead: f64) -> Vec<f64> {
    let mut level = 1.0 + between(random, 0.0, most_ahead);
    let mut before = 0.0;
    let mut values = Vec::with_capacity(minutes.all.len());
    for minute in minutes.all.iter().map(|minute| minute.max(0.0)) {
        let passed = minute - before;
        level += LEAK * passed + WALK * libm::sqrt(passed) * random.normal();
        values.push(level);
        before = minute;
    }
    values
}
