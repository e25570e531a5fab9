//! How much the gauges of the control varied by themselves before a rollout.
//!
//! Source: docs/design/gauges.md, "7. The control's past".

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::data::{GaugeBefore, MetricData, StageData};
use crate::pipeline::{Check, Pipeline, Stage};
use crate::proof::gauge::GaugePast;

use super::gauge::{GaugeRows, is_per_request};
use super::lines::has_control;
use super::young::warm_up_seconds;

/// The checks of a stage whose gauges have a past: those of the sequential method that look at the control.
pub fn gauges_with_a_past(stage: &Stage) -> Vec<&Check> {
    let checks = stage.checks.iter();
    checks
        .filter(|check| check.method.is_valid_at_any_time() && check.measured.kind.is_gauge())
        .filter(|check| check.is_relative() || has_control(check, stage))
        .collect()
}

/// Measures the past of the gauges of a stage, by metric name. `past` has the control in the control's place, over
/// [`crate::data::GAUGE_PAST_MS`] before the rollout. A metric that was not read has none.
pub fn measure_gauges(
    past: &StageData,
    pipeline: &Pipeline,
    stage: &Stage,
) -> BTreeMap<String, GaugeBefore> {
    let mut found = BTreeMap::new();
    for check in gauges_with_a_past(stage) {
        let metric = &check.measured.name;
        let Some(MetricData::Gauge(values)) = past.metrics.get(metric) else {
            continue;
        };
        if found.contains_key(metric) {
            continue;
        }
        let warm_up = warm_up_seconds(check, stage, &pipeline.analysis);
        let rows = GaugeRows::of(values, past.grid, warm_up, is_per_request(check));
        let samples: Vec<Option<f64>> = rows.samples().map(|(_, sample)| sample.control).collect();
        let step_seconds = rows.step_seconds();
        let measured = GaugePast::measure(&samples, step_seconds);
        found.insert(
            metric.clone(),
            GaugeBefore {
                step_seconds,
                past: Arc::new(measured),
            },
        );
    }
    found
}
