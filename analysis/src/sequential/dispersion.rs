//! How much more counts vary than independent failures would, from sums over blocks.

use std::ops::Add;

use super::history::NoiseHistory;

/// Degrees of freedom of the noise that is assumed without history: known as badly as from 3 blocks.
const ASSUMED_DEGREES_OF_FREEDOM: f64 = 3.0;
/// Coefficient of variation of the noise of one population that is assumed without history.
const ASSUMED_VARIATION: f64 = 0.6;
/// Most degrees of freedom of a history, which may be out of date.
const MOST_HISTORY_DEGREES_OF_FREEDOM: f64 = 30.0;
/// A history may never claim less noise than this.
const LEAST_HISTORY_VARIATION: f64 = 0.1;
/// Fewest blocks for a block length to be used without history.
const FEWEST_BLOCKS: f64 = 8.0;

/// How much the evidence is divided by, and how well that is known.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Dispersion {
    /// How many times the variance of the counts exceeds that of independent failures; at least 1.
    pub value: f64,
    /// How well it is known: degrees of freedom, as of a variance.
    pub degrees_of_freedom: f64,
}

impl Dispersion {
    /// Independent failures, known for sure: the evidence as it is.
    pub const NONE: Self = Self {
        value: 1.0,
        degrees_of_freedom: f64::INFINITY,
    };
}

/// Cumulative sums over the blocks of one length.
///
/// With `U`, `V`, `W` the sums of a block of what the canary did, what it was expected to do, and the
/// weight of its variance.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct BlockSums {
    /// Of `U^2`.
    pub(super) canary_squares: f64,
    /// Of `U V`.
    pub(super) products: f64,
    /// Of `V^2`.
    pub(super) expected_squares: f64,
    /// Of `W`.
    pub(super) weight: f64,
    /// Of `W^2`.
    pub(super) weight_squares: f64,
    /// Of `T`, from which the variance of independent failures follows.
    pub(super) variance: f64,
}

/// The fit of one ratio to the complete blocks of a stretch of time; two stretches are added.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Fit {
    /// `SS`: sum of the squared deviations.
    squares: f64,
    /// `VAR`: what independent failures would give.
    variance: f64,
    /// `B`: effective number of blocks. Equal exposures give the number of blocks, one dominating
    /// block about 1.
    effective_blocks: f64,
    /// `df = max(B - 1, 0)`.
    degrees_of_freedom: f64,
    /// `nb`: number of blocks.
    blocks: f64,
}

impl Fit {
    /// From the sums before and at the end of a stretch of `blocks` blocks, in which the canary did
    /// `ratio` times what was expected.
    ///
    /// `SS = max(0, UU - 2 q UV + q^2 VV)`, `VAR = q T`, `B = W^2 / WW`.
    pub(super) fn new(before: &BlockSums, end: &BlockSums, blocks: f64, ratio: f64) -> Self {
        let canary_squares = end.canary_squares - before.canary_squares;
        let products = end.products - before.products;
        let expected_squares = end.expected_squares - before.expected_squares;
        let weight = end.weight - before.weight;
        let weight_squares = end.weight_squares - before.weight_squares;
        let squares = canary_squares - 2.0 * ratio * products + ratio * ratio * expected_squares;
        let effective_blocks = if weight_squares > 0.0 {
            weight * weight / weight_squares
        } else {
            0.0
        };
        Self {
            squares: squares.max(0.0),
            variance: ratio * (end.variance - before.variance),
            effective_blocks,
            degrees_of_freedom: (effective_blocks - 1.0).max(0.0),
            blocks,
        }
    }

    /// The dispersion that the blocks show by themselves, `SS / VAR * B / df`, with its degrees of
    /// freedom, for a history: from 8 blocks on, where there is anything to divide by.
    pub(super) fn measured(&self) -> Option<Dispersion> {
        let is_measurable =
            self.blocks >= FEWEST_BLOCKS && self.degrees_of_freedom > 0.0 && self.variance > 0.0;
        is_measurable.then(|| Dispersion {
            value: self.squares / self.variance * self.effective_blocks / self.degrees_of_freedom,
            degrees_of_freedom: self.degrees_of_freedom,
        })
    }
}

impl Add for Fit {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            squares: self.squares + other.squares,
            variance: self.variance + other.variance,
            effective_blocks: self.effective_blocks + other.effective_blocks,
            degrees_of_freedom: self.degrees_of_freedom + other.degrees_of_freedom,
            blocks: self.blocks + other.blocks,
        }
    }
}

/// What is believed about the dispersion at one block length before the rollout's own blocks count.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Prior {
    degrees_of_freedom: f64,
    /// `n0 D0`.
    weighted_value: f64,
    /// Whether it counts however few blocks there are.
    is_always_usable: bool,
}

impl Prior {
    /// Without history: `D0 = 1 + 2 * 0.6^2 * Q / live`, `n0 = 3`.
    ///
    /// `event_variance` is `Q / live`, the mean over the intervals with data.
    pub(super) fn assumed(event_variance: f64, is_always_usable: bool) -> Self {
        let value = 1.0 + 2.0 * ASSUMED_VARIATION * ASSUMED_VARIATION * event_variance;
        Self {
            degrees_of_freedom: ASSUMED_DEGREES_OF_FREEDOM,
            weighted_value: ASSUMED_DEGREES_OF_FREEDOM * value,
            is_always_usable,
        }
    }

    /// With history: `D0 = max(1 + (D_L - 1) max(1, hmax / h), 1 + 2 * 0.1^2 * Q / live)`,
    /// `n0 = min(nu_L, 30)`. Scaled up when the rollout has more traffic or a larger share than the
    /// history, never down.
    pub(super) fn from_history(
        measured: Dispersion,
        history: &NoiseHistory,
        largest_effective_exposure: f64,
        event_variance: f64,
    ) -> Self {
        let scale = (largest_effective_exposure / history.mean_effective_exposure()).max(1.0);
        let least = 1.0 + 2.0 * LEAST_HISTORY_VARIATION * LEAST_HISTORY_VARIATION * event_variance;
        let value = (1.0 + (measured.value - 1.0) * scale).max(least);
        let degrees_of_freedom = measured
            .degrees_of_freedom
            .min(MOST_HISTORY_DEGREES_OF_FREEDOM);
        Self {
            degrees_of_freedom,
            weighted_value: degrees_of_freedom * value,
            is_always_usable: true,
        }
    }

    /// `D0`.
    pub(super) fn value(&self) -> f64 {
        self.weighted_value / self.degrees_of_freedom
    }

    /// `D_L = (n0 D0 + df Dhat) / (n0 + df)` and `nu_L = n0 + df`, with `Dhat = SS / VAR * B / df`.
    fn updated(&self, fit: &Fit) -> Option<Dispersion> {
        if !self.is_always_usable && fit.blocks < FEWEST_BLOCKS {
            return None;
        }
        let degrees_of_freedom = self.degrees_of_freedom + fit.degrees_of_freedom;
        // df Dhat, with the df cancelled.
        let seen = if fit.degrees_of_freedom > 0.0 && fit.variance > 0.0 {
            fit.squares / fit.variance * fit.effective_blocks
        } else {
            0.0
        };
        Some(Dispersion {
            value: (self.weighted_value + seen) / degrees_of_freedom,
            degrees_of_freedom,
        })
    }
}

/// Returns the largest dispersion over the usable block lengths, at least 1: the first of equals, the
/// shortest length if none exceeds 1.
pub(super) fn largest_dispersion(fits: impl Iterator<Item = (Prior, Fit)>) -> Dispersion {
    let mut largest: Option<Dispersion> = None;
    for (prior, fit) in fits {
        let Some(mut candidate) = prior.updated(&fit) else {
            continue;
        };
        candidate.value = candidate.value.max(1.0);
        if largest.is_none_or(|largest| candidate.value > largest.value) {
            largest = Some(candidate);
        }
    }
    // The first length is always usable, so this is for an empty list of lengths only.
    largest.unwrap_or(Dispersion {
        value: 1.0,
        degrees_of_freedom: ASSUMED_DEGREES_OF_FREEDOM,
    })
}
