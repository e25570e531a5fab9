//! The noise between two groups of the old version, measured before the rollout.

use serde::{Deserialize, Serialize};

use super::assumed::excess_of;
use super::noise::BLOCK_LENGTHS;
use super::quantile::{self, SlowShare};
use crate::sequential::{Dispersion, IntervalCounts};
use crate::special::{Tail, normal_quantile};

/// Fewest effective blocks of a length that tell its noise.
const FEWEST_BLOCKS: f64 = 8.0 - 1e-6;
/// The share of the blocks that may be an incident, and no noise.
const WINSORISED: f64 = 0.2;
/// How well the rest knows the dispersion.
const KNOWN_OF_THE_REST: f64 = 0.8;
/// The most that a history counts: it may be out of date.
const MOST_DEGREES_OF_FREEDOM: f64 = 30.0;
/// A history may not claim less noise than of this coefficient of variation.
const LEAST_VARIATION: f64 = 0.1;

/// What control against control showed before the rollout. It must not change during the rollout: it is
/// stored with it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Unchecked")]
pub struct PastNoise {
    mean_effective_exposure: f64,
    by_length: Vec<(usize, f64, f64)>,
}

/// As it was stored.
#[derive(Deserialize)]
struct Unchecked {
    mean_effective_exposure: f64,
    by_length: Vec<(usize, f64, f64)>,
}

impl TryFrom<Unchecked> for PastNoise {
    type Error = &'static str;

    fn try_from(stored: Unchecked) -> Result<Self, Self::Error> {
        Self::new(stored.mean_effective_exposure, stored.by_length).ok_or(
            "a history's mean exposure, dispersions and degrees of freedom must be finite and positive, its \
             lengths ascending powers of two up to 64",
        )
    }
}

/// A block: the sums of what it holds.
#[derive(Debug, Clone, Copy, Default)]
struct Block {
    deviation: f64,
    exposure: f64,
    variance: f64,
    weight: f64,
}

impl Block {
    fn and(self, other: &Self) -> Self {
        Self {
            deviation: self.deviation + other.deviation,
            exposure: self.exposure + other.exposure,
            variance: self.variance + other.variance,
            weight: self.weight + other.weight,
        }
    }
}

impl PastNoise {
    /// The history with these numbers: length of the blocks, dispersion, degrees of freedom; nothing where
    /// they describe none.
    pub fn new(mean_effective_exposure: f64, by_length: Vec<(usize, f64, f64)>) -> Option<Self> {
        let is_valid = |(length, dispersion, degrees): &(usize, f64, f64)| {
            BLOCK_LENGTHS.contains(length)
                && (0.0..=1e30).contains(dispersion)
                && (1e-9..=1e30).contains(degrees)
        };
        let is_known = (1e-60..=1e60).contains(&mean_effective_exposure)
            && !by_length.is_empty()
            && by_length.is_sorted_by(|one, other| one.0 < other.0)
            && by_length.iter().all(is_valid);
        is_known.then_some(Self {
            mean_effective_exposure,
            by_length,
        })
    }

    /// Measures the noise between two groups of control pods, of which one plays the canary, for a limit of `ratio`
    /// times the control: the noise of what is compared, so that of the control counts by as much.
    ///
    /// For blocks of 1, 2, 4, .. 64 intervals with 8 effective ones or more: the mean of
    /// `(D_b - beta N_b)^2 / (rate W_b)`, where `beta` and `rate` are medians over the longest blocks and the
    /// largest fifth of the squares counts as the next smaller, so that one incident in the window does not
    /// blind.
    ///
    /// Source: docs/design/counts.md, "11. History"; W. J. Dixon, "Simplified estimation from censored
    /// normal samples", Annals of Mathematical Statistics 31 (1960), for the winsorised mean.
    pub fn measure(intervals: &[IntervalCounts], ratio: f64) -> Option<Self> {
        let of_both = |counts: &IntervalCounts| {
            let (x, n) = (counts.canary.events, counts.canary.exposure);
            let (y, m) = (counts.control.events, counts.control.exposure);
            if n <= 0.0 || m <= 0.0 {
                return (Block::default(), 0.0);
            }
            let expected = ratio * n / m;
            let block = Block {
                deviation: x - expected * y,
                exposure: n,
                variance: x + expected * expected * y,
                weight: n * (n + m) / m,
            };
            (block, n * m / (n + m))
        };
        Self::of(&intervals.iter().map(of_both).collect::<Vec<_>>())
    }

    /// The same of a quantile, of which both groups were counted at one pair of places.
    pub fn measure_quantile(intervals: &[IntervalCounts], slow: SlowShare) -> Option<Self> {
        let of_both = |counts: &IntervalCounts| {
            let (n, m) = (counts.canary.exposure, counts.control.exposure);
            if n <= 0.0 || m <= 0.0 {
                return (Block::default(), 0.0);
            }
            let residual = quantile::residual(counts, slow);
            let block = Block {
                deviation: residual.deviation,
                exposure: residual.exposure,
                variance: residual.variance,
                weight: residual.weight,
            };
            (block, n * m / (n + m))
        };
        Self::of(&intervals.iter().map(of_both).collect::<Vec<_>>())
    }

    /// The same for a check with an absolute limit: the group that plays the canary alone.
    pub fn measure_alone(intervals: &[IntervalCounts]) -> Option<Self> {
        let alone = |counts: &IntervalCounts| {
            let (events, exposure) = (counts.canary.events, counts.canary.exposure);
            if exposure <= 0.0 {
                return (Block::default(), 0.0);
            }
            let block = Block {
                deviation: events,
                exposure,
                variance: events,
                weight: exposure,
            };
            (block, exposure)
        };
        Self::of(&intervals.iter().map(alone).collect::<Vec<_>>())
    }

    fn of(intervals: &[(Block, f64)]) -> Option<Self> {
        let blocks: Vec<Block> = intervals.iter().map(|(block, _)| *block).collect();
        let mut lengths: Vec<(usize, Vec<Block>, f64)> = Vec::new();
        for length in BLOCK_LENGTHS {
            let nothing = Block::default();
            let real: Vec<Block> = blocks
                .chunks_exact(length)
                .map(|chunk| chunk.iter().fold(nothing, Block::and))
                .filter(|block| block.weight > 0.0)
                .collect();
            let weight: f64 = real.iter().map(|block| block.weight).sum();
            let squares: f64 = real.iter().map(|block| block.weight * block.weight).sum();
            if squares > 0.0 && weight * weight / squares >= FEWEST_BLOCKS {
                lengths.push((length, real, weight * weight / squares));
            }
        }
        let (_, longest, _) = lengths.last()?;
        let beta = median(
            longest
                .iter()
                .map(|block| block.deviation / block.exposure)
                .collect(),
        );
        let rate = median(
            longest
                .iter()
                .map(|block| block.variance / block.weight)
                .collect(),
        );
        let by_length = lengths
            .iter()
            .filter_map(|(length, real, effective)| {
                let (dispersion, degrees) = measured(real, *effective, (beta, rate))?;
                Some((*length, dispersion, degrees))
            })
            .collect();
        let live = || intervals.iter().filter(|(block, _)| block.weight > 0.0);
        let mean = live().map(|(_, effective)| effective).sum::<f64>() / live().count() as f64;
        Self::new(mean, by_length)
    }

    /// `h`: the mean over the intervals with data of `n m / (n + m)`, or of `n` for an absolute limit.
    pub fn mean_effective_exposure(&self) -> f64 {
        self.mean_effective_exposure
    }

    /// What was measured at a length.
    pub(super) fn at(&self, length: usize) -> Option<Dispersion> {
        let found = self.by_length.iter().find(|(one, ..)| *one == length)?;
        Some(Dispersion {
            value: found.1,
            degrees_of_freedom: found.2,
        })
    }

    /// What a length says of a rollout, and how many degrees of freedom that counts for: scaled by the largest
    /// effective exposure of an interval where there is more now, by its root where there is less.
    /// `event_variance` is that of an interval's independent events.
    pub(super) fn prior(
        &self,
        measured: Dispersion,
        exposure: f64,
        event_variance: f64,
    ) -> (f64, f64) {
        let ratio = exposure / self.mean_effective_exposure;
        let scale = if ratio >= 1.0 {
            ratio
        } else {
            libm::sqrt(ratio)
        };
        let least = excess_of(LEAST_VARIATION, event_variance);
        let value = (1.0 + (measured.value - 1.0).max(0.0) * scale).max(least);
        let weight = measured.degrees_of_freedom.min(MOST_DEGREES_OF_FREEDOM);
        (value, weight)
    }

    /// The largest that a length says of a rollout.
    pub(super) fn largest_prior(&self, exposure: f64, event_variance: f64) -> f64 {
        let lengths = self.by_length.iter();
        let priors = lengths.map(|&(_, value, degrees_of_freedom)| {
            let measured = Dispersion {
                value,
                degrees_of_freedom,
            };
            self.prior(measured, exposure, event_variance).0
        });
        priors.fold(1.0, f64::max)
    }

    /// Length of the blocks, dispersion and degrees of freedom, by length.
    pub fn by_length(&self) -> &[(usize, f64, f64)] {
        &self.by_length
    }
}

/// The dispersion of blocks of one length, and its degrees of freedom.
fn measured(blocks: &[Block], effective: f64, (beta, rate): (f64, f64)) -> Option<(f64, f64)> {
    let sum = |part: fn(&Block) -> f64| blocks.iter().map(part).sum::<f64>();
    let variance = sum(|block| block.variance);
    if variance <= 0.0 {
        return None;
    }
    let (beta, rate) = if rate > 0.0 {
        (beta, rate)
    } else {
        (
            sum(|block| block.deviation * block.exposure)
                / sum(|block| block.exposure * block.exposure),
            variance / sum(|block| block.weight),
        )
    };
    let mut squares: Vec<f64> = blocks
        .iter()
        .map(|block| {
            let rest = block.deviation - beta * block.exposure;
            rest * rest / (rate * block.weight)
        })
        .collect();
    squares.sort_unstable_by(f64::total_cmp);
    let count = squares.len();
    let small_sample = effective / (effective - 1.0);
    let mean = |squares: &[f64]| squares.iter().sum::<f64>() / count as f64;
    if variance / (count as f64) < 1.0 {
        return Some((mean(&squares) * small_sample, effective - 1.0));
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a fifth of a length"
    )]
    let cut = libm::ceil(WINSORISED * count as f64 - 1e-9) as usize;
    let most = squares.get(count.checked_sub(cut + 1)?).copied()?;
    for square in &mut squares {
        *square = square.min(most);
    }
    let factor = winsor_factor(cut as f64 / count as f64)?;
    Some((
        mean(&squares) / factor * small_sample,
        KNOWN_OF_THE_REST * (effective - 1.0),
    ))
}

/// Returns the mean of `min(chi, t)` of a chi-squared variable with one degree of freedom, where
/// `P(chi > t)` is the share: `erf(z / sqrt 2) - 2 z phi(z) + z^2 share` with `z` the upper quantile of half
/// the share.
///
/// ```
/// use serinus_analysis::proof::winsor_factor;
///
/// assert!((winsor_factor(0.2).unwrap() - 0.6786545589528743).abs() < 1e-12);
/// ```
pub fn winsor_factor(share: f64) -> Option<f64> {
    let z = normal_quantile(0.5 * share, Tail::Upper).ok()?;
    let density = libm::exp(-0.5 * z * z) / libm::sqrt(2.0 * std::f64::consts::PI);
    let inside = libm::erf(z / std::f64::consts::SQRT_2);
    Some(inside - 2.0 * z * density + z * z * share)
}

/// The middle, or the mean of both middle ones; 0 of nothing.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    let at = |index: usize| values.get(index).copied().unwrap_or(0.0);
    let count = values.len();
    0.5 * (at(count.saturating_sub(1) / 2) + at(count / 2))
}
