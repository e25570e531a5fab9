//! The one-call gate: starts the rollout on its first call, answers its verdict on every call.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, RawQuery, State};
use axum::response::Response;
use serinus_analysis::matchers::Matchers;
use serinus_analysis::series::Populations;
use serinus_openapi::analysis::{Gate, ReasonCode, Verdict};
use serinus_openapi::rollout::{AdvanceMode, GateAnswer, GateRequest};
use serinus_openapi::{Problem, examples};

use super::caller::{BaseUrl, Caller};
use super::operations::no_store;
use super::rollouts::matchers_of;
use crate::http::body::SentBody;
use crate::http::gate_query::gate_request;
use crate::http::resolve;
use crate::http::{ApiError, App};
use crate::pipelines::KnownPipeline;
use crate::rollouts::{Live, NewStart, RolloutError, Rollouts, Told};

/// Ask the gate of a stage, with a query
///
/// The first call with a key starts the rollout; every call answers the verdict of the stage. A
/// call for a later stage says that the traffic was moved there. Always 200: what a Prometheus or
/// the store does wrong is a `hold` with its reason code.
#[utoipa::path(
    get,
    path = "/v1/pipelines/{pipeline}/stages/{stage}/gate",
    operation_id = "ask_gate",
    tag = "rollouts",
    params(
        ("pipeline" = String, Path, description = "The pipeline's name", example = "canary_pipeline"),
        ("stage" = String, Path, description = "The stage's id", example = "stage_1"),
        ("key" = String, Query, min_length = 1, max_length = 256, pattern = r"^[^\x00-\x1f\x7f-\x9f]+$", description = "Names the rollout within its pipeline", example = "6d4f9.7"),
        ("control.LABEL" = Option<String>, Query, description = "`control.track=stable`: selects the control, one parameter a label"),
        ("canary.LABEL" = Option<String>, Query, description = "`canary.track=canary`: selects the canary, one parameter a label"),
        ("start" = Option<DateTime<Utc>>, Query, description = "When the stage began (RFC 3339)"),
        ("dry_run" = Option<bool>, Query, description = "Judge without acting"),
    ),
    responses(
        (status = 200, description = "The verdict", body = GateAnswer),
        (status = 400, description = "No key, or a parameter that cannot be used", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such pipeline or stage", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The key has other populations", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn ask(
    state: State<Arc<App>>,
    path: Path<(String, String)>,
    query: RawQuery,
    base: BaseUrl,
    caller: Caller,
) -> Result<Response, ApiError> {
    let request = gate_request(query.0.as_deref().unwrap_or_default(), "")?;
    answer(&state, path.0, request, &base, &caller).await
}

/// Ask the gate of a stage, with a body
///
/// As `GET`, with a JSON body. It is read as JSON whatever its `Content-Type` says; an empty body
/// with a query is a `GET`. The same field in both has to say the same.
#[utoipa::path(
    post,
    path = "/v1/pipelines/{pipeline}/stages/{stage}/gate",
    operation_id = "post_gate",
    tag = "rollouts",
    params(
        ("pipeline" = String, Path, description = "The pipeline's name", example = "canary_pipeline"),
        ("stage" = String, Path, description = "The stage's id", example = "stage_1"),
    ),
    request_body(content = GateRequest, example = json!(examples::gate_request())),
    responses(
        (status = 200, description = "The verdict", body = GateAnswer),
        (status = 400, description = "No key, or a field that cannot be used", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such pipeline or stage", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The key has other populations", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "The body is over the limit", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn post(
    state: State<Arc<App>>,
    path: Path<(String, String)>,
    query: RawQuery,
    base: BaseUrl,
    caller: Caller,
    body: SentBody,
) -> Result<Response, ApiError> {
    let request = gate_request(query.0.as_deref().unwrap_or_default(), &body.text)?;
    answer(&state, path.0, request, &base, &caller).await
}

/// A call of a gate, looked through.
pub(in crate::http) struct Call<'a> {
    /// The pipeline's name.
    pub(in crate::http) pipeline: &'a str,
    /// The stage's id.
    pub(in crate::http) stage: &'a str,
    /// The rollout's key.
    pub(in crate::http) key: &'a str,
    /// The populations, where they are given.
    pub(in crate::http) given: Populations<Option<Matchers>>,
    /// When the stage began, in milliseconds since 1970; now when absent.
    pub(in crate::http) start_ms: Option<i64>,
    /// Judge without acting.
    pub(in crate::http) dry_run: bool,
    /// Who calls.
    pub(in crate::http) caller: &'a str,
}

async fn answer(
    app: &Arc<App>,
    (pipeline, stage): (String, String),
    request: GateRequest,
    base: &BaseUrl,
    caller: &Caller,
) -> Result<Response, ApiError> {
    let key = request.key.as_deref().unwrap_or_default();
    let call = Call {
        pipeline: &pipeline,
        stage: &stage,
        key,
        given: Populations {
            control: matchers_of("control", request.control.as_ref())?,
            canary: matchers_of("canary", request.canary.as_ref())?,
        },
        start_ms: request.start.map(|start| start.timestamp_millis()),
        dry_run: request.dry_run.unwrap_or(false),
        caller: caller.name(),
    };
    let rollouts = app.rollouts();
    let found = rollouts.current(call.pipeline, call.key).await;
    let (live, told) = match found {
        Ok(Some(live)) => {
            let told = known(app, &live, &call).await;
            (Some(live), told)
        }
        Ok(None) => match first(app, &call).await {
            Ok((live, told)) => (Some(live), Ok(told)),
            Err(error) => (None, Err(error)),
        },
        Err(error) => {
            // Nothing can be told of it, but that it may be asked for.
            let known = usable_pipeline(app, &call).await;
            (None, known.and(Err(GateError::Rollout(error))))
        }
    };
    let told = match told {
        Ok(told) => told,
        Err(GateError::Api(error)) => return Err(error),
        Err(GateError::Rollout(error)) => {
            let held = store_unavailable(error)?;
            match &live {
                // What is known of it is told all the same.
                Some(live) => {
                    let present = live.present().told(&live.pipeline, Some(call.stage));
                    Told {
                        progress: present.progress,
                        dry_run: present.dry_run,
                        ..held
                    }
                }
                None => held,
            }
        }
    };
    Ok(no_store(Json(wire(&call, live.as_deref(), told, base))))
}

/// What keeps a gate from telling a verdict.
pub(in crate::http) enum GateError {
    /// The caller has to change something.
    Api(ApiError),
    /// The rollout cannot be told or changed.
    Rollout(RolloutError),
}

impl From<ApiError> for GateError {
    fn from(error: ApiError) -> Self {
        Self::Api(error)
    }
}

impl From<resolve::NotFound> for GateError {
    fn from(error: resolve::NotFound) -> Self {
        match error {
            resolve::NotFound::Unknown(error) => Self::Api(error),
            resolve::NotFound::Store(error) => Self::Rollout(error.into()),
        }
    }
}

impl From<RolloutError> for GateError {
    fn from(error: RolloutError) -> Self {
        Self::Rollout(error)
    }
}

/// A call of a rollout that is known.
pub(in crate::http) async fn known(
    app: &App,
    live: &Arc<Live>,
    call: &Call<'_>,
) -> Result<Told, GateError> {
    Rollouts::same_populations(live, &call.given)?;
    if !live
        .pipeline
        .stages
        .iter()
        .any(|stage| stage.id == call.stage)
    {
        return Err(resolve::stage_at_path(&live.pipeline, call.stage)
            .err()
            .map_or_else(|| GateError::Rollout(RolloutError::Busy), GateError::Api));
    }
    let rollouts = app.rollouts();
    // A caller that asks for a later stage has moved the traffic there.
    if live
        .present()
        .is_at_an_earlier_stage(&live.pipeline, call.stage)
    {
        let advanced = rollouts
            .advance(live, Some(call.stage), call.start_ms, call.caller)
            .await;
        match advanced {
            // It was decided or moved while this waited for its turn: the gate tells what it is now.
            Err(RolloutError::Refused(_))
                if !live
                    .present()
                    .is_at_an_earlier_stage(&live.pipeline, call.stage) => {}
            other => other?,
        }
    }
    rollouts.judge_within(live, app.limits().gate_wait).await;
    Ok(live.present().told(&live.pipeline, Some(call.stage)))
}

/// The first call with a key: it starts the rollout.
pub(in crate::http) async fn first(
    app: &App,
    call: &Call<'_>,
) -> Result<(Arc<Live>, Told), GateError> {
    let found = usable_pipeline(app, call).await?;
    let stage = resolve::stage_at_path(&found.pipeline, call.stage)?;
    let own =
        |given: &Option<Matchers>, own: &Matchers| given.clone().unwrap_or_else(|| own.clone());
    let start = NewStart {
        pipeline: &found.pipeline,
        pipeline_yaml: &found.text,
        stage,
        key: call.key,
        populations: Populations {
            control: own(&call.given.control, &found.pipeline.control),
            canary: own(&call.given.canary, &found.pipeline.canary),
        },
        start_ms: call.start_ms,
        source: None,
        dry_run: call.dry_run,
        advance: AdvanceMode::Caller,
        caused_by: call.caller,
    };
    let rollouts = app.rollouts();
    rollouts.check(&start).map_err(ApiError::from)?;
    let (live, is_new) = rollouts.start(&start).await?;
    if !is_new {
        Rollouts::same_populations(&live, &call.given)?;
    }
    rollouts.judge_within(&live, app.limits().gate_wait).await;
    let told = live.present().told(&live.pipeline, Some(call.stage));
    Ok((live, told))
}

async fn usable_pipeline(app: &App, call: &Call<'_>) -> Result<KnownPipeline, GateError> {
    let found = resolve::known_pipeline(app, call.pipeline).await?;
    resolve::stage_at_path(&found.pipeline, call.stage)?;
    Ok(found)
}

/// A gate holds while nothing can be recorded: it never answers 5xx by choice.
pub(in crate::http) fn store_unavailable(error: RolloutError) -> Result<Told, ApiError> {
    if matches!(
        error,
        RolloutError::PopulationsDiffer(_) | RolloutError::Refused(_)
    ) {
        return Err(error.into());
    }
    tracing::error!(error = %error, "a gate holds: {error}");
    Ok(Told {
        verdict: Verdict::Hold,
        reason_code: ReasonCode::STORE_UNAVAILABLE,
        reason: format!("nothing can be recorded: {error}"),
        progress: "not known while the store is unavailable".to_owned(),
        dry_run: false,
    })
}

/// What a gate answers.
pub(in crate::http) fn wire(
    call: &Call<'_>,
    live: Option<&Live>,
    told: Told,
    base: &BaseUrl,
) -> GateAnswer {
    let (verdict, reason) = told.acted_on();
    GateAnswer {
        verdict,
        gate: Gate::new(verdict, &reason),
        progress: told.progress,
        pipeline: call.pipeline.to_owned(),
        stage: call.stage.to_owned(),
        key: call.key.to_owned(),
        rollout: live.map(|live| live.id.to_string()),
        status_url: live.map(|live| base.status_url(live.id)),
        reason_code: told.reason_code,
        dry_run: told.dry_run,
        true_verdict: told.dry_run.then_some(told.verdict),
    }
}
