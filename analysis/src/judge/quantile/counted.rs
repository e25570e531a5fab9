//! A histogram by itself, as counts of slow requests.

use crate::proof::{Interval, KeptBeyond};
use crate::sequential::IntervalCounts;
use crate::series::ArmCount;

use super::super::limit::{Claim, Claims, Scale};
use super::asked::Asked;
use super::reader::{Known, Reader};
use super::rows::QuantileRows;

/// The counts of every interval by themselves, read from the rows before it: for a violation, and for what must be
/// kept. Beside it what is known of the control's quantile at the end.
pub(in crate::judge) fn counted(
    rows: &QuantileRows<'_>,
    asked: Asked,
    kept: Option<KeptBeyond>,
) -> (Vec<(IntervalCounts, IntervalCounts)>, Option<Known>) {
    let mut reader = Reader::of(asked);
    let kept: Vec<KeptBeyond> = kept.into_iter().collect();
    let each = (0..rows.intervals()).map(|interval| {
        let Some(row) = rows.at(interval) else {
            return (IntervalCounts::default(), IntervalCounts::default());
        };
        let read = reader.read(rows.bounds(), row, &kept);
        let Interval { counts, kept, .. } = read.lane;
        let of_kept = read.kept.first().map(|(_, counts)| *counts).or(kept);
        (counts, of_kept.unwrap_or(counts))
    });
    let each = each.collect();
    (each, reader.known())
}

/// The sums of intervals.
pub(in crate::judge) fn totals_of(
    each: &[(IntervalCounts, IntervalCounts)],
) -> (IntervalCounts, IntervalCounts) {
    let and = |sum: IntervalCounts, one: &IntervalCounts| IntervalCounts {
        control: sum.control.and(one.control),
        canary: sum.canary.and(one.canary),
    };
    let nothing = (IntervalCounts::default(), IntervalCounts::default());
    each.iter()
        .fold(nothing, |sum, one| (and(sum.0, &one.0), and(sum.1, &one.1)))
}

/// The claims on the shares of slow requests.
pub(in crate::judge) fn claims_of(
    asked: Asked,
    (violation, compliance): (IntervalCounts, IntervalCounts),
) -> Claims {
    let limit = asked.of_shares();
    let claim = |totals: IntervalCounts| {
        let is_any = |arm: ArmCount| arm.exposure > 0.0;
        is_any(totals.canary).then_some(Claim { limit, totals })
    };
    Claims {
        scale: Scale::Share,
        violation: claim(violation),
        compliance: claim(compliance),
    }
}
