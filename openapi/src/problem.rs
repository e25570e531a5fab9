//! Problem documents (RFC 9457): what is wrong with a request, and what to change.

use serde::{Serialize, Serializer};
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::Schema;
use utoipa::{PartialSchema, ToSchema};

use crate::explained::{self, Explained, one_line};
use crate::pipeline::Diagnostic;

/// The media type of a problem document.
pub const MEDIA_TYPE: &str = "application/problem+json";

macro_rules! problem_types {
    (
        $(
            $(#[doc = $meaning:literal])+
            $variant:ident = ($token:literal, $status:literal, $title:literal, $advice:literal),
        )*
    ) => {
        /// The kinds of problem. Tokens are stable: callers may compare them.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum ProblemType { $($(#[doc = $meaning])+ $variant,)* }

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

        impl Explained for ProblemType {
            fn all() -> Vec<Self> {
                Self::ALL.to_vec()
            }

            fn word(&self) -> &str {
                self.uri()
            }

            fn meaning(&self) -> String {
                one_line(match self { $(Self::$variant => &[$($meaning),+],)* })
            }

            fn advice(&self) -> &str {
                match self { $(Self::$variant => $advice,)* }
            }
        }
    };
}

problem_types! {
    /// The body is not JSON.
    MalformedJson = ("malformed-json", 400, "The body is not valid JSON",
        "Correct the body at the line and column of the detail."),
    /// The body is JSON, but not what the operation takes.
    InvalidRequest = ("invalid-request", 400, "The request is not what the operation takes",
        "Change what the detail names; /docs shows what each operation takes."),
    /// Control or canary cannot be used.
    InvalidPopulation = ("invalid-population", 400, "A population cannot be used",
        "Change the labels that the detail names. What is sent is laid over the pipeline's own, label by \
         label; control and canary have to differ."),
    /// The window cannot be judged.
    InvalidWindow = ("invalid-window", 400, "The window cannot be judged",
        "Correct `start` or `end`, or leave them out."),
    /// No token was shown, or none that is known.
    Unauthorized = ("unauthorized", 401, "A token is needed",
        "Send a token as `Authorization: Bearer TOKEN`; `serinus token` makes one."),
    /// The token is not good for this, or the host or the page that asks is not one that may.
    Forbidden = ("forbidden", 403, "This is not allowed",
        "Use a token with the scope that the detail names. Without tokens: ask by a name that the server \
         knows (`--allowed-hosts`), and not from a page of another site."),
    /// No resource at this path.
    NotFound = ("not-found", 404, "Nothing is here",
        "Correct the path; /docs shows all that there are."),
    /// No pipeline of this name.
    UnknownPipeline = ("unknown-pipeline", 404, "No pipeline has this name",
        "Correct the name, or put the pipeline into the folder or by `PUT /v1/pipelines/NAME`."),
    /// The pipeline of the path has no stage of this name.
    NoSuchStage = ("no-such-stage", 404, "The pipeline has no such stage",
        "Correct the stage in the path; the detail has the stages that there are."),
    /// No rollout has this key, and this call starts none.
    NoSuchRollout = ("no-such-rollout", 404, "No rollout has this key",
        "Correct the key, or start the rollout: by its first stage, or by `POST` to this one."),
    /// No rollout of this id.
    UnknownRollout = ("unknown-rollout", 404, "No rollout has this id",
        "Correct the id, or look in `GET /v1/rollouts`: those that are over are removed after a time."),
    /// The resource does not answer to this method.
    MethodNotAllowed = ("method-not-allowed", 405, "The method is not allowed here",
        "Use one of the methods of the header `Allow`."),
    /// The client took too long to send its request.
    RequestTimeout = ("request-timeout", 408, "The request took too long to arrive",
        "Send the request at once."),
    /// A rollout with this key has other populations.
    PopulationsDiffer = ("populations-differ", 409, "The key has other populations",
        "Leave the populations out, send the same as before, or use another key."),
    /// The rollout cannot be changed as it was asked for.
    RolloutConflict = ("rollout-conflict", 409, "The rollout cannot be changed like that",
        "Look at the rollout first: it is over, or not where the request takes it to be."),
    /// The pipeline is not for this operation to change.
    PipelineConflict = ("pipeline-conflict", 409, "The pipeline cannot be changed like that",
        "Change the file in the folder that defines it, or delete pipelines that nobody uses."),
    /// The body is larger than the limit.
    BodyTooLarge = ("body-too-large", 413, "The body is too large",
        "Send less, or raise `max_body_bytes`."),
    /// The body's media type is not read here.
    UnsupportedMediaType = ("unsupported-media-type", 415, "The media type is not supported",
        "Send the `Content-Type` that the detail names."),
    /// The pipeline has mistakes; `diagnostics` tells them all.
    InvalidPipeline = ("invalid-pipeline", 422, "The pipeline has mistakes",
        "Correct the mistakes at their lines; `serinus lint` tells the same."),
    /// The pipeline has no stage of this name.
    UnknownStage = ("unknown-stage", 422, "The pipeline has no such stage",
        "Correct `stage`; the detail has the stages that there are."),
    /// No source of this name is configured.
    UnknownSource = ("unknown-source", 422, "No source has this name",
        "Correct `source`, or add it to the configuration."),
    /// The limits allow no more requests for now.
    TooManyRequests = ("too-many-requests", 429, "Too many requests",
        "Ask again after `Retry-After`, or raise `rate_limit_per_second` or `max_requests_in_flight`."),
    /// Serinus failed. Never used for what a Prometheus does: that is a `hold`.
    InternalError = ("internal-error", 500, "Serinus failed",
        "Look at the log of Serinus under the `x-request-id` of the answer, and report it."),
    /// What happens cannot be recorded now. Never answered by a gate: it holds.
    StoreUnavailable = ("store-unavailable", 503, "Nothing can be recorded now",
        "Make room on the disk of the store, or repair it, and ask again: asking twice is safe."),
    /// Too many other requests are being answered.
    Overloaded = ("overloaded", 503, "Too many requests at the same time",
        "Ask again in a second, or raise `max_requests_in_flight`."),
}

impl Serialize for ProblemType {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.uri())
    }
}

impl PartialSchema for ProblemType {
    fn schema() -> RefOr<Schema> {
        explained::schema::<Self>("The kind of problem, a stable URI.")
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
