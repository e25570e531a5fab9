//! From an analysis to the answer on the wire, for the server and the command line alike.

use std::time::Duration;

use serinus_analysis::judge::{self, DataFault, MetricData, ReasonCode, StageData};
use serinus_analysis::series::Grid;
use serinus_openapi::analysis::{AnalysisAnswer, AnalysisSubject, Inputs, Query};

use crate::engine::{Analysis, AnalysisInput};

/// Returns the answer that tells an analysis.
pub fn answer(input: &AnalysisInput<'_>, analysis: &Analysis) -> AnalysisAnswer {
    let queries = analysis.queries.iter().map(|record| Query {
        metric: record.metric.clone(),
        promql: record.promql.clone(),
        series: record.series,
        samples: record.samples,
    });
    AnalysisAnswer::new(
        subject(input, analysis.grid),
        &analysis.verdict,
        Inputs {
            queries: queries.collect(),
            digest: Some(analysis.digest.clone()),
        },
    )
}

/// Returns the answer for an analysis that was not ready in time: what the judge says when
/// nothing has been read yet.
pub fn still_collecting(input: &AnalysisInput<'_>, now_ms: i64, limit: Duration) -> AnalysisAnswer {
    let settings = &input.pipeline.analysis;
    let end_ms = input
        .end_ms
        .unwrap_or_else(|| now_ms.saturating_sub(i64::from(settings.lag_seconds) * 1000));
    let start_ms = input.start_ms.unwrap_or_else(|| {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "a float too large for the integer saturates"
        )]
        let duration_ms = (input.stage.duration_minutes * 60_000.0) as i64;
        end_ms.saturating_sub(duration_ms)
    });
    let grid = Grid::covering(
        start_ms,
        end_ms,
        i64::from(settings.interval_seconds) * 1000,
    );
    let fault = DataFault {
        code: ReasonCode::StillCollecting,
        message: format!(
            "the source did not give all data within {:.1} s",
            limit.as_secs_f64()
        ),
    };
    let checks = input.stage.checks.iter().chain(&input.pipeline.kill_switch);
    let data = StageData {
        grid,
        starts_with_stage: input.start_ms.is_some(),
        metrics: checks
            .map(|check| (check.metric.clone(), MetricData::Fault(fault.clone())))
            .collect(),
        source_warnings: std::collections::BTreeMap::new(),
    };
    let verdict = judge::judge(input.pipeline, input.stage, &data);
    AnalysisAnswer::new(subject(input, grid), &verdict, Inputs::default())
}

fn subject<'a>(input: &AnalysisInput<'a>, grid: Grid) -> AnalysisSubject<'a> {
    AnalysisSubject {
        pipeline: input.pipeline,
        stage: input.stage,
        grid,
    }
}
