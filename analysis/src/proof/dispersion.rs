//! How much evidence is divided by, and how well that is known.

use super::assumed::excess_of;
use super::noise::{BLOCK_LENGTHS, LENGTHS, Noise, Scatter, Since};
use super::past_noise::PastNoise;
use crate::sequential::Dispersion;

/// What is assumed counts as much as so many degrees of freedom that are seen.
pub(super) const ASSUMED_DEGREES_OF_FREEDOM: f64 = 3.0;
/// Fewest effective blocks of more than one interval that are asked without a history.
const FEWEST_BLOCKS: f64 = 3.0 - 1e-6;
/// Intervals after a start from which on it has a fit of its own, without and with history.
const SPLIT: usize = 12;
const SPLIT_WITH_PAST: usize = 8;

/// The largest dispersion, and the length of the blocks that have it, in intervals.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Noisiest {
    /// The dispersion.
    pub dispersion: Dispersion,
    /// The length.
    pub length: usize,
}

/// What is asked of the noise.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Prior<'a> {
    /// The coefficient of variation that is assumed in an interval.
    pub(super) variation: f64,
    /// `Q / live`: the variance of an interval's events if they were independent.
    pub(super) event_variance: f64,
    /// How the excess grows with each doubling of the length, by assumption: 2 where noise lasts.
    pub(super) growth: f64,
    /// What was measured before the rollout, and the largest effective exposure of an interval now.
    pub(super) past: Option<(&'a PastNoise, f64)>,
}

impl Prior<'_> {
    /// The dispersion of evidence since a start: the largest over the lengths of blocks.
    ///
    /// From a start that is some intervals ago the time before and after it has fits of its own, so that a
    /// change at the start is not taken for noise.
    pub(super) fn dispersion(&self, noise: &Noise, since: Option<&Since>) -> Dispersion {
        self.noisiest(noise, since).dispersion
    }

    /// The same with the length of the blocks that differ the most.
    pub(super) fn noisiest(&self, noise: &Noise, since: Option<&Since>) -> Noisiest {
        let split = if self.past.is_some() {
            SPLIT_WITH_PAST
        } else {
            SPLIT
        };
        let since = since.filter(|since| {
            since.start() > 0 && noise.intervals().saturating_sub(since.start()) >= split
        });
        self.largest(|length| match since {
            Some(since) => since.split(length),
            None => noise.whole(length),
        })
    }

    fn largest(&self, scatter: impl Fn(usize) -> Scatter) -> Noisiest {
        let mut largest: Option<Noisiest> = None;
        let mut shorter: Option<f64> = None;
        for (place, length) in BLOCK_LENGTHS.into_iter().enumerate().take(LENGTHS) {
            let seen = scatter(place);
            let (assumed, weight) = match self.past {
                Some((past, largest_exposure)) => {
                    let Some(measured) = past.at(length) else {
                        continue;
                    };
                    past.prior(measured, largest_exposure, self.event_variance)
                }
                None if place > 0 && seen.effective_blocks < FEWEST_BLOCKS => continue,
                None => {
                    let assumed = match shorter {
                        Some(shorter) => 1.0 + self.growth * (shorter - 1.0),
                        None => excess_of(self.variation, self.event_variance),
                    };
                    (assumed, ASSUMED_DEGREES_OF_FREEDOM)
                }
            };
            let degrees_of_freedom = weight + seen.degrees_of_freedom;
            let value = ((weight * assumed + seen.seen()) / degrees_of_freedom).max(1.0);
            shorter = Some(value);
            if largest.is_none_or(|largest| value > largest.dispersion.value) {
                let dispersion = Dispersion {
                    value,
                    degrees_of_freedom,
                };
                largest = Some(Noisiest { dispersion, length });
            }
        }
        // The shortest length always counts, and a history has one: this is for neither.
        largest.unwrap_or(Noisiest {
            dispersion: Dispersion {
                value: 1.0,
                degrees_of_freedom: ASSUMED_DEGREES_OF_FREEDOM,
            },
            length: 1,
        })
    }
}
