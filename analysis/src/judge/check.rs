//! One check: from its metric's data to an outcome, with the numbers that explain it.

use crate::data::MetricData;
use crate::pipeline::Check;

use super::conclude::{empty_report, with_sentence, without_data};
use super::counts::{self, Looked};
use super::evaluated::Situation;
use super::limit::Levels;
use super::model::{CheckReport, Outcome, ReasonCode};
use super::{absence, gauge, populations, quantile};

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
        && matches!(
            found,
            Some(MetricData::Counts(_) | MetricData::Histogram(_) | MetricData::Gauge(_))
        )
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
        Some(MetricData::Gauge(values)) => gauge::look(report, check, values, situation, levels),
    }
}
