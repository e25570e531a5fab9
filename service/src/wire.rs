//! From an analysis to the answer on the wire, for the server and the command line alike.

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
    let subject = AnalysisSubject {
        pipeline: input.pipeline,
        stage: input.stage,
        grid: analysis.grid,
        history: &analysis.history,
    };
    let inputs = Inputs {
        queries: queries.collect(),
        digest: analysis.digest.clone(),
    };
    AnalysisAnswer::new(subject, &analysis.verdict, inputs)
}
