//! `histogram_quantile` of classic histograms.

use std::collections::BTreeMap;

use super::super::column::{ABSENT, is_absent};
use super::super::labels::Labels;
use super::{QueryError, Row, distinct};

const BOUND: &str = "le";

/// Two counts that differ relatively by less than this are the same: rates carry rounding.
const SAME_COUNT: f64 = 1e-12;

/// Returns the quantile of each histogram in `rows`, which are its buckets, at each step.
pub(super) fn quantile(quantiles: &[f64], rows: &[Row]) -> Result<Vec<Row>, QueryError> {
    let mut histograms: BTreeMap<Labels, Vec<(f64, &Row)>> = BTreeMap::new();
    for row in rows {
        // A series without a bound that is a number is no bucket.
        let Ok(bound) = row.labels.get(BOUND).parse::<f64>() else {
            continue;
        };
        histograms
            .entry(row.labels.without(&[BOUND.to_owned()]))
            .or_default()
            .push((bound, row));
    }
    let mut answers = Vec::with_capacity(histograms.len());
    for (labels, mut buckets) in histograms {
        buckets.sort_by(|left, right| left.0.total_cmp(&right.0));
        let mut present = Vec::with_capacity(buckets.len());
        let mut values = Vec::with_capacity(quantiles.len());
        for (step, quantile) in quantiles.iter().enumerate() {
            present.clear();
            for (bound, row) in &buckets {
                match row.values.get(step) {
                    Some(count) if !is_absent(*count) => present.push((*bound, *count)),
                    _ => {}
                }
            }
            values.push(if present.is_empty() {
                ABSENT
            } else {
                bucket_quantile(*quantile, &mut present)
            });
        }
        answers.push(Row { labels, values });
    }
    distinct(answers)
}

/// The quantile of cumulative buckets (upper bound, count) sorted by bound: linear within the
/// bucket in which its rank falls. In the infinite bucket it is the highest finite bound; without
/// an infinite bucket, without observations or with a single bucket there is none.
///
/// Source: `BucketQuantile` in Prometheus 3, `promql/quantile.go`.
fn bucket_quantile(quantile: f64, buckets: &mut Vec<(f64, f64)>) -> f64 {
    if quantile.is_nan() {
        return f64::NAN;
    }
    if quantile < 0.0 {
        return f64::NEG_INFINITY;
    }
    if quantile > 1.0 {
        return f64::INFINITY;
    }
    merge_same_bounds(buckets);
    make_monotonic(buckets);
    let [finite @ .., (highest, observations)] = buckets.as_slice() else {
        return f64::NAN;
    };
    let Some(highest_finite) = finite.last() else {
        return f64::NAN;
    };
    if *highest < f64::INFINITY || observations.is_nan() || *observations <= 0.0 {
        return f64::NAN;
    }
    let rank = quantile * observations;
    let index = finite.partition_point(|bucket| bucket.1 < rank);
    let Some((upper, count)) = finite.get(index) else {
        return highest_finite.0;
    };
    let below = index.checked_sub(1).and_then(|before| finite.get(before));
    match below {
        None if *upper <= 0.0 => *upper,
        None => upper * (rank / count),
        Some((lower, less)) => lower + (upper - lower) * ((rank - less) / (count - less)),
    }
}

#[expect(
    clippy::float_cmp,
    reason = "bounds are labels: the same text, the same number"
)]
fn merge_same_bounds(buckets: &mut Vec<(f64, f64)>) {
    buckets.dedup_by(|later, first| {
        let is_same = later.0 == first.0;
        if is_same {
            first.1 += later.1;
        }
        is_same
    });
}

/// Raises counts that are below those of lower buckets, and levels differences that are noise.
fn make_monotonic(buckets: &mut [(f64, f64)]) {
    let mut highest = f64::NEG_INFINITY;
    for bucket in buckets {
        let is_noise = highest.is_finite()
            && (bucket.1 - highest).abs() < SAME_COUNT * (bucket.1.abs() + highest.abs());
        if bucket.1 < highest || is_noise {
            bucket.1 = highest;
        } else {
            highest = bucket.1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(quantile: f64, buckets: &[(f64, f64)]) -> f64 {
        bucket_quantile(quantile, &mut buckets.to_vec())
    }

    const BUCKETS: [(f64, f64); 4] = [
        (0.1, 50.0),
        (0.2, 90.0),
        (0.5, 99.0),
        (f64::INFINITY, 100.0),
    ];

    fn near(found: f64, expected: f64) {
        assert!((found - expected).abs() < 1e-12, "{found} {expected}");
    }

    #[test]
    fn quantiles_are_linear_within_their_bucket() {
        near(of(0.25, &BUCKETS), 0.05);
        near(of(0.5, &BUCKETS), 0.1);
        near(of(0.7, &BUCKETS), 0.15);
        near(of(0.96, &BUCKETS), 0.4);
        near(of(0.995, &BUCKETS), 0.5);
    }

    #[test]
    fn corner_cases_are_those_of_prometheus() {
        assert!(of(f64::NAN, &BUCKETS).is_nan());
        near(1.0 / of(-0.1, &BUCKETS), -0.0);
        assert!(of(1.1, &BUCKETS).is_infinite());
        assert!(of(0.5, &BUCKETS[..3]).is_nan());
        assert!(of(0.5, &BUCKETS[3..]).is_nan());
        assert!(of(0.5, &[(1.0, 0.0), (f64::INFINITY, 0.0)]).is_nan());
        assert!(of(0.5, &[]).is_nan());
    }

    #[test]
    fn counts_that_fall_are_raised() {
        let falling = [(0.1, 50.0), (0.2, 49.0), (f64::INFINITY, 100.0)];
        near(of(0.25, &falling), 0.05);
        near(of(0.9, &falling), 0.2);
    }
}
