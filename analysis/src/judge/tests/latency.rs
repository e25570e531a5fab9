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
    // The quantile lies on the bound, with half a request to spare.
    let canary = verdict.checks[0].canary.as_ref().unwrap();
    let bracket = canary.bracket.unwrap();
    assert!((bracket.lower() - 0.2).abs() < 1e-12 && (bracket.upper() - 0.4).abs() < 1e-12);
}

#[test]
fn a_latency_limit_between_two_bounds_is_read_and_cleared() {
    let at = |beyond| latency(below(0.3), "latency_p99 < 300ms", [0.95, beyond, 0.000_1]);
    assert_eq!(at(0.02).verdict, Verdict::Promote, "about 220 ms");
    assert_eq!(at(0.9).verdict, Verdict::Rollback, "about 330 ms");
    let near = at(0.36);
    assert_eq!(near.verdict, Verdict::Hold, "about 300 ms: {}", near.reason);
    let reason = &near.checks[0].reason;
    let told = "read between the bounds 200 ms and 400 ms, with 5 % to clear";
    assert!(reason.ends_with(told), "{reason}");
}

#[test]
fn a_limit_beyond_the_last_bound_is_kept_by_what_is_within_it_and_blames_nobody() {
    let at = |beyond| latency(below(0.9), "latency_p99 < 900ms", [0.3, 0.1, beyond]);
    assert_eq!(at(0.000_1).verdict, Verdict::Promote);
    let open = at(0.02);
    assert_eq!(open.verdict, Verdict::Hold);
    assert_ne!(open.reason_code, ReasonCode::Environment);
}

#[test]
fn a_relative_latency_limit_compares_tails() {
    let at = |canary| latency(below_baseline(1.2), "latency_p99 < baseline * 1.2", canary);
    assert_eq!(at([0.3, 0.01, 0.000_1]).verdict, Verdict::Promote);
    assert_eq!(at([0.6, 0.1, 0.01]).verdict, Verdict::Rollback);
}

#[test]
fn little_traffic_is_enough_and_before_there_is_any_the_check_says_so() {
    let at = |intervals: usize, canary| {
        let condition = below_baseline(1.2);
        let mut pipeline = pipeline(vec![check(
            "latency_p99",
            "latency_p99 < baseline * 1.2",
            condition,
        )]);
        decided_by(&mut pipeline, Method::Sequential);
        let histogram = histogram(intervals, [0.3, 0.02, 0.001], canary, 5.0);
        let data = data(intervals, vec![("latency_p99", histogram)]);
        second_stage(&pipeline, &data)
    };
    // 45 requests of the control in an interval.
    assert_eq!(at(120, [0.6, 0.4, 0.2]).verdict, Verdict::Rollback);
    let same = at(120, [0.3, 0.02, 0.001]);
    let reason = &same.checks[0].reason;
    assert_eq!(same.verdict, Verdict::Hold);
    assert!(
        reason.contains("600 of about 810 canary requests"),
        "{reason}"
    );
    let first = at(2, [0.3, 0.02, 0.001]);
    assert_eq!(
        first.checks[0].reason,
        "latency_p99 < baseline * 1.2: the first 100 control requests tell the p99: 90 so far"
    );
    assert!(first.checks[0].needs.is_some());
}

#[test]
fn a_regression_is_told_with_the_time_since_when_it_is() {
    let fast = [0.3, 0.01, 0.000_1];
    let MetricData::Histogram(mut histogram) = histogram(STAGE_INTERVALS, fast, fast, 1_000.0)
    else {
        unreachable!()
    };
    for row in 40..STAGE_INTERVALS {
        for (column, tail) in [0.7, 0.2, 0.005].into_iter().enumerate() {
            histogram.canary[[row, column]] = (1.0 - tail) * 1_000.0;
        }
    }
    let checks = vec![check(
        "latency_p99",
        "latency_p99 < baseline * 1.2",
        below_baseline(1.2),
    )];
    let mut pipeline = pipeline(checks);
    decided_by(&mut pipeline, Method::Sequential);
    let data = data(
        STAGE_INTERVALS,
        vec![("latency_p99", MetricData::Histogram(histogram))],
    );
    let since = crate::text::time_of_day(data.grid.boundary_ms(40));
    let verdict = second_stage(&pipeline, &data);
    assert_eq!(verdict.verdict, Verdict::Rollback);
    let report = &verdict.checks[0];
    let told = format!("latency_p99 < baseline * 1.2: broken since {since}, canary ");
    assert!(report.reason.starts_with(&told), "{}", report.reason);
    let ratio = report.ratio.as_ref().unwrap().estimate;
    assert!(ratio > 1.5, "of the time since, not of the window: {ratio}");
}
