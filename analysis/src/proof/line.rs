//! The lines that evidence is for, and what one interval says of them.

use std::sync::LazyLock;

use super::quantile::{SlowShare, quantile_increment};
use crate::sequential::{
    AbsoluteLimit, Comparison, CountLaw, Effect, IntervalCounts, RelativeLimit, Side,
    absolute_increment, is_comparable, is_usable, relative_increment,
};
use crate::series::ArmCount;

/// Effect sizes beyond a relative line.
const RELATIVE_EFFECTS: [f64; MOST_EFFECTS] = [1.1, 1.25, 1.5, 2.0, 3.0, 5.0, 10.0, 30.0, 100.0];
/// The same of the odds to be slower than a quantile.
pub(super) const QUANTILE_EFFECTS: [f64; MOST_EFFECTS] = RELATIVE_EFFECTS;
/// Effect sizes above an absolute line, and below one: shares of it that are missing.
const ABOVE_EFFECTS: [f64; 6] = [1.1, 1.25, 1.5, 2.0, 3.0, 5.0];
const BELOW_EFFECTS: [f64; 5] = [0.1, 0.25, 0.5, 0.75, 0.9];
/// Most effect sizes of a line.
pub(super) const MOST_EFFECTS: usize = 9;

/// What a canary may be of its control where both break an absolute limit, and 1 over it where more is
/// better. Source: docs/design/counts.md, "7. Absolute limits and the environment".
pub(crate) const BESIDE_A_BROKEN_CONTROL: f64 = 1.25;
const BESIDE_A_BROKEN_CONTROL_FROM_BELOW: f64 = 0.8;

/// A line that evidence may show the canary to be beyond.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Line {
    /// A multiple of the control, with what is added.
    Relative(RelativeLimit),
    /// That as large a part of the canary's requests is slower than the limit on the control's quantile as of the
    /// control's is slower than the quantile.
    Quantile(SlowShare),
    /// A number; where there is a control, a canary that is near it is excused by it.
    Absolute {
        /// The number.
        limit: AbsoluteLimit,
        /// Whether there is a control.
        has_control: bool,
    },
}

/// The effects beyond a relative line, with their logarithms.
fn relative_effects() -> &'static [Effect; MOST_EFFECTS] {
    static EFFECTS: LazyLock<[Effect; MOST_EFFECTS]> =
        LazyLock::new(|| RELATIVE_EFFECTS.map(Effect::new));
    &EFFECTS
}

/// By effect size.
pub(super) type ByEffect = [f64; MOST_EFFECTS];

impl Line {
    /// The side of it that evidence is for.
    pub(super) fn side(&self) -> Side {
        match self {
            Self::Relative(limit) => limit.side(),
            Self::Quantile(_) => Side::Above,
            Self::Absolute { limit, .. } => limit.side(),
        }
    }

    /// How many effect sizes there are.
    pub(super) fn effects(&self) -> usize {
        match (self, self.side()) {
            (Self::Relative(_), _) => RELATIVE_EFFECTS.len(),
            (Self::Quantile(_), _) => QUANTILE_EFFECTS.len(),
            (Self::Absolute { .. }, Side::Above) => ABOVE_EFFECTS.len(),
            (Self::Absolute { .. }, Side::Below) => BELOW_EFFECTS.len(),
        }
    }

    /// Whether an interval says anything of it.
    pub(super) fn is_told_by(&self, counts: &IntervalCounts) -> bool {
        match self {
            Self::Relative(_) | Self::Quantile(_) => is_comparable(counts),
            Self::Absolute { .. } => is_usable(&counts.canary),
        }
    }

    /// What an interval adds, by effect size; zeros where it says nothing.
    ///
    /// Of an absolute line with a control the smaller of both: in each interval the canary may keep the line
    /// or be near the control, and whichever it does, the expectation is at most 1.
    pub(super) fn increments(&self, counts: &IntervalCounts) -> ByEffect {
        let mut all = [0.0; MOST_EFFECTS];
        if !self.is_told_by(counts) {
            return all;
        }
        match self {
            Self::Relative(limit) => {
                let comparison = Comparison::new(counts, limit);
                for (increment, effect) in all.iter_mut().zip(relative_effects()) {
                    *increment = comparison
                        .as_ref()
                        .map_or(0.0, |comparison| effect.increment(comparison));
                }
            }
            Self::Quantile(slow) => {
                for (increment, effect) in all.iter_mut().zip(QUANTILE_EFFECTS) {
                    *increment = quantile_increment(counts, *slow, effect);
                }
            }
            Self::Absolute { limit, has_control } => {
                let excused = (*has_control && is_usable(&counts.control))
                    .then(|| beside_the_control(limit.side()))
                    .flatten();
                let sizes: &[f64] = match limit.side() {
                    Side::Above => &ABOVE_EFFECTS,
                    Side::Below => &BELOW_EFFECTS,
                };
                for (increment, &size) in all.iter_mut().zip(sizes) {
                    *increment = absolute_increment(&counts.canary, limit, size);
                    if let Some(excused) = &excused {
                        let size = match limit.side() {
                            Side::Above => size,
                            Side::Below => 1.0 / (1.0 - size),
                        };
                        *increment = increment.min(relative_increment(counts, excused, size));
                    }
                }
            }
        }
        all
    }

    /// Events of the canary that would be no surprise in an interval: at the control's rate, or half of those
    /// at the limit.
    pub(super) fn expected_events(&self, counts: &IntervalCounts) -> f64 {
        if !self.is_told_by(counts) {
            return 0.0;
        }
        let ArmCount { events, exposure } = counts.control;
        let canary = counts.canary.exposure;
        match self {
            Self::Relative(_) => (events + 0.5) * canary / (canary + exposure),
            Self::Quantile(slow) => slow.rest() * (events + 0.5) * canary / (canary + exposure),
            Self::Absolute { limit, .. } => 0.5 * canary * limit.limit(),
        }
    }
}

pub(super) fn beside_the_control(side: Side) -> Option<RelativeLimit> {
    let ratio = match side {
        Side::Above => BESIDE_A_BROKEN_CONTROL,
        Side::Below => BESIDE_A_BROKEN_CONTROL_FROM_BELOW,
    };
    RelativeLimit::new(ratio, 0.0, side).ok()
}

/// Whether the control is visibly beyond an absolute line in an interval, or in the newest ones together:
/// by three standard deviations of what is expected on the line.
///
/// Where more is better, visibly below it.
pub(super) fn is_visibly_beyond(limit: &AbsoluteLimit, control: ArmCount) -> bool {
    let expected = limit.limit() * control.exposure;
    let beyond = match limit.side() {
        Side::Above => control.events - expected,
        Side::Below => expected - control.events,
    };
    let variance = match limit.law() {
        CountLaw::Poisson => expected,
        // Of good events there are nearly as many as requests: what is missing varies.
        CountLaw::Bernoulli => match limit.side() {
            Side::Above => expected,
            Side::Below => expected * (1.0 - limit.limit()),
        },
    };
    expected > 0.0 && variance > 0.0 && beyond >= 3.0 * libm::sqrt(variance)
}
