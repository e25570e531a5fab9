//! New pods are slow: latency and gauges leave out the intervals in which there were any.

use super::*;

const SLOW: [f64; 3] = [0.9, 0.8, 0.5];
const FAST: [f64; 3] = [0.3, 0.005, 0.000_1];

/// A canary that is slow in some intervals.
fn slow_in(intervals: usize, slow: std::ops::Range<usize>) -> MetricData {
    let MetricData::Histogram(mut histogram) = latency::histogram(intervals, FAST, FAST, 10_000.0)
    else {
        unreachable!()
    };
    for row in slow {
        for (column, tail) in SLOW.into_iter().enumerate() {
            histogram.canary[[row, column]] = (1.0 - tail) * 10_000.0;
        }
    }
    MetricData::Histogram(histogram)
}

fn judged(slow: std::ops::Range<usize>, starts: Option<&[i64]>, method: Method) -> StageVerdict {
    let checks = vec![check(
        "latency_p99",
        "latency_p99 < baseline * 1.2",
        below_baseline(1.2),
    )];
    let mut pipeline = pipeline(checks);
    decided_by(&mut pipeline, method);
    let mut data = data(
        STAGE_INTERVALS,
        vec![("latency_p99", slow_in(STAGE_INTERVALS, slow))],
    );
    let at = |interval: &i64| data.grid.start_ms() + interval * INTERVAL_MS;
    data.canary_starts_ms = starts.map(|starts| starts.iter().map(at).collect());
    second_stage(&pipeline, &data)
}

#[test]
fn a_pod_that_is_born_late_is_left_out_when_it_is_young() {
    // A pod starts in the middle: the four intervals of its two minutes are slow.
    let verdict = judged(60..64, Some(&[60]), Method::Sequential);
    assert_eq!(verdict.verdict, Verdict::Promote, "{}", verdict.reason);
    let unknown = judged(60..64, None, Method::Sequential);
    assert_eq!(unknown.verdict, Verdict::Rollback, "{}", unknown.reason);
    let too_long = judged(60..70, Some(&[60]), Method::Sequential);
    assert_eq!(too_long.verdict, Verdict::Rollback, "{}", too_long.reason);
}

#[test]
fn a_pod_that_is_old_is_looked_at_from_the_windows_start() {
    let old = judged(0..4, Some(&[-20]), Method::Sequential);
    assert_eq!(old.verdict, Verdict::Rollback, "{}", old.reason);
    for starts in [None, Some([0].as_slice())] {
        let young = judged(0..4, starts, Method::Sequential);
        assert_eq!(young.verdict, Verdict::Promote, "{}", young.reason);
    }
}

#[test]
fn kayenta_leaves_new_pods_out_too() {
    // 60 of 120 points that are higher are seen, the same points of new pods are not.
    let starts: Vec<i64> = (0..60).step_by(3).collect();
    let seen = judged(0..60, None, Method::Kayenta);
    assert_eq!(seen.checks[0].outcome, Outcome::Fail, "{}", seen.reason);
    let left_out = judged(0..60, Some(&starts), Method::Kayenta);
    assert_eq!(
        left_out.checks[0].outcome,
        Outcome::Pass,
        "{}",
        left_out.reason
    );
}

#[test]
fn new_pods_alone_decide_nothing_and_are_told() {
    let starts: Vec<i64> = (0..120).step_by(3).collect();
    let verdict = judged(0..0, Some(&starts), Method::Sequential);
    assert_eq!(
        (verdict.verdict, verdict.reason_code),
        (Verdict::Hold, ReasonCode::Undecided)
    );
    assert_eq!(
        verdict.reason,
        "latency_p99 < baseline * 1.2: in every interval so far a pod of the canary was new, and \
         new pods are slow"
    );
}
