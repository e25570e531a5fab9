//! What a path names, as values with types: one extractor for each kind of path.

use std::sync::Arc;

use axum::extract::rejection::PathRejection;
use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;
use serde::Deserialize;
use serinus_openapi::ProblemType;
use utoipa::IntoParams;

use super::{ApiError, App};
use crate::rollouts::Live;
use crate::store::RolloutId;

/// A rollout: `/v1/rollouts/{id}`.
///
/// A path that names none is told when the rollout is looked for, after what is wrong with the
/// body.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(super) struct RolloutPath {
    /// The rollout's id
    #[param(example = "0198f0c2-7a54-7c3e-9d8a-0123456789ab")]
    id: String,
}

impl RolloutPath {
    /// The rollout.
    ///
    /// # Errors
    ///
    /// 404 when there is none, 503 when the store cannot be asked.
    pub(super) async fn find(&self, app: &App) -> Result<Arc<Live>, ApiError> {
        let unknown = || {
            let id = &self.id;
            ApiError::new(
                ProblemType::UnknownRollout,
                format!("no rollout has the id {id:?}: GET /v1/rollouts lists them"),
            )
        };
        let id: RolloutId = self.id.parse().map_err(|_error| unknown())?;
        let live = app.rollouts().by_id(id).await?;
        live.ok_or_else(unknown)
    }
}

/// A gate: `/v1/pipelines/{pipeline}/stages/{stage}/gate`. Whether it has the stage, the pipeline
/// says.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(super) struct GatePath {
    /// The pipeline's name
    #[param(example = "canary_pipeline")]
    pub(super) pipeline: String,
    /// The stage's id
    #[param(example = "stage_1")]
    pub(super) stage: String,
}

/// A pipeline: `/v1/pipelines/{pipeline}`, and the hooks of an adapter.
#[derive(Debug, Deserialize)]
pub(super) struct PipelinePath {
    /// The pipeline's name.
    pub(super) pipeline: String,
}

impl<S: Send + Sync> FromRequestParts<S> for RolloutPath {
    type Rejection = PathRejection;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, PathRejection> {
        Path::from_request_parts(parts, state)
            .await
            .map(|Path(path)| path)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for GatePath {
    type Rejection = PathRejection;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, PathRejection> {
        Path::from_request_parts(parts, state)
            .await
            .map(|Path(path)| path)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for PipelinePath {
    type Rejection = PathRejection;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, PathRejection> {
        Path::from_request_parts(parts, state)
            .await
            .map(|Path(path)| path)
    }
}
