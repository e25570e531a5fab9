//! The one-call gate: starts the rollout on its first call, answers its verdict on every call.

use std::sync::Arc;

use axum::Json;
use axum::extract::{RawQuery, State};
use axum::response::Response;
use serinus_openapi::analysis::Gate;
use serinus_openapi::rollout::{GateAnswer, GateRequest};
use serinus_openapi::{ProblemType, examples};

use super::caller::{BaseUrl, Caller};
use crate::http::body::SentBody;
use crate::http::gate_query::Asked;
use crate::http::no_store::no_store;
use crate::http::path::GatePath;
use crate::http::{ApiError, App, problems, resolve};
use crate::rollouts::{GateCall, GateError, GateTold, Live, Told, Visit};
use crate::time::UnixMillis;

/// Ask the gate of a stage, with a query
///
/// It looks: every call answers the verdict of the stage. The first call with a key starts the
/// rollout at the first stage, and a call for the stage after one that has passed begins it; any
/// other stage answers `hold` with `not_reached` and moves nothing. A key that is not known at a
/// later stage is 404: `POST` starts it. What a Prometheus or the store does wrong is a `hold` with
/// its reason code.
#[utoipa::path(
    get,
    path = "/v1/pipelines/{pipeline}/stages/{stage}/gate",
    operation_id = "ask_gate",
    tag = "rollouts",
    params(
        GatePath,
        ("key" = String, Query, min_length = 1, max_length = 256, pattern = r"^[^\x00-\x1f\x7f-\x9f]+$", description = "Names the rollout within its pipeline", example = "6d4f9.7"),
        ("control.LABEL" = Option<String>, Query, description = "`control.track=stable`, `control.pod=~web-.*`, with `=`, `!=`, `=~` or `!~` as PromQL writes them: laid over the pipeline's own control, one parameter a label; `control.job!=` takes a label away; `control.pod=\"~web\"` is a text that begins like an operator"),
        ("canary.LABEL" = Option<String>, Query, description = "`canary.version=v2`, `canary.pod=~web-.*`, with `=`, `!=`, `=~` or `!~` as PromQL writes them: laid over the pipeline's own canary, one parameter a label; `canary.job!=` takes a label away; `canary.pod=\"~web\"` is a text that begins like an operator"),
        ("start" = Option<DateTime<Utc>>, Query, description = "When the stage began (RFC 3339)"),
        ("dry_run" = Option<bool>, Query, description = "Judge without acting"),
    ),
    responses(
        (status = 200, description = "The verdict", body = GateAnswer),
        problems::GateQuery,
        problems::Gate,
    )
)]
pub(super) async fn ask(
    state: State<Arc<App>>,
    path: GatePath,
    query: RawQuery,
    base: BaseUrl,
    caller: Caller,
) -> Result<Response, ApiError> {
    let asked = Asked::read(query.0.as_deref().unwrap_or_default(), "")?;
    answer(&state, &path, (asked, Visit::Look), &base, &caller).await
}

/// Go to a stage and ask its gate
///
/// "I am here now": the first call with a key starts the rollout at this stage, and a call for a
/// later stage goes on to it, whatever the stages before have shown; those that have not passed are
/// `left`. Every call answers the verdict of the stage. The body is read as JSON whatever its
/// `Content-Type` says; without one the query is read in its place, and it stays a `POST`. The same
/// field in both has to say the same.
#[utoipa::path(
    post,
    path = "/v1/pipelines/{pipeline}/stages/{stage}/gate",
    operation_id = "post_gate",
    tag = "rollouts",
    params(GatePath),
    request_body(content = GateRequest, example = json!(examples::gate_request())),
    responses(
        (status = 200, description = "The verdict", body = GateAnswer),
        problems::GateBody,
        problems::Gate,
        problems::AnyBody,
    )
)]
pub(super) async fn post(
    state: State<Arc<App>>,
    path: GatePath,
    query: RawQuery,
    base: BaseUrl,
    caller: Caller,
    body: SentBody,
) -> Result<Response, ApiError> {
    let asked = Asked::read(query.0.as_deref().unwrap_or_default(), &body.text)?;
    answer(&state, &path, (asked, Visit::Here), &base, &caller).await
}

async fn answer(
    app: &Arc<App>,
    path: &GatePath,
    (asked, visit): (Asked, Visit),
    base: &BaseUrl,
    caller: &Caller,
) -> Result<Response, ApiError> {
    let Asked { key, request } = asked;
    let given = resolve::given(request.control.as_ref(), request.canary.as_ref())?;
    let call = GateCall {
        pipeline: &path.pipeline,
        stage: &path.stage,
        key: &key,
        given: &given,
        start: request.start.map(UnixMillis::from),
        dry_run: request.dry_run.unwrap_or(false),
        visit,
        caller: caller.name(),
    };
    let wait = app.limits().gate_wait;
    let asking = app.rollouts().ask(&call, app.pipelines(), wait);
    let GateTold { live, told } = match asking.await {
        Ok(told) => told,
        Err(error) => return Err(refused(app, &path.pipeline, error).await),
    };
    let about = About {
        pipeline: &path.pipeline,
        stage: &path.stage,
        key: key.as_str(),
    };
    Ok(no_store(Json(gate_answer(
        about,
        live.as_deref(),
        told,
        base,
    ))))
}

/// What a caller has to change for a gate to tell a verdict.
pub(in crate::http) async fn refused(app: &App, pipeline: &str, error: GateError) -> ApiError {
    match error {
        GateError::NoPipeline => {
            let known = app.pipelines().known().await;
            resolve::unknown_pipeline(&known, pipeline)
        }
        GateError::NoStage { pipeline, stage } => resolve::no_such_stage(&pipeline, &stage),
        GateError::NoRollout { stage } => ApiError::new(
            ProblemType::NoSuchRollout,
            format!(
                "no rollout of {pipeline} has this key, and a GET starts none at {stage}: POST to \
                 this address starts it there"
            ),
        ),
        GateError::Rollout(error) => error.into(),
    }
}

/// What an answer of a gate is about, in the caller's words.
#[derive(Debug, Clone, Copy)]
pub(in crate::http) struct About<'a> {
    pub(in crate::http) pipeline: &'a str,
    pub(in crate::http) stage: &'a str,
    pub(in crate::http) key: &'a str,
}

/// What a gate answers.
pub(in crate::http) fn gate_answer(
    about: About<'_>,
    live: Option<&Live>,
    told: Told,
    base: &BaseUrl,
) -> GateAnswer {
    let (true_verdict, true_reason) = told.truth.unzip();
    GateAnswer {
        verdict: told.verdict,
        gate: Gate::new(told.verdict, &told.reason),
        pipeline: about.pipeline.to_owned(),
        stage: about.stage.to_owned(),
        key: about.key.to_owned(),
        rollout: live.map(|live| live.id.to_string()),
        status_url: live.map(|live| base.status_url(live.id)),
        dry_run: told.is_without_acting,
        true_verdict,
        true_reason,
        progress: told.progress,
        reason_code: told.reason_code,
    }
}
