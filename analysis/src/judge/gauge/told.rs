//! What is told of a gauge.

use crate::data::MetricData;
use crate::interval::Interval;
use crate::pipeline::{Check, Limit};
use crate::proof::gauge::SpreadSource;
use crate::text;

use super::super::conclude::{conclude, undecided, values_text, with_sentence, without_data};
use super::super::evaluated::{Evaluated, Situation, e_value};
use super::super::limit::Shown;
use super::super::model::{
    CheckReport, EvidenceReport, NeedsReport, Outcome, RatioReport, ReasonCode, SpreadReport,
};
use super::super::needs;
use super::proof::GaugeProof;
use super::unknown::{lacking, of_an_aggregate};

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
    report.spread = proof.spread_report();
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
            let why = match situation.data.metrics.get(&check.measured.name) {
                Some(MetricData::Gauge(gauge)) => {
                    of_an_aggregate(check, gauge).unwrap_or_else(|| lacking(gauge))
                }
                _ => "more than a fifth of its samples lack one of the populations".to_owned(),
            };
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
        let samples = text::counted(self.promotion.samples, "sample");
        let Some(minutes) = self.minutes(check, situation) else {
            return undecided(report, &format!("undecided, {values}; {samples}"));
        };
        // The next sample is so much nearer as the newest is old.
        let step_ms = self.step_seconds * 1_000.0;
        let since_newest = (grid.end_ms() as f64).rem_euclid(step_ms) / 60_000.0;
        let more = (minutes - seen).max(self.step_seconds / 60.0) - since_newest;
        let intervals = (elapsed + more) * 60_000.0 / grid.interval_ms() as f64;
        report.needs = Some(NeedsReport {
            canary_total: libm::ceil((seen + more) * 60.0 / self.step_seconds),
            provable_ratio: self.ratio_to_promote(check, situation),
            ..needs::projected(&report, intervals, grid)
        });
        let more = text::minutes(libm::ceil(more));
        let why = format!("undecided, {values}; {samples}, about {more} more");
        undecided(report, &why)
    }

    fn spread_report(&self) -> Option<SpreadReport> {
        let spread = self.spread?;
        Some(SpreadReport {
            source: spread.source,
            sd: spread.standard_deviation(),
            pods: spread.control_pods,
            minutes: self.promotion.samples as f64 * self.step_seconds / 60.0,
            left_out: None,
        })
    }

    fn is_of_an_assumption(&self) -> bool {
        self.spread
            .is_some_and(|spread| spread.source == SpreadSource::Assumed)
    }

    /// `assumed spread of 25 %: one pod each`.
    fn spread_in_words(&self, check: &Check) -> Option<String> {
        let spread = self.spread?;
        let pods = match (spread.canary_pods, spread.control_pods) {
            (0, _) | (_, 0) => "no pods to compare".to_owned(),
            (1, 1) => "one pod each".to_owned(),
            (canary, control) => format!(
                "{}, {} of the control",
                text::counted(canary, "canary pod"),
                control
            ),
        };
        // A number is compared with no pod.
        let pods = if check.is_relative() || spread.source == SpreadSource::Pods {
            format!(": {pods}")
        } else {
            String::new()
        };
        let known = text::digits(100.0 * spread.standard_deviation());
        let told = match spread.source {
            SpreadSource::Assumed => format!("assumed spread of {known} %{pods}"),
            SpreadSource::Pods => format!("spread of {known} % by pods{pods}"),
            SpreadSource::Samples => format!("spread of {known} % by its samples{pods}"),
            SpreadSource::Past => format!("spread of {known} % from the control's past{pods}"),
        };
        Some(format!(
            "{told}{}{}",
            self.cold_in_words(check),
            self.excused_in_words(check)
        ))
    }

    /// Old pods do not say what a young one may differ by.
    fn cold_in_words(&self, check: &Check) -> &'static str {
        let has_pods = self.spread.is_some_and(|spread| spread.control_pods > 1);
        if self.is_cold && has_pods && check.is_relative() {
            ", and a canary counts as one pod while it is cold (cold_start)"
        } else {
            ""
        }
    }

    /// `, 3 of 10 control pods are over 90 % as well`.
    fn excused_in_words(&self, check: &Check) -> String {
        let control = self.spread.map_or(0, |spread| spread.control_pods);
        match (self.control_pods_beyond, check.limit.absolute_value()) {
            (0, _) | (_, None) => String::new(),
            (pods, Some(limit)) => {
                let limit = text::exact_value(limit, check.measured.dimension);
                format!(", {pods} of {control} control pods are over {limit} as well")
            }
        }
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
