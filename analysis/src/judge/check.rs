//! One check: from its metric's data to an outcome, with the numbers that explain it.

use crate::interval::Count;
use crate::interval::{Confidence, classify, newcombe_difference, proportion_ratio, rate_ratio};
use crate::pipeline::{Better, Check, Comparison, Condition, Dimension, Method, Metric};
use crate::pipeline::{MetricKind, Pipeline, Stage};
use crate::series::{ArmCount, PairedCounts, PairedGauge, PairedHistogram, Populations};

use super::latency::WindowHistogram;
use super::limit::{Claim, Claims, Limit, Scale, Shown, estimate};
use super::model::{
    ArmReport, CheckReport, MetricData, NeedsReport, Outcome, RatioReport, ReasonCode, StageData,
    WilsonReport,
};
use super::{gauge, kayenta, text};

/// How sure the judge must be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Levels {
    /// Of a violation: the confidence after its share for the other checks of the stage.
    pub(super) violation: Confidence,
    /// Of compliance, and of the intervals that are reported.
    pub(super) compliance: Confidence,
}

/// A check made concrete: which data it reads and what must hold of it.
#[derive(Clone, Copy)]
pub(super) struct Question<'a> {
    /// What the data measures; for an impact, the metric it is the impact of.
    pub(super) metric: &'a Metric,
    /// What must hold.
    pub(super) condition: Condition,
    /// The ratio that must be kept for a promotion.
    promote_ratio: f64,
    /// The unit of the reported values.
    dimension: Dimension,
}

/// A canary shown to stay below twice its control is good enough to go on, unless the check's
/// own ratio is wider. Source: statistics design, section 1.
const PROMOTE_RATIO_AT_LEAST: f64 = 2.0;
const PROMOTE_RATIO_OVER_LIMIT: f64 = 1.25;
/// Where more is better a loss of a tenth beyond the limit must be excluded: halving, the mirror
/// of doubling, would be no bar at all for conversions or revenue.
const PROMOTE_SHARE_OF_LIMIT: f64 = 0.9;

/// Makes a check concrete, or says why it cannot be.
pub(super) fn question<'a>(check: &Check, pipeline: &'a Pipeline) -> Option<Question<'a>> {
    let named = pipeline.metrics.get(&check.metric)?;
    let (metric, condition) = match (&named.kind, check.condition) {
        (MetricKind::Impact { of }, Condition::Absolute { comparison, limit }) => {
            let metric = pipeline.metrics.get(of)?;
            (metric, impact_condition(metric.better, comparison, limit))
        }
        (MetricKind::Impact { of }, condition) => (pipeline.metrics.get(of)?, condition),
        (_, condition) => (named, condition),
    };
    let ratio = match condition {
        Condition::Relative {
            comparison, ratio, ..
        } => {
            let wanted = check.promote_ratio.or(pipeline.analysis.promote_ratio);
            if comparison.wants_less() {
                wanted
                    .unwrap_or((PROMOTE_RATIO_OVER_LIMIT * ratio).max(PROMOTE_RATIO_AT_LEAST))
                    .max(ratio)
            } else {
                // A ratio above 1 was meant for the checks where less is better.
                wanted
                    .filter(|wanted| *wanted <= 1.0)
                    .unwrap_or(PROMOTE_SHARE_OF_LIMIT * ratio)
                    .min(ratio)
            }
        }
        Condition::Absolute { .. } | Condition::Within { .. } => 1.0,
    };
    Some(Question {
        metric,
        condition,
        promote_ratio: ratio,
        dimension: metric.dimension,
    })
}

/// `(control - canary) / control < limit` is a relative limit on the metric itself.
fn impact_condition(better: Better, comparison: Comparison, limit: f64) -> Condition {
    let (comparison, ratio) = match (better, comparison.wants_less()) {
        (Better::Higher, true) => (Comparison::Greater, 1.0 - limit),
        (Better::Higher, false) => (Comparison::Less, 1.0 - limit),
        (Better::Lower, true) => (Comparison::Less, 1.0 + limit),
        (Better::Lower, false) => (Comparison::Greater, 1.0 + limit),
    };
    Condition::Relative {
        comparison,
        ratio,
        offset: 0.0,
    }
}

impl Question<'_> {
    /// The limit whose violation rolls back.
    fn violation(&self) -> Limit {
        self.limit(None)
    }

    /// The limit that must be kept for a promotion.
    fn compliance(&self) -> Limit {
        self.limit(Some(self.promote_ratio))
    }

    fn limit(&self, ratio_instead: Option<f64>) -> Limit {
        match self.condition {
            Condition::Absolute { comparison, limit } => {
                Limit::absolute(comparison.wants_less(), limit)
            }
            Condition::Relative {
                comparison,
                ratio,
                offset,
            } => Limit::relative(
                comparison.wants_less(),
                ratio_instead.unwrap_or(ratio),
                offset,
            ),
            Condition::Within { tolerance } => Limit::Within { tolerance },
        }
    }

    /// Whether the check compares with the control.
    pub(super) fn is_relative(&self) -> bool {
        !matches!(self.condition, Condition::Absolute { .. })
    }

    /// The same question with another condition.
    pub(super) fn with_condition(&self, condition: Condition) -> Self {
        Self { condition, ..*self }
    }

    fn scale(&self) -> Scale {
        match self.metric.kind {
            MetricKind::EventRate { .. } => Scale::Rate,
            _ => Scale::Share,
        }
    }

    /// The claims on counts of events.
    pub(super) fn count_claims(&self, totals: Populations<ArmCount>) -> Claims {
        Claims {
            scale: self.scale(),
            violation: Some(Claim {
                limit: self.violation(),
                totals,
            }),
            compliance: Some(Claim {
                limit: self.compliance(),
                totals,
            }),
        }
    }
}

/// What is the same for all checks of one judgement.
#[derive(Clone, Copy)]
pub(super) struct Situation<'a> {
    pub(super) pipeline: &'a Pipeline,
    pub(super) stage: &'a Stage,
    pub(super) data: &'a StageData,
    /// Whether the stage's duration is over: a method for one look at the end waits for it.
    pub(super) is_stage_over: bool,
}

/// Judges one check.
pub(super) fn evaluate(check: &Check, situation: Situation<'_>, levels: Levels) -> CheckReport {
    let pipeline = situation.pipeline;
    let method = check.method.unwrap_or(pipeline.analysis.method);
    let mut report = empty_report(check, method);
    let Some(question) = question(check, pipeline) else {
        return without_data(report, ReasonCode::NoData, "its metric is not defined");
    };
    if question.is_relative() && situation.stage.traffic_percent >= 100.0 {
        report.counts = false;
        let reason = "at 100 % traffic there is no control to compare with; it stopped counting";
        return without_data(report, ReasonCode::NoControl, reason);
    }
    let name = &question.metric.name;
    let fault = |code, message: &str, report| without_data(report, code, message);
    let Some(data) = situation.data.metrics.get(name) else {
        return fault(
            ReasonCode::NoData,
            "nothing was read for its metric",
            report,
        );
    };
    // Kayenta's test compares two populations: absolute limits are decided on intervals.
    if method == Method::Kayenta && !question.is_relative() {
        report.method = Method::Wilson;
    }
    let mut report = match data {
        MetricData::Fault(data_fault) => {
            return fault(data_fault.code, &data_fault.message, report);
        }
        MetricData::Counts(counts) => counts_report(report, &question, counts, situation, levels),
        MetricData::Histogram(histogram) => {
            histogram_report(report, &question, histogram, situation, levels)
        }
        MetricData::Gauge(values) => gauge_report(report, &question, values, situation, levels),
    };
    if let Some(warning) = situation.data.source_warnings.get(name) {
        report.outcome = Outcome::Undecided;
        report.reason_code = ReasonCode::PartialData;
        report.reason = sentence(
            check,
            &format!("the source says its data is partial: {warning}"),
        );
    }
    report
}

fn empty_report(check: &Check, method: Method) -> CheckReport {
    CheckReport {
        metric: check.metric.clone(),
        condition: check.text.clone(),
        outcome: Outcome::NoData,
        method,
        reason_code: ReasonCode::NoData,
        reason: String::new(),
        critical: check.critical,
        warn_only: check.warn_only,
        counts: true,
        control: None,
        canary: None,
        ratio: None,
        wilson: None,
        needs: None,
    }
}

fn sentence(check: &Check, rest: &str) -> String {
    text::one_line(&format!("{}: {rest}", check.text))
}

fn with_sentence(mut report: CheckReport, rest: &str) -> CheckReport {
    report.reason = text::one_line(&format!("{}: {rest}", report.condition));
    report
}

fn without_data(mut report: CheckReport, code: ReasonCode, why: &str) -> CheckReport {
    report.outcome = Outcome::NoData;
    report.reason_code = code;
    with_sentence(report, why)
}

fn counts_report(
    mut report: CheckReport,
    question: &Question<'_>,
    counts: &PairedCounts,
    situation: Situation<'_>,
    levels: Levels,
) -> CheckReport {
    let totals = counts.totals();
    let scale = question.scale();
    let arm = |arm: ArmCount| {
        (arm.exposure > 0.0).then(|| ArmReport {
            events: Some(arm.events),
            total: Some(arm.exposure),
            estimate: estimate(arm),
            interval: scale.interval(arm, levels.compliance),
            bracket: None,
        })
    };
    report.control = arm(totals.control);
    report.canary = arm(totals.canary);
    report.ratio = ratio_report(scale, totals, levels.compliance);
    if scale == Scale::Share {
        report.wilson = wilson_report(question.metric.better, totals, levels.compliance);
    }
    if let Some(nothing) = nothing_seen(question, totals.map(|arm| arm.exposure)) {
        return without_data(report, nothing.0, nothing.1);
    }
    if report.method == Method::Kayenta {
        let points = kayenta::count_points(counts);
        return kayenta::conclude(report, question.condition, &points, situation.is_stage_over);
    }
    let claims = question.count_claims(totals);
    conclude_claims(report, question, &claims, situation, levels)
}

/// Why there is nothing to judge, although the series are there.
fn nothing_seen(
    question: &Question<'_>,
    exposure: Populations<f64>,
) -> Option<(ReasonCode, &'static str)> {
    if exposure.canary <= 0.0 {
        return Some((
            ReasonCode::NoData,
            "the canary had no traffic in the window",
        ));
    }
    (question.is_relative() && exposure.control <= 0.0).then_some((
        ReasonCode::NoControl,
        "the control had no traffic in the window",
    ))
}

fn histogram_report(
    mut report: CheckReport,
    question: &Question<'_>,
    histogram: &PairedHistogram,
    situation: Situation<'_>,
    levels: Levels,
) -> CheckReport {
    let MetricKind::Quantile { quantile, .. } = question.metric.kind else {
        return without_data(
            report,
            ReasonCode::NoData,
            "its data is a histogram, it is not",
        );
    };
    let window = WindowHistogram::since(histogram, 0);
    let arms = window.reports(quantile, levels.compliance);
    report.ratio = arms.control.as_ref().and_then(|control| {
        let estimate = arms.canary.as_ref()?.estimate? / control.estimate?;
        let confidence = levels.compliance.value();
        estimate.is_finite().then_some(RatioReport {
            estimate,
            interval: None,
            confidence,
        })
    });
    report.control = arms.control;
    report.canary = arms.canary;
    if let Some(nothing) = nothing_seen(question, window.totals()) {
        return without_data(report, nothing.0, nothing.1);
    }
    if report.method == Method::Kayenta {
        let points = kayenta::latency_points(histogram, quantile);
        return kayenta::conclude(report, question.condition, &points, situation.is_stage_over);
    }
    let claims = match window.claims(&question.condition, quantile, question.promote_ratio) {
        Ok(claims) => claims,
        Err(why) => {
            report.outcome = Outcome::Undecided;
            report.reason_code = ReasonCode::Undecided;
            return with_sentence(report, &why);
        }
    };
    let mut report = conclude_claims(report, question, &claims, situation, levels);
    if report.outcome == Outcome::Undecided
        && let Condition::Absolute { limit, .. } = question.condition
        && let Some(blind) = window.undecidable_between(limit)
    {
        let between = text::interval(blind, question.dimension);
        report.reason = text::one_line(&format!(
            "{}; the buckets decide nothing inside {between}",
            report.reason
        ));
    }
    report
}

fn gauge_report(
    mut report: CheckReport,
    question: &Question<'_>,
    values: &PairedGauge,
    situation: Situation<'_>,
    levels: Levels,
) -> CheckReport {
    let arms = gauge::reports(values, levels.compliance);
    report.ratio = arms.control.as_ref().and_then(|control| {
        let estimate = arms.canary.as_ref()?.estimate? / control.estimate?;
        let confidence = levels.compliance.value();
        estimate.is_finite().then_some(RatioReport {
            estimate,
            interval: None,
            confidence,
        })
    });
    report.control = arms.control;
    report.canary = arms.canary;
    if report.canary.is_none() {
        return without_data(
            report,
            ReasonCode::NoData,
            "the canary has no value in the window",
        );
    }
    if question.is_relative() && report.control.is_none() {
        return without_data(
            report,
            ReasonCode::NoControl,
            "the control has no value in the window",
        );
    }
    if report.method == Method::Kayenta {
        let points = kayenta::gauge_points(values);
        return kayenta::conclude(report, question.condition, &points, situation.is_stage_over);
    }
    let (violation, compliance) = (question.violation(), question.compliance());
    let usable = gauge::usable_intervals(values, violation.needs_control());
    if usable < gauge::FEWEST_INTERVALS {
        report.outcome = Outcome::Undecided;
        report.reason_code = ReasonCode::Undecided;
        let needed = gauge::FEWEST_INTERVALS as f64;
        let grid = situation.data.grid;
        report.needs = Some(NeedsReport {
            canary_total: needed,
            projected_at_ms: Some(
                grid.boundary_ms(grid.intervals() + gauge::FEWEST_INTERVALS - usable),
            ),
        });
        let why = format!("{usable} of {needed} intervals that a gauge needs");
        return with_sentence(report, &why);
    }
    let shown = gauge::shown(
        values,
        (violation, levels.violation),
        (compliance, levels.compliance),
    );
    conclude(report, question, shown)
}

/// Concludes from claims on counts, and plans what an open one still needs.
fn conclude_claims(
    report: CheckReport,
    question: &Question<'_>,
    claims: &Claims,
    situation: Situation<'_>,
    levels: Levels,
) -> CheckReport {
    let shown = claims.shown(levels.violation, levels.compliance);
    let mut report = conclude(report, question, shown);
    if shown != Shown::Open {
        return report;
    }
    let seen = report
        .canary
        .as_ref()
        .and_then(|canary| canary.total)
        .unwrap_or(0.0);
    let unit = match question.scale() {
        Scale::Share => "canary requests",
        Scale::Rate => "units of exposure",
    };
    let values = values_text(&report, question.dimension);
    let Some(factor) = claims.factor_to_decide(levels.violation, levels.compliance) else {
        let no_events = question.is_relative()
            && report
                .control
                .as_ref()
                .is_some_and(|control| control.events == Some(0.0));
        let why = if no_events {
            format!(
                "undecided, {values}: the control has no events to compare with; allow some by \
                 a limit such as \"baseline + 0.001\""
            )
        } else {
            format!("undecided, {values}: too near to its limit for any amount of traffic")
        };
        return with_sentence(report, &why);
    };
    let needed = seen * factor;
    let grid = situation.data.grid;
    let elapsed_ms = (grid.end_ms() - grid.start_ms()) as f64;
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a factor of 1e6 on a window of days fits"
    )]
    let projected_at_ms = grid.start_ms().saturating_add((elapsed_ms * factor) as i64);
    report.needs = Some(NeedsReport {
        canary_total: needed,
        projected_at_ms: Some(projected_at_ms),
    });
    let (seen, needed) = (text::count(seen), text::about(needed));
    let why = format!("undecided, {seen} of about {needed} {unit}; {values}");
    with_sentence(report, &why)
}

/// Turns what was shown into outcome, code and sentence.
fn conclude(mut report: CheckReport, question: &Question<'_>, shown: Shown) -> CheckReport {
    let values = values_text(&report, question.dimension);
    let (outcome, code, why) = match shown {
        Shown::Kept => (
            Outcome::Pass,
            ReasonCode::Passed,
            format!("shown, {values}"),
        ),
        Shown::Violated => (
            Outcome::Fail,
            ReasonCode::CheckFailed,
            format!("broken, {values}"),
        ),
        Shown::BothViolated => (
            Outcome::Undecided,
            ReasonCode::Environment,
            format!("the control breaks the same limit, {values}; the environment is to blame"),
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
    arms.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

fn ratio_report(
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
