//! Looks at a gauge: all that can be said of it by itself.

use crate::interval::Confidence;
use crate::pipeline::{Check, Method};
use crate::proof::gauge::{GaugeLook, GaugeSpread, GaugeStream, single_look};
use crate::sequential::ErrorRate;
use crate::series::{PairedGauge, Population};

use super::super::conclude::{conclude, without_data};
use super::super::counts::Looked;
use super::super::evaluated::{Evaluated, Situation, still_new};
use super::super::judged::Judged;
use super::super::limit::{Levels, Shown};
use super::super::model::{ArmReport, CheckReport, RatioReport, ReasonCode};
use super::super::{kayenta, load};
use super::asked::{is_per_request, key_of};
use super::looked::LookedGauge;
use super::proof::GaugeProof;
use super::rows::GaugeRows;
use super::unknown::{advice, not_finite};

/// Looks at the samples of a check.
pub(in crate::judge) fn look<'a>(
    mut report: CheckReport,
    check: &Check,
    values: &'a PairedGauge,
    situation: Situation<'_>,
    levels: Levels,
) -> Looked<'a> {
    let unknown_canary = not_finite(values, Population::Canary);
    let unknown_control = || {
        let control = not_finite(values, Population::Control);
        control.filter(|_| check.limit.needs_control())
    };
    if let Some(why) = unknown_canary.or_else(unknown_control) {
        let advice = advice(check).map_or_else(String::new, |advice| format!("; {advice}"));
        return without_data(report, ReasonCode::NotFinite, &format!("{why}{advice}")).into();
    }
    let key = key_of(situation.pipeline, check, situation.stage);
    let grid = situation.data.grid;
    let mut rows = GaugeRows::of(values, grid, key.warm_up_seconds, is_per_request(check));
    if not_finite(values, Population::Control).is_some() {
        rows.forget_the_control();
    }
    let mean = |population| {
        let estimate = rows.mean(population)?;
        Some(ArmReport {
            estimate: Some(estimate),
            ..ArmReport::default()
        })
    };
    report.canary = mean(Population::Canary);
    report.control = mean(Population::Control);
    report.ratio = ratio_of(&report, levels.compliance.value());
    report.compared = load::told(check, values);
    if report.canary.is_none() {
        let was_seen = values.intervals.iter().any(|pair| pair.canary.is_some());
        if was_seen {
            return still_new(report).into();
        }
        let why = "the canary has no value in the window";
        return without_data(report, ReasonCode::NoData, why).into();
    }
    if check.is_relative() && report.control.is_none() {
        let why = "the control has no value in the window";
        return without_data(report, ReasonCode::NoControl, why).into();
    }
    match report.method {
        Method::Kayenta => {
            let points = kayenta::gauge_points(rows.samples().map(|(_, one)| one));
            kayenta::conclude(report, check, &points, situation).into()
        }
        Method::Wilson => single(report, check, &rows, situation, levels).into(),
        Method::Sequential => Looked::Gauge(Box::new(LookedGauge {
            report,
            judged: Judged::Gauge(rows),
        })),
    }
}

fn ratio_of(report: &CheckReport, confidence: f64) -> Option<RatioReport> {
    let estimate = report.canary.as_ref()?.estimate? / report.control.as_ref()?.estimate?;
    estimate.is_finite().then_some(RatioReport {
        estimate,
        interval: None,
        confidence,
    })
}

/// Concludes from one look at all samples of the stage.
fn single(
    report: CheckReport,
    check: &Check,
    rows: &GaugeRows<'_>,
    situation: Situation<'_>,
    levels: Levels,
) -> Evaluated {
    let mut key = key_of(situation.pipeline, check, situation.stage);
    let longest_seconds = situation.stage.max_duration_minutes * 60.0;
    // One look at the end is not held until the past is read.
    key.begin_stage(rows.step_seconds(), longest_seconds, None);
    if let Some(stream) = &mut key.stream {
        for (_, sample) in rows.samples() {
            stream.push(&sample);
        }
    }
    let rates = (ErrorRate::ROLLBACK, situation.budget.promotion);
    let Some(proof) = GaugeProof::of(&key, (0.0, 0.0), rates) else {
        return report.into();
    };
    if let Some(refused) = proof.refused(&report, check, situation) {
        return refused.into();
    }
    if !proof.promotion.is_judged {
        return proof.open(report, check, situation).into();
    }
    let stream = key.stream.as_ref();
    // Of a promotion the distance within the limit is what must be above 0.
    let is_beyond_zero = |spread: Option<GaugeSpread>, confidence: Confidence| {
        let look = spread.map(|spread| single_look(&spread, confidence.value()));
        look == Some(GaugeLook::Violated)
    };
    let violated = stream.and_then(GaugeStream::spread_of_the_stage);
    let kept = stream.and_then(GaugeStream::spread_of_the_promotion);
    let is_violated = check.may_fail && is_beyond_zero(violated, levels.violation);
    let is_kept = !proof.promotion.is_suspected && is_beyond_zero(kept, levels.compliance);
    let shown = Shown::of(is_violated, proof.is_of_the_environment, is_kept);
    conclude(report, check, shown).into()
}
