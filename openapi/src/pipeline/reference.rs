//! A pipeline in a request: its name, or the pipeline itself.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, de};
use serde_json::value::RawValue;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{AdditionalProperties, ObjectBuilder, OneOfBuilder, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

/// A pipeline named or given in place.
#[derive(Clone, Serialize)]
#[serde(transparent)]
pub struct PipelineReference(Box<RawValue>);

/// What a [`PipelineReference`] says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PipelineSource<'a> {
    /// The name of a pipeline that the server knows.
    Name(String),
    /// The pipeline itself, as the JSON text that was sent: the order of its stages is the order
    /// of its text, and a mistake can be told by line and column.
    Inline(&'a str),
}

impl PipelineReference {
    /// Returns the name or the text.
    pub fn source(&self) -> PipelineSource<'_> {
        serde_json::from_str::<String>(self.0.get()).map_or_else(
            |_not_a_name| PipelineSource::Inline(self.0.get()),
            PipelineSource::Name,
        )
    }
}

impl fmt::Debug for PipelineReference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.source().fmt(formatter)
    }
}

impl<'de> Deserialize<'de> for PipelineReference {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        if raw.get().starts_with(['"', '{']) {
            return Ok(Self(raw));
        }
        Err(de::Error::custom(
            "`pipeline` is neither a pipeline's name nor an object",
        ))
    }
}

impl PartialSchema for PipelineReference {
    fn schema() -> RefOr<Schema> {
        OneOfBuilder::new()
            .item(
                ObjectBuilder::new()
                    .schema_type(Type::String)
                    .description(Some(
                        "The name of a pipeline that the server knows: see `GET /v1/pipelines`.",
                    )),
            )
            .item(
                ObjectBuilder::new()
                    .description(Some(
                        "The pipeline itself: what a pipeline file says, as JSON.",
                    ))
                    .additional_properties(Some(AdditionalProperties::FreeForm(true))),
            )
            .into()
    }
}

impl ToSchema for PipelineReference {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("PipelineReference")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::ValidateRequest;

    fn reference(json: &str) -> Result<ValidateRequest, serde_json::Error> {
        serde_json::from_str(json)
    }

    #[test]
    fn a_pipeline_in_place_keeps_its_text() {
        let request = reference("{\"pipeline\": {\"b\": 1,\n \"a\": 2}}").unwrap();
        let pipeline = request.pipeline.unwrap();
        assert_eq!(
            pipeline.source(),
            PipelineSource::Inline("{\"b\": 1,\n \"a\": 2}")
        );
    }

    #[test]
    fn a_text_is_a_name() {
        let request = reference(r#"{"pipeline": "check\"out"}"#).unwrap();
        let pipeline = request.pipeline.unwrap();
        assert_eq!(
            pipeline.source(),
            PipelineSource::Name("check\"out".to_owned())
        );
    }

    #[test]
    fn anything_else_is_refused() {
        for json in [r#"{"pipeline": 3}"#, r#"{"pipeline": []}"#] {
            let error = reference(json).unwrap_err().to_string();
            assert!(error.contains("neither a pipeline's name"), "{error}");
        }
    }
}
