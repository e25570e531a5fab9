//! `/v1/pipelines`: what the server knows, what a pipeline says, and what is put there.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use chrono::{DateTime, Utc};
use serinus_openapi::pipeline::{
    PipelineDetail, PipelineList, PipelineSummary, ValidateAnswer, ValidateRequest,
};
use serinus_openapi::{ProblemType, examples};

use super::caller::Caller;
use crate::http::body::{MediaType, SentBody};
use crate::http::no_store::no_store;
use crate::http::path::PipelinePath;
use crate::http::resolve::{self, Asked, Found};
use crate::http::{ApiError, App, problems};
use crate::pipelines::Origin;
use crate::time::UnixMillis;

/// Longest name of a pipeline that is put: the longest that a pipeline may give itself.
const MOST_NAME_BYTES: usize = 100;

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
        problems::Validation,
        problems::JsonOrYamlBody,
    )
)]
pub(super) async fn validate(
    State(app): State<Arc<App>>,
    body: SentBody,
) -> Result<Response, ApiError> {
    let found = match &body.media_type {
        MediaType::Yaml => resolve::text(&body.text, resolve::NAMELESS),
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
            remarks: pipeline.remarks().iter().map(Into::into).collect(),
            pipeline: Some((&*pipeline).into()),
        },
        Found::Mistakes(diagnostics) => ValidateAnswer {
            valid: false,
            diagnostics: diagnostics.iter().map(Into::into).collect(),
            remarks: Vec::new(),
            pipeline: None,
        },
    };
    Ok(no_store(Json(answer)))
}

/// List the pipelines
///
/// Those of the server's folder, read again when a file changes, and those that were put here. A
/// file that was good before and has mistakes now keeps its last good form; `problems` tells of it.
#[utoipa::path(
    get,
    path = "/v1/pipelines",
    operation_id = "list_pipelines",
    tag = "pipelines",
    responses((status = 200, description = "All pipelines, by name", body = PipelineList))
)]
pub(super) async fn list(State(app): State<Arc<App>>) -> Response {
    let known = app.pipelines().known().await;
    let pipelines = known.iter().map(|(name, known)| {
        let (file, put_at) = origin(&known.origin);
        PipelineSummary {
            name: name.to_owned(),
            file,
            put_at,
            stages: known.pipeline.stages.len(),
            problem: known.problem.clone(),
        }
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
        problems::ShownPipeline,
    )
)]
pub(super) async fn show(
    State(app): State<Arc<App>>,
    PipelinePath { pipeline: name }: PipelinePath,
) -> Result<Response, ApiError> {
    let found = resolve::known_pipeline(&app, &name).await?;
    let (file, put_at) = origin(&found.origin);
    Ok(no_store(Json(PipelineDetail {
        pipeline: (&*found.pipeline).into(),
        file,
        put_at,
        problem: found.problem,
    })))
}

/// Put a pipeline
///
/// Keeps it in the store under its name, in the place of one that was put before; it counts from
/// the next request on. Rollouts that run keep the text that they were started with. Send the text
/// of the file as `application/yaml`, or JSON with `pipeline_yaml` (the text) or `pipeline` (an
/// object). A pipeline that a file of the server's folder defines cannot be put.
#[utoipa::path(
    put,
    path = "/v1/pipelines/{pipeline}",
    operation_id = "put_pipeline",
    tag = "pipelines",
    params(("pipeline" = String, Path, description = "The pipeline's name: up to 100 of a-z, 0-9, _, - and ., the first a letter or a digit", example = "shop")),
    request_body(content(
        (ValidateRequest = "application/json", example = json!(examples::pipeline_to_put())),
        (String = "application/yaml", example = json!(examples::PIPELINE_TO_PUT_YAML)),
    )),
    responses(
        (status = 201, description = "It is new", body = PipelineDetail),
        (status = 200, description = "It took the place of one that was put before", body = PipelineDetail),
        problems::PutPipeline,
        problems::JsonOrYamlBody,
    )
)]
pub(super) async fn put(
    State(app): State<Arc<App>>,
    PipelinePath { pipeline: name }: PipelinePath,
    caller: Caller,
    body: SentBody,
) -> Result<Response, ApiError> {
    let invalid = |detail: String| ApiError::new(ProblemType::InvalidRequest, detail);
    if !is_name(&name) {
        return Err(invalid(format!(
            "the name {name:?} cannot be used: write up to {MOST_NAME_BYTES} of a-z, 0-9, _, - and \
             ., the first a letter or a digit"
        )));
    }
    let request: ValidateRequest;
    let (found, text) = match &body.media_type {
        MediaType::Yaml => (resolve::text(&body.text, &name), body.text.as_str()),
        MediaType::Json => {
            request = body.json()?;
            let asked = Asked {
                pipeline: request.pipeline.as_ref(),
                pipeline_yaml: request.pipeline_yaml.as_deref(),
                body: &body.text,
            };
            resolve::sent(asked, &name)?
        }
        MediaType::Other(_) => {
            return Err(body.unsupported("application/json or application/yaml"));
        }
    };
    let pipeline = found.usable()?;
    if pipeline.name != name {
        return Err(invalid(format!(
            "the pipeline names itself {:?}: put it to /v1/pipelines/{0}, or take `name` out",
            pipeline.name
        )));
    }
    let now = UnixMillis::new(app.engine().clock().now_ms());
    let putting = app.pipelines().put(Arc::clone(&pipeline), text.into(), now);
    let is_new = putting.await?;
    let by = caller.name();
    tracing::info!(
        pipeline.name = name,
        caused_by = by,
        "pipeline {name} put by {by}"
    );
    let status = if is_new {
        StatusCode::CREATED
    } else {
        StatusCode::OK
    };
    let detail = PipelineDetail {
        pipeline: (&*pipeline).into(),
        file: None,
        put_at: now.date(),
        problem: None,
    };
    Ok(no_store((status, Json(detail))))
}

/// Delete a pipeline
///
/// One that was put. Rollouts that run keep the text that they were started with; no new one can be
/// started.
#[utoipa::path(
    delete,
    path = "/v1/pipelines/{pipeline}",
    operation_id = "delete_pipeline",
    tag = "pipelines",
    params(("pipeline" = String, Path, description = "The pipeline's name", example = "shop")),
    responses(
        (status = 204, description = "It is deleted"),
        problems::DeletedPipeline,
    )
)]
pub(super) async fn delete(
    State(app): State<Arc<App>>,
    PipelinePath { pipeline: name }: PipelinePath,
    caller: Caller,
) -> Result<Response, ApiError> {
    if !app.pipelines().delete(&name).await? {
        let known = app.pipelines().known().await;
        return Err(resolve::unknown_pipeline(&known, &name));
    }
    let by = caller.name();
    tracing::info!(
        pipeline.name = name,
        caused_by = by,
        "pipeline {name} deleted by {by}"
    );
    Ok(no_store(StatusCode::NO_CONTENT))
}

/// The file of a pipeline, or when it was put.
fn origin(origin: &Origin) -> (Option<String>, Option<DateTime<Utc>>) {
    match origin {
        Origin::File(file) => (Some(file.clone()), None),
        Origin::Put { updated_ms } => (None, updated_ms.date()),
    }
}

/// Whether a pipeline can be put under this name: one that reads the same in every address, file
/// system and store.
fn is_name(name: &str) -> bool {
    let is_plain = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit();
    name.len() <= MOST_NAME_BYTES
        && name.starts_with(is_plain)
        && name
            .chars()
            .all(|letter| is_plain(letter) || matches!(letter, '_' | '-' | '.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_reads_the_same_everywhere() {
        let longest = "a".repeat(MOST_NAME_BYTES);
        for good in ["shop", "7", "a.b-c_d", &longest] {
            assert!(is_name(good), "{good}");
        }
        let too_long = "a".repeat(MOST_NAME_BYTES + 1);
        for bad in ["", "Shop", ".", "-a", "_a", "a b", "a/b", "é", &too_long] {
            assert!(!is_name(bad), "{bad}");
        }
    }
}
