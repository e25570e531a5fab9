//! What is told of single pods: what those of one version differ by, and the canary's that stand out.
//!
//! Source: docs/design/counts.md, "8. Pods as replicates".

use std::collections::BTreeMap;

use crate::pipeline::{Check, Limit};
use crate::proof::{Drawn, Spread, differing_pods};
use crate::sequential::ErrorRate;
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

/// What keeps an open check from its proof, and what would help.
pub(super) fn blind_spot(
    report: &CheckReport,
    differ: Option<&PodsDiffer>,
    check: &Check,
    rollback: ErrorRate,
) -> Option<String> {
    let (differ, told) = (differ?, report.spread.as_ref()?);
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
    let enough = enough_pods(differ, ratio, check, rollback).map(|pods| {
        let ratio = text::digits(ratio);
        format!("with {pods} canary pods {ratio} times would be proven")
    });
    let parts = [Some(seen), left_out, enough];
    Some(parts.into_iter().flatten().collect::<Vec<_>>().join("; "))
}

/// How many canary pods would prove what the canary shows, where more than there are would.
fn enough_pods(differ: &PodsDiffer, ratio: f64, check: &Check, rollback: ErrorRate) -> Option<u32> {
    let Limit::AtMost {
        ratio: Some(limit), ..
    } = check.limit
    else {
        return None;
    };
    let enough = (rollback.log_threshold(), MOST_CANARY_PODS);
    let drawn = differ.drawn;
    drawn.canary_pods_to_prove(ratio / limit, differ.spread, enough)
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
