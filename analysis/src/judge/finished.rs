//! What is added to a check that was concluded: what it still needs, and what its data cannot show.

use crate::pipeline::{Check, Limit, MetricKind};
use crate::sequential::Dispersion;
use crate::text;

use super::evaluated::{Evaluated, Situation};
use super::limit::Scale;
use super::lines;
use super::model::{Outcome, ReasonCode};
use super::needs::{self, Outlook};
use super::quantile::Asked;

/// Adds to what was concluded what is still needed, and what the data cannot show.
pub(super) fn finished(evaluated: Evaluated, check: &Check, situation: Situation<'_>) -> Evaluated {
    let mut evaluated = with_outlook(evaluated, check, situation);
    if let (Some(blind_spot), Outcome::Undecided) =
        (&evaluated.blind_spot, evaluated.report.outcome)
    {
        let report = &mut evaluated.report;
        let reason = format!("{}; {blind_spot}", report.reason);
        // How it was compared stands in the answer by itself: it gives way to what would help.
        let compared = report
            .compared
            .as_ref()
            .filter(|_| !text::is_short(&reason));
        let reason = compared.map_or_else(
            || reason.clone(),
            |compared| reason.replacen(&format!("; {compared}"), "", 1),
        );
        report.reason = text::one_line(&reason);
    }
    evaluated
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
        quantile: Asked::of_check(check).ok(),
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
    let Some(counts) = &evaluated.counts else {
        return evaluated;
    };
    let noise = counts.dispersion;
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
