//! Laws on which nothing was chosen: what pods do, what both populations share, what the canary does besides.

use super::super::super::random::Random;
use super::pod::{Common, PodLaw};
use super::signal::{between, drifting};
use super::values::{GaugeValues, Minutes};
use crate::series::Populations;

/// What both populations are multiplied by.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum SharedChange {
    /// Nothing.
    None,
    /// `1 + .6 sin` of a day, at any time of it.
    Day,
    /// `ar(variation, correlation)`.
    Drift(f64, f64),
    /// 2 from minute 20 to 60, each population up to three minutes late.
    Load,
}

/// What the canary is multiplied by, at each minute of the rollout.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum CanaryChange {
    /// Nothing.
    None,
    /// `1 + more exp(-t / minutes)`.
    Cold {
        /// How much more at first.
        more: f64,
        /// After how long it is a third of that.
        minutes: f64,
    },
    /// `max(1, most - t / minutes)`.
    ColdLine {
        /// At first.
        most: f64,
        /// In how long it falls by 1.
        minutes: f64,
    },
    /// So many for so many minutes.
    Until(f64, f64),
    /// `.3 + .7 (1 - exp(-t / 30))`.
    YoungMemory,
}

impl CanaryChange {
    fn at(self, minute: f64) -> f64 {
        match self {
            Self::None => 1.0,
            Self::Cold { more, minutes } => 1.0 + more * libm::exp(-minute / minutes),
            Self::ColdLine { most, minutes } => (most - minute / minutes).max(1.0),
            Self::Until(times, end) => {
                if minute <= end {
                    times
                } else {
                    1.0
                }
            }
            Self::YoungMemory => 0.3 - 0.7 * libm::expm1(-minute / 30.0),
        }
    }
}

/// A law.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FurtherGaugeLaw {
    /// Of the control's pods, and of the canary's.
    pub laws: Populations<PodLaw>,
    /// How many there are.
    pub pods: Populations<usize>,
    /// What both share.
    pub shared: SharedChange,
    /// What only the canary does.
    pub canary: CanaryChange,
    /// How many times as large the canary's values are throughout.
    pub times: f64,
    /// Hours before the rollout that the control was read.
    pub hours_before: f64,
}

impl FurtherGaugeLaw {
    /// The same law for both, one pod a side.
    pub const fn alike(law: PodLaw) -> Self {
        Self {
            laws: Populations {
                control: law,
                canary: law,
            },
            pods: Populations {
                control: 1,
                canary: 1,
            },
            shared: SharedChange::None,
            canary: CanaryChange::None,
            times: 1.0,
            hours_before: 0.0,
        }
    }

    pub(super) fn draw(
        &self,
        random: &mut Random,
        step_seconds: f64,
        longest_minutes: f64,
    ) -> GaugeValues {
        let minutes = Minutes::new(step_seconds, longest_minutes, self.hours_before);
        let common = Common::draw(random, &minutes, self.pods.canary + self.pods.control);
        let shared = self.shared(random, &minutes);
        let of_canary = |(minute, shared): (&f64, &f64)| {
            let change = if *minute > 0.0 {
                self.times * self.canary.at(*minute)
            } else {
                1.0
            };
            change * shared
        };
        let levels = minutes.all.iter().zip(&shared.canary).map(of_canary);
        let levels: Vec<f64> = levels.collect();
        let mut arm = |law: PodLaw, pods: usize, first: usize, levels: &[f64]| {
            let one = |pod: usize| law.draw(random, (&minutes, levels), &common, first + pod);
            (0..pods).map(one).collect::<Vec<_>>()
        };
        let canary = arm(self.laws.canary, self.pods.canary, 0, &levels);
        let first = self.pods.canary;
        let control = arm(self.laws.control, self.pods.control, first, &shared.control);
        GaugeValues::split((control, canary), &minutes)
    }

    fn shared(&self, random: &mut Random, minutes: &Minutes) -> Populations<Vec<f64>> {
        let alike = |values: Vec<f64>| Populations {
            control: values.clone(),
            canary: values,
        };
        let samples = minutes.all.len();
        match self.shared {
            SharedChange::None => alike(vec![1.0; samples]),
            SharedChange::Day => {
                const DAY: f64 = 1440.0;
                let phase = random.uniform();
                let at = |minute: &f64| {
                    let angle = 2.0 * std::f64::consts::PI * (minute / DAY + phase);
                    1.0 + 0.6 * libm::sin(angle)
                };
                alike(minutes.all.iter().map(at).collect())
            }
            SharedChange::Drift(variation, correlation) => {
                alike(drifting(random, samples, variation, correlation))
            }
            SharedChange::Load => {
                let mut side = || -> Vec<f64> {
                    let late = between(random, 0.0, 3.0);
                    let during = 20.0 + late..60.0 + late;
                    let at = |minute: &f64| if during.contains(minute) { 2.0 } else { 1.0 };
                    minutes.all.iter().map(at).collect()
                };
                Populations {
                    control: side(),
                    canary: side(),
                }
            }
        }
    }
}
