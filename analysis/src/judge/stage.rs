//! From the checks of a stage to its verdict.

use crate::pipeline::{Pipeline, SplitCheck, Stage};
use crate::sequential::ErrorRate;

use super::age::{Age, MILLISECONDS_PER_MINUTE, progress};
use super::course::{Course, Crossed};
use super::decide::{Decision, at_the_longest_duration, decide};
use super::error_budget;
use super::evaluated::Situation;
use super::evidence::Budget;
use super::kill_switch::{KillSwitch, watch};
use super::levels::{evaluate_all, rolls_back_alone};
use super::model::{CheckReport, ReasonCode, StageVerdict, Verdict, Warning, WarningCode};
use super::split::Mismatch;
use super::walk::Carried;
use super::warnings::warnings;
use super::{absence, split, warm_up, watching};
use crate::data::{MetricData, Purpose, StageData};
use crate::text;

/// Judges one stage from its data.
///
/// A kill switch that fired and a broken check roll back. Else whatever keeps the stage from its
/// promotion holds it, the worst first: see `decide`. A stage that reaches its longest duration
/// undecided ends as the pipeline says. Last, the pipeline's error budget may hold a promotion.
///
/// What the data was read for says whether all of that is asked: see [`Purpose`].
///
/// The stage is judged by itself: as if it were all of the rollout.
pub fn judge(pipeline: &Pipeline, stage: &Stage, data: &StageData) -> StageVerdict {
    judge_within(&Course::alone(pipeline, stage), pipeline, stage, data)
}

/// Judges a stage of a rollout that has come so far. One that is none of its stages is judged by itself.
pub fn judge_within(
    course: &Course,
    pipeline: &Pipeline,
    stage: &Stage,
    data: &StageData,
) -> StageVerdict {
    judge_on(course, None, pipeline, stage, data).0
}

/// The same with what was kept of an earlier judgement of the stage in the same rollout, and with what to keep of
/// this one. What is kept changes nothing but the time that it takes.
pub fn judge_on(
    course: &Course,
    carried: Option<Carried>,
    pipeline: &Pipeline,
    stage: &Stage,
    data: &StageData,
) -> (StageVerdict, Option<Carried>) {
    if !course.has(stage) {
        return (judge(pipeline, stage, data), None);
    }
    let age = Age::of(stage, data);
    let situation = Situation {
        pipeline,
        stage,
        data,
        is_stage_over: age.is_over,
        warm_up_intervals: warm_up::warm_up_intervals(stage, data),
        stage_intervals: stage_intervals(stage, data),
        budget: budget(pipeline),
        course,
    };
    let (mut checks, earlier, carried) = match data.purpose {
        Purpose::Decide | Purpose::AfterPassing => {
            let all = evaluate_all(situation, carried);
            (all.reports, all.course.crossed().cloned(), all.carried)
        }
        Purpose::KillSwitches => (Vec::new(), None, None),
    };
    let switches = pipeline.kill_switch.iter();
    let switches: Vec<KillSwitch> = switches.map(|switch| watch(switch, situation)).collect();
    let mismatch = asked_split(situation);
    let decision = noted(
        decided(situation, &checks, &switches, age, mismatch),
        situation,
    );
    let decision = crossed_before(decision, earlier.as_ref());
    checks.extend(switches.into_iter().filter_map(KillSwitch::into_report));
    let mut warnings = warnings(pipeline, stage, data, &checks);
    let untold = mismatch.filter(|_| decision.code != ReasonCode::SplitMismatch);
    warnings.extend(untold.as_ref().map(split_warning));
    (told(situation, age, &decision, (checks, warnings)), carried)
}

/// What a stage is answered.
fn told(
    situation: Situation<'_>,
    age: Age,
    decision: &Decision,
    (checks, warnings): (Vec<CheckReport>, Vec<Warning>),
) -> StageVerdict {
    let Situation {
        pipeline,
        stage,
        data,
        ..
    } = situation;
    let verdict = StageVerdict {
        verdict: decision.verdict,
        reason_code: decision.code,
        reason: text::one_line(&decision.reason),
        progress: match data.purpose {
            Purpose::Decide | Purpose::AfterPassing => progress(pipeline, stage, age),
            Purpose::KillSwitches => watching::progress(pipeline, stage),
        },
        // What a rollout has seen pass only it knows; of an analysis the stages before it have.
        rollback_to_percent: rollback_to_percent(pipeline, stage, |_| true),
        intervals: data.grid.intervals(),
        missing_intervals: missing_intervals(data),
        warnings,
        checks,
    };
    match data.purpose {
        Purpose::Decide => error_budget::guarded(verdict, pipeline, stage, data),
        Purpose::AfterPassing | Purpose::KillSwitches => verdict,
    }
}

fn split_warning(mismatch: &Mismatch) -> Warning {
    Warning {
        code: WarningCode::SplitMismatch,
        message: mismatch.sentence(),
    }
}

/// Whether the traffic is split as the stage says, where that is asked.
fn asked_split(situation: Situation<'_>) -> Option<Mismatch> {
    match (
        situation.pipeline.analysis.split_check,
        situation.data.purpose,
    ) {
        (SplitCheck::Hold | SplitCheck::Warn, Purpose::Decide) => split::mismatch(situation),
        (SplitCheck::Off, _) | (_, Purpose::AfterPassing | Purpose::KillSwitches) => None,
    }
}

/// What is left when a stage is over: the rollout as far as it has come then. `is_decided` says that a person has
/// decided the stage, or that nothing found there acts: then all evidence begins anew.
pub fn after_stage(
    course: &Course,
    pipeline: &Pipeline,
    stage: &Stage,
    data: &StageData,
    is_decided: bool,
) -> Course {
    if !course.has(stage) {
        return course.clone();
    }
    let situation = Situation {
        pipeline,
        stage,
        data,
        is_stage_over: true,
        warm_up_intervals: warm_up::warm_up_intervals(stage, data),
        stage_intervals: stage_intervals(stage, data),
        budget: budget(pipeline),
        course,
    };
    let all = evaluate_all(situation, None);
    let broken = all.reports.iter().filter(|report| rolls_back_alone(report));
    let conditions: Vec<String> = broken.map(|report| report.condition.clone()).collect();
    let crossed = (!conditions.is_empty()).then(|| Crossed {
        stage: stage.id.clone(),
        conditions,
    });
    all.course.leave(crossed, is_decided)
}

/// What was proven in a stage that is over rolls back whatever comes later: it was found between two stages.
fn crossed_before(decision: Decision, crossed: Option<&Crossed>) -> Decision {
    let Some(crossed) = crossed.filter(|_| decision.verdict != Verdict::Rollback) else {
        return decision;
    };
    Decision {
        verdict: Verdict::Rollback,
        code: ReasonCode::CheckFailed,
        reason: format!(
            "{}: broken at {}, before this stage began",
            crossed.conditions.join(", "),
            crossed.stage
        ),
        may_end_by_clock: false,
    }
}

/// What is not proved, with what nobody has ever seen: who asks a gate reads nothing else.
fn noted(mut decision: Decision, situation: Situation<'_>) -> Decision {
    match decision.verdict {
        Verdict::Promote | Verdict::Hold => {
            for note in absence::notes(situation.pipeline, situation.stage, situation.data) {
                decision.reason = format!("{}; {note}", decision.reason);
            }
        }
        Verdict::Rollback => {}
    }
    decision
}

/// What is decided, by what the data was read for.
fn decided(
    situation: Situation<'_>,
    checks: &[CheckReport],
    switches: &[KillSwitch],
    age: Age,
    mismatch: Option<Mismatch>,
) -> Decision {
    let stage = situation.stage;
    match situation.data.purpose {
        Purpose::Decide => {
            let decision = decide(situation, checks, switches, age, mismatch);
            if decision.verdict != Verdict::Hold || age.minutes < stage.max_duration_minutes {
                return decision;
            }
            let rule = situation.pipeline.analysis.on_inconclusive;
            at_the_longest_duration(rule, situation, decision, checks)
        }
        Purpose::AfterPassing => watching::after_passing(checks, switches),
        Purpose::KillSwitches => watching::too_old(situation, switches),
    }
}

/// What the sequential method may spend. The accepted false rollbacks are those of the whole rollout.
pub(crate) fn budget(pipeline: &Pipeline) -> Budget {
    let settings = &pipeline.analysis;
    Budget {
        rollout: ErrorRate::new(settings.false_rollback).unwrap_or(ErrorRate::ROLLBACK),
        promotion: ErrorRate::new(settings.false_promote).unwrap_or(ErrorRate::PROMOTION),
    }
}

/// Intervals of the stage's longest duration.
fn stage_intervals(stage: &Stage, data: &StageData) -> f64 {
    stage.max_duration_minutes * MILLISECONDS_PER_MINUTE / data.grid.interval_ms() as f64
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

/// The traffic to go back to from a stage: that of the last stage before it that is marked as a
/// rollback point and has passed, else none. Never the share at which it failed, nor that of a
/// shadow stage, which nobody has judged to be safe.
///
/// `has_passed` tells of a stage's id whether the stage has passed, or a person said that it has.
///
/// Source: docs/design/statistics.md, "11. The verdict of a stage".
pub fn rollback_to_percent(
    pipeline: &Pipeline,
    stage: &Stage,
    has_passed: impl Fn(&str) -> bool,
) -> f64 {
    let before = pipeline
        .stages
        .iter()
        .take_while(|other| other.id != stage.id);
    before
        .filter(|other| other.rollback_point && !other.shadow && has_passed(&other.id))
        .last()
        .map_or(0.0, |safe| safe.traffic_percent)
}
