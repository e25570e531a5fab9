//! How the checks of a stage share its accepted errors.

use crate::interval::Confidence;
use crate::pipeline::{Check, Method};
use crate::sequential::adjusted_log_evidence;

use super::check::look;
use super::conclude::with_sentence;
use super::counts::{Looked, without_stream};
use super::course::Course;
use super::evaluated::{Evaluated, Situation, e_value};
use super::finished::finished;
use super::judged::Judged;
use super::limit::Levels;
use super::model::{CheckReport, EvidenceReport, Outcome, ReasonCode};
use super::votes::total_weight;
use super::walk::{Carried, Crossing, walk};

/// What came of all checks of a stage.
pub(super) struct All {
    /// Their reports, in their order.
    pub(super) reports: Vec<CheckReport>,
    /// The rollout as far as it has come now.
    pub(super) course: Course,
    /// The same in the middle of the stage, to go on from.
    pub(super) carried: Option<Carried>,
}

/// Evaluates every check: those of a single look with Holm's step-down, those of the sequential
/// method by their evidence together.
pub(super) fn evaluate_all(situation: Situation<'_>, carried: Option<Carried>) -> All {
    let checks = &situation.stage.checks;
    let Ok(compliance) = Confidence::new(situation.pipeline.analysis.confidence) else {
        return All {
            reports: Vec::new(),
            course: situation.course.clone(),
            carried: None,
        };
    };
    let looked: Vec<Looked<'_>> = first_step(situation, compliance);
    let judged: Vec<Option<&Judged<'_>>> = looked
        .iter()
        .map(|one| match one {
            Looked::Done(_) => None,
            Looked::Counts(look) => Some(&look.judged),
            Looked::Gauge(look) => Some(&look.judged),
        })
        .collect();
    let read = (situation.data, situation.budget);
    let walked = walk(situation.course, carried, situation.stage, read, &judged);
    // With what the stage's first samples tell of the shares: a gauge that can never speak gives its own away.
    let situation = Situation {
        course: &walked.course,
        ..situation
    };
    let mut evaluated: Vec<Evaluated> = looked
        .into_iter()
        .zip(checks)
        .enumerate()
        .map(|(place, (one, check))| match one {
            Looked::Done(evaluated) => *evaluated,
            Looked::Counts(look) => match walked.proofs.get(place).and_then(Option::as_ref) {
                Some(proof) => {
                    let concluded = look.concluded(check, proof, situation);
                    finished(concluded, check, situation)
                }
                None => without_stream(*look).into(),
            },
            Looked::Gauge(look) => match walked.of_gauges.get(place).and_then(Option::as_ref) {
                Some(proof) => look.concluded(check, proof, situation),
                None => look.into_report().into(),
            },
        })
        .collect();
    step_down(situation, compliance, &mut evaluated);
    tell_shares(situation, &mut evaluated);
    if let Some(crossing) = &walked.crossing {
        blame_the_broken(crossing, situation, &mut evaluated);
    }
    mark_the_others(checks, situation, &mut evaluated);
    All {
        reports: evaluated.into_iter().map(|one| one.report).collect(),
        course: walked.course,
        carried: walked.carried,
    }
}

/// Whether a report's failure rolls back.
pub(crate) fn rolls_back(report: &CheckReport) -> bool {
    report.counts && report.may_roll_back && report.outcome == Outcome::Fail
}

/// Whether a report's failure rolls back by itself. Kayenta's checks do so by their score.
pub(super) fn rolls_back_alone(report: &CheckReport) -> bool {
    rolls_back(report) && report.method != Method::Kayenta
}

/// The confidence that a check of this weight must reach when the checks of `total_weight` share
/// the errors of `compliance`.
fn levels(compliance: Confidence, weight: f64, total_weight: f64) -> Levels {
    let share = if total_weight > 0.0 {
        weight / total_weight
    } else {
        1.0
    };
    let violation = Confidence::new(1.0 - (1.0 - compliance.value()) * share.clamp(0.0, 1.0));
    Levels {
        violation: violation.unwrap_or(compliance),
        compliance,
    }
}

fn first_step(situation: Situation<'_>, compliance: Confidence) -> Vec<Looked<'_>> {
    let checks = &situation.stage.checks;
    let total = total_weight(checks);
    checks
        .iter()
        .map(|check| look(check, situation, levels(compliance, check.weight, total)))
        .collect()
}

/// Holm's later steps: once some checks are broken, the others share what these leave over.
/// Whether any check is broken was settled by the first step; the later ones name more culprits.
/// What is broken stays broken.
fn step_down(situation: Situation<'_>, compliance: Confidence, evaluated: &mut [Evaluated]) {
    let checks = &situation.stage.checks;
    loop {
        let open: Vec<usize> = (0..checks.len())
            .filter(|index| {
                let is_broken = evaluated
                    .get(*index)
                    .is_some_and(|one| rolls_back_alone(&one.report));
                !is_broken
                    && checks
                        .get(*index)
                        .is_some_and(|check| check.may_roll_back && is_stepped_down(check.method))
            })
            .collect();
        if open.is_empty() || !evaluated.iter().any(|one| rolls_back_alone(&one.report)) {
            return;
        }
        let still_open = open.iter().filter_map(|index| checks.get(*index));
        let total = total_weight(still_open);
        let mut found_more = false;
        for index in open {
            let (Some(check), Some(slot)) = (checks.get(index), evaluated.get_mut(index)) else {
                continue;
            };
            let again = look(check, situation, levels(compliance, check.weight, total));
            if let Looked::Done(again) = again
                && rolls_back(&again.report)
            {
                *slot = *again;
                found_more = true;
            }
        }
        if !found_more {
            return;
        }
    }
}

/// Whether a check of this method may fail at a later step: intervals do at another confidence, other
/// tests have their own.
fn is_stepped_down(method: Method) -> bool {
    match method {
        Method::Wilson => true,
        Method::Sequential | Method::Kayenta => false,
    }
}

/// The largest `ln E` of a check after any interval.
fn strongest(one: &Evaluated) -> f64 {
    match (&one.counts, &one.gauge) {
        (Some(counts), _) => counts.strongest,
        (None, Some(gauge)) => gauge.strongest,
        (None, None) => f64::NEG_INFINITY,
    }
}

/// Names those to blame: proven when all together first were, or on their own since.
///
/// Source: docs/design/statistics.md, "10. Many checks"; V. Vovk and R. Wang, "E-values: calibration, combination
/// and applications", Annals of Statistics 49 (2021).
fn blame_the_broken(crossing: &Crossing, situation: Situation<'_>, evaluated: &mut [Evaluated]) {
    let threshold = situation.budget.rollout.log_threshold();
    let is_beyond = |log_evidence: f64| log_evidence >= threshold;
    let at_crossing: Vec<f64> = crossing.votes.iter().map(|(.., log)| *log).collect();
    let adjusted = adjusted_log_evidence(&at_crossing);
    let largest = crossing.votes.iter().max_by(|one, other| {
        let share = |vote: &(usize, f64, f64)| libm::log(vote.1) + vote.2;
        share(one).total_cmp(&share(other))
    });
    let largest = largest.map(|(check, ..)| *check);
    for ((check, weight, log_evidence), adjusted) in crossing.votes.iter().zip(adjusted) {
        let Some(one) = evaluated.get_mut(*check) else {
            continue;
        };
        let strongest = strongest(one).max(0.0);
        let is_proven_alone = is_beyond(strongest + libm::log(*weight));
        if is_beyond(adjusted) || Some(*check) == largest || is_proven_alone {
            blame(one, strongest.max(*log_evidence), *weight, situation);
        }
    }
}

/// Tells each check where its evidence alone would be enough.
fn tell_shares(situation: Situation<'_>, evaluated: &mut [Evaluated]) {
    let threshold = situation.budget.rollout.log_threshold();
    for (place, one) in evaluated.iter_mut().enumerate() {
        let share = situation.course.share(situation.stage, place);
        if let (Some(share), Some(told)) = (share, one.report.evidence.as_mut()) {
            told.rollback_at = e_value(threshold) / share;
        }
    }
}

fn blame(one: &mut Evaluated, log_evidence: f64, weight: f64, situation: Situation<'_>) {
    let threshold = situation.budget.rollout.log_threshold();
    let report = &mut one.report;
    report.outcome = Outcome::Fail;
    report.reason_code = ReasonCode::CheckFailed;
    report.needs = None;
    let mut since = String::new();
    let mut shown = report.clone();
    if let Some(known) = one.since.take() {
        since = format!(" since {}", known.when);
        shown = CheckReport {
            control: known.told.control,
            canary: known.told.canary,
            ratio: known.told.ratio,
            ..shown
        };
        if known.is_all_that_is_told {
            *report = shown.clone();
        }
    }
    let evidence = e_value(log_evidence);
    let alone = e_value(threshold) / weight;
    if let Some(told) = &mut report.evidence {
        *told = EvidenceReport {
            rollback: evidence,
            rollback_at: alone,
            ..told.clone()
        };
    }
    let values = super::conclude::values_text(
        &shown,
        situation
            .pipeline
            .metrics
            .get(&report.metric)
            .map_or(crate::pipeline::Dimension::Number, |metric| {
                metric.dimension
            }),
    );
    let unseen = one.unseen.iter().map(|unseen| format!("; {unseen}"));
    let unseen: String = unseen.collect();
    *report = with_sentence(report.clone(), &format!("broken{since}, {values}{unseen}"));
}

/// A check that only warns, or that by the file may only hold, fails on its own evidence.
fn mark_the_others(checks: &[Check], situation: Situation<'_>, evaluated: &mut [Evaluated]) {
    for (check, one) in checks.iter().zip(evaluated) {
        let threshold = situation.budget.rollout.log_threshold();
        let largest = strongest(one);
        if check.fails_alone()
            && largest >= threshold
            && one.report.counts
            && one.report.reason_code != ReasonCode::Environment
        {
            blame(one, largest, 1.0, situation);
        }
    }
}
