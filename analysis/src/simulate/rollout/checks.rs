//! The eight checks of a simulated rollout, as a file says them.

use crate::pipeline::{Diagnostic, Pipeline, parse};

/// The pipeline. Durations of 15 minutes last at most twice as long, and nothing else is set but the names of what is
/// measured.
const FILE: &str = "\
metrics:
  error_rate: {errors: failures_total, total: requests_total}
  failed_orders: {errors: failed_orders_total, total: orders_total}
  latency_p95: {quantile: 0.95, histogram: request_duration_seconds}
  latency_p99: {quantile: 0.99, histogram: request_duration_seconds}
  cpu: {gauge: cpu_cores}
  memory: {gauge: memory_bytes, unit: bytes}
  queue: {gauge: queue_depth}
  heap: {gauge: heap_used_ratio, unit: fraction}
canary_pipeline:
  rollout:
    traffic_percent: [5, 20, 50, 80]
    duration_minutes: [15, 15, 15, 15]
    metrics:
      - error_rate < baseline * 1.1
      - failed_orders < baseline * 1.25
      - latency_p95 < baseline * 1.2
      - latency_p99 < baseline * 1.2
      - cpu < baseline * 1.5
      - memory < baseline * 1.25
      - queue < 10
      - heap < 0.9
";

/// What a metric is measured of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Measured {
    Failures,
    FailedOrders,
    Latency,
    /// The gauge at this place of a pod's.
    Gauge(usize),
}

impl Measured {
    pub(super) fn is_gauge(self) -> bool {
        matches!(self, Self::Gauge(_))
    }
}

/// What each metric of the file is measured of.
pub(super) const METRICS: [(&str, Measured); 8] = [
    ("error_rate", Measured::Failures),
    ("failed_orders", Measured::FailedOrders),
    ("latency_p95", Measured::Latency),
    ("latency_p99", Measured::Latency),
    ("cpu", Measured::Gauge(0)),
    ("memory", Measured::Gauge(1)),
    ("queue", Measured::Gauge(2)),
    ("heap", Measured::Gauge(3)),
];

/// Reads the file, with what pods tell or without.
///
/// # Errors
///
/// What is wrong with it.
pub(super) fn pipeline(has_pods: bool) -> Result<Pipeline, Vec<Diagnostic>> {
    let mut pipeline = parse(FILE, "rollout")?;
    pipeline.analysis.pod_spread = has_pods;
    Ok(pipeline)
}
