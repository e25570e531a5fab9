//! How much longer, or how much more traffic, an undecided check takes.

use crate::pipeline::MetricKind;
use crate::sequential::Pace;
use crate::series::{ArmCount, Grid};

use super::conclude::{undecided, values_text};
use super::evidence::{Budget, Proof};
use super::growth::{Claimed, growth};
use super::limit::Claims;
use super::model::{CheckReport, NeedsReport};
use super::question::Question;
use super::text;

/// Tells an open check what it needs, given the intervals until it is decided at today's traffic;
/// nothing when no amount would do.
pub(super) fn told(
    mut report: CheckReport,
    question: &Question<'_>,
    intervals_to_decide: Option<f64>,
    grid: Grid,
) -> CheckReport {
    let values = values_text(&report, question.dimension());
    let seen = report
        .canary
        .as_ref()
        .and_then(|canary| canary.total)
        .unwrap_or(0.0);
    let elapsed = grid.intervals() as f64;
    let Some(intervals) = intervals_to_decide else {
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
            format!("undecided, {values}: too near to its limits to decide at this traffic")
        };
        return undecided(report, &why);
    };
    let needed = seen * intervals / elapsed.max(1.0);
    #[expect(
        clippy::cast_possible_truncation,
        reason = "saturates, far beyond any rollout"
    )]
    let projected_at_ms = grid
        .start_ms()
        .saturating_add((grid.interval_ms() as f64 * intervals) as i64);
    report.needs = Some(NeedsReport {
        canary_total: needed,
        projected_at_ms: Some(projected_at_ms),
    });
    let unit = match question.metric.kind {
        MetricKind::EventRate { .. } => "units of exposure of the canary",
        _ => "canary requests",
    };
    let why = if seen > 0.0 && needed > seen {
        let (seen, needed) = (text::count(seen), text::about(needed));
        format!("undecided, {seen} of about {needed} {unit}; {values}")
    } else {
        format!("undecided, {values}")
    };
    undecided(report, &why)
}

/// Intervals from the start of the window until the sequential method decides, if traffic and
/// estimates stay as they are: the sooner of rollback and promotion.
///
/// Source: the growth of evidence, statistics design, section 12.
pub(super) fn intervals_to_decide(
    question: &Question<'_>,
    claims: &Claims,
    proof: &Proof,
    budget: Budget,
    grid: Grid,
) -> Option<f64> {
    let intervals = grid.intervals().max(1) as f64;
    let violation = claims.violation?;
    let per_interval = violation.totals.map(|arm| ArmCount {
        events: arm.events / intervals,
        exposure: arm.exposure / intervals,
    });
    let scale = question.scale();
    let dispersion = proof.dispersion.unwrap_or(1.0);
    let pace = Pace::new(dispersion, budget.rollback, budget.promotion);
    let broken = growth(violation.limit, Claimed::Broken, scale, &per_interval);
    let kept = claims
        .compliance
        .and_then(|claim| growth(claim.limit, Claimed::Kept, scale, &per_interval));
    let options = [
        broken.map(|growth| pace.intervals_to_roll_back(growth)),
        kept.map(|growth| pace.intervals_to_promote(growth)),
    ];
    options
        .into_iter()
        .flatten()
        .filter(|intervals| intervals.is_finite())
        .reduce(f64::min)
        // What is not decided yet takes at least one interval more.
        .map(|needed| needed.max(intervals + 1.0))
}
