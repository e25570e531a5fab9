//! How much longer an open check of a gauge takes.
//!
//! Source: docs/design/gauges.md, "6. Planning".

use crate::pipeline::{Check, Limit};
use crate::proof::gauge::{
    GaugeOutlook, GaugeSpread, SpreadSource, minutes_as_samples_come, minutes_until_decided,
    mixture_log_evidence,
};
use crate::proof::nearest;
use crate::sequential::ErrorRate;

use super::super::evaluated::Situation;
use super::proof::GaugeProof;

/// One pod on each side.
const NOTHING_KNOWN: GaugeOutlook = GaugeOutlook::Relative {
    pods: None,
    cold_start_seconds: 0.0,
};

impl GaugeProof {
    /// The minute at which the stage would be decided, were the values to go on as they are; nothing where they never
    /// would be.
    pub(super) fn minutes(&self, check: &Check, situation: Situation<'_>) -> Option<f64> {
        let budget = situation.budget;
        let share = if self.weight > 0.0 { self.weight } else { 1.0 };
        let to_roll_back = self.minutes_of(self.spread, check, budget.rollback_alone(share));
        let to_promote = self.minutes_of(self.kept, check, budget.promotion);
        to_roll_back.into_iter().chain(to_promote).reduce(f64::min)
    }

    fn minutes_of(
        &self,
        spread: Option<GaugeSpread>,
        check: &Check,
        rate: ErrorRate,
    ) -> Option<f64> {
        let spread = spread.filter(|spread| spread.mean > 0.0)?;
        let outlook = self.outlook(&spread, check);
        let assumed = minutes_until_decided(spread.mean, rate, self.step_seconds, outlook)?;
        match spread.source {
            SpreadSource::Assumed => Some(assumed),
            SpreadSource::Samples | SpreadSource::Past => {
                let samples = self.promotion.samples;
                let measured = minutes_as_samples_come(&spread, samples, self.step_seconds, rate)?;
                Some(assumed.max(measured))
            }
            // What pods differ by does not go away: where that is too much nothing is decided by waiting.
            SpreadSource::Pods => {
                let known = spread.degrees_of_freedom;
                let found = mixture_log_evidence(spread.mean, spread.variance, known);
                (found >= rate.log_threshold()).then_some(assumed)
            }
        }
    }

    /// What is expected of the samples to come: of a number, what the assumption made of those so far.
    fn outlook(&self, spread: &GaugeSpread, check: &Check) -> GaugeOutlook {
        if check.is_relative() {
            return NOTHING_KNOWN;
        }
        let samples = self.promotion.samples.max(1) as f64;
        let seconds = (samples - 1.0) * self.step_seconds;
        let known = (spread.mean, spread.variance);
        match spread.source {
            SpreadSource::Assumed => GaugeOutlook::absolute_as_assumed(known, seconds),
            SpreadSource::Pods | SpreadSource::Samples | SpreadSource::Past => {
                GaugeOutlook::Absolute {
                    standard_deviation: 0.0,
                }
            }
        }
    }

    /// The `promote_ratio` with which a canary as good as its control passes within the stage's longest time; nothing
    /// where none is needed.
    pub(super) fn ratio_to_promote(&self, check: &Check, situation: Situation<'_>) -> Option<f64> {
        /// Beyond it nothing is looked for.
        const MOST_TIMES: f64 = 100.0;
        let Limit::AtMost {
            ratio: Some(ratio), ..
        } = check.promotion_limit
        else {
            return None;
        };
        let passes_at = |ratio: f64| {
            let (signal, rate) = (1.0 - 1.0 / ratio, situation.budget.promotion);
            let minutes = minutes_until_decided(signal, rate, self.step_seconds, NOTHING_KNOWN);
            minutes.is_some_and(|minutes| minutes <= situation.stage.max_duration_minutes)
        };
        if passes_at(ratio) {
            return None;
        }
        nearest(ratio, MOST_TIMES, passes_at)
    }
}
