//! The weighted mean of the evidence over effect sizes and start times.

use super::dispersion::Dispersion;
use super::increment::MOST_EFFECTS;
use super::log_space::{deflate, log_add_exp, log_sum_exp, log_sum_exp_of_quotients};
use super::noise::{NoiseState, Start};

/// Intervals between two starts of the evidence.
const START_EVERY: usize = 8;
/// Weight of the start at the beginning of the rollout, if there are others.
const FIRST_START_WEIGHT: f64 = 0.5;
/// Weight of the circuit breaker in the whole.
const BREAKER_WEIGHT: f64 = 0.1;
/// The breaker's divisor: `max(100, 16 bmax)`. With a fixed 100 it alone rolled back 10 to 85 % of
/// good canaries at 10,000 requests per second and more.
const BREAKER_LEAST_DIVISOR: f64 = 100.0;
const BREAKER_DIVISOR_PER_EVENT: f64 = 16.0;

/// The noise of a check, and its dispersion for every start so far. Several mixtures over the same
/// counts share it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct StartNoise {
    noise: NoiseState,
    longest_rollout_intervals: usize,
    starts: Vec<Start>,
    dispersions: Vec<Dispersion>,
}

impl StartNoise {
    pub(super) fn new(mut noise: NoiseState, longest_rollout_intervals: usize) -> Self {
        // A rollout of years is no reason to ask for memory at once.
        let expected = longest_rollout_intervals.min(10_000);
        noise.reserve(expected);
        let mut starts = Vec::with_capacity(expected / START_EVERY + 1);
        starts.push(noise.start(0));
        Self {
            noise,
            longest_rollout_intervals,
            starts,
            dispersions: Vec::with_capacity(expected / START_EVERY + 1),
        }
    }

    pub(super) fn noise(&self) -> &NoiseState {
        &self.noise
    }

    /// Adds an interval to the noise, then finds the dispersion of every start before it.
    pub(super) fn push(&mut self, add: impl FnOnce(&mut NoiseState)) {
        // The start at the end of the interval before begins to count.
        let intervals = self.noise.intervals();
        if is_later_start(intervals, self.longest_rollout_intervals) {
            self.starts.push(self.noise.start(intervals));
        }
        add(&mut self.noise);
        let present = self.noise.present();
        self.dispersions.clear();
        for start in &self.starts {
            let dispersion = self.noise.dispersion_since(start, &present);
            self.dispersions.push(dispersion);
        }
    }

    /// The dispersion of every start that has an interval behind it.
    pub(super) fn dispersions(&self) -> &[Dispersion] {
        &self.dispersions
    }

    /// `max(100, 16 bmax)`.
    pub(super) fn breaker_divisor(&self) -> f64 {
        BREAKER_LEAST_DIVISOR.max(BREAKER_DIVISOR_PER_EVENT * self.noise.largest_expected_events())
    }
}

/// Whether evidence begins after this many intervals, apart from that of the whole rollout.
fn is_later_start(interval: usize, longest_rollout_intervals: usize) -> bool {
    interval > 0 && interval.is_multiple_of(START_EVERY) && interval < longest_rollout_intervals
}

/// The logarithms of the evidence by effect size, since every start.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct StartMixture {
    effects: usize,
    longest_rollout_intervals: usize,
    /// Number of starts after the first, and the weight of each.
    later_starts: usize,
    later_weight: f64,
    log_first_weight: f64,
    log_later_weight: f64,
    log_effects: f64,
    intervals: usize,
    totals: [f64; MOST_EFFECTS],
    totals_at_starts: Vec<[f64; MOST_EFFECTS]>,
    /// Working memory.
    terms: Vec<f64>,
}

impl StartMixture {
    /// Equal weights over `effects` effect sizes; starts every 8 intervals, half of the weight on the
    /// first.
    pub(super) fn new(effects: usize, longest_rollout_intervals: usize) -> Self {
        let later_starts = longest_rollout_intervals.saturating_sub(1) / START_EVERY;
        let (first_weight, later_weight) = if later_starts == 0 {
            (1.0, 0.0)
        } else {
            let rest = 1.0 - FIRST_START_WEIGHT;
            (FIRST_START_WEIGHT, rest / later_starts as f64)
        };
        let room = later_starts.min(10_000 / START_EVERY) + 2;
        let mut totals_at_starts = Vec::with_capacity(room);
        totals_at_starts.push([0.0; MOST_EFFECTS]);
        Self {
            effects: effects.min(MOST_EFFECTS),
            longest_rollout_intervals,
            later_starts,
            later_weight,
            log_first_weight: libm::log(first_weight),
            log_later_weight: libm::log(later_weight),
            log_effects: libm::log(effects as f64),
            intervals: 0,
            totals: [0.0; MOST_EFFECTS],
            totals_at_starts,
            terms: Vec::with_capacity(room),
        }
    }

    /// Adds the increments of an interval, by effect size.
    pub(super) fn add(&mut self, increments: impl Iterator<Item = f64>) {
        if is_later_start(self.intervals, self.longest_rollout_intervals) {
            self.totals_at_starts.push(self.totals);
        }
        self.intervals += 1;
        for (total, increment) in self.totals.iter_mut().zip(increments) {
            *total += increment;
        }
    }

    /// Returns `ln E` with the dispersions of the starts so far:
    /// `lse(ln 0.9 + lse(terms), ln 0.1 + breaker)`, where a start `s` with weight `w` has the term
    /// `deflate(lse_j((L_j - L_j(s)) / D) - ln J + ln w, nu)`, starts to come have evidence 1, and the
    /// breaker is `lse_j(L_j / divisor) - ln J`.
    pub(super) fn log_evidence(&mut self, dispersions: &[Dispersion], breaker_divisor: f64) -> f64 {
        self.terms.clear();
        let mut log_weight = self.log_first_weight;
        for (at_start, dispersion) in self.totals_at_starts.iter().zip(dispersions) {
            let mut since = self.totals;
            for (total, before) in since.iter_mut().zip(at_start) {
                *total -= before;
            }
            let mixed = log_sum_exp_of_quotients(
                since.get(..self.effects).unwrap_or(&[]),
                dispersion.value,
            );
            let weighted = mixed - self.log_effects + log_weight;
            self.terms
                .push(deflate(weighted, dispersion.degrees_of_freedom));
            log_weight = self.log_later_weight;
        }
        let to_come = (self.later_starts + 1).saturating_sub(self.totals_at_starts.len());
        if to_come > 0 {
            self.terms
                .push(libm::log(to_come as f64 * self.later_weight));
        }
        let totals = self.totals.get(..self.effects).unwrap_or(&[]);
        let breaker = log_sum_exp_of_quotients(totals, breaker_divisor) - self.log_effects;
        log_add_exp(
            libm::log(1.0 - BREAKER_WEIGHT) + log_sum_exp(&self.terms),
            libm::log(BREAKER_WEIGHT) + breaker,
        )
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The same mean without dispersion, deflation or logarithms.
    fn exact_mixture(increments: &[[f64; 3]], longest: usize) -> f64 {
        let starts: Vec<usize> = (0..longest).step_by(8).collect();
        let mean_since = |start: usize| {
            let since = increments.get(start..).unwrap_or(&[]);
            (0..3)
                .map(|effect| {
                    since
                        .iter()
                        .map(|increment| increment[effect])
                        .sum::<f64>()
                        .exp()
                })
                .sum::<f64>()
                / 3.0
        };
        let weight = |start: usize| match (starts.len(), start) {
            (1, _) => 1.0,
            (_, 0) => 0.5,
            (count, _) => 0.5 / (count - 1) as f64,
        };
        let mixed: f64 = starts
            .iter()
            .map(|&start| weight(start) * mean_since(start))
            .sum();
        0.9 * mixed + 0.1 * mean_since(0)
    }

    fn increments() -> impl Strategy<Value = Vec<[f64; 3]>> {
        prop::collection::vec([-2.0..2.0, -3.0..2.5, -5.0..3.0], 1..40)
    }

    proptest! {
        /// Step (iii) of the proof: whatever dispersions the data leads to, `E <= 1 + exact`.
        #[test]
        fn no_dispersion_makes_more_of_the_evidence_than_one_more_than_it_is(
            increments in increments(),
            longest in 1_usize..60,
            values in prop::collection::vec((1.0..50.0, 0.1..100.0), 8),
            breaker_divisor in 1.0..1000.0,
        ) {
            let dispersions: Vec<Dispersion> = values
                .iter()
                .map(|&(value, degrees_of_freedom)| Dispersion { value, degrees_of_freedom })
                .collect();
            let mut mixture = StartMixture::new(3, longest);
            for (index, increment) in increments.iter().enumerate() {
                mixture.add(increment.iter().copied());
                let actual = mixture.log_evidence(&dispersions, breaker_divisor).exp();
                let exact = exact_mixture(&increments[..=index], longest);
                prop_assert!(actual <= (1.0 + exact) * (1.0 + 1e-12), "{} above {}", actual, exact);
            }
        }

        #[test]
        fn without_dispersion_the_mixture_is_exact(
            increments in increments(),
            longest in 1_usize..60,
        ) {
            let mut mixture = StartMixture::new(3, longest);
            for (index, increment) in increments.iter().enumerate() {
                mixture.add(increment.iter().copied());
                let actual = mixture.log_evidence(&[Dispersion::NONE; 8], 1.0);
                let exact = exact_mixture(&increments[..=index], longest).ln();
                prop_assert!((actual - exact).abs() < 1e-10, "{} is not {}", actual, exact);
            }
        }
    }
}
