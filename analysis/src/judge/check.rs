//! One check: from its metric's data to an outcome, with the numbers that explain it.

use crate::interval::{
    Confidence, Count, classify, newcombe_difference, proportion_ratio, rate_ratio,
};
use crate::pipeline::{Better, Check, Limit, Method, MetricKind, Pipeline, Stage, untestable};
use crate::sequential::{
    Dispersion, ErrorRate, IntervalCounts, NoiseHistory, NoiseState, on_every_interval,
    ratio_interval,
};
use crate::series::{
    ArmCount, PairedCounts, PairedGauge, PairedHistogram, Population, Populations,
};

use super::bounds::no_bounds;
use super::conclude::{
    conclude, empty_report, undecided, values_text, with_sentence, without_data,
};
use super::evidence::{self, Budget, Held, Proof};
use super::latency::Latency;
use super::limit::{Claim, Claims, Levels, Plannable, Scale, Shown, estimate};
use super::model::{
    ArmReport, CheckReport, EvidenceReport, NeedsReport, Outcome, RatioReport, ReasonCode,
    WilsonReport,
};
use super::needs::{self, Outlook};
use super::strata::{Strata, misled};
use super::votes::share_of_votes;
use super::warm_up::LookedAt;
use super::{absence, gauge, kayenta, load, populations};
use crate::data::History;
use crate::data::{DataFault, MetricData, StageData};
use crate::text;

/// What is the same for all checks of one judgement.
#[derive(Debug, Clone, Copy)]
pub(super) struct Situation<'a> {
    pub(super) pipeline: &'a Pipeline,
    pub(super) stage: &'a Stage,
    pub(super) data: &'a StageData,
    /// Whether the stage's duration is over: a method for one look at the end waits for it.
    pub(super) is_stage_over: bool,
    /// The length of the warm-up.
    pub(super) warm_up_intervals: usize,
    /// The intervals that latency and gauges leave out, because pods were new.
    pub(super) left_out: &'a [bool],
    /// Intervals of the stage's longest duration.
    pub(super) stage_intervals: f64,
    /// What the sequential method may spend.
    pub(super) budget: Budget,
}

impl<'a> Situation<'a> {
    /// The noise before the rollout of a metric's counts, or of those above a bound, that a limit is
    /// held against; nothing where it is not known.
    fn noise_before(
        &self,
        metric: &str,
        bound: Option<f64>,
        limit: Limit,
    ) -> Option<&'a NoiseHistory> {
        match &self.data.history {
            History::Seen(history) => history.find(metric, bound, limit.absolute_value()),
            _ => None,
        }
    }

    /// Why counts cannot be judged by the sequential method yet, although they are there.
    fn late_history(&self) -> Option<&'a DataFault> {
        match &self.data.history {
            History::Late(fault) => Some(fault),
            _ => None,
        }
    }
}

/// A check's report, and what it proves over time when its method is the sequential one.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Evaluated {
    pub(super) report: CheckReport,
    pub(super) proof: Option<Proof>,
    /// What a plan can be made of.
    plannable: Plannable,
    /// What an undecided check's data cannot show, whatever the plan.
    blind_spot: Option<String>,
}

impl From<CheckReport> for Evaluated {
    fn from(report: CheckReport) -> Self {
        Self {
            report,
            proof: None,
            plannable: Plannable::default(),
            blind_spot: None,
        }
    }
}

/// Judges one check.
pub(super) fn evaluate(check: &Check, situation: Situation<'_>, levels: Levels) -> Evaluated {
    let mut report = empty_report(check, check.method, check.may_roll_back);
    if !check.counts_at(situation.stage.traffic_percent) {
        report.counts = false;
        let reason = "at 100 % traffic there is no control to compare with; it stopped counting";
        return without_data(report, ReasonCode::NoControl, reason).into();
    }
    let name = &check.measured.name;
    let wrong = || populations::wrong(situation.pipeline, situation.data);
    let of_populations = check.is_relative().then(wrong).flatten();
    let unjudged = || absence::unjudged(check, situation.data);
    if let Some((code, why)) = of_populations.or_else(unjudged) {
        return without_data(report, code, &why).into();
    }
    let found = situation.data.metrics.get(name);
    if report.method.is_valid_at_any_time()
        && let Some(MetricData::Counts(_) | MetricData::Histogram(_)) = found
        && let Some(fault) = situation.late_history()
    {
        return without_data(report, fault.code.into(), &fault.message).into();
    }
    let evaluated = match found {
        None => {
            return without_data(
                report,
                ReasonCode::NoData,
                "nothing was read for its metric",
            )
            .into();
        }
        Some(MetricData::Fault(fault)) => {
            return without_data(report, fault.code.into(), &fault.message).into();
        }
        Some(MetricData::Counts(counts)) => on_countable(report, check, counts, situation, levels),
        Some(MetricData::Histogram(histogram)) => {
            on_histogram(report, check, histogram, situation, levels)
        }
        Some(MetricData::Gauge(values)) => on_gauge(report, check, values, situation, levels),
    };
    let mut evaluated = with_outlook(evaluated, check, situation);
    if let (Some(blind_spot), Outcome::Undecided) =
        (&evaluated.blind_spot, evaluated.report.outcome)
    {
        let reason = format!("{}; {blind_spot}", evaluated.report.reason);
        evaluated.report.reason = text::one_line(&reason);
    }
    if let Some(warning) = situation.data.source_warnings.get(name) {
        let mut report = evaluated.report;
        report.outcome = Outcome::Undecided;
        report.reason_code = ReasonCode::PartialData;
        let why = format!("the source says its data is partial: {warning}");
        return with_sentence(report, &why).into();
    }
    evaluated
}

/// The sums over the window. A comparison counts only the intervals in which both populations had
/// traffic: the others would compare different times.
pub(super) fn totals(counts: &PairedCounts, together: bool) -> Populations<ArmCount> {
    let both = counts.intervals.iter().filter(|interval| {
        !together || (interval.control.exposure > 0.0 && interval.canary.exposure > 0.0)
    });
    PairedCounts {
        intervals: both.copied().collect(),
        quality: counts.quality,
        ..PairedCounts::default()
    }
    .totals()
}

fn on_countable(
    report: CheckReport,
    check: &Check,
    counts: &PairedCounts,
    situation: Situation<'_>,
    levels: Levels,
) -> Evaluated {
    if let Some(why) = untestable(check) {
        return undecided(report, &why).into();
    }
    let counts = absence::countable(check, counts, situation.data);
    on_counts(report, check, &counts, situation, levels)
}

fn on_counts(
    mut report: CheckReport,
    check: &Check,
    counts: &PairedCounts,
    situation: Situation<'_>,
    levels: Levels,
) -> Evaluated {
    let strata = Strata::of(counts).filter(|_| check.is_relative());
    let totals = match &strata {
        Some(strata) => strata.at_the_canarys_mix(),
        None => totals(counts, check.is_relative()),
    };
    let scale = Scale::of(&check.measured);
    let arm = |arm: ArmCount| {
        (arm.exposure > 0.0).then(|| ArmReport {
            events: Some(arm.events),
            total: Some(arm.exposure),
            estimate: estimate(arm),
            interval: scale.interval(arm, levels.compliance),
            bracket: None,
        })
    };
    report.compared = strata.as_ref().map(Strata::told);
    report.control = arm(totals.control);
    report.canary = arm(totals.canary);
    report.ratio = ratio_of_counts(scale, totals, levels.compliance);
    if scale == Scale::Share {
        report.wilson = wilson_report(check.measured.better, totals, levels.compliance);
    }
    if let Some((code, why)) = nothing_counted(check, situation, counts, totals) {
        return without_data(report, code, &why).into();
    }
    let wrong = misleading(check, strata.as_ref(), totals, situation);
    if let Some(why) = wrong {
        return without_data(report, ReasonCode::OtherMix, &why).into();
    }
    let claims = Claims {
        scale,
        violation: Some(Claim {
            limit: check.limit,
            totals,
        }),
        compliance: Some(Claim {
            limit: check.promotion_limit,
            totals,
        }),
    };
    match report.method {
        Method::Kayenta => {
            let points = kayenta::count_points(counts);
            kayenta::conclude(report, check, &points, situation.is_stage_over).into()
        }
        Method::Wilson => conclude_claims(report, check, &claims, situation, levels).into(),
        Method::Sequential => {
            on_intervals(report, check, (counts, strata.as_ref()), &claims, situation)
        }
    }
}

/// Decides counts by what each interval of the grid proves, or each stratum of it.
fn on_intervals(
    mut report: CheckReport,
    check: &Check,
    (counts, strata): (&PairedCounts, Option<&Strata>),
    claims: &Claims,
    situation: Situation<'_>,
) -> Evaluated {
    let grid = situation.data.grid;
    let intervals = match strata {
        Some(strata) => strata.on_every_interval(grid.intervals()),
        None => on_every_interval(&counts.intervals, grid.intervals()),
    };
    let held = |limit| {
        vec![Held {
            limit,
            intervals: intervals.clone(),
            per_interval: strata.map_or(1, Strata::per_interval),
            // The noise of the whole tells nothing of that within a stratum.
            history: match strata {
                Some(_) => None,
                None => situation.noise_before(&check.measured.name, None, limit),
            },
        }]
    };
    let (violation, compliance) = (held(check.limit), held(check.promotion_limit));
    let scale = Scale::of(&check.measured);
    let proof = evidence::of_counts(scale, &violation, &compliance, situation.budget);
    let anytime = anytime_ratio(&intervals, proof.relative_noise, situation.budget);
    report.ratio = match (strata, report.ratio) {
        // The ratio of sums of other mixes says nothing.
        (Some(_), Some(ratio)) => anytime.map(|anytime| RatioReport {
            estimate: ratio.estimate,
            ..anytime
        }),
        _ => anytime,
    };
    let mut evaluated = conclude_proof(report, check, proof, claims.into(), situation);
    let factor = match check.promotion_limit {
        Limit::AtMost { ratio, .. } => ratio,
        Limit::AtLeast { .. } | Limit::Within { .. } => None,
    };
    if let (Outcome::Pass, Some(strata), Some(factor)) = (evaluated.report.outcome, strata, factor)
        && let Ok(confidence) = Confidence::new(situation.pipeline.analysis.confidence)
        && let Some(why) = strata.beyond(factor, confidence)
    {
        evaluated.report = undecided(evaluated.report, &why);
    }
    evaluated
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

/// A report of data that is there, but of new pods only.
fn still_new(report: CheckReport) -> CheckReport {
    undecided(
        report,
        "in every interval so far a pod of the canary was new, and new pods are slow",
    )
}

/// As [`nothing_seen`], of counts whose sums together are given.
fn nothing_counted(
    check: &Check,
    situation: Situation<'_>,
    counts: &PairedCounts,
    together: Populations<ArmCount>,
) -> Option<(ReasonCode, String)> {
    let exposures = |of: Populations<ArmCount>| of.map(|arm| arm.exposure);
    let (alone, together) = (exposures(counts.totals()), exposures(together));
    nothing_seen(check, situation, alone, together)
}

/// Why there is nothing to judge, although the series are there. `alone` is the exposure of each
/// population, `together` that of the intervals in which both had some.
fn nothing_seen(
    check: &Check,
    situation: Situation<'_>,
    alone: Populations<f64>,
    together: Populations<f64>,
) -> Option<(ReasonCode, String)> {
    let (code, why) = without_traffic(check, alone, together)?;
    let why = absence::with_place(why, &check.measured, situation.data);
    Some((code, why))
}

fn without_traffic(
    check: &Check,
    alone: Populations<f64>,
    together: Populations<f64>,
) -> Option<(ReasonCode, &'static str)> {
    if alone.canary <= 0.0 {
        let why = "the canary had no traffic in the window";
        return Some((ReasonCode::NoData, why));
    }
    if !check.is_relative() {
        return None;
    }
    if alone.control <= 0.0 {
        let why = "the control had no traffic in the window";
        return Some((ReasonCode::NoControl, why));
    }
    (together.canary <= 0.0 || together.control <= 0.0).then_some((
        ReasonCode::NoControl,
        "canary and control had no traffic in the same interval, so there is nothing to compare",
    ))
}

fn on_histogram(
    mut report: CheckReport,
    check: &Check,
    histogram: &PairedHistogram,
    situation: Situation<'_>,
    levels: Levels,
) -> Evaluated {
    let MetricKind::Quantile { quantile, .. } = check.measured.kind else {
        return without_data(
            report,
            ReasonCode::NoData,
            "its data is a histogram, it is not",
        )
        .into();
    };
    let looked_at = LookedAt::without(situation.left_out);
    let latency =
        Latency::new(histogram, quantile, looked_at).lasting(situation.budget.longest_intervals);
    let arms = latency.reports(levels.compliance);
    report.ratio = ratio_of_estimates(&arms, levels.compliance);
    report.control = arms.control;
    report.canary = arms.canary;
    let nothing =
        |of: &Latency<'_>| nothing_seen(check, situation, of.totals(), of.totals_together());
    if let Some((code, why)) = nothing(&latency) {
        let whole = Latency::new(histogram, quantile, LookedAt::without(&[]));
        if nothing(&whole).is_none() {
            return still_new(report).into();
        }
        return without_data(report, code, &why).into();
    }
    if let Some(why) = no_bounds(histogram, check.measured.dimension) {
        return without_data(report, ReasonCode::OtherBuckets, &why).into();
    }
    match report.method {
        Method::Kayenta => {
            let points = kayenta::latency_points(histogram, quantile, looked_at);
            kayenta::conclude(report, check, &points, situation.is_stage_over).into()
        }
        Method::Sequential | Method::Wilson => {
            at_the_bounds(report, check, &latency, situation, levels)
        }
    }
}

/// Decides a quantile on the shares of slow requests at the bounds of its histogram.
fn at_the_bounds(
    mut report: CheckReport,
    check: &Check,
    latency: &Latency<'_>,
    situation: Situation<'_>,
    levels: Levels,
) -> Evaluated {
    let limits = match latency.limits(check.limit, check.promotion_limit) {
        Ok(limits) => limits,
        Err(why) => {
            let elapsed = situation.data.grid.intervals() as f64;
            report.needs = latency
                .factor_to_state_limits()
                .map(|factor| needs::projected(&report, elapsed * factor, situation.data.grid));
            return undecided(report, &why).into();
        }
    };
    let claims = latency.claims(&limits);
    let mut evaluated = if report.method.is_valid_at_any_time() {
        let (violation, compliance) =
            latency.held(&limits, situation.data.grid.intervals(), |bound, limit| {
                situation.noise_before(&check.measured.name, Some(bound), limit)
            });
        let proof = evidence::of_counts(Scale::Share, &violation, &compliance, situation.budget)
            .known_from(limits.known_from);
        conclude_proof(report, check, proof, latency.plannable(&limits), situation)
    } else {
        conclude_claims(report, check, &claims, situation, levels).into()
    };
    evaluated.blind_spot = if let Some(blind) = limits.blind {
        let between = text::interval(blind, check.measured.dimension);
        Some(format!("the buckets decide nothing inside {between}"))
    } else if limits.is_strict {
        let why = "the control has too few slow requests to show that the limit is kept";
        Some(why.to_owned())
    } else if !limits.can_be_kept() {
        Some("the buckets are too wide to show that the limit is kept".to_owned())
    } else {
        None
    };
    evaluated
}

fn on_gauge(
    mut report: CheckReport,
    check: &Check,
    values: &PairedGauge,
    situation: Situation<'_>,
    levels: Levels,
) -> Evaluated {
    let unknown_canary = gauge::not_finite(values, Population::Canary);
    let unknown_control = || {
        let control = gauge::not_finite(values, Population::Control);
        control.filter(|_| check.limit.needs_control())
    };
    if let Some(why) = unknown_canary.or_else(unknown_control) {
        return without_data(report, ReasonCode::NotFinite, &why).into();
    }
    let values = &*gauge::without_unknown_control(values);
    let looked_at = LookedAt::without(situation.left_out);
    let warm = PairedGauge {
        intervals: values
            .intervals
            .iter()
            .enumerate()
            .map(|(interval, pair)| {
                if looked_at.keeps(interval, 1) {
                    *pair
                } else {
                    Populations::default()
                }
            })
            .collect(),
        loads: values.loads.clone(),
        ..PairedGauge::default()
    };
    let arms = gauge::reports(&warm, levels.compliance);
    report.compared = load::told(check, &warm);
    report.ratio = ratio_of_estimates(&arms, levels.compliance);
    report.control = arms.control;
    report.canary = arms.canary;
    if report.canary.is_none() && values.intervals.iter().any(|pair| pair.canary.is_some()) {
        return still_new(report).into();
    }
    if report.canary.is_none() {
        let why = "the canary has no value in the window";
        return without_data(report, ReasonCode::NoData, why).into();
    }
    if check.is_relative() && report.control.is_none() {
        let why = "the control has no value in the window";
        return without_data(report, ReasonCode::NoControl, why).into();
    }
    match report.method {
        Method::Kayenta => {
            let points = kayenta::gauge_points(&warm);
            kayenta::conclude(report, check, &points, situation.is_stage_over).into()
        }
        Method::Sequential | Method::Wilson => {
            on_differences(report, check, &warm, situation, levels)
        }
    }
}

/// Decides a gauge on the differences of both populations in each interval.
fn on_differences(
    mut report: CheckReport,
    check: &Check,
    values: &PairedGauge,
    situation: Situation<'_>,
    levels: Levels,
) -> Evaluated {
    let (violation, compliance) = (check.limit, check.promotion_limit);
    let usable = gauge::usable_intervals(values, violation.needs_control());
    let fewest = check.fewest_intervals().decided;
    if usable < fewest {
        let grid = situation.data.grid;
        let missing = fewest - usable;
        let intervals = (grid.intervals() + missing) as f64;
        report.needs = Some(NeedsReport {
            canary_total: fewest as f64,
            ..needs::projected(&report, intervals, grid)
        });
        let values = values_text(&report, check.measured.dimension);
        let why = format!("undecided, {values}; {usable} of {fewest} intervals that a gauge needs");
        return undecided(report, &why).into();
    }
    if report.method.is_valid_at_any_time() {
        let known_from = gauge::usable_from(values, violation.needs_control(), fewest);
        let mut proof = evidence::of_gauge(
            &load::allowed(check, values),
            &load::required(check, values),
            violation,
            compliance,
            situation.budget,
        )
        .known_from(known_from);
        proof.is_kept |= gauge::is_on_the_limit(values, compliance, check.is_inclusive);
        return conclude_proof(report, check, proof, Plannable::default(), situation);
    }
    let shown = gauge::shown(
        values,
        violation,
        compliance,
        check.is_inclusive,
        check.may_fail,
        levels,
    );
    conclude(report, check, shown).into()
}

/// Concludes from claims on counts in a single look, and plans what an open one still needs.
fn conclude_claims(
    report: CheckReport,
    check: &Check,
    claims: &Claims,
    situation: Situation<'_>,
    levels: Levels,
) -> CheckReport {
    let shown = claims.shown(levels);
    let report = conclude(report, check, shown);
    if shown != Shown::Open {
        return report;
    }
    let factor = claims.factor_to_decide(levels);
    let elapsed = situation.data.grid.intervals() as f64;
    needs::told(
        report,
        check,
        factor.map(|factor| factor * elapsed),
        situation.data,
    )
}

/// Concludes from evidence over time. Whether it rolls back is decided over all checks together.
fn conclude_proof(
    mut report: CheckReport,
    check: &Check,
    proof: Proof,
    plannable: Plannable,
    situation: Situation<'_>,
) -> Evaluated {
    let budget = situation.budget;
    let threshold = budget.rollback.log_threshold();
    let crossed = |path: &[f64]| path.iter().any(|log_evidence| *log_evidence >= threshold);
    let is_control_violated = proof.control_violation.as_deref().is_some_and(crossed);
    report.evidence = Some(EvidenceReport {
        rollback: e_value(proof.violation.last().copied().unwrap_or(0.0)),
        rollback_at: e_value(threshold),
        promote: proof.compliance.map(e_value),
        promote_at: e_value(budget.promotion.log_threshold()),
        dispersion: proof.dispersion,
        dispersion_from: proof.dispersion_from,
    });
    let shown = Shown::of(false, is_control_violated, proof.is_kept);
    Evaluated {
        report: conclude(report, check, shown),
        proof: Some(proof),
        plannable,
        blind_spot: None,
    }
}

/// Tells what a stage of this length can see at today's traffic, and what an open check needs.
fn with_outlook(mut evaluated: Evaluated, check: &Check, situation: Situation<'_>) -> Evaluated {
    let Evaluated {
        report,
        proof: Some(proof),
        plannable,
        ..
    } = &mut evaluated
    else {
        return evaluated;
    };
    let Some(violation) = plannable.violation.first().copied() else {
        return evaluated;
    };
    let grid = situation.data.grid;
    let budget = situation.budget;
    let outlook = Outlook {
        scale: Scale::of(&check.measured),
        intervals: grid.intervals(),
        longest_intervals: situation.stage_intervals,
        dispersion: proof.dispersion,
        rollback: alone(check, situation).unwrap_or(budget.rollback),
        promotion: budget.promotion,
    };
    // The ratio of tail shares at a bucket bound would mean nothing to the reader.
    let is_of_counts = match check.measured.kind {
        MetricKind::Quantile { .. } => false,
        MetricKind::Proportion { .. }
        | MetricKind::EventRate { .. }
        | MetricKind::Gauge { .. }
        | MetricKind::PerRequest { .. } => true,
    };
    if is_of_counts && alone(check, situation).is_some() {
        report.detectable_ratio = outlook.detectable_ratio(violation);
    }
    let is_open =
        report.outcome == Outcome::Undecided && report.reason_code == ReasonCode::Undecided;
    if !is_open || matches!(violation.limit, Limit::Within { .. }) {
        return evaluated;
    }
    let needed = outlook.intervals_to_decide(plannable);
    let mut told = needs::told(report.clone(), check, needed, situation.data);
    let is_too_long = needed.is_some_and(|needed| needed > situation.stage_intervals);
    if let (Some(needs), Some(compliance), true) =
        (&mut told.needs, plannable.compliance.first(), is_too_long)
    {
        needs.traffic_factor = outlook.traffic_factor(*compliance);
        let provable = outlook.provable_ratio(*compliance);
        needs.provable_ratio = provable.filter(|_| is_of_counts && check.limit.is_plain_ratio());
    }
    *report = told;
    evaluated
}

/// The accepted false rollbacks of one check alone; nothing for one that may not roll back.
fn alone(check: &Check, situation: Situation<'_>) -> Option<ErrorRate> {
    share_of_votes(check, &situation.stage.checks)
        .map(|share| situation.budget.rollback_alone(share))
}

/// The ratio of counts with an interval that may be looked at after every interval of the window.
///
/// Each of its ends is held to the accepted false rollbacks, as the evidence is: the confidence
/// is that of both together.
fn anytime_ratio(
    intervals: &[IntervalCounts],
    noise: Option<Dispersion>,
    budget: Budget,
) -> Option<RatioReport> {
    let noise = noise.unwrap_or_else(|| {
        let mut noise = NoiseState::relative(None);
        for counts in intervals {
            noise.push(counts);
        }
        noise.dispersion(0)
    });
    let both_ends = ErrorRate::new(2.0 * budget.rollback.value()).ok()?;
    let ratio = ratio_interval(intervals, noise, both_ends)?;
    Some(RatioReport {
        estimate: ratio.value?,
        interval: Some(ratio.interval),
        confidence: 1.0 - both_ends.value(),
    })
}

/// `exp`, bounded so that it stays a number that JSON can tell.
pub(super) fn e_value(log_evidence: f64) -> f64 {
    libm::exp(log_evidence.min(690.0))
}

fn ratio_of_estimates(
    arms: &Populations<Option<ArmReport>>,
    confidence: Confidence,
) -> Option<RatioReport> {
    let estimate = arms.canary.as_ref()?.estimate? / arms.control.as_ref()?.estimate?;
    let confidence = confidence.value();
    estimate.is_finite().then_some(RatioReport {
        estimate,
        interval: None,
        confidence,
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
