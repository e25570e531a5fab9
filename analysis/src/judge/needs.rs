//! How much longer, or how much more traffic, an undecided check takes, and what its stage can see.

use crate::pipeline::{Check, Limit, MetricKind};
use crate::sequential::{ErrorRate, ExpectedTraffic, IntervalCounts, Pace, Prospect};
use crate::series::{ArmCount, Grid};

use super::absence;
use super::conclude::{undecided, values_text};
use super::growth::{Claimed, growth};
use super::limit::{Claim, Plannable, Scale, estimate};
use super::model::{CheckReport, NeedsReport};
use crate::data::StageData;
use crate::text;

/// Tells an open check what it needs, given the intervals until it is decided at today's traffic;
/// nothing when no amount would do.
pub(super) fn told(
    mut report: CheckReport,
    check: &Check,
    intervals_to_decide: Option<f64>,
    data: &StageData,
) -> CheckReport {
    let values = values_text(&report, check.measured.dimension);
    let seen = seen(&report);
    let Some(intervals) = intervals_to_decide else {
        let no_events = check.is_relative()
            && report
                .control
                .as_ref()
                .is_some_and(|control| control.events == Some(0.0));
        let why = if no_events && absence::has_no_event_series(&check.measured, data) {
            // To allow some would pass a selector that finds nothing.
            format!("undecided, {values}: there are no events to compare")
        } else if no_events {
            format!(
                "undecided, {values}: the control has no events to compare with; allow some by \
                 a limit such as \"baseline + 0.001\""
            )
        } else {
            format!("undecided, {values}: too near to its limits to decide at this traffic")
        };
        return undecided(report, &why);
    };
    let needs = projected(&report, intervals, data.grid);
    let needed = needs.canary_total;
    report.needs = Some(needs);
    let unit = unit_of(check);
    let why = if seen > 0.0 && needed > seen {
        let (seen, needed) = (text::count(seen), text::about(needed));
        format!("undecided, {seen} of about {needed} {unit}; {values}")
    } else {
        format!("undecided, {values}")
    };
    undecided(report, &why)
}

/// What the canary of a check is counted against.
pub(super) fn unit_of(check: &Check) -> &'static str {
    match check.measured.kind {
        MetricKind::EventRate { .. } => "units of exposure of the canary",
        MetricKind::Proportion { .. }
        | MetricKind::Quantile { .. }
        | MetricKind::Gauge { .. }
        | MetricKind::PerRequest { .. } => "canary requests",
    }
}

/// What the canary was counted against so far.
fn seen(report: &CheckReport) -> f64 {
    let canary = report.canary.as_ref();
    canary.and_then(|canary| canary.total).unwrap_or(0.0)
}

/// What it takes when so many intervals from the window's start are needed.
pub(super) fn projected(report: &CheckReport, intervals: f64, grid: Grid) -> NeedsReport {
    let elapsed = grid.intervals() as f64;
    #[expect(
        clippy::cast_possible_truncation,
        reason = "saturates, far beyond any rollout"
    )]
    let after_ms = (grid.interval_ms() as f64 * intervals) as i64;
    NeedsReport {
        canary_total: seen(report) * intervals / elapsed.max(1.0),
        projected_at_ms: Some(grid.start_ms().saturating_add(after_ms)),
        traffic_factor: None,
        provable_ratio: None,
    }
}

/// What a check's stage can see at today's traffic: the growth of evidence, if traffic and
/// estimates stay as they are.
///
/// Source: docs/design/statistics.md, "12. Planning".
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Outlook {
    /// The law of the counts.
    pub(super) scale: Scale,
    /// Intervals seen.
    pub(super) intervals: usize,
    /// Intervals of the stage's longest duration.
    pub(super) longest_intervals: f64,
    /// The noise that was measured.
    pub(super) dispersion: Option<f64>,
    /// The accepted false rollbacks of this check alone.
    pub(super) rollback: ErrorRate,
    /// The accepted false promotions.
    pub(super) promotion: ErrorRate,
}

/// A plan against the control, and its limit as a ratio.
struct Relative {
    plan: Prospect,
    limit: f64,
}

impl Outlook {
    /// Intervals from the start of the window until the sequential method decides: the sooner of
    /// rollback and promotion. Nothing when no amount of traffic would do.
    pub(super) fn intervals_to_decide(&self, claims: &Plannable) -> Option<f64> {
        // The mean of k claims' evidence is at least that of one, divided by k.
        let rollback = share_of(self.rollback, claims.violation.len());
        let to_roll_back = claims
            .violation
            .iter()
            .filter_map(|claim| self.intervals_to_roll_back(*claim, rollback))
            .reduce(f64::min);
        // Every claim must be kept.
        let to_promote: Option<Vec<f64>> = claims
            .compliance
            .iter()
            .map(|claim| self.intervals_to_promote(*claim))
            .collect();
        let to_promote = to_promote.and_then(|each| each.into_iter().reduce(f64::max));
        [to_roll_back, to_promote]
            .into_iter()
            .flatten()
            .filter(|intervals| intervals.is_finite())
            .reduce(f64::min)
            // What is not decided yet takes at least one interval more.
            .map(|needed| needed.max(self.intervals as f64 + 1.0))
    }

    /// The ratio of canary to control that the stage proves broken in its longest duration.
    pub(super) fn detectable_ratio(&self, claim: Claim) -> Option<f64> {
        let (claim, rate) = match claim.limit {
            // Either side is asked with half of the budget; they are about as far.
            Limit::Within { tolerance } => {
                let [upper, _] = Limit::sides_of(tolerance);
                let upper = Claim {
                    limit: upper,
                    ..claim
                };
                (upper, share_of(self.rollback, 2))
            }
            _ => (claim, self.rollback),
        };
        let relative = self.relative(claim, rate)?;
        relative
            .plan
            .detectable_ratio(relative.limit, self.longest_intervals)
    }

    /// How many times the traffic would let the stage promote a canary as good as its control.
    pub(super) fn traffic_factor(&self, claim: Claim) -> Option<f64> {
        let relative = self.relative(claim, self.rollback)?;
        relative
            .plan
            .traffic_factor_to_promote(relative.limit, self.longest_intervals)
            .filter(|factor| *factor > 1.0)
    }

    /// The promotion ratio that the stage could show of a canary as good as its control.
    pub(super) fn provable_ratio(&self, claim: Claim) -> Option<f64> {
        let relative = self.relative(claim, self.rollback)?;
        relative.plan.provable_ratio(self.longest_intervals)
    }

    fn intervals_to_roll_back(&self, claim: Claim, rate: ErrorRate) -> Option<f64> {
        let growth = self.growth(claim, Claimed::Broken)?;
        Some(self.pace(claim, rate)?.intervals_to_roll_back(growth))
    }

    fn intervals_to_promote(&self, claim: Claim) -> Option<f64> {
        let growth = self.growth(claim, Claimed::Kept)?;
        let pace = self.pace(claim, self.rollback)?;
        Some(pace.intervals_to_promote(growth))
    }

    fn growth(&self, claim: Claim, claimed: Claimed) -> Option<f64> {
        growth(claim.limit, claimed, self.scale, &self.per_interval(claim))
    }

    /// What was seen of both populations in an interval, on the average.
    fn per_interval(&self, claim: Claim) -> IntervalCounts {
        let intervals = self.intervals.max(1) as f64;
        claim.totals.map(|arm| ArmCount {
            events: arm.events / intervals,
            exposure: arm.exposure / intervals,
        })
    }

    /// The noise that was measured, or what is assumed where there is none.
    fn pace(&self, claim: Claim, rollback: ErrorRate) -> Option<Pace> {
        let dispersion = match self.dispersion {
            Some(measured) => measured,
            None if !claim.limit.needs_control() => 1.0,
            None => {
                let IntervalCounts { control, canary } = self.per_interval(claim);
                ExpectedTraffic::new(canary.exposure, control.exposure, estimate(control)?)
                    .ok()?
                    .assumed_dispersion()
            }
        };
        Some(Pace::new(dispersion, rollback, self.promotion))
    }

    /// The plan of a claim against the control; nothing without events of the control.
    fn relative(&self, claim: Claim, rollback: ErrorRate) -> Option<Relative> {
        let per_interval = self.per_interval(claim);
        let control = estimate(per_interval.control)?;
        let traffic = ExpectedTraffic::new(
            per_interval.canary.exposure,
            per_interval.control.exposure,
            control,
        )
        .ok()?;
        let plan = Prospect::new(traffic, self.dispersion, rollback, self.promotion);
        let (plan, ratio, offset) = match claim.limit {
            Limit::AtMost {
                ratio: Some(ratio),
                offset,
            } => (plan, ratio, offset),
            Limit::AtLeast {
                ratio: Some(ratio),
                offset,
            } => (plan.where_more_is_better(), ratio, offset),
            Limit::AtMost { ratio: None, .. }
            | Limit::AtLeast { ratio: None, .. }
            | Limit::Within { .. } => return None,
        };
        Some(Relative {
            plan,
            // At the control's rate an offset is a part of the ratio.
            limit: ratio + offset / control,
        })
    }
}

/// An equal part of an error rate.
fn share_of(rate: ErrorRate, parts: usize) -> ErrorRate {
    ErrorRate::new(rate.value() / parts.max(1) as f64).unwrap_or(rate)
}
