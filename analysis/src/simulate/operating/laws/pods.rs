//! Pods of one version that differ.

use super::super::super::random::Random;
use super::super::noise::gamma;
use super::arm::independent;
use super::states::TwoStates;

/// Steps of two hours.
const TWO_HOURS: f64 = 240.0;

/// How the failure rates of pods of one version differ, each by itself, in both populations alike.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum PodLaw {
    /// Not at all.
    Equal,
    /// By a log-normal factor, for good.
    LogNormal {
        /// Its coefficient of variation.
        variation: f64,
    },
    /// By a gamma factor, for good.
    Gamma {
        /// Its coefficient of variation.
        variation: f64,
    },
    /// By a log-normal factor that wanders.
    Drift {
        /// Correlation from step to step.
        correlation: f64,
        /// The standard deviation of its logarithm.
        deviation: f64,
    },
    /// By a factor that is 1 at first, and whose logarithm has this standard deviation two hours later, when the
    /// hour before the rollout and one of it are over; between them it goes in a straight line.
    Apart(f64),
    /// Now and then one has bad minutes.
    BadMinutes(BadMinutes),
    /// Both a log-normal factor for good and bad minutes.
    LogNormalAndBadMinutes(f64, BadMinutes),
    /// By a log-normal factor; those of the control are new ones every so many steps.
    ShortLived {
        /// The coefficient of variation.
        variation: f64,
        /// How long each lives.
        steps: usize,
    },
}

/// A chain of good and bad minutes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BadMinutes {
    /// Good steps in the mean.
    pub good: f64,
    /// Bad steps in the mean.
    pub bad: f64,
    /// How many times the failures in the bad ones.
    pub times: f64,
}

/// One pod, step by step.
#[derive(Debug, Clone)]
pub(super) struct Pod {
    random: Random,
    law: PodLaw,
    /// What is drawn once: a factor, or a standard normal number.
    drawn: f64,
    states: Option<TwoStates>,
    /// Steps so far.
    step: usize,
    /// How many lives it had.
    pub(super) generation: usize,
    age: usize,
    lives_on: bool,
    /// Its part of its population's requests, before all are made to be one.
    pub(super) weight: f64,
}

impl Pod {
    pub(super) fn new(mut random: Random, law: PodLaw, is_of_control: bool, is_even: bool) -> Self {
        let weight = if is_even {
            1.0
        } else {
            log_normal(&mut random, 0.5)
        };
        let bad = match law {
            PodLaw::BadMinutes(bad) | PodLaw::LogNormalAndBadMinutes(_, bad) => Some(bad),
            _ => None,
        };
        let states = bad.map(|bad| TwoStates::new(&mut random, bad.good, bad.bad));
        let drawn = draw(&mut random, law);
        let age = match law {
            // They were not all begun at once.
            PodLaw::ShortLived { steps, .. } if is_of_control => {
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "between 0 and the steps"
                )]
                let age = (random.uniform() * steps as f64) as usize;
                age
            }
            _ => 0,
        };
        Self {
            random,
            law,
            drawn,
            states,
            step: 0,
            generation: 0,
            age,
            lives_on: !is_of_control,
            weight,
        }
    }

    /// The failures of the next step.
    pub(super) fn next(&mut self, requests: f64, rate: f64) -> f64 {
        let factor = self.factor();
        self.step += 1;
        independent(&mut self.random, requests, factor * rate)
    }

    fn factor(&mut self) -> f64 {
        match self.law {
            PodLaw::Equal => 1.0,
            PodLaw::LogNormal { .. } | PodLaw::Gamma { .. } => self.drawn,
            PodLaw::Drift {
                correlation,
                deviation,
            } => {
                let level = self.drawn;
                let rest = libm::sqrt(1.0 - correlation * correlation);
                self.drawn = correlation * level + rest * self.random.normal();
                libm::exp(deviation * level - 0.5 * deviation * deviation)
            }
            PodLaw::Apart(deviation) => {
                libm::exp(deviation * self.drawn * self.step as f64 / TWO_HOURS)
            }
            PodLaw::BadMinutes(bad) => self.bad(bad.times),
            PodLaw::LogNormalAndBadMinutes(_, bad) => self.drawn * self.bad(bad.times),
            PodLaw::ShortLived { steps, .. } => {
                if self.age >= steps && !self.lives_on {
                    self.age = 0;
                    self.generation += 1;
                    self.drawn = draw(&mut self.random, self.law);
                }
                self.age += 1;
                self.drawn
            }
        }
    }

    fn bad(&mut self, times: f64) -> f64 {
        let random = &mut self.random;
        let is_bad = self
            .states
            .as_mut()
            .is_some_and(|states| states.next(random));
        if is_bad { times } else { 1.0 }
    }
}

fn draw(random: &mut Random, law: PodLaw) -> f64 {
    match law {
        PodLaw::Equal | PodLaw::BadMinutes(_) => 1.0,
        PodLaw::LogNormal { variation }
        | PodLaw::LogNormalAndBadMinutes(variation, _)
        | PodLaw::ShortLived { variation, .. } => log_normal(random, variation),
        PodLaw::Gamma { variation } => {
            let shape = 1.0 / (variation * variation);
            gamma(random, shape) / shape
        }
        PodLaw::Drift { .. } | PodLaw::Apart(_) => random.normal(),
    }
}

/// A log-normal number with mean 1.
pub(super) fn log_normal(random: &mut Random, variation: f64) -> f64 {
    let variance = libm::log1p(variation * variation);
    libm::exp(libm::sqrt(variance) * random.normal() - 0.5 * variance)
}
