//! How busy the pods are: one that serves less uses less, whatever a request costs.
//!
//! Source: docs/design/statistics.md, "8.1 Load".

use crate::data::{MetricData, StageData};
use crate::pipeline::{Check, MetricKind, Pipeline};
use crate::series::PairedGauge;
use crate::text;

use super::model::{Warning, WarningCode};

/// By how much the requests of a pod may differ between the populations without a word.
const MOST_UNEVEN: f64 = 1.25;

/// What the loads of both populations are to each other: the canary's requests of a pod for each of the
/// control's, over the intervals in which both serve. Nothing where nobody tells.
fn canary_per_control(values: &PairedGauge) -> Option<f64> {
    let both = values
        .loads
        .iter()
        .filter_map(|load| Some((load.control?, load.canary?)));
    let (control, canary) = both
        .filter(|(control, canary)| *control > 0.0 && *canary > 0.0)
        .fold((0.0, 0.0), |(control, canary), load| {
            (control + load.0, canary + load.1)
        });
    (control > 0.0).then(|| canary / control)
}

/// What is told of a relative check whose populations are busy to another degree.
pub(super) fn told(check: &Check, values: &PairedGauge) -> Option<String> {
    let ratio = canary_per_control(values).filter(|_| check.is_relative())?;
    if ratio.max(1.0 / ratio) <= MOST_UNEVEN {
        return None;
    }
    let of_a_pod = format!(
        "uneven load: a canary pod has {} of a control pod's requests",
        text::digits(ratio)
    );
    Some(match check.measured.kind {
        MetricKind::PerRequest { .. } => format!("{of_a_pod}, which is allowed for"),
        MetricKind::Gauge { .. }
        | MetricKind::Proportion { .. }
        | MetricKind::EventRate { .. }
        | MetricKind::Quantile { .. } => {
            format!("{of_a_pod}; cpu_usage_per_request compares what a request costs")
        }
    })
}

/// The warnings of a pipeline's relative checks, one for each metric.
pub(super) fn warnings(pipeline: &Pipeline, data: &StageData) -> Vec<Warning> {
    let checks = pipeline.stages.iter().flat_map(|stage| &stage.checks);
    let mut relative: Vec<&Check> = checks.filter(|check| check.is_relative()).collect();
    relative.sort_by_key(|check| check.measured.name.as_str());
    relative.dedup_by_key(|check| check.measured.name.as_str());
    let uneven = relative.into_iter().filter_map(|check| {
        let Some(MetricData::Gauge(values)) = data.metrics.get(&check.measured.name) else {
            return None;
        };
        let message = format!("{}: {}", check.measured.name, told(check, values)?);
        Some(Warning {
            code: WarningCode::UnevenLoad,
            message: text::one_line(&message),
        })
    });
    uneven.collect()
}

#[cfg(test)]
mod tests {
    use super::super::tests::{below_baseline, check};
    use super::*;
    use crate::series::Populations;

    /// Five intervals in which a pod of the control serves 90 requests, and one of the canary so many.
    fn busy(canary: f64) -> PairedGauge {
        let pair = Populations {
            control: Some(0.01),
            canary: Some(0.04),
        };
        let load = Populations {
            control: Some(90.0),
            canary: Some(canary),
        };
        PairedGauge {
            intervals: vec![pair; 5],
            loads: vec![load; 5],
            ..PairedGauge::default()
        }
    }

    fn relative() -> Check {
        check(
            "cpu_usage",
            "cpu_usage < baseline * 1.3",
            below_baseline(1.3),
        )
    }

    #[test]
    fn pods_that_are_busy_to_another_degree_are_told() {
        assert_eq!(
            told(&relative(), &busy(20.0)).as_deref(),
            Some(
                "uneven load: a canary pod has 0.222 of a control pod's requests; \
                 cpu_usage_per_request compares what a request costs"
            )
        );
        assert_eq!(told(&relative(), &busy(80.0)), None);
        assert_eq!(told(&relative(), &PairedGauge::default()), None);
    }
}
