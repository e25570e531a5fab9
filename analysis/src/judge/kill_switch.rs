//! The kill switch: absolute limits watched in every stage on the newest data, which roll back
//! at once.

use crate::interval::Confidence;
use crate::pipeline::{Check, Comparison, Condition, MetricKind};
use crate::series::{ArmCount, PairedCounts, Populations};

use super::check::{Question, Situation, question, values_text};
use super::latency::WindowHistogram;
use super::limit::Shown;
use super::model::{CheckReport, MetricData, Outcome, ReasonCode};
use super::{gauge, text};
use crate::pipeline::Method;

/// The newest intervals that a kill switch looks at: five minutes of the usual 30 s.
const NEWEST_INTERVALS: usize = 10;
/// It is asked at every interval of a rollout of days, so its single looks must be very sure.
const CONFIDENCE: f64 = 0.999_99;

/// What a kill switch says.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum KillSwitch {
    /// It fires.
    Fired(CheckReport),
    /// The control is beyond it too.
    Environment(CheckReport),
    /// It cannot see: no data, which must not promote.
    Blind(CheckReport),
    /// It is quiet.
    Quiet,
}

/// Looks at one kill switch.
pub(super) fn watch(switch: &Check, situation: Situation<'_>) -> KillSwitch {
    let Some(question) = question(switch, situation.pipeline) else {
        return KillSwitch::Blind(report(
            switch,
            ReasonCode::NoData,
            "its metric is not defined",
        ));
    };
    let Ok(confidence) = Confidence::new(CONFIDENCE) else {
        return KillSwitch::Quiet;
    };
    let from = situation
        .data
        .grid
        .intervals()
        .saturating_sub(NEWEST_INTERVALS);
    match situation.data.metrics.get(&question.metric.name) {
        None => KillSwitch::Blind(report(
            switch,
            ReasonCode::NoData,
            "nothing was read for it",
        )),
        Some(MetricData::Fault(fault)) => {
            KillSwitch::Blind(report(switch, fault.code, &fault.message))
        }
        Some(MetricData::Gauge(values)) => {
            let beyond = gauge::newest_beyond(values, &switch.condition);
            let newest = values.intervals.iter().rev().find_map(|pair| pair.canary);
            let what = newest.map_or_else(String::new, |value| {
                format!("now {}", text::value(value, question.metric.dimension))
            });
            told(switch, beyond.canary, beyond.control, &what)
        }
        Some(MetricData::Counts(counts)) => {
            let totals = newest_totals(counts, from);
            let keeps = question_that_must_hold(&question);
            let shown = keeps.count_claims(totals).shown(confidence, confidence);
            let share = (totals.canary.exposure > 0.0)
                .then(|| totals.canary.events / totals.canary.exposure);
            let what = share.map_or_else(String::new, |share| {
                format!(
                    "{} of {} in the newest intervals",
                    text::value(share, question.metric.dimension),
                    text::count(totals.canary.exposure)
                )
            });
            told_by(switch, shown, &what)
        }
        Some(MetricData::Histogram(histogram)) => {
            let MetricKind::Quantile { quantile, .. } = question.metric.kind else {
                return KillSwitch::Quiet;
            };
            let window = WindowHistogram::since(histogram, from);
            let keeps = question_that_must_hold(&question);
            let Ok(claims) = window.claims(&keeps.condition, quantile, 1.0) else {
                return KillSwitch::Quiet;
            };
            let mut seen = report(switch, ReasonCode::KillSwitch, "");
            seen.canary = window.reports(quantile, confidence).canary;
            let what = values_text(&seen, question.metric.dimension);
            told_by(switch, claims.shown(confidence, confidence), &what)
        }
    }
}

/// The kill switch says what must not be, a check what must: `error_rate > 5%` becomes
/// `error_rate <= 5%`, and firing is that being broken.
fn question_that_must_hold<'a>(question: &Question<'a>) -> Question<'a> {
    let condition = match question.condition {
        Condition::Absolute { comparison, limit } => {
            let comparison = match comparison {
                Comparison::Greater => Comparison::LessOrEqual,
                Comparison::GreaterOrEqual => Comparison::Less,
                Comparison::Less => Comparison::GreaterOrEqual,
                Comparison::LessOrEqual => Comparison::Greater,
            };
            Condition::Absolute { comparison, limit }
        }
        other => other,
    };
    question.with_condition(condition)
}

fn newest_totals(counts: &PairedCounts, from: usize) -> Populations<ArmCount> {
    let newest = counts
        .intervals
        .iter()
        .filter(|interval| interval.first >= from);
    PairedCounts {
        intervals: newest.copied().collect(),
        quality: counts.quality,
    }
    .totals()
}

fn told_by(switch: &Check, shown: Shown, what: &str) -> KillSwitch {
    told(
        switch,
        shown != Shown::Kept && shown != Shown::Open,
        shown == Shown::BothViolated,
        what,
    )
}

fn told(switch: &Check, canary_beyond: bool, control_beyond: bool, what: &str) -> KillSwitch {
    match (canary_beyond, control_beyond) {
        (false, _) => KillSwitch::Quiet,
        (true, false) => KillSwitch::Fired(report(
            switch,
            ReasonCode::KillSwitch,
            &format!("the kill switch fired, {what}"),
        )),
        (true, true) => KillSwitch::Environment(report(
            switch,
            ReasonCode::Environment,
            &format!("control and canary are both beyond the kill switch, {what}"),
        )),
    }
}

fn report(switch: &Check, code: ReasonCode, why: &str) -> CheckReport {
    CheckReport {
        metric: switch.metric.clone(),
        condition: switch.text.clone(),
        outcome: match code {
            ReasonCode::KillSwitch => Outcome::Fail,
            ReasonCode::Environment => Outcome::Undecided,
            _ => Outcome::NoData,
        },
        method: Method::Wilson,
        reason_code: code,
        reason: text::one_line(&format!("{}: {why}", switch.text)),
        critical: true,
        warn_only: false,
        counts: true,
        control: None,
        canary: None,
        ratio: None,
        wilson: None,
        needs: None,
    }
}
