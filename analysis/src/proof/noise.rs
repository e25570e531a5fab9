//! How much more counts vary than independent events would, over blocks of intervals.

use super::twofold::Twofold;

/// Lengths of blocks, in intervals: noise that lasts shows in long ones.
pub(super) const BLOCK_LENGTHS: [usize; LENGTHS] = [1, 2, 4, 8, 16, 32, 64];
/// How many lengths there are.
pub(super) const LENGTHS: usize = 7;

/// What one interval adds.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Residual {
    /// What differs from what was expected.
    pub(super) deviation: f64,
    /// Its variance if events were independent.
    pub(super) variance: f64,
    /// The exposure: a lasting fault is proportional to it.
    pub(super) exposure: f64,
    /// How much the interval weighs in the effective number of blocks.
    pub(super) weight: f64,
    /// What the canary would fail at the control's rate of this interval: a lasting fault is proportional
    /// to that where the shared rate moves.
    pub(super) at_the_rate: f64,
}

/// Sums over complete blocks of one length, from the beginning.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct BlockSums {
    deviation_squares: Twofold,
    deviation_exposure: Twofold,
    exposure_squares: Twofold,
    deviation_rate: Twofold,
    rate_squares: Twofold,
    weight: f64,
    weight_squares: f64,
    variance: f64,
}

/// Which fits of a lasting effect are taken out of the scatter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fits {
    /// One that is proportional to the exposure.
    Exposure,
    /// That one, or one proportional to the shared rate: the one that leaves less.
    ExposureOrRate,
}

/// The scatter of the complete blocks of one stretch of time; two stretches are added.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Scatter {
    /// `SS`: the sum of squares that a lasting effect does not explain.
    pub(super) squares: f64,
    /// `VAR`: what independent events would give.
    pub(super) variance: f64,
    /// `B`: the effective number of blocks.
    pub(super) effective_blocks: f64,
    /// `df = max(B - 1, 0)`.
    pub(super) degrees_of_freedom: f64,
}

impl Scatter {
    /// Between two places of the sums.
    fn between(before: &BlockSums, end: &BlockSums, fits: Fits) -> Self {
        let squares = end.deviation_squares.since(&before.deviation_squares);
        let explained = |product: &Twofold, before_product: &Twofold, square: f64| {
            let product = product.since(before_product);
            if square > 0.0 {
                product * product / square
            } else {
                0.0
            }
        };
        let by_exposure = explained(
            &end.deviation_exposure,
            &before.deviation_exposure,
            end.exposure_squares.since(&before.exposure_squares),
        );
        let explained = match fits {
            Fits::Exposure => by_exposure,
            Fits::ExposureOrRate => by_exposure.max(explained(
                &end.deviation_rate,
                &before.deviation_rate,
                end.rate_squares.since(&before.rate_squares),
            )),
        };
        let weight = end.weight - before.weight;
        let weight_squares = end.weight_squares - before.weight_squares;
        let effective_blocks = if weight_squares > 0.0 {
            weight * weight / weight_squares
        } else {
            0.0
        };
        Self {
            squares: (squares - explained).max(0.0),
            variance: end.variance - before.variance,
            effective_blocks,
            degrees_of_freedom: (effective_blocks - 1.0).max(0.0),
        }
    }

    /// The scatter of two stretches.
    pub(super) fn and(&self, other: &Self) -> Self {
        Self {
            squares: self.squares + other.squares,
            variance: self.variance + other.variance,
            effective_blocks: self.effective_blocks + other.effective_blocks,
            degrees_of_freedom: self.degrees_of_freedom + other.degrees_of_freedom,
        }
    }

    /// `df Dhat = SS / VAR * B`; 0 where nothing can be said.
    pub(super) fn seen(&self) -> f64 {
        if self.degrees_of_freedom > 0.0 && self.variance > 0.0 {
            self.squares / self.variance * self.effective_blocks
        } else {
            0.0
        }
    }
}

/// The blocks of one length.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
struct Blocks {
    /// The block under way: deviation, exposure, weight, rate, variance.
    open: [f64; 5],
    complete: BlockSums,
}

impl Blocks {
    fn add(&mut self, residual: &Residual) {
        let added = [
            residual.deviation,
            residual.exposure,
            residual.weight,
            residual.at_the_rate,
            residual.variance,
        ];
        for (sum, number) in self.open.iter_mut().zip(added) {
            *sum += number;
        }
    }

    fn close(&mut self) {
        let [deviation, exposure, weight, rate, variance] = std::mem::take(&mut self.open);
        let sums = &mut self.complete;
        sums.deviation_squares.add(deviation * deviation);
        sums.deviation_exposure.add(deviation * exposure);
        sums.exposure_squares.add(exposure * exposure);
        sums.deviation_rate.add(deviation * rate);
        sums.rate_squares.add(rate * rate);
        sums.weight += weight;
        sums.weight_squares += weight * weight;
        sums.variance += variance;
    }
}

/// What is remembered of the moment at which evidence began.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Since {
    /// Intervals before it.
    start: usize,
    /// The scatter of everything before it.
    before: [Scatter; LENGTHS],
    /// The sums at the first end of a block at or after it; until then there is no block.
    first: [Option<BlockSums>; LENGTHS],
    /// The scatter of the complete blocks after it.
    after: [Scatter; LENGTHS],
}

impl Since {
    /// The scatter of both parts, each with a fit of its own.
    pub(super) fn split(&self, length: usize) -> Scatter {
        match (self.before.get(length), self.after.get(length)) {
            (Some(before), Some(after)) => before.and(after),
            _ => Scatter::default(),
        }
    }

    /// Intervals before it.
    pub(super) fn start(&self) -> usize {
        self.start
    }
}

/// Measures the scatter of blocks of 1, 2, 4, .. 64 intervals, for one kind of fit.
///
/// Constant work for an interval and a start, and no memory for an interval: what a start needs of the past
/// is remembered when it begins.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Noise {
    intervals: usize,
    blocks: [Blocks; LENGTHS],
    whole: [Scatter; LENGTHS],
    is_of_two_fits: bool,
}

impl Noise {
    /// Before the first interval.
    pub(super) fn new(fits: Fits) -> Self {
        Self {
            intervals: 0,
            blocks: Default::default(),
            whole: Default::default(),
            is_of_two_fits: fits == Fits::ExposureOrRate,
        }
    }

    /// After so many intervals without data.
    pub(super) fn after(intervals: usize, fits: Fits) -> Self {
        Self {
            intervals,
            ..Self::new(fits)
        }
    }

    fn fits(&self) -> Fits {
        if self.is_of_two_fits {
            Fits::ExposureOrRate
        } else {
            Fits::Exposure
        }
    }

    /// Evidence begins here.
    pub(super) fn begin(&self) -> Since {
        let mut first = [None; LENGTHS];
        for ((first, blocks), length) in first.iter_mut().zip(&self.blocks).zip(BLOCK_LENGTHS) {
            if self.intervals.is_multiple_of(length) {
                *first = Some(blocks.complete);
            }
        }
        Since {
            start: self.intervals,
            before: self.whole,
            first,
            after: Default::default(),
        }
    }

    /// Adds an interval; one without data adds zeros. `starts` are all that go on.
    pub(super) fn push<'a>(
        &mut self,
        residual: &Residual,
        starts: impl Iterator<Item = &'a mut Since>,
    ) {
        self.intervals += 1;
        let fits = self.fits();
        let intervals = self.intervals;
        let nothing = BlockSums::default();
        for (place, length) in BLOCK_LENGTHS.into_iter().enumerate() {
            let (Some(blocks), Some(whole)) =
                (self.blocks.get_mut(place), self.whole.get_mut(place))
            else {
                continue;
            };
            blocks.add(residual);
            if intervals.is_multiple_of(length) {
                blocks.close();
                *whole = Scatter::between(&nothing, &blocks.complete, fits);
            }
        }
        for since in starts {
            let places = since
                .first
                .iter_mut()
                .zip(&mut since.after)
                .zip(&self.blocks);
            for (((first, after), blocks), length) in places.zip(BLOCK_LENGTHS) {
                if !intervals.is_multiple_of(length) {
                    // No longer one ends here either.
                    break;
                }
                let first = first.get_or_insert(blocks.complete);
                *after = Scatter::between(first, &blocks.complete, fits);
            }
        }
    }

    /// The scatter of everything so far, by length.
    pub(super) fn whole(&self, length: usize) -> Scatter {
        self.whole.get(length).copied().unwrap_or_default()
    }

    /// Intervals so far.
    pub(super) fn intervals(&self) -> usize {
        self.intervals
    }
}
