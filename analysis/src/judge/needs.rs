//! How much longer, or how much more traffic, an undecided check takes, and what its stage can see.

use crate::pipeline::{Check, Limit, MetricKind};
use crate::proof::{Counted, Expected, ExpectedNoise, nearest};
use crate::sequential::{Dispersion, ErrorRate, IntervalCounts};
use crate::series::{ArmCount, Grid};

use super::absence;
use super::conclude::{undecided, values_text};
use super::limit::{Claim, Plannable, Scale, estimate};
use super::lines::{kept_of, lines_of};
use super::model::{CheckReport, NeedsReport};
use super::quantile::Asked;
use crate::data::StageData;
use crate::text;

/// Tells an open check what it needs, given the intervals until it is decided at today's traffic (nothing when no
/// amount would do), and whether something else than the traffic is in its way.
pub(super) fn told(
    mut report: CheckReport,
    check: &Check,
    (intervals_to_decide, has_another_cause): (Option<f64>, bool),
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
        } else if has_another_cause {
            // What follows says it.
            format!("undecided, {values}")
        } else {
            format!("too near to its limits to decide at this traffic, {values}")
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
    /// What they are of.
    pub(super) counted: Counted,
    /// What is asked, of a quantile: the counts are of slow requests then.
    pub(super) quantile: Option<Asked>,
    /// Whether the control excuses what it does itself.
    pub(super) has_control: bool,
    /// The length of an interval.
    pub(super) interval_seconds: f64,
    /// Intervals seen.
    pub(super) intervals: usize,
    /// Intervals of the stage's longest duration.
    pub(super) longest_intervals: f64,
    /// The noise that was measured.
    pub(super) noise: Option<Dispersion>,
    /// The accepted false rollbacks of this check alone.
    pub(super) rollback: ErrorRate,
    /// The accepted false promotions.
    pub(super) promotion: ErrorRate,
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
            .filter_map(|claim| self.to_roll_back(*claim, &self.expected(*claim), rollback))
            .reduce(f64::min);
        // Every claim must be kept.
        let to_promote: Option<Vec<f64>> = claims
            .compliance
            .iter()
            .map(|claim| self.to_promote(*claim, &self.expected(*claim)))
            .collect();
        let to_promote = to_promote.and_then(|each| each.into_iter().reduce(f64::max));
        [to_roll_back, to_promote]
            .into_iter()
            .flatten()
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
        let (ratio, is_above) = ratio_of(claim.limit)?;
        let expected = self.expected(claim);
        let control = estimate(expected.control)?;
        let is_found = |times: f64| {
            let as_bad = with_canary(&expected, times * control);
            let needed = self.to_roll_back(claim, &as_bad, rate);
            needed.is_some_and(|needed| needed <= self.longest_intervals)
        };
        let furthest = if is_above {
            MOST_TIMES
        } else {
            1.0 / MOST_TIMES
        };
        nearest(ratio, furthest, is_found)
    }

    /// How many times the traffic would let the stage promote a canary as good as its control.
    pub(super) fn traffic_factor(&self, claim: Claim) -> Option<f64> {
        ratio_of(claim.limit)?;
        let expected = self.as_good(claim)?;
        let is_enough = |factor: f64| {
            let busier = expected.map(|arm| ArmCount {
                events: arm.events * factor,
                exposure: arm.exposure * factor,
            });
            self.is_promoted(claim, &busier)
        };
        if is_enough(1.0) {
            return None;
        }
        nearest(1.0, MOST_TRAFFIC, is_enough)
    }

    /// The promotion ratio that the stage could show of a canary as good as its control.
    pub(super) fn provable_ratio(&self, claim: Claim) -> Option<f64> {
        let (_, is_above) = ratio_of(claim.limit)?;
        let expected = self.as_good(claim)?;
        let is_shown = |ratio: f64| {
            let limit = match claim.limit {
                Limit::AtMost { offset, .. } => Limit::relative(true, ratio, offset),
                Limit::AtLeast { offset, .. } => Limit::relative(false, ratio, offset),
                Limit::Within { .. } => return false,
            };
            self.is_promoted(Claim { limit, ..claim }, &expected)
        };
        let furthest = if is_above {
            MOST_TIMES
        } else {
            1.0 / MOST_TIMES
        };
        nearest(1.0, furthest, is_shown)
    }

    fn is_promoted(&self, claim: Claim, expected: &IntervalCounts) -> bool {
        let needed = self.to_promote(claim, expected);
        needed.is_some_and(|needed| needed <= self.longest_intervals)
    }

    fn to_roll_back(self, claim: Claim, counts: &IntervalCounts, rate: ErrorRate) -> Option<f64> {
        let expected = self.in_an_interval(*counts);
        let noise = self.expected_noise(claim, &expected);
        let lines = match self.quantile {
            Some(asked) => vec![asked.line(self.has_control)?],
            None => lines_of(claim.limit, self.scale, self.has_control)?,
        };
        let needed = lines
            .iter()
            .filter_map(|line| expected.intervals_to_roll_back(line, &noise, rate));
        Some(needed.min()? as f64)
    }

    fn to_promote(self, claim: Claim, counts: &IntervalCounts) -> Option<f64> {
        let expected = self.in_an_interval(*counts);
        let noise = self.expected_noise(claim, &expected);
        let kept = match self.quantile {
            Some(asked) => vec![asked.kept()?],
            None => kept_of(claim.limit, self.scale),
        };
        let needed = kept
            .iter()
            .map(|kept| expected.intervals_to_promote(kept, &noise, self.promotion));
        let all: Option<Vec<usize>> = needed.collect();
        Some(all?.into_iter().max()? as f64)
    }

    fn in_an_interval(&self, counts: IntervalCounts) -> Expected {
        Expected {
            counts,
            counted: self.counted,
            interval_seconds: self.interval_seconds,
        }
    }

    /// The noise that was measured, or what is assumed where there is none.
    fn expected_noise(&self, claim: Claim, expected: &Expected) -> ExpectedNoise {
        match self.noise {
            Some(noise) => ExpectedNoise::seen(noise.value, noise.degrees_of_freedom),
            None => expected.assumed_noise(claim.limit.absolute_value()),
        }
    }

    /// What was seen of both populations in an interval, on the average.
    fn expected(&self, claim: Claim) -> IntervalCounts {
        let intervals = self.intervals.max(1) as f64;
        claim.totals.map(|arm| ArmCount {
            events: arm.events / intervals,
            exposure: arm.exposure / intervals,
        })
    }

    /// The same of a canary as good as its control.
    fn as_good(&self, claim: Claim) -> Option<IntervalCounts> {
        let expected = self.expected(claim);
        if self.quantile.is_some() {
            // Slower than what must be kept are fewer of its requests than of the control's beyond its quantile.
            return Some(expected);
        }
        let control = estimate(expected.control)?;
        Some(with_canary(&expected, control))
    }
}

/// Ratios of canary to control, and of traffic, beyond which nothing is looked for.
const MOST_TIMES: f64 = 100.0;
const MOST_TRAFFIC: f64 = 1e4;

/// The ratio of a limit to the control, and whether a bad canary is above it.
fn ratio_of(limit: Limit) -> Option<(f64, bool)> {
    match limit {
        Limit::AtMost { ratio, .. } => Some((ratio?, true)),
        Limit::AtLeast { ratio, .. } => Some((ratio?, false)),
        Limit::Within { .. } => None,
    }
}

fn with_canary(counts: &IntervalCounts, rate: f64) -> IntervalCounts {
    IntervalCounts {
        control: counts.control,
        canary: ArmCount {
            events: rate * counts.canary.exposure,
            exposure: counts.canary.exposure,
        },
    }
}

/// An equal part of an error rate.
fn share_of(rate: ErrorRate, parts: usize) -> ErrorRate {
    ErrorRate::new(rate.value() / parts.max(1) as f64).unwrap_or(rate)
}
