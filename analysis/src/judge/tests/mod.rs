//! The judge's rules, one specification each: what these tests share.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::pipeline::{
    AnalysisSettings, Better, Check, Comparison, Condition, Dimension, Method, Metric, MetricKind,
    OnInconclusive, Pipeline, SourceNames, Stage, Subject, WrittenCheck, deciding_method,
    is_worth_a_failure,
};
use crate::series::{
    ArmCount, DataQuality, Grid, PairedCounts, PairedGauge, PairedHistogram, PairedInterval,
    Populations, TargetLabels,
};

use crate::data::{DataFault, FaultCode, Findings, History, MetricData, Purpose, StageData};

use super::{Outcome, ReasonCode, StageVerdict, Verdict, judge};

mod absence;
mod behaviours;
mod history;
mod kill_switch;
mod latency;
mod members;
mod outlook;
mod pods;
mod populations;
mod properties;
mod readings;
mod roll_back;
mod sequential;
mod split;
mod stage;
mod warm_up;
mod words;
mod worst;

pub(crate) const INTERVAL_MS: i64 = 30_000;
/// The stage of these tests lasts an hour.
pub(crate) const STAGE_INTERVALS: usize = 120;

pub(crate) fn metric(name: &str, kind: MetricKind, better: Better, dimension: Dimension) -> Metric {
    Metric {
        name: name.to_owned(),
        kind,
        better,
        dimension,
        events_may_be_absent: false,
        own: Populations::default(),
    }
}

pub(crate) fn proportion() -> MetricKind {
    MetricKind::Proportion {
        events: "errors_total".into(),
        total: "requests_total".into(),
        strata: None,
    }
}

/// A check under the settings that [`pipeline`] begins with.
pub(crate) fn check(metric: &str, text: &str, condition: Condition) -> Check {
    written(metric, text, condition).resolved(subject(metric), &settings())
}

/// A condition of a kill switch.
pub(crate) fn switch(metric: &str, text: &str, condition: Condition) -> Check {
    written(metric, text, condition).resolved_kill_switch(subject(metric), &settings())
}

pub(crate) fn written(metric: &str, text: &str, condition: Condition) -> WrittenCheck {
    WrittenCheck::new(metric, text, condition)
}

/// What a name stands for in these tests.
pub(crate) fn subject(name: &str) -> Subject {
    let known = |name: &str| Arc::new(metrics().remove(name).unwrap());
    match name {
        "kpi_impact" => Subject::ImpactOf(known("conversion")),
        _ => Subject::Itself(known(name)),
    }
}

pub(crate) fn settings() -> AnalysisSettings {
    AnalysisSettings {
        method: Method::Wilson,
        ..AnalysisSettings::default()
    }
}

/// A check of which a failure only warns.
pub(crate) fn only_warns(check: WrittenCheck) -> Check {
    let subject = subject(&check.metric);
    let told = WrittenCheck {
        warn_only: true,
        critical: Some(false),
        ..check
    };
    told.resolved(subject, &settings())
}

/// Lets a method decide every check, as if the file's settings had said so. What the file says of a
/// check's power stays.
pub(crate) fn decided_by(pipeline: &mut Pipeline, method: Method) {
    pipeline.analysis.method = method;
    for check in pipeline
        .stages
        .iter_mut()
        .flat_map(|stage| &mut stage.checks)
    {
        let usual = |check: &Check| {
            let may_fail = is_worth_a_failure(check.method, &check.measured, check.limit);
            (may_fail, may_fail && !check.warn_only)
        };
        let says_nothing = usual(check) == (check.may_fail, check.may_roll_back);
        check.critical &= method != Method::Kayenta;
        check.asked_method = method;
        check.method = deciding_method(method, check.limit);
        if says_nothing {
            (check.may_fail, check.may_roll_back) = usual(check);
        }
    }
}

pub(crate) fn below(limit: f64) -> Condition {
    Condition::Absolute {
        comparison: Comparison::Less,
        limit,
    }
}

pub(crate) fn below_baseline(ratio: f64) -> Condition {
    Condition::Relative {
        comparison: Comparison::Less,
        ratio,
        offset: 0.0,
    }
}

pub(crate) fn stage(id: &str, traffic_percent: f64, checks: Vec<Check>) -> Stage {
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
        warm_up_seconds: None,
        cold_start_seconds: None,
        checks,
        inherits_checks: false,
    }
}

fn metrics() -> BTreeMap<String, Metric> {
    let quantile = MetricKind::Quantile {
        quantile: 0.99,
        histogram: "duration_seconds".into(),
        is_native: false,
        scale: Populations::same(1.0),
    };
    let gauge = MetricKind::Gauge {
        expression: "cpu".into(),
        load: None,
        pod_label: None,
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
        metric("latency_p99", quantile, Better::Lower, Dimension::Seconds),
        metric("cpu_usage", gauge, Better::Lower, Dimension::Number),
    ];
    metrics
        .into_iter()
        .map(|metric| (metric.name.clone(), metric))
        .collect()
}

pub(crate) fn pipeline(checks: Vec<Check>) -> Pipeline {
    Pipeline {
        name: "checkout".to_owned(),
        sources: SourceNames::default(),
        control: BTreeSet::new(),
        canary: BTreeSet::new(),
        written: Populations::default(),
        region_label: "region".to_owned(),
        target_labels: TargetLabels::default(),
        metrics: metrics(),
        analysis: settings(),
        kill_switch: Vec::new(),
        error_budget: None,
        dry_run: false,
        stages: vec![
            stage("stage_1", 1.0, checks.clone()),
            stage("stage_2", 10.0, checks.clone()),
            stage("stage_3", 100.0, checks),
        ],
    }
}

/// Counts spread evenly over the intervals of a grid.
pub(crate) fn counts(intervals: usize, control: (f64, f64), canary: (f64, f64)) -> MetricData {
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
        ..PairedCounts::default()
    })
}

pub(crate) fn grid(intervals: usize) -> Grid {
    let length = i64::try_from(intervals).unwrap() * INTERVAL_MS;
    Grid::covering(1_800_000_000_000, 1_800_000_000_000 + length, INTERVAL_MS)
}

pub(crate) fn data(intervals: usize, metrics: Vec<(&str, MetricData)>) -> StageData {
    StageData {
        grid: grid(intervals),
        purpose: Purpose::Decide,
        starts_with_stage: true,
        canary_starts_ms: None,
        metrics: metrics
            .into_iter()
            .map(|(name, data)| (name.to_owned(), data))
            .collect(),
        source_warnings: BTreeMap::new(),
        source_remarks: BTreeMap::new(),
        pods_before: BTreeMap::new(),
        gauges_before: BTreeMap::new(),
        settled_intervals: 0,
        history: History::default(),
        error_budget: None,
        findings: Findings::default(),
    }
}

pub(crate) fn second_stage(pipeline: &Pipeline, data: &StageData) -> StageVerdict {
    judge(pipeline, &pipeline.stages[1], data)
}

pub(crate) const GOOD: ((f64, f64), (f64, f64)) = ((900.0, 900_000.0), (100.0, 100_000.0));
pub(crate) const BAD: ((f64, f64), (f64, f64)) = ((900.0, 900_000.0), (300.0, 100_000.0));

pub(crate) fn written_error_rate() -> WrittenCheck {
    written(
        "error_rate",
        "error_rate < baseline * 1.1",
        below_baseline(1.1),
    )
}

pub(crate) fn error_rate_checks() -> Vec<Check> {
    vec![written_error_rate().resolved(subject("error_rate"), &settings())]
}

pub(crate) fn errors(intervals: usize, of: ((f64, f64), (f64, f64))) -> StageData {
    data(
        intervals,
        vec![("error_rate", counts(intervals, of.0, of.1))],
    )
}
