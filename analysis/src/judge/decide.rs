//! From the checks of a stage to its decision.
//!
//! What rolls back, rolls back. Else every finding that keeps the stage from its promotion is
//! gathered, and the worst one is told first: [`worst`](super::worst) has their order.

use std::fmt::Write;

use crate::pipeline::{OnInconclusive, SplitCheck};
use crate::proof::FEWEST_INTERVALS;
use crate::text;

use super::age::{Age, least_minutes};
use super::evaluated::Situation;
use super::kayenta_score::{Scored, scored};
use super::kill_switch::KillSwitch;
use super::levels::rolls_back_alone;
use super::model::{CheckReport, Outcome, ReasonCode, Verdict};
use super::seen;
use super::split::Mismatch;
use super::worst::{Finding, findings, is_needed, told};

/// What becomes of a stage, and why.
#[derive(Debug)]
pub(super) struct Decision {
    pub(super) verdict: Verdict,
    pub(super) code: ReasonCode,
    pub(super) reason: String,
    /// Whether the stage may end because its time is over. Not while anything but proof is
    /// missing, whatever is told first: without data nothing may happen by the clock alone.
    pub(super) may_end_by_clock: bool,
}

impl Decision {
    pub(super) fn hold(code: ReasonCode, reason: impl Into<String>) -> Self {
        Self {
            verdict: Verdict::Hold,
            code,
            reason: reason.into(),
            may_end_by_clock: ends_by_clock(code),
        }
    }
}

fn ends_by_clock(code: ReasonCode) -> bool {
    matches!(code, ReasonCode::Undecided | ReasonCode::WarmingUp)
}

/// Decides a stage: a rollback, a hold for the worst that was found, a hold because its time is not
/// over, or a promotion.
pub(super) fn decide(
    situation: Situation<'_>,
    checks: &[CheckReport],
    switches: &[KillSwitch],
    age: Age,
    mismatch: Option<Mismatch>,
) -> Decision {
    if let Some(decision) = rollback(checks, switches) {
        return decision;
    }
    let score = scored(situation, checks);
    if let Scored::Failed(reason) = score {
        return Decision {
            verdict: Verdict::Rollback,
            code: ReasonCode::CheckFailed,
            reason,
            may_end_by_clock: false,
        };
    }
    if situation.data.grid.intervals() == 0 {
        let reason = "the stage has only just started: no whole interval is over yet";
        return Decision::hold(ReasonCode::WarmingUp, reason);
    }
    let mismatch = match situation.pipeline.analysis.split_check {
        SplitCheck::Hold => mismatch,
        SplitCheck::Warn | SplitCheck::Off => None,
    };
    let mut found = findings(situation, checks, switches, mismatch);
    if let Scored::Held(code, reason) = &score {
        found.push(Finding::of_the_score(*code, reason));
    }
    if let Some((code, reason)) = told(&found) {
        return Decision {
            may_end_by_clock: found.iter().all(|finding| ends_by_clock(finding.code)),
            ..Decision::hold(code, reason)
        };
    }
    let may_promote = |report: &CheckReport| {
        report.counts && !report.warn_only && report.outcome == Outcome::Pass
    };
    if !checks.iter().any(may_promote) {
        return nothing_passed(situation, checks, age);
    }
    if let Some(decision) = too_early(situation, age) {
        return decision;
    }
    Decision {
        verdict: Verdict::Promote,
        code: ReasonCode::Passed,
        reason: promotion_reason(checks, &score),
        may_end_by_clock: false,
    }
}

/// All is shown, but the stage's time is not over.
fn too_early(situation: Situation<'_>, age: Age) -> Option<Decision> {
    let stage = situation.stage;
    if !age.is_over && !stage.promote_early {
        let reason = format!(
            "nothing is broken and all that is needed is shown; the stage lasts {}, {} are over",
            text::minutes(stage.duration_minutes),
            text::minutes(age.minutes)
        );
        return Some(Decision::hold(ReasonCode::WarmingUp, reason));
    }
    if age.has_the_least(stage, situation.data.grid) {
        return None;
    }
    let reason = format!(
        "no stage is promoted before {FEWEST_INTERVALS} intervals and {} are over",
        text::minutes(least_minutes(stage))
    );
    Some(Decision::hold(ReasonCode::WarmingUp, reason))
}

/// Why a stage may promote: what passed, and what did not have to.
fn promotion_reason(checks: &[CheckReport], score: &Scored) -> String {
    let count = |test: fn(&CheckReport) -> bool| checks.iter().filter(|one| test(one)).count();
    let passed = count(|report| report.counts && report.outcome == Outcome::Pass);
    let stopped = count(|report| !report.counts);
    let warns =
        count(|report| report.counts && report.warn_only && report.outcome == Outcome::Fail);
    let failed =
        count(|report| report.counts && !report.warn_only && report.outcome == Outcome::Fail);
    let open = checks.len() - passed - stopped - warns - failed;
    let all = text::counted(checks.len(), "check");
    let mut reason = match (passed == checks.len(), passed) {
        (true, 1) => format!("{all} passed"),
        (true, _) => format!("all {all} passed"),
        (false, _) => format!("{passed} of {all} passed"),
    };
    for (number, what) in [
        (stopped, "compare with a control, of which none is left"),
        (warns, "broken, but only to warn"),
        (failed, "broken, but neither critical nor to roll back"),
        (open, "not shown, but not critical"),
    ] {
        if number > 0 {
            let _ = write!(reason, "; {number} {what}");
        }
    }
    if let Scored::Passed(score) = score {
        let _ = write!(reason, "; Kayenta scores {}", text::exact(*score));
    }
    reason
}

/// A rollback with every reason, kill switches first.
pub(super) fn rollback(checks: &[CheckReport], switches: &[KillSwitch]) -> Option<Decision> {
    let fired: Vec<&str> = switches
        .iter()
        .filter_map(|switch| match switch {
            KillSwitch::Fired(report) => Some(report.reason.as_str()),
            _ => None,
        })
        .collect();
    let broken: Vec<&str> = checks
        .iter()
        .filter(|report| rolls_back_alone(report))
        .map(|report| report.reason.as_str())
        .collect();
    let code = if !fired.is_empty() {
        ReasonCode::KillSwitch
    } else if !broken.is_empty() {
        ReasonCode::CheckFailed
    } else {
        return None;
    };
    let reason = [fired, broken].concat().join("; ");
    Some(Decision {
        verdict: Verdict::Rollback,
        code,
        reason,
        may_end_by_clock: false,
    })
}

/// Nothing is broken, but nothing is shown either: never a promotion.
fn nothing_passed(situation: Situation<'_>, checks: &[CheckReport], age: Age) -> Decision {
    if !checks.iter().any(|report| report.counts) {
        return Decision::hold(
            ReasonCode::NoControl,
            "no check can be judged without a control; add an absolute one, such as \
             error_rate < 0.1%",
        );
    }
    let mut open = situation
        .stage
        .checks
        .iter()
        .zip(checks)
        .filter(|(_, report)| report.counts && report.outcome == Outcome::Undecided);
    open.next().map_or_else(
        || {
            let reason = format!("nothing is shown after {}", text::minutes(age.minutes));
            Decision::hold(ReasonCode::NoData, reason)
        },
        |(check, report)| {
            let finding = Finding::undecided(situation, check, report);
            Decision::hold(finding.code, finding.reason)
        },
    )
}

/// What becomes of a stage that is still held at its longest duration: what the pipeline says, and
/// what the stage could have seen at all.
pub(super) fn at_the_longest_duration(
    rule: OnInconclusive,
    situation: Situation<'_>,
    held: Decision,
    checks: &[CheckReport],
) -> Decision {
    if !held.may_end_by_clock {
        return held;
    }
    let stage = situation.stage;
    let unseen = seen::too_little(situation, checks);
    if let (Some(unseen), OnInconclusive::Promote | OnInconclusive::Rollback) = (unseen, rule) {
        return Decision {
            reason: format!("{unseen}; {}", held.reason),
            ..held
        };
    }
    let longest = text::minutes(stage.max_duration_minutes);
    let over = format!("after {longest} not all is shown{}", blindness(checks));
    let (verdict, reason) = match rule {
        // It stays what it was, so what it is held for comes first.
        OnInconclusive::Hold => (
            Verdict::Hold,
            format!("{}; on_inconclusive is hold: {over}", held.reason),
        ),
        OnInconclusive::Promote => (
            Verdict::Promote,
            format!(
                "on_inconclusive is promote (a business decision, not a statistical one): {over}; {}",
                held.reason
            ),
        ),
        OnInconclusive::Rollback => (
            Verdict::Rollback,
            format!("on_inconclusive is rollback: {over}; {}", held.reason),
        ),
    };
    Decision {
        verdict,
        reason,
        ..held
    }
}

/// `, and of error_rate only 2.4 x control would be seen`.
fn blindness(checks: &[CheckReport]) -> String {
    let open = checks
        .iter()
        .filter(|report| is_needed(report) && report.outcome == Outcome::Undecided);
    open.filter_map(|report| Some((report, report.detectable_ratio?)))
        .map(|(report, ratio)| {
            let ratio = text::digits(ratio);
            format!(
                ", and of {} only {ratio} x control would be seen",
                report.metric
            )
        })
        .next()
        .unwrap_or_default()
}
