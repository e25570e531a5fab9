//! The samples of a gauge, interval by interval.

use std::sync::Arc;

use crate::proof::gauge::{GaugeSample, Loads, PodValue, sample_step};
use crate::series::{Grid, Lives, PairedGauge, PodLife, Population, Populations};

use super::super::by_interval::mixed;

const MILLISECONDS: f64 = 1_000.0;

/// A gauge on every interval of the grid, of which those are samples that end with a scrape.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct GaugeRows<'a> {
    gauge: &'a PairedGauge,
    grid: Grid,
    step_seconds: f64,
    is_per_request: bool,
    is_control_unknown: bool,
    /// Names of pods as they are kept, by population and place.
    names: Populations<Vec<Arc<str>>>,
    /// Until when each is young, in milliseconds; of the canary also when it began.
    young_until_ms: Populations<Vec<i64>>,
    /// From when on none is.
    all_warm_from_ms: Populations<i64>,
    began_ms: Vec<Option<i64>>,
}

impl<'a> GaugeRows<'a> {
    /// `warm_up_seconds` is how long a process is young. `is_per_request` says that it is work for each request, which
    /// idle pods spread over fewer of them.
    pub(crate) fn of(
        gauge: &'a PairedGauge,
        grid: Grid,
        warm_up_seconds: f64,
        is_per_request: bool,
    ) -> Self {
        let interval_seconds = grid.interval_ms() as f64 / MILLISECONDS;
        let scrape = gauge
            .scrape_ms
            .map(|period_ms| period_ms as f64 / MILLISECONDS);
        // A scrape comes a little late now and then: it is no rarer for that.
        let scrape = scrape.map(|seconds| 0.99 * seconds);
        let step_seconds = sample_step(interval_seconds, scrape);
        let names = |population: Population| -> Vec<Arc<str>> {
            let names = gauge.pods.get(population).names.iter();
            names.map(|name| Arc::from(name.as_str())).collect()
        };
        let began = |lives: &Lives, name: &str| began_ms(lives.get(name), grid, step_seconds);
        #[expect(clippy::cast_possible_truncation, reason = "hours at most")]
        let warm_up_ms = (warm_up_seconds * MILLISECONDS) as i64;
        let until = |population: Population| -> Vec<i64> {
            let lives = gauge.lives.get(population);
            let names = gauge.pods.get(population).names.iter();
            let began = names.map(|name| began(lives, name));
            began
                .map(|began| began.map_or(i64::MIN, |began| began.saturating_add(warm_up_ms)))
                .collect()
        };
        let of_canary = gauge.pods.canary.names.iter();
        let young_until_ms = Populations {
            control: until(Population::Control),
            canary: until(Population::Canary),
        };
        let last = |until: &Vec<i64>| until.iter().copied().max().unwrap_or(i64::MIN);
        Self {
            all_warm_from_ms: young_until_ms.as_ref().map(last),
            names: Populations {
                control: names(Population::Control),
                canary: names(Population::Canary),
            },
            young_until_ms,
            began_ms: of_canary
                .map(|name| began(&gauge.lives.canary, name))
                .collect(),
            gauge,
            grid,
            step_seconds,
            is_per_request,
            is_control_unknown: false,
        }
    }

    /// What is left of a control that is mostly no number is not its mean: it must neither excuse the canary nor blame
    /// it.
    pub(crate) fn forget_the_control(&mut self) {
        self.is_control_unknown = true;
    }

    /// Seconds between two samples.
    pub(crate) fn step_seconds(&self) -> f64 {
        self.step_seconds
    }

    /// How many intervals there are.
    pub(crate) fn intervals(&self) -> usize {
        self.grid.intervals()
    }

    /// The sample that an interval ends with; nothing where it ends with none.
    pub(crate) fn at(&self, interval: usize) -> Option<GaugeSample> {
        let end_ms = self.grid.boundary_ms(interval + 1);
        if !self.is_sample(end_ms) {
            return None;
        }
        let of_control = self.mean_at(Population::Control, interval);
        let of_canary = self.mean_at(Population::Canary, interval);
        let control = self.warm(Population::Control, interval, end_ms, of_control);
        let canary = self.warm(Population::Canary, interval, end_ms, of_canary);
        let loads = self
            .gauge
            .loads
            .get(interval)
            .filter(|_| self.is_per_request);
        let loads = loads.copied().unwrap_or_default();
        let is_all_young = |found: &Warm, mean: Option<f64>| found.mean.is_none() && mean.is_some();
        Some(GaugeSample {
            at_seconds: end_ms as f64 / MILLISECONDS,
            is_warming_up: is_all_young(&control, of_control) || is_all_young(&canary, of_canary),
            canary: canary.mean,
            control: control.mean,
            canary_age_seconds: self.canary_age_seconds(interval, end_ms),
            canary_pods: canary.pods,
            control_pods: control.pods,
            loads: loads
                .canary
                .zip(loads.control)
                .map(|(canary, control)| Loads { canary, control }),
        })
    }

    /// The mean of a population over all samples of the stage; nothing where it has none.
    pub(crate) fn mean(&self, population: Population) -> Option<f64> {
        let (mut sum, mut number) = (0.0, 0_u32);
        for interval in 0..self.intervals() {
            let end_ms = self.grid.boundary_ms(interval + 1);
            if let Some(mean) = self
                .mean_at(population, interval)
                .filter(|_| self.is_sample(end_ms))
            {
                let is_any_young = self.all_warm_from_ms.get(population) > &end_ms;
                let known = if is_any_young {
                    self.warm(population, interval, end_ms, Some(mean)).mean
                } else {
                    Some(mean)
                };
                if let Some(known) = known {
                    sum += known;
                    number += 1;
                }
            }
        }
        (number > 0).then(|| sum / f64::from(number))
    }

    /// What a population's pods have on the average at the end of an interval, young ones among them.
    fn mean_at(&self, population: Population, interval: usize) -> Option<f64> {
        let means = self.gauge.intervals.get(interval)?;
        match population {
            Population::Control => means.control.filter(|_| !self.is_control_unknown),
            Population::Canary => means.canary,
        }
    }

    /// Whether a sample ends at a time.
    fn is_sample(&self, end_ms: i64) -> bool {
        #[expect(clippy::cast_possible_truncation, reason = "whole milliseconds")]
        let step_ms = (self.step_seconds * MILLISECONDS) as i64;
        step_ms > 0 && end_ms.rem_euclid(step_ms) == 0
    }

    /// What the pods have that are not young, and their mean.
    fn warm(
        &self,
        population: Population,
        interval: usize,
        end_ms: i64,
        mean: Option<f64>,
    ) -> Warm {
        let had = self.gauge.pods.get(population).rows.get(interval);
        let (names, until) = (
            self.names.get(population),
            self.young_until_ms.get(population),
        );
        let all: Vec<(u32, f64)> = had.into_iter().flatten().copied().collect();
        let is_warm = |place: u32| {
            let until = until.get(place as usize);
            until.is_none_or(|until_ms| end_ms >= *until_ms)
        };
        let pods: Vec<PodValue> = all
            .iter()
            .filter(|(place, _)| is_warm(*place))
            .filter_map(|(place, value)| {
                let pod = Arc::clone(names.get(*place as usize)?);
                Some(PodValue { pod, value: *value })
            })
            .collect();
        let mean = if all.is_empty() || pods.len() == all.len() {
            mean
        } else {
            let sum: f64 = pods.iter().map(|one| one.value).sum();
            mean.filter(|_| !pods.is_empty())
                .map(|_| sum / pods.len() as f64)
        };
        Warm { mean, pods }
    }

    /// The age of the oldest canary pod that has a value; nothing where any is old.
    fn canary_age_seconds(&self, interval: usize, end_ms: i64) -> Option<f64> {
        let had = self.gauge.pods.canary.rows.get(interval)?;
        let began = had
            .iter()
            .map(|(place, _)| self.began_ms.get(*place as usize).copied().flatten());
        let began: Option<Vec<i64>> = began.collect();
        let oldest = began?.into_iter().min()?;
        Some(end_ms.saturating_sub(oldest) as f64 / MILLISECONDS)
    }

    /// A number that is another one where the first intervals are.
    pub(crate) fn fingerprint(&self, intervals: usize) -> u64 {
        let value = |value: Option<f64>| value.map_or(u64::MAX, f64::to_bits);
        let begun = mixed(self.step_seconds.to_bits(), 0);
        let young = self.young_until_ms.control.iter();
        let young = young.chain(&self.young_until_ms.canary);
        let begun = young.fold(begun, |all, until| mixed(all, until.cast_unsigned()));
        let intervals = self.gauge.intervals.iter().take(intervals).enumerate();
        intervals.fold(begun, |all, (interval, pair)| {
            let mut all = mixed(mixed(all, value(pair.control)), value(pair.canary));
            for apart in [&self.gauge.pods.control, &self.gauge.pods.canary] {
                for (place, one) in apart.rows.get(interval).into_iter().flatten() {
                    all = mixed(mixed(all, u64::from(*place)), one.to_bits());
                }
            }
            all
        })
    }

    /// All samples, in the order of time, each with the interval that it ends.
    pub(crate) fn samples(&self) -> impl Iterator<Item = (usize, GaugeSample)> {
        let intervals = 0..self.intervals();
        intervals.filter_map(|interval| Some((interval, self.at(interval)?)))
    }
}

struct Warm {
    mean: Option<f64>,
    pods: Vec<PodValue>,
}

/// When the first process of a pod began; nothing of one that is old: of which no start is known, and that was seen
/// before the window.
fn began_ms(life: Option<&PodLife>, grid: Grid, step_seconds: f64) -> Option<i64> {
    let life = life?;
    #[expect(clippy::cast_possible_truncation, reason = "hours at most")]
    let step_ms = (step_seconds * MILLISECONDS) as i64;
    life.start_ms.or_else(|| {
        (life.first_sample_ms >= grid.start_ms())
            .then(|| life.first_sample_ms.saturating_sub(step_ms))
    })
}
