//! A law of rollouts whose truth is known.

use std::fmt;

use super::super::random::{Random, RandomKey};
use super::super::sample::binomial;
use super::error::{OperatingError, within};
use super::noise::{NoiseLaw, RateProcess};
use crate::sequential::IntervalCounts;
use crate::series::ArmCount;

/// Intervals of 30 seconds in an hour.
pub const INTERVALS_PER_HOUR: usize = 120;
/// Longest rollout or history, in intervals: a month.
const MOST_INTERVALS: usize = 31 * 24 * INTERVALS_PER_HOUR;
/// Most requests in an interval.
const MOST_REQUESTS: u64 = 1_000_000_000;

/// A stretch of the rollout with one split of the traffic.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StageDescription {
    /// The canary's share of the traffic, between 0 and 1.
    pub share: f64,
    /// How long it lasts, in intervals.
    pub intervals: usize,
}

/// The time before the rollout in which the noise is measured, control against control.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct HistoryWindow {
    /// How long it is, in intervals of 30 seconds.
    pub intervals: usize,
    /// Share of the traffic that goes to the group that plays the canary.
    pub share: f64,
    /// The noise in it.
    pub noise: NoiseLaw,
}

/// What a scenario is made of.
#[derive(Debug, Clone, PartialEq)]
pub struct ScenarioDescription {
    /// The control's mean failure rate.
    pub base_rate: f64,
    /// Requests of both populations in an interval.
    pub requests_per_interval: u64,
    /// The split of the traffic, stage by stage.
    pub stages: Vec<StageDescription>,
    /// The noise of each population.
    pub noise: NoiseLaw,
    /// The canary's mean failure rate over the control's, after the onset.
    pub effect: f64,
    /// Intervals before the effect begins; until then the ratio is 1.
    pub onset: usize,
    /// The history, if there is one.
    pub history: Option<HistoryWindow>,
}

impl ScenarioDescription {
    /// One stage of independent failures in a canary that is as good as the control, without history.
    pub fn constant(
        base_rate: f64,
        share: f64,
        requests_per_interval: u64,
        intervals: usize,
    ) -> Self {
        Self {
            base_rate,
            requests_per_interval,
            stages: vec![StageDescription { share, intervals }],
            noise: NoiseLaw::Independent,
            effect: 1.0,
            onset: 0,
            history: None,
        }
    }
}

/// A checked scenario.
#[derive(Debug, Clone, PartialEq)]
pub struct Scenario {
    description: ScenarioDescription,
    /// The canary's requests, interval by interval.
    canary_requests: Vec<u64>,
}

/// One rollout of a scenario.
#[derive(Debug, Clone, PartialEq)]
pub struct Rollout {
    /// What was counted before it, of two groups without a difference.
    pub history: Option<Vec<IntervalCounts>>,
    /// What happened in it.
    pub intervals: Vec<IntervalCounts>,
    /// How many of the intervals each of its stages has.
    pub stages: Vec<usize>,
}

impl Scenario {
    /// Returns the scenario.
    ///
    /// # Errors
    ///
    /// [`OperatingError::OutOfRange`] where a number is outside its range, or a stage gives one of the
    /// populations no request; [`OperatingError::TooVariable`] for noise that a share cannot have.
    pub fn new(description: ScenarioDescription) -> Result<Self, OperatingError> {
        let ScenarioDescription {
            base_rate,
            requests_per_interval,
            ref stages,
            noise,
            effect,
            onset,
            history,
        } = description;
        let is_rate = base_rate > 0.0 && base_rate < 1.0;
        within("a base rate", base_rate, is_rate, "between 0 and 1")?;
        within(
            "traffic",
            requests_per_interval as f64,
            (2..=MOST_REQUESTS).contains(&requests_per_interval),
            "2 to 1e9 requests in an interval",
        )?;
        let is_effect = (1e-3..=1e6).contains(&effect);
        within("an effect", effect, is_effect, "between 0.001 and 1e6")?;
        let intervals = stages
            .iter()
            .fold(0_usize, |sum, stage| sum.saturating_add(stage.intervals));
        check_intervals("a rollout", intervals)?;
        let is_onset = onset < intervals;
        within(
            "an onset",
            onset as f64,
            is_onset,
            "before the rollout's end",
        )?;
        noise.check(base_rate)?;
        noise.check(base_rate * effect)?;
        if let Some(window) = history {
            check_intervals("a history", window.intervals)?;
            split(requests_per_interval, window.share)?;
            window.noise.check(base_rate)?;
        }
        let mut canary_requests = Vec::with_capacity(intervals);
        for stage in stages {
            let requests = split(requests_per_interval, stage.share)?;
            canary_requests.extend(std::iter::repeat_n(requests, stage.intervals));
        }
        Ok(Self {
            description,
            canary_requests,
        })
    }

    /// What it is made of.
    pub fn description(&self) -> &ScenarioDescription {
        &self.description
    }

    /// How long a rollout is, in intervals.
    pub fn intervals(&self) -> usize {
        self.canary_requests.len()
    }

    /// Returns a replicate: the same one for the same seed, scenario and index.
    pub fn rollout(&self, seed: u64, index: u64) -> Rollout {
        let label = self.to_string();
        let description = &self.description;
        let history = description.history.and_then(|window| {
            let label = format!("history {label}");
            let canary = split(description.requests_per_interval, window.share).ok()?;
            let requests = std::iter::repeat_n(canary, window.intervals);
            Some(self.counts(seed, &label, index, window.noise, requests, |_| 1.0))
        });
        Rollout {
            history,
            intervals: self.counts_of_rollout(seed, index, &label),
            stages: description
                .stages
                .iter()
                .map(|stage| stage.intervals)
                .collect(),
        }
    }

    /// Returns the counts of a replicate without its history.
    pub fn rollout_counts(&self, seed: u64, index: u64) -> Vec<IntervalCounts> {
        self.counts_of_rollout(seed, index, &self.to_string())
    }

    fn counts_of_rollout(&self, seed: u64, index: u64, label: &str) -> Vec<IntervalCounts> {
        let description = &self.description;
        let requests = self.canary_requests.iter().copied();
        self.counts(
            seed,
            label,
            index,
            description.noise,
            requests,
            |interval| {
                if interval < description.onset {
                    1.0
                } else {
                    description.effect
                }
            },
        )
    }

    /// The counts of some intervals. Each population has random numbers of its own.
    fn counts(
        &self,
        seed: u64,
        label: &str,
        index: u64,
        noise: NoiseLaw,
        canary_requests: impl Iterator<Item = u64>,
        effect: impl Fn(usize) -> f64,
    ) -> Vec<IntervalCounts> {
        let base_rate = self.description.base_rate;
        let mut canary = Population::new(seed, label, "canary", index, noise);
        let mut control = Population::new(seed, label, "control", index, noise);
        canary_requests
            .enumerate()
            .map(|(interval, requests)| IntervalCounts {
                canary: canary.next(requests, base_rate * effect(interval)),
                control: control.next(self.description.requests_per_interval - requests, base_rate),
            })
            .collect()
    }
}

/// Everything that the data depends on, and nothing else: it names the random numbers. The history is
/// left out, so that the same rollouts are judged with and without one.
impl fmt::Display for Scenario {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let description = &self.description;
        write!(
            formatter,
            "rate {} requests {} noise {} effect {} from {}",
            description.base_rate,
            description.requests_per_interval,
            description.noise,
            description.effect,
            description.onset
        )?;
        for stage in &description.stages {
            write!(formatter, ", {} for {}", stage.share, stage.intervals)?;
        }
        Ok(())
    }
}

/// One population with its failure rate.
struct Population {
    random: Random,
    process: RateProcess,
}

impl Population {
    fn new(seed: u64, label: &str, name: &str, index: u64, noise: NoiseLaw) -> Self {
        Self {
            random: Random::new(&RandomKey::new(seed, label, name), index),
            process: RateProcess::new(noise),
        }
    }

    fn next(&mut self, requests: u64, mean_rate: f64) -> ArmCount {
        let rate = self.process.next(&mut self.random, mean_rate);
        ArmCount {
            events: binomial(&mut self.random, requests, rate) as f64,
            exposure: requests as f64,
        }
    }
}

fn check_intervals(what: &'static str, intervals: usize) -> Result<(), OperatingError> {
    let is_within = (1..=MOST_INTERVALS).contains(&intervals);
    within(
        what,
        intervals as f64,
        is_within,
        "1 to 89280 intervals long",
    )
}

/// The canary's requests: its share, rounded.
fn split(requests: u64, share: f64) -> Result<u64, OperatingError> {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "`as` saturates, and the range is checked below"
    )]
    let canary = libm::round(requests as f64 * share) as u64;
    let is_split = canary > 0 && canary < requests;
    let range = "enough for at least one request of each population";
    within("a traffic share", share, is_split, range)?;
    Ok(canary)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rollout_is_a_function_of_seed_and_index() {
        let mut description = ScenarioDescription::constant(1e-3, 0.1, 30_000, 20);
        let plain = Scenario::new(description.clone()).unwrap();
        description.history = Some(HistoryWindow {
            intervals: 480,
            share: 0.1,
            noise: NoiseLaw::Independent,
        });
        let scenario = Scenario::new(description).unwrap();
        let first = scenario.rollout(7, 3);
        assert_eq!(first, scenario.rollout(7, 3));
        assert_eq!(first.intervals, plain.rollout_counts(7, 3));
        assert!(first.history.is_some());
        assert_ne!(first.intervals, scenario.rollout_counts(7, 4));
        assert_ne!(first.intervals, scenario.rollout_counts(8, 3));
        let canary = first.intervals[0].canary;
        assert!((canary.exposure - 3000.0).abs() < 1e-9);
    }

    #[test]
    fn the_effect_begins_after_the_onset() {
        let mut description = ScenarioDescription::constant(0.01, 0.5, 1_000_000, 20);
        description.effect = 5.0;
        description.onset = 10;
        let intervals = Scenario::new(description).unwrap().rollout_counts(1, 0);
        for (index, counts) in intervals.iter().enumerate() {
            let ratio = counts.canary.events / counts.control.events;
            let expected = if index < 10 { 1.0 } else { 5.0 };
            // Five standard errors of a ratio of 5,000 and more events.
            assert!((ratio / expected - 1.0).abs() < 0.1, "{index}: {ratio}");
        }
    }

    #[test]
    fn what_cannot_be_simulated_is_refused() {
        let good = ScenarioDescription::constant(1e-3, 0.1, 30_000, 20);
        assert!(Scenario::new(good.clone()).is_ok());
        let mut bad = vec![];
        for base_rate in [0.0, 1.0, f64::NAN] {
            bad.push(ScenarioDescription {
                base_rate,
                ..good.clone()
            });
        }
        for effect in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            bad.push(ScenarioDescription {
                effect,
                ..good.clone()
            });
        }
        for share in [0.0, 1.0, f64::NAN, 1e-9, -0.1] {
            bad.push(ScenarioDescription::constant(1e-3, share, 30_000, 20));
        }
        bad.push(ScenarioDescription::constant(1e-3, 0.1, 30_000, 0));
        bad.push(ScenarioDescription::constant(1e-3, 0.1, 30_000, usize::MAX));
        bad.push(ScenarioDescription {
            onset: 20,
            ..good.clone()
        });
        bad.push(ScenarioDescription {
            noise: NoiseLaw::BetaBinomial { variation: 2.0 },
            effect: 400.0,
            ..good
        });
        for description in bad {
            assert!(
                Scenario::new(description.clone()).is_err(),
                "{description:?}"
            );
        }
    }
}
