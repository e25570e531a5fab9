//! Flagger's webhooks. To Flagger the status is the verdict: 200 goes on (or rolls back, on the
//! rollback path), everything else stays where it is.
//!
//! Its steps are counted, and an event tells the weight of each: see `rollouts/steps.rs`.
//!
//! No answer is ever 5xx by choice, and none carries `Retry-After`: Flagger sleeps for as long as
//! that says.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serinus_analysis::series::Populations;
use serinus_openapi::analysis::Verdict;
use serinus_openapi::flagger::FlaggerCall;
use serinus_openapi::population::LabelText;
use serinus_openapi::rollout::GateAnswer;
use serinus_openapi::{ProblemType, examples};

use crate::engine::Overlay;
use crate::http::body::{self, SentBody};
use crate::http::no_store::no_store;
use crate::http::path::PipelinePath;
use crate::http::routes::caller::{BaseUrl, Caller};
use crate::http::routes::gate::{self, About};
use crate::http::{ApiError, App, gate_query, problems, resolve};
use crate::rollouts::{Event, Family, StepCall, StepTold, Told};
use crate::store::RolloutKey;

/// Flagger asks whether the traffic may take a step
///
/// For the webhook `confirm-traffic-increase`. 200 goes on, 409 stays. The first call with a key
/// opens the rollout at the first stage and is 200: that stage judges the first step of the traffic.
/// The next stage begins when `event` tells its weight.
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
    let hook = Hook::read(&body.text)?;
    let call = StepCall {
        named: None,
        ..hook.call(&pipeline, &caller)
    };
    let wait = app.limits().gate_wait;
    let stepping = app.rollouts().step(&call, app.pipelines(), wait);
    let told = match stepping.await {
        Ok(told) => told,
        Err(error) => return Err(gate::refused(&app, &pipeline, error).await),
    };
    let goes_on = told.told.verdict == Verdict::Promote;
    Ok(answered(goes_on, &pipeline, &hook, told, &base))
}

/// Flagger asks whether all of the traffic may go to the canary
///
/// For the webhook `confirm-promotion`: 200 when the last stage has passed, or the one that `stage`
/// in the metadata names, as A/B tests and blue/green do. An unknown key is opened at that stage and
/// is 409: nothing was judged yet.
#[utoipa::path(
    post,
    path = "/adapters/flagger/{pipeline}/promotion",
    operation_id = "flagger_promotion",
    tag = "adapters",
    params(("pipeline" = String, Path, description = "The pipeline's name", example = "canary_pipeline")),
    request_body(content = FlaggerCall, example = json!(examples::flagger_call())),
    responses(
        (status = 200, description = "All of the traffic may go to the canary", body = GateAnswer),
        (status = 409, description = "It may not: the stage holds or was rolled back, or nothing can be recorded", body = GateAnswer),
        problems::FlaggerStep,
        problems::AnyBody,
    )
)]
pub(in crate::http) async fn promotion(
    State(app): State<Arc<App>>,
    PipelinePath { pipeline }: PipelinePath,
    base: BaseUrl,
    caller: Caller,
    body: SentBody,
) -> Result<Response, ApiError> {
    let hook = Hook::read(&body.text)?;
    let call = hook.call(&pipeline, &caller);
    let wait = app.limits().gate_wait;
    let asking = app.rollouts().asks_for_all(&call, app.pipelines(), wait);
    let told = match asking.await {
        Ok(told) => told,
        Err(error) => return Err(gate::refused(&app, &pipeline, error).await),
    };
    let goes_on = told.told.verdict == Verdict::Promote;
    Ok(answered(goes_on, &pipeline, &hook, told, &base))
}

/// Flagger tells an event
///
/// For the webhook `event`. The weight of the canary begins the stage of that share, and another
/// revision supersedes the rollout of the one before; everything else is ignored. Always 200.
#[utoipa::path(
    post,
    path = "/adapters/flagger/{pipeline}/event",
    operation_id = "flagger_event",
    tag = "adapters",
    params(("pipeline" = String, Path, description = "The pipeline's name", example = "canary_pipeline")),
    request_body(content = FlaggerCall, example = json!(examples::flagger_event())),
    responses((status = 200, description = "Heard", body = GateAnswer))
)]
pub(in crate::http) async fn event(
    State(app): State<Arc<App>>,
    PipelinePath { pipeline }: PipelinePath,
    base: BaseUrl,
    caller: Caller,
    body: Result<SentBody, ApiError>,
) -> Response {
    let hook = match body.and_then(|body| Hook::read(&body.text)) {
        Ok(hook) => hook,
        Err(error) => {
            let detail = &error.problem().detail;
            tracing::warn!("an event hook of {pipeline} is not understood: {detail}");
            let told = StepTold::unread(Told::not_heard(detail));
            return not_read(true, &pipeline, told, &base);
        }
    };
    let event = Event {
        pipeline: &pipeline,
        key: &hook.key,
        family: Family(&hook.family),
        weight_percent: hook.message.as_deref().and_then(weight_of),
        is_new_revision: hook.message.as_deref().is_some_and(is_new_revision),
        caller: caller.name(),
    };
    let told = app.rollouts().hears(&event).await;
    answered(true, &pipeline, &hook, told, &base)
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
    let hook = match body.and_then(|body| Hook::read(&body.text)) {
        Ok(hook) => hook,
        Err(error) => {
            let told = StepTold::unread(Told::not_rolled_back(&error.problem().detail));
            return not_read(false, &pipeline, told, &base);
        }
    };
    let wait = app.limits().gate_wait;
    let rollouts = app.rollouts();
    let told = rollouts.asks_to_roll_back(&pipeline, &hook.key, wait).await;
    let rolls_back = told.told.verdict == Verdict::Rollback;
    answered(rolls_back, &pipeline, &hook, told, &base)
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
    let hook = match body.and_then(|body| Hook::read(&body.text)) {
        Ok(hook) => hook,
        Err(error) => {
            let detail = &error.problem().detail;
            tracing::warn!("a post-rollout hook of {pipeline} closes nothing: {detail}");
            let told = StepTold::unread(Told::not_heard(detail));
            return not_read(true, &pipeline, told, &base);
        }
    };
    let reason = format!("Flagger says {:?}", hook.phase);
    let rollouts = app.rollouts();
    let told = rollouts
        .finished(&pipeline, &hook.key, &reason, caller.name())
        .await;
    answered(true, &pipeline, &hook, told, &base)
}

fn answered(is_yes: bool, pipeline: &str, hook: &Hook, told: StepTold, base: &BaseUrl) -> Response {
    answer(is_yes, (pipeline, hook.key.as_str()), told, base)
}

/// Of a call that cannot be read.
fn not_read(is_yes: bool, pipeline: &str, told: StepTold, base: &BaseUrl) -> Response {
    answer(is_yes, (pipeline, ""), told, base)
}

fn answer(is_yes: bool, (pipeline, key): (&str, &str), told: StepTold, base: &BaseUrl) -> Response {
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

/// The canary's share of the traffic that an event's message tells, in percent: `Advance
/// checkout.shop canary weight 25`.
fn weight_of(message: &str) -> Option<f64> {
    let (before, weight) = message.rsplit_once(" canary weight ")?;
    let weight: f64 = weight.trim().parse().ok()?;
    (before.starts_with("Advance ") && (0.0..=100.0).contains(&weight)).then_some(weight)
}

/// Whether an event's message says that another revision takes the place of what is rolled out. It
/// is told with the checksum of either.
fn is_new_revision(message: &str) -> bool {
    message.starts_with("New revision detected!")
}

/// A call, looked through.
#[derive(Debug)]
struct Hook {
    key: RolloutKey,
    /// What the keys of this canary's revisions begin with.
    family: String,
    phase: String,
    stage: Option<String>,
    message: Option<String>,
    given: Populations<Overlay>,
}

impl Hook {
    fn call<'a>(&'a self, pipeline: &'a str, caller: &'a Caller) -> StepCall<'a> {
        StepCall {
            pipeline,
            key: &self.key,
            family: Family(&self.family),
            named: self.stage.as_deref(),
            given: &self.given,
            caller: caller.name(),
        }
    }

    fn read(text: &str) -> Result<Self, ApiError> {
        if text.trim().is_empty() {
            return Err(ApiError::new(
                ProblemType::InvalidRequest,
                "the body is empty: send what a webhook of Flagger sends",
            ));
        }
        let sent: FlaggerCall = body::json(text)?;
        let key = RolloutKey::new(sent.key())?;
        let metadata = sent.metadata.clone().unwrap_or_default();
        let population = |name: &str| {
            let labels = metadata.iter().filter_map(|(key, value)| {
                let label = key.strip_prefix(name)?.strip_prefix('.')?;
                Some(LabelText::of_parts(label, value))
            });
            gate_query::population(name, labels)
        };
        let (control, canary) = (population("control")?, population("canary")?);
        Ok(Self {
            key,
            family: sent.family(),
            message: metadata.get("eventMessage").cloned(),
            given: resolve::given(control.as_ref(), canary.as_ref())?,
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
    use serde_json::json;
    use serinus_analysis::matchers::{Matcher, Matchers};
    use serinus_openapi::population::Population;

    use super::*;

    fn own() -> Matchers {
        [Matcher::equal("job", "checkout")].into()
    }

    #[test]
    fn metadata_names_populations_and_the_stage_and_the_rest_is_ignored() {
        let hook = Hook::read(
            r#"{"name": "checkout", "namespace": "shop", "phase": "Progressing", "checksum": "6d4f9",
                "metadata": {"control.track": "stable", "canary.a": "b",
                    "canary.c": "~d.*", "canary.e!": "f", "canary.job!": "", "stage": "s2", "token": "x"}}"#,
        )
        .unwrap();
        assert_eq!(hook.key.as_str(), "shop/checkout@6d4f9");
        assert_eq!(hook.stage.as_deref(), Some("s2"));
        let shown = |overlay: &Overlay| Population::from(&overlay.over(&own()));
        let json = |overlay| serde_json::to_value(shown(overlay)).unwrap();
        let control = json!({"job": "checkout", "track": "stable"});
        assert_eq!(json(&hook.given.control), control);
        let canary = json!({"a": "b", "c": {"=~": "d.*"}, "e": {"!=": "f"}});
        assert_eq!(json(&hook.given.canary), canary);
        let bare = Hook::read(r#"{"name": "a", "namespace": "b", "checksum": "c"}"#).unwrap();
        assert_eq!(bare.given.control, Overlay::default());
        assert_eq!(bare.stage, None);
    }

    #[test]
    fn metadata_takes_regular_expressions_and_no_operator_as_text() {
        let read = |label: &str, value: &str| {
            let sent = json!({"name": "a", "namespace": "b", "checksum": "c",
                "metadata": {label: value}});
            let given = Hook::read(&sent.to_string()).map(|hook| hook.given.canary);
            given.map(|canary| Population::from(&canary.over(&Matchers::new())))
        };
        let shown = |label, value| serde_json::to_value(read(label, value).unwrap()).unwrap();
        let regular = json!({"pod": {"=~": "checkout-.*"}});
        for (label, value) in [
            ("canary.pod", "=~checkout-.*"),
            ("canary.pod", "~checkout-.*"),
            ("canary.pod", "=~\"checkout-.*\""),
            ("canary.pod=~", "checkout-.*"),
        ] {
            assert_eq!(shown(label, value), regular, "{label} {value}");
        }
        let not = json!({"pod": {"!~": "checkout-.*"}});
        assert_eq!(shown("canary.pod", "!~checkout-.*"), not);
        assert_eq!(shown("canary.pod", "\"~a\""), json!({"pod": {"=": "~a"}}));
        let refused = read("canary.pod!", "~checkout-.*").unwrap_err();
        let detail = &refused.problem().detail;
        assert!(detail.contains("begins like an operator"), "{detail}");
        let broken = read("canary.pod", "=~checkout-(.*").unwrap_err();
        let detail = &broken.problem().detail;
        assert!(
            detail.contains("unclosed group, at character 10"),
            "{detail}"
        );
    }

    #[test]
    fn an_event_tells_the_weight_and_another_revision() {
        assert_eq!(
            weight_of("Advance checkout.shop canary weight 25"),
            Some(25.0)
        );
        for other in [
            "Advance checkout.shop canary iteration 1/10",
            "Halt checkout.shop advancement: canary weight 25",
            "Advance checkout.shop canary weight 250",
            "Routing all traffic to canary",
        ] {
            assert_eq!(weight_of(other), None, "{other}");
        }
        assert!(is_new_revision(
            "New revision detected! Restarting analysis for checkout.shop"
        ));
        assert!(!is_new_revision(
            "Starting canary analysis for checkout.shop"
        ));
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
