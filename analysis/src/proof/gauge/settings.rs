//! What does not change about a gauge's stream.

use std::sync::Arc;

use super::excess::{GaugeUnit, limit_beside, load_factor};
use super::past::GaugePast;
use super::sample::GaugeSample;
use crate::sequential::Side;

/// While the oldest canary pod is younger, pods raise what is assumed of a violation and do not lower it.
pub const COLD_START_SECONDS: f64 = 1800.0;

/// The limit of a gauge. A side is the bad one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum GaugeLine {
    /// `ratio * control + offset`.
    Relative {
        /// Factor of the control.
        ratio: f64,
        /// In the gauge's unit: negative where more is better.
        offset: f64,
        /// Where it is broken.
        bad: Side,
    },
    /// A number.
    Absolute {
        /// In the gauge's unit.
        limit: f64,
        /// Where it is broken.
        bad: Side,
        /// Whether a value on the limit keeps it.
        is_inclusive: bool,
        /// Whether what the control does as well is the environment's.
        has_control: bool,
    },
    /// Between `1 - tolerance` and `1 + tolerance` times the control.
    Within {
        /// A part of the control.
        tolerance: f64,
    },
}

/// What is fixed when a rollout begins.
#[derive(Debug, Clone, PartialEq)]
pub struct GaugeSettings {
    /// What evidence is for.
    pub line: GaugeLine,
    /// What the gauge is of.
    pub unit: GaugeUnit,
    /// The factors of the control that stages name for their promotion, beside `max(2, 1.25 ratio)`, the inverse of
    /// which holds where more is better. Of a limit relative to the control.
    pub promotion_ratios: Vec<f64>,
    /// Seconds between samples.
    pub step_seconds: f64,
    /// Samples of the longest rollout: starts lie before it.
    pub planned_samples: usize,
    /// Whether evidence also begins anew after that, with an eighth of the weight.
    pub has_starts_beyond_the_plan: bool,
    /// `rollback: true`: a limit within 1.25 votes at its own ratio though no pods are measured.
    pub votes_at_its_ratio: bool,
    /// See [`COLD_START_SECONDS`]; 0 for a service that is warm at once.
    pub cold_start_seconds: f64,
    /// The control before the rollout, if it was read.
    pub past: Option<Arc<GaugePast>>,
}

impl GaugeSettings {
    /// What is usual for a limit.
    pub fn new(
        line: GaugeLine,
        unit: GaugeUnit,
        step_seconds: f64,
        planned_samples: usize,
    ) -> Self {
        Self {
            line,
            unit,
            promotion_ratios: Vec::new(),
            step_seconds,
            planned_samples,
            has_starts_beyond_the_plan: false,
            votes_at_its_ratio: false,
            cold_start_seconds: COLD_START_SECONDS,
            past: None,
        }
    }
}

impl GaugeLine {
    /// Whether it compares with a number.
    pub fn is_absolute(&self) -> bool {
        matches!(self, Self::Absolute { .. })
    }

    /// The sides, each as a limit of its own.
    pub(super) fn sides(&self) -> Vec<Self> {
        match *self {
            Self::Within { tolerance } => {
                let side = |ratio: f64, bad: Side| Self::Relative {
                    ratio,
                    offset: 0.0,
                    bad,
                };
                vec![
                    side(1.0 + tolerance, Side::Above),
                    side(1.0 - tolerance, Side::Below),
                ]
            }
            one => vec![one],
        }
    }

    /// By how much the canary is beyond its limit in one sample, in the gauge's unit, at the check's own ratio:
    /// what a kill switch asks. Positive is broken; the farther of two sides; nothing where a value is missing.
    ///
    /// Source: docs/design/gauges.md, "9. Display, single look, kill switch".
    pub fn beyond_at(&self, sample: &GaugeSample) -> Option<f64> {
        let canary = sample.canary()?;
        let of_a_side = |line: Self| {
            let (limit, bad) = match line {
                Self::Relative {
                    ratio, offset, bad, ..
                } => {
                    let load = sample
                        .loads
                        .map_or(1.0, |both| load_factor(both.canary, both.control));
                    let load = if bad == Side::Above { load } else { 1.0 };
                    (ratio * sample.control()? * load + offset, bad)
                }
                Self::Absolute {
                    limit,
                    bad,
                    has_control,
                    ..
                } => {
                    let control = sample.control().filter(|_| has_control);
                    (limit_beside(control, limit, bad), bad)
                }
                Self::Within { .. } => return None,
            };
            Some(match bad {
                Side::Above => canary - limit,
                Side::Below => limit - canary,
            })
        };
        self.sides()
            .into_iter()
            .filter_map(of_a_side)
            .reduce(f64::max)
    }
}
