//! The noise that belongs to one population, measured while the rollout runs.

use super::counts::{IntervalCounts, is_comparable, is_usable};
use super::dispersion::{BlockSums, Dispersion, Fit, Prior, largest_dispersion};
use super::history::{HISTORY_BLOCK_LENGTHS, NoiseHistory};
use super::limit::AbsoluteLimit;
use crate::series::ArmCount;

/// Block lengths without history, in intervals.
const BLOCK_LENGTHS: [usize; 5] = [1, 2, 4, 8, 16];
/// Intervals after a start from which on it has a fit of its own, without and with history.
const SPLIT_WITHOUT_HISTORY: usize = 12;
const SPLIT_WITH_HISTORY: usize = 8;

/// Sums over all intervals so far.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
struct Sums {
    /// `X`: events of the canary.
    canary_events: f64,
    /// `V`: events that the control's rate makes one expect of the canary.
    expected_events: f64,
    /// `T`.
    variance: f64,
    /// `W`.
    weight: f64,
    /// `N`.
    canary_exposure: f64,
    /// `M`.
    control_exposure: f64,
}

/// The blocks of one length.
#[derive(Debug, Clone, PartialEq)]
struct Blocks {
    length: usize,
    /// Cumulative, with a first entry of zeros.
    sums: Vec<BlockSums>,
    /// What the history says of this length.
    history: Option<Dispersion>,
}

impl Blocks {
    /// The fit to the complete blocks with indices in `first..last`, both cut to what there is.
    fn fit(&self, first: usize, last: usize, ratio: f64) -> Fit {
        let end = self.sums.len().saturating_sub(1);
        let (first, last) = (first.min(end), last.max(first).min(end));
        match (self.sums.get(first), self.sums.get(last)) {
            (Some(before), Some(at_end)) => Fit::new(before, at_end, (last - first) as f64, ratio),
            _ => Fit::default(),
        }
    }
}

/// What is known about a start of the evidence: everything that will not change any more.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Start {
    /// Intervals before it.
    interval: usize,
    sums: Sums,
    /// The fit to everything before it, by block length.
    before: Vec<Fit>,
    /// Index of the first block after it, by block length.
    first_blocks: Vec<usize>,
}

/// What all starts have in common after an interval.
#[derive(Debug, Clone)]
pub(super) struct Present {
    priors: [Prior; HISTORY_BLOCK_LENGTHS.len()],
    /// The dispersion of the rollout as one piece.
    of_all: Dispersion,
}

/// Measures the dispersion of one check: how many times the variance of its counts exceeds that of
/// independent failures.
///
/// Per interval, with `e = n / m` and `phi = n / (n + m)`, it adds up `X += x`, `V += e y`,
/// `T += e (x + y)`, `W += n (n + m) / m`, `N += n`, `M += m`, `Q += (x + y) phi (1 - phi)`. For blocks of
/// 1, 2, 4, 8 and 16 intervals (with history: the lengths that it has) it keeps the sums of `U^2`,
/// `U V`, `V^2`, `W` and `W^2` over the blocks. A ratio `q = (X + c) / (V + c)`, with
/// `c = N / (N + M) / 2`, fitted to a stretch of time gives `SS = UU - 2 q UV + q^2 VV`, to be compared
/// with `q T`. Blocks of several intervals see noise that lasts. Against an absolute limit `p0`:
/// `X += x`, `V, T, W += n`, `Q += n p0 / 2`, `q = (X + 1/2) / (V + 1/(2 p0))`.
///
/// Constant work per interval, and constant growth of memory: about 150 bytes.
///
/// Source: Pearson's dispersion statistic (P. McCullagh and J. Nelder, "Generalized linear models"
/// (1989), section 4.5) over blocks, shrunk to a prior as A. Gelman and others, "Bayesian data
/// analysis" (2013), section 2.6, do with a variance.
#[derive(Debug, Clone, PartialEq)]
pub struct NoiseState {
    /// `c` of numerator and denominator for an absolute limit; from the split otherwise.
    absolute_pseudo_counts: Option<(f64, f64)>,
    history: Option<NoiseHistory>,
    /// One entry more than intervals; the first is zero.
    sums: Vec<Sums>,
    blocks: Vec<Blocks>,
    event_variance: f64,
    intervals_with_data: f64,
    largest_effective_exposure: f64,
    total_effective_exposure: f64,
    largest_expected_events: f64,
}

impl NoiseState {
    /// The noise of a check relative to the control.
    pub fn relative(history: Option<NoiseHistory>) -> Self {
        Self::new(None, history, &BLOCK_LENGTHS)
    }

    /// The noise of a check with an absolute limit.
    pub fn absolute(limit: &AbsoluteLimit, history: Option<NoiseHistory>) -> Self {
        Self::new(Some((0.5, 0.5 / limit.limit())), history, &BLOCK_LENGTHS)
    }

    pub(super) fn measuring_relative() -> Self {
        Self::new(None, None, &HISTORY_BLOCK_LENGTHS)
    }

    pub(super) fn measuring_absolute(limit: &AbsoluteLimit) -> Self {
        let pseudo_counts = Some((0.5, 0.5 / limit.limit()));
        Self::new(pseudo_counts, None, &HISTORY_BLOCK_LENGTHS)
    }

    fn new(
        absolute_pseudo_counts: Option<(f64, f64)>,
        history: Option<NoiseHistory>,
        lengths_without_history: &[usize],
    ) -> Self {
        let blocks = |length, history| Blocks {
            length,
            sums: vec![BlockSums::default()],
            history,
        };
        let blocks = match &history {
            Some(history) => history
                .by_block_length()
                .iter()
                .map(|entry| {
                    let measured = Dispersion {
                        value: entry.dispersion,
                        degrees_of_freedom: entry.degrees_of_freedom,
                    };
                    blocks(entry.block_length, Some(measured))
                })
                .collect(),
            None => lengths_without_history
                .iter()
                .map(|&length| blocks(length, None))
                .collect(),
        };
        Self {
            absolute_pseudo_counts,
            history,
            sums: vec![Sums::default()],
            blocks,
            event_variance: 0.0,
            intervals_with_data: 0.0,
            largest_effective_exposure: 0.0,
            total_effective_exposure: 0.0,
            largest_expected_events: 0.0,
        }
    }

    /// Makes room for so many intervals, so that pushes need none.
    pub(super) fn reserve(&mut self, intervals: usize) {
        self.sums.reserve(intervals);
        for blocks in &mut self.blocks {
            blocks.sums.reserve(intervals / blocks.length + 1);
        }
    }

    /// Number of intervals so far, with or without data.
    pub fn intervals(&self) -> usize {
        self.sums.len().saturating_sub(1)
    }

    /// Adds an interval of both populations. One that cannot be compared counts as time only.
    pub fn push(&mut self, counts: &IntervalCounts) {
        if !is_comparable(counts) {
            self.add(Sums::default(), 0.0, 0.0, 0.0);
            return;
        }
        let (x, n) = (counts.canary.events, counts.canary.exposure);
        let (y, m) = (counts.control.events, counts.control.exposure);
        let both = n + m;
        let (odds, share) = (n / m, n / both);
        let sums = Sums {
            canary_events: x,
            expected_events: odds * y,
            variance: odds * (x + y),
            // In this order: the effective number of blocks is compared with 1, and a single block has
            // 1 but for rounding.
            weight: n * both / m,
            canary_exposure: n,
            control_exposure: m,
        };
        let event_variance = (x + y) * share * (1.0 - share);
        self.add(sums, event_variance, n * (m / both), (y + 0.5) * share);
    }

    /// Adds an interval of one population, for a check with an absolute limit.
    pub fn push_single(&mut self, count: &ArmCount) {
        if !is_usable(count) {
            self.add(Sums::default(), 0.0, 0.0, 0.0);
            return;
        }
        let sums = Sums {
            canary_events: count.events,
            expected_events: count.exposure,
            variance: count.exposure,
            weight: count.exposure,
            canary_exposure: count.exposure,
            control_exposure: 0.0,
        };
        // Half the events at the limit. 0.5 / p0 is the pseudo-count of the denominator.
        let expected = self
            .absolute_pseudo_counts
            .map_or(0.0, |(_, exposure)| 0.25 * count.exposure / exposure);
        self.add(sums, expected, count.exposure, expected);
    }

    fn add(
        &mut self,
        increment: Sums,
        event_variance: f64,
        effective_exposure: f64,
        expected_events: f64,
    ) {
        let last = self.last();
        let now = Sums {
            canary_events: last.canary_events + increment.canary_events,
            expected_events: last.expected_events + increment.expected_events,
            variance: last.variance + increment.variance,
            weight: last.weight + increment.weight,
            canary_exposure: last.canary_exposure + increment.canary_exposure,
            control_exposure: last.control_exposure + increment.control_exposure,
        };
        self.sums.push(now);
        self.event_variance += event_variance;
        self.total_effective_exposure += effective_exposure;
        self.largest_effective_exposure = self.largest_effective_exposure.max(effective_exposure);
        self.largest_expected_events = self.largest_expected_events.max(expected_events);
        if effective_exposure > 0.0 {
            self.intervals_with_data += 1.0;
        }
        let intervals = self.intervals();
        for blocks in &mut self.blocks {
            if !intervals.is_multiple_of(blocks.length) {
                continue;
            }
            let begin = self
                .sums
                .get(intervals - blocks.length)
                .copied()
                .unwrap_or_default();
            let canary = now.canary_events - begin.canary_events;
            let expected = now.expected_events - begin.expected_events;
            let weight = now.weight - begin.weight;
            let before = blocks.sums.last().copied().unwrap_or_default();
            blocks.sums.push(BlockSums {
                canary_squares: before.canary_squares + canary * canary,
                products: before.products + canary * expected,
                expected_squares: before.expected_squares + expected * expected,
                weight: before.weight + weight,
                weight_squares: before.weight_squares + weight * weight,
                variance: now.variance,
            });
        }
    }

    fn last(&self) -> Sums {
        self.sums.last().copied().unwrap_or_default()
    }

    /// The canary's events as a multiple of the expected ones, between two sums; 0 without traffic.
    fn ratio(&self, from: &Sums, to: &Sums) -> f64 {
        let (events, expected) = self.absolute_pseudo_counts.unwrap_or_else(|| {
            let canary = to.canary_exposure - from.canary_exposure;
            let both = canary + (to.control_exposure - from.control_exposure);
            let half_share = if both > 0.0 { 0.5 * canary / both } else { 0.0 };
            (half_share, half_share)
        });
        let denominator = to.expected_events - from.expected_events + expected;
        if denominator > 0.0 {
            (to.canary_events - from.canary_events + events) / denominator
        } else {
            0.0
        }
    }

    /// Returns the dispersion of evidence that starts after `start` intervals.
    ///
    /// From a start that is 12 intervals ago (8 with history), the time before and after it are fitted
    /// by themselves, so that a change at the start is not taken for noise. Every block length shrinks
    /// to its prior (without history: noise of 60 % known as badly as from 3 blocks) and the largest
    /// counts.
    pub fn dispersion(&self, start: usize) -> Dispersion {
        let start = start.min(self.intervals());
        self.dispersion_since(&self.start(start), &self.present())
    }

    /// Everything about a start in the past or now that stays as it is.
    pub(super) fn start(&self, interval: usize) -> Start {
        let sums = self.sums.get(interval).copied().unwrap_or_default();
        let ratio = self.ratio(&Sums::default(), &sums);
        let fit_before = |blocks: &Blocks| blocks.fit(0, interval / blocks.length, ratio);
        Start {
            interval,
            sums,
            before: self.blocks.iter().map(fit_before).collect(),
            first_blocks: self
                .blocks
                .iter()
                .map(|blocks| interval.div_ceil(blocks.length))
                .collect(),
        }
    }

    /// What all starts share after the newest interval.
    pub(super) fn present(&self) -> Present {
        let event_variance = self.event_variance / self.intervals_with_data.max(1.0);
        // The shortest length always counts.
        let mut is_always_usable = true;
        let mut priors = [Prior::assumed(event_variance, false); HISTORY_BLOCK_LENGTHS.len()];
        for (prior, blocks) in priors.iter_mut().zip(&self.blocks) {
            *prior = match (&self.history, blocks.history) {
                (Some(history), Some(measured)) => Prior::from_history(
                    measured,
                    history,
                    self.largest_effective_exposure,
                    event_variance,
                ),
                _ => Prior::assumed(event_variance, is_always_usable),
            };
            is_always_usable = false;
        }
        let ratio = self.ratio(&Sums::default(), &self.last());
        let fits = priors
            .iter()
            .zip(&self.blocks)
            .map(|(&prior, blocks)| (prior, blocks.fit(0, usize::MAX, ratio)));
        let of_all = largest_dispersion(fits);
        Present { priors, of_all }
    }

    /// The dispersion of evidence since a start.
    pub(super) fn dispersion_since(&self, start: &Start, present: &Present) -> Dispersion {
        let least = if self.history.is_some() {
            SPLIT_WITH_HISTORY
        } else {
            SPLIT_WITHOUT_HISTORY
        };
        if start.interval == 0 || self.intervals().saturating_sub(start.interval) < least {
            return present.of_all;
        }
        let ratio = self.ratio(&start.sums, &self.last());
        let parts = start.before.iter().zip(&start.first_blocks);
        let fits = present.priors.iter().zip(&self.blocks).zip(parts).map(
            |((&prior, blocks), (&before, &first))| {
                (prior, before + blocks.fit(first, usize::MAX, ratio))
            },
        );
        largest_dispersion(fits)
    }

    /// The dispersion that the blocks show by themselves, by block length, for a history.
    pub(super) fn measured(&self) -> Vec<(usize, Dispersion)> {
        let ratio = self.ratio(&Sums::default(), &self.last());
        self.blocks
            .iter()
            .filter_map(|blocks| {
                let measured = blocks.fit(0, usize::MAX, ratio).measured()?;
                Some((blocks.length, measured))
            })
            .collect()
    }

    /// `h`: mean effective exposure of the intervals with data.
    pub(super) fn mean_effective_exposure(&self) -> Option<f64> {
        (self.intervals_with_data > 0.0)
            .then(|| self.total_effective_exposure / self.intervals_with_data)
    }

    /// `bmax`: the most events expected of the canary in an interval, half an event added.
    pub(super) fn largest_expected_events(&self) -> f64 {
        self.largest_expected_events
    }
}
