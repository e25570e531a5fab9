//! From the checks of a stage to its verdict.

use std::fmt::Write;

use crate::pipeline::{Dimension, OnInconclusive, Pipeline, SplitCheck, Stage};
use crate::sequential::{ErrorRate, FEWEST_STAGE_INTERVALS};

use super::check::Situation;
use super::error_budget;
use super::evidence::Budget;
use super::kill_switch::{KillSwitch, watch};
use super::levels::{evaluate_all, rolls_back};
use super::model::{
    CheckReport, NeedsReport, Outcome, ReasonCode, StageVerdict, Verdict, Warning, WarningCode,
};
use super::split::{self, Mismatch};
use super::{silence, warm_up, watching};
use crate::data::{History, MetricData, Purpose, StageData};
use crate::series::Grid;
use crate::text;

pub(crate) const MILLISECONDS_PER_MINUTE: f64 = 60_000.0;
/// No stage promotes before [`FEWEST_STAGE_INTERVALS`], nor before this time unless it is shorter. Source:
/// docs/design/statistics.md, "11. The verdict of a stage".
pub(crate) const LEAST_MINUTES: f64 = 5.0;
/// Starts of a regression beyond this many intervals gain nothing and cost time.
const LONGEST_INTERVALS: usize = 960;

/// Judges one stage from its data.
///
/// The rules are tried in order, the first that applies is the verdict: a kill switch fired, a
/// check is broken, data is missing, the traffic is not split as it should be, the environment is
/// to blame, not everything is shown yet, the stage's duration is not over, promote. A stage that reaches its longest duration undecided
/// ends as the pipeline says. Last, the pipeline's error budget may hold a promotion.
///
/// What the data was read for says whether all of that is asked: see [`Purpose`].
pub fn judge(pipeline: &Pipeline, stage: &Stage, data: &StageData) -> StageVerdict {
    let age = Age::of(stage, data);
    let left_out = warm_up::left_out(stage, data);
    let situation = Situation {
        pipeline,
        stage,
        data,
        is_stage_over: age.is_over,
        warm_up_intervals: warm_up::warm_up_intervals(stage, data),
        left_out: &left_out,
        stage_intervals: stage_intervals(stage, data),
        budget: budget(pipeline, stage, data),
    };
    let mut checks = match data.purpose {
        Purpose::Decide | Purpose::AfterPassing => evaluate_all(situation),
        Purpose::KillSwitches => Vec::new(),
    };
    let switches: Vec<KillSwitch> = pipeline
        .kill_switch
        .iter()
        .map(|switch| watch(switch, situation))
        .collect();
    let mismatch = match pipeline.analysis.split_check {
        SplitCheck::Off => None,
        SplitCheck::Hold | SplitCheck::Warn => split::mismatch(situation),
    };
    let mut decision = match data.purpose {
        Purpose::Decide => decide(situation, &checks, &switches, age, mismatch),
        Purpose::AfterPassing => watching::after_passing(&checks, &switches),
        Purpose::KillSwitches => watching::too_old(situation, &switches),
    };
    for switch in switches {
        if let KillSwitch::Fired(report)
        | KillSwitch::Environment(report)
        | KillSwitch::Blind(report) = switch
        {
            checks.push(report);
        }
    }
    let is_decided_here = data.purpose == Purpose::Decide;
    if is_decided_here
        && decision.verdict == Verdict::Hold
        && age.minutes >= stage.max_duration_minutes
    {
        let rule = pipeline.analysis.on_inconclusive;
        decision = at_the_longest_duration(rule, stage, decision, &checks);
    }
    let mut warnings = warnings(pipeline, data, &checks);
    if decision.code != ReasonCode::SplitMismatch {
        warnings.extend(mismatch.map(|mismatch| Warning {
            code: WarningCode::SplitMismatch,
            message: split_sentence(mismatch),
        }));
    }
    let verdict = StageVerdict {
        verdict: decision.verdict,
        reason_code: decision.code,
        reason: text::one_line(&decision.reason),
        progress: match data.purpose {
            Purpose::Decide | Purpose::AfterPassing => progress(pipeline, stage, age.minutes),
            Purpose::KillSwitches => watching::progress(pipeline, stage),
        },
        rollback_to_percent: rollback_to_percent(pipeline, stage),
        intervals: data.grid.intervals(),
        missing_intervals: missing_intervals(data),
        warnings,
        checks,
    };
    if is_decided_here {
        error_budget::guarded(verdict, pipeline, stage, data)
    } else {
        verdict
    }
}

/// Whether a stage that began at a moment is over at the end of a grid: the same rule that lets the
/// judge promote it.
pub fn is_stage_over(stage: &Stage, grid: Grid) -> bool {
    Age::since(grid.start_ms(), stage, grid).is_over
}

/// How old the stage is.
#[derive(Debug, Clone, Copy)]
struct Age {
    minutes: f64,
    is_over: bool,
}

impl Age {
    /// From the window's start, or from the canary's first traffic where the caller did not say
    /// when the stage began. The youngest interval is still within the lag, so a stage is over one
    /// interval before the grid reaches its end.
    fn of(stage: &Stage, data: &StageData) -> Self {
        let grid = data.grid;
        let first = if data.starts_with_stage {
            0
        } else {
            let first = silence::first_canary_interval(data).unwrap_or(grid.intervals());
            // The canary's first request need not fall into the window's first interval.
            if first <= FEWEST_STAGE_INTERVALS {
                0
            } else {
                first
            }
        };
        Self::since(grid.boundary_ms(first), stage, grid)
    }

    fn since(start_ms: i64, stage: &Stage, grid: Grid) -> Self {
        let elapsed_ms = grid.end_ms() - start_ms;
        let minutes = |milliseconds: i64| milliseconds as f64 / MILLISECONDS_PER_MINUTE;
        Self {
            minutes: minutes(elapsed_ms),
            is_over: minutes(elapsed_ms + grid.interval_ms()) >= stage.duration_minutes,
        }
    }
}

/// What the sequential method may spend in this stage. The accepted false rollbacks are those of
/// the whole rollout: a stage that is judged on its own gets its part of them.
pub(crate) fn budget(pipeline: &Pipeline, stage: &Stage, data: &StageData) -> Budget {
    let settings = &pipeline.analysis;
    let stages = pipeline.stages.len().max(1) as f64;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "clamped"
    )]
    let longest_intervals =
        libm::ceil(stage_intervals(stage, data)).clamp(1.0, LONGEST_INTERVALS as f64) as usize;
    Budget {
        longest_intervals,
        rollback: ErrorRate::new(settings.false_rollback / stages).unwrap_or(ErrorRate::ROLLBACK),
        promotion: ErrorRate::new(settings.false_promote).unwrap_or(ErrorRate::PROMOTION),
    }
}

/// Intervals of the stage's longest duration.
fn stage_intervals(stage: &Stage, data: &StageData) -> f64 {
    stage.max_duration_minutes * MILLISECONDS_PER_MINUTE / data.grid.interval_ms() as f64
}

#[derive(Debug)]
pub(super) struct Decision {
    pub(super) verdict: Verdict,
    pub(super) code: ReasonCode,
    pub(super) reason: String,
}

impl Decision {
    pub(super) fn hold(code: ReasonCode, reason: impl Into<String>) -> Self {
        Self {
            verdict: Verdict::Hold,
            code,
            reason: reason.into(),
        }
    }
}

fn decide(
    situation: Situation<'_>,
    checks: &[CheckReport],
    switches: &[KillSwitch],
    age: Age,
    mismatch: Option<Mismatch>,
) -> Decision {
    if let Some(decision) = rollback(checks, switches) {
        return decision;
    }
    if situation.data.grid.intervals() == 0 {
        let reason = "the stage has only just started: no whole interval is over yet";
        return Decision::hold(ReasonCode::WarmingUp, reason);
    }
    let needed: Vec<&CheckReport> = checks.iter().filter(|report| is_needed(report)).collect();
    let blind = switches.iter().find_map(|switch| match switch {
        KillSwitch::Blind(report) => Some(report),
        _ => None,
    });
    let with_outcome = |outcome| {
        needed
            .iter()
            .copied()
            .find(|report| report.outcome == outcome)
    };
    let with_code = |code| {
        needed
            .iter()
            .copied()
            .find(|report| report.reason_code == code)
    };
    if let Some(report) = with_outcome(Outcome::NoData).or(blind) {
        return Decision::hold(report.reason_code, &report.reason);
    }
    if let Some(report) = with_code(ReasonCode::PartialData) {
        return Decision::hold(ReasonCode::PartialData, &report.reason);
    }
    if let Some(reason) = silent_metric(situation, &needed) {
        return Decision::hold(ReasonCode::NoData, reason);
    }
    if let (Some(mismatch), SplitCheck::Hold) = (mismatch, situation.pipeline.analysis.split_check)
    {
        return Decision::hold(ReasonCode::SplitMismatch, split_sentence(mismatch));
    }
    let environment = switches.iter().find_map(|switch| match switch {
        KillSwitch::Environment(report) => Some(report),
        _ => None,
    });
    if let Some(report) = with_code(ReasonCode::Environment).or(environment) {
        return Decision::hold(ReasonCode::Environment, &report.reason);
    }
    if let Some(report) = with_outcome(Outcome::Fail) {
        let reason = format!("{}; it may hold but not roll back", report.reason);
        return Decision::hold(ReasonCode::CheckFailed, reason);
    }
    let may_promote = |report: &CheckReport| {
        report.counts && !report.warn_only && report.outcome == Outcome::Pass
    };
    if !checks.iter().any(may_promote) {
        return nothing_passed(situation, checks, age);
    }
    if let Some(report) = with_outcome(Outcome::Undecided) {
        return undecided(situation, report);
    }
    let stage = situation.stage;
    if !age.is_over && !stage.promote_early {
        let reason = format!(
            "nothing is broken and all that is needed is shown; the stage lasts {}, {} are over",
            text::minutes(stage.duration_minutes),
            text::minutes(age.minutes)
        );
        return Decision::hold(ReasonCode::WarmingUp, reason);
    }
    let least_minutes = LEAST_MINUTES.min(stage.duration_minutes);
    if situation.data.grid.intervals() < FEWEST_STAGE_INTERVALS || age.minutes < least_minutes {
        let reason = format!(
            "no stage is promoted before {FEWEST_STAGE_INTERVALS} intervals and {} are over",
            text::minutes(least_minutes)
        );
        return Decision::hold(ReasonCode::WarmingUp, reason);
    }
    Decision {
        verdict: Verdict::Promote,
        code: ReasonCode::Passed,
        reason: promotion_reason(checks),
    }
}

/// `the canary serves 4.8 % of the requests where 1 % is configured`, and what to change.
fn split_sentence(mismatch: Mismatch) -> String {
    let share = |share| text::value(share, Dimension::Fraction);
    format!(
        "the canary serves {} of the requests where {} is configured: correct the routing or the \
         stage's traffic_percent; if the control is not all of the other traffic, set \
         analysis.split_check to off",
        share(mismatch.seen),
        share(mismatch.configured)
    )
}

/// Whether a promotion needs this check to have shown what it must.
fn is_needed(report: &CheckReport) -> bool {
    report.counts && report.critical && !report.warn_only
}

/// Why the data of a needed check or a kill switch is not enough to go on, if it is not.
fn silent_metric(situation: Situation<'_>, needed: &[&CheckReport]) -> Option<String> {
    let pipeline = situation.pipeline;
    let checked = situation
        .stage
        .checks
        .iter()
        .filter(|check| needed.iter().any(|report| report.condition == check.text));
    checked.chain(&pipeline.kill_switch).find_map(|check| {
        let why = silence::silence(situation.data, &check.measured.name)?;
        Some(format!("{}: {why}", check.text))
    })
}

/// Why a stage may promote: what passed, and what did not have to.
fn promotion_reason(checks: &[CheckReport]) -> String {
    let count = |test: fn(&CheckReport) -> bool| checks.iter().filter(|one| test(one)).count();
    let passed = count(|report| report.counts && report.outcome == Outcome::Pass);
    let stopped = count(|report| !report.counts);
    let warns =
        count(|report| report.counts && report.warn_only && report.outcome == Outcome::Fail);
    let failed =
        count(|report| report.counts && !report.warn_only && report.outcome == Outcome::Fail);
    let open = checks.len() - passed - stopped - warns - failed;
    let mut reason = if passed == checks.len() {
        format!("all {passed} checks passed")
    } else {
        format!("{passed} of {} checks passed", checks.len())
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
fn nothing_passed(situation: Situation<'_>, checks: &[CheckReport], age: Age) -> Decision {
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
            let reason = format!("nothing is shown after {}", text::minutes(age.minutes));
            Decision::hold(ReasonCode::NoData, reason)
        },
        |report| undecided(situation, report),
    )
}

/// Holds for an undecided check, and says at once when the stage cannot decide in its time.
fn undecided(situation: Situation<'_>, report: &CheckReport) -> Decision {
    let start_ms = situation.data.grid.start_ms();
    let needed_minutes = report.needs.as_ref().and_then(|needs| {
        let at_ms = needs.projected_at_ms?;
        Some((
            needs,
            (at_ms.saturating_sub(start_ms)) as f64 / MILLISECONDS_PER_MINUTE,
        ))
    });
    let longest = situation.stage.max_duration_minutes;
    let is_at_the_end = situation.data.grid.intervals() as f64 >= situation.stage_intervals;
    let reason = match needed_minutes {
        Some((needs, needed)) if needed > longest && is_at_the_end => format!(
            "{}: undecided; {} would do",
            report.condition,
            what_would_do(needs, needed)
        ),
        Some((needs, needed)) if needed > longest => format!(
            "{}: undecided; at this traffic that takes {}, and the stage ends after {}: {} would \
             do",
            report.condition,
            text::minutes(needed),
            text::minutes(longest),
            what_would_do(needs, needed)
        ),
        _ => report.reason.clone(),
    };
    Decision::hold(report.reason_code, reason)
}

/// `5 times the traffic, max_duration_minutes: 570 or promote_ratio: 3.2`.
fn what_would_do(needs: &NeedsReport, needed_minutes: f64) -> String {
    let duration = format!("max_duration_minutes: {:.0}", libm::ceil(needed_minutes));
    let mut options = Vec::new();
    if let Some(factor) = needs.traffic_factor {
        let factor = text::digits(libm::ceil(factor * 10.0) / 10.0);
        options.push(format!("{factor} times the traffic"));
    }
    let last = match needs.provable_ratio {
        Some(ratio) => {
            options.push(duration);
            let hundredths = ratio * 100.0;
            let rounded = if ratio < 1.0 {
                libm::floor(hundredths)
            } else {
                libm::ceil(hundredths)
            };
            format!("promote_ratio: {}", rounded / 100.0)
        }
        None => duration,
    };
    if options.is_empty() {
        return last;
    }
    format!("{} or {last}", options.join(", "))
}

/// What becomes of a stage that is still held at its longest duration: what the pipeline says, and
/// what the stage could have seen at all.
fn at_the_longest_duration(
    rule: OnInconclusive,
    stage: &Stage,
    held: Decision,
    checks: &[CheckReport],
) -> Decision {
    // Without data nothing may happen by the clock alone.
    if !matches!(held.code, ReasonCode::Undecided | ReasonCode::WarmingUp) {
        return held;
    }
    let (verdict, rule) = match rule {
        OnInconclusive::Hold => (Verdict::Hold, "hold"),
        OnInconclusive::Promote => (
            Verdict::Promote,
            "promote (a business decision, not a statistical one)",
        ),
        OnInconclusive::Rollback => (Verdict::Rollback, "rollback"),
    };
    let longest = text::minutes(stage.max_duration_minutes);
    let open = checks
        .iter()
        .filter(|report| is_needed(report) && report.outcome == Outcome::Undecided);
    let blindness = open
        .filter_map(|report| Some((report, report.detectable_ratio?)))
        .map(|(report, ratio)| {
            let ratio = text::digits(ratio);
            format!(
                ", and of {} only {ratio} x control would be seen",
                report.metric
            )
        })
        .next()
        .unwrap_or_default();
    let reason = format!(
        "on_inconclusive is {rule}: after {longest} not all is shown{blindness}; {}",
        held.reason
    );
    Decision {
        verdict,
        code: held.code,
        reason,
    }
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

/// `stage 2 of 4`.
pub(super) fn position(pipeline: &Pipeline, stage: &Stage) -> String {
    let place = pipeline
        .stages
        .iter()
        .position(|other| other.id == stage.id)
        .map_or(1, |at| at + 1);
    format!("stage {place} of {}", pipeline.stages.len())
}

fn progress(pipeline: &Pipeline, stage: &Stage, elapsed_minutes: f64) -> String {
    format!(
        "{}, {} of {} minutes",
        position(pipeline, stage),
        text::digits(libm::floor(elapsed_minutes * 10.0) / 10.0),
        text::digits(stage.duration_minutes)
    )
}

/// The traffic of the last safe point before a stage: the last stage marked as a rollback point
/// where the pipeline marks any, else the stage before. Without one, no traffic.
pub fn rollback_to_percent(pipeline: &Pipeline, stage: &Stage) -> f64 {
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
            code: WarningCode::PartialData,
            message: text::one_line(&format!("{metric}: {message}")),
        })
        .collect();
    if let History::Refused(fault) = &data.history {
        warnings.push(Warning {
            code: WarningCode::NoHistory,
            message: text::one_line(&format!(
                "the noise is assumed, because the source does not tell the history: {}",
                fault.message
            )),
        });
    }
    warnings.extend(quality_warnings(data));
    for report in checks {
        if report.warn_only && report.outcome == Outcome::Fail {
            let message = format!("{} (warns only)", report.reason);
            warnings.push(Warning {
                code: WarningCode::CheckFailed,
                message: text::one_line(&message),
            });
        }
    }
    let is_sequential = |report: &CheckReport| report.method.is_valid_at_any_time();
    if !data.starts_with_stage && checks.iter().any(is_sequential) {
        warnings.push(Warning {
            code: WarningCode::SlidingWindow,
            message: "without a start every answer looks at another window; polled, give the \
                      stage's start, or good releases are rolled back more often than promised"
                .to_owned(),
        });
    }
    let looks_once = |report: &CheckReport| !report.method.is_valid_at_any_time();
    let is_kill_switch = |report: &CheckReport| {
        pipeline
            .kill_switch
            .iter()
            .any(|switch| switch.text == report.condition)
    };
    if checks
        .iter()
        .any(|report| looks_once(report) && !is_kill_switch(report))
    {
        warnings.push(Warning {
            code: WarningCode::SingleLook,
            message: "wilson and kayenta are valid for a single look at the data; polled, they \
                      roll back good releases more often than the confidence says"
                .to_owned(),
        });
    }
    warnings
}

/// What the data leaves open, for the reader.
fn quality_warnings(data: &StageData) -> Vec<Warning> {
    let mut warnings = Vec::new();
    for (name, metric) in &data.metrics {
        let quality = match metric {
            MetricData::Counts(counts) => counts.quality,
            MetricData::Histogram(histogram) => histogram.quality,
            MetricData::Gauge(gauge) => gauge.quality,
            MetricData::Fault(_) => continue,
        };
        if quality.no_event_series {
            warnings.push(Warning {
                code: WarningCode::NoEventSeries,
                message: text::one_line(&format!(
                    "{name}: neither population has a series of the events, which counts as none; \
                     look whether their selector is right"
                )),
            });
        }
        if quality.missed_scrapes {
            warnings.push(Warning {
                code: WarningCode::MissedScrapes,
                message: text::one_line(&format!(
                    "{name}: the window is too long to read every scrape; what was counted just \
                     before a restart may be lost"
                )),
            });
        }
    }
    warnings
}
