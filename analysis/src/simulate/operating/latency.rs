//! A latency quantile, by the counts of slow requests beyond the bounds of a histogram.

use super::super::random::{Random, RandomKey};
use super::super::sample::binomial;
use super::error::{OperatingError, within};
use super::executor::Executor;
use super::measured::{Share, median};
use crate::sequential::{
    ErrorRate, EvidenceConfig, IntervalCounts, RelativeEvidence, RelativeLimit, Side,
    choose_bounds, log_mean_exp, tail_margin,
};
use crate::series::ArmCount;

/// The law of the control: a median of 40 ms.
const MEDIAN_SECONDS: f64 = 0.04;
const SIGMA: f64 = 0.8;
const QUANTILE: f64 = 0.99;
/// Correlation of the slow-down that both populations share, from interval to interval.
const SLOW_DOWN_CORRELATION: f64 = 0.9;
/// Intervals of the history from whose pooled histogram bounds and margins are taken.
const HISTORY_INTERVALS: usize = 480;

/// The default buckets of the Prometheus client libraries.
const CLASSIC_BOUNDS: [f64; 11] = [
    0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
];

/// The buckets of the histogram.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BucketKind {
    /// The default classic buckets, .005 to 10 seconds.
    Classic,
    /// A native histogram of schema 3: eight buckets for each doubling.
    NativeSchema3,
}

impl BucketKind {
    fn bounds(self) -> Vec<f64> {
        match self {
            Self::Classic => CLASSIC_BOUNDS.to_vec(),
            Self::NativeSchema3 => (-60..40)
                .map(|index| libm::exp2(f64::from(index) / 8.0))
                .collect(),
        }
    }
}

/// Rollouts whose canary takes a multiple of the control's time, judged against
/// `latency_p99 < baseline * ratio`.
#[derive(Debug, Clone, PartialEq)]
pub struct LatencyScenario {
    requests: ArmRequests,
    intervals: usize,
    slow_down: f64,
    effect: f64,
    ratio: f64,
    bounds: Vec<f64>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct ArmRequests {
    canary: u64,
    control: u64,
}

impl LatencyScenario {
    /// Returns the scenario: 6000 requests an interval, log-normal latencies (median 40 ms, standard
    /// deviation of the logarithm 0.8), a slow-down that both populations share with this standard
    /// deviation of its logarithm, and a canary that takes `effect` times as long.
    ///
    /// # Errors
    ///
    /// [`OperatingError::OutOfRange`] unless share, slow-down (0 to 2), effect (0.01 to 100) and ratio
    /// (above 1 to 10) are in range.
    pub fn new(
        share: f64,
        intervals: usize,
        slow_down: f64,
        effect: f64,
        ratio: f64,
        buckets: BucketKind,
    ) -> Result<Self, OperatingError> {
        let is_share = (0.001..=0.999).contains(&share);
        within("a traffic share", share, is_share, "0.001 to 0.999")?;
        let is_slow_down = (0.0..=2.0).contains(&slow_down);
        within("a slow-down", slow_down, is_slow_down, "0 to 2")?;
        let is_effect = (0.01..=100.0).contains(&effect);
        within("an effect", effect, is_effect, "0.01 to 100")?;
        let is_ratio = ratio > 1.0 && ratio <= 10.0;
        within("a ratio", ratio, is_ratio, "above 1, at most 10")?;
        let is_length = (1..=100_000).contains(&intervals);
        within(
            "a rollout",
            intervals as f64,
            is_length,
            "1 to 100000 intervals",
        )?;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "between 6 and 5994"
        )]
        let canary = libm::round(6000.0 * share) as u64;
        Ok(Self {
            requests: ArmRequests {
                canary,
                control: 6000 - canary,
            },
            intervals,
            slow_down,
            effect,
            ratio,
            bounds: buckets.bounds(),
        })
    }

    /// Returns the interval at which a replicate is rolled back, as production does it: bounds and
    /// margins from the control's history, then the mean of the bounds' evidence. A history in which no
    /// bound resolves the ratio rolls nothing back.
    fn rolled_back_at(&self, seed: u64, index: u64) -> Option<usize> {
        let stream = |name: &str| Random::new(&RandomKey::new(seed, &self.label(), name), index);
        let (mut canary, mut control) = (stream("canary"), stream("control"));
        let (mut past, mut shared) = (stream("history"), stream("slow-down"));
        let tails = self.pooled_tails(&mut past);
        let config = EvidenceConfig {
            longest_rollout_intervals: self.intervals,
            history: None,
        };
        let mut checks: Vec<(f64, RelativeEvidence)> = Vec::new();
        for chosen in choose_bounds(&self.bounds, &tails, QUANTILE) {
            if let Some(margin) = tail_margin(&self.bounds, &tails, chosen, self.ratio)
                && let Ok(limit) = RelativeLimit::new(margin.ratio, 0.0, Side::Above)
            {
                checks.push((margin.bound, RelativeEvidence::new(limit, &config)));
            }
        }
        let bounds: Vec<f64> = checks.iter().map(|(bound, _)| *bound).collect();
        let mut factors = SlowDown::new(self.slow_down);
        let threshold = ErrorRate::ROLLBACK.log_threshold();
        (1..=self.intervals).find(|_| {
            let factor = factors.next(&mut shared);
            let slow_canary = slower_than(
                &bounds,
                self.requests.canary,
                factor * self.effect,
                &mut canary,
            );
            let slow_control = slower_than(&bounds, self.requests.control, factor, &mut control);
            let log_evidence: Vec<f64> = checks
                .iter_mut()
                .zip(slow_canary.iter().zip(&slow_control))
                .map(|((_, check), (slow_canary, slow_control))| {
                    check.push(&IntervalCounts {
                        canary: ArmCount {
                            events: *slow_canary,
                            exposure: self.requests.canary as f64,
                        },
                        control: ArmCount {
                            events: *slow_control,
                            exposure: self.requests.control as f64,
                        },
                    })
                })
                .collect();
            log_mean_exp(&log_evidence) >= threshold
        })
    }

    fn label(&self) -> String {
        format!(
            "latency canary {} of 6000 slow-down {} effect {}",
            self.requests.canary, self.slow_down, self.effect
        )
    }

    /// The share of the control's requests slower than each bound, over its history.
    fn pooled_tails(&self, random: &mut Random) -> Vec<f64> {
        let mut totals = vec![0.0; self.bounds.len()];
        let mut factors = SlowDown::new(self.slow_down);
        for _ in 0..HISTORY_INTERVALS {
            let factor = factors.next(random);
            let slow = slower_than(&self.bounds, self.requests.control, factor, random);
            for (total, count) in totals.iter_mut().zip(slow) {
                *total += count;
            }
        }
        let all = (self.requests.control * HISTORY_INTERVALS as u64) as f64;
        totals.iter().map(|total| total / all).collect()
    }

    /// Runs many replicates and returns the share rolled back and its median interval.
    pub fn measure(
        &self,
        executor: &impl Executor,
        replicates: u64,
        seed: u64,
    ) -> (Share, Option<f64>) {
        let times = executor.map(replicates, |index| self.rolled_back_at(seed, index));
        (Share::counted(&times, Option::is_some), median(&times))
    }
}

/// How many of the requests are slower than each of the ascending bounds: a chain of binomials.
fn slower_than(bounds: &[f64], requests: u64, factor: f64, random: &mut Random) -> Vec<f64> {
    let (mut left, mut tail_before) = (requests, 1.0);
    bounds
        .iter()
        .map(|bound| {
            let tail = tail_probability(bound / factor);
            if tail_before > 0.0 {
                left = binomial(random, left, tail / tail_before);
            }
            tail_before = tail;
            left as f64
        })
        .collect()
}

/// The share of the control's requests that take longer, without slow-down.
fn tail_probability(seconds: f64) -> f64 {
    let standard = libm::log(seconds / MEDIAN_SECONDS) / SIGMA;
    0.5 * libm::erfc(standard / std::f64::consts::SQRT_2)
}

/// What slows both populations down at the same time: `exp(deviation * g)` with `g` autoregressive.
struct SlowDown {
    deviation: f64,
    level: Option<f64>,
}

impl SlowDown {
    fn new(deviation: f64) -> Self {
        Self {
            deviation,
            level: None,
        }
    }

    fn next(&mut self, random: &mut Random) -> f64 {
        let innovation = random.normal();
        let rest = libm::sqrt(1.0 - SLOW_DOWN_CORRELATION * SLOW_DOWN_CORRELATION);
        let level = self.level.map_or(innovation, |before| {
            SLOW_DOWN_CORRELATION * before + rest * innovation
        });
        self.level = Some(level);
        libm::exp(self.deviation * level)
    }
}
