//! How busy the pods are: one that serves less uses less, whatever a request costs.
//!
//! Source: docs/design/statistics.md, "8.1 Load".

use std::borrow::Cow;

use crate::data::{MetricData, StageData};
use crate::pipeline::{Check, MetricKind, Pipeline};
use crate::series::{PairedGauge, Populations};
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

/// The values that a violation is held against, of work for each request: what pods use when they are idle
/// is spread over fewer requests where there are fewer, by at most the ratio of the loads. So the control
/// is allowed as much more.
pub(super) fn allowed<'a>(check: &Check, values: &'a PairedGauge) -> Cow<'a, PairedGauge> {
    by_load(check, values, |factor| factor.max(1.0))
}

/// The values that a promotion is held against: a busier canary must not hide what a request costs behind
/// what its pods would use when they are idle.
pub(super) fn required<'a>(check: &Check, values: &'a PairedGauge) -> Cow<'a, PairedGauge> {
    by_load(check, values, |factor| factor.min(1.0))
}

fn by_load<'a>(
    check: &Check,
    values: &'a PairedGauge,
    bounded: impl Fn(f64) -> f64,
) -> Cow<'a, PairedGauge> {
    match check.measured.kind {
        MetricKind::PerRequest { .. } => {}
        MetricKind::Gauge { .. }
        | MetricKind::Proportion { .. }
        | MetricKind::EventRate { .. }
        | MetricKind::Quantile { .. } => return Cow::Borrowed(values),
    }
    let allow = |(index, pair): (usize, &Populations<Option<f64>>)| {
        let load = values.loads.get(index).copied().unwrap_or_default();
        let factor = match (load.control, load.canary) {
            (Some(control), Some(canary)) if canary > 0.0 => bounded(control / canary),
            _ => 1.0,
        };
        Populations {
            control: pair.control.map(|value| value * factor),
            canary: pair.canary,
        }
    };
    Cow::Owned(PairedGauge {
        intervals: values.intervals.iter().enumerate().map(allow).collect(),
        ..values.clone()
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::tests::{below_baseline, check};
    use super::*;
    use crate::pipeline::Metric;

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

    fn per_request() -> Check {
        let of_a_pod = relative();
        let kind = MetricKind::PerRequest {
            counter: "cpu_seconds_total".into(),
            total: "requests_total".into(),
        };
        Check {
            measured: Arc::new(Metric {
                kind,
                ..(*of_a_pod.measured).clone()
            }),
            ..of_a_pod
        }
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

    /// Reference: `work_limit` of the design, whose limit is 1.3 times the control's value times 90 / 20.
    #[test]
    fn a_violation_of_work_for_each_request_allows_for_idle_pods() {
        let control =
            |check: &Check, canary: f64| allowed(check, &busy(canary)).intervals[0].control;
        let limit = control(&per_request(), 20.0).map(|value| 1.3 * value);
        assert!(
            limit.is_some_and(|limit| (limit - 0.0585).abs() < 1e-12),
            "{limit:?}"
        );
        assert_eq!(control(&per_request(), 90.0), Some(0.01));
        assert_eq!(control(&per_request(), 200.0), Some(0.01));
        assert_eq!(control(&relative(), 20.0), Some(0.01));
    }

    /// A canary whose pods serve ten times as much spreads what they use when idle over ten times the
    /// requests: a promotion must not count that for it.
    #[test]
    fn a_promotion_of_work_for_each_request_allows_nothing_to_a_busier_canary() {
        let control =
            |check: &Check, canary: f64| required(check, &busy(canary)).intervals[0].control;
        assert!(control(&per_request(), 900.0).is_some_and(|value| (value - 0.001).abs() < 1e-12));
        assert_eq!(control(&per_request(), 90.0), Some(0.01));
        assert_eq!(control(&per_request(), 20.0), Some(0.01));
        assert_eq!(control(&relative(), 900.0), Some(0.01));
    }
}
