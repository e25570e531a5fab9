//! What is known of a service without looking at single checks.

use crate::pipeline::{Better, Metric, MetricKind, Pipeline};
use crate::series::{ArmCount, Grid, PairedCounts, PairedInterval};

use crate::data::{DataFault, FaultCode, MetricData, StageData};

/// Returns the data of a service of which no more is known than how many requests it serves and how
/// many of them fail: for plans without a Prometheus. Metrics that are no share of failures have none.
pub fn service_of(pipeline: &Pipeline, requests_per_second: f64, error_rate: f64) -> StageData {
    let interval_ms = i64::from(pipeline.analysis.interval_seconds) * 1_000;
    let requests = requests_per_second * f64::from(pipeline.analysis.interval_seconds);
    let arm = ArmCount {
        events: requests * error_rate,
        exposure: requests,
    };
    let data = |metric: &Metric| match (&metric.kind, metric.better) {
        (MetricKind::Proportion { .. }, Better::Lower) => MetricData::Counts(PairedCounts {
            intervals: vec![PairedInterval {
                first: 0,
                length: 1,
                control: arm,
                canary: arm,
            }],
            ..PairedCounts::default()
        }),
        (
            MetricKind::Proportion { .. }
            | MetricKind::EventRate { .. }
            | MetricKind::Quantile { .. }
            | MetricKind::Gauge { .. }
            | MetricKind::PerRequest { .. },
            Better::Lower | Better::Higher,
        ) => MetricData::Fault(DataFault {
            code: FaultCode::NoData,
            message: "a rate of requests and of errors does not tell it: plan with --prometheus"
                .to_owned(),
        }),
    };
    StageData {
        metrics: pipeline
            .metrics
            .iter()
            .map(|(name, metric)| (name.clone(), data(metric)))
            .collect(),
        ..StageData::empty(Grid::covering(0, interval_ms, interval_ms))
    }
}

/// Whether anything at all was seen of a service.
pub fn has_data(data: &StageData) -> bool {
    data.metrics.values().any(|metric| match metric {
        MetricData::Counts(counts) => counts
            .intervals
            .iter()
            .any(|interval| interval.canary.exposure > 0.0),
        MetricData::Histogram(histogram) => histogram
            .canary
            .rows()
            .into_iter()
            .any(|row| row.last().is_some_and(|all| *all > 0.0)),
        MetricData::Gauge(values) => values.intervals.iter().any(|pair| pair.canary.is_some()),
        MetricData::Fault(_) => false,
    })
}

/// Why nothing can be planned with what was read, metric by metric, where the values themselves say it:
/// counters that are none, events that are more than all requests. Nothing for what is not there at all.
pub fn unusable(data: &StageData) -> Vec<String> {
    let intervals = data.grid.intervals();
    let why = |metric: &MetricData| match metric {
        MetricData::Fault(fault) => match fault.code {
            FaultCode::NoData | FaultCode::NoControl => None,
            _ => Some(fault.message.clone()),
        },
        MetricData::Counts(counts) if counts.quality.more_events_than_total > 0 => Some(format!(
            "more events than requests in {} of {intervals} intervals: are they swapped?",
            counts.quality.more_events_than_total.min(intervals)
        )),
        MetricData::Counts(_) | MetricData::Histogram(_) | MetricData::Gauge(_) => None,
    };
    let metrics = data.metrics.iter();
    metrics
        .filter_map(|(name, metric)| Some(format!("{name}: {}", why(metric)?)))
        .collect()
}
