//! Latency quantiles.

use super::*;

/// A histogram with bounds 0.1, 0.2, 0.4 and the given shares beyond each bound. The canary has a
/// tenth of the requests, `total` in each interval.
pub(super) fn histogram(
    intervals: usize,
    control: [f64; 3],
    canary: [f64; 3],
    total: f64,
) -> MetricData {
    let row = |tails: [f64; 3], total: f64| {
        let mut row: Vec<f64> = tails.iter().map(|tail| (1.0 - tail) * total).collect();
        row.push(total);
        row
    };
    let rows = |tails: [f64; 3], total: f64| {
        let all: Vec<f64> = (0..intervals).flat_map(|_| row(tails, total)).collect();
        ndarray::Array2::from_shape_vec((intervals, 4), all).unwrap()
    };
    MetricData::Histogram(PairedHistogram {
        upper_bounds: vec![0.1, 0.2, 0.4, f64::INFINITY],
        spans: (0..intervals).map(|first| (first, 1)).collect(),
        control: rows(control, 9.0 * total),
        canary: rows(canary, total),
        ..PairedHistogram::default()
    })
}

fn latency(condition: Condition, text: &str, canary: [f64; 3]) -> StageVerdict {
    let pipeline = pipeline(vec![check("latency_p99", text, condition)]);
    let control = [0.3, 0.01, 0.000_1];
    let data = data(
        STAGE_INTERVALS,
        vec![(
            "latency_p99",
            histogram(STAGE_INTERVALS, control, canary, 10_000.0),
        )],
    );
    second_stage(&pipeline, &data)
}

#[test]
fn an_absolute_latency_limit_is_decided_at_bucket_bounds() {
    let at = |canary| latency(below(0.2), "latency_p99 < 200ms", canary);
    assert_eq!(at([0.3, 0.005, 0.000_1]).verdict, Verdict::Promote);
    assert_eq!(at([0.4, 0.02, 0.000_1]).verdict, Verdict::Rollback);
    let verdict = at([0.3, 0.01, 0.000_1]);
    assert_eq!(verdict.verdict, Verdict::Hold);
    let canary = verdict.checks[0].canary.as_ref().unwrap();
    let bracket = canary.bracket.unwrap();
    assert!((bracket.lower() - 0.1).abs() < 1e-12 && (bracket.upper() - 0.2).abs() < 1e-12);
}

#[test]
fn a_latency_limit_between_two_bounds_says_what_the_buckets_cannot_decide() {
    let verdict = latency(below(0.3), "latency_p99 < 300ms", [0.5, 0.02, 0.000_1]);
    assert_eq!(verdict.verdict, Verdict::Hold);
    assert!(
        verdict.checks[0]
            .reason
            .contains("the buckets decide nothing inside [200 ms, 400 ms]"),
        "{}",
        verdict.checks[0].reason
    );
}

#[test]
fn a_relative_latency_limit_compares_tails() {
    let at = |canary| latency(below_baseline(1.2), "latency_p99 < baseline * 1.2", canary);
    assert_eq!(at([0.3, 0.01, 0.000_1]).verdict, Verdict::Promote);
    assert_eq!(at([0.6, 0.1, 0.01]).verdict, Verdict::Rollback);
}

/// 45 requests of the control in an interval: its tail is known after the stage, not in it.
#[test]
fn with_little_traffic_bounds_apart_are_compared_and_nothing_is_promoted() {
    let at = |canary| {
        let condition = below_baseline(1.2);
        let mut pipeline = pipeline(vec![check(
            "latency_p99",
            "latency_p99 < baseline * 1.2",
            condition,
        )]);
        decided_by(&mut pipeline, Method::Sequential);
        let histogram = histogram(STAGE_INTERVALS, [0.3, 0.02, 0.001], canary, 5.0);
        let data = data(STAGE_INTERVALS, vec![("latency_p99", histogram)]);
        second_stage(&pipeline, &data)
    };
    assert_eq!(at([0.6, 0.4, 0.2]).verdict, Verdict::Rollback);
    let same = at([0.3, 0.02, 0.001]);
    assert_eq!(same.verdict, Verdict::Hold);
    let reason = &same.checks[0].reason;
    assert!(reason.contains("too few slow requests"), "{reason}");
    // Four times slower requests beyond the control's bound, but none beyond the next: in truth
    // the limit may be kept.
    assert_eq!(at([0.3, 0.08, 0.001]).verdict, Verdict::Hold);
}
