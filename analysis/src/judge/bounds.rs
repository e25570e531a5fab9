//! What the buckets of two versions have in common, in words.

use crate::pipeline::Dimension;
use crate::series::{PairedHistogram, Populations};
use crate::text;

use super::model::{Warning, WarningCode};

/// Most bounds that are named of each version.
const MOST_NAMED: usize = 4;
/// Most targets that are named.
const MOST_TARGETS: usize = 3;

/// Why no quantile can be judged, if none can: there is no finite bound at which both are counted.
pub(super) fn no_bounds(histogram: &PairedHistogram, dimension: Dimension) -> Option<String> {
    if histogram.upper_bounds.iter().any(|bound| bound.is_finite()) {
        return None;
    }
    let Populations { control, canary } = &histogram.buckets.own_bounds;
    Some(match (control.is_empty(), canary.is_empty()) {
        (true, true) => "its histogram has no finite bucket in common for all targets".to_owned(),
        (true, false) => "the control's histogram has no finite bucket".to_owned(),
        (false, true) => "the canary's histogram has no finite bucket".to_owned(),
        (false, false) if control == canary => {
            "its buckets changed within the window, and no bound was there all the time".to_owned()
        }
        (false, false) => format!(
            "the two versions have other buckets, and no bound in common: those of the control are \
             {}, those of the canary {}",
            listed(control, dimension),
            listed(canary, dimension)
        ),
    })
}

/// What to know of buckets that are not the same everywhere, although some are.
pub(super) fn warnings(
    metric: &str,
    histogram: &PairedHistogram,
    dimension: Dimension,
) -> Vec<Warning> {
    let mut told = Vec::new();
    let Populations { control, canary } = &histogram.buckets.own_bounds;
    let common = histogram
        .upper_bounds
        .iter()
        .filter(|bound| bound.is_finite());
    let common: Vec<f64> = common.copied().collect();
    if !control.is_empty() && !canary.is_empty() && !common.is_empty() && control != canary {
        told.push(format!(
            "the two versions have other buckets, only the bounds in common count: {}",
            listed(&common, dimension)
        ));
    }
    let others = &histogram.buckets.other_targets;
    for (population, others) in [("control", &others.control), ("canary", &others.canary)] {
        for (is_left_out, what) in [
            (true, "other buckets and little traffic, and is not counted"),
            (
                false,
                "other buckets, so that only the bounds in common count",
            ),
        ] {
            let of_it = others.iter().filter(|one| one.is_left_out == is_left_out);
            let names: Vec<&str> = of_it.map(|one| one.labels.as_str()).collect();
            if !names.is_empty() {
                told.push(format!(
                    "a part of the {population} has {what}: {}",
                    named(&names)
                ));
            }
        }
    }
    told.into_iter()
        .map(|what| Warning {
            code: WarningCode::OtherBuckets,
            message: text::one_line(&format!("{metric}: {what}")),
        })
        .collect()
}

/// The first names, and how many more there are.
pub(super) fn named(names: &[&str]) -> String {
    let shown = names.get(..MOST_TARGETS).unwrap_or(names).join(", ");
    match names.len().checked_sub(MOST_TARGETS) {
        None | Some(0) => shown,
        Some(more) => format!("{shown} and {more} more"),
    }
}

/// `5 ms, 10 ms, 25 ms .. 10 s`.
fn listed(bounds: &[f64], dimension: Dimension) -> String {
    let written = |bound: &f64| text::exact_value(*bound, dimension);
    match bounds {
        [first @ .., last] if first.len() > MOST_NAMED => {
            let shown: Vec<String> = first.iter().take(MOST_NAMED - 1).map(written).collect();
            format!("{} .. {}", shown.join(", "), written(last))
        }
        all => all.iter().map(written).collect::<Vec<_>>().join(", "),
    }
}
