//! The judge's rules, one specification each.

use std::collections::{BTreeMap, BTreeSet};

use crate::pipeline::{
    AnalysisSettings, Better, Check, Comparison, Condition, Dimension, Method, Metric, MetricKind,
    OnInconclusive, Pipeline, Stage,
};
use crate::series::{
    ArmCount, DataQuality, Grid, PairedCounts, PairedGauge, PairedHistogram, PairedInterval,
    Populations,
};

use super::{DataFault, MetricData, Outcome, ReasonCode, StageData, StageVerdict, Verdict, judge};

const INTERVAL_MS: i64 = 30_000;
/// The stage of these tests lasts an hour.
const STAGE_INTERVALS: usize = 120;

fn metric(name: &str, kind: MetricKind, better: Better, dimension: Dimension) -> Metric {
    Metric {
        name: name.to_owned(),
        kind,
        better,
        dimension,
    }
}

fn proportion() -> MetricKind {
    MetricKind::Proportion {
        events: "errors_total".to_owned(),
        total: "requests_total".to_owned(),
    }
}

fn check(metric: &str, text: &str, condition: Condition) -> Check {
    Check {
        metric: metric.to_owned(),
        text: text.to_owned(),
        condition,
        critical: true,
        weight: 1.0,
        warn_only: false,
        method: None,
        promote_ratio: None,
    }
}

fn below(limit: f64) -> Condition {
    Condition::Absolute {
        comparison: Comparison::Less,
        limit,
    }
}

fn below_baseline(ratio: f64) -> Condition {
    Condition::Relative {
        comparison: Comparison::Less,
        ratio,
        offset: 0.0,
    }
}

fn stage(id: &str, traffic_percent: f64, checks: Vec<Check>) -> Stage {
    Stage {
        id: id.to_owned(),
        name: id.to_owned(),
        traffic_percent,
        duration_minutes: 60.0,
        max_duration_minutes: 120.0,
        promote_early: false,
        regions: Vec::new(),
        rollback_point: false,
        shadow: false,
        checks,
        inherits_checks: false,
    }
}

fn pipeline(checks: Vec<Check>) -> Pipeline {
    let quantile = MetricKind::Quantile {
        quantile: 0.99,
        histogram: "duration_seconds".to_owned(),
        scale: 1.0,
    };
    let gauge = MetricKind::Gauge {
        expression: "cpu".to_owned(),
    };
    let impact = MetricKind::Impact {
        of: "conversion".to_owned(),
    };
    let metrics = [
        metric(
            "error_rate",
            proportion(),
            Better::Lower,
            Dimension::Fraction,
        ),
        metric(
            "conversion",
            proportion(),
            Better::Higher,
            Dimension::Fraction,
        ),
        metric("kpi_impact", impact, Better::Lower, Dimension::Fraction),
        metric("latency_p99", quantile, Better::Lower, Dimension::Seconds),
        metric("cpu_usage", gauge, Better::Lower, Dimension::Number),
    ];
    Pipeline {
        name: "checkout".to_owned(),
        source: None,
        control: BTreeSet::new(),
        canary: BTreeSet::new(),
        region_label: "region".to_owned(),
        metrics: metrics
            .into_iter()
            .map(|metric| (metric.name.clone(), metric))
            .collect(),
        analysis: AnalysisSettings {
            method: Method::Wilson,
            ..AnalysisSettings::default()
        },
        kill_switch: Vec::new(),
        dry_run: false,
        stages: vec![
            stage("stage_1", 1.0, checks.clone()),
            stage("stage_2", 10.0, checks.clone()),
            stage("stage_3", 100.0, checks),
        ],
    }
}

/// Counts spread evenly over the intervals of a grid.
fn counts(intervals: usize, control: (f64, f64), canary: (f64, f64)) -> MetricData {
    let each = |(events, exposure): (f64, f64)| ArmCount {
        events: events / intervals as f64,
        exposure: exposure / intervals as f64,
    };
    let interval = |first| PairedInterval {
        first,
        length: 1,
        control: each(control),
        canary: each(canary),
    };
    MetricData::Counts(PairedCounts {
        intervals: (0..intervals).map(interval).collect(),
        quality: DataQuality::default(),
    })
}

fn grid(intervals: usize) -> Grid {
    let length = i64::try_from(intervals).unwrap() * INTERVAL_MS;
    Grid::covering(1_800_000_000_000, 1_800_000_000_000 + length, INTERVAL_MS)
}

fn data(intervals: usize, metrics: Vec<(&str, MetricData)>) -> StageData {
    StageData {
        grid: grid(intervals),
        starts_with_stage: true,
        metrics: metrics
            .into_iter()
            .map(|(name, data)| (name.to_owned(), data))
            .collect(),
        source_warnings: BTreeMap::new(),
    }
}

fn second_stage(pipeline: &Pipeline, data: &StageData) -> StageVerdict {
    judge(pipeline, &pipeline.stages[1], data)
}

const GOOD: ((f64, f64), (f64, f64)) = ((900.0, 900_000.0), (100.0, 100_000.0));
const BAD: ((f64, f64), (f64, f64)) = ((900.0, 900_000.0), (300.0, 100_000.0));

fn error_rate_checks() -> Vec<Check> {
    vec![check(
        "error_rate",
        "error_rate < baseline * 1.1",
        below_baseline(1.1),
    )]
}

fn errors(intervals: usize, of: ((f64, f64), (f64, f64))) -> StageData {
    data(
        intervals,
        vec![("error_rate", counts(intervals, of.0, of.1))],
    )
}

#[test]
fn promote_when_the_stage_is_over_and_every_check_has_passed() {
    let pipeline = pipeline(error_rate_checks());
    let verdict = second_stage(&pipeline, &errors(STAGE_INTERVALS, GOOD));
    assert_eq!(verdict.verdict, Verdict::Promote);
    assert_eq!(verdict.reason_code, ReasonCode::Passed);
    assert_eq!(verdict.progress, "stage 2 of 3, 60 of 60 minutes");
}

#[test]
fn hold_while_the_stage_lasts_although_every_check_passes() {
    let pipeline = pipeline(error_rate_checks());
    let verdict = second_stage(&pipeline, &errors(60, GOOD));
    assert_eq!(
        (verdict.verdict, verdict.reason_code),
        (Verdict::Hold, ReasonCode::WarmingUp)
    );
    assert_eq!(
        verdict.reason,
        "every check passes so far; the stage lasts 60 minutes, 30 minutes are over"
    );
}

#[test]
fn promote_early_does_not_wait_for_the_end() {
    let mut pipeline = pipeline(error_rate_checks());
    pipeline.stages[1].promote_early = true;
    let verdict = second_stage(&pipeline, &errors(60, GOOD));
    assert_eq!(verdict.verdict, Verdict::Promote);
}

#[test]
fn roll_back_at_once_when_a_check_is_broken_and_name_the_last_safe_traffic() {
    let pipeline = pipeline(error_rate_checks());
    let verdict = second_stage(&pipeline, &errors(10, BAD));
    assert_eq!(
        (verdict.verdict, verdict.reason_code),
        (Verdict::Rollback, ReasonCode::CheckFailed)
    );
    assert!((verdict.rollback_to_percent - 1.0).abs() < 1e-12);
    assert_eq!(
        verdict.reason,
        "error_rate < baseline * 1.1: broken, canary 0.3 % [0.259 %, 0.348 %], control 0.1 % \
         [0.0918 %, 0.109 %]"
    );
}

#[test]
fn a_marked_rollback_point_is_preferred_to_the_stage_before() {
    let mut pipeline = pipeline(error_rate_checks());
    pipeline.stages[0].rollback_point = true;
    let data = errors(10, BAD);
    let verdict = judge(&pipeline, &pipeline.stages[2], &data);
    assert!((verdict.rollback_to_percent - 1.0).abs() < 1e-12);
    let verdict = judge(&pipeline, &pipeline.stages[0], &data);
    assert!(
        verdict.rollback_to_percent.abs() < 1e-12,
        "before the first stage there is none"
    );
}

#[test]
fn an_undecided_check_says_how_much_traffic_it_needs() {
    let pipeline = pipeline(error_rate_checks());
    let verdict = second_stage(&pipeline, &errors(60, ((90.0, 90_000.0), (10.0, 10_000.0))));
    assert_eq!(
        (verdict.verdict, verdict.reason_code),
        (Verdict::Hold, ReasonCode::Undecided)
    );
    let needs = verdict.checks[0].needs.as_ref().unwrap();
    assert!(needs.canary_total > 10_000.0 && needs.canary_total < 100_000.0);
    assert!(needs.projected_at_ms.unwrap() > grid(60).end_ms());
    assert!(
        verdict.reason.contains("10,000 of about"),
        "{}",
        verdict.reason
    );
}

#[test]
fn a_stage_that_cannot_decide_in_its_time_says_so_at_the_first_answer() {
    let pipeline = pipeline(error_rate_checks());
    let verdict = second_stage(&pipeline, &errors(2, ((9.0, 9_000.0), (0.0, 20.0))));
    assert!(
        verdict.reason.contains("the stage ends after 120 minutes"),
        "{}",
        verdict.reason
    );
}

#[test]
fn no_data_holds_and_never_promotes() {
    let pipeline = pipeline(error_rate_checks());
    let fault = DataFault {
        code: ReasonCode::SourceUnavailable,
        message: "refused".to_owned(),
    };
    let faulty = data(
        STAGE_INTERVALS,
        vec![("error_rate", MetricData::Fault(fault))],
    );
    let verdict = second_stage(&pipeline, &faulty);
    assert_eq!(
        (verdict.verdict, verdict.reason_code),
        (Verdict::Hold, ReasonCode::SourceUnavailable)
    );
    assert_eq!(verdict.checks[0].outcome, Outcome::NoData);

    let verdict = second_stage(&pipeline, &data(STAGE_INTERVALS, Vec::new()));
    assert_eq!(
        (verdict.verdict, verdict.reason_code),
        (Verdict::Hold, ReasonCode::NoData)
    );

    let silent = errors(STAGE_INTERVALS, ((900.0, 900_000.0), (0.0, 0.0)));
    let verdict = second_stage(&pipeline, &silent);
    assert_eq!(
        (verdict.verdict, verdict.reason_code),
        (Verdict::Hold, ReasonCode::NoData)
    );
}

#[test]
fn a_stage_without_a_whole_interval_is_warming_up() {
    let pipeline = pipeline(error_rate_checks());
    let verdict = second_stage(&pipeline, &data(0, Vec::new()));
    assert_eq!(
        (verdict.verdict, verdict.reason_code),
        (Verdict::Hold, ReasonCode::WarmingUp)
    );
}

#[test]
fn data_that_stopped_holds_although_the_old_data_passes() {
    let pipeline = pipeline(error_rate_checks());
    let mut stopped = errors(STAGE_INTERVALS, GOOD);
    stopped.grid = grid(STAGE_INTERVALS + 5);
    let verdict = second_stage(&pipeline, &stopped);
    assert_eq!(
        (verdict.verdict, verdict.reason_code),
        (Verdict::Hold, ReasonCode::NoData)
    );
}

#[test]
fn partial_data_holds_even_where_the_check_looks_broken() {
    let pipeline = pipeline(error_rate_checks());
    let mut partial = errors(STAGE_INTERVALS, BAD);
    partial
        .source_warnings
        .insert("error_rate".to_owned(), "store gateway is down".to_owned());
    let verdict = second_stage(&pipeline, &partial);
    assert_eq!(
        (verdict.verdict, verdict.reason_code),
        (Verdict::Hold, ReasonCode::PartialData)
    );
    assert!(verdict.reason.contains("store gateway is down"));
    assert_eq!(verdict.warnings[0].code, "partial_data");
}

#[test]
fn the_environment_is_to_blame_when_the_control_breaks_the_same_limit() {
    let pipeline = pipeline(vec![check(
        "error_rate",
        "error_rate < 0.05%",
        below(0.000_5),
    )]);
    let verdict = second_stage(&pipeline, &errors(STAGE_INTERVALS, BAD));
    assert_eq!(
        (verdict.verdict, verdict.reason_code),
        (Verdict::Hold, ReasonCode::Environment)
    );
}

#[test]
fn at_full_traffic_relative_checks_stop_counting_and_absolute_ones_go_on() {
    let mut checks = error_rate_checks();
    let alone = pipeline(checks.clone());
    let without_control = errors(STAGE_INTERVALS, ((0.0, 0.0), (100.0, 1_000_000.0)));
    let verdict = judge(&alone, &alone.stages[2], &without_control);
    assert_eq!(
        (verdict.verdict, verdict.reason_code),
        (Verdict::Hold, ReasonCode::NoControl)
    );

    checks.push(check("error_rate", "error_rate < 0.1%", below(0.001)));
    let both = pipeline(checks);
    let verdict = judge(&both, &both.stages[2], &without_control);
    assert_eq!(verdict.verdict, Verdict::Promote);
    assert!(!verdict.checks[0].counts && verdict.checks[1].counts);
}

#[test]
fn a_check_that_only_warns_neither_rolls_back_nor_holds() {
    let mut checks = error_rate_checks();
    checks.push(check("error_rate", "error_rate < 0.05%", below(0.000_5)));
    let mut pipeline = pipeline(checks);
    pipeline.stages[1].checks[0].warn_only = true;
    let canary_broken = errors(STAGE_INTERVALS, ((100.0, 900_000.0), (30.0, 100_000.0)));
    let verdict = second_stage(&pipeline, &canary_broken);
    assert_eq!(verdict.checks[0].outcome, Outcome::Fail);
    assert_eq!(verdict.verdict, Verdict::Promote, "{}", verdict.reason);
    assert!(
        verdict
            .warnings
            .iter()
            .any(|warning| warning.code == "check_failed")
    );
}

#[test]
fn an_undecided_check_that_is_not_critical_does_not_hold() {
    let mut checks = error_rate_checks();
    checks.push(check("error_rate", "error_rate < 0.1%", below(0.001)));
    let mut pipeline = pipeline(checks);
    let good = errors(STAGE_INTERVALS, GOOD);
    assert_eq!(
        second_stage(&pipeline, &good).verdict,
        Verdict::Hold,
        "on the limit"
    );
    pipeline.stages[1].checks[1].critical = false;
    assert_eq!(second_stage(&pipeline, &good).verdict, Verdict::Promote);
}

#[test]
fn at_the_longest_duration_the_pipelines_rule_applies_but_not_without_data() {
    let mut pipeline = pipeline(error_rate_checks());
    let open = errors(2 * STAGE_INTERVALS, ((90.0, 90_000.0), (10.0, 10_000.0)));
    assert_eq!(second_stage(&pipeline, &open).verdict, Verdict::Hold);
    pipeline.analysis.on_inconclusive = OnInconclusive::Promote;
    let verdict = second_stage(&pipeline, &open);
    assert_eq!(verdict.verdict, Verdict::Promote);
    assert!(
        verdict.reason.starts_with("on_inconclusive is promote"),
        "{}",
        verdict.reason
    );
    let nothing = data(2 * STAGE_INTERVALS, Vec::new());
    assert_eq!(second_stage(&pipeline, &nothing).verdict, Verdict::Hold);
    pipeline.analysis.on_inconclusive = OnInconclusive::Rollback;
    assert_eq!(second_stage(&pipeline, &open).verdict, Verdict::Rollback);
}

#[test]
fn an_impact_is_a_relative_loss_of_another_metric() {
    let pipeline = pipeline(vec![check("kpi_impact", "kpi_impact < 0.01", below(0.01))]);
    let conversions = |canary: f64| {
        data(
            STAGE_INTERVALS,
            vec![(
                "conversion",
                counts(
                    STAGE_INTERVALS,
                    (270_000.0, 9_000_000.0),
                    (canary, 1_000_000.0),
                ),
            )],
        )
    };
    assert_eq!(
        second_stage(&pipeline, &conversions(30_000.0)).verdict,
        Verdict::Promote
    );
    let lost = second_stage(&pipeline, &conversions(28_000.0));
    assert_eq!(lost.verdict, Verdict::Rollback);
    assert_eq!(
        lost.checks[0]
            .wilson
            .as_ref()
            .unwrap()
            .classification
            .name(),
        "regression"
    );
}

#[test]
fn every_broken_check_is_named_also_those_that_only_the_step_down_reaches() {
    // The second check is broken at 99 %, but not at 99.5 %, the share of one of two checks.
    let mut checks = error_rate_checks();
    checks.push(check("conversion", "conversion < 0.1%", below(0.001)));
    let pipeline = pipeline(checks);
    let mut both = errors(60, BAD);
    both.metrics.insert(
        "conversion".to_owned(),
        counts(60, (9.0, 90_000.0), (127.5, 100_000.0)),
    );
    let verdict = second_stage(&pipeline, &both);
    let outcomes: Vec<Outcome> = verdict.checks.iter().map(|check| check.outcome).collect();
    assert_eq!(outcomes, [Outcome::Fail, Outcome::Fail]);
    both.metrics
        .insert("error_rate".to_owned(), counts(60, GOOD.0, GOOD.1));
    assert_eq!(
        second_stage(&pipeline, &both).checks[1].outcome,
        Outcome::Undecided
    );
}

fn kill_switch(metric: &str, limit: f64, text: &str) -> Check {
    check(
        metric,
        text,
        Condition::Absolute {
            comparison: Comparison::Greater,
            limit,
        },
    )
}

#[test]
fn a_kill_switch_fires_on_the_newest_data_and_lists_every_reason() {
    let mut pipeline = pipeline(error_rate_checks());
    pipeline.kill_switch = vec![
        kill_switch("error_rate", 0.05, "error_rate > 5%"),
        kill_switch("cpu_usage", 0.8, "cpu_usage > 0.8"),
    ];
    let MetricData::Counts(mut outage) =
        counts(STAGE_INTERVALS, (900.0, 900_000.0), (100.0, 100_000.0))
    else {
        unreachable!()
    };
    for interval in outage.intervals.iter_mut().rev().take(10) {
        interval.canary.events = interval.canary.exposure * 0.2;
    }
    let busy = (0..STAGE_INTERVALS)
        .map(|_| Populations {
            control: Some(0.3),
            canary: Some(0.95),
        })
        .collect();
    let gauge = PairedGauge {
        intervals: busy,
        quality: DataQuality::default(),
    };
    let dying = data(
        STAGE_INTERVALS,
        vec![
            ("error_rate", MetricData::Counts(outage)),
            ("cpu_usage", MetricData::Gauge(gauge)),
        ],
    );
    let verdict = second_stage(&pipeline, &dying);
    assert_eq!(
        (verdict.verdict, verdict.reason_code),
        (Verdict::Rollback, ReasonCode::KillSwitch)
    );
    assert!(
        verdict
            .reason
            .contains("error_rate > 5%: the kill switch fired, 20 %")
    );
    assert!(
        verdict
            .reason
            .contains("cpu_usage > 0.8: the kill switch fired, now 0.95")
    );
}

#[test]
fn a_kill_switch_that_cannot_see_holds() {
    let mut pipeline = pipeline(error_rate_checks());
    pipeline.kill_switch = vec![kill_switch("cpu_usage", 0.8, "cpu_usage > 0.8")];
    let verdict = second_stage(&pipeline, &errors(STAGE_INTERVALS, GOOD));
    assert_eq!(
        (verdict.verdict, verdict.reason_code),
        (Verdict::Hold, ReasonCode::NoData)
    );
    assert_eq!(verdict.checks.last().unwrap().condition, "cpu_usage > 0.8");
}

#[test]
fn a_kill_switch_that_the_control_is_beyond_too_blames_the_environment() {
    let mut pipeline = pipeline(error_rate_checks());
    pipeline.kill_switch = vec![kill_switch("error_rate", 0.05, "error_rate > 5%")];
    let outage = errors(
        STAGE_INTERVALS,
        ((90_000.0, 900_000.0), (10_000.0, 100_000.0)),
    );
    let verdict = second_stage(&pipeline, &outage);
    assert_eq!(
        (verdict.verdict, verdict.reason_code),
        (Verdict::Hold, ReasonCode::Environment)
    );
}

/// A histogram with bounds 0.1, 0.2, 0.4 and the given shares beyond each bound.
fn histogram(intervals: usize, control: [f64; 3], canary: [f64; 3], total: f64) -> MetricData {
    let row = |tails: [f64; 3]| {
        let mut row: Vec<f64> = tails.iter().map(|tail| (1.0 - tail) * total).collect();
        row.push(total);
        row
    };
    let rows = |tails: [f64; 3]| {
        let all: Vec<f64> = (0..intervals).flat_map(|_| row(tails)).collect();
        ndarray::Array2::from_shape_vec((intervals, 4), all).unwrap()
    };
    MetricData::Histogram(PairedHistogram {
        upper_bounds: vec![0.1, 0.2, 0.4, f64::INFINITY],
        spans: (0..intervals).map(|first| (first, 1)).collect(),
        control: rows(control),
        canary: rows(canary),
        quality: DataQuality::default(),
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

#[test]
fn kayenta_looks_once_at_the_end() {
    let mut pipeline = pipeline(error_rate_checks());
    pipeline.analysis.method = Method::Kayenta;
    let early = second_stage(&pipeline, &errors(60, BAD));
    assert_eq!(
        (early.verdict, early.reason_code),
        (Verdict::Hold, ReasonCode::Undecided)
    );
    let MetricData::Counts(mut noisy) = counts(STAGE_INTERVALS, BAD.0, BAD.1) else {
        unreachable!()
    };
    for (index, interval) in noisy.intervals.iter_mut().enumerate() {
        let wobble = 1.0 + 0.01 * (index % 7) as f64;
        interval.canary.events *= wobble * 1_000.0;
        interval.canary.exposure *= 1_000.0;
        interval.control.events *= wobble;
    }
    let scaled = data(
        STAGE_INTERVALS,
        vec![("error_rate", MetricData::Counts(noisy))],
    );
    let verdict = second_stage(&pipeline, &scaled);
    assert_eq!(verdict.checks[0].method, Method::Kayenta);
    assert_ne!(
        verdict.checks[0].outcome,
        Outcome::NoData,
        "{}",
        verdict.reason
    );
}
