//! What the buckets of a histogram cannot tell, and which bounds would.
//!
//! Source: docs/design/latency.md, "7. Planning and advice".

use crate::pipeline::Dimension;
use crate::proof::{SlowShare, bounds_to_add, decided_at};
use crate::text;

use super::asked::Asked;
use super::reader::Known;

/// Why an open check is so, where it is the buckets, and not the traffic.
pub(crate) fn blind_spot(
    bounds: &[f64],
    known: Option<Known>,
    asked: Asked,
    dimension: Dimension,
) -> Option<String> {
    let value = |latency: f64| text::exact_value(latency, dimension);
    match (asked, known) {
        (
            Asked::Absolute {
                limit,
                kept,
                wants_less,
                ..
            },
            _,
        ) => of_a_number(bounds, (limit, kept), wants_less, dimension),
        (Asked::Relative { .. }, None | Some(Known::TooFew { .. } | Known::At(_))) => None,
        (Asked::Relative { limit, .. }, Some(Known::InTheFirstBucket(first))) => {
            if limit.offset >= first {
                return None;
            }
            let added = listed(&bounds_to_add(bounds, 0.0, limit), dimension);
            Some(format!(
                "the control's {} is within the first bucket, up to {}, so the buckets cannot compare: add bounds at \
                 {added}, or allow more, as in \"baseline * {} + {}\"",
                quantile_name(asked.slow()),
                value(first),
                text::digits(limit.ratio),
                value(first)
            ))
        }
        (Asked::Relative { limit, .. }, Some(Known::BeyondTheLast(last))) => {
            let added = bounds_to_add(bounds, f64::INFINITY, limit);
            Some(format!(
                "the control's {} is beyond the last bound, {}: add one at {}",
                quantile_name(asked.slow()),
                value(last),
                listed(&added, dimension)
            ))
        }
    }
}

/// What the buckets do not tell of a number.
fn of_a_number(
    bounds: &[f64],
    (limit, kept): (f64, f64),
    wants_less: bool,
    dimension: Dimension,
) -> Option<String> {
    let value = |latency: f64| text::exact_value(latency, dimension);
    let (above, below) = (decided_at(bounds, limit), decided_at(bounds, kept));
    let (broken, kept_at) = if wants_less {
        (above.0, below.1)
    } else {
        (above.1, below.0)
    };
    let last = bounds.last().copied().unwrap_or(0.0);
    match (broken, kept_at) {
        (None, _) if wants_less => Some(format!(
            "the limit is beyond the last bound, {}, and is never broken: add a bound",
            value(last)
        )),
        (_, None) if wants_less => Some(format!(
            "the limit is within the first bucket, up to {}, and is never shown to be kept: add a bound",
            value(bounds.first().copied()?)
        )),
        (Some(broken), Some(kept_at)) if broken > kept_at => {
            let upper = bounds.iter().find(|bound| **bound >= limit).copied()?;
            let lower = bounds.iter().rev().find(|bound| **bound <= limit).copied();
            let (lower, upper) = (value(lower.unwrap_or(0.0)), value(upper));
            let is_read = broken < bounds.iter().copied().find(|one| *one >= limit)?
                || kept_at > bounds.iter().rev().copied().find(|one| *one <= limit)?;
            Some(if is_read {
                format!(
                    "the limit is read between the bounds {lower} and {upper}, with 5 % to clear"
                )
            } else {
                format!(
                    "the limit lies between the bounds {lower} and {upper}, which are too far apart to read between: \
                     it is decided at these only"
                )
            })
        }
        _ => None,
    }
}

/// `p99`.
pub(crate) fn quantile_name(slow: SlowShare) -> String {
    format!("p{}", text::digits(100.0 * (1.0 - slow.value())))
}

/// `1 ms and 2.5 ms`.
pub(crate) fn listed(bounds: &[f64], dimension: Dimension) -> String {
    let written: Vec<String> = bounds
        .iter()
        .map(|bound| text::value(*bound, dimension))
        .collect();
    written.join(" and ")
}
