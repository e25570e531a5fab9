//! How the checks of a stage share its accepted errors.

use crate::interval::Confidence;
use crate::pipeline::{Check, Method};
use crate::sequential::{WeightedEvidence, adjusted_log_evidence, combined_log_evidence};

use super::check::{Evaluated, Situation, evaluate};
use super::conclude::with_sentence;
use super::evidence::Proof;
use super::limit::Levels;
use super::model::{CheckReport, EvidenceReport, Outcome, ReasonCode};
use super::votes::{total_weight, weight_of_evidence};

/// Evaluates every check: those of a single look with Holm's step-down, those of the sequential
/// method by their evidence together.
pub(super) fn evaluate_all(situation: Situation<'_>) -> Vec<CheckReport> {
    let checks = &situation.stage.checks;
    let Ok(compliance) = Confidence::new(situation.pipeline.analysis.confidence) else {
        return Vec::new();
    };
    let mut evaluated: Vec<Evaluated> = first_step(situation, compliance);
    step_down(situation, compliance, &mut evaluated);
    combine_evidence(checks, situation, &mut evaluated);
    evaluated.into_iter().map(|one| one.report).collect()
}

/// Whether a report's failure rolls back.
pub(crate) fn rolls_back(report: &CheckReport) -> bool {
    report.counts && report.may_roll_back && report.outcome == Outcome::Fail
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

fn first_step(situation: Situation<'_>, compliance: Confidence) -> Vec<Evaluated> {
    let checks = &situation.stage.checks;
    let total = total_weight(checks);
    checks
        .iter()
        .map(|check| evaluate(check, situation, levels(compliance, check.weight, total)))
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
                    .is_some_and(|one| rolls_back(&one.report));
                !is_broken
                    && checks
                        .get(*index)
                        .is_some_and(|check| check.may_roll_back && is_stepped_down(check.method))
            })
            .collect();
        if open.is_empty() || !evaluated.iter().any(|one| rolls_back(&one.report)) {
            return;
        }
        let still_open = open.iter().filter_map(|index| checks.get(*index));
        let total = total_weight(still_open);
        let mut found_more = false;
        for index in open {
            let (Some(check), Some(slot)) = (checks.get(index), evaluated.get_mut(index)) else {
                continue;
            };
            let again = evaluate(check, situation, levels(compliance, check.weight, total));
            if rolls_back(&again.report) {
                *slot = again;
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

/// One check's part in the evidence of all.
struct Vote<'a> {
    index: usize,
    weight: f64,
    proof: &'a Proof,
    /// The interval from which the control, too, is beyond the limit: the environment.
    environment_from: usize,
}

impl Vote<'_> {
    fn at(&self, interval: usize) -> f64 {
        if interval >= self.environment_from {
            return 0.0;
        }
        self.proof.violation.get(interval).copied().unwrap_or(0.0)
    }

    /// The strongest evidence at any interval so far.
    fn strongest(&self, intervals: usize) -> f64 {
        (0..intervals)
            .map(|interval| self.at(interval))
            .fold(0.0, f64::max)
    }
}

/// The evidence of all checks at the same interval, weighted: a rollback when it ever crosses
/// the threshold. Valid under any dependence between the checks.
///
/// Source: docs/design/statistics.md, "10. Many checks"; V. Vovk and R. Wang, "E-values:
/// calibration, combination and applications", Annals of Statistics 49 (2021).
fn combine_evidence(checks: &[Check], situation: Situation<'_>, evaluated: &mut [Evaluated]) {
    let threshold = situation.budget.rollback.log_threshold();
    let is_beyond = |log_evidence: &f64| *log_evidence >= threshold;
    // Weights are fixed by the pipeline, also for a check without data, whose evidence is 1.
    // One that may only hold, such as a gauge with a tight limit, takes nothing from the others.
    let total = weight_of_evidence(checks);
    let votes: Vec<Vote<'_>> = checks
        .iter()
        .zip(evaluated.iter())
        .enumerate()
        .filter(|(_, (_, one))| one.report.counts && one.report.may_roll_back)
        .filter_map(|(index, (check, one))| {
            let proof = one.proof.as_ref()?;
            let control = proof.control_violation.as_deref().unwrap_or_default();
            let environment_from = control.iter().position(is_beyond).unwrap_or(usize::MAX);
            Some(Vote {
                index,
                weight: check.weight / total,
                proof,
                environment_from,
            })
        })
        .collect();
    let missing = (1.0 - votes.iter().map(|vote| vote.weight).sum::<f64>()).max(0.0);
    let crossed = (0..situation.data.grid.intervals()).find(|interval| {
        let mut evidence: Vec<WeightedEvidence> = votes
            .iter()
            .map(|vote| WeightedEvidence {
                weight: vote.weight,
                log_evidence: vote.at(*interval),
            })
            .collect();
        evidence.push(WeightedEvidence {
            weight: missing,
            log_evidence: 0.0,
        });
        is_beyond(&combined_log_evidence(&evidence))
    });
    let shares: Vec<(usize, f64)> = votes.iter().map(|vote| (vote.index, vote.weight)).collect();
    let Some(interval) = crossed else {
        tell_shares(&shares, threshold, evaluated);
        mark_the_others(checks, situation, evaluated);
        return;
    };
    let at_crossing: Vec<f64> = votes.iter().map(|vote| vote.at(interval)).collect();
    let adjusted = adjusted_log_evidence(&at_crossing);
    let largest = votes
        .iter()
        .zip(&at_crossing)
        .max_by(|a, b| {
            let share =
                |(vote, log_evidence): &(&Vote<'_>, &f64)| libm::log(vote.weight) + **log_evidence;
            share(a).total_cmp(&share(b))
        })
        .map(|(vote, _)| vote.index);
    // To blame are those proven when all together first were, and those proven on their own since.
    let blamed: Vec<(usize, f64, f64)> = votes
        .iter()
        .zip(&at_crossing)
        .zip(&adjusted)
        .filter_map(|((vote, log_evidence), adjusted)| {
            let strongest = vote.strongest(situation.data.grid.intervals());
            let is_proven_alone = is_beyond(&(strongest + libm::log(vote.weight)));
            (is_beyond(adjusted) || Some(vote.index) == largest || is_proven_alone).then_some((
                vote.index,
                strongest.max(*log_evidence),
                vote.weight,
            ))
        })
        .collect();
    tell_shares(&shares, threshold, evaluated);
    for (index, log_evidence, weight) in blamed {
        if let Some(one) = evaluated.get_mut(index) {
            blame(one, log_evidence, weight, situation);
        }
    }
    mark_the_others(checks, situation, evaluated);
}

/// Tells each check where its evidence alone would be enough.
fn tell_shares(shares: &[(usize, f64)], threshold: f64, evaluated: &mut [Evaluated]) {
    for (index, weight) in shares {
        if let Some(told) = evaluated
            .get_mut(*index)
            .and_then(|one| one.report.evidence.as_mut())
        {
            told.rollback_at = super::check::e_value(threshold) / weight;
        }
    }
}

fn blame(one: &mut Evaluated, log_evidence: f64, weight: f64, situation: Situation<'_>) {
    let threshold = situation.budget.rollback.log_threshold();
    let report = &mut one.report;
    report.outcome = Outcome::Fail;
    report.reason_code = ReasonCode::CheckFailed;
    report.needs = None;
    let evidence = super::check::e_value(log_evidence);
    let alone = super::check::e_value(threshold) / weight;
    if let Some(told) = &mut report.evidence {
        *told = EvidenceReport {
            rollback: evidence,
            rollback_at: alone,
            ..told.clone()
        };
    }
    let values = super::conclude::values_text(
        report,
        situation
            .pipeline
            .metrics
            .get(&report.metric)
            .map_or(crate::pipeline::Dimension::Number, |metric| {
                metric.dimension
            }),
    );
    *report = with_sentence(report.clone(), &format!("broken, {values}"));
}

/// A check that only warns, or that by the file may only hold, fails on its own evidence.
fn mark_the_others(checks: &[Check], situation: Situation<'_>, evaluated: &mut [Evaluated]) {
    let threshold = situation.budget.rollback.log_threshold();
    for (check, one) in checks.iter().zip(evaluated) {
        let is_broken = one
            .proof
            .as_ref()
            .is_some_and(|proof| proof.violation.iter().any(|log| *log >= threshold));
        if check.fails_alone()
            && is_broken
            && one.report.counts
            && one.report.reason_code != ReasonCode::Environment
        {
            let largest = one.proof.as_ref().map_or(threshold, |proof| {
                proof.violation.iter().copied().fold(threshold, f64::max)
            });
            blame(one, largest, 1.0, situation);
        }
    }
}
