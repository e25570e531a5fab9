//! Evidence that a canary is within its limit, from the current stage only.

use super::SequentialError;
use super::counts::{IntervalCounts, is_usable};
use super::dispersion::Dispersion;
use super::evidence::absolute_effects;
use super::increment::{Comparison, Effect, LinearEffect};
use super::limit::{AbsoluteLimit, ErrorRate, RelativeLimit, Side};
use super::log_space::{deflate, log_sum_exp};
use super::noise::NoiseState;
use crate::series::ArmCount;

/// Fewest intervals of a stage before its compliance counts.
pub const FEWEST_STAGE_INTERVALS: usize = 8;

/// Effect sizes and equal weights where an offset widens the limit.
const OFFSET_EFFECTS: [f64; 5] = [1.1, 4.0 / 3.0, 2.0, 4.0, 10.0];

/// Returns the ratio that compliance is shown against for a limit `metric < baseline * r`, unless it
/// is configured: `max(2, 1.25 r)`.
pub fn default_promotion_ratio(violation_ratio: f64) -> f64 {
    (1.25 * violation_ratio).max(2.0)
}

/// Evidence that the canary is within a limit relative to the control, from the intervals after the
/// start of the current stage.
///
/// `ln E' = deflate(lse_i(sum of increments / D + ln w_i), nu)` with `(D, nu)` of [`NoiseState`] for the
/// stage's start, and the effects `sqrt(R), R, R^2` with weights 1/4, 1/2, 1/4 (`1 / R` where more is
/// better), or 1.1, 4/3, 2, 4, 10 with equal weights where the limit has an offset.
///
/// Never carried over from an earlier stage: a canary that was good at 10 % of the traffic and twice as
/// bad at 25 % was promoted in 93 % of simulated rollouts when it was, and in none since it is not.
/// And never "ever reached": what counts is the evidence now.
#[derive(Debug, Clone, PartialEq)]
pub struct RelativeCompliance {
    limit: RelativeLimit,
    stage_start: usize,
    terms: Vec<Term<Effect>>,
    intervals: usize,
}

/// An effect size, its weight and what it has gathered.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Term<E> {
    effect: E,
    log_weight: f64,
    total: f64,
}

impl<E> Term<E> {
    fn new(effect: E, weight: f64) -> Self {
        Self {
            effect,
            log_weight: libm::log(weight),
            total: 0.0,
        }
    }
}

impl RelativeCompliance {
    /// Returns the evidence at the start of a stage that begins after `stage_start` intervals of the
    /// rollout. `limit` is the line with the *wider* ratio, and its side the good one:
    /// [`Side::Below`] where less is better.
    ///
    /// # Errors
    ///
    /// [`SequentialError::NeverCompliant`] where a perfect canary is not on the good side of the line,
    /// as with a ratio of 1 and no offset: such a limit can never be shown to be kept.
    pub fn new(limit: RelativeLimit, stage_start: usize) -> Result<Self, SequentialError> {
        let never = SequentialError::NeverCompliant {
            ratio: limit.ratio(),
            offset: limit.offset(),
        };
        let terms = if limit.is_pure_ratio() {
            let ratio = match limit.side() {
                Side::Below => limit.ratio(),
                Side::Above => 1.0 / limit.ratio(),
            };
            if ratio <= 1.0 {
                return Err(never);
            }
            vec![
                Term::new(Effect::new(libm::sqrt(ratio)), 0.25),
                Term::new(Effect::new(ratio), 0.5),
                Term::new(Effect::new(ratio * ratio), 0.25),
            ]
        } else {
            let is_beyond = match limit.side() {
                Side::Below => limit.ratio() <= 1.0 && limit.offset() < 0.0,
                Side::Above => limit.ratio() >= 1.0 && limit.offset() > 0.0,
            };
            if is_beyond {
                return Err(never);
            }
            let weight = 1.0 / OFFSET_EFFECTS.len() as f64;
            OFFSET_EFFECTS
                .iter()
                .map(|&size| Term::new(Effect::new(size), weight))
                .collect()
        };
        Ok(Self {
            limit,
            stage_start,
            terms,
            intervals: 0,
        })
    }

    /// Adds the next interval of the stage.
    pub fn push(&mut self, counts: &IntervalCounts) {
        self.intervals += 1;
        if let Some(comparison) = Comparison::new(counts, &self.limit) {
            for term in &mut self.terms {
                term.total += term.effect.increment(&comparison);
            }
        }
    }

    /// Returns `ln E'` now, with the noise of the whole rollout until now.
    pub fn log_evidence(&self, noise: &NoiseState) -> f64 {
        log_evidence(&self.terms, noise.dispersion(self.stage_start))
    }

    /// Whether the canary is now shown to be within the limit: `ln E'` is at least
    /// [`ErrorRate::log_threshold`] and the stage has lasted 8 intervals.
    pub fn is_shown(&self, noise: &NoiseState, error_rate: ErrorRate) -> bool {
        self.intervals >= FEWEST_STAGE_INTERVALS
            && self.log_evidence(noise) >= error_rate.log_threshold()
    }

    /// Number of intervals of the rollout before the stage.
    pub fn stage_start(&self) -> usize {
        self.stage_start
    }

    /// Number of intervals of the stage so far.
    pub fn stage_intervals(&self) -> usize {
        self.intervals
    }
}

/// Evidence that one population is within an absolute limit, from the current stage; as
/// [`RelativeCompliance`], with the effects of [`super::AbsoluteEvidence`] and equal weights.
#[derive(Debug, Clone, PartialEq)]
pub struct AbsoluteCompliance {
    stage_start: usize,
    terms: Vec<Term<LinearEffect>>,
    intervals: usize,
}

impl AbsoluteCompliance {
    /// Returns the evidence at the start of a stage. The side of `limit` is the good one.
    pub fn new(limit: AbsoluteLimit, stage_start: usize) -> Self {
        let effects = absolute_effects(&limit);
        let weight = 1.0 / effects.len() as f64;
        Self {
            stage_start,
            terms: effects
                .into_iter()
                .map(|effect| Term::new(effect, weight))
                .collect(),
            intervals: 0,
        }
    }

    /// Adds the next interval of the stage.
    pub fn push(&mut self, count: &ArmCount) {
        self.intervals += 1;
        if is_usable(count) {
            for term in &mut self.terms {
                term.total += term.effect.increment(count);
            }
        }
    }

    /// Returns `ln E'` now, with the noise of the whole rollout until now.
    pub fn log_evidence(&self, noise: &NoiseState) -> f64 {
        log_evidence(&self.terms, noise.dispersion(self.stage_start))
    }

    /// As [`RelativeCompliance::is_shown`].
    pub fn is_shown(&self, noise: &NoiseState, error_rate: ErrorRate) -> bool {
        self.intervals >= FEWEST_STAGE_INTERVALS
            && self.log_evidence(noise) >= error_rate.log_threshold()
    }

    /// Number of intervals of the rollout before the stage.
    pub fn stage_start(&self) -> usize {
        self.stage_start
    }

    /// Number of intervals of the stage so far.
    pub fn stage_intervals(&self) -> usize {
        self.intervals
    }
}

fn log_evidence<E>(terms: &[Term<E>], dispersion: Dispersion) -> f64 {
    let mut weighted = [f64::NEG_INFINITY; 5];
    for (slot, term) in weighted.iter_mut().zip(terms) {
        *slot = term.total / dispersion.value + term.log_weight;
    }
    deflate(log_sum_exp(&weighted), dispersion.degrees_of_freedom)
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "corner cases are exact")]
mod tests {
    use super::*;

    #[test]
    fn a_limit_on_which_a_perfect_canary_sits_is_refused() {
        let refused = [
            (1.0, 0.0, Side::Below),
            (0.9, 0.0, Side::Below),
            (1.0, -0.01, Side::Below),
            (1.0, 0.0, Side::Above),
            (1.2, 0.0, Side::Above),
            (1.0, 0.01, Side::Above),
        ];
        for (ratio, offset, side) in refused {
            let limit = RelativeLimit::new(ratio, offset, side).unwrap();
            let answer = RelativeCompliance::new(limit, 0);
            assert_eq!(
                answer,
                Err(SequentialError::NeverCompliant { ratio, offset })
            );
        }
        let limit = RelativeLimit::new(1.0, 0.002, Side::Below).unwrap();
        assert!(RelativeCompliance::new(limit, 0).is_ok());
        assert_eq!(default_promotion_ratio(1.1), 2.0);
        assert_eq!(default_promotion_ratio(4.0), 5.0);
    }
}
