//! From the checks of a stage to its verdict.

use std::fmt::Write;

use crate::interval::Confidence;
use crate::pipeline::{Method, OnInconclusive, Pipeline, Stage};

use super::check::{Levels, Situation, evaluate};
use super::kill_switch::{KillSwitch, watch};
use super::model::{
    CheckReport, MetricData, Outcome, ReasonCode, StageData, StageVerdict, Verdict, Warning,
};
use super::text;

/// Newest intervals without any data after which a metric counts as silent. Source: statistics
/// design, section 2, rule 8.
const SILENT_INTERVALS: usize = 5;
const MILLISECONDS_PER_MINUTE: f64 = 60_000.0;

/// Judges one stage from its data.
///
/// The rules are tried in order, the first that applies is the verdict: a kill switch fired, a
/// check is broken, data is missing, the environment is to blame, not everything is shown yet,
/// the stage's duration is not over, promote. A stage that reaches its longest duration undecided
/// ends as the pipeline says.
pub fn judge(pipeline: &Pipeline, stage: &Stage, data: &StageData) -> StageVerdict {
    let elapsed_minutes =
        (data.grid.end_ms() - data.grid.start_ms()) as f64 / MILLISECONDS_PER_MINUTE;
    let situation = Situation {
        pipeline,
        stage,
        data,
        is_stage_over: elapsed_minutes >= stage.duration_minutes,
    };
    let mut checks = evaluate_all(situation);
    let switches: Vec<KillSwitch> = pipeline
        .kill_switch
        .iter()
        .map(|switch| watch(switch, situation))
        .collect();
    let mut decision = decide(situation, &checks, &switches, elapsed_minutes);
    for switch in switches {
        if let KillSwitch::Fired(report)
        | KillSwitch::Environment(report)
        | KillSwitch::Blind(report) = switch
        {
            checks.push(report);
        }
    }
    if decision.verdict == Verdict::Hold && elapsed_minutes >= stage.max_duration_minutes {
        decision = at_the_longest_duration(pipeline.analysis.on_inconclusive, stage, decision);
    }
    StageVerdict {
        verdict: decision.verdict,
        reason_code: decision.code,
        reason: text::one_line(&decision.reason),
        progress: progress(pipeline, stage, elapsed_minutes),
        rollback_to_percent: rollback_to_percent(pipeline, stage),
        intervals: data.grid.intervals(),
        missing_intervals: missing_intervals(data),
        warnings: warnings(pipeline, data, &checks),
        checks,
    }
}

struct Decision {
    verdict: Verdict,
    code: ReasonCode,
    reason: String,
}

impl Decision {
    fn hold(code: ReasonCode, reason: impl Into<String>) -> Self {
        Self {
            verdict: Verdict::Hold,
            code,
            reason: reason.into(),
        }
    }
}

/// Evaluates every check with Holm's step-down: each check is asked at the level that its number
/// leaves of the whole, and once some are broken, the others at what these leave over. At the
/// first step this is Bonferroni's bound, so whether *any* check is broken is unchanged by the
/// later ones; they only name more culprits.
fn evaluate_all(situation: Situation<'_>) -> Vec<CheckReport> {
    let checks = &situation.stage.checks;
    let confidence = situation.pipeline.analysis.confidence;
    let Ok(compliance) = Confidence::new(confidence) else {
        return Vec::new();
    };
    let can_roll_back = checks
        .iter()
        .filter(|check| !check.warn_only)
        .count()
        .max(1);
    let mut broken = 0;
    loop {
        let share = can_roll_back.saturating_sub(broken).max(1) as f64;
        let violation = Confidence::new(1.0 - (1.0 - confidence) / share).unwrap_or(compliance);
        let levels = Levels {
            violation,
            compliance,
        };
        let reports: Vec<CheckReport> = checks
            .iter()
            .map(|check| evaluate(check, situation, levels))
            .collect();
        let now_broken = reports.iter().filter(|report| rolls_back(report)).count();
        if now_broken <= broken || now_broken >= can_roll_back {
            return reports;
        }
        broken = now_broken;
    }
}

fn rolls_back(report: &CheckReport) -> bool {
    report.counts && !report.warn_only && report.outcome == Outcome::Fail
}

fn decide(
    situation: Situation<'_>,
    checks: &[CheckReport],
    switches: &[KillSwitch],
    elapsed_minutes: f64,
) -> Decision {
    if let Some(decision) = rollback(checks, switches) {
        return decision;
    }
    if situation.data.grid.intervals() == 0 {
        let reason = "the stage has only just started: no whole interval is over yet";
        return Decision::hold(ReasonCode::WarmingUp, reason);
    }
    let needed = |report: &&CheckReport| report.counts && report.critical && !report.warn_only;
    let blind = switches.iter().find_map(|switch| match switch {
        KillSwitch::Blind(report) => Some(report),
        _ => None,
    });
    let without_data = checks
        .iter()
        .filter(needed)
        .find(|report| report.outcome == Outcome::NoData)
        .or(blind);
    if let Some(report) = without_data {
        return Decision::hold(report.reason_code, &report.reason);
    }
    if let Some(report) = checks
        .iter()
        .filter(needed)
        .find(|report| report.reason_code == ReasonCode::PartialData)
    {
        return Decision::hold(ReasonCode::PartialData, &report.reason);
    }
    if let Some(name) = silent_metric(situation.data) {
        let reason = format!("{name}: no data in the newest {SILENT_INTERVALS} intervals");
        return Decision::hold(ReasonCode::NoData, reason);
    }
    let environment = switches.iter().find_map(|switch| match switch {
        KillSwitch::Environment(report) => Some(report),
        _ => None,
    });
    let blamed = |report: &&CheckReport| report.reason_code == ReasonCode::Environment;
    if let Some(report) = checks.iter().filter(needed).find(blamed).or(environment) {
        return Decision::hold(ReasonCode::Environment, &report.reason);
    }
    if !checks
        .iter()
        .any(|report| report.counts && report.outcome == Outcome::Pass)
    {
        return nothing_passed(situation, checks, elapsed_minutes);
    }
    if let Some(report) = checks
        .iter()
        .filter(needed)
        .find(|report| report.outcome == Outcome::Undecided)
    {
        return undecided(situation, report);
    }
    let stage = situation.stage;
    if !situation.is_stage_over && !stage.promote_early {
        let reason = format!(
            "every check passes so far; the stage lasts {}, {} are over",
            text::minutes(stage.duration_minutes),
            text::minutes(elapsed_minutes)
        );
        return Decision::hold(ReasonCode::WarmingUp, reason);
    }
    let reason = promotion_reason(checks);
    Decision {
        verdict: Verdict::Promote,
        code: ReasonCode::Passed,
        reason,
    }
}

/// Why a stage may promote: what passed, and what did not have to.
fn promotion_reason(checks: &[CheckReport]) -> String {
    let passed = |report: &&CheckReport| report.counts && report.outcome == Outcome::Pass;
    let passed = checks.iter().filter(passed).count();
    let stopped = checks.iter().filter(|report| !report.counts).count();
    let open = checks.len() - passed - stopped;
    let mut reason = if passed == checks.len() {
        format!("all {passed} checks passed")
    } else {
        format!("{passed} of {} checks passed", checks.len())
    };
    if stopped > 0 {
        let _ = write!(
            reason,
            "; {stopped} compare with a control, of which none is left"
        );
    }
    if open > 0 {
        let _ = write!(reason, "; {open} open, but not critical");
    }
    reason
}

/// A rollback with every reason, kill switches first.
fn rollback(checks: &[CheckReport], switches: &[KillSwitch]) -> Option<Decision> {
    let fired: Vec<&str> = switches
        .iter()
        .filter_map(|switch| match switch {
            KillSwitch::Fired(report) => Some(report.reason.as_str()),
            _ => None,
        })
        .collect();
    let broken: Vec<&str> = checks
        .iter()
        .filter(|report| rolls_back(report))
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
    })
}

/// Nothing is broken, but nothing is shown either: never a promotion.
fn nothing_passed(
    situation: Situation<'_>,
    checks: &[CheckReport],
    elapsed_minutes: f64,
) -> Decision {
    if !checks.iter().any(|report| report.counts) {
        return Decision::hold(
            ReasonCode::NoControl,
            "no check can be judged without a control; add an absolute one, such as \
             error_rate < 0.1%",
        );
    }
    let open = checks
        .iter()
        .find(|report| report.counts && report.outcome == Outcome::Undecided);
    open.map_or_else(
        || {
            let reason = format!("nothing is shown after {}", text::minutes(elapsed_minutes));
            Decision::hold(ReasonCode::NoData, reason)
        },
        |report| undecided(situation, report),
    )
}

/// Holds for an undecided check, and says at once when the stage cannot decide in its time.
fn undecided(situation: Situation<'_>, report: &CheckReport) -> Decision {
    let start_ms = situation.data.grid.start_ms();
    let projected_at_ms = report
        .needs
        .as_ref()
        .and_then(|needs| needs.projected_at_ms);
    let needed_minutes =
        projected_at_ms.map(|at_ms| (at_ms - start_ms) as f64 / MILLISECONDS_PER_MINUTE);
    let longest = situation.stage.max_duration_minutes;
    let reason = match needed_minutes {
        Some(needed) if needed > longest => format!(
            "{}; at this traffic that takes {}, and the stage ends after {}",
            report.reason,
            text::minutes(needed),
            text::minutes(longest)
        ),
        _ => report.reason.clone(),
    };
    Decision::hold(report.reason_code, reason)
}

fn at_the_longest_duration(rule: OnInconclusive, stage: &Stage, held: Decision) -> Decision {
    // Without data nothing may happen by the clock alone.
    if !matches!(held.code, ReasonCode::Undecided | ReasonCode::WarmingUp) {
        return held;
    }
    let (verdict, rule) = match rule {
        OnInconclusive::Hold => return held,
        OnInconclusive::Promote => (Verdict::Promote, "promote"),
        OnInconclusive::Rollback => (Verdict::Rollback, "rollback"),
    };
    let longest = text::minutes(stage.max_duration_minutes);
    let reason = format!(
        "on_inconclusive is {rule}, and after {longest} not all is shown: {}",
        held.reason
    );
    Decision {
        verdict,
        code: held.code,
        reason,
    }
}

/// A metric whose newest intervals are empty although it had data before.
fn silent_metric(data: &StageData) -> Option<&str> {
    let intervals = data.grid.intervals();
    data.metrics.iter().find_map(|(name, metric)| {
        let covered = match metric {
            MetricData::Counts(counts) => counts
                .intervals
                .last()
                .map(|interval| interval.first + interval.length),
            MetricData::Histogram(histogram) => {
                histogram.spans.last().map(|(first, length)| first + length)
            }
            MetricData::Gauge(gauge) => gauge
                .intervals
                .iter()
                .rposition(|pair| pair.canary.is_some())
                .map(|at| at + 1),
            MetricData::Fault(_) => None,
        };
        covered
            .is_some_and(|covered| covered + SILENT_INTERVALS <= intervals)
            .then_some(name.as_str())
    })
}

fn missing_intervals(data: &StageData) -> usize {
    let missing = |metric: &MetricData| match metric {
        MetricData::Counts(counts) => counts.quality.missing_intervals,
        MetricData::Histogram(histogram) => histogram.quality.missing_intervals,
        MetricData::Gauge(gauge) => gauge.quality.missing_intervals,
        MetricData::Fault(_) => 0,
    };
    data.metrics.values().map(missing).max().unwrap_or(0)
}

fn progress(pipeline: &Pipeline, stage: &Stage, elapsed_minutes: f64) -> String {
    let position = pipeline
        .stages
        .iter()
        .position(|other| other.id == stage.id)
        .map_or(1, |at| at + 1);
    format!(
        "stage {position} of {}, {} of {} minutes",
        pipeline.stages.len(),
        text::digits(libm::floor(elapsed_minutes * 10.0) / 10.0),
        text::digits(stage.duration_minutes)
    )
}

/// The traffic of the last safe point before a stage: the last stage marked as a rollback point
/// where the pipeline marks any, else the stage before. Without one, no traffic.
fn rollback_to_percent(pipeline: &Pipeline, stage: &Stage) -> f64 {
    let before = pipeline
        .stages
        .iter()
        .take_while(|other| other.id != stage.id);
    let marks_points = pipeline.stages.iter().any(|other| other.rollback_point);
    before
        .filter(|other| other.rollback_point || !marks_points)
        .last()
        .map_or(0.0, |safe| safe.traffic_percent)
}

fn warnings(pipeline: &Pipeline, data: &StageData, checks: &[CheckReport]) -> Vec<Warning> {
    let mut warnings: Vec<Warning> = data
        .source_warnings
        .iter()
        .map(|(metric, message)| Warning {
            code: "partial_data",
            message: text::one_line(&format!("{metric}: {message}")),
        })
        .collect();
    for report in checks {
        if report.warn_only && report.outcome == Outcome::Fail {
            let message = format!("{} (warns only)", report.reason);
            warnings.push(Warning {
                code: "check_failed",
                message: text::one_line(&message),
            });
        }
    }
    if checks
        .iter()
        .any(|report| report.method != Method::Sequential)
        && !pipeline.stages.is_empty()
    {
        warnings.push(Warning {
            code: "single_look",
            message: "wilson and kayenta are valid for a single look at the data; polled, they \
                      roll back good releases more often than the confidence says"
                .to_owned(),
        });
    }
    warnings
}
