//! The noise between two groups of the old version, measured before the rollout.

use serde::{Deserialize, Serialize};

use super::SequentialError;
use super::counts::IntervalCounts;
use super::dispersion::{Dispersion, Prior};
use super::limit::AbsoluteLimit;
use super::noise::NoiseState;
use crate::series::ArmCount;

/// Block lengths of a history, in intervals.
pub(super) const HISTORY_BLOCK_LENGTHS: [usize; 7] = [1, 2, 4, 8, 16, 32, 64];

/// The dispersion of blocks of one length.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct BlockDispersion {
    /// Intervals in a block.
    pub block_length: usize,
    /// How many times the variance exceeds that of independent failures. May be below 1: it is stored
    /// as it was measured.
    pub dispersion: f64,
    /// How well it is known.
    pub degrees_of_freedom: f64,
}

/// What control against control showed before the rollout. It must not change during the rollout: it
/// is stored with it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "UncheckedHistory")]
pub struct NoiseHistory {
    mean_effective_exposure: f64,
    by_block_length: Vec<BlockDispersion>,
}

/// A history as it was stored.
#[derive(Deserialize)]
struct UncheckedHistory {
    mean_effective_exposure: f64,
    by_block_length: Vec<BlockDispersion>,
}

impl TryFrom<UncheckedHistory> for NoiseHistory {
    type Error = SequentialError;

    fn try_from(stored: UncheckedHistory) -> Result<Self, SequentialError> {
        Self::new(stored.mean_effective_exposure, stored.by_block_length)
    }
}

impl NoiseHistory {
    /// Returns the history with these numbers.
    ///
    /// # Errors
    ///
    /// [`SequentialError::History`] unless all numbers are finite and positive (a dispersion may be 0)
    /// and the block lengths are ascending powers of two up to 64, at least one.
    pub fn new(
        mean_effective_exposure: f64,
        by_block_length: Vec<BlockDispersion>,
    ) -> Result<Self, SequentialError> {
        let is_ascending = by_block_length.is_sorted_by(|a, b| a.block_length < b.block_length);
        let is_valid = |block: &BlockDispersion| {
            HISTORY_BLOCK_LENGTHS.contains(&block.block_length)
                && (0.0..=1e30).contains(&block.dispersion)
                && (1e-9..=1e30).contains(&block.degrees_of_freedom)
        };
        if !(1e-60..=1e60).contains(&mean_effective_exposure)
            || by_block_length.is_empty()
            || !is_ascending
            || !by_block_length.iter().all(is_valid)
        {
            return Err(SequentialError::History);
        }
        Ok(Self {
            mean_effective_exposure,
            by_block_length,
        })
    }

    /// Measures the noise between two groups of control pods, one of which plays the canary: the
    /// dispersion of blocks of 1, 2, 4, ... 64 intervals, for every length with at least 8 blocks.
    ///
    /// `D_L = SS / VAR * B / df`, `nu_L = df` (see [`NoiseState`]), and the mean of `n m / (n + m)` over
    /// the intervals with data. Nothing when there is no length with 8 blocks that hold events: a
    /// history with none is no history.
    ///
    /// Source: Pearson's dispersion statistic, as P. McCullagh and J. Nelder, "Generalized linear
    /// models" (1989), section 4.5, over blocks because the noise is correlated in time.
    pub fn measure(intervals: &[IntervalCounts]) -> Option<Self> {
        let mut noise = NoiseState::measuring_relative();
        for counts in intervals {
            noise.push(counts);
        }
        Self::of(&noise)
    }

    /// The same for a check with an absolute limit: the group that plays the canary alone.
    pub fn measure_absolute(intervals: &[ArmCount], limit: &AbsoluteLimit) -> Option<Self> {
        let mut noise = NoiseState::measuring_absolute(limit);
        for count in intervals {
            noise.push_single(count);
        }
        Self::of(&noise)
    }

    fn of(noise: &NoiseState) -> Option<Self> {
        let by_block_length = noise
            .measured()
            .into_iter()
            .map(|(block_length, measured)| BlockDispersion {
                block_length,
                dispersion: measured.value,
                degrees_of_freedom: measured.degrees_of_freedom,
            })
            .collect();
        Self::new(noise.mean_effective_exposure()?, by_block_length).ok()
    }

    /// `h`: mean over the intervals with data of `n m / (n + m)`, or of `n` for an absolute limit.
    pub fn mean_effective_exposure(&self) -> f64 {
        self.mean_effective_exposure
    }

    /// Returns the dispersion that a rollout starts with: the largest of all block lengths, scaled up
    /// when the rollout's effective exposure is larger than the history's, and never less than a
    /// variation of 10 % gives. `event_variance` is that of an interval's independent
    /// events.
    pub fn expected_dispersion(&self, effective_exposure: f64, event_variance: f64) -> f64 {
        let value = |block: &BlockDispersion| {
            let measured = Dispersion {
                value: block.dispersion,
                degrees_of_freedom: block.degrees_of_freedom,
            };
            Prior::from_history(measured, self, effective_exposure, event_variance).value()
        };
        self.by_block_length.iter().map(value).fold(1.0, f64::max)
    }

    /// The dispersion by block length, ascending; never empty.
    pub fn by_block_length(&self) -> &[BlockDispersion] {
        &self.by_block_length
    }
}
