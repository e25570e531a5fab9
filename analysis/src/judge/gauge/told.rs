//! What is told of a gauge.

use crate::data::MetricData;
use crate::interval::Interval;
use crate::pipeline::{Check, Limit};
use crate::proof::gauge::{GaugeOutlook, SpreadSource, minutes_until_decided};
use crate::proof::nearest;
use crate::text;

use super::super::conclude::{conclude, undecided, values_text, with_sentence, without_data};
use super::super::evaluated::{Evaluated, Situation, e_value};
use super::super::limit::Shown;
use super::super::model::{
    CheckReport, EvidenceReport, NeedsReport, Outcome, RatioReport, ReasonCode,
};
use super::super::needs;
use super::proof::GaugeProof;
use super::unknown::of_an_aggregate;

/// Concludes a check from its proof.
pub(super) fn concluded(
    mut report: CheckReport,
    check: &Check,
    proof: &GaugeProof,
    situation: Situation<'_>,
) -> Evaluated {
    let budget = situation.budget;
    if let Some(refused) = proof.refused(&report, check, situation) {
        return Evaluated::from(refused);
    }
    report.ratio = ratio_of(&report, proof, budget.rollout.value());
    report.evidence = Some(EvidenceReport {
        rollback: e_value(proof.violation),
        rollback_at: e_value(budget.rollout.log_threshold()),
        promote: Some(e_value(proof.promotion.log_evidence)),
        promote_at: e_value(budget.promotion.log_threshold()),
        dispersion: None,
        dispersion_from: None,
    });
    let shown = match (proof.promotion.is_compliant, proof.is_of_the_environment) {
        (true, _) => Shown::Kept,
        (false, true) => Shown::ControlViolated,
        (false, false) => Shown::Open,
    };
    let mut report = conclude(report, check, shown);
    match shown {
        Shown::Kept => {
            if let Some(told) = proof.within_the_wide_ratio(check) {
                report.reason = format!("{}; {told}", report.reason);
            }
        }
        Shown::Open if proof.promotion.is_suspected && proof.promotion.is_judged => {
            report = suspected(report, check);
        }
        Shown::Open => report = proof.open(report, check, situation),
        Shown::Violated | Shown::BothViolated | Shown::ControlViolated => {}
    }
    let spread = proof.spread_in_words(check);
    if report.outcome == Outcome::Undecided
        && let Some(spread) = &spread
    {
        report.reason = text::one_line(&format!("{}; {spread}", report.reason));
    }
    Evaluated {
        gauge: Some(proof.clone()),
        unseen: spread.filter(|_| proof.is_of_an_assumption()),
        ..Evaluated::from(report)
    }
}

fn ratio_of(report: &CheckReport, proof: &GaugeProof, rollback: f64) -> Option<RatioReport> {
    let told = report.ratio.as_ref()?;
    let interval = proof
        .ratio
        .and_then(|ratio| Interval::new(ratio.lower, ratio.upper));
    Some(RatioReport {
        estimate: told.estimate,
        interval,
        confidence: 1.0 - 2.0 * rollback,
    })
}

/// Not proven, but a canary whose mean is beyond the limit is not promoted.
fn suspected(mut report: CheckReport, check: &Check) -> CheckReport {
    let values = values_text(&report, check.measured.dimension);
    report.outcome = Outcome::Undecided;
    report.reason_code = ReasonCode::Suspected;
    with_sentence(
        report,
        &format!("not proven, but the canary's mean is beyond its limit; {values}"),
    )
}

impl GaugeProof {
    /// Why nothing can be said of the samples.
    pub(super) fn refused(
        &self,
        report: &CheckReport,
        check: &Check,
        situation: Situation<'_>,
    ) -> Option<CheckReport> {
        if self.is_baseline_negative {
            let why = "the control was below 0, and a multiple of that has no meaning: give an absolute limit, or \
                       clamp_min(.., 0) if it is noise";
            return Some(without_data(
                report.clone(),
                ReasonCode::BaselineNegative,
                why,
            ));
        }
        if self.is_lacking {
            let why = "more than a fifth of its samples lack one of the populations";
            let aggregated = match situation.data.metrics.get(&check.measured.name) {
                Some(MetricData::Gauge(gauge)) => of_an_aggregate(check, gauge),
                _ => None,
            };
            let why = aggregated.unwrap_or_else(|| why.to_owned());
            return Some(without_data(report.clone(), ReasonCode::NoData, &why));
        }
        None
    }

    /// What is still needed of an open check.
    pub(super) fn open(
        &self,
        mut report: CheckReport,
        check: &Check,
        situation: Situation<'_>,
    ) -> CheckReport {
        let values = values_text(&report, check.measured.dimension);
        let grid = situation.data.grid;
        let elapsed = grid.intervals() as f64 * grid.interval_ms() as f64 / 60_000.0;
        let seen = self.promotion.samples as f64 * self.step_seconds / 60.0;
        let Some(minutes) = self.minutes(check, situation) else {
            return undecided(report, &format!("undecided, {values}"));
        };
        let more = (minutes - seen).max(self.step_seconds / 60.0);
        let intervals = (elapsed + more) * 60_000.0 / grid.interval_ms() as f64;
        report.needs = Some(NeedsReport {
            canary_total: libm::ceil((seen + more) * 60.0 / self.step_seconds),
            provable_ratio: self.ratio_to_promote(check, situation),
            ..needs::projected(&report, intervals, grid)
        });
        let more = text::minutes(libm::ceil(more));
        undecided(report, &format!("undecided, {values}; about {more} more"))
    }

    /// The minute at which the stage would be decided, were the values to stay as they are.
    fn minutes(&self, check: &Check, situation: Situation<'_>) -> Option<f64> {
        let outlook = if check.is_relative() {
            GaugeOutlook::Relative {
                pods: None,
                cold_start_seconds: 0.0,
            }
        } else {
            GaugeOutlook::Absolute {
                standard_deviation: 0.0,
            }
        };
        let decided = |signal: f64, rate| {
            let is_any = signal > 0.0;
            is_any.then(|| minutes_until_decided(signal, rate, self.step_seconds, outlook))?
        };
        let budget = situation.budget;
        let beyond = self.spread.map_or(0.0, |spread| spread.mean);
        let share = if self.weight > 0.0 { self.weight } else { 1.0 };
        let to_roll_back = decided(beyond, budget.rollback_alone(share));
        let to_promote = decided(self.distance, budget.promotion);
        to_roll_back.into_iter().chain(to_promote).reduce(f64::min)
    }

    /// The `promote_ratio` with which a canary as good as its control passes within the stage's longest time; nothing
    /// where none is needed.
    fn ratio_to_promote(&self, check: &Check, situation: Situation<'_>) -> Option<f64> {
        /// Beyond it nothing is looked for.
        const MOST_TIMES: f64 = 100.0;
        let Limit::AtMost {
            ratio: Some(ratio), ..
        } = check.promotion_limit
        else {
            return None;
        };
        let outlook = GaugeOutlook::Relative {
            pods: None,
            cold_start_seconds: 0.0,
        };
        let passes_at = |ratio: f64| {
            let (signal, rate) = (1.0 - 1.0 / ratio, situation.budget.promotion);
            let minutes = minutes_until_decided(signal, rate, self.step_seconds, outlook);
            minutes.is_some_and(|minutes| minutes <= situation.stage.max_duration_minutes)
        };
        if passes_at(ratio) {
            return None;
        }
        nearest(ratio, MOST_TIMES, passes_at)
    }

    fn is_of_an_assumption(&self) -> bool {
        self.spread
            .is_some_and(|spread| spread.source == SpreadSource::Assumed)
    }

    /// `assumed to differ by 25 % at first: one pod each`.
    fn spread_in_words(&self, check: &Check) -> Option<String> {
        let spread = self.spread?;
        let pods = match (spread.canary_pods, spread.control_pods) {
            (0, _) | (_, 0) => "no pods are told apart".to_owned(),
            (canary, control) => format!("{canary} of the canary, {control} of the control"),
        };
        let known = text::digits(100.0 * spread.standard_deviation());
        let beyond = match self.control_pods_beyond {
            0 => String::new(),
            pods => format!(
                ", {pods} of {} control pods are over {} as well",
                spread.control_pods,
                check.limit.absolute_value().map_or_else(
                    || "it".to_owned(),
                    |limit| text::exact_value(limit, check.measured.dimension)
                )
            ),
        };
        let cold = if self.is_cold {
            ", and a new canary is judged as one pod"
        } else {
            ""
        };
        Some(match spread.source {
            SpreadSource::Assumed => {
                format!("the mean is assumed to be known to {known} % ({pods}{cold}){beyond}")
            }
            SpreadSource::Pods => format!("known to {known} % by pods ({pods}{cold}){beyond}"),
            SpreadSource::Samples => format!("known to {known} % by its samples ({pods}){beyond}"),
            SpreadSource::Past => {
                format!("known to {known} % by the control's past ({pods}){beyond}")
            }
        })
    }

    /// A limit tighter than pods may differ by is promoted up to that.
    fn within_the_wide_ratio(&self, check: &Check) -> Option<String> {
        let ratio = self.ratio?.estimate;
        let limit = match check.limit {
            Limit::AtMost {
                ratio: Some(limit),
                offset,
            } if offset <= 0.0 => limit,
            _ => return None,
        };
        (self.is_judged_at_the_wide_ratio && ratio > limit).then(|| {
            format!(
                "over {}, within 1.25, which {} cannot tell apart",
                text::digits(limit),
                if self.spread.is_some_and(|spread| spread.canary_pods <= 1) {
                    "one pod each"
                } else {
                    "so few pods"
                }
            )
        })
    }
}
