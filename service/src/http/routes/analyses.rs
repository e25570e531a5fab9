//! `POST /v1/analyses`: judge one stage over one window, now.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use chrono::{DateTime, Utc};
use serinus_analysis::data::Purpose;
use serinus_analysis::pipeline::{Pipeline, Stage};
use serinus_openapi::analysis::{AnalysisAnswer, AnalysisRequest};
use serinus_openapi::{ProblemType, examples};

use crate::engine::{self, AnalysisInput, Over, Stages};
use crate::http::body::SentBody;
use crate::http::no_store::no_store;
use crate::http::resolve::{self, Asked};
use crate::http::{ApiError, App, problems};
use crate::wire;

/// Judge a stage now
///
/// Reads control and canary from Prometheus over one window and judges one stage of a pipeline.
/// Nothing is stored: the same data gives the same answer to the byte.
///
/// The answer is 200 with `promote`, `hold` or `rollback`, whatever the verdict. What a
/// Prometheus does wrong is a `hold` with its reason code (`source_unavailable`, `no_data`, ..),
/// and an analysis that is not ready within 8 s is a `hold` with `still_collecting`. Only what
/// the caller must change is an error.
#[utoipa::path(
    post,
    path = "/v1/analyses",
    operation_id = "analyse",
    tag = "analyses",
    request_body(
        content = AnalysisRequest,
        examples(
            ("canary_as_good" = (
                summary = "A canary as good as its control",
                value = json!(examples::good_canary())
            )),
            ("canary_worse" = (summary = "A canary that is worse", value = json!(examples::bad_canary()))),
            ("inline_pipeline" = (
                summary = "A pipeline sent with the request",
                value = json!(examples::inline_pipeline())
            )),
        )
    ),
    responses(
        (
            status = 200, description = "The verdict with its evidence",
            body = AnalysisAnswer, example = json!(examples::hold_answer())
        ),
        problems::Analysis,
        problems::JsonBody,
    )
)]
pub(super) async fn analyse(
    State(app): State<Arc<App>>,
    body: SentBody,
) -> Result<Response, ApiError> {
    let request: AnalysisRequest = body.json()?;
    let asked = Asked {
        pipeline: request.pipeline.as_ref(),
        pipeline_yaml: request.pipeline_yaml.as_deref(),
        body: &body.text,
    };
    let pipeline = resolve::pipeline(&app, asked).await?.usable()?;
    let stage = resolve::stage(&pipeline, request.stage.as_deref())?;
    let given = resolve::given(request.control.as_ref(), request.canary.as_ref())?;
    let input = AnalysisInput {
        pipeline: &pipeline,
        stage,
        populations: engine::populations_of(&pipeline, &given),
        start_ms: request
            .start
            .as_ref()
            .map(DateTime::<Utc>::timestamp_millis),
        end_ms: request.end.as_ref().map(DateTime::<Utc>::timestamp_millis),
        source: request.source.as_deref(),
        purpose: Purpose::Decide,
        stages: stages_before(&pipeline, &request, stage)?,
        carried: None,
    };
    Ok(no_store(Json(answer(&app, &input).await?)))
}

/// The stages before the one that is asked for, as the caller says that they were.
fn stages_before(
    pipeline: &Pipeline,
    request: &AnalysisRequest,
    asked: &Stage,
) -> Result<Stages, ApiError> {
    let Some(said) = &request.stages else {
        return Ok(Stages::Alone);
    };
    let place = |stage: &Stage| pipeline.stages.iter().position(|one| one.id == stage.id);
    let refused = |detail: String| Err(ApiError::new(ProblemType::InvalidRequest, detail));
    let mut over: Vec<Over> = Vec::with_capacity(said.len());
    for one in said {
        let stage = resolve::stage(pipeline, Some(&one.stage))?;
        let (start_ms, end_ms) = (one.start.timestamp_millis(), one.end.timestamp_millis());
        if place(stage) >= place(asked) {
            return refused(format!(
                "stages: {} is not before {} in the pipeline",
                stage.id, asked.id
            ));
        }
        if start_ms >= end_ms {
            return refused(format!("stages: {} ends before it begins", stage.id));
        }
        let last = over.last();
        if last.is_some_and(|last| place(&last.stage) >= place(stage) || last.end_ms > start_ms) {
            return refused(format!(
                "stages: {} comes after another that is later; give them in their order, each with the time \
                 until the next began",
                stage.id
            ));
        }
        over.push(Over {
            stage: stage.clone(),
            start_ms,
            end_ms,
            is_decided: one.overridden,
        });
    }
    let began_ms = request
        .start
        .as_ref()
        .map(DateTime::<Utc>::timestamp_millis);
    let until_ms = over.last().map(|last| last.end_ms);
    match (began_ms, until_ms) {
        (None, Some(_)) => refused(
            "stages: say with `start` when the stage that is asked for began, after those before it".to_owned(),
        ),
        (Some(began_ms), Some(until_ms)) if until_ms > began_ms => refused(
            "stages: the last one ends after `start`, at which the stage that is asked for began".to_owned(),
        ),
        _ => Ok(Stages::Before(over)),
    }
}

/// The verdict within the time that callers wait, else a `hold`.
async fn answer(app: &App, input: &AnalysisInput<'_>) -> Result<AnalysisAnswer, ApiError> {
    let limit = app.limits().analysis_time;
    let work = async {
        // Only fails when the semaphore is closed, which it never is.
        let _turn = app.analysis_turns().acquire().await;
        app.engine().analyse(input).await
    };
    let analysis = if let Ok(in_time) = tokio::time::timeout(limit, work).await {
        in_time?
    } else {
        let (pipeline, stage) = (&input.pipeline.name, &input.stage.id);
        tracing::warn!(
            pipeline.name = pipeline,
            stage.id = stage,
            duration_ms = limit.as_millis(),
            "hold of {pipeline} at stage {stage}: the data was not there in time"
        );
        app.engine().still_collecting(input, limit)?
    };
    app.metrics().verdict(analysis.verdict.verdict);
    Ok(wire::answer(input, &analysis))
}
