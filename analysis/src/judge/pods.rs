//! What is told of single pods: what those of one version differ by, and the canary's that stand out.
//!
//! Source: docs/design/counts.md, "8. Pods as replicates".

use std::collections::BTreeMap;

use crate::pipeline::{Check, Limit, MetricKind};
use crate::proof::{Drawn, Spread, differing_pods, evidence_to_roll_back};
use crate::sequential::{ErrorRate, IntervalCounts};
use crate::series::{ArmCount, Grid};
use crate::text;

use super::model::{CheckReport, SpreadReport, SpreadSource, StandingOut};

/// More canary pods than this are no advice.
const MOST_CANARY_PODS: u32 = 20;

/// What the pods of the control differ by, where the evidence is divided by it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct PodsDiffer {
    pub(super) spread: Spread,
    pub(super) drawn: Drawn,
    /// Pods of the control, and the intervals in which they were followed.
    pub(super) pods: usize,
    pub(super) intervals: usize,
    pub(super) left_out: Option<String>,
}

impl PodsDiffer {
    pub(super) fn told(&self, grid: Grid) -> SpreadReport {
        let source = if self.pods < 2 {
            SpreadSource::Assumed
        } else {
            SpreadSource::Pods
        };
        SpreadReport {
            source,
            sd: libm::sqrt(self.spread.variance),
            pods: self.pods,
            minutes: self.intervals as f64 * grid.interval_ms() as f64 / 60_000.0,
            left_out: self.left_out.clone(),
        }
    }
}

/// What keeps an open check from its proof, and what would help. `slower` is what was counted of a quantile, and
/// `rollback` the error rate at which the check rolls back alone.
pub(super) fn blind_spot(
    report: &CheckReport,
    differ: Option<&PodsDiffer>,
    (check, slower): (&Check, Option<IntervalCounts>),
    rollback: ErrorRate,
) -> Option<String> {
    let (differ, told) = (differ?, report.spread.as_ref()?);
    let times = times_the_limit(report, check, slower);
    let ratio = report.ratio.as_ref()?.estimate;
    if ratio <= 1.0 {
        return None;
    }
    let percent = text::digits(libm::round(100.0 * told.sd));
    let seen = if told.pods < 2 {
        format!(
            "pods of one version are taken to differ by {percent} % (one control pod shows no more)"
        )
    } else {
        format!(
            "this version's own pods differ by {percent} % ({} pods, {} min)",
            told.pods,
            text::digits(libm::round(told.minutes))
        )
    };
    let left_out = told
        .left_out
        .as_ref()
        .map(|pod| format!("{pod} fails far more than the others and is left out of that"));
    let enough = what_would_do(differ, check, (ratio, times), rollback);
    let parts = [Some(seen), left_out, enough];
    Some(parts.into_iter().flatten().collect::<Vec<_>>().join("; "))
}

/// What would prove what the canary shows: more of its pods; where no number of them does, how much more it would
/// have to show, or, of a quantile, that its limit is too wide. Nothing where there are pods enough.
fn what_would_do(
    differ: &PodsDiffer,
    check: &Check,
    (ratio, times): (f64, Option<f64>),
    rollback: ErrorRate,
) -> Option<String> {
    let Limit::AtMost {
        ratio: Some(limit), ..
    } = check.limit
    else {
        return None;
    };
    let (times, drawn) = (times.filter(|times| *times > 1.0)?, differ.drawn);
    let shown = text::digits(ratio);
    let evidence = evidence_to_roll_back(rollback, differ.spread.known());
    match drawn.canary_pods_to_prove(times, differ.spread, (evidence, MOST_CANARY_PODS)) {
        Some(pods) if f64::from(pods) <= drawn.canary_pods() => None,
        Some(pods) => Some(format!(
            "with {pods} canary pods {shown} times would be proven"
        )),
        None if is_of_quantile(check) => {
            let most = MOST_CANARY_PODS;
            Some(format!(
                "not even {most} canary pods would prove {shown} times: lower the limit"
            ))
        }
        None => {
            let proven = text::digits(limit * drawn.times_to_prove(differ.spread, evidence));
            Some(format!("with these pods {proven} times would be proven"))
        }
    }
}

fn is_of_quantile(check: &Check) -> bool {
    match check.measured.kind {
        MetricKind::Quantile { .. } => true,
        MetricKind::Proportion { .. }
        | MetricKind::EventRate { .. }
        | MetricKind::Gauge { .. }
        | MetricKind::PerRequest { .. } => false,
    }
}

/// How many times its limit a canary shows, as the evidence has it: of a quantile, which counts `slower` requests,
/// their share.
fn times_the_limit(
    report: &CheckReport,
    check: &Check,
    slower: Option<IntervalCounts>,
) -> Option<f64> {
    if let Some(IntervalCounts { canary, control }) = slower {
        let share = |arm: ArmCount| arm.events / arm.exposure;
        return Some(share(canary) / share(control)).filter(|times| times.is_finite());
    }
    let Limit::AtMost {
        ratio: Some(limit), ..
    } = check.limit
    else {
        return None;
    };
    Some(report.ratio.as_ref()?.estimate / limit)
}

/// The canary's pods that fail far more than its others.
pub(super) fn stand_out(pods: &BTreeMap<String, ArmCount>) -> Vec<StandingOut> {
    let of_events = pods.values().map(|one| one.events).sum();
    let named = differing_pods(pods)
        .into_iter()
        .map(|(pod, ratio)| StandingOut {
            events: pods.get(&pod).map_or(0.0, |one| one.events),
            pod,
            of_events,
            ratio,
        });
    named.collect()
}

/// That the canary's failures are those of one of its pods: information, no evidence.
pub(super) fn standing_out(report: &CheckReport) -> Option<String> {
    let each = report.standing_out.iter().map(|one| {
        format!(
            "{} of {} events are on {} (x{} of the other canary pods)",
            text::digits(one.events),
            text::digits(one.of_events),
            one.pod,
            text::digits(one.ratio)
        )
    });
    let each: Vec<String> = each.collect();
    (!each.is_empty()).then(|| format!("{}: the pod or its node", each.join(", ")))
}
