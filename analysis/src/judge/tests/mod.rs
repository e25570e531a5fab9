//! The judge's rules, one specification each: what these tests share.

use std::collections::{BTreeMap, BTreeSet};

use crate::pipeline::{
    AnalysisSettings, Better, Check, Comparison, Condition, Dimension, Method, Metric, MetricKind,
    OnInconclusive, Pipeline, Stage,
};
use crate::series::{
    ArmCount, DataQuality, Grid, PairedCounts, PairedGauge, PairedHistogram, PairedInterval,
    Populations,
};

use crate::data::{DataFault, FaultCode, History, MetricData, StageData};

use super::{Outcome, ReasonCode, StageVerdict, Verdict, judge};

mod history;
mod kill_switch;
mod latency;
mod outlook;
mod properties;
mod roll_back;
mod sequential;
mod split;
mod stage;
mod warm_up;

pub(crate) const INTERVAL_MS: i64 = 30_000;
/// The stage of these tests lasts an hour.
pub(crate) const STAGE_INTERVALS: usize = 120;

pub(crate) fn metric(name: &str, kind: MetricKind, better: Better, dimension: Dimension) -> Metric {
    Metric {
        name: name.to_owned(),
        kind,
        better,
        dimension,
    }
}

pub(crate) fn proportion() -> MetricKind {
    MetricKind::Proportion {
        events: "errors_total".to_owned(),
        total: "requests_total".to_owned(),
    }
}

pub(crate) fn check(metric: &str, text: &str, condition: Condition) -> Check {
    Check {
        metric: metric.to_owned(),
        text: text.to_owned(),
        condition,
        critical: true,
        weight: 1.0,
        warn_only: false,
        method: None,
        promote_ratio: None,
        rollback: None,
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
        checks,
        inherits_checks: false,
    }
}

pub(crate) fn pipeline(checks: Vec<Check>) -> Pipeline {
    let quantile = MetricKind::Quantile {
        quantile: 0.99,
        histogram: "duration_seconds".to_owned(),
        is_native: false,
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
        quality: DataQuality::default(),
    })
}

pub(crate) fn grid(intervals: usize) -> Grid {
    let length = i64::try_from(intervals).unwrap() * INTERVAL_MS;
    Grid::covering(1_800_000_000_000, 1_800_000_000_000 + length, INTERVAL_MS)
}

pub(crate) fn data(intervals: usize, metrics: Vec<(&str, MetricData)>) -> StageData {
    StageData {
        grid: grid(intervals),
        starts_with_stage: true,
        canary_starts_ms: None,
        metrics: metrics
            .into_iter()
            .map(|(name, data)| (name.to_owned(), data))
            .collect(),
        source_warnings: BTreeMap::new(),
        history: History::default(),
        error_budget: None,
    }
}

pub(crate) fn second_stage(pipeline: &Pipeline, data: &StageData) -> StageVerdict {
    judge(pipeline, &pipeline.stages[1], data)
}

pub(crate) const GOOD: ((f64, f64), (f64, f64)) = ((900.0, 900_000.0), (100.0, 100_000.0));
pub(crate) const BAD: ((f64, f64), (f64, f64)) = ((900.0, 900_000.0), (300.0, 100_000.0));

pub(crate) fn error_rate_checks() -> Vec<Check> {
    vec![check(
        "error_rate",
        "error_rate < baseline * 1.1",
        below_baseline(1.1),
    )]
}

pub(crate) fn errors(intervals: usize, of: ((f64, f64), (f64, f64))) -> StageData {
    data(
        intervals,
        vec![("error_rate", counts(intervals, of.0, of.1))],
    )
}
