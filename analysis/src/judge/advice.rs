//! What an undecided check is told with: what would decide it, where a person would do that, and
//! else that its stage cannot decide.
//!
//! Source: docs/design/statistics.md, "11. The verdict of a stage".

use crate::pipeline::{Check, MetricKind};
use crate::text;

use super::age::MILLISECONDS_PER_MINUTE;
use super::conclude::values_text;
use super::evaluated::Situation;
use super::model::{CheckReport, NeedsReport};
use super::needs;

/// Nobody allows a canary more than three times what the control fails because a tool says so, nor
/// less than a third of what it earns.
const MOST_RATIO: f64 = 3.0;
/// Nobody waits longer for a stage because a tool says so.
const MOST_MINUTES: f64 = 24.0 * 60.0;
/// With more the canary is the service, and nothing is left to compare it with.
const MOST_TRAFFIC_PERCENT: f64 = 50.0;

/// Why a check is undecided. Where its stage cannot decide it in its time, that is said at once,
/// with what would do.
pub(super) fn undecided(
    situation: Situation<'_>,
    check: &Check,
    report: &CheckReport,
    looks_bad: bool,
) -> String {
    let stage = situation.stage;
    let start_ms = situation.data.grid.start_ms();
    let needed = report.needs.as_ref().and_then(|needs| {
        let needed_ms = needs.projected_at_ms?.saturating_sub(start_ms);
        Some((needs, needed_ms as f64 / MILLISECONDS_PER_MINUTE))
    });
    let longest = stage.max_duration_minutes;
    let Some((needs, minutes)) = needed.filter(|(_, minutes)| *minutes > longest) else {
        return report.reason.clone();
    };
    let mut parts = vec![format!("{}: undecided", report.condition)];
    if looks_bad {
        let values = values_text(report, check.measured.dimension);
        parts = vec![format!("{}, {values}", parts.concat())];
    }
    let is_at_the_end = situation.data.grid.intervals() as f64 >= situation.stage_intervals;
    let is_gauge = is_gauge(check);
    let takes = format!(
        "{} takes {}, and the stage ends after {}",
        if is_gauge {
            "that"
        } else {
            "at this traffic that"
        },
        text::minutes(minutes),
        text::minutes(longest)
    );
    let mut options = what_would_do(needs, minutes, stage.traffic_percent, looks_bad);
    // A gauge that cannot pass in time is no reason to wait for it.
    if is_gauge && !looks_bad && !options.is_empty() {
        options.push("critical: false".to_owned());
    }
    let options = listed(options);
    parts.push(match (options, is_at_the_end) {
        (Some(options), true) => format!("{options} would do"),
        (Some(options), false) => format!("{takes}: {options} would do"),
        (None, _) => format!(
            "this stage cannot decide it: {}{takes}",
            shortfall(check, report, needs)
        ),
    });
    parts.join("; ")
}

/// `it has 900 of about 9,200 canary requests; `, where it counts any.
fn shortfall(check: &Check, report: &CheckReport, needs: &NeedsReport) -> String {
    let seen = report.canary.as_ref().and_then(|canary| canary.total);
    match seen.filter(|seen| needs.canary_total > *seen) {
        Some(seen) => format!(
            "it has {} of about {} {}; ",
            text::count(seen),
            text::about(needs.canary_total),
            needs::unit_of(check)
        ),
        None => String::new(),
    }
}

/// `5 times the traffic, max_duration_minutes: 570 or promote_ratio: 1.6`: what a person would do.
/// Nothing where no person would do any of it. A wider ratio is never proposed for a canary that
/// looks bad: that would wave it through.
fn what_would_do(
    needs: &NeedsReport,
    needed_minutes: f64,
    traffic_percent: f64,
    looks_bad: bool,
) -> Vec<String> {
    let factor = needs
        .traffic_factor
        .map(|factor| libm::ceil(factor * 10.0) / 10.0)
        .filter(|factor| factor * traffic_percent <= MOST_TRAFFIC_PERCENT)
        .map(|factor| format!("{} times the traffic", text::digits(factor)));
    let duration = Some(libm::ceil(needed_minutes))
        .filter(|minutes| *minutes <= MOST_MINUTES)
        .map(|minutes| format!("max_duration_minutes: {minutes:.0}"));
    let ratio = needs
        .provable_ratio
        .map(in_hundredths)
        .filter(|ratio| !looks_bad && (1.0 / MOST_RATIO..=MOST_RATIO).contains(ratio))
        .map(|ratio| format!("promote_ratio: {ratio}"));
    [factor, duration, ratio].into_iter().flatten().collect()
}

fn is_gauge(check: &Check) -> bool {
    match check.measured.kind {
        MetricKind::Gauge { .. } | MetricKind::PerRequest { .. } => true,
        MetricKind::Proportion { .. }
        | MetricKind::EventRate { .. }
        | MetricKind::Quantile { .. } => false,
    }
}

/// `one, another or a third`; nothing of none.
fn listed(mut options: Vec<String>) -> Option<String> {
    let last = options.pop()?;
    Some(if options.is_empty() {
        last
    } else {
        format!("{} or {last}", options.join(", "))
    })
}

/// Rounded to the side on which it can be shown.
fn in_hundredths(ratio: f64) -> f64 {
    let hundredths = ratio * 100.0;
    let rounded = if ratio < 1.0 {
        libm::floor(hundredths)
    } else {
        libm::ceil(hundredths)
    };
    rounded / 100.0
}
