//! What the buckets of a histogram can and cannot tell of a quantile, and which bounds would.
//!
//! Source: docs/design/latency.md, "7. Planning and advice".

use super::law::{Law, Tails};
use super::places::{CLEAR, QuantileLimit};
use crate::series::Populations;

/// Where more than this part of the requests is in the bucket of the quantile and one of its neighbours, a canary
/// a few per cent slower can read as twice as slow.
const NARROW: f64 = 0.9;
/// Buckets this fine cannot mislead so.
const FINE: f64 = 1.1;
/// A bound beyond the last leaves so much room.
const ROOM: f64 = 1.5;

/// The ratios of two quantiles that histograms allow, whatever lies inside their buckets.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Resolution {
    /// The least.
    pub least: f64,
    /// The most; infinite where the control's quantile is in the first bucket, or the canary's beyond the last bound.
    pub most: f64,
}

/// What both histograms allow of the ratio of their quantiles.
pub fn resolution(tails: &Populations<Tails>, bounds: &[f64], slow_share: f64) -> Resolution {
    let edges = |tails: &Tails| {
        let law = Law::of_shares(shares(tails), bounds);
        let bucket = law.quantile(slow_share).place.bucket;
        (law.lower_edge(bucket), law.upper_edge(bucket))
    };
    let (control, canary) = (edges(&tails.control), edges(&tails.canary));
    let most = if control.0 > 0.0 {
        canary.1 / control.0
    } else {
        f64::INFINITY
    };
    Resolution {
        least: canary.0 / control.1,
        most,
    }
}

/// The shares beyond each edge, as counted.
fn shares(tails: &Tails) -> Vec<f64> {
    let all = tails.all();
    let beyond = tails.edges().iter().skip(1);
    let of_all = beyond.map(|beyond| if all > 0.0 { beyond / all } else { 0.0 });
    std::iter::once(1.0).chain(of_all).collect()
}

/// The bounds to add so that a limit on a quantile that lies at `quantile` can be decided without reading between
/// bounds; none where it can.
pub fn bounds_to_add(bounds: &[f64], quantile: f64, limit: QuantileLimit) -> Vec<f64> {
    let (Some(first), Some(last)) = (bounds.first().copied(), bounds.last().copied()) else {
        return Vec::new();
    };
    let limit_at = limit.ratio * quantile + limit.offset;
    if quantile <= first {
        return vec![first / 5.0, first / 2.0];
    }
    if quantile.is_infinite() || limit_at > last {
        let furthest = if limit_at.is_finite() { limit_at } else { 0.0 };
        return vec![ROOM * last.max(furthest)];
    }
    let law = Law::of_shares(Vec::new(), bounds);
    let is_between = |at: &f64| {
        let bucket = law.bucket_of(*at);
        let (lower, upper) = (law.lower_edge(bucket), law.upper_edge(bucket));
        *at < upper / CLEAR && (lower <= 0.0 || *at > lower * CLEAR)
    };
    [quantile, limit_at]
        .into_iter()
        .filter(is_between)
        .collect()
}

/// Whether so much of the requests lies around the quantile that a small change moves all of it over a bound.
pub fn is_narrow(tails: &Tails, bounds: &[f64], slow_share: f64) -> bool {
    let all = tails.all();
    let law = Law::of(tails, bounds);
    let bucket = law.quantile(slow_share).place.bucket;
    let edges = tails.edges();
    let within = |bucket: usize| {
        let at = |edge: usize| edges.get(edge).copied().unwrap_or(0.0);
        at(bucket) - at(bucket + 1)
    };
    let is_fine = |bucket: usize| {
        let (lower, upper) = (law.lower_edge(bucket), law.upper_edge(bucket));
        lower > 0.0 && upper <= FINE * lower
    };
    if all <= 0.0 || is_fine(bucket) {
        return false;
    }
    let neighbours = [bucket.checked_sub(1), Some(bucket + 1)];
    let most = neighbours.into_iter().flatten().map(within);
    within(bucket) + most.fold(0.0, f64::max) > NARROW * all
}
