//! Errors of callers become problem documents.

use std::any::Any;
use std::time::Duration;

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serinus_analysis::pipeline::Diagnostic;
use serinus_openapi::problem::MEDIA_TYPE;
use serinus_openapi::{Problem, ProblemType};

use crate::engine::AnalysisError;
use crate::pipelines::CatalogueError;
use crate::rollouts::{InvalidReason, Refused, RolloutError};
use crate::store::InvalidKey;

/// An error as it is told to the caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ApiError(Box<Problem>);

impl ApiError {
    /// Returns the error of the type with its detail.
    pub(crate) fn new(problem_type: ProblemType, detail: impl Into<String>) -> Self {
        Self(Box::new(Problem::new(problem_type, detail)))
    }

    /// The pipeline has these mistakes.
    pub(crate) fn invalid_pipeline(diagnostics: &[Diagnostic]) -> Self {
        let first = diagnostics
            .iter()
            .map(|first| {
                format!(
                    "line {}, column {}: {}: {}",
                    first.line, first.column, first.path, first.message
                )
            })
            .next()
            .unwrap_or_default();
        let detail = match diagnostics.len() {
            1 => format!("cannot read the pipeline: {first}"),
            count => {
                format!("cannot read the pipeline: {count} mistakes, the first at {first}")
            }
        };
        let problem = Problem::new(ProblemType::InvalidPipeline, detail)
            .with_diagnostics(diagnostics.iter().map(Into::into).collect());
        Self(Box::new(problem))
    }

    /// The document.
    pub(crate) fn problem(&self) -> &Problem {
        &self.0
    }
}

/// Says when to ask again.
pub(super) fn with_retry_after(mut response: Response, wait: Duration) -> Response {
    debug_assert_ne!(response.status(), StatusCode::OK);
    let seconds = wait.as_secs_f64().ceil().max(1.0);
    if let Ok(seconds) = HeaderValue::from_str(&format!("{seconds:.0}")) {
        response.headers_mut().insert(header::RETRY_AFTER, seconds);
    }
    response
}

impl From<AnalysisError> for ApiError {
    fn from(error: AnalysisError) -> Self {
        let problem_type = match error {
            AnalysisError::UnknownSource { .. } => ProblemType::UnknownSource,
            AnalysisError::Window(_) => ProblemType::InvalidWindow,
            AnalysisError::Populations(_) => ProblemType::InvalidPopulation,
        };
        Self::new(problem_type, error.to_string())
    }
}

impl From<InvalidKey> for ApiError {
    fn from(error: InvalidKey) -> Self {
        Self::new(ProblemType::InvalidRequest, error.to_string())
    }
}

impl From<InvalidReason> for ApiError {
    fn from(error: InvalidReason) -> Self {
        Self::new(ProblemType::InvalidRequest, error.to_string())
    }
}

impl From<RolloutError> for ApiError {
    fn from(error: RolloutError) -> Self {
        let problem_type = match error {
            RolloutError::Impossible(error) => return error.into(),
            RolloutError::Store(_) | RolloutError::Unreadable(_) => ProblemType::StoreUnavailable,
            RolloutError::Refused(Refused::Start(_)) => ProblemType::InvalidWindow,
            RolloutError::Refused(_) | RolloutError::Busy => ProblemType::RolloutConflict,
            RolloutError::PopulationsDiffer(_) => ProblemType::PopulationsDiffer,
        };
        Self::new(problem_type, error.to_string())
    }
}

impl From<CatalogueError> for ApiError {
    fn from(error: CatalogueError) -> Self {
        let problem_type = match error {
            CatalogueError::DefinedByFile { .. } | CatalogueError::TooMany => {
                ProblemType::PipelineConflict
            }
            CatalogueError::Store(_) => ProblemType::StoreUnavailable,
        };
        Self::new(problem_type, error.to_string())
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let status =
            StatusCode::from_u16(self.0.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, Json(&*self.0)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        response
    }
}

/// Answers for a handler that panicked: a problem, never an empty or cut 200.
#[expect(
    clippy::needless_pass_by_value,
    reason = "the signature is that of what is done with a panic that was caught"
)]
pub(super) fn of_panic(panic: Box<dyn Any + Send + 'static>) -> Response {
    let message = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("no message");
    tracing::error!(
        panic.message = message,
        "a request handler panicked: {message}"
    );
    ApiError::new(
        ProblemType::InternalError,
        "this is a fault of Serinus, not of the request: see its log under the x-request-id of \
         this answer",
    )
    .into_response()
}

/// Turns an error answer that was not written by a handler (wrong method, unreadable path) into
/// a problem. The status and the headers that belong to it stay.
pub(super) fn as_problem(response: Response) -> Response {
    let status = response.status();
    let is_error = status.is_client_error() || status.is_server_error();
    let content_type = response.headers().get(header::CONTENT_TYPE);
    // The 503 of `/readyz` and every problem are written by a handler.
    let is_json = content_type.is_some_and(|value| value.as_bytes().ends_with(b"json"));
    if !is_error || is_json {
        return response;
    }
    let allow = response.headers().get(header::ALLOW).cloned();
    let error = match status {
        StatusCode::METHOD_NOT_ALLOWED => {
            let methods = allow.as_ref().and_then(|value| value.to_str().ok());
            let detail = methods.map_or("see /docs for the right one".to_owned(), |methods| {
                format!("use one of: {}", methods.replace(',', ", "))
            });
            ApiError::new(ProblemType::MethodNotAllowed, detail)
        }
        StatusCode::NOT_FOUND => not_found(),
        _ if status.is_client_error() => ApiError::new(
            ProblemType::InvalidRequest,
            "the path or the query cannot be read: write it as UTF-8, percent-encoded",
        ),
        _ => ApiError::new(
            ProblemType::InternalError,
            "this is a fault of Serinus, not of the request: see its log under the x-request-id \
             of this answer",
        ),
    };
    let mut problem = error.into_response();
    if let Some(allow) = allow {
        problem.headers_mut().insert(header::ALLOW, allow);
    }
    problem
}

/// Nothing is at this path.
pub(super) fn not_found() -> ApiError {
    ApiError::new(
        ProblemType::NotFound,
        "no operation has this path: /docs shows all that there are",
    )
}
