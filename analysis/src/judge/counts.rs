//! A check of counts: a share of requests, or a rate.
//!
//! What can be said of it by itself is said first; its evidence is that of the whole rollout, so it is told when
//! all checks were looked at.

use std::borrow::Cow;

use crate::interval::{
    Confidence, Count, classify, newcombe_difference, proportion_ratio, rate_ratio,
};
use crate::pipeline::{Better, Check, Limit, Method, untestable};
use crate::sequential::{Dispersion, ErrorRate, IntervalCounts, ratio_interval};
use crate::series::{ArmCount, PairedCounts, Populations};

use super::conclude::{conclude, undecided, values_text, with_sentence, without_data};
use super::evaluated::{
    Evaluated, Situation, conclude_claims, e_value, nothing_counted, still_new, totals_together,
};
use super::evidence::Budget;
use super::gauge::LookedGauge;
use super::judged::{Judged, JudgedCounts};
use super::limit::{Claim, Claims, Levels, Scale, Shown, estimate};
use super::lines::has_control;
use super::model::{
    ArmReport, CheckReport, EvidenceReport, Outcome, RatioReport, ReasonCode, WilsonReport,
};
use super::noisy::Noisy;
use super::quantile::{self, Asked, Buckets, QuantileRows};
use super::since::{Since, Told};
use super::strata::{Strata, misled};
use super::walk::CountsProof;
use super::young::{Warm, warm_up_seconds};
use super::{absence, kayenta, pods};
use crate::text;

/// A check as far as it can be judged by itself.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Looked<'a> {
    /// All of it.
    Done(Box<Evaluated>),
    /// Counts whose evidence is that of the whole rollout.
    Counts(Box<Look<'a>>),
    /// The same of a gauge.
    Gauge(Box<LookedGauge<'a>>),
}

impl From<Evaluated> for Looked<'_> {
    fn from(evaluated: Evaluated) -> Self {
        Self::Done(Box::new(evaluated))
    }
}

impl From<CheckReport> for Looked<'_> {
    fn from(report: CheckReport) -> Self {
        Evaluated::from(report).into()
    }
}

/// Counts that are judged.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Look<'a> {
    report: CheckReport,
    claims: Claims,
    strata: Option<Strata>,
    pub(super) judged: Judged<'a>,
}

/// Looks at the counts of a check.
pub(super) fn look<'a>(
    report: CheckReport,
    check: &Check,
    counts: &PairedCounts,
    situation: Situation<'_>,
    levels: Levels,
) -> Looked<'a> {
    if let Some(why) = untestable(check) {
        return undecided(report, &why).into();
    }
    let counts: Cow<'_, PairedCounts> = absence::countable(check, counts, situation.data);
    let seconds = warm_up_seconds(check, situation.stage, &situation.pipeline.analysis);
    let warm = Warm::of(&counts, situation.data.grid, seconds);
    on_warm(report, check, (&counts, warm), situation, levels)
}

fn on_warm<'a>(
    mut report: CheckReport,
    check: &Check,
    (whole, warm): (&PairedCounts, Warm),
    situation: Situation<'_>,
    levels: Levels,
) -> Looked<'a> {
    let counts = &warm.counts;
    let strata = Strata::of(counts).filter(|_| check.is_relative());
    let totals = match &strata {
        Some(strata) => strata.at_the_canarys_mix(),
        None => totals_of(counts, whole, check.is_relative()),
    };
    let scale = Scale::of(&check.measured);
    let of_all = totals_together(whole, check.is_relative());
    // What is told is all that was counted, of young processes too; what is judged is without them.
    let counted = if strata.is_some() { totals } else { of_all };
    let strata_told = strata.as_ref().map(Strata::told);
    report.compared = strata_told.or_else(|| warm.told(counted));
    report.control = arm_report(scale, counted.control, levels.compliance);
    report.canary = arm_report(scale, counted.canary, levels.compliance);
    report.ratio = ratio_of_counts(scale, totals, levels.compliance);
    if scale == Scale::Share {
        report.wilson = wilson_report(check.measured.better, totals, levels.compliance);
    }
    if let Some((code, why)) = nothing_counted(check, situation, counts, totals) {
        return match nothing_counted(check, situation, whole, of_all) {
            None => still_new(report).into(),
            Some(_) => without_data(report, code, &why).into(),
        };
    }
    if let Some(why) = misleading(check, strata.as_ref(), totals, situation) {
        return without_data(report, ReasonCode::OtherMix, &why).into();
    }
    let claim = |limit| Some(Claim { limit, totals });
    let claims = Claims {
        scale,
        violation: claim(check.limit),
        compliance: claim(check.promotion_limit),
    };
    match report.method {
        Method::Kayenta => {
            let points = kayenta::count_points(counts);
            let report = kayenta::conclude(report, check, &points, situation);
            report.into()
        }
        Method::Wilson => conclude_claims(report, check, &claims, situation, levels).into(),
        Method::Sequential => Looked::Counts(Box::new(Look {
            report,
            claims,
            judged: judged_counts(warm, strata.as_ref(), situation),
            strata,
        })),
    }
}

fn judged_counts<'a>(warm: Warm, strata: Option<&Strata>, situation: Situation<'_>) -> Judged<'a> {
    let intervals = situation.data.grid.intervals();
    let is_one_place = situation.pipeline.sources.regions.is_empty();
    let counts = JudgedCounts::of(warm, strata, intervals, is_one_place);
    Judged::Counts(Box::new(counts))
}

/// What a population counted, as it is told; nothing of one without traffic.
fn arm_report(scale: Scale, arm: ArmCount, confidence: Confidence) -> Option<ArmReport> {
    (arm.exposure > 0.0).then(|| ArmReport {
        events: Some(arm.events),
        total: Some(arm.exposure),
        estimate: estimate(arm),
        interval: scale.interval(arm, confidence),
        bracket: None,
    })
}

/// The sums of what is judged. A comparison counts only the intervals in which both populations had traffic, be
/// it of young processes: the others would compare different times.
fn totals_of(warm: &PairedCounts, whole: &PairedCounts, together: bool) -> Populations<ArmCount> {
    let nothing = Populations::<ArmCount>::default();
    let rows = warm.intervals.iter().zip(&whole.intervals);
    let both = rows.filter(|(_, whole)| {
        !together || (whole.control.exposure > 0.0 && whole.canary.exposure > 0.0)
    });
    both.fold(nothing, |sums, (warm, _)| Populations {
        control: sums.control.and(warm.control),
        canary: sums.canary.and(warm.canary),
    })
}

/// Why the counts of both populations cannot be compared: other mixes of requests, or strata that are none.
fn misleading(
    check: &Check,
    strata: Option<&Strata>,
    totals: Populations<ArmCount>,
    situation: Situation<'_>,
) -> Option<String> {
    match strata {
        Some(strata) => strata.wrong(),
        None if check.is_relative() => {
            let mixes = &situation.data.findings.mixes;
            misled(check, mixes.get(&check.measured.name)?, totals)
        }
        None => None,
    }
}

/// Counts of which nothing can be proven over time.
pub(super) fn without_stream(look: Look<'_>) -> CheckReport {
    undecided(
        look.report,
        "nothing can be proven of such a limit over time",
    )
}

impl<'a> Look<'a> {
    /// What is judged of a quantile: its claims follow from what is counted over the rollout.
    pub(super) fn new(report: CheckReport, judged: Judged<'a>) -> Self {
        Self {
            report,
            claims: Claims {
                scale: Scale::Share,
                violation: None,
                compliance: None,
            },
            strata: None,
            judged,
        }
    }

    /// Concludes from what the whole rollout proves. Whether it rolls back is decided over all checks together.
    pub(super) fn concluded(
        self,
        check: &Check,
        proof: &CountsProof,
        situation: Situation<'_>,
    ) -> Evaluated {
        let Self {
            mut report,
            claims,
            strata,
            judged,
        } = self;
        let budget = situation.budget;
        let (claims, buckets) = match &judged {
            Judged::Counts(counts) => {
                tell_counts(&mut report, counts, strata.is_some(), proof, budget);
                let since = since(counts, proof.since, claims.scale, situation);
                (claims, Buckets::none(since))
            }
            Judged::Quantile(rows, asked) => of_quantile((rows, *asked), proof, check, situation)
                .unwrap_or((claims, Buckets::default())),
            Judged::Gauge(_) => (claims, Buckets::default()),
        };
        report.evidence = Some(evidence_report(proof, budget));
        report.spread = proof
            .spread
            .as_ref()
            .map(|one| one.told(situation.data.grid));
        let report = promoted_or_not(report, check, (strata.as_ref(), proof), situation);
        if let (Outcome::Undecided, Some((why, needs))) =
            (report.outcome, buckets.unknown(&report, situation))
        {
            let report = CheckReport {
                needs,
                ..undecided(report, &why)
            };
            return Evaluated {
                counts: Some(proof.clone()),
                ..Evaluated::from(report)
            };
        }
        let noisy = Noisy::of(check, proof, situation);
        Evaluated {
            plannable: (&claims).into(),
            blind_spot: buckets
                .blind_spot
                .or_else(|| hidden_by_pods(&report, check, proof, budget))
                .or(noisy.of_an_open_check),
            unseen: unexcused(&claims, check, situation)
                .or(noisy.of_a_broken_check)
                .or(buckets.unseen),
            since: buckets.since,
            counts: Some(proof.clone()),
            ..Evaluated::from(report)
        }
    }
}

/// That pods of one version differ too much for a proof.
fn hidden_by_pods(
    report: &CheckReport,
    check: &Check,
    proof: &CountsProof,
    budget: Budget,
) -> Option<String> {
    let slower = proof.quantile.as_ref().map(|found| found.totals.0);
    let weight = if proof.weight > 0.0 {
        proof.weight
    } else {
        1.0
    };
    let alone = budget.rollback_alone(weight);
    pods::blind_spot(report, proof.spread.as_ref(), (check, slower), alone)
}

/// What the buckets of a quantile became, and say.
fn of_quantile(
    (rows, asked): (&QuantileRows<'_>, Asked),
    proof: &CountsProof,
    check: &Check,
    situation: Situation<'_>,
) -> Option<(Claims, Buckets)> {
    let found = proof.quantile.as_ref()?;
    let claims = quantile::claims_of(asked, found.totals);
    let buckets = Buckets::of(rows, asked, (found, proof.since), check, situation);
    Some((claims, buckets))
}

/// Whether what is shown promotes the check.
fn promoted_or_not(
    report: CheckReport,
    check: &Check,
    (strata, proof): (Option<&Strata>, &CountsProof),
    situation: Situation<'_>,
) -> CheckReport {
    let threshold = situation.budget.promotion.log_threshold();
    let is_kept = proof.has_enough && proof.compliance.is_some_and(|log| log >= threshold);
    let shown = match (is_kept, proof.is_of_the_environment) {
        (true, _) => Shown::Kept,
        (false, true) => Shown::ControlViolated,
        (false, false) => Shown::Open,
    };
    let mut report = conclude(report, check, shown);
    if proof.is_suspect && (is_kept || situation.is_stage_over) && shown != Shown::ControlViolated {
        report = suspected(report, check);
    }
    match (report.outcome, beyond(strata, check, situation)) {
        (Outcome::Pass, Some(why)) => undecided(report, &why),
        _ => report,
    }
}

/// What counts alone have to tell: the ratio, whenever it is asked for, and the pods that stand out.
fn tell_counts(
    report: &mut CheckReport,
    counts: &JudgedCounts,
    has_strata: bool,
    proof: &CountsProof,
    budget: Budget,
) {
    let anytime = anytime_ratio(&counts.intervals(), proof.dispersion, budget.rollout);
    report.ratio = match report.ratio.take() {
        // The ratio of sums of other mixes says nothing.
        Some(ratio) if has_strata => anytime.map(|anytime| RatioReport {
            estimate: ratio.estimate,
            ..anytime
        }),
        _ => anytime,
    };
    report.standing_out = pods::stand_out(&counts.canary_pods());
}

/// What was counted since some interval of the stage, where that is not all.
fn since(
    counts: &JudgedCounts,
    from: Option<usize>,
    scale: Scale,
    situation: Situation<'_>,
) -> Option<Since> {
    // Sums over strata of other mixes would say something else than what was compared.
    let from = from.filter(|from| *from > 0 && !counts.has_strata)?;
    let intervals = counts.intervals();
    let newest = intervals.get(from..).filter(|newest| !newest.is_empty())?;
    let sums = newest
        .iter()
        .fold(IntervalCounts::default(), |sums, one| IntervalCounts {
            control: sums.control.and(one.control),
            canary: sums.canary.and(one.canary),
        });
    let confidence = Confidence::new(situation.pipeline.analysis.confidence).ok()?;
    Some(Since {
        when: text::time_of_day(situation.data.grid.boundary_ms(from)),
        told: Told {
            control: arm_report(scale, sums.control, confidence),
            canary: arm_report(scale, sums.canary, confidence),
            ratio: None,
        },
        is_all_that_is_told: false,
    })
}

/// An incident that both populations have excuses a canary beyond a number, and cannot be seen where the control
/// has no traffic.
///
/// Source: docs/design/counts.md, "7. Absolute limits and the environment".
fn unexcused(claims: &Claims, check: &Check, situation: Situation<'_>) -> Option<String> {
    let has_traffic = claims
        .violation
        .is_some_and(|claim| claim.totals.control.exposure > 0.0);
    let could_be_excused = !check.is_relative() && has_control(check, situation.stage);
    (could_be_excused && !has_traffic).then(|| {
        "the control had no requests, so an incident that it would share cannot be seen".to_owned()
    })
}

fn evidence_report(proof: &CountsProof, budget: Budget) -> EvidenceReport {
    EvidenceReport {
        rollback: e_value(proof.violation),
        rollback_at: e_value(budget.rollout.log_threshold()),
        promote: proof.compliance.map(e_value),
        promote_at: e_value(budget.promotion.log_threshold()),
        dispersion: proof.dispersion.map(|noise| noise.value),
        dispersion_from: Some(proof.noise_from),
    }
}

/// A stratum that is shown by itself to be beyond what a promotion allows.
fn beyond(strata: Option<&Strata>, check: &Check, situation: Situation<'_>) -> Option<String> {
    let Limit::AtMost {
        ratio: Some(factor),
        ..
    } = check.promotion_limit
    else {
        return None;
    };
    let confidence = Confidence::new(situation.pipeline.analysis.confidence).ok()?;
    strata?.beyond(factor, confidence)
}

/// Not proven, but a canary that shows what this one shows is not promoted.
fn suspected(mut report: CheckReport, check: &Check) -> CheckReport {
    let values = values_text(&report, check.measured.dimension);
    let shows = match (&report.ratio, check.limit) {
        (
            Some(ratio),
            Limit::AtMost {
                ratio: Some(limit), ..
            }
            | Limit::AtLeast {
                ratio: Some(limit), ..
            },
        ) if check.limit.is_plain_ratio() => {
            format!(
                "not proven, but the canary shows {} times the control and the limit is {}; {values}",
                text::digits(ratio.estimate),
                text::digits(limit)
            )
        }
        _ => format!("not proven, but the canary shows more than its limit; {values}"),
    };
    report.outcome = Outcome::Undecided;
    report.reason_code = ReasonCode::Suspected;
    with_sentence(report, &shows)
}

/// The ratio of counts with an interval that may be looked at after every interval of the window.
///
/// Each of its ends is held to the accepted false rollbacks, as the evidence is: the confidence is that of both
/// together.
fn anytime_ratio(
    intervals: &[IntervalCounts],
    noise: Option<Dispersion>,
    rollback: ErrorRate,
) -> Option<RatioReport> {
    let noise = noise.unwrap_or(Dispersion::NONE);
    let both_ends = ErrorRate::new(2.0 * rollback.value()).ok()?;
    let ratio = ratio_interval(intervals, noise, both_ends)?;
    Some(RatioReport {
        estimate: ratio.value?,
        interval: Some(ratio.interval),
        confidence: 1.0 - both_ends.value(),
    })
}

fn ratio_of_counts(
    scale: Scale,
    totals: Populations<ArmCount>,
    confidence: Confidence,
) -> Option<RatioReport> {
    let ratio = match scale {
        Scale::Share => proportion_ratio(count(totals.canary)?, count(totals.control)?, confidence),
        Scale::Rate => rate_ratio(
            (totals.canary.events, totals.canary.exposure),
            (totals.control.events, totals.control.exposure),
            confidence,
        ),
    }?;
    Some(RatioReport {
        estimate: ratio.value?,
        interval: Some(ratio.interval),
        confidence: confidence.value(),
    })
}

fn count(arm: ArmCount) -> Option<Count> {
    Count::new(arm.events, arm.exposure).ok()
}

fn wilson_report(
    better: Better,
    totals: Populations<ArmCount>,
    confidence: Confidence,
) -> Option<WilsonReport> {
    let intervals = totals.map(|arm| Scale::Share.interval(arm, confidence));
    let difference =
        newcombe_difference(count(totals.canary)?, count(totals.control)?, confidence)?;
    Some(WilsonReport {
        confidence: confidence.value(),
        classification: classify(intervals.control?, intervals.canary?, better),
        difference: Some(difference.interval),
    })
}
