//! Problem documents (RFC 9457): what is wrong with a request, and what to change.

use serde::{Serialize, Serializer};
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

use crate::pipeline::Diagnostic;

/// The media type of a problem document.
pub const MEDIA_TYPE: &str = "application/problem+json";

macro_rules! problem_types {
    ($($(#[$doc:meta])* $variant:ident = ($token:literal, $status:literal, $title:literal),)*) => {
        /// The kinds of problem. Tokens are stable: callers may compare them.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum ProblemType { $($(#[$doc])* $variant,)* }

        impl ProblemType {
            /// Every type, in the order of declaration.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// The URI that names the type.
            pub fn uri(self) -> &'static str {
                match self { $(Self::$variant => concat!("urn:serinus:problem:", $token),)* }
            }

            /// The HTTP status.
            pub fn status(self) -> u16 {
                match self { $(Self::$variant => $status,)* }
            }

            /// The title: the same for every occurrence.
            pub fn title(self) -> &'static str {
                match self { $(Self::$variant => $title,)* }
            }
        }
    };
}

problem_types! {
    /// The body is not JSON.
    MalformedJson = ("malformed-json", 400, "The body is not valid JSON"),
    /// The body is JSON, but not what the operation takes.
    InvalidRequest = ("invalid-request", 400, "The request is not what the operation takes"),
    /// Control or canary cannot be used.
    InvalidPopulation = ("invalid-population", 400, "A population cannot be used"),
    /// The window cannot be judged.
    InvalidWindow = ("invalid-window", 400, "The window cannot be judged"),
    /// No token was shown, or none that is known.
    Unauthorized = ("unauthorized", 401, "A token is needed"),
    /// The token is not good for this.
    Forbidden = ("forbidden", 403, "This is not allowed"),
    /// No resource at this path.
    NotFound = ("not-found", 404, "Nothing is here"),
    /// No pipeline of this name.
    UnknownPipeline = ("unknown-pipeline", 404, "No pipeline has this name"),
    /// The pipeline of the path has no stage of this name.
    NoSuchStage = ("no-such-stage", 404, "The pipeline has no such stage"),
    /// No rollout has this key, and this call starts none.
    NoSuchRollout = ("no-such-rollout", 404, "No rollout has this key"),
    /// No rollout of this id.
    UnknownRollout = ("unknown-rollout", 404, "No rollout has this id"),
    /// The resource does not answer to this method.
    MethodNotAllowed = ("method-not-allowed", 405, "The method is not allowed here"),
    /// The client took too long to send its request.
    RequestTimeout = ("request-timeout", 408, "The request took too long to arrive"),
    /// A rollout with this key has other populations.
    PopulationsDiffer = ("populations-differ", 409, "The key has other populations"),
    /// The rollout cannot be changed as it was asked for.
    RolloutConflict = ("rollout-conflict", 409, "The rollout cannot be changed like that"),
    /// The pipeline is not for this operation to change.
    PipelineConflict = ("pipeline-conflict", 409, "The pipeline cannot be changed like that"),
    /// The body is larger than the limit.
    BodyTooLarge = ("body-too-large", 413, "The body is too large"),
    /// The body's media type is not read here.
    UnsupportedMediaType = ("unsupported-media-type", 415, "The media type is not supported"),
    /// The pipeline has mistakes; `diagnostics` tells them all.
    InvalidPipeline = ("invalid-pipeline", 422, "The pipeline has mistakes"),
    /// The pipeline has no stage of this name.
    UnknownStage = ("unknown-stage", 422, "The pipeline has no such stage"),
    /// No source of this name is configured.
    UnknownSource = ("unknown-source", 422, "No source has this name"),
    /// The limits allow no more requests for now.
    TooManyRequests = ("too-many-requests", 429, "Too many requests"),
    /// Serinus failed. Never used for what a Prometheus does: that is a `hold`.
    InternalError = ("internal-error", 500, "Serinus failed"),
    /// What happens cannot be recorded now. Never answered by a gate: it holds.
    StoreUnavailable = ("store-unavailable", 503, "Nothing can be recorded now"),
    /// Too many other requests are being answered.
    Overloaded = ("overloaded", 503, "Too many requests at the same time"),
}

impl Serialize for ProblemType {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.uri())
    }
}

impl PartialSchema for ProblemType {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .description(Some("The kind of problem, a stable URI."))
            .enum_values(Some(Self::ALL.iter().map(|kind| kind.uri())))
            .into()
    }
}

impl ToSchema for ProblemType {}

/// What is wrong with a request, and what to change (RFC 9457).
// Not to be read back: what answers a caller may be another version, or no Serinus at all.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(example = json!({
    "type": "urn:serinus:problem:unknown-stage",
    "title": "The pipeline has no such stage",
    "status": 422,
    "detail": "unknown stage \"stage_22\" in pipeline \"checkout\", did you mean \"stage_2\"? \
               its stages are: stage_1, stage_2, stage_3"
}))]
pub struct Problem {
    /// The kind of problem, a stable URI: `urn:serinus:problem:unknown-stage`.
    #[serde(rename = "type")]
    pub problem_type: ProblemType,
    /// One line for people, the same for every problem of this type.
    pub title: String,
    /// The HTTP status, as in the status line.
    pub status: u16,
    /// What is wrong with this request and what to change.
    pub detail: String,
    /// The mistakes of a pipeline, by line and column.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub diagnostics: Vec<Diagnostic>,
}

impl Problem {
    /// Returns a problem of the type with its detail.
    pub fn new(problem_type: ProblemType, detail: impl Into<String>) -> Self {
        Self {
            problem_type,
            title: problem_type.title().to_owned(),
            status: problem_type.status(),
            detail: detail.into(),
            diagnostics: Vec::new(),
        }
    }

    /// Adds the mistakes of a pipeline.
    #[must_use]
    pub fn with_diagnostics(mut self, diagnostics: Vec<Diagnostic>) -> Self {
        self.diagnostics = diagnostics;
        self
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_type_is_named_once_and_is_an_error() {
        let names: BTreeSet<_> = ProblemType::ALL.iter().map(|kind| kind.uri()).collect();
        assert_eq!(names.len(), ProblemType::ALL.len());
        for kind in ProblemType::ALL {
            assert!((400..600).contains(&kind.status()), "{kind:?}");
        }
    }
}
