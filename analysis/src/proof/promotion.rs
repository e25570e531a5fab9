//! What a stage shows of a canary that keeps its limit, and what forbids its promotion.
//!
//! Both begin anew with each stage: a canary that was good at 10 % of the traffic and twice as bad at 25 % must
//! not be promoted by what it was.

use super::lane::{Interval, Lane};
use super::line::Line;
use super::quantile::{SlowShare, quantile_increment};
use super::settings::Settings;
use crate::sequential::{
    AbsoluteLimit, CountLaw, Dispersion, IntervalCounts, RelativeLimit, Side, absolute_increment,
    deflate, log_sum_exp, relative_increment,
};

/// The least evidence, of a single look with one side of 90 %, that forbids a promotion: half the square of
/// the normal quantile 1.2816.
pub const VETO: f64 = 0.821_187_207_574_907_9;

/// Fewest intervals with data that show a limit to be kept.
pub const FEWEST_INTERVALS: usize = 3;

/// Effect sizes and equal weights where an offset widens the limit.
const OFFSET_EFFECTS: [f64; 5] = [1.1, 4.0 / 3.0, 2.0, 4.0, 10.0];
const BELOW_EFFECTS: [f64; 5] = [0.1, 0.25, 0.5, 0.75, 0.9];
const ABOVE_EFFECTS: [f64; 6] = [1.1, 1.25, 1.5, 2.0, 3.0, 5.0];
/// Effect sizes, with equal weights, of the odds to be slower than what must be kept of a quantile.
pub(super) const QUANTILE_KEPT_EFFECTS: [f64; 3] = [1.0 / 1.5, 1.0 / 3.0, 0.1];
const MOST_TERMS: usize = 6;

/// The line that must be shown to be kept. Its side is the good one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kept {
    /// A multiple of the control.
    Relative(RelativeLimit),
    /// A multiple of the control's quantile.
    Quantile(SlowShare),
    /// A number.
    Absolute(AbsoluteLimit),
}

impl Kept {
    /// Effect sizes, each with its weight; none where no canary could ever be shown to keep the line, since a
    /// perfect one sits on it.
    fn terms(&self) -> Vec<(f64, f64)> {
        let equal = |effects: &[f64]| {
            let weight = 1.0 / effects.len() as f64;
            effects.iter().map(|effect| (*effect, weight)).collect()
        };
        match self {
            Self::Absolute(limit) => match limit.side() {
                Side::Below => equal(&BELOW_EFFECTS),
                Side::Above => equal(&ABOVE_EFFECTS),
            },
            Self::Quantile(_) => equal(&QUANTILE_KEPT_EFFECTS),
            Self::Relative(limit) if limit.offset() == 0.0 => {
                let ratio = match limit.side() {
                    Side::Below => limit.ratio(),
                    Side::Above => 1.0 / limit.ratio(),
                };
                if ratio <= 1.0 {
                    return Vec::new();
                }
                vec![
                    (libm::sqrt(ratio), 0.25),
                    (ratio, 0.5),
                    (ratio * ratio, 0.25),
                ]
            }
            Self::Relative(limit) => {
                let is_beyond = match limit.side() {
                    Side::Below => limit.ratio() <= 1.0 && limit.offset() < 0.0,
                    Side::Above => limit.ratio() >= 1.0 && limit.offset() > 0.0,
                };
                if is_beyond {
                    Vec::new()
                } else {
                    equal(&OFFSET_EFFECTS)
                }
            }
        }
    }

    /// The effect sizes in use.
    pub(super) fn effects(&self) -> impl Iterator<Item = f64> {
        self.terms().into_iter().map(|(effect, _)| effect)
    }

    /// What an interval adds for an effect.
    pub(super) fn increment(&self, counts: &IntervalCounts, effect: f64) -> f64 {
        match self {
            Self::Relative(limit) => relative_increment(counts, limit, effect),
            Self::Quantile(slow) => quantile_increment(counts, *slow, effect),
            Self::Absolute(limit) => absolute_increment(&counts.canary, limit, effect),
        }
    }
}

/// One lane's part.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
struct Sums {
    terms: [f64; MOST_TERMS],
    /// `Z` without its half, and `V` of the veto.
    beyond: f64,
    variance: f64,
}

/// What a stage shows of one check, beside the stream that its violation belongs to.
#[derive(Debug, Clone, PartialEq)]
pub struct Promotion {
    kept: Kept,
    effects: Vec<(f64, f64)>,
    lanes: Vec<Sums>,
    intervals_with_data: usize,
}

impl Promotion {
    /// Before the stage's first interval.
    pub fn new(kept: Kept) -> Self {
        Self {
            kept,
            effects: kept.terms(),
            lanes: Vec::new(),
            intervals_with_data: 0,
        }
    }

    /// Adds what each lane had in an interval. The stream that they belong to has added them before.
    pub(super) fn push<'a>(
        &mut self,
        line: &Line,
        lanes: impl Iterator<Item = (&'a Lane, &'a Interval)>,
    ) {
        let mut is_any = false;
        for (place, (lane, interval)) in lanes.enumerate() {
            let counts = &interval.counts;
            if self.lanes.len() <= place {
                self.lanes.push(Sums::default());
            }
            if lane.is_newest_of_the_environment() || !line.is_told_by(counts) {
                continue;
            }
            is_any = true;
            let Some(sums) = self.lanes.get_mut(place) else {
                continue;
            };
            for (term, (effect, _)) in sums.terms.iter_mut().zip(&self.effects) {
                *term += self.kept.increment(interval.kept(), *effect);
            }
            let (beyond, variance) = beyond(line, counts);
            sums.beyond += beyond;
            sums.variance += variance;
        }
        self.intervals_with_data += usize::from(is_any);
    }

    /// Intervals of the stage with data.
    pub fn intervals_with_data(&self) -> usize {
        self.intervals_with_data
    }

    /// Whether any canary could be shown to keep the line.
    pub fn is_possible(&self) -> bool {
        !self.effects.is_empty()
    }

    /// `ln E'` now; 0 where no canary could be shown to keep the line.
    pub(super) fn compliance(&self, lanes: &[Lane], settings: &Settings) -> f64 {
        if self.effects.is_empty() {
            return 0.0;
        }
        let mut terms = [f64::NEG_INFINITY; MOST_TERMS];
        for (term, (_, weight)) in terms.iter_mut().zip(&self.effects) {
            *term = libm::log(*weight);
        }
        let mut known = f64::INFINITY;
        for (lane, sums) in lanes.iter().zip(&self.lanes) {
            let noise = lane.dispersion_of_the_stage(settings);
            if lane.has_data() {
                known = known.min(noise.degrees_of_freedom);
            }
            for (term, sum) in terms.iter_mut().zip(sums.terms) {
                *term += sum / noise.value;
            }
        }
        deflate(log_sum_exp(&terms), known)
    }

    /// How much a single look says that the canary is beyond the check's own limit: [`VETO`] and more forbid a
    /// promotion; negative where it is within. `widened` says of a lane's noise what the pods add to it.
    pub(super) fn beyond_its_limit(
        &self,
        lanes: &[Lane],
        settings: &Settings,
        widened: impl Fn(Dispersion) -> Dispersion,
    ) -> f64 {
        /// A continuity correction.
        const HALF: f64 = 0.5;
        let (mut beyond, mut variance, mut known) = (-HALF, 0.0, f64::INFINITY);
        for (lane, sums) in lanes.iter().zip(&self.lanes) {
            let noise = widened(lane.dispersion_of_the_stage(settings));
            if lane.has_data() {
                known = known.min(noise.degrees_of_freedom);
            }
            beyond += sums.beyond;
            variance += noise.value * sums.variance;
        }
        let size = if variance > 0.0 {
            deflate(0.5 * beyond * beyond / variance, known)
        } else {
            0.0
        };
        if beyond > 0.0 { size } else { -size }
    }
}

/// What an interval adds to `Z` and `V` of the veto.
fn beyond(line: &Line, counts: &IntervalCounts) -> (f64, f64) {
    let (x, n) = (counts.canary.events, counts.canary.exposure);
    let above = |beyond: f64, side: Side| match side {
        Side::Above => beyond,
        Side::Below => -beyond,
    };
    match line {
        Line::Relative(limit) => {
            let odds = limit.ratio() * (n / counts.control.exposure);
            let y = counts.control.events;
            let beyond = above(x - odds * y - limit.offset() * n, limit.side());
            (beyond, x + odds * odds * y)
        }
        Line::Quantile(slow) => {
            let odds = n / counts.control.exposure;
            let y = counts.control.events;
            (x - odds * y, slow.rest() * (x + odds * odds * y))
        }
        Line::Absolute { limit, .. } => {
            let expected = n * limit.limit();
            let variance = match (limit.side(), limit.law()) {
                (Side::Above, _) => x,
                // Where more is better nearly all are events: what is missing varies.
                (Side::Below, CountLaw::Bernoulli) => expected * (1.0 - limit.limit()),
                (Side::Below, CountLaw::Poisson) => expected,
            };
            (above(x - expected, limit.side()), variance)
        }
    }
}
