//! What keeps a stage from its promotion, the worst first: a reason that begins with what is
//! missing hides what is wrong.
//!
//! Source: docs/design/statistics.md, "11. The verdict of a stage".

use crate::pipeline::Check;

use super::advice;
use super::evaluated::Situation;
use super::kayenta_score::takes_part;
use super::kill_switch::KillSwitch;
use super::model::{CheckReport, Outcome, ReasonCode};
use super::populations;
use super::silence;
use super::split::Mismatch;

/// The longest reason that two findings are told in, in characters.
const LONGEST_REASON: usize = 300;

/// How bad a finding is. The order is that in which they are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Severity {
    /// A limit is broken, but it may not roll back: the file says so, or the control breaks it too.
    Violated,
    /// Nothing is proven, and what was seen so far is on the bad side of the limit.
    Leaning,
    /// Something is missing: data, traffic, time, proof.
    Missing,
}

/// How much speaks against the canary: the evidence first, then how far it is beyond its limit.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Default)]
struct Weight {
    log_evidence: f64,
    times_the_limit: f64,
}

/// One thing that keeps a stage from its promotion.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Finding {
    pub(super) severity: Severity,
    pub(super) code: ReasonCode,
    pub(super) reason: String,
    /// The condition that it is about.
    about: String,
    weight: Weight,
}

impl Finding {
    /// What a report says.
    pub(super) fn of(severity: Severity, report: &CheckReport) -> Self {
        Self {
            severity,
            code: report.reason_code,
            reason: report.reason.clone(),
            about: report.condition.clone(),
            weight: Weight::default(),
        }
    }

    fn missing(code: ReasonCode, reason: String) -> Self {
        Self {
            severity: Severity::Missing,
            code,
            reason,
            about: String::new(),
            weight: Weight::default(),
        }
    }

    /// What Kayenta's score keeps the stage for.
    pub(super) fn of_the_score(code: ReasonCode, reason: &str) -> Self {
        let severity = match code {
            ReasonCode::CheckFailed => Severity::Violated,
            _ => Severity::Missing,
        };
        Self {
            severity,
            ..Self::missing(code, reason.to_owned())
        }
    }

    /// A check that is not decided: how it looks, and what it would take.
    pub(super) fn undecided(situation: Situation<'_>, check: &Check, report: &CheckReport) -> Self {
        let against = weight_against(check, report);
        let looks_bad = against.is_some();
        Self {
            severity: if looks_bad {
                Severity::Leaning
            } else {
                Severity::Missing
            },
            reason: advice::undecided(situation, check, report, looks_bad),
            weight: against.unwrap_or_default(),
            ..Self::of(Severity::Missing, report)
        }
    }
}

/// What speaks against an undecided canary; nothing when it looks as it should.
fn weight_against(check: &Check, report: &CheckReport) -> Option<Weight> {
    if report.reason_code != ReasonCode::Undecided {
        return None;
    }
    let evidence = report.evidence.as_ref();
    let log_evidence = evidence.map_or(0.0, |evidence| libm::log(evidence.rollback).max(0.0));
    let of = |arm: &Option<super::model::ArmReport>| arm.as_ref()?.estimate;
    let times_the_limit = of(&report.canary)
        .and_then(|canary| check.limit.times_the_limit(canary, of(&report.control)))
        .unwrap_or(0.0);
    (log_evidence > 0.0 || times_the_limit > 1.0).then_some(Weight {
        log_evidence,
        times_the_limit,
    })
}

/// Whether a promotion needs this check to have shown what it must.
pub(super) fn is_needed(report: &CheckReport) -> bool {
    report.counts && report.critical && !report.warn_only
}

/// Everything that keeps a stage from its promotion, in the order of the rules: what cannot be
/// seen, what does not fit, what is broken, what is not decided.
pub(super) fn findings(
    situation: Situation<'_>,
    checks: &[CheckReport],
    switches: &[KillSwitch],
    mismatch: Option<Mismatch>,
) -> Vec<Finding> {
    let needed: Vec<(&Check, &CheckReport)> = situation
        .stage
        .checks
        .iter()
        .zip(checks)
        .filter(|(_, report)| is_needed(report) && !takes_part(report))
        .collect();
    let mut found = Vec::new();
    if let Some((code, why)) = populations::wrong(situation.pipeline, situation.data) {
        found.push(Finding::missing(code, why));
    }
    for (_, report) in &needed {
        match (report.outcome, report.reason_code) {
            (Outcome::NoData, _) | (_, ReasonCode::PartialData) => {
                found.push(Finding::of(Severity::Missing, report));
            }
            _ => {}
        }
    }
    let of_the_score = checks.iter().filter(|report| takes_part(report));
    let partial = of_the_score.filter(|report| report.reason_code == ReasonCode::PartialData);
    found.extend(partial.map(|report| Finding::of(Severity::Missing, report)));
    for switch in switches {
        match switch {
            KillSwitch::Blind(report) => found.push(Finding::of(Severity::Missing, report)),
            KillSwitch::Environment(report) => {
                found.push(Finding::of(Severity::Violated, report));
            }
            KillSwitch::Fired(_) | KillSwitch::Quiet => {}
        }
    }
    found.extend(silent_metric(situation, &needed));
    found.extend(silent_metric(situation, &classified(situation, checks)));
    found.extend(
        mismatch.map(|mismatch| Finding::missing(ReasonCode::SplitMismatch, mismatch.sentence())),
    );
    for (check, report) in needed {
        match (report.outcome, report.reason_code) {
            (_, ReasonCode::PartialData) | (Outcome::NoData | Outcome::Pass, _) => {}
            (_, ReasonCode::Environment) => found.push(Finding::of(Severity::Violated, report)),
            (Outcome::Fail, _) => found.push(Finding {
                code: ReasonCode::CheckFailed,
                reason: format!("{}; it may hold but not roll back", report.reason),
                ..Finding::of(Severity::Violated, report)
            }),
            (Outcome::Undecided, _) => found.push(Finding::undecided(situation, check, report)),
        }
    }
    found
}

/// The checks of Kayenta's score that it has a class of.
fn classified<'a>(
    situation: Situation<'a>,
    checks: &'a [CheckReport],
) -> Vec<(&'a Check, &'a CheckReport)> {
    let all = situation.stage.checks.iter().zip(checks);
    let is_judged = |one: &CheckReport| matches!(one.outcome, Outcome::Pass | Outcome::Fail);
    all.filter(|(_, one)| takes_part(one) && is_judged(one))
        .collect()
}

/// Why the data of a needed check or a kill switch is not enough to go on, if it is not.
fn silent_metric(situation: Situation<'_>, needed: &[(&Check, &CheckReport)]) -> Option<Finding> {
    let checked = needed.iter().map(|(check, _)| *check);
    let switches = &situation.pipeline.kill_switch;
    let lag_seconds = situation.pipeline.analysis.lag_seconds;
    checked.chain(switches).find_map(|check| {
        let why = silence::silence(situation.data, lag_seconds, check)?;
        let reason = format!("{}: {why}", check.text);
        Some(Finding::missing(ReasonCode::NoData, reason))
    })
}

/// What is told of the findings: the worst, with its code, and behind something bad the next one
/// where there is room. Nothing when nothing was found.
pub(super) fn told(found: &[Finding]) -> Option<(ReasonCode, String)> {
    let mut ordered: Vec<&Finding> = found.iter().collect();
    // Of equals the first stays the first.
    ordered.sort_by(|one, other| {
        let by_weight = other.weight.partial_cmp(&one.weight);
        one.severity
            .cmp(&other.severity)
            .then(by_weight.unwrap_or(std::cmp::Ordering::Equal))
    });
    let (worst, others) = ordered.split_first()?;
    let mut reason = worst.reason.clone();
    let next = others.iter().find(|other| other.about != worst.about);
    if let (Some(next), Severity::Violated | Severity::Leaning) = (next, worst.severity) {
        let both = format!("{reason}; {}", next.reason);
        if both.chars().count() <= LONGEST_REASON {
            reason = both;
        }
    }
    Some((worst.code, reason))
}
