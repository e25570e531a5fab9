//! The kill switch: absolute limits watched in every stage on the newest data, which roll back
//! at once.

use crate::interval::Confidence;
use crate::pipeline::{Check, Method, MetricKind};
use crate::series::{PairedCounts, PairedGauge, PairedHistogram};

use super::check::Situation;
use super::conclude::{empty_report, values_text, with_sentence};
use super::gauge::{self, Newest};
use super::latency::Latency;
use super::limit::{Claim, Claims, Levels, Shown, estimate};
use super::model::{CheckReport, MetricData, Outcome, ReasonCode};
use super::question::Question;
use super::text;
use super::warm_up::LookedAt;

/// The newest intervals that a kill switch looks at: five minutes of the usual 30 s.
const NEWEST_INTERVALS: usize = 10;
/// It is asked at every interval of a rollout of days, so its single looks must be very sure.
const CONFIDENCE: f64 = 0.999_99;

/// What a kill switch says.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum KillSwitch {
    /// It fires.
    Fired(CheckReport),
    /// It would fire, but the control is beyond it too.
    Environment(CheckReport),
    /// It cannot see: no data, which must not promote.
    Blind(CheckReport),
    /// It is quiet.
    Quiet,
}

/// Looks at one kill switch.
pub(super) fn watch(switch: &Check, situation: Situation<'_>) -> KillSwitch {
    let Some(question) = Question::of_kill_switch(switch, situation.pipeline) else {
        return blind(switch, ReasonCode::NoData, "its metric is not defined");
    };
    if question.is_relative() && situation.stage.traffic_percent >= 100.0 {
        // An impact compares with a control, of which none is left.
        return KillSwitch::Quiet;
    }
    let name = &question.metric.name;
    if let Some(warning) = situation.data.source_warnings.get(name) {
        let why = format!("the source says its data is partial: {warning}");
        return blind(switch, ReasonCode::PartialData, &why);
    }
    match situation.data.metrics.get(name) {
        None => blind(
            switch,
            ReasonCode::NoData,
            "nothing was read for its metric",
        ),
        Some(MetricData::Fault(fault)) => blind(switch, fault.code, &fault.message),
        Some(MetricData::Gauge(values)) => on_gauge(switch, &question, values),
        Some(MetricData::Counts(counts)) => on_counts(switch, &question, counts, situation),
        Some(MetricData::Histogram(histogram)) => {
            on_histogram(switch, &question, histogram, situation)
        }
    }
}

fn first_of_the_newest(situation: Situation<'_>) -> usize {
    situation
        .data
        .grid
        .intervals()
        .saturating_sub(NEWEST_INTERVALS)
}

fn on_gauge(switch: &Check, question: &Question<'_>, values: &PairedGauge) -> KillSwitch {
    let newest = gauge::newest(values, question.violation(), question.is_inclusive());
    let now = values.intervals.iter().rev().find_map(|pair| pair.canary);
    let what = now.map_or_else(String::new, |value| {
        format!("now {}", text::value(value, question.dimension()))
    });
    match (newest.canary, newest.control) {
        (Newest::Unknown, _) => blind(
            switch,
            ReasonCode::NoData,
            "the canary has no value in the newest intervals",
        ),
        (Newest::Within, _) => KillSwitch::Quiet,
        (Newest::Beyond, Newest::Beyond) => environment(switch, &what),
        (Newest::Beyond, _) => fired(switch, &what),
    }
}

fn on_counts(
    switch: &Check,
    question: &Question<'_>,
    counts: &PairedCounts,
    situation: Situation<'_>,
) -> KillSwitch {
    let from = first_of_the_newest(situation);
    let is_newest = |first: usize, length: usize| first + length > from;
    let newest: Vec<_> = counts
        .intervals
        .iter()
        .filter(|interval| is_newest(interval.first, interval.length))
        .copied()
        .collect();
    if counts.totals().canary.exposure <= 0.0 {
        return blind(
            switch,
            ReasonCode::NoData,
            "the canary had no traffic in the window",
        );
    }
    let newest = PairedCounts {
        intervals: newest,
        quality: counts.quality,
    };
    let totals = super::check::totals(&newest, question.is_relative());
    let violation = Some(Claim {
        limit: question.violation(),
        totals,
    });
    let claims = Claims {
        scale: question.scale(),
        violation,
        compliance: None,
    };
    let what = estimate(totals.canary).map_or_else(String::new, |value| {
        format!(
            "{} of {} in the newest intervals",
            text::value(value, question.dimension()),
            text::count(totals.canary.exposure)
        )
    });
    told(switch, &claims, &what)
}

fn on_histogram(
    switch: &Check,
    question: &Question<'_>,
    histogram: &PairedHistogram,
    situation: Situation<'_>,
) -> KillSwitch {
    let MetricKind::Quantile { quantile, .. } = question.metric.kind else {
        return blind(
            switch,
            ReasonCode::NoData,
            "its data is a histogram, it is not",
        );
    };
    let whole = Latency::new(histogram, quantile, LookedAt::from_interval(0));
    if whole.totals().canary <= 0.0 {
        return blind(
            switch,
            ReasonCode::NoData,
            "the canary had no traffic in the window",
        );
    }
    let latency = Latency::new(
        histogram,
        quantile,
        LookedAt::from_interval(first_of_the_newest(situation)),
    );
    let limits = match latency.limits(&question.condition, None) {
        Ok(limits) if limits.can_be_broken() => limits,
        Ok(_) => {
            let why = "it lies beyond the last bucket and could never fire; lower it, or add \
                       buckets";
            return blind(switch, ReasonCode::NoData, why);
        }
        Err(why) => return blind(switch, ReasonCode::NoData, &why),
    };
    let mut seen = empty_report(switch, Method::Wilson, true);
    if let Some(levels) = levels() {
        seen.canary = latency.reports(levels.compliance).canary;
    }
    let what = values_text(&seen, question.dimension());
    told(switch, &latency.claims(&limits), &what)
}

fn levels() -> Option<Levels> {
    let confidence = Confidence::new(CONFIDENCE).ok()?;
    Some(Levels {
        violation: confidence,
        compliance: confidence,
    })
}

fn told(switch: &Check, claims: &Claims, what: &str) -> KillSwitch {
    match levels().map(|levels| claims.shown(levels)) {
        Some(Shown::Violated) => fired(switch, what),
        Some(Shown::BothViolated) => environment(switch, what),
        _ => KillSwitch::Quiet,
    }
}

fn fired(switch: &Check, what: &str) -> KillSwitch {
    let why = format!("the kill switch fired, {what}");
    KillSwitch::Fired(report(switch, Outcome::Fail, ReasonCode::KillSwitch, &why))
}

fn environment(switch: &Check, what: &str) -> KillSwitch {
    let why = format!("canary and control are both beyond the kill switch, {what}");
    KillSwitch::Environment(report(
        switch,
        Outcome::Undecided,
        ReasonCode::Environment,
        &why,
    ))
}

fn blind(switch: &Check, code: ReasonCode, why: &str) -> KillSwitch {
    let why = format!("the kill switch cannot see: {why}");
    KillSwitch::Blind(report(switch, Outcome::NoData, code, &why))
}

fn report(switch: &Check, outcome: Outcome, code: ReasonCode, why: &str) -> CheckReport {
    let mut report = empty_report(switch, Method::Wilson, true);
    report.outcome = outcome;
    report.reason_code = code;
    with_sentence(report, why)
}
