//! What was shown of a check, as outcome, code and a sentence for a tired engineer.

use crate::pipeline::{Check, Dimension, Limit, Method};

use super::limit::{Shown, times_control};
use super::model::{ArmReport, CheckReport, Outcome, ReasonCode};
use super::pods;
use crate::text;

/// A report before anything is known.
pub(super) fn empty_report(check: &Check, method: Method, may_roll_back: bool) -> CheckReport {
    CheckReport {
        metric: check.metric.clone(),
        condition: check.text.clone(),
        outcome: Outcome::NoData,
        method,
        reason_code: ReasonCode::NoData,
        reason: String::new(),
        critical: check.critical,
        warn_only: check.warn_only,
        may_roll_back,
        counts: true,
        control: None,
        canary: None,
        ratio: None,
        compared: None,
        wilson: None,
        evidence: None,
        spread: None,
        standing_out: Vec::new(),
        kayenta: None,
        needs: None,
        detectable_ratio: None,
    }
}

/// Sets a report's sentence.
pub(super) fn with_sentence(mut report: CheckReport, rest: &str) -> CheckReport {
    report.reason = text::one_line(&format!("{}: {rest}", report.condition));
    report
}

/// A report of nothing to judge.
pub(super) fn without_data(mut report: CheckReport, code: ReasonCode, why: &str) -> CheckReport {
    report.outcome = Outcome::NoData;
    report.reason_code = code;
    with_sentence(report, why)
}

/// A report of data that does not decide.
pub(super) fn undecided(mut report: CheckReport, why: &str) -> CheckReport {
    report.outcome = Outcome::Undecided;
    report.reason_code = ReasonCode::Undecided;
    with_sentence(report, why)
}

/// Concludes a report from what was shown.
pub(super) fn conclude(mut report: CheckReport, check: &Check, shown: Shown) -> CheckReport {
    let values = values_text(&report, check.measured.dimension);
    let (outcome, code, why) = match shown {
        Shown::Kept => (Outcome::Pass, ReasonCode::Passed, kept(check, &values)),
        Shown::Violated => (
            Outcome::Fail,
            ReasonCode::CheckFailed,
            format!("broken, {values}"),
        ),
        Shown::BothViolated => (
            Outcome::Undecided,
            ReasonCode::Environment,
            format!("the control breaks it too, {values}; the environment is to blame"),
        ),
        Shown::ControlViolated => (
            Outcome::Undecided,
            ReasonCode::Environment,
            format!(
                "not decided, but the control breaks it, {values}; the environment is to blame"
            ),
        ),
        Shown::Open => (
            Outcome::Undecided,
            ReasonCode::Undecided,
            format!("undecided, {values}"),
        ),
    };
    report.outcome = outcome;
    report.reason_code = code;
    with_sentence(report, &why)
}

/// Says exactly what was shown, which for a relative limit is a wider one than the check's.
fn kept(check: &Check, values: &str) -> String {
    match check.promotion_limit {
        Limit::AtMost {
            ratio: Some(ratio),
            offset,
        } => {
            let line = times_control(ratio, offset, check.measured.dimension);
            format!("not broken, and shown to stay below {line}; {values}")
        }
        Limit::AtLeast {
            ratio: Some(ratio),
            offset,
        } => {
            let line = times_control(ratio, offset, check.measured.dimension);
            format!("not broken, and shown to stay above {line}; {values}")
        }
        Limit::AtMost { ratio: None, .. }
        | Limit::AtLeast { ratio: None, .. }
        | Limit::Within { .. } => format!("shown, {values}"),
    }
}

/// `canary 0.26 % [0.07 %, 0.94 %], control 0.2 % [0.18 %, 0.22 %]`.
pub(super) fn values_text(report: &CheckReport, dimension: Dimension) -> String {
    let arm = |name: &str, arm: &Option<ArmReport>| {
        let arm = arm.as_ref()?;
        let estimate = arm.estimate.map_or_else(
            || "beyond the last bucket".to_owned(),
            |estimate| text::value(estimate, dimension),
        );
        let interval = arm.interval.map_or_else(String::new, |interval| {
            format!(" {}", text::interval(interval, dimension))
        });
        Some(format!("{name} {estimate}{interval}"))
    };
    let arms = [
        arm("canary", &report.canary),
        arm("control", &report.control),
    ];
    let arms = arms.into_iter().flatten().collect::<Vec<_>>().join(", ");
    let all = [
        Some(arms),
        report.compared.clone(),
        pods::standing_out(report),
    ];
    all.into_iter().flatten().collect::<Vec<_>>().join("; ")
}
