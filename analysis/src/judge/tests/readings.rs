//! What a reading leaves out, and what is told of it: gauges of many pods, buckets that differ, data
//! that is late, remarks of the source.

use super::*;
use crate::judge::WarningCode;
use crate::series::{Apart, BucketLayout, FiniteSeries, LeftOut, LeftOutSeries, OtherBuckets};

/// A gauge of four pods a side, of which so many are no numbers.
fn cpu(control: f64, canary: f64, not_finite: Populations<usize>) -> MetricData {
    let wave = |level: f64, interval: u32| level * (1.0 + 0.01 * libm::sin(f64::from(interval)));
    let intervals = (0..120).map(|interval| Populations {
        control: Some(wave(control, interval)),
        canary: Some(wave(canary, interval)),
    });
    let left_out = |count: usize| {
        let one = |pod| LeftOutSeries {
            labels: format!("{{pod=\"shop-{pod}\"}}"),
            why: LeftOut::NotFinite,
            intervals: (0..STAGE_INTERVALS).collect(),
        };
        (0..count).map(one).collect()
    };
    MetricData::Gauge(PairedGauge {
        intervals: intervals.collect(),
        left_out: not_finite.map(left_out),
        finite: not_finite.map(|not_finite| FiniteSeries {
            seen: 4,
            not_finite,
        }),
        ..PairedGauge::default()
    })
}

fn not_finite(control: usize, canary: usize) -> Populations<usize> {
    Populations { control, canary }
}

fn judged(checks: Vec<Check>, switches: Vec<Check>, metric: MetricData) -> StageVerdict {
    let mut pipeline = pipeline(checks);
    pipeline.kill_switch = switches;
    let name = if matches!(metric, MetricData::Gauge(_)) {
        "cpu_usage"
    } else {
        "latency_p99"
    };
    second_stage(&pipeline, &data(STAGE_INTERVALS, vec![(name, metric)]))
}

fn absolute() -> Vec<Check> {
    vec![check("cpu_usage", "cpu_usage < 0.7", below(0.7))]
}

fn relative() -> Vec<Check> {
    let condition = below_baseline(1.5);
    vec![check("cpu_usage", "cpu_usage < baseline * 1.5", condition)]
}

fn kill_switch() -> Vec<Check> {
    let condition = Condition::Absolute {
        comparison: Comparison::Greater,
        limit: 0.9,
    };
    vec![switch("cpu_usage", "cpu_usage > 0.9", condition)]
}

#[test]
fn identical_versions_below_0_are_not_beyond_a_multiple_of_each_other() {
    let mut pipeline = pipeline(relative());
    decided_by(&mut pipeline, Method::Sequential);
    let below = cpu(-4.0, -4.0, not_finite(0, 0));
    let verdict = second_stage(
        &pipeline,
        &data(STAGE_INTERVALS, vec![("cpu_usage", below)]),
    );
    assert_eq!(
        (verdict.verdict, verdict.reason_code),
        (Verdict::Hold, ReasonCode::BaselineNegative),
        "{}",
        verdict.reason
    );
}

fn told(verdict: &StageVerdict, code: WarningCode) -> Vec<&str> {
    let warnings = verdict.warnings.iter().filter(|one| one.code == code);
    warnings.map(|one| one.message.as_str()).collect()
}

#[test]
fn a_control_that_is_no_number_hides_neither_a_kill_switch_nor_an_absolute_limit() {
    // What is left of the control is beyond the limit as well: it is not its mean.
    let metric = || cpu(2.0, 2.0, not_finite(3, 0));
    let fired = judged(absolute(), kill_switch(), metric());
    assert_eq!(
        fired.reason_code,
        ReasonCode::KillSwitch,
        "{}",
        fired.reason
    );
    let broken = judged(absolute(), Vec::new(), metric());
    assert_eq!(broken.verdict, Verdict::Rollback, "{}", broken.reason);
    let compared = judged(relative(), Vec::new(), metric());
    assert_eq!(
        (compared.verdict, compared.reason_code),
        (Verdict::Hold, ReasonCode::NotFinite)
    );
    assert!(
        compared.reason.contains("the control's series"),
        "{}",
        compared.reason
    );
}

#[test]
fn a_canary_of_which_most_is_no_number_is_not_judged() {
    for (checks, switches) in [
        (absolute(), Vec::new()),
        (relative(), Vec::new()),
        (absolute(), kill_switch()),
    ] {
        let verdict = judged(checks, switches, cpu(0.5, 2.0, not_finite(0, 3)));
        assert_eq!(
            (verdict.verdict, verdict.reason_code),
            (Verdict::Hold, ReasonCode::NotFinite)
        );
    }
}

#[test]
fn an_idle_pod_is_named_and_the_others_are_judged() {
    let verdict = judged(relative(), Vec::new(), cpu(0.5, 0.5, not_finite(1, 2)));
    assert_eq!(verdict.verdict, Verdict::Promote, "{}", verdict.reason);
    assert_eq!(
        told(&verdict, WarningCode::LeftOutSeries),
        [
            "cpu_usage: left out of the control's mean where NaN or infinite: {pod=\"shop-0\"} (120 \
             of 120 intervals)",
            "cpu_usage: left out of the canary's mean where NaN or infinite: {pod=\"shop-0\"} (120 \
             of 120 intervals), {pod=\"shop-1\"} (120 of 120 intervals)",
        ]
    );
}

#[test]
fn data_that_ends_in_both_versions_is_late_and_the_lag_that_would_do_is_told() {
    let pipeline = pipeline(error_rate_checks());
    let mut late = errors(STAGE_INTERVALS, ((900.0, 900_000.0), (100.0, 100_000.0)));
    let Some(MetricData::Counts(counts)) = late.metrics.get_mut("error_rate") else {
        unreachable!()
    };
    counts.intervals.truncate(STAGE_INTERVALS - 10);
    // The source repeats the last values for five minutes.
    for interval in counts.intervals.iter_mut().skip(STAGE_INTERVALS - 20) {
        interval.control = ArmCount::default();
        interval.canary = ArmCount::default();
    }
    let verdict = second_stage(&pipeline, &late);
    assert_eq!(verdict.reason_code, ReasonCode::NoData);
    assert!(
        verdict.reason.ends_with(
            "that of both versions ends 10 minutes before the window does: if it is only late, \
             set analysis.lag to at least 10m30s (it is 30s)"
        ),
        "{}",
        verdict.reason
    );
}

#[test]
fn a_canary_that_fell_silent_alone_is_not_late() {
    let pipeline = pipeline(error_rate_checks());
    let mut silent = errors(STAGE_INTERVALS, ((900.0, 900_000.0), (100.0, 100_000.0)));
    let Some(MetricData::Counts(counts)) = silent.metrics.get_mut("error_rate") else {
        unreachable!()
    };
    for interval in counts.intervals.iter_mut().skip(100) {
        interval.canary = ArmCount::default();
    }
    let verdict = second_stage(&pipeline, &silent);
    assert_eq!(verdict.reason_code, ReasonCode::NoData);
    assert!(!verdict.reason.contains("lag"), "{}", verdict.reason);
}

fn latency_checks() -> Vec<Check> {
    let condition = below_baseline(1.2);
    vec![check(
        "latency_p99",
        "latency_p99 < baseline * 1.2",
        condition,
    )]
}

fn histogram_with(layout: BucketLayout, has_bounds: bool) -> MetricData {
    let tails = [0.3, 0.01, 0.000_1];
    let MetricData::Histogram(mut histogram) =
        latency::histogram(STAGE_INTERVALS, tails, tails, 10_000.0)
    else {
        unreachable!()
    };
    histogram.buckets = layout;
    if !has_bounds {
        let last = histogram.upper_bounds.len() - 1;
        histogram.upper_bounds = vec![f64::INFINITY];
        let all = |counts: &ndarray::Array2<f64>| {
            counts.column(last).to_owned().insert_axis(ndarray::Axis(1))
        };
        histogram.control = all(&histogram.control);
        histogram.canary = all(&histogram.canary);
    }
    MetricData::Histogram(histogram)
}

fn bounds(control: &[f64], canary: &[f64]) -> BucketLayout {
    BucketLayout {
        own_bounds: Populations {
            control: control.to_vec(),
            canary: canary.to_vec(),
        },
        ..BucketLayout::default()
    }
}

#[test]
fn versions_without_a_bound_in_common_hold_and_each_is_told() {
    let layout = bounds(&[0.005, 0.01, 0.025, 0.05, 1.0, 10.0], &[0.03, 0.3, 3.0]);
    let switches = vec![switch(
        "latency_p99",
        "latency_p99 > 2s",
        Condition::Absolute {
            comparison: Comparison::Greater,
            limit: 2.0,
        },
    )];
    let verdict = judged(latency_checks(), switches, histogram_with(layout, false));
    assert_eq!(
        (verdict.verdict, verdict.reason_code),
        (Verdict::Hold, ReasonCode::OtherBuckets)
    );
    assert_eq!(
        verdict.reason,
        "latency_p99 < baseline * 1.2: the two versions have other buckets, and no bound in common: \
         those of the control are 5 ms, 10 ms, 25 ms .. 10 s, those of the canary 30 ms, 300 ms, 3 s"
    );
    assert!(verdict.checks[1].reason.contains("no bound in common"));
}

#[test]
fn bounds_and_targets_that_do_not_count_are_told_beside_the_verdict() {
    let mut layout = bounds(&[0.1, 0.2, 0.4], &[0.1, 0.2, 0.3, 0.4]);
    layout.other_targets.control = vec![OtherBuckets {
        labels: "{pod=\"shop-1\"}".to_owned(),
        is_left_out: true,
    }];
    let verdict = judged(latency_checks(), Vec::new(), histogram_with(layout, true));
    assert_eq!(verdict.verdict, Verdict::Promote, "{}", verdict.reason);
    assert_eq!(
        told(&verdict, WarningCode::OtherBuckets),
        [
            "latency_p99: the two versions have other buckets, only the bounds in common count: 100 \
             ms, 200 ms, 400 ms",
            "latency_p99: a part of the control has other buckets and little traffic, and is not \
             counted: {pod=\"shop-1\"}",
        ]
    );
}

#[test]
fn a_remark_of_the_source_is_shown_and_holds_nothing() {
    let pipeline = pipeline(error_rate_checks());
    let mut remarked = errors(STAGE_INTERVALS, ((900.0, 900_000.0), (100.0, 100_000.0)));
    let unremarked = second_stage(&pipeline, &remarked);
    remarked.source_remarks.insert(
        "error_rate".to_owned(),
        "it might not be a counter".to_owned(),
    );
    let verdict = second_stage(&pipeline, &remarked);
    assert_eq!(verdict.reason, unremarked.reason);
    assert_eq!(
        told(&verdict, WarningCode::SourceRemark),
        ["error_rate: the source remarks: it might not be a counter"]
    );
}

#[test]
fn a_stratum_label_that_one_population_lacks_is_told_as_that() {
    let within_routes = Metric {
        kind: MetricKind::Proportion {
            events: "errors_total".into(),
            total: "requests_total".into(),
            strata: Some("route".to_owned()),
        },
        ..metrics().remove("error_rate").unwrap()
    };
    let text = "error_rate < baseline * 1.1";
    let condition = written("error_rate", text, below_baseline(1.1));
    let check = condition.resolved(Subject::Itself(Arc::new(within_routes)), &settings());
    let pipeline = pipeline(vec![check]);
    let mut data = errors(STAGE_INTERVALS, ((900.0, 900_000.0), (100.0, 100_000.0)));
    let Some(MetricData::Counts(counts)) = data.metrics.get_mut("error_rate") else {
        unreachable!()
    };
    let of = |name: &str, arm: fn(&PairedInterval) -> ArmCount| Apart {
        names: vec![name.to_owned()],
        rows: counts
            .intervals
            .iter()
            .map(|one| vec![(0, arm(one))])
            .collect(),
    };
    counts.strata = Populations {
        control: of("/pay", |one| one.control),
        canary: of("", |one| one.canary),
    };
    let told = second_stage(&pipeline, &data).checks[0].reason.clone();
    assert!(
        told.contains("no series of the canary has the label route, which strata names"),
        "{told}"
    );
}

#[test]
fn who_had_no_traffic_is_named() {
    let pipeline = pipeline(error_rate_checks());
    let reason = |of| {
        second_stage(&pipeline, &errors(STAGE_INTERVALS, of)).checks[0]
            .reason
            .clone()
    };
    let canary = reason(((9.0, 9_000.0), (0.0, 0.0)));
    assert!(
        canary.ends_with("the canary had no traffic in the window"),
        "{canary}"
    );
    let control = reason(((0.0, 0.0), (9.0, 9_000.0)));
    assert!(
        control.ends_with("the control had no traffic in the window"),
        "{control}"
    );
    let mut apart = errors(STAGE_INTERVALS, ((9.0, 9_000.0), (9.0, 9_000.0)));
    let Some(MetricData::Counts(counts)) = apart.metrics.get_mut("error_rate") else {
        unreachable!()
    };
    for (index, interval) in counts.intervals.iter_mut().enumerate() {
        if index % 2 == 0 {
            interval.control = ArmCount::default();
        } else {
            interval.canary = ArmCount::default();
        }
    }
    let apart = second_stage(&pipeline, &apart).checks[0].reason.clone();
    assert!(apart.contains("no traffic in the same interval"), "{apart}");
}
