//! Kayenta's score of a stage: its checks together decide, none of them alone.
//!
//! What has no data never acts: where Kayenta answers 0 for want of data, the stage holds and is told so.
//!
//! Source: docs/design/statistics.md, "3.4 Mann-Whitney as Kayenta does it".

use crate::pipeline::{Check, Exposure, KayentaSettings, Method, MetricKind};
use crate::rank::{
    KayentaClass, KayentaResult, ScoreAnswer, ScoreBasis, ScoreLimits, kayenta_score,
};
use crate::text;

use super::evaluated::Situation;
use super::model::{CheckReport, Outcome, ReasonCode};

/// What the score of a stage makes of it.
#[derive(Debug)]
pub(super) enum Scored {
    /// No check that takes part is judged so.
    Nothing,
    /// It rolls back, with the reason.
    Failed(String),
    /// It keeps the stage from its promotion.
    Held(ReasonCode, String),
    /// It lets the stage pass.
    Passed(f64),
}

/// Whether a check takes part in the score: one that only warns does not.
pub(super) fn takes_part(report: &CheckReport) -> bool {
    report.method == Method::Kayenta && report.counts && !report.warn_only
}

/// What Kayenta's score makes of the stage.
pub(super) fn scored(situation: Situation<'_>, checks: &[CheckReport]) -> Scored {
    let all = situation.stage.checks.iter().zip(checks);
    let parts: Vec<(&Check, &CheckReport)> = all.filter(|(_, one)| takes_part(one)).collect();
    if parts.is_empty() {
        return Scored::Nothing;
    }
    if !situation.is_stage_over {
        let why = "the kayenta method looks once, at the end of the stage";
        return Scored::Held(ReasonCode::Undecided, why.to_owned());
    }
    let settings = &situation.pipeline.analysis.kayenta;
    let results: Vec<KayentaResult> = parts.iter().map(result_of).collect();
    let score = kayenta_score(&results, &settings.groups);
    let reports: Vec<&CheckReport> = parts.iter().map(|(_, report)| *report).collect();
    if score.basis == ScoreBasis::NoData {
        return without_data(&reports);
    }
    let limits = limits_of(settings);
    let number = text::exact(score.value);
    let why = because(&reports);
    match limits.answer(score.value, true) {
        ScoreAnswer::Promote => Scored::Passed(score.value),
        ScoreAnswer::Hold => Scored::Held(
            ReasonCode::Undecided,
            format!(
                "Kayenta scores {number}, which is marginal: above {} and below {}{why}",
                settings.marginal, settings.pass
            ),
        ),
        ScoreAnswer::Rollback => {
            let reason = format!(
                "Kayenta scores {number}, at most {}{why}",
                settings.marginal
            );
            let forgiven: Vec<KayentaResult> = parts.iter().map(forgiven).collect();
            let without = kayenta_score(&forgiven, &settings.groups);
            if limits.answer(without.value, true) == ScoreAnswer::Rollback {
                return Scored::Failed(reason);
            }
            let reason = format!("{reason}; it may hold but not roll back");
            Scored::Held(ReasonCode::CheckFailed, reason)
        }
    }
}

fn limits_of(settings: &KayentaSettings) -> ScoreLimits {
    ScoreLimits {
        pass: settings.pass,
        marginal: settings.marginal,
    }
}

/// What a check counts as. A report that the test has never seen is one of missing data.
fn result_of((check, report): &(&Check, &CheckReport)) -> KayentaResult {
    let (class, is_beyond) = report.kayenta.map_or((KayentaClass::NoData, true), |one| {
        (one.class, one.is_critical_effect)
    });
    KayentaResult {
        groups: vec![group_of(check).to_owned()],
        class,
        is_critical: check.critical && is_beyond,
    }
}

/// The same where a check that by the file may not roll back is taken for passed.
fn forgiven(part: &(&Check, &CheckReport)) -> KayentaResult {
    let result = result_of(part);
    if part.0.may_roll_back {
        return result;
    }
    KayentaResult {
        class: KayentaClass::Pass,
        ..result
    }
}

/// The group of a check: what the file says, else by its metric.
fn group_of(check: &Check) -> &str {
    if let Some(group) = &check.group {
        return group;
    }
    match check.measured.kind {
        MetricKind::Proportion { .. }
        | MetricKind::EventRate {
            per: Exposure::PodHours,
            ..
        } => "errors",
        MetricKind::Quantile { .. } => "latency",
        MetricKind::EventRate {
            per: Exposure::TrafficShare,
            ..
        }
        | MetricKind::Gauge { .. }
        | MetricKind::PerRequest { .. } => "saturation",
    }
}

/// What Kayenta would fail for want of data, and here holds.
fn without_data(reports: &[&CheckReport]) -> Scored {
    let is_without = |one: &&&CheckReport| {
        one.kayenta
            .is_none_or(|one| one.class == KayentaClass::NoData)
    };
    let without: Vec<&&CheckReport> = reports.iter().filter(is_without).collect();
    let first = without.first();
    // A source that fails has a word of its own; a side without values has none.
    let code = first
        .map(|one| one.reason_code)
        .filter(|code| !matches!(code, ReasonCode::NoControl | ReasonCode::Undecided))
        .unwrap_or(ReasonCode::NoData);
    let why = first.map_or_else(String::new, |one| format!("; {}", one.reason));
    let reason = format!(
        "Kayenta scores 0, which fails, because {} of {} have no data{why}",
        without.len(),
        text::counted(reports.len(), "check")
    );
    Scored::Held(code, reason)
}

/// `: load < baseline * 1.2: classified as high by kayenta's test; ..`, those that count against it.
fn because(reports: &[&CheckReport]) -> String {
    let bad = reports
        .iter()
        .filter(|one| one.outcome == Outcome::Fail)
        .map(|one| one.reason.as_str());
    let bad: Vec<&str> = bad.collect();
    if bad.is_empty() {
        return String::new();
    }
    format!(": {}", bad.join("; "))
}
