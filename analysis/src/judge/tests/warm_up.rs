//! New pods are slow: a latency check leaves them out, and looks at all others.

use super::*;
use crate::series::{Apart, PodBuckets, PodLife};

const SLOW: [f64; 3] = [0.9, 0.8, 0.5];
const FAST: [f64; 3] = [0.3, 0.005, 0.000_1];
const REQUESTS: f64 = 5_000.0;

fn counts(tails: [f64; 3]) -> Vec<f64> {
    let below = tails.map(|tail| (1.0 - tail) * REQUESTS);
    below.into_iter().chain([REQUESTS]).collect()
}

/// A canary of two pods, of which the second begins at an interval and is slow in some.
fn two_pods(
    intervals: usize,
    slow: &std::ops::Range<usize>,
    starts: impl Fn(usize) -> Option<i64>,
) -> MetricData {
    let MetricData::Histogram(mut histogram) =
        latency::histogram(intervals, FAST, FAST, 2.0 * REQUESTS)
    else {
        unreachable!()
    };
    let rows = (0..intervals).map(|row| {
        let second = counts(if slow.contains(&row) { SLOW } else { FAST });
        let first = counts(FAST);
        for (column, (one, other)) in first.iter().zip(&second).enumerate() {
            histogram.canary[[row, column]] = one + other;
        }
        let buckets = |counts: &[f64]| PodBuckets::of_cumulative(counts);
        vec![(0, buckets(&first)), (1, buckets(&second))]
    });
    let rows = rows.collect();
    let names: Vec<String> = (0..2).map(|pod| format!("canary-{pod}")).collect();
    histogram.lives.canary = (0..2)
        .filter_map(|pod| {
            let life = PodLife {
                first_sample_ms: starts(pod)?,
                start_ms: starts(pod),
            };
            Some((names[pod].clone(), life))
        })
        .collect();
    histogram.pods.canary = Apart { names, rows };
    MetricData::Histogram(histogram)
}

fn judged(slow: std::ops::Range<usize>, starts: [Option<i64>; 2], method: Method) -> StageVerdict {
    let checks = vec![check(
        "latency_p99",
        "latency_p99 < baseline * 1.2",
        below_baseline(1.2),
    )];
    let mut pipeline = pipeline(checks);
    decided_by(&mut pipeline, method);
    if method == Method::Kayenta {
        // It has none but what the file says.
        pipeline.analysis.warm_up_seconds = Some(300);
    }
    let start_ms = grid(STAGE_INTERVALS).start_ms();
    let at = |pod: usize| starts[pod].map(|interval| start_ms + interval * INTERVAL_MS);
    let data = data(
        STAGE_INTERVALS,
        vec![("latency_p99", two_pods(STAGE_INTERVALS, &slow, at))],
    );
    second_stage(&pipeline, &data)
}

#[test]
fn a_pod_that_is_born_late_is_left_out_when_it_is_young() {
    // A pod starts in the middle: the intervals of its first five minutes are slow.
    let verdict = judged(60..70, [Some(-20), Some(60)], Method::Sequential);
    assert_eq!(verdict.verdict, Verdict::Promote, "{}", verdict.reason);
    let old = judged(60..70, [Some(-20), Some(-20)], Method::Sequential);
    assert_eq!(old.verdict, Verdict::Rollback, "{}", old.reason);
    let too_long = judged(60..80, [Some(-20), Some(60)], Method::Sequential);
    assert_eq!(too_long.verdict, Verdict::Rollback, "{}", too_long.reason);
}

#[test]
fn a_pod_that_is_old_is_looked_at_from_the_windows_start() {
    let old = judged(0..10, [Some(-20), Some(-20)], Method::Sequential);
    assert_eq!(old.verdict, Verdict::Rollback, "{}", old.reason);
    let young = judged(0..10, [Some(0), Some(0)], Method::Sequential);
    assert_eq!(young.verdict, Verdict::Promote, "{}", young.reason);
}

#[test]
fn the_requests_of_new_pods_are_told() {
    let verdict = judged(0..10, [Some(0), Some(0)], Method::Sequential);
    let told = "100,000 of 1,200,000 canary requests are of new processes and not judged";
    let reason = &verdict.checks[0].reason;
    assert!(reason.contains(told), "{reason}");
}

#[test]
fn kayenta_leaves_new_pods_out_too() {
    let seen = judged(0..10, [Some(-20), Some(-20)], Method::Kayenta);
    let left_out = judged(0..10, [Some(-20), Some(0)], Method::Kayenta);
    assert_eq!(
        left_out.checks[0].outcome,
        Outcome::Pass,
        "{}",
        left_out.reason
    );
    assert_ne!(seen.checks[0].canary, left_out.checks[0].canary);
}
