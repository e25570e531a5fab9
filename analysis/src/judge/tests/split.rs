//! Whether the canary gets the share of the requests that the stage says.

use super::*;
use crate::judge::WarningCode;
use crate::pipeline::SplitCheck;

/// Counts of a good canary whose share of 10,000 requests depends on the interval. One request in
/// a hundred fails.
fn shares(intervals: usize, share: impl Fn(usize) -> f64) -> MetricData {
    let arm = |exposure: f64| ArmCount {
        events: (0.01 * exposure).round(),
        exposure,
    };
    let interval = |first| {
        let canary = (10_000.0 * share(first)).round();
        PairedInterval {
            first,
            length: 1,
            control: arm(10_000.0 - canary),
            canary: arm(canary),
        }
    };
    MetricData::Counts(PairedCounts {
        intervals: (0..intervals).map(interval).collect(),
        ..PairedCounts::default()
    })
}

/// The second stage says 10 %.
fn judged(pipeline: &Pipeline, intervals: usize, share: impl Fn(usize) -> f64) -> StageVerdict {
    let counts = shares(intervals, share);
    second_stage(pipeline, &data(intervals, vec![("error_rate", counts)]))
}

fn sequential() -> Pipeline {
    let mut pipeline = pipeline(error_rate_checks());
    decided_by(&mut pipeline, Method::Sequential);
    pipeline
}

fn is_mismatch(verdict: &StageVerdict) -> bool {
    verdict.reason_code == ReasonCode::SplitMismatch
}

#[test]
fn a_share_that_is_twice_or_half_of_the_stages_holds_and_says_both() {
    let pipeline = sequential();
    for (share, told) in [(0.2, "20 %"), (0.05, "5 %")] {
        let verdict = judged(&pipeline, STAGE_INTERVALS, |_| share);
        assert_eq!(verdict.verdict, Verdict::Hold);
        assert!(is_mismatch(&verdict), "{}", verdict.reason);
        let says = format!(
            "the canary serves {told} of the requests where 10 % is configured: correct the \
             routing or the stage's traffic_percent; if the control is not all of the other \
             traffic, set analysis.split_check to off"
        );
        assert_eq!(verdict.reason, says);
    }
    let first = (1..STAGE_INTERVALS)
        .find(|intervals| is_mismatch(&judged(&pipeline, *intervals, |_| 0.2)))
        .unwrap();
    // Four intervals of warm-up, then as few as that: traffic is taken to vary by 20 %.
    assert!((8..=14).contains(&first), "after {first} intervals");
}

#[test]
fn a_share_that_is_right_or_a_little_wrong_goes_on() {
    let pipeline = sequential();
    for share in [0.1, 0.11, 0.09] {
        for intervals in (10..=STAGE_INTERVALS).step_by(10) {
            let verdict = judged(&pipeline, intervals, |_| share);
            assert!(!is_mismatch(&verdict), "{share} after {intervals}");
        }
        let verdict = judged(&pipeline, STAGE_INTERVALS, |_| share);
        assert_eq!(verdict.verdict, Verdict::Promote, "{}", verdict.reason);
    }
}

#[test]
fn a_canary_that_ramps_up_is_not_held_for_good() {
    let pipeline = sequential();
    // No traffic for two minutes, then four minutes of pods that start one after the other.
    let ramp = |interval: usize| match interval {
        0..4 => 0.0,
        4..12 => 0.1 * (interval - 3) as f64 / 8.0,
        _ => 0.1,
    };
    for intervals in 1..=STAGE_INTERVALS {
        let verdict = judged(&pipeline, intervals, ramp);
        assert!(!is_mismatch(&verdict), "after {intervals}");
    }
}

#[test]
fn the_hold_ends_when_the_routing_is_put_right() {
    let pipeline = sequential();
    let repaired = |interval: usize| if interval < 100 { 0.3 } else { 0.1 };
    let at = |intervals| is_mismatch(&judged(&pipeline, intervals, repaired));
    assert!(at(100) && at(102));
    for intervals in 108..=240 {
        assert!(!at(intervals), "after {intervals} intervals");
    }
    // And a routing that breaks late is found, whatever was before.
    let broken = |interval: usize| if interval < 150 { 0.1 } else { 0.3 };
    let found = (150..240)
        .find(|intervals| is_mismatch(&judged(&pipeline, *intervals, broken)))
        .unwrap();
    // What was right before is in the same window, and the change counts as noise at first.
    assert!(found <= 150 + 50, "found at {found}");
    for intervals in found..=240 {
        assert!(
            is_mismatch(&judged(&pipeline, intervals, broken)),
            "gone at {intervals}"
        );
    }
}

#[test]
fn the_setting_warns_or_looks_away() {
    let mut pipeline = sequential();
    pipeline.analysis.split_check = SplitCheck::Warn;
    let verdict = judged(&pipeline, STAGE_INTERVALS, |_| 0.2);
    assert_eq!(verdict.verdict, Verdict::Promote, "{}", verdict.reason);
    assert_eq!(verdict.warnings[0].code, WarningCode::SplitMismatch);
    assert!(
        verdict.warnings[0]
            .message
            .starts_with("the canary serves 20 %")
    );
    pipeline.analysis.split_check = SplitCheck::Off;
    let verdict = judged(&pipeline, STAGE_INTERVALS, |_| 0.2);
    assert_eq!(verdict.verdict, Verdict::Promote);
    assert!(verdict.warnings.is_empty(), "{:?}", verdict.warnings);
}

#[test]
fn a_rollback_goes_before_and_warns() {
    let pipeline = sequential();
    let MetricData::Counts(mut counts) = shares(STAGE_INTERVALS, |_| 0.2) else {
        unreachable!()
    };
    for interval in &mut counts.intervals {
        interval.canary.events *= 5.0;
    }
    let bad = data(
        STAGE_INTERVALS,
        vec![("error_rate", MetricData::Counts(counts))],
    );
    let verdict = second_stage(&pipeline, &bad);
    assert_eq!(verdict.reason_code, ReasonCode::CheckFailed);
    assert_eq!(verdict.warnings[0].code, WarningCode::SplitMismatch);
}

#[test]
fn nobody_looks_where_there_is_nothing_to_compare() {
    let mut pipeline = sequential();
    pipeline.stages[1].shadow = true;
    assert!(
        !is_mismatch(&judged(&pipeline, STAGE_INTERVALS, |_| 0.5)),
        "mirrored"
    );
    pipeline.stages[1].shadow = false;
    assert!(is_mismatch(&judged(&pipeline, STAGE_INTERVALS, |_| 0.5)));
    // No control at all: the relative check says so itself.
    assert!(!is_mismatch(&judged(&pipeline, STAGE_INTERVALS, |_| 1.0)));
    let whole = data(
        STAGE_INTERVALS,
        vec![("error_rate", shares(STAGE_INTERVALS, |_| 0.5))],
    );
    assert!(
        !is_mismatch(&judge(&pipeline, &pipeline.stages[2], &whole)),
        "at 100 %"
    );
    // Totals of another kind are no requests.
    let other = MetricKind::Proportion {
        events: "throttled_total".into(),
        total: "periods_total".into(),
        strata: None,
    };
    let throttling = metric("throttling", other, Better::Lower, Dimension::Fraction);
    let subject = Subject::Itself(Arc::new(throttling.clone()));
    pipeline.metrics.insert("throttling".to_owned(), throttling);
    let check = written("throttling", "throttling < 5%", below(0.05));
    pipeline.stages[1].checks = vec![check.resolved(subject, &pipeline.analysis)];
    let periods = data(
        STAGE_INTERVALS,
        vec![("throttling", shares(STAGE_INTERVALS, |_| 0.5))],
    );
    assert_eq!(second_stage(&pipeline, &periods).verdict, Verdict::Promote);
}

#[test]
fn the_requests_of_a_histogram_are_counted_where_no_share_is_read() {
    let pipeline = pipeline(vec![check(
        "latency_p99",
        "latency_p99 < 200ms",
        below(0.2),
    )]);
    let good = [0.3, 0.005, 0.000_1];
    let MetricData::Histogram(mut histogram) =
        latency::histogram(STAGE_INTERVALS, good, good, 10_000.0)
    else {
        unreachable!()
    };
    histogram.canary *= 3.0;
    let wrong = data(
        STAGE_INTERVALS,
        vec![("latency_p99", MetricData::Histogram(histogram))],
    );
    assert!(is_mismatch(&second_stage(&pipeline, &wrong)));
}
