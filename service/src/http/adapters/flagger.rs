//! Flagger's webhooks. To Flagger the status is the verdict: 200 goes on (or rolls back, on the
//! rollback path), everything else stays where it is.
//!
//! Flagger sends no weight, so its steps are counted: see `rollouts/steps.rs`.
//!
//! No answer is ever 5xx by choice, and none carries `Retry-After`: Flagger sleeps for as long as
//! that says.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value};
use serinus_analysis::matchers::Matchers;
use serinus_analysis::series::Populations;
use serinus_openapi::analysis::Verdict;
use serinus_openapi::flagger::FlaggerCall;
use serinus_openapi::rollout::GateAnswer;
use serinus_openapi::{ProblemType, examples};

use crate::http::body::{self, SentBody};
use crate::http::no_store::no_store;
use crate::http::path::PipelinePath;
use crate::http::routes::caller::{BaseUrl, Caller};
use crate::http::routes::gate::{self, About};
use crate::http::{ApiError, App, gate_query, problems, resolve};
use crate::rollouts::{StepCall, StepTold, Told};
use crate::store::RolloutKey;

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
        (status = 409, description = "The traffic stays: the stage holds or was rolled back, or nothing can be recorded", body = GateAnswer),
        problems::FlaggerStep,
        problems::AnyBody,
    )
)]
pub(in crate::http) async fn advance(
    State(app): State<Arc<App>>,
    PipelinePath { pipeline }: PipelinePath,
    base: BaseUrl,
    caller: Caller,
    body: SentBody,
) -> Result<Response, ApiError> {
    let Hook {
        key, stage, given, ..
    } = Hook::read(&body.text)?;
    let call = StepCall {
        pipeline: &pipeline,
        key: &key,
        named: stage.as_deref(),
        given: &given,
        caller: caller.name(),
    };
    let wait = app.limits().gate_wait;
    let stepping = app.rollouts().step(&call, app.pipelines(), wait);
    let told = match stepping.await {
        Ok(told) => told,
        Err(error) => return Err(gate::refused(&app, &pipeline, error).await),
    };
    let goes_on = told.told.acted_on().0 == Verdict::Promote;
    Ok(answered(goes_on, &pipeline, key.as_str(), told, &base))
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
    PipelinePath { pipeline }: PipelinePath,
    base: BaseUrl,
    body: Result<SentBody, ApiError>,
) -> Response {
    let key = match body.and_then(|body| Hook::read(&body.text)) {
        Ok(hook) => hook.key,
        Err(error) => {
            let told = StepTold::unread(Told::not_rolled_back(&error.problem().detail));
            return answered(false, &pipeline, "", told, &base);
        }
    };
    let wait = app.limits().gate_wait;
    let rollouts = app.rollouts();
    let told = rollouts.asks_to_roll_back(&pipeline, &key, wait).await;
    let rolls_back = told.told.acted_on().0 == Verdict::Rollback;
    answered(rolls_back, &pipeline, key.as_str(), told, &base)
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
    PipelinePath { pipeline }: PipelinePath,
    base: BaseUrl,
    caller: Caller,
    body: Result<SentBody, ApiError>,
) -> Response {
    let Hook { key, phase, .. } = match body.and_then(|body| Hook::read(&body.text)) {
        Ok(hook) => hook,
        Err(error) => {
            let detail = &error.problem().detail;
            tracing::warn!("a post-rollout hook of {pipeline} closes nothing: {detail}");
            let told = StepTold::unread(Told::not_closed(detail));
            return answered(true, &pipeline, "", told, &base);
        }
    };
    let reason = format!("Flagger says {phase:?}");
    let rollouts = app.rollouts();
    let told = rollouts
        .finished(&pipeline, &key, &reason, caller.name())
        .await;
    answered(true, &pipeline, key.as_str(), told, &base)
}

fn answered(is_yes: bool, pipeline: &str, key: &str, told: StepTold, base: &BaseUrl) -> Response {
    let status = if is_yes {
        StatusCode::OK
    } else {
        StatusCode::CONFLICT
    };
    let about = About {
        pipeline,
        stage: &told.stage,
        key,
    };
    let answer = gate::gate_answer(about, told.live.as_deref(), told.told, base);
    no_store((status, Json(answer)).into_response())
}

/// A call, looked through.
#[derive(Debug)]
struct Hook {
    key: RolloutKey,
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
        let key = RolloutKey::new(sent.key())?;
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
            let sent = gate_query::population(name, labels(&format!("{name}.")))?;
            resolve::matchers(name, sent.as_ref())
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
        assert_eq!(hook.key.as_str(), "shop/checkout@6d4f9");
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
