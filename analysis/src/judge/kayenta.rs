//! Kayenta's way of judging, for parity: Mann-Whitney over the intervals' averages, one look at
//! the end of the stage.

use crate::pipeline::{Check, Limit};
use crate::proof::gauge::GaugeSample;
use crate::proof::{Law, SlowShare, Tails};
use crate::rank::{KayentaClass, KayentaParameters, RankClass, kayenta_classification};
use crate::series::{ArmCount, PairedCounts, Populations};

use super::conclude::{undecided, with_sentence};
use super::evaluated::Situation;
use super::limit::estimate;
use super::model::{CheckReport, KayentaOfCheck, Outcome, ReasonCode};
use super::quantile::QuantileRows;

/// One number for each interval, as Kayenta sees a metric: traffic is not weighed.
pub(super) type Points = Populations<Vec<f64>>;

/// The share or rate of each interval.
pub(super) fn count_points(counts: &PairedCounts) -> Points {
    let points = |of: fn(&crate::series::PairedInterval) -> ArmCount| {
        counts
            .intervals
            .iter()
            .filter_map(|interval| estimate(of(interval)))
            .collect()
    };
    Populations {
        control: points(|pair| pair.control),
        canary: points(|pair| pair.canary),
    }
}

/// The quantile of each interval, as the buckets have it; the last finite bound when it lies beyond, as
/// `histogram_quantile` has it. New pods are left out here too.
pub(super) fn latency_points(rows: &QuantileRows<'_>, slow: SlowShare) -> Points {
    let bounds = rows.bounds();
    let point = |tails: &Tails| {
        let all = tails.all();
        let place = (all > 0.0).then(|| Law::of(tails, bounds).quantile(slow.value()).place)?;
        bounds.get(place.bucket).or(bounds.last()).copied()
    };
    let each: Vec<Populations<Tails>> = (0..rows.intervals())
        .filter_map(|interval| rows.at(interval))
        .collect();
    Populations {
        control: each.iter().filter_map(|row| point(&row.control)).collect(),
        canary: each.iter().filter_map(|row| point(&row.canary)).collect(),
    }
}

/// The samples of a gauge.
pub(super) fn gauge_points(samples: impl Iterator<Item = GaugeSample>) -> Points {
    let mut points = Points::default();
    for sample in samples {
        points.control.extend(sample.control);
        points.canary.extend(sample.canary);
    }
    points
}

/// Concludes a check from Kayenta's class. `High` breaks a limit from above and `Low` one from
/// below; the check's ratio is the allowed increase or decrease of the means. An offset is ignored.
///
/// Source: docs/design/statistics.md, "3.4 Mann-Whitney as Kayenta does it".
pub(super) fn conclude(
    mut report: CheckReport,
    check: &Check,
    points: &Points,
    situation: Situation<'_>,
) -> CheckReport {
    if !situation.is_stage_over {
        return undecided(
            report,
            "the kayenta method looks once, at the end of the stage",
        );
    }
    let (parameters, breaks_high, breaks_low) = asked(check.limit);
    let judged = kayenta_classification(&points.canary, &points.control, &parameters);
    let (class, outcome, code, why) = match judged.class {
        RankClass::High if breaks_high => (
            KayentaClass::High,
            Outcome::Fail,
            ReasonCode::CheckFailed,
            "classified as high by kayenta's test".to_owned(),
        ),
        RankClass::Low if breaks_low => (
            KayentaClass::Low,
            Outcome::Fail,
            ReasonCode::CheckFailed,
            "classified as low by kayenta's test".to_owned(),
        ),
        RankClass::NoData(cause) => {
            let class = if cause.is_error() {
                KayentaClass::Error
            } else {
                KayentaClass::NoData
            };
            let why = cause.to_string();
            (class, Outcome::NoData, ReasonCode::NoData, why)
        }
        RankClass::High | RankClass::Low | RankClass::Pass => (
            KayentaClass::Pass,
            Outcome::Pass,
            ReasonCode::Passed,
            "passed kayenta's test".to_owned(),
        ),
    };
    report.kayenta = Some(KayentaOfCheck {
        class,
        is_critical_effect: is_critical_effect(class, judged.mean_ratio, situation),
    });
    report.outcome = outcome;
    report.reason_code = code;
    with_sentence(report, &why)
}

/// What a limit allows, whether it is broken by what is high, and whether by what is low.
fn asked(limit: Limit) -> (KayentaParameters, bool, bool) {
    let (allowed_increase, allowed_decrease, breaks_high, breaks_low) = match limit {
        Limit::AtMost { ratio, .. } => (ratio.unwrap_or(1.0), 1.0, true, false),
        Limit::AtLeast {
            ratio: Some(ratio), ..
        } => (1.0, ratio, false, true),
        Limit::AtLeast { ratio: None, .. } => (1.0, 1.0, true, false),
        Limit::Within { tolerance } => (1.0 + tolerance, 1.0 - tolerance, true, true),
    };
    let parameters = KayentaParameters {
        allowed_increase,
        allowed_decrease,
        ..KayentaParameters::default()
    };
    (parameters, breaks_high, breaks_low)
}

/// Whether the means differ by as much as makes a critical check's score 0. Where a mean is 0 the size is not asked.
fn is_critical_effect(
    class: KayentaClass,
    mean_ratio: Option<f64>,
    situation: Situation<'_>,
) -> bool {
    let settings = &situation.pipeline.analysis.kayenta;
    match class {
        KayentaClass::High => mean_ratio.is_none_or(|ratio| ratio >= settings.critical_increase),
        KayentaClass::Low => mean_ratio.is_none_or(|ratio| ratio <= settings.critical_decrease),
        KayentaClass::Pass
        | KayentaClass::NoData
        | KayentaClass::NoDataFailMetric
        | KayentaClass::Error => true,
    }
}
