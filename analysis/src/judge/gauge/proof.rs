//! What a gauge proves over a rollout.

use crate::proof::gauge::{GaugePromotion, GaugeRatio, GaugeSpread, ratio_interval};
use crate::sequential::ErrorRate;

use super::asked::GaugeKey;

/// What the samples of one check prove after the newest interval.
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent facts, each told by itself"
)]
#[derive(Debug, Clone, PartialEq)]
pub(in crate::judge) struct GaugeProof {
    /// `ln E` of a violation after the newest interval, and the largest after any of the stage.
    pub(in crate::judge) violation: f64,
    pub(in crate::judge) strongest: f64,
    /// Its part of the rollout's error rate; 0 of one that may not roll back.
    pub(in crate::judge) weight: f64,
    /// What the stage shows.
    pub(super) promotion: GaugePromotion,
    /// How well its mean is known.
    pub(super) spread: Option<GaugeSpread>,
    /// The ratio to the control over the stage, with an interval that may be asked for at any time.
    pub(super) ratio: Option<GaugeRatio>,
    /// How far within the limit of a promotion the stage's mean is, as a part of the larger of both, and how well that
    /// is known.
    pub(super) kept: Option<GaugeSpread>,
    /// Seconds between samples.
    pub(super) step_seconds: f64,
    pub(super) is_lacking: bool,
    pub(super) is_baseline_negative: bool,
    pub(super) is_of_the_environment: bool,
    pub(super) is_cold: bool,
    pub(super) is_judged_at_the_wide_ratio: bool,
    pub(super) control_pods_beyond: usize,
}

impl GaugeProof {
    /// What a stream shows now; nothing before its first stage.
    pub(in crate::judge) fn of(
        key: &GaugeKey,
        (strongest, weight): (f64, f64),
        (rollback, promotion): (ErrorRate, ErrorRate),
    ) -> Option<Self> {
        let stream = key.stream.as_ref()?;
        let confidence = 1.0 - 2.0 * rollback.value();
        let ratio = stream.ratio_to_the_control().map(|spread| {
            let known = (spread.mean, spread.variance, spread.degrees_of_freedom);
            ratio_interval(known, confidence)
        });
        Some(Self {
            violation: key.log_evidence(),
            strongest,
            weight,
            promotion: stream.promotion(promotion),
            spread: stream.spread_of_the_stage(),
            ratio,
            kept: stream.spread_of_the_promotion(),
            step_seconds: stream.settings().step_seconds,
            is_lacking: stream.is_stage_lacking(),
            is_baseline_negative: stream.is_baseline_negative(),
            is_of_the_environment: stream.is_newest_of_the_environment(),
            is_cold: stream.is_cold(),
            is_judged_at_the_wide_ratio: stream.is_judged_at_the_wide_ratio(),
            control_pods_beyond: stream.control_pods_beyond(),
        })
    }
}
