//! One check: from its metric's data to an outcome, with the numbers that explain it.

use crate::interval::Confidence;
use crate::pipeline::{Check, Method};
use crate::series::{PairedGauge, Population, Populations};

use super::conclude::{
    conclude, empty_report, undecided, values_text, with_sentence, without_data,
};
use super::counts::{self, Looked};
use super::evaluated::{Evaluated, Situation, e_value, still_new};
use super::evidence::{self, Proof};
use super::finished::finished;
use super::limit::{Levels, Plannable, Shown};
use super::model::{
    ArmReport, CheckReport, EvidenceReport, NeedsReport, Outcome, RatioReport, ReasonCode,
};
use super::needs;
use super::warm_up::LookedAt;
use super::{absence, gauge, kayenta, load, populations, quantile};
use crate::data::MetricData;

/// Looks at one check: all that can be said of it by itself.
pub(super) fn look<'a>(check: &Check, situation: Situation<'a>, levels: Levels) -> Looked<'a> {
    let report = empty_report(check, check.method, check.may_roll_back);
    if !check.counts_at(situation.stage.traffic_percent) {
        let reason = "at 100 % traffic there is no control to compare with; it stopped counting";
        let report = CheckReport {
            counts: false,
            ..report
        };
        return without_data(report, ReasonCode::NoControl, reason).into();
    }
    let name = &check.measured.name;
    let wrong = || populations::wrong(situation.pipeline, situation.data);
    let of_populations = check.is_relative().then(wrong).flatten();
    let unjudged = || absence::unjudged(check, situation.data);
    if let Some((code, why)) = of_populations.or_else(unjudged) {
        return without_data(report, code, &why).into();
    }
    let found = situation.data.metrics.get(name);
    if report.method.is_valid_at_any_time()
        && let Some(MetricData::Counts(_) | MetricData::Histogram(_)) = found
        && let Some(fault) = situation.late_history()
    {
        return without_data(report, fault.code.into(), &fault.message).into();
    }
    if let Some(warning) = situation.data.source_warnings.get(name)
        && !matches!(found, None | Some(MetricData::Fault(_)))
    {
        let mut report = report;
        report.outcome = Outcome::Undecided;
        report.reason_code = ReasonCode::PartialData;
        let why = format!("the source says its data is partial: {warning}");
        return with_sentence(report, &why).into();
    }
    match found {
        None => {
            let why = "nothing was read for its metric";
            without_data(report, ReasonCode::NoData, why).into()
        }
        Some(MetricData::Fault(fault)) => {
            without_data(report, fault.code.into(), &fault.message).into()
        }
        Some(MetricData::Counts(counts)) => counts::look(report, check, counts, situation, levels),
        Some(MetricData::Histogram(histogram)) => {
            quantile::look(report, check, histogram, situation, levels)
        }
        Some(MetricData::Gauge(values)) => {
            let evaluated = on_gauge(report, check, values, situation, levels);
            finished(evaluated, check, situation).into()
        }
    }
}

fn on_gauge(
    mut report: CheckReport,
    check: &Check,
    values: &PairedGauge,
    situation: Situation<'_>,
    levels: Levels,
) -> Evaluated {
    let unknown_canary = gauge::not_finite(values, Population::Canary);
    let unknown_control = || {
        let control = gauge::not_finite(values, Population::Control);
        control.filter(|_| check.limit.needs_control())
    };
    if let Some(why) = unknown_canary.or_else(unknown_control) {
        return without_data(report, ReasonCode::NotFinite, &why).into();
    }
    let values = &*gauge::without_unknown_control(values);
    let looked_at = LookedAt::without(situation.left_out);
    let warm = PairedGauge {
        intervals: values
            .intervals
            .iter()
            .enumerate()
            .map(|(interval, pair)| {
                if looked_at.keeps(interval, 1) {
                    *pair
                } else {
                    Populations::default()
                }
            })
            .collect(),
        loads: values.loads.clone(),
        ..PairedGauge::default()
    };
    let arms = gauge::reports(&warm, levels.compliance);
    report.compared = load::told(check, &warm);
    report.ratio = ratio_of_estimates(&arms, levels.compliance);
    report.control = arms.control;
    report.canary = arms.canary;
    if report.canary.is_none() && values.intervals.iter().any(|pair| pair.canary.is_some()) {
        return still_new(report).into();
    }
    if report.canary.is_none() {
        let why = "the canary has no value in the window";
        return without_data(report, ReasonCode::NoData, why).into();
    }
    if check.is_relative() && report.control.is_none() {
        let why = "the control has no value in the window";
        return without_data(report, ReasonCode::NoControl, why).into();
    }
    match report.method {
        Method::Kayenta => {
            let points = kayenta::gauge_points(&warm);
            kayenta::conclude(report, check, &points, situation.is_stage_over).into()
        }
        Method::Sequential | Method::Wilson => {
            on_differences(report, check, &warm, situation, levels)
        }
    }
}

/// Decides a gauge on the differences of both populations in each interval.
fn on_differences(
    mut report: CheckReport,
    check: &Check,
    values: &PairedGauge,
    situation: Situation<'_>,
    levels: Levels,
) -> Evaluated {
    let (violation, compliance) = (check.limit, check.promotion_limit);
    let usable = gauge::usable_intervals(values, violation.needs_control());
    let fewest = check.fewest_intervals().decided;
    if usable < fewest {
        let grid = situation.data.grid;
        let missing = fewest - usable;
        let intervals = (grid.intervals() + missing) as f64;
        report.needs = Some(NeedsReport {
            canary_total: fewest as f64,
            ..needs::projected(&report, intervals, grid)
        });
        let values = values_text(&report, check.measured.dimension);
        let why = format!("undecided, {values}; {usable} of {fewest} intervals that a gauge needs");
        return undecided(report, &why).into();
    }
    if report.method.is_valid_at_any_time() {
        let known_from = gauge::usable_from(values, violation.needs_control(), fewest);
        let mut proof = evidence::of_gauge(
            &load::allowed(check, values),
            &load::required(check, values),
            violation,
            compliance,
            situation.budget,
        )
        .known_from(known_from);
        proof.is_kept |= gauge::is_on_the_limit(values, compliance, check.is_inclusive);
        return conclude_proof(report, check, proof, Plannable::default(), situation);
    }
    let shown = gauge::shown(
        values,
        violation,
        compliance,
        check.is_inclusive,
        check.may_fail,
        levels,
    );
    conclude(report, check, shown).into()
}

/// Concludes from evidence over time. Whether it rolls back is decided over all checks together.
fn conclude_proof(
    mut report: CheckReport,
    check: &Check,
    proof: Proof,
    plannable: Plannable,
    situation: Situation<'_>,
) -> Evaluated {
    let budget = situation.budget;
    let threshold = budget.rollback.log_threshold();
    let crossed = |path: &[f64]| path.iter().any(|log_evidence| *log_evidence >= threshold);
    let is_control_violated = proof.control_violation.as_deref().is_some_and(crossed);
    report.evidence = Some(EvidenceReport {
        rollback: e_value(proof.violation.last().copied().unwrap_or(0.0)),
        rollback_at: e_value(threshold),
        promote: proof.compliance.map(e_value),
        promote_at: e_value(budget.promotion.log_threshold()),
        dispersion: proof.dispersion.map(|noise| noise.value),
        dispersion_from: proof.dispersion_from,
    });
    let shown = Shown::of(false, is_control_violated, proof.is_kept);
    Evaluated {
        proof: Some(proof),
        plannable,
        ..Evaluated::from(conclude(report, check, shown))
    }
}

fn ratio_of_estimates(
    arms: &Populations<Option<ArmReport>>,
    confidence: Confidence,
) -> Option<RatioReport> {
    let estimate = arms.canary.as_ref()?.estimate? / arms.control.as_ref()?.estimate?;
    let confidence = confidence.value();
    estimate.is_finite().then_some(RatioReport {
        estimate,
        interval: None,
        confidence,
    })
}
