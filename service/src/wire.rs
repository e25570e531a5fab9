//! From an analysis to the answer on the wire, for the server and the command line alike.

use std::time::Duration;

use serinus_analysis::judge::{self, DataFault, MetricData, ReasonCode, StageData};
use serinus_analysis::pipeline::{MetricKind, Pipeline};
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
    let names = checks.flat_map(|check| read_for(input.pipeline, &check.metric));
    let data = StageData {
        grid,
        starts_with_stage: input.start_ms.is_some(),
        metrics: names
            .map(|name| (name.to_owned(), MetricData::Fault(fault.clone())))
            .collect(),
        source_warnings: std::collections::BTreeMap::new(),
    };
    let verdict = judge::judge(input.pipeline, input.stage, &data);
    AnalysisAnswer::new(subject(input, grid), &verdict, Inputs::default())
}

/// A metric, and the one whose data says what its impact is.
fn read_for<'a>(pipeline: &'a Pipeline, metric: &'a str) -> impl Iterator<Item = &'a str> {
    let of = pipeline
        .metrics
        .get(metric)
        .and_then(|found| match &found.kind {
            MetricKind::Impact { of } => Some(of.as_str()),
            _ => None,
        });
    std::iter::once(metric).chain(of)
}

fn subject<'a>(input: &AnalysisInput<'a>, grid: Grid) -> AnalysisSubject<'a> {
    AnalysisSubject {
        pipeline: input.pipeline,
        stage: input.stage,
        grid,
    }
}

#[cfg(test)]
mod tests {
    use serinus_analysis::pipeline::parse;
    use serinus_analysis::series::Populations;

    use super::*;

    /// The data of an impact is that of the metric it is the impact of.
    #[test]
    fn what_is_still_collected_is_told_of_every_check() {
        let pipeline = parse(
            "canary_pipeline: {a: {traffic_percent: 5, duration_minutes: 5, metrics: \
             [error_rate < 1%, business_kpi_impact < 5%]}}",
            "test",
        )
        .unwrap();
        let input = AnalysisInput {
            pipeline: &pipeline,
            stage: &pipeline.stages[0],
            populations: Populations {
                control: pipeline.control.clone(),
                canary: pipeline.canary.clone(),
            },
            start_ms: None,
            end_ms: None,
            source: None,
        };
        let answer = still_collecting(&input, 1_800_000_000_000, Duration::from_secs(8));
        let answer = serde_json::to_value(answer).unwrap();
        let checks = answer["checks"].as_array().unwrap();
        assert_eq!(checks.len(), 2);
        for check in checks {
            assert_eq!(check["reason_code"], "still_collecting", "{check}");
        }
    }
}
