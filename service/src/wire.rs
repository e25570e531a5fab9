//! From an analysis to the answer on the wire, for the server and the command line alike.

use serinus_analysis::data::StageData;
use serinus_analysis::judge::StageVerdict;
use serinus_analysis::pipeline::{Pipeline, Stage};
use serinus_openapi::analysis::{AnalysisAnswer, AnalysisSubject, Inputs, Query};

use crate::engine::{Analysis, AnalysisInput};

/// Returns the answer that tells a verdict on some data.
fn told(
    (pipeline, stage): (&Pipeline, &Stage),
    data: &StageData,
    verdict: &StageVerdict,
    inputs: Inputs,
) -> AnalysisAnswer {
    let subject = AnalysisSubject {
        pipeline,
        stage,
        grid: data.grid,
        history: &data.history,
    };
    AnalysisAnswer::new(subject, verdict, inputs)
}

/// Returns the answer that tells a verdict which was computed again from stored data.
pub(crate) fn replayed(
    judged: (&Pipeline, &Stage),
    data: &StageData,
    verdict: &StageVerdict,
    inputs: Inputs,
) -> AnalysisAnswer {
    told(judged, data, verdict, inputs)
}

/// Returns the answer that tells an analysis.
pub(crate) fn answer(input: &AnalysisInput<'_>, analysis: &Analysis) -> AnalysisAnswer {
    let queries = analysis.queries.iter().map(|record| Query {
        metric: record.metric.clone(),
        promql: record.promql.clone(),
        series: record.series,
        samples: record.samples,
    });
    let inputs = Inputs {
        queries: queries.collect(),
        digest: analysis.digest.clone(),
    };
    let judged = (input.pipeline, input.stage);
    told(judged, &analysis.data, &analysis.verdict, inputs)
}
