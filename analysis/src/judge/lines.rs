//! The lines that evidence is held against, from the limit of a check.

use crate::pipeline::{Check, Exposure, Limit, Metric, MetricKind, Stage};
use crate::proof::{Counted, Kept, Line};
use crate::sequential::{AbsoluteLimit, RelativeLimit, Side};

use super::limit::Scale;

/// Each side of a limit, with the side that is bad.
fn sides(limit: Limit) -> Vec<(Option<f64>, f64, Side)> {
    match limit {
        Limit::AtMost { ratio, offset } => vec![(ratio, offset, Side::Above)],
        Limit::AtLeast { ratio, offset } => vec![(ratio, offset, Side::Below)],
        Limit::Within { tolerance } => Limit::sides_of(tolerance)
            .into_iter()
            .flat_map(sides)
            .collect(),
    }
}

/// What breaks a limit: two lines of a tolerance. Nothing where it is none that can be held against.
pub(crate) fn lines_of(limit: Limit, scale: Scale, has_control: bool) -> Option<Vec<Line>> {
    let line = |(ratio, offset, bad): (Option<f64>, f64, Side)| match ratio {
        Some(ratio) => RelativeLimit::new(ratio, offset, bad)
            .ok()
            .map(Line::Relative),
        None => AbsoluteLimit::new(offset, bad, scale.law())
            .ok()
            .map(|limit| Line::Absolute { limit, has_control }),
    };
    sides(limit).into_iter().map(line).collect()
}

/// What must be shown to be kept of a limit.
pub(crate) fn kept_of(limit: Limit, scale: Scale) -> Vec<Kept> {
    let kept = |(ratio, offset, bad): (Option<f64>, f64, Side)| {
        let good = bad.opposite();
        match ratio {
            Some(ratio) => RelativeLimit::new(ratio, offset, good)
                .ok()
                .map(Kept::Relative),
            None => AbsoluteLimit::new(offset, good, scale.law())
                .ok()
                .map(Kept::Absolute),
        }
    };
    sides(limit).into_iter().filter_map(kept).collect()
}

/// Whether what a check says of a number may be excused by the control.
pub(crate) fn has_control(check: &Check, stage: &Stage) -> bool {
    stage.traffic_percent < 100.0 && !check.ignores_control
}

/// What the counts of a metric are of.
pub(crate) fn counted(metric: &Metric) -> Counted {
    match metric.kind {
        MetricKind::EventRate {
            per: Exposure::TrafficShare,
            ..
        } => Counted::Traffic,
        MetricKind::EventRate { .. }
        | MetricKind::Proportion { .. }
        | MetricKind::Quantile { .. }
        | MetricKind::Gauge { .. }
        | MetricKind::PerRequest { .. } => Counted::Events,
    }
}
