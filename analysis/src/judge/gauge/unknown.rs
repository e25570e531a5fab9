//! Gauges that are no numbers.

use crate::series::{LeftOut, PairedGauge, Population};

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
