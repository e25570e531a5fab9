//! Cancelling by key: for a caller that knows no id when its pipeline is written.

use std::sync::Arc;

use axum::Json;
use axum::extract::{RawQuery, State};
use axum::response::Response;
use serinus_openapi::rollout::Rollout;
use serinus_openapi::{ProblemType, examples};

use super::caller::{BaseUrl, Caller};
use crate::http::body::SentBody;
use crate::http::gate_query::key_of;
use crate::http::no_store::no_store;
use crate::http::path::PipelinePath;
use crate::http::{ApiError, App, problems, rollout_view};

/// Cancel the rollout of a key
///
/// An open rollout is cancelled, and its key is free. **The next call with the key begins another
/// attempt** if it may start one: `POST` to the gate of any stage or to `/v1/rollouts`, and `GET` of the
/// first stage's gate. So a caller that goes on polling the first stage begins anew with its next poll.
///
/// One that is over, rolled back ones included, is answered as it is and **nothing changes**: a caller
/// says this after a rollback too, and must not free the key by it. Its next poll is told the same again.
/// The key stands in the query or in the body; any other body is ignored.
#[utoipa::path(
    post,
    path = "/v1/pipelines/{pipeline}/cancel",
    operation_id = "cancel_by_key",
    tag = "rollouts",
    params(
        ("pipeline" = String, Path, description = "The pipeline's name", example = "canary_pipeline"),
        ("key" = Option<String>, Query, min_length = 1, max_length = 256, pattern = r"^[^\x00-\x1f\x7f-\x9f]+$", description = "Names the rollout within its pipeline", example = "6d4f9.7"),
    ),
    request_body(content = Option<Object>, example = json!(examples::cancel_by_key())),
    responses(
        (status = 200, description = "The rollout", body = Rollout),
        problems::CancelByKey,
        problems::AnyBody,
        problems::NotRecorded,
    )
)]
pub(super) async fn by_key(
    State(app): State<Arc<App>>,
    PipelinePath { pipeline }: PipelinePath,
    query: RawQuery,
    base: BaseUrl,
    caller: Caller,
    body: SentBody,
) -> Result<Response, ApiError> {
    let key = key_of(query.0.as_deref().unwrap_or_default(), &body.text)?;
    let cancelling = app
        .rollouts()
        .cancel(&pipeline, &key, None, caller.name())
        .await?;
    let Some(live) = cancelling else {
        return Err(ApiError::new(
            ProblemType::NoSuchRollout,
            format!(
                "no rollout of {pipeline} has the key {:?}: nothing to cancel",
                key.as_str()
            ),
        ));
    };
    let url = base.status_url(live.id);
    Ok(no_store(Json(rollout_view::rollout(
        app.rollouts(),
        &live,
        url,
    ))))
}
