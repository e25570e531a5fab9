//! What is answered when the data was not there in time.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serinus_analysis::data::{
    BudgetData, DataFault, FaultCode, Findings, History, MetricData, StageData,
};
use serinus_analysis::judge::judge;

use super::{Analysis, AnalysisError, AnalysisInput, Engine, digest};

impl Engine {
    /// Returns what the judge says when nothing has been read yet: a `hold` with the reason
    /// `still_collecting`. Takes no time.
    ///
    /// # Errors
    ///
    /// [`AnalysisError`] for the window, as [`Engine::analyse`].
    pub(crate) fn still_collecting(
        &self,
        input: &AnalysisInput<'_>,
        waited: Duration,
    ) -> Result<Analysis, AnalysisError> {
        let (pipeline, stage) = (input.pipeline, input.stage);
        let window = self.window(input)?;
        let fault = DataFault {
            code: FaultCode::StillCollecting,
            message: format!(
                "not all data was there within {:.1} s",
                waited.as_secs_f64()
            ),
        };
        let checks = stage.checks.iter().chain(&pipeline.kill_switch);
        let names = checks.map(|check| &check.measured.name);
        let grid = window.grid;
        let data = StageData {
            grid,
            purpose: input.purpose,
            starts_with_stage: window.starts_with_stage,
            canary_starts_ms: None,
            metrics: names
                .map(|name| (name.clone(), MetricData::Fault(fault.clone())))
                .collect(),
            source_warnings: BTreeMap::new(),
            source_remarks: BTreeMap::new(),
            error_budget: pipeline
                .error_budget
                .as_ref()
                .map(|_| BudgetData::Fault(fault.clone())),
            pods_before: BTreeMap::new(),
            gauges_before: BTreeMap::new(),
            settled_intervals: 0,
            history: History::Late(fault),
            findings: Findings::default(),
        };
        Ok(Analysis {
            verdict: judge(pipeline, stage, &data),
            grid,
            queries: Vec::new(),
            digest: digest(pipeline, stage, &data, &[]),
            data: Arc::new(data),
            carried: None,
        })
    }
}
