//! The name of exactly what was judged.

use serinus_analysis::data::StageData;
use serinus_analysis::pipeline::{Pipeline, Stage};

use super::MadeOf;
use crate::packed::Name;

/// Returns `sha256:` and the digest of the pipeline, the stage, the data on its grid and what the stages before it
/// were judged by, which is everything that a verdict depends on: the same digest gives the same verdict to the byte.
///
/// It is taken of the counts and not of the samples, so that replicas that read the same truth at
/// different steps agree; and of the same bytes as are stored, so that nothing can be forgotten.
pub(crate) fn digest(
    pipeline: &Pipeline,
    stage: &Stage,
    data: &StageData,
    before: &[MadeOf],
) -> String {
    Name::of(&(pipeline, &stage.id, data, before)).to_string()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serinus_analysis::data::{BudgetData, Findings, History, Purpose};
    use serinus_analysis::pipeline::parse;
    use serinus_analysis::series::Grid;

    use super::super::tests::measured;
    use super::*;

    #[test]
    fn a_history_is_part_of_the_name() {
        let stage = "{traffic_percent: 5, duration_minutes: 5, metrics: [error_rate < 1%]}";
        let pipeline = parse(&format!("canary_pipeline: {{a: {stage}}}"), "test").unwrap();
        let named = |history| {
            let data = StageData {
                grid: Grid::covering(0, 300_000, 30_000),
                purpose: Purpose::Decide,
                starts_with_stage: true,
                metrics: BTreeMap::new(),
                source_warnings: BTreeMap::new(),
                source_remarks: BTreeMap::new(),
                pods_before: BTreeMap::new(),
                gauges_before: BTreeMap::new(),
                settled_intervals: 0,
                history,
                canary_starts_ms: None,
                error_budget: None,
                findings: Findings::default(),
            };
            digest(&pipeline, &pipeline.stages[0], &data, &[])
        };
        assert_eq!(named(measured(1.0)), named(measured(1.0)));
        assert_ne!(named(measured(1.0)), named(measured(2.0)));
        assert_ne!(named(measured(1.0)), named(History::default()));
    }

    /// The same counts can be judged otherwise when nobody knows how long the stage has lasted.
    #[test]
    fn a_window_that_starts_with_the_stage_has_another_name() {
        let stage = "{traffic_percent: 5, duration_minutes: 5, metrics: [error_rate < 1%]}";
        let pipeline = parse(&format!("canary_pipeline: {{a: {stage}}}"), "test").unwrap();
        let named = |starts_with_stage| {
            let data = StageData {
                grid: Grid::covering(0, 300_000, 30_000),
                purpose: Purpose::Decide,
                starts_with_stage,
                canary_starts_ms: None,
                error_budget: None,
                findings: Findings::default(),
                metrics: BTreeMap::new(),
                source_warnings: BTreeMap::new(),
                source_remarks: BTreeMap::new(),
                pods_before: BTreeMap::new(),
                gauges_before: BTreeMap::new(),
                settled_intervals: 0,
                history: History::default(),
            };
            digest(&pipeline, &pipeline.stages[0], &data, &[])
        };
        assert_eq!(named(true), named(true));
        assert_ne!(named(true), named(false));
        assert_eq!(named(true).len(), "sha256:".len() + 64);
    }

    /// What was read for the error budget can turn a promotion into a hold.
    #[test]
    fn an_error_budget_is_part_of_the_name() {
        let stage = "{traffic_percent: 5, duration_minutes: 5, metrics: [error_rate < 1%]}";
        let pipeline = parse(&format!("canary_pipeline: {{a: {stage}}}"), "test").unwrap();
        let named = |error_budget| {
            let data = StageData {
                grid: Grid::covering(0, 300_000, 30_000),
                purpose: Purpose::Decide,
                starts_with_stage: true,
                canary_starts_ms: None,
                error_budget,
                metrics: BTreeMap::new(),
                source_warnings: BTreeMap::new(),
                source_remarks: BTreeMap::new(),
                pods_before: BTreeMap::new(),
                gauges_before: BTreeMap::new(),
                settled_intervals: 0,
                history: History::default(),
                findings: Findings::default(),
            };
            digest(&pipeline, &pipeline.stages[0], &data, &[])
        };
        let counts = |events| {
            Some(BudgetData::Counts {
                events,
                total: 100.0,
            })
        };
        assert_eq!(named(counts(1.0)), named(counts(1.0)));
        assert_ne!(named(counts(1.0)), named(counts(2.0)));
        assert_ne!(named(counts(1.0)), named(None));
    }
}
