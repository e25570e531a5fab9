//! Rollouts: start, look at, move, override, cancel.

#![expect(
    unused_qualifications,
    reason = "the macro that documents a query names it by its path"
)]

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use chrono::{DateTime, Utc};
use serde::Deserialize;
use serinus_openapi::rollout::{
    AdvanceRequest, CancelRequest, OverrideRequest, Rollout, RolloutList, RolloutState,
    StartRequest,
};
use serinus_openapi::{ProblemType, examples};
use utoipa::IntoParams;

use super::caller::{BaseUrl, Caller};
use crate::http::body::SentBody;
use crate::http::no_store::no_store;
use crate::http::path::RolloutPath;
use crate::http::resolve::{self, Asked};
use crate::http::{ApiError, App, problems, rollout_view};
use crate::rollouts::{End, Live, NewStart, Reason};
use crate::store::{Cursor, Filter, MOST_ON_A_PAGE, Page, RolloutId, RolloutKey};
use crate::time::UnixMillis;

/// Start a rollout
///
/// Idempotent by pipeline and key: 201 for a new one, 200 for one that is there, both with its
/// state, an absolute `Location` and `status_url`.
#[utoipa::path(
    post,
    path = "/v1/rollouts",
    operation_id = "start_rollout",
    tag = "rollouts",
    request_body(content = StartRequest, example = json!(examples::start_request())),
    responses(
        (status = 201, description = "Started", body = Rollout, headers(("Location" = String, description = "Its state"))),
        (status = 200, description = "It was started before", body = Rollout, headers(("Location" = String, description = "Its state"))),
        problems::Start,
        problems::JsonBody,
        problems::NotRecorded,
    )
)]
pub(super) async fn start(
    State(app): State<Arc<App>>,
    base: BaseUrl,
    caller: Caller,
    body: SentBody,
) -> Result<Response, ApiError> {
    let request: StartRequest = body.json()?;
    let key = RolloutKey::new(request.key)?;
    let given = resolve::given(request.control.as_ref(), request.canary.as_ref())?;
    let asked = Asked {
        pipeline: request.pipeline.as_ref(),
        pipeline_yaml: request.pipeline_yaml.as_deref(),
        body: &body.text,
    };
    let (pipeline, text) = resolve::pipeline_with_text(&app, asked).await?;
    let stage = match (&request.stage, pipeline.stages.first()) {
        (None, Some(first)) => first,
        (named, _) => resolve::stage(&pipeline, named.as_deref())?,
    };
    let start = NewStart {
        pipeline: &pipeline,
        pipeline_yaml: &text,
        stage,
        key: &key,
        given: &given,
        start: request.start.map(UnixMillis::from),
        source: request.source.as_deref(),
        dry_run: request.dry_run,
        advance: request.advance,
        caused_by: caller.name(),
    };
    let rollouts = app.rollouts();
    let (live, is_new) = rollouts.start(&start).await?;
    rollouts.judge_within(&live, app.limits().gate_wait).await;
    let status = if is_new {
        StatusCode::CREATED
    } else {
        StatusCode::OK
    };
    let url = base.status_url(live.id);
    let mut response = no_store((
        status,
        Json(rollout_view::rollout(rollouts, &live, url.clone())),
    ));
    if let Ok(location) = HeaderValue::from_str(&url) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    Ok(response)
}

/// Which rollouts a list holds.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields, default)]
pub(super) struct ListQuery {
    /// Only those of this pipeline.
    #[param(nullable = false)]
    pipeline: Option<String>,
    /// Only those with this key.
    #[param(nullable = false)]
    key: Option<String>,
    /// Only those in this state.
    #[param(nullable = false)]
    state: Option<RolloutState>,
    /// Only those started since then (RFC 3339).
    #[param(nullable = false)]
    since: Option<DateTime<Utc>>,
    /// Most rollouts on the page, from 1 to 200; 50 when left out.
    #[param(nullable = false, minimum = 1, maximum = 200)]
    limit: Option<usize>,
    /// What the page before gave as `next`.
    #[param(nullable = false, pattern = r"^[A-Za-z0-9_-]{32}$")]
    after: Option<String>,
}

/// List rollouts
///
/// Newest first, in pages, each with its verdict and why.
#[utoipa::path(
    get,
    path = "/v1/rollouts",
    operation_id = "list_rollouts",
    tag = "rollouts",
    params(ListQuery),
    responses(
        (status = 200, description = "A page of rollouts", body = RolloutList),
        problems::Parameters,
        problems::NotRead,
    )
)]
pub(super) async fn list(
    State(app): State<Arc<App>>,
    base: BaseUrl,
    query: Result<Query<ListQuery>, QueryRejection>,
) -> Result<Response, ApiError> {
    const USUAL: usize = 50;
    let invalid = |detail: String| ApiError::new(ProblemType::InvalidRequest, detail);
    let Query(query) = query.map_err(|error| invalid(error.body_text()))?;
    let limit = query.limit.unwrap_or(USUAL);
    if !(1..=MOST_ON_A_PAGE).contains(&limit) {
        return Err(invalid(format!(
            "limit is {limit}: give a number from 1 to {MOST_ON_A_PAGE}"
        )));
    }
    let after = query
        .after
        .map(|text| {
            text.parse::<Cursor>().map_err(|_error| {
                invalid(format!(
                    "after is {text:?}: give what the page before gave as `next`, unchanged"
                ))
            })
        })
        .transpose()?;
    let filter = Filter {
        pipeline: query.pipeline,
        key: query.key,
        state: query.state.map(Into::into),
        since_ms: query.since.map(UnixMillis::from),
    };
    let known = app.rollouts();
    let page = known
        .store()
        .list(&filter, Page { limit, after })
        .await
        .map_err(crate::rollouts::RolloutError::from)?;
    let url = |id: RolloutId| base.status_url(id);
    let rollouts = page.rollouts.iter();
    Ok(no_store(Json(RolloutList {
        rollouts: rollouts
            .map(|stored| rollout_view::summary(known, stored, url(stored.id)))
            .collect(),
        next: page.next.map(|cursor| cursor.to_string()),
    })))
}

/// Show a rollout
///
/// Its verdict, its stages and the newest judgement with the evidence.
#[utoipa::path(
    get,
    path = "/v1/rollouts/{id}",
    operation_id = "show_rollout",
    tag = "rollouts",
    params(RolloutPath),
    responses(
        (status = 200, description = "The rollout", body = Rollout),
        problems::NoSuchRollout,
        problems::NotRead,
    )
)]
pub(super) async fn show(
    State(app): State<Arc<App>>,
    path: RolloutPath,
    base: BaseUrl,
) -> Result<Response, ApiError> {
    let live = path.find(&app).await?;
    app.rollouts()
        .judge_within(&live, app.limits().gate_wait)
        .await;
    Ok(shown(&app, &base, &live))
}

/// Move a rollout to another stage
///
/// The caller has moved the traffic there. Without a stage, to the next one. Stages between that
/// have not passed are `left`; the stage that it is at, and those before, are refused.
#[utoipa::path(
    post,
    path = "/v1/rollouts/{id}/advance",
    operation_id = "advance_rollout",
    tag = "rollouts",
    params(("id" = String, Path, description = "The rollout's id", example = json!(examples::OPEN_ROLLOUT_ID))),
    request_body(content = Option<AdvanceRequest>, example = json!({"stage": examples::NEXT_STAGE})),
    responses(
        (status = 200, description = "The rollout", body = Rollout),
        problems::NoRequest,
        problems::NoSuchRollout,
        problems::Advance,
        problems::JsonBody,
        problems::NotRecorded,
    )
)]
pub(super) async fn advance(
    State(app): State<Arc<App>>,
    path: RolloutPath,
    base: BaseUrl,
    caller: Caller,
    body: SentBody,
) -> Result<Response, ApiError> {
    let request: AdvanceRequest = body.json_or_default()?;
    let live = path.find(&app).await?;
    let start = request.start.map(UnixMillis::from);
    let stage = request.stage.as_deref();
    app.rollouts()
        .advance(&live, stage, start, caller.name())
        .await?;
    Ok(shown(&app, &base, &live))
}

/// Decide as a human
///
/// With a reason, which the trail keeps. `promote` lets the stage pass and reopens a rollout that
/// was rolled back; `rollback` rolls it back, but for a dry run, which is cancelled.
#[utoipa::path(
    post,
    path = "/v1/rollouts/{id}/override",
    operation_id = "override_rollout",
    tag = "rollouts",
    params(("id" = String, Path, description = "The rollout's id", example = json!(examples::OPEN_ROLLOUT_ID))),
    request_body(content = OverrideRequest, example = json!({"verdict": "promote", "reason": "a known outage of the payment provider"})),
    responses(
        (status = 200, description = "The rollout", body = Rollout),
        problems::NoSuchRollout,
        problems::Override,
        problems::JsonBody,
        problems::NotRecorded,
    )
)]
pub(super) async fn decide(
    State(app): State<Arc<App>>,
    path: RolloutPath,
    base: BaseUrl,
    caller: Caller,
    body: SentBody,
) -> Result<Response, ApiError> {
    let request: OverrideRequest = body.json()?;
    let reason = Reason::of_decision(&request.reason)?;
    let live = path.find(&app).await?;
    app.rollouts()
        .decide(&live, request.verdict, &reason, caller.name())
        .await?;
    Ok(shown(&app, &base, &live))
}

/// Cancel a rollout
///
/// It is over, whatever was measured, and its key is free, also of one that was rolled back. **The next
/// call with its key begins another attempt** if it may start one: `POST` to the gate of any stage or to
/// `/v1/rollouts`, and `GET` of the first stage's gate. So a caller that goes on polling the first stage
/// begins anew with its next poll: stop it first. `GET` of a later stage's gate is a 404 then.
/// Cancelling it again changes nothing.
#[utoipa::path(
    post,
    path = "/v1/rollouts/{id}/cancel",
    operation_id = "cancel_rollout",
    tag = "rollouts",
    params(RolloutPath),
    request_body(content = Option<CancelRequest>, example = json!({"reason": "replaced by 84cd6.5"})),
    responses(
        (status = 200, description = "The rollout", body = Rollout),
        problems::NoRequest,
        problems::NoSuchRollout,
        problems::JsonBody,
        problems::NotRecorded,
    )
)]
pub(super) async fn cancel(
    State(app): State<Arc<App>>,
    path: RolloutPath,
    base: BaseUrl,
    caller: Caller,
    body: SentBody,
) -> Result<Response, ApiError> {
    let request: CancelRequest = body.json_or_default()?;
    let reason = request.reason.as_deref().map(Reason::line).transpose()?;
    let live = path.find(&app).await?;
    app.rollouts()
        .end(
            &live,
            End::Cancelled,
            reason.as_ref().map(Reason::as_str),
            caller.name(),
        )
        .await?;
    Ok(shown(&app, &base, &live))
}

fn shown(app: &App, base: &BaseUrl, live: &Live) -> Response {
    let url = base.status_url(live.id);
    no_store(Json(rollout_view::rollout(app.rollouts(), live, url)))
}
