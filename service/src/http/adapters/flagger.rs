//! Flagger's webhooks. To Flagger the status is the verdict: 200 goes on (or rolls back, on the
//! rollback path), everything else stays where it is.
//!
//! Flagger sends no weight, so the stage is counted: every 200 of the advance path lets the
//! traffic take one step, and the stage of that step is judged next. All that this needs is in the
//! store, so a restart between two ticks changes nothing.
//!
//! No answer is ever 5xx by choice, and none carries `Retry-After`: Flagger sleeps for as long as
//! that says.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value};
use serinus_analysis::matchers::Matchers;
use serinus_analysis::pipeline::Pipeline;
use serinus_analysis::series::Populations;
use serinus_openapi::analysis::{ReasonCode, Verdict};
use serinus_openapi::flagger::FlaggerCall;
use serinus_openapi::population::Population;
use serinus_openapi::rollout::GateAnswer;
use serinus_openapi::{Problem, ProblemType, examples};

use crate::http::body::{self, SentBody};
use crate::http::gate_query::check_key;
use crate::http::resolve;
use crate::http::routes::caller::{BaseUrl, Caller};
use crate::http::routes::gate::{self, Call, GateError};
use crate::http::routes::operations::no_store;
use crate::http::{ApiError, App};
use crate::rollouts::{Live, Present, RolloutError, Rollouts, Told};
use crate::store::RolloutState;

/// How long a 200 of the advance path is repeated: a second call in that time is the same call
/// again, or `confirm-promotion` in the same tick. Flagger's shortest tick is 10 s.
const REPEAT_MS: i64 = 8_000;

/// Flagger asks whether the traffic may take a step
///
/// For the webhooks `confirm-traffic-increase` and `confirm-promotion`. 200 goes on, 409 stays.
/// The first call with a key opens the rollout at the first stage and is 200: that stage judges
/// the first step of the traffic. With `stage` in the metadata the stage's own verdict counts from
/// the first call on, for A/B tests and blue/green.
#[utoipa::path(
    post,
    path = "/adapters/flagger/{pipeline}/advance",
    operation_id = "flagger_advance",
    tag = "adapters",
    params(("pipeline" = String, Path, description = "The pipeline's name", example = "canary_pipeline")),
    request_body(content = FlaggerCall, example = json!(examples::flagger_call())),
    responses(
        (status = 200, description = "The traffic may take its next step", body = GateAnswer),
        (status = 400, description = "No call of Flagger, or metadata that cannot be used", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such pipeline or stage", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The traffic stays: the stage holds or was rolled back, or nothing can be recorded", body = GateAnswer),
        (status = 413, description = "The body is over the limit", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(in crate::http) async fn advance(
    State(app): State<Arc<App>>,
    Path(pipeline): Path<String>,
    base: BaseUrl,
    caller: Caller,
    body: SentBody,
) -> Result<Response, ApiError> {
    let hook = Hook::read(&body.text)?;
    let found = app.rollouts().current(&pipeline, &hook.key).await;
    let live = match found {
        Ok(live) => live,
        Err(error) => return refused_to_tell(&hook, &pipeline, error, &base),
    };
    let stage = match (&hook.stage, &live) {
        (Some(named), _) => named.clone(),
        (None, Some(live)) => stage_of(&live.present()),
        (None, None) => match first_stage(&app, &pipeline).await {
            Ok(first) => first,
            Err(resolve::NotFound::Unknown(error)) => return Err(error),
            Err(resolve::NotFound::Store(error)) => {
                return refused_to_tell(&hook, &pipeline, error.into(), &base);
            }
        },
    };
    let call = hook.call(&pipeline, &stage, caller.name());
    let (live, told) = match live {
        None => match opened(&app, &call, hook.stage.is_some()).await {
            Ok((live, told)) => (Some(live), Ok(told)),
            Err(error) => (None, Err(error)),
        },
        Some(live) => {
            let told = if hook.stage.is_some() {
                gate::known(&app, &live, &call).await
            } else {
                went_on(&app, &live, &call).await
            };
            (Some(live), told)
        }
    };
    let told = match told {
        Ok(told) => told,
        Err(GateError::Api(error)) => return Err(error),
        Err(GateError::Rollout(error)) => gate::store_unavailable(error)?,
    };
    let goes_on = told.acted_on().0 == Verdict::Promote;
    let answer = gate::wire(&call, live.as_deref(), told, &base);
    Ok(answered(goes_on, answer))
}

/// Flagger asks whether to roll back now
///
/// For the webhook `rollback`. 200 only when the rollout exists and its verdict is `rollback`;
/// everything else is 409, mistakes and unknown keys included. It never opens a rollout.
#[utoipa::path(
    post,
    path = "/adapters/flagger/{pipeline}/rollback",
    operation_id = "flagger_rollback",
    tag = "adapters",
    params(("pipeline" = String, Path, description = "The pipeline's name", example = "canary_pipeline")),
    request_body(content = FlaggerCall, example = json!(examples::flagger_call())),
    responses(
        (status = 200, description = "Roll back now", body = GateAnswer),
        (status = 409, description = "Do not roll back", body = GateAnswer),
    )
)]
pub(in crate::http) async fn rollback(
    State(app): State<Arc<App>>,
    Path(pipeline): Path<String>,
    base: BaseUrl,
    caller: Caller,
    body: Result<SentBody, ApiError>,
) -> Response {
    let hook = match body.and_then(|body| Hook::read(&body.text)) {
        Ok(hook) => hook,
        Err(error) => {
            let detail = format!("not rolled back: {}", error.problem().detail);
            let hook = Hook::default();
            let call = hook.call(&pipeline, "", caller.name());
            let told = holds(ReasonCode::NO_DATA, detail);
            return answered(false, gate::wire(&call, None, told, &base));
        }
    };
    let (live, told) = match app.rollouts().current(&pipeline, &hook.key).await {
        Ok(Some(live)) => {
            app.rollouts()
                .judge_within(&live, app.limits().gate_wait)
                .await;
            let told = live.present().told(&live.pipeline, None);
            (Some(live), told)
        }
        Ok(None) => {
            let reason = format!("no rollout of {pipeline} has this key: nothing to roll back");
            (None, holds(ReasonCode::STILL_COLLECTING, reason))
        }
        Err(error) => {
            tracing::error!(error = %error, "a rollback hook stays: {error}");
            let reason = format!("nothing can be read: {error}");
            (None, holds(ReasonCode::STORE_UNAVAILABLE, reason))
        }
    };
    let rolls_back = told.acted_on().0 == Verdict::Rollback;
    let stage = live
        .as_ref()
        .map(|live| stage_of(&live.present()))
        .unwrap_or_default();
    let call = hook.call(&pipeline, &stage, caller.name());
    let answer = gate::wire(&call, live.as_deref(), told, &base);
    answered(rolls_back, answer)
}

/// Flagger says that the rollout is over
///
/// For the webhook `post-rollout`. It closes the key, so that the same version can be rolled out
/// again. Always 200: Flagger does nothing about another answer.
#[utoipa::path(
    post,
    path = "/adapters/flagger/{pipeline}/finished",
    operation_id = "flagger_finished",
    tag = "adapters",
    params(("pipeline" = String, Path, description = "The pipeline's name", example = "canary_pipeline")),
    request_body(content = FlaggerCall, example = json!(examples::flagger_call())),
    responses((status = 200, description = "Heard", body = GateAnswer))
)]
pub(in crate::http) async fn finished(
    State(app): State<Arc<App>>,
    Path(pipeline): Path<String>,
    base: BaseUrl,
    caller: Caller,
    body: Result<SentBody, ApiError>,
) -> Response {
    let hook = match body.and_then(|body| Hook::read(&body.text)) {
        Ok(hook) => hook,
        Err(error) => {
            let detail = &error.problem().detail;
            tracing::warn!("a post-rollout hook of {pipeline} closes nothing: {detail}");
            let hook = Hook::default();
            let call = hook.call(&pipeline, "", caller.name());
            let told = holds(
                ReasonCode::CANCELLED,
                format!("nothing is closed: {detail}"),
            );
            return answered(true, gate::wire(&call, None, told, &base));
        }
    };
    let closed = close(&app, &pipeline, &hook, caller.name()).await;
    let (live, told) = match closed {
        Ok(Some(live)) => {
            let told = live.present().told(&live.pipeline, None);
            (Some(live), told)
        }
        Ok(None) => {
            let reason = format!("no rollout of {pipeline} has this key: nothing to close");
            (None, holds(ReasonCode::CANCELLED, reason))
        }
        Err(error) => {
            tracing::error!(error = %error, "a post-rollout hook closes nothing: {error}");
            let reason = format!("nothing can be recorded: {error}");
            (None, holds(ReasonCode::STORE_UNAVAILABLE, reason))
        }
    };
    let stage = live
        .as_ref()
        .map(|live| stage_of(&live.present()))
        .unwrap_or_default();
    let call = hook.call(&pipeline, &stage, caller.name());
    let answer = gate::wire(&call, live.as_deref(), told, &base);
    answered(true, answer)
}

async fn close(
    app: &App,
    pipeline: &str,
    hook: &Hook,
    caller: &str,
) -> Result<Option<Arc<Live>>, RolloutError> {
    let Some(live) = app.rollouts().current(pipeline, &hook.key).await? else {
        return Ok(None);
    };
    let reason = format!("Flagger says {:?}", hook.phase);
    app.rollouts()
        .end(&live, RolloutState::Closed, Some(&reason), caller)
        .await?;
    Ok(Some(live))
}

/// The first call with a key. Without a named stage it goes on: at weight 0 there is nothing to
/// judge, and a hold would wait for ever.
async fn opened(
    app: &App,
    call: &Call<'_>,
    is_stage_named: bool,
) -> Result<(Arc<Live>, Told), GateError> {
    let (live, told) = gate::first(app, call).await?;
    if is_stage_named || told.verdict == Verdict::Rollback {
        return Ok((live, told));
    }
    let reason = format!("{} begins with this step of the traffic", call.stage);
    Ok((live, may_go(told, reason)))
}

/// A call of a rollout that is known: 200 takes it to its next stage.
async fn went_on(app: &App, live: &Arc<Live>, call: &Call<'_>) -> Result<Told, GateError> {
    Rollouts::same_populations(live, &call.given)?;
    let rollouts = app.rollouts();
    let now_ms = app.engine().clock().now_ms();
    let is_repeat = |present: &Present| {
        present.state == RolloutState::Open
            && present
                .document
                .current()
                .is_some_and(|current| now_ms - current.started_ms < REPEAT_MS)
    };
    let present = live.present();
    if is_repeat(&present) {
        let told = present.told(&live.pipeline, None);
        let reason = format!("{} has just begun", stage_of(&present));
        return Ok(may_go(told, reason));
    }
    rollouts.judge_within(live, app.limits().gate_wait).await;
    let present = live.present();
    let told = present.told(&live.pipeline, None);
    let goes_on = told.acted_on().0 == Verdict::Promote;
    if goes_on
        && present.state == RolloutState::Open
        && let Some(next) = stage_after(&live.pipeline, &stage_of(&present))
    {
        // By its name: of two calls at the same time only one moves it.
        rollouts
            .advance(live, Some(next), None, call.caller)
            .await?;
    }
    Ok(told)
}

/// A 200 that rests on no judgement.
fn may_go(told: Told, reason: String) -> Told {
    if told.dry_run {
        return told;
    }
    Told {
        verdict: Verdict::Promote,
        reason_code: ReasonCode::PASSED,
        reason,
        ..told
    }
}

fn holds(reason_code: ReasonCode, reason: String) -> Told {
    Told {
        verdict: Verdict::Hold,
        reason_code,
        reason,
        progress: "no rollout is known".to_owned(),
        dry_run: false,
    }
}

fn stage_of(present: &Present) -> String {
    present
        .document
        .current()
        .map_or_else(String::new, |current| current.stage.clone())
}

fn stage_after<'a>(pipeline: &'a Pipeline, stage: &str) -> Option<&'a str> {
    let mut stages = pipeline.stages.iter();
    stages.find(|known| known.id == stage)?;
    stages.next().map(|next| next.id.as_str())
}

async fn first_stage(app: &App, pipeline: &str) -> Result<String, resolve::NotFound> {
    let found = resolve::known_pipeline(app, pipeline).await?;
    Ok(found
        .pipeline
        .stages
        .first()
        .map_or_else(String::new, |stage| stage.id.clone()))
}

/// The store cannot be asked: the traffic stays.
fn refused_to_tell(
    hook: &Hook,
    pipeline: &str,
    error: RolloutError,
    base: &BaseUrl,
) -> Result<Response, ApiError> {
    let told = gate::store_unavailable(error)?;
    let stage = hook.stage.as_deref().unwrap_or_default();
    let call = hook.call(pipeline, stage, "");
    Ok(answered(false, gate::wire(&call, None, told, base)))
}

fn answered(is_yes: bool, answer: GateAnswer) -> Response {
    let status = if is_yes {
        StatusCode::OK
    } else {
        StatusCode::CONFLICT
    };
    no_store((status, Json(answer)).into_response())
}

/// A call, looked through.
#[derive(Debug, Default)]
struct Hook {
    key: String,
    phase: String,
    stage: Option<String>,
    given: Populations<Option<Matchers>>,
}

impl Hook {
    fn read(text: &str) -> Result<Self, ApiError> {
        if text.trim().is_empty() {
            return Err(ApiError::new(
                ProblemType::InvalidRequest,
                "the body is empty: send what a webhook of Flagger sends",
            ));
        }
        let sent: FlaggerCall = body::json(text)?;
        let key = sent.key();
        check_key(Some(&key))?;
        let metadata = sent.metadata.unwrap_or_default();
        let labels = |prefix: &str| -> Map<String, Value> {
            metadata
                .iter()
                .filter_map(|(name, value)| {
                    let label = name.strip_prefix(prefix)?;
                    Some((label.to_owned(), Value::String(value.clone())))
                })
                .collect()
        };
        let population = |name: &str| -> Result<Option<Matchers>, ApiError> {
            let labels = labels(&format!("{name}."));
            if labels.is_empty() {
                return Ok(None);
            }
            let invalid = |detail: String| {
                ApiError::new(ProblemType::InvalidPopulation, format!("{name}: {detail}"))
            };
            let given: Population = serde_json::from_value(Value::Object(labels))
                .map_err(|error| invalid(error.to_string()))?;
            let matchers = given
                .to_matchers()
                .map_err(|error| invalid(error.to_string()))?;
            Ok(Some(matchers))
        };
        Ok(Self {
            key,
            given: Populations {
                control: population("control")?,
                canary: population("canary")?,
            },
            stage: metadata
                .get("stage")
                .filter(|stage| !stage.is_empty())
                .cloned(),
            phase: sent.phase,
        })
    }

    fn call<'a>(&'a self, pipeline: &'a str, stage: &'a str, caller: &'a str) -> Call<'a> {
        Call {
            pipeline,
            stage,
            key: &self.key,
            given: self.given.clone(),
            start_ms: None,
            dry_run: false,
            caller,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_names_populations_and_the_stage_and_the_rest_is_ignored() {
        let hook = Hook::read(
            r#"{"name": "checkout", "namespace": "shop", "phase": "Progressing", "checksum": "6d4f9",
                "metadata": {"control.track": "stable", "canary.a": "b", "canary.c": "d", "stage": "s2", "token": "x"}}"#,
        )
        .unwrap();
        assert_eq!(hook.key, "shop/checkout@6d4f9");
        assert_eq!(hook.stage.as_deref(), Some("s2"));
        assert!(hook.given.control.is_some());
        assert!(hook.given.canary.is_some());
        let bare = Hook::read(r#"{"name": "a", "namespace": "b", "checksum": "c"}"#).unwrap();
        assert!(bare.given.control.is_none() && bare.stage.is_none());
    }

    #[test]
    fn what_is_no_call_of_flagger_is_told() {
        for text in ["", "[]", "{}", r#"{"name": 1}"#, "<html>"] {
            assert!(Hook::read(text).is_err(), "{text}");
        }
        let label =
            r#"{"name": "a", "namespace": "b", "checksum": "c", "metadata": {"canary.": "x"}}"#;
        assert!(Hook::read(label).is_err());
    }
}
