//! What a check is judged in, and what comes of it.

use crate::data::{DataFault, History, StageData};
use crate::pipeline::{Check, Pipeline, Stage};
use crate::series::{ArmCount, PairedCounts, Populations};

use super::absence;
use super::conclude::{conclude, undecided};
use super::course::Course;
use super::evidence::Budget;
use super::gauge::GaugeProof;
use super::limit::{Claims, Levels, Plannable, Shown};
use super::model::{CheckReport, ReasonCode};
use super::needs;
use super::since::Since;
use super::walk::CountsProof;

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
    /// Intervals of the stage's longest duration.
    pub(super) stage_intervals: f64,
    /// What the sequential method may spend.
    pub(super) budget: Budget,
    /// The rollout, as far as it had come when the stage began.
    pub(super) course: &'a Course,
}

impl<'a> Situation<'a> {
    /// Why counts cannot be judged by the sequential method yet, although they are there.
    pub(super) fn late_history(&self) -> Option<&'a DataFault> {
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
    /// What a gauge proves, over the whole rollout.
    pub(super) gauge: Option<GaugeProof>,
    /// What counts prove, over the whole rollout.
    pub(super) counts: Option<CountsProof>,
    /// What a plan can be made of.
    pub(super) plannable: Plannable,
    /// What an undecided check's data cannot show, whatever the plan.
    pub(super) blind_spot: Option<String>,
    /// What a proof that it is broken could not see.
    pub(super) unseen: Option<String>,
    /// Of a broken check, since when, and what was seen since.
    pub(super) since: Option<Since>,
}

impl From<CheckReport> for Evaluated {
    fn from(report: CheckReport) -> Self {
        Self {
            report,
            gauge: None,
            counts: None,
            plannable: Plannable::default(),
            blind_spot: None,
            unseen: None,
            since: None,
        }
    }
}

/// A report of data that is there, but of new pods only.
pub(super) fn still_new(report: CheckReport) -> CheckReport {
    undecided(
        report,
        "so far every pod of the canary is new, and new pods are not judged: see warm_up",
    )
}

/// As [`nothing_seen`], of counts whose sums together are given.
pub(super) fn nothing_counted(
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
pub(super) fn nothing_seen(
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

/// Concludes from claims on counts in a single look, and plans what an open one still needs.
pub(super) fn conclude_claims(
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
        (factor.map(|factor| factor * elapsed), false),
        situation.data,
    )
}

/// `exp`, bounded so that it stays a number that JSON can tell.
pub(super) fn e_value(log_evidence: f64) -> f64 {
    libm::exp(log_evidence.min(690.0))
}

/// The sums over the window. A comparison counts only the intervals in which both populations had
/// traffic: the others would compare different times.
pub(super) fn totals_together(counts: &PairedCounts, together: bool) -> Populations<ArmCount> {
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
