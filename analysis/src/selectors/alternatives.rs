//! A selector that can never match is no mistake where another side of an `or` carries the expression,
//! as in `sum(rate(failures_total[2m])) or 0 * sum(requests)`, before the first failure.

use crate::data::SelectorFinding;
use crate::pipeline::{MetricKind, Pipeline};
use crate::query::{SelectorParts, has_values_without};

use super::{FileLookup, Looked, LookedLevel, Lookup};

/// What there is to say of what was found. That a selector can never match is no more than a warning in an expression
/// that has values all the same.
pub fn said_of_all(pipeline: &Pipeline, found: &[(&FileLookup, &SelectorFinding)]) -> Vec<Looked> {
    let said = found.iter().filter_map(|(one, finding)| {
        let mut said = one.said_of(finding)?;
        let is_absent = matches!(finding, SelectorFinding::MatchesNothing(_));
        if is_absent && said.level == LookedLevel::Error && is_carried(pipeline, &one.metric, found)
        {
            said.level = LookedLevel::Warning;
        }
        Some(said)
    });
    said.collect()
}

/// Whether a metric is an expression that has values whatever of it can never match.
fn is_carried(
    pipeline: &Pipeline,
    metric: &str,
    found: &[(&FileLookup, &SelectorFinding)],
) -> bool {
    let stages = pipeline.stages.iter().flat_map(|stage| &stage.checks);
    let mut checks = stages.chain(&pipeline.kill_switch);
    let measured = checks.find(|check| check.measured.name == metric);
    let Some(MetricKind::Gauge { expression, .. }) = measured.map(|check| &check.measured.kind)
    else {
        return false;
    };
    let is_absent = |parts: &SelectorParts| {
        let lookup = Lookup::of_selector(parts.clone(), None);
        found.iter().any(|(one, finding)| {
            one.metric == metric
                && one.lookup == lookup
                && matches!(finding, SelectorFinding::MatchesNothing(_))
        })
    };
    expression
        .every()
        .all(|text| has_values_without(text, &is_absent).unwrap_or(false))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Mismatch;
    use crate::pipeline::parse;
    use crate::selectors::of_file;
    use crate::series::Populations;

    /// The levels of what is said where no series has one of these names.
    fn levels(expression: &str, absent: &[&str]) -> Vec<LookedLevel> {
        let file = format!(
            "metrics: {{depth: {{gauge: '{expression}'}}}}\n\
             canary_pipeline: {{a: {{traffic_percent: 5, duration_minutes: 60, metrics: [depth < 5]}}}}"
        );
        let pipeline = parse(&file, "test").unwrap();
        let populations = Populations {
            control: &pipeline.control,
            canary: &pipeline.canary,
        };
        let lookups = of_file(&pipeline, populations);
        let nothing = |lookup: &FileLookup| {
            let asked = format!("{:?}", lookup.lookup);
            let name = absent.iter().find(|name| asked.contains(**name));
            name.map_or(SelectorFinding::CouldMatch, |name| {
                SelectorFinding::MatchesNothing(Mismatch::Metric {
                    metric: (*name).to_owned(),
                    near: Vec::new(),
                })
            })
        };
        let findings: Vec<_> = lookups.iter().map(nothing).collect();
        let found: Vec<_> = lookups.iter().zip(&findings).collect();
        let said = said_of_all(&pipeline, &found);
        said.iter().map(|looked| looked.level).collect()
    }

    #[test]
    fn a_branch_that_may_be_absent_is_a_warning_where_another_carries_the_expression() {
        let advised = "sum(rate(failures_total[2m])) or 0 * sum(requests)";
        assert_eq!(levels(advised, &["failures_total"]), [LookedLevel::Warning]);
        let neither = levels(advised, &["failures_total", "requests"]);
        assert_eq!(neither, [LookedLevel::Error; 2]);
        assert_eq!(
            levels("failures_total / requests", &["failures_total"]),
            [LookedLevel::Error]
        );
    }
}
