//! Looks at a histogram: all that can be said of it by itself.

use crate::pipeline::{Check, Method};
use crate::series::PairedHistogram;

use super::super::bounds::no_bounds;
use super::super::conclude::{undecided, without_data};
use super::super::counts::{Look, Looked};
use super::super::evaluated::{Evaluated, Situation, conclude_claims, nothing_seen, still_new};
use super::super::finished::finished;
use super::super::judged::Judged;
use super::super::kayenta;
use super::super::limit::Levels;
use super::super::model::{CheckReport, Outcome, ReasonCode};
use super::super::walk::QuantileProof;
use super::super::young::warm_up_seconds;
use super::asked::{Asked, kept_beyond};
use super::counted::{claims_of, counted, totals_of};
use super::rows::QuantileRows;
use super::told::{Buckets, told, young_of};

/// Looks at the histogram of a check.
pub(in crate::judge) fn look<'a>(
    mut report: CheckReport,
    check: &Check,
    histogram: &'a PairedHistogram,
    situation: Situation<'_>,
    levels: Levels,
) -> Looked<'a> {
    let asked = match Asked::of_check(check) {
        Ok(asked) => asked,
        Err(why) => return undecided(report, &why).into(),
    };
    let grid = situation.data.grid;
    let seconds = warm_up_seconds(check, situation.stage, &situation.pipeline.analysis);
    let is_one_place = situation.pipeline.sources.regions.is_empty();
    let rows = QuantileRows::of(histogram, grid, seconds, is_one_place);
    let shown = told(
        &rows,
        0..grid.intervals(),
        asked,
        situation,
        levels.compliance,
    );
    report.control = shown.control;
    report.canary = shown.canary;
    report.ratio = shown.ratio;
    report.compared = young_of(&rows);
    // What is told is all that was counted, of young processes too; what is judged is without them.
    let all = rows.all_requests();
    for (arm, all) in [
        (&mut report.control, all.control),
        (&mut report.canary, all.canary),
    ] {
        if all > 0.0 {
            arm.get_or_insert_default().total = Some(all);
        }
    }
    let (alone, together) = rows.requests();
    if let Some((code, why)) = nothing_seen(check, situation, alone, together) {
        let whole = QuantileRows::of(histogram, grid, 0.0, is_one_place).requests();
        if nothing_seen(check, situation, whole.0, whole.1).is_none() {
            return still_new(report).into();
        }
        return without_data(report, code, &why).into();
    }
    if let Some(why) = no_bounds(histogram, check.measured.dimension) {
        return without_data(report, ReasonCode::OtherBuckets, &why).into();
    }
    match report.method {
        Method::Kayenta => {
            let points = kayenta::latency_points(&rows, asked.slow());
            kayenta::conclude(report, check, &points, situation).into()
        }
        Method::Wilson => single_look(report, check, (&rows, asked), situation, levels).into(),
        Method::Sequential => {
            Looked::Counts(Box::new(Look::new(report, Judged::Quantile(rows, asked))))
        }
    }
}

/// Concludes from the sums of all intervals.
fn single_look(
    report: CheckReport,
    check: &Check,
    (rows, asked): (&QuantileRows<'_>, Asked),
    situation: Situation<'_>,
    levels: Levels,
) -> Evaluated {
    let (each, known) = counted(rows, asked, kept_beyond(check));
    let claims = claims_of(asked, totals_of(&each));
    let report = conclude_claims(report, check, &claims, situation, levels);
    let found = QuantileProof {
        totals: totals_of(&each),
        known,
    };
    let buckets = Buckets::of(rows, asked, (&found, None), check, situation);
    if let (Outcome::Undecided, Some((why, needs))) =
        (report.outcome, buckets.unknown(&report, situation))
    {
        let report = undecided(report, &why);
        return CheckReport { needs, ..report }.into();
    }
    let evaluated = Evaluated {
        blind_spot: buckets.blind_spot,
        ..Evaluated::from(report)
    };
    finished(evaluated, check, situation)
}
