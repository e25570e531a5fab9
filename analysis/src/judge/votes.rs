//! Which method decides a check, and whether proof against it may roll back.

use crate::pipeline::{Check, Method, MetricKind, Pipeline};

use super::gauge;
use super::question::Question;

/// The method that decides a check. Kayenta's test compares two populations: absolute limits are
/// decided on intervals.
pub fn method_of(check: &Check, pipeline: &Pipeline) -> Method {
    match check.method.unwrap_or(pipeline.analysis.method) {
        Method::Kayenta => Question::of_check(check, pipeline)
            .filter(Question::is_relative)
            .map_or(Method::Wilson, |_| Method::Kayenta),
        method => method,
    }
}

/// Whether proof against a check rolls back: as the file says, else always but for gauges with a
/// tight limit. Never where it only warns. It depends on the pipeline alone, so that the weights
/// are fixed before there is data.
pub(crate) fn may_roll_back(check: &Check, pipeline: &Pipeline) -> bool {
    !check.warn_only && may_fail(check, pipeline) && check.rollback != Some(false)
}

/// Whether proof against a check is worth to be told as a failure. Where the file says something
/// about `rollback` it is; else a gauge with a tight limit stays undecided, because slow drift
/// alone would break it. Kayenta's test knows no such rule.
pub(crate) fn may_fail(check: &Check, pipeline: &Pipeline) -> bool {
    check.rollback.is_some()
        || method_of(check, pipeline) == Method::Kayenta
        || Question::of_check(check, pipeline).is_none_or(|question| {
            !matches!(question.metric.kind, MetricKind::Gauge { .. })
                || gauge::may_roll_back(question.violation())
        })
}

/// A check's share of the weights of all sequential checks that may roll back; nothing for one that
/// may not.
pub(crate) fn share_of_votes(check: &Check, checks: &[Check], pipeline: &Pipeline) -> Option<f64> {
    let total = total_weight(checks, pipeline, Some(Method::Sequential));
    (may_roll_back(check, pipeline) && total > 0.0).then(|| check.weight / total)
}

/// The sum of the weights of the checks that may roll back and that a method decides; of all
/// methods without one.
pub(crate) fn total_weight<'a>(
    checks: impl IntoIterator<Item = &'a Check>,
    pipeline: &Pipeline,
    method: Option<Method>,
) -> f64 {
    checks
        .into_iter()
        .filter(|check| may_roll_back(check, pipeline))
        .filter(|check| method.is_none_or(|method| method_of(check, pipeline) == method))
        .map(|check| check.weight)
        .sum()
}
