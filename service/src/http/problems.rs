//! The problems that operations answer with, as sets that the document is made of: an operation
//! names those that it can end in, and each stands once, by the type that an answer has.
//!
//! The text is the operation's own view of the problem; the detail of an answer says what to
//! change.

use std::collections::BTreeMap;

use serinus_openapi::ProblemType;
use serinus_openapi::problem::MEDIA_TYPE;
use utoipa::IntoResponses;
use utoipa::openapi::{ContentBuilder, Ref, RefOr, Response, ResponseBuilder};

/// Responses by their status, as utoipa takes them.
type Documented = BTreeMap<String, RefOr<Response>>;

/// One problem, as the document says it.
pub(super) fn problem(kind: ProblemType, description: &str) -> (String, RefOr<Response>) {
    let content = ContentBuilder::new()
        .schema(Some(Ref::from_schema_name("Problem")))
        .build();
    let response = ResponseBuilder::new()
        .description(description)
        .content(MEDIA_TYPE, content)
        .build();
    (kind.status().to_string(), RefOr::T(response))
}

fn problems<const N: usize>(set: [(ProblemType, &str); N]) -> Documented {
    set.map(|(kind, description)| problem(kind, description))
        .into()
}

/// A body that has to be JSON.
pub(super) struct JsonBody;

impl IntoResponses for JsonBody {
    fn responses() -> Documented {
        problems([
            (ProblemType::BodyTooLarge, "The body is over the limit"),
            (
                ProblemType::UnsupportedMediaType,
                "The body is said not to be JSON",
            ),
        ])
    }
}

/// A body that may be JSON or YAML.
pub(super) struct JsonOrYamlBody;

impl IntoResponses for JsonOrYamlBody {
    fn responses() -> Documented {
        problems([
            (ProblemType::BodyTooLarge, "The body is over the limit"),
            (
                ProblemType::UnsupportedMediaType,
                "The body is neither JSON nor YAML",
            ),
        ])
    }
}

/// A body that is read as JSON whatever it says it is.
pub(super) struct AnyBody;

impl IntoResponses for AnyBody {
    fn responses() -> Documented {
        problems([(ProblemType::BodyTooLarge, "The body is over the limit")])
    }
}

/// A body that may be left out.
pub(super) struct NoRequest;

impl IntoResponses for NoRequest {
    fn responses() -> Documented {
        problems([(ProblemType::InvalidRequest, "No request")])
    }
}

/// A query.
pub(super) struct Parameters;

impl IntoResponses for Parameters {
    fn responses() -> Documented {
        problems([(
            ProblemType::InvalidRequest,
            "A parameter that cannot be used",
        )])
    }
}

/// A rollout in the path.
pub(super) struct NoSuchRollout;

impl IntoResponses for NoSuchRollout {
    fn responses() -> Documented {
        problems([(ProblemType::UnknownRollout, "No such rollout")])
    }
}

/// What the store is asked for.
pub(super) struct NotRead;

impl IntoResponses for NotRead {
    fn responses() -> Documented {
        problems([(
            ProblemType::StoreUnavailable,
            "The store cannot be read now",
        )])
    }
}

/// What has to be recorded.
pub(super) struct NotRecorded;

impl IntoResponses for NotRecorded {
    fn responses() -> Documented {
        problems([(ProblemType::StoreUnavailable, "Nothing can be recorded now")])
    }
}

/// `POST /v1/analyses`.
pub(super) struct Analysis;

impl IntoResponses for Analysis {
    fn responses() -> Documented {
        problems([
            (
                ProblemType::InvalidRequest,
                "The body is not JSON or not a request, a window or a population cannot be used",
            ),
            (
                ProblemType::UnknownPipeline,
                "The server knows no pipeline of the name",
            ),
            (
                ProblemType::InvalidPipeline,
                "The pipeline has mistakes, or no such stage or source is known",
            ),
        ])
    }
}

/// `POST /v1/pipelines/validate`.
pub(super) struct Validation;

impl IntoResponses for Validation {
    fn responses() -> Documented {
        problems([
            (ProblemType::InvalidRequest, "The body cannot be read"),
            (
                ProblemType::UnknownPipeline,
                "The server knows no pipeline of the name",
            ),
        ])
    }
}

/// `GET /v1/pipelines/{pipeline}`.
pub(super) struct ShownPipeline;

impl IntoResponses for ShownPipeline {
    fn responses() -> Documented {
        problems([
            (
                ProblemType::UnknownPipeline,
                "The server knows no pipeline of this name",
            ),
            (
                ProblemType::StoreUnavailable,
                "It is not known here, and the store cannot be asked",
            ),
        ])
    }
}

/// `PUT /v1/pipelines/{pipeline}`.
pub(super) struct PutPipeline;

impl IntoResponses for PutPipeline {
    fn responses() -> Documented {
        problems([
            (
                ProblemType::InvalidRequest,
                "The body cannot be read, or the name cannot be used",
            ),
            (
                ProblemType::PipelineConflict,
                "A file of the server's folder defines it, or too many were put",
            ),
            (
                ProblemType::InvalidPipeline,
                "The pipeline has mistakes; `diagnostics` tells them all",
            ),
            (ProblemType::StoreUnavailable, "It cannot be kept now"),
        ])
    }
}

/// `DELETE /v1/pipelines/{pipeline}`.
pub(super) struct DeletedPipeline;

impl IntoResponses for DeletedPipeline {
    fn responses() -> Documented {
        problems([
            (
                ProblemType::UnknownPipeline,
                "No pipeline of this name was put",
            ),
            (
                ProblemType::PipelineConflict,
                "A file of the server's folder defines it",
            ),
            (ProblemType::StoreUnavailable, "It cannot be deleted now"),
        ])
    }
}

/// `POST /v1/rollouts`.
pub(super) struct Start;

impl IntoResponses for Start {
    fn responses() -> Documented {
        problems([
            (
                ProblemType::InvalidRequest,
                "No request, or a field that cannot be used",
            ),
            (ProblemType::UnknownPipeline, "No such pipeline"),
            (
                ProblemType::PopulationsDiffer,
                "The key has other populations",
            ),
            (
                ProblemType::InvalidPipeline,
                "The pipeline has mistakes, or no such stage or source is known",
            ),
        ])
    }
}

/// `POST /v1/rollouts/{id}/advance`.
pub(super) struct Advance;

impl IntoResponses for Advance {
    fn responses() -> Documented {
        problems([(ProblemType::RolloutConflict, "It cannot go there")])
    }
}

/// `POST /v1/pipelines/{pipeline}/cancel`.
pub(super) struct CancelByKey;

impl IntoResponses for CancelByKey {
    fn responses() -> Documented {
        problems([
            (
                ProblemType::InvalidRequest,
                "No key, or one that cannot be used",
            ),
            (ProblemType::NoSuchRollout, "No rollout has this key"),
        ])
    }
}

/// `POST /v1/rollouts/{id}/override`.
pub(super) struct Override;

impl IntoResponses for Override {
    fn responses() -> Documented {
        problems([
            (ProblemType::InvalidRequest, "No verdict or no reason"),
            (ProblemType::RolloutConflict, "It is over"),
        ])
    }
}

/// A gate, however it is asked.
pub(super) struct Gate;

impl IntoResponses for Gate {
    fn responses() -> Documented {
        problems([
            (ProblemType::NoSuchStage, "No such pipeline or stage"),
            (
                ProblemType::PopulationsDiffer,
                "The key has other populations",
            ),
        ])
    }
}

/// A gate that is asked with a query.
pub(super) struct GateQuery;

impl IntoResponses for GateQuery {
    fn responses() -> Documented {
        problems([
            (
                ProblemType::InvalidRequest,
                "No key, a parameter that cannot be used, or a start at which no stage can begin",
            ),
            (
                ProblemType::NoSuchRollout,
                "No such pipeline or stage, or no rollout with this key at a later stage",
            ),
        ])
    }
}

/// A gate that is asked with a body.
pub(super) struct GateBody;

impl IntoResponses for GateBody {
    fn responses() -> Documented {
        problems([(
            ProblemType::InvalidRequest,
            "No key, a field that cannot be used, or a start at which no stage can begin",
        )])
    }
}

/// `POST /adapters/flagger/{pipeline}/advance`.
pub(super) struct FlaggerStep;

impl IntoResponses for FlaggerStep {
    fn responses() -> Documented {
        problems([
            (
                ProblemType::InvalidRequest,
                "No call of Flagger, or metadata that cannot be used",
            ),
            (ProblemType::NoSuchStage, "No such pipeline or stage"),
        ])
    }
}
