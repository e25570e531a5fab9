//! One check: from its metric's data to an outcome, with the numbers that explain it.

use crate::interval::Confidence;
use crate::pipeline::{Check, Limit, Method, MetricKind};
use crate::sequential::Dispersion;
use crate::series::{PairedGauge, PairedHistogram, Population, Populations};

use super::bounds::no_bounds;
use super::conclude::{
    conclude, empty_report, undecided, values_text, with_sentence, without_data,
};
use super::counts::{self, Looked};
use super::evaluated::{Evaluated, Situation, conclude_claims, e_value, nothing_seen, still_new};
use super::evidence::{self, Proof};
use super::latency::Latency;
use super::limit::{Levels, Plannable, Scale, Shown};
use super::lines;
use super::model::{
    ArmReport, CheckReport, EvidenceReport, NeedsReport, Outcome, RatioReport, ReasonCode,
};
use super::needs::{self, Outlook};
use super::warm_up::LookedAt;
use super::{absence, gauge, kayenta, load, populations};
use crate::data::MetricData;
use crate::text;

/// Looks at one check: all that can be said of it by itself.
pub(super) fn look(check: &Check, situation: Situation<'_>, levels: Levels) -> Looked {
    let report = empty_report(check, check.method, check.may_roll_back);
    if !check.counts_at(situation.stage.traffic_percent) {
        let reason = "at 100 % traffic there is no control to compare with; it stopped counting";
        let report = CheckReport {
            counts: false,
            ..report
        };
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
    if let Some(warning) = situation.data.source_warnings.get(name)
        && !matches!(found, None | Some(MetricData::Fault(_)))
    {
        let mut report = report;
        report.outcome = Outcome::Undecided;
        report.reason_code = ReasonCode::PartialData;
        let why = format!("the source says its data is partial: {warning}");
        return with_sentence(report, &why).into();
    }
    match found {
        None => {
            let why = "nothing was read for its metric";
            without_data(report, ReasonCode::NoData, why).into()
        }
        Some(MetricData::Fault(fault)) => {
            without_data(report, fault.code.into(), &fault.message).into()
        }
        Some(MetricData::Counts(counts)) => counts::look(report, check, counts, situation, levels),
        Some(MetricData::Histogram(histogram)) => {
            let evaluated = on_histogram(report, check, histogram, situation, levels);
            finished(evaluated, check, situation).into()
        }
        Some(MetricData::Gauge(values)) => {
            let evaluated = on_gauge(report, check, values, situation, levels);
            finished(evaluated, check, situation).into()
        }
    }
}

/// Adds to what was concluded what is still needed, and what the data cannot show.
pub(super) fn finished(evaluated: Evaluated, check: &Check, situation: Situation<'_>) -> Evaluated {
    let mut evaluated = with_outlook(evaluated, check, situation);
    if let (Some(blind_spot), Outcome::Undecided) =
        (&evaluated.blind_spot, evaluated.report.outcome)
    {
        let reason = format!("{}; {blind_spot}", evaluated.report.reason);
        evaluated.report.reason = text::one_line(&reason);
    }
    evaluated
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
        dispersion: proof.dispersion.map(|noise| noise.value),
        dispersion_from: proof.dispersion_from,
    });
    let shown = Shown::of(false, is_control_violated, proof.is_kept);
    Evaluated {
        proof: Some(proof),
        plannable,
        ..Evaluated::from(conclude(report, check, shown))
    }
}

/// A check's part of the rollout's error rate; nothing for one without a vote.
fn share_of(check: &Check, situation: Situation<'_>) -> Option<f64> {
    let mut checks = situation.stage.checks.iter();
    let place = checks.position(|one| std::ptr::eq(one, check))?;
    situation.course.share(situation.stage, place)
}

/// What a check's stage can see with this noise.
fn outlook(
    check: &Check,
    share: Option<f64>,
    noise: Option<Dispersion>,
    situation: Situation<'_>,
) -> Outlook {
    let grid = situation.data.grid;
    let budget = situation.budget;
    Outlook {
        scale: Scale::of(&check.measured),
        counted: lines::counted(&check.measured),
        has_control: lines::has_control(check, situation.stage),
        interval_seconds: grid.interval_ms() as f64 / 1_000.0,
        intervals: grid.intervals(),
        longest_intervals: situation.stage_intervals,
        noise,
        rollback: share.map_or(budget.rollout, |share| budget.rollback_alone(share)),
        promotion: budget.promotion,
    }
}

/// Tells what a stage of this length can see at today's traffic, and what an open check needs.
fn with_outlook(mut evaluated: Evaluated, check: &Check, situation: Situation<'_>) -> Evaluated {
    let Some(violation) = evaluated.plannable.violation.first().copied() else {
        return evaluated;
    };
    let noise = match (&evaluated.counts, &evaluated.proof) {
        (Some(counts), _) => counts.dispersion,
        (None, Some(proof)) => proof.dispersion,
        (None, None) => return evaluated,
    };
    let share = share_of(check, situation);
    let outlook = outlook(check, share, noise, situation);
    // The ratio of tail shares at a bucket bound would mean nothing to the reader.
    let is_of_counts = match check.measured.kind {
        MetricKind::Quantile { .. } => false,
        MetricKind::Proportion { .. }
        | MetricKind::EventRate { .. }
        | MetricKind::Gauge { .. }
        | MetricKind::PerRequest { .. } => true,
    };
    let has_another_cause = evaluated.blind_spot.is_some();
    let Evaluated {
        report, plannable, ..
    } = &mut evaluated;
    if is_of_counts && share.is_some() {
        report.detectable_ratio = outlook.detectable_ratio(violation);
    }
    let is_open =
        report.outcome == Outcome::Undecided && report.reason_code == ReasonCode::Undecided;
    if !is_open || matches!(violation.limit, Limit::Within { .. }) {
        return evaluated;
    }
    let needed = outlook.intervals_to_decide(plannable);
    let mut told = needs::told(
        report.clone(),
        check,
        (needed, has_another_cause),
        situation.data,
    );
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
