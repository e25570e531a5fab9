//! `/v1/pipelines`: what the server knows, and what a pipeline says.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::response::Response;
use serinus_openapi::pipeline::{
    PipelineDetail, PipelineList, PipelineSummary, ValidateAnswer, ValidateRequest,
};
use serinus_openapi::{Problem, examples};

use super::operations::no_store;
use crate::http::body::{MediaType, SentBody};
use crate::http::resolve::{self, Asked, Found};
use crate::http::{ApiError, App};

/// Look a pipeline through
///
/// Tells all mistakes of a pipeline at once, with line, column, path and the nearest right name,
/// or what the pipeline expands to. Send the text of the file as `application/yaml`, or JSON with
/// `pipeline_yaml` (the text) or `pipeline` (an object). A pipeline with mistakes is an answer,
/// not an error: status 200 with `valid: false`.
#[utoipa::path(
    post,
    path = "/v1/pipelines/validate",
    operation_id = "validate_pipeline",
    tag = "pipelines",
    request_body(content(
        (ValidateRequest = "application/json", examples(
            ("valid" = (summary = "A valid pipeline", value = json!(examples::valid_pipeline()))),
            ("mistakes" = (
                summary = "A pipeline with mistakes",
                value = json!(examples::pipeline_with_mistakes())
            )),
        )),
        (serde_json::Value = "application/yaml", example = json!(examples::PIPELINE_YAML)),
    )),
    responses(
        (status = 200, description = "The mistakes, or what it expands to", body = ValidateAnswer),
        (
            status = 400, description = "The body cannot be read",
            body = Problem, content_type = "application/problem+json"
        ),
        (
            status = 404, description = "The server knows no pipeline of the name",
            body = Problem, content_type = "application/problem+json"
        ),
        (
            status = 413, description = "The body is over the limit",
            body = Problem, content_type = "application/problem+json"
        ),
        (
            status = 415, description = "The body is neither JSON nor YAML",
            body = Problem, content_type = "application/problem+json"
        ),
    )
)]
pub(super) async fn validate(
    State(app): State<Arc<App>>,
    body: SentBody,
) -> Result<Response, ApiError> {
    let found = match &body.media_type {
        MediaType::Yaml => resolve::text(&body.text),
        MediaType::Json => {
            let request: ValidateRequest = body.json()?;
            let asked = Asked {
                pipeline: request.pipeline.as_ref(),
                pipeline_yaml: request.pipeline_yaml.as_deref(),
                body: &body.text,
            };
            resolve::pipeline(&app, asked).await?
        }
        MediaType::Other(_) => {
            return Err(body.unsupported("application/json or application/yaml"));
        }
    };
    let answer = match found {
        Found::Pipeline(pipeline) => ValidateAnswer {
            valid: true,
            diagnostics: Vec::new(),
            pipeline: Some((&*pipeline).into()),
        },
        Found::Mistakes(diagnostics) => ValidateAnswer {
            valid: false,
            diagnostics: diagnostics.iter().map(Into::into).collect(),
            pipeline: None,
        },
    };
    Ok(no_store(Json(answer)))
}

/// List the pipelines
///
/// Those of the server's folder, read again when a file changes. A file that was good before and
/// has mistakes now keeps its last good form; `problems` tells of it.
#[utoipa::path(
    get,
    path = "/v1/pipelines",
    operation_id = "list_pipelines",
    tag = "pipelines",
    responses((status = 200, description = "All pipelines, by name", body = PipelineList))
)]
pub(super) async fn list(State(app): State<Arc<App>>) -> Response {
    let known = app.pipelines().known().await;
    let pipelines = known.iter().map(|(name, known)| PipelineSummary {
        name: name.to_owned(),
        file: known.file.clone(),
        stages: known.pipeline.stages.len(),
        problem: known.problem.clone(),
    });
    no_store(Json(PipelineList {
        pipelines: pipelines.collect(),
        problems: known.problems().to_vec(),
    }))
}

/// Show a pipeline
///
/// What the pipeline says after lists are expanded and units converted.
#[utoipa::path(
    get,
    path = "/v1/pipelines/{pipeline}",
    operation_id = "show_pipeline",
    tag = "pipelines",
    params(("pipeline" = String, Path, description = "The pipeline's name", example = "canary_pipeline")),
    responses(
        (status = 200, description = "The pipeline", body = PipelineDetail),
        (
            status = 404, description = "The server knows no pipeline of this name",
            body = Problem, content_type = "application/problem+json"
        ),
    )
)]
pub(super) async fn show(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
) -> Result<Response, ApiError> {
    let known = app.pipelines().known().await;
    let Some(found) = known.get(&name) else {
        return Err(resolve::unknown_pipeline(&known, &name));
    };
    Ok(no_store(Json(PipelineDetail {
        pipeline: (&*found.pipeline).into(),
        file: found.file.clone(),
        problem: found.problem.clone(),
    })))
}
