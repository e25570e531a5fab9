//! What is told of a quantile.

use std::ops::Range;

use crate::interval::{Confidence, Interval};
use crate::pipeline::Check;
use crate::proof::{
    QuantileLimit, SlowShare, Tails, quantile_estimate, quantile_ratio, resolution,
};
use crate::series::Populations;
use crate::text;

use super::super::evaluated::Situation;
use super::super::model::{ArmReport, CheckReport, NeedsReport, RatioReport, ReasonCode};
use super::super::needs;
use super::super::since::{Since, Told};
use super::super::walk::QuantileProof;
use super::asked::Asked;
use super::blind::{blind_spot, quantile_name};
use super::reader::Known;
use super::rows::QuantileRows;

/// Most blocks of rows that the interval of a ratio is made from.
const MOST_BLOCKS: usize = 8;
/// The buckets are told where they alone allow so many times the limit.
const WIDE: f64 = 1.25;
/// Requests of new processes are told from this part of the canary's on.
const WORTH_A_WORD: f64 = 0.05;

/// What the buckets have to say beside the counts that they became.
#[derive(Debug, Clone, PartialEq, Default)]
pub(in crate::judge) struct Buckets {
    /// Why an open check is so.
    pub(in crate::judge) blind_spot: Option<String>,
    /// What a proof could not see.
    pub(in crate::judge) unseen: Option<String>,
    /// Since when it is broken.
    pub(in crate::judge) since: Option<Since>,
    known: Option<(Known, SlowShare)>,
}

impl Buckets {
    /// Of counts, which are not made of buckets.
    pub(in crate::judge) fn none(since: Option<Since>) -> Self {
        Self {
            since,
            ..Self::default()
        }
    }

    /// What they say of a check of which so much was counted.
    pub(in crate::judge) fn of(
        rows: &QuantileRows<'_>,
        asked: Asked,
        (found, since): (&QuantileProof, Option<usize>),
        check: &Check,
        situation: Situation<'_>,
    ) -> Self {
        let intervals = situation.data.grid.intervals();
        let confidence = Confidence::new(situation.pipeline.analysis.confidence).ok();
        let begun = since.filter(|since| *since > 0 && *since < intervals);
        let told_since = begun.zip(confidence).map(|(since, confidence)| Since {
            when: text::time_of_day(situation.data.grid.boundary_ms(since)),
            told: told(rows, since..intervals, asked, situation, confidence),
            is_all_that_is_told: true,
        });
        let unseen = match asked {
            Asked::Relative { slow, limit } => {
                let from = since.unwrap_or(0);
                let sums = rows.sums(from, intervals);
                between_bounds(&sums, rows.bounds(), (slow, limit))
            }
            Asked::Absolute { .. } => None,
        };
        Self {
            blind_spot: blind_spot(rows.bounds(), found.known, asked, check.measured.dimension),
            unseen,
            since: told_since,
            known: found.known.map(|known| (known, asked.slow())),
        }
    }

    /// Why nothing is known yet, and what it needs.
    pub(in crate::judge) fn unknown(
        &self,
        report: &CheckReport,
        situation: Situation<'_>,
    ) -> Option<(String, Option<NeedsReport>)> {
        let (known, slow) = self.known?;
        match known {
            Known::TooFew { seen, needed } => {
                let waited_for = still_unknown((seen, needed), slow, report, situation);
                Some(waited_for)
            }
            // No traffic would do, and what is read there says nothing to anybody.
            Known::InTheFirstBucket(_) | Known::BeyondTheLast(_) => {
                let is_open = report.reason_code == ReasonCode::Undecided;
                let why = self.blind_spot.clone().filter(|_| is_open)?;
                Some((why, None))
            }
            Known::At(_) => None,
        }
    }
}

/// Reads both populations' quantiles over some intervals.
pub(super) fn told(
    rows: &QuantileRows<'_>,
    over: Range<usize>,
    asked: Asked,
    situation: Situation<'_>,
    confidence: Confidence,
) -> Told {
    let sums = rows.sums(over.start, over.end);
    let arm = |tails: &Tails| arm_report(tails, rows.bounds(), asked.slow(), confidence);
    let (control, canary) = (arm(&sums.control), arm(&sums.canary));
    let ratio = canary.as_ref().zip(control.as_ref());
    let ratio = ratio.and_then(|(canary, control)| Some(canary.estimate? / control.estimate?));
    let ratio = ratio.filter(|ratio| ratio.is_finite()).map(|estimate| {
        let both_ends = 2.0 * situation.budget.rollout.value();
        let interval = match asked {
            Asked::Relative { slow, .. } => ratio_interval(rows, over, slow, situation),
            Asked::Absolute { .. } => None,
        };
        RatioReport {
            estimate,
            interval,
            confidence: 1.0 - both_ends,
        }
    });
    Told {
        control,
        canary,
        ratio,
    }
}

/// A population's quantile.
pub(in crate::judge) fn arm_report(
    tails: &Tails,
    bounds: &[f64],
    slow: SlowShare,
    confidence: Confidence,
) -> Option<ArmReport> {
    let found = quantile_estimate(tails, bounds, slow, confidence)?;
    // Beyond the last bound nothing is read: what is there is at least as slow as the bound.
    let last = bounds.last().copied().unwrap_or(0.0);
    Some(ArmReport {
        events: None,
        total: Some(tails.all()),
        estimate: found.at.is_finite().then_some(found.at),
        interval: Interval::new(found.interval.0.min(last), found.interval.1),
        bracket: Interval::new(found.bucket.0, found.bucket.1),
    })
}

/// The ratios that the evidence leaves, which may be asked for after every interval.
fn ratio_interval(
    rows: &QuantileRows<'_>,
    over: Range<usize>,
    slow: SlowShare,
    situation: Situation<'_>,
) -> Option<Interval> {
    // Blocks on a grid of their own, which only their number changes, by doubling.
    let length = over.len().div_ceil(MOST_BLOCKS).max(1).next_power_of_two();
    let blocks: Vec<(Populations<Tails>, bool)> = over
        .clone()
        .step_by(length)
        .map(|from| (rows.sums(from, (from + length).min(over.end)), true))
        .collect();
    let seconds = situation.data.grid.interval_ms() as f64 / 1_000.0 * length as f64;
    let level = situation.budget.rollout.log_threshold();
    let (least, most) = quantile_ratio(&blocks, rows.bounds(), slow, (seconds, level));
    (least.is_some() || most.is_some())
        .then(|| Interval::new(least.unwrap_or(0.0), most.unwrap_or(f64::INFINITY)))
        .flatten()
}

/// What is told where new processes of the canary had enough requests to be missed.
pub(super) fn young_of(rows: &QuantileRows<'_>) -> Option<String> {
    let (young, all) = rows.young_of_all();
    (all > 0.0 && young > WORTH_A_WORD * all).then(|| {
        format!(
            "{} canary requests are of new processes and not judged",
            of(young.round(), all.round())
        )
    })
}

/// What the buckets by themselves allow, where that is much: `read between the bounds 250 ms and 500 ms; ..`.
fn between_bounds(
    sums: &Populations<Tails>,
    bounds: &[f64],
    (slow, limit): (SlowShare, QuantileLimit),
) -> Option<String> {
    let allowed = resolution(sums, bounds, slow.value());
    if allowed.most <= WIDE * limit.ratio {
        return None;
    }
    let most = if allowed.most.is_finite() {
        format!(
            "{} to {} times",
            text::digits(allowed.least),
            text::digits(allowed.most)
        )
    } else {
        format!("{} times or more", text::digits(allowed.least))
    };
    Some(format!("read between the bounds, which alone say {most}"))
}

/// Why a check is open that nothing is known for yet, and what it needs.
fn still_unknown(
    (seen, needed): (f64, f64),
    slow: SlowShare,
    report: &CheckReport,
    situation: Situation<'_>,
) -> (String, Option<NeedsReport>) {
    let grid = situation.data.grid;
    let intervals = grid.intervals() as f64 * needed / seen;
    let why = format!(
        "the first {} control requests tell the {}: {} so far",
        text::count(needed.ceil()),
        quantile_name(slow),
        text::count(seen)
    );
    let needs = (seen > 0.0).then(|| needs::projected(report, intervals, grid));
    (why, needs)
}

/// `310 of 5,000`.
fn of(part: f64, all: f64) -> String {
    format!("{} of {}", text::count(part), text::count(all))
}
