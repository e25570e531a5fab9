//! What the names of a preset stand for: the requests are the preset's, the rest is common.

use std::collections::BTreeMap;

use crate::pipeline::definition::{DefinedKind, Definition};
use crate::pipeline::model::{Better, Dimension, Exposure, MetricKind};

use crate::series::Populations;

use super::Preset;

/// Restarts of containers.
///
/// Source: `docs/metrics/workload/pod-metrics.md` of `kubernetes/kube-state-metrics`.
const RESTARTS: &str = "kube_pod_container_status_restarts_total";

/// Periods of the CPU's scheduler, and those in which the container was held back.
///
/// Source: `docs/storage/prometheus.md` of `google/cadvisor`.
const THROTTLED_PERIODS: &str =
    r#"container_cpu_cfs_throttled_periods_total{container!="",container!="POD"}"#;
const PERIODS: &str = r#"container_cpu_cfs_periods_total{container!="",container!="POD"}"#;

/// The business metrics of the first pipeline. No exporter has them: they are the service's own,
/// and a file that uses other names says so under `metrics`.
const ORDERS: &str = "orders_total";
const COMPLAINTS: &str = "customer_complaints_total";
const QUEUE_DEPTH: &str = "queue_depth";

const QUANTILES: &[(&str, f64)] = &[
    ("latency_p50", 0.5),
    ("latency_p75", 0.75),
    ("latency_p90", 0.9),
    ("latency_p95", 0.95),
    ("latency_p99", 0.99),
    ("latency_p999", 0.999),
];

/// The names that are about what containers use.
pub(super) const OF_CONTAINERS: &[&str] = &[
    "cpu_usage",
    "memory_usage",
    "restarts",
    "throttling",
    "cpu_usage_per_request",
];

/// Returns what the names of a preset stand for.
pub(super) fn definitions(preset: &Preset) -> BTreeMap<String, Definition> {
    let all = of_requests(preset)
        .into_iter()
        .chain(latencies(preset))
        .chain(of_containers(preset))
        .chain(of_business(preset));
    all.map(|one| (one.name.clone(), one)).collect()
}

fn of_requests(preset: &Preset) -> [Definition; 2] {
    let requests = &preset.requests;
    let in_time = MetricKind::EventRate {
        events: requests.total.into(),
        per: Exposure::TrafficShare,
    };
    [
        share("error_rate", requests.errors, requests.total, Better::Lower),
        defined("throughput", in_time, Better::Higher, Dimension::Number),
    ]
}

/// None where the exporter has no histogram.
fn latencies(preset: &Preset) -> Vec<Definition> {
    let Some(durations) = preset.requests.durations else {
        return Vec::new();
    };
    let quantiles = QUANTILES.iter().map(|(name, quantile)| {
        let kind = MetricKind::Quantile {
            quantile: *quantile,
            histogram: durations.histogram.into(),
            is_native: false,
            scale: Populations::same(durations.scale),
        };
        defined(name, kind, Better::Lower, Dimension::Seconds)
    });
    quantiles.collect()
}

fn of_containers(preset: &Preset) -> [Definition; 5] {
    let restarts = MetricKind::EventRate {
        events: RESTARTS.into(),
        per: Exposure::PodHours,
    };
    [
        defined(
            "cpu_usage",
            MetricKind::Gauge {
                expression: preset.resources.cpu.into(),
                load: Some(preset.requests.total.into()),
                pod_label: None,
            },
            Better::Lower,
            Dimension::Fraction,
        ),
        defined(
            "cpu_usage_per_request",
            MetricKind::PerRequest {
                counter: preset.resources.cpu_seconds.into(),
                total: preset.requests.total.into(),
            },
            Better::Lower,
            Dimension::Seconds,
        ),
        gauge("memory_usage", preset.resources.memory, Dimension::Bytes),
        defined("restarts", restarts, Better::Lower, Dimension::Number),
        share("throttling", THROTTLED_PERIODS, PERIODS, Better::Lower),
    ]
}

fn of_business(preset: &Preset) -> [Definition; 4] {
    let total = preset.requests.total;
    [
        share("conversion", ORDERS, total, Better::Higher),
        share("customer_complaints", COMPLAINTS, total, Better::Lower),
        impact("business_kpi_impact", "conversion"),
        gauge("queue_depth", QUEUE_DEPTH, Dimension::Number),
    ]
}

fn defined(name: &str, kind: MetricKind, better: Better, dimension: Dimension) -> Definition {
    Definition {
        name: name.to_owned(),
        kind: DefinedKind::Measured(kind),
        better,
        dimension,
        events_may_be_absent: false,
        own: Populations::default(),
    }
}

fn impact(name: &str, of: &str) -> Definition {
    Definition {
        name: name.to_owned(),
        kind: DefinedKind::ImpactOf(of.to_owned()),
        better: Better::Lower,
        dimension: Dimension::Fraction,
        events_may_be_absent: false,
        own: Populations::default(),
    }
}

fn share(name: &str, events: &str, total: &str, better: Better) -> Definition {
    let kind = MetricKind::Proportion {
        events: events.into(),
        total: total.into(),
        strata: None,
    };
    defined(name, kind, better, Dimension::Fraction)
}

fn gauge(name: &str, expression: &str, dimension: Dimension) -> Definition {
    let kind = MetricKind::Gauge {
        expression: expression.into(),
        load: None,
        pod_label: None,
    };
    defined(name, kind, Better::Lower, dimension)
}
