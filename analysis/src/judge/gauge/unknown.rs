//! Gauges that are no numbers.

use crate::pipeline::{Check, MetricKind};
use crate::proof::gauge::aggregated_by;
use crate::series::{LeftOut, LeftOutSeries, PairedGauge, Population};

/// Why a population of a gauge cannot be judged, if it cannot: more than half of its series are no
/// numbers.
pub(in crate::judge) fn not_finite(gauge: &PairedGauge, population: Population) -> Option<String> {
    let (name, finite, left_out) = match population {
        Population::Control => ("control", gauge.finite.control, &gauge.left_out.control),
        Population::Canary => ("canary", gauge.finite.canary, &gauge.left_out.canary),
    };
    let all = finite.seen;
    let named = left_out.iter().find(|one| one.why == LeftOut::NotFinite);
    let named = named.map_or_else(String::new, |one| format!(", such as {}", one.labels));
    finite
        .is_mostly_not()
        .then(|| match (finite.not_finite, all) {
            (_, 1) => format!("every value of the {name} is NaN or infinite"),
            (none, _) if none == all => {
                format!("every value of all series of the {name} is NaN or infinite{named}")
            }
            // The parts of a window are added, so the numbers are no counts of series.
            _ => format!("more than half of the {name}'s series are NaN or infinite{named}"),
        })
}

/// What to write where the expression makes one series of all pods by itself, so that one of them that is no number
/// is all: `give the expression without avg()`.
pub(in crate::judge) fn advice(check: &Check) -> Option<String> {
    let MetricKind::Gauge { expression, .. } = &check.measured.kind else {
        return None;
    };
    let by = aggregated_by(expression.one())?;
    Some(format!("give the expression without {by}()"))
}

/// Why samples are missing where the expression makes one series of all pods by itself.
pub(in crate::judge) fn of_an_aggregate(check: &Check, gauge: &PairedGauge) -> Option<String> {
    let advice = advice(check)?;
    let missed = |left_out: &[LeftOutSeries]| {
        let mut unknown = left_out.iter();
        let one = unknown.find(|one| one.why == LeftOut::NotFinite);
        one.map_or(0, |one| one.intervals.len())
    };
    let most = missed(&gauge.left_out.control).max(missed(&gauge.left_out.canary));
    (most > 0).then(|| {
        format!(
            "its value is NaN or infinite in {most} of {} intervals: one of its series is; {advice}",
            gauge.intervals.len()
        )
    })
}

/// Which population has no value in too many samples.
pub(in crate::judge) fn lacking(gauge: &PairedGauge) -> String {
    let pairs = || gauge.intervals.iter();
    let of_canary = pairs().filter(|pair| pair.canary.is_none() && pair.control.is_some());
    let of_control = pairs().filter(|pair| pair.control.is_none() && pair.canary.is_some());
    let (canary, control) = (of_canary.count(), of_control.count());
    let (name, lacks) = if canary >= control {
        ("canary", canary)
    } else {
        ("control", control)
    };
    format!(
        "the {name} has no value in {lacks} of {} intervals, and a fifth may be missing",
        gauge.intervals.len()
    )
}
