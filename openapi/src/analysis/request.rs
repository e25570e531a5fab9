//! What shall be analysed.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Deserializer, Serialize, de};
use utoipa::ToSchema;

use crate::pipeline::PipelineReference;
use crate::population::PopulationOverlay;

/// What shall be analysed: one stage of a pipeline, over one window.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(
    deny_unknown_fields,
    expecting = "a JSON object such as {\"pipeline\": \"checkout\"}"
)]
pub struct AnalysisRequest {
    /// The pipeline: the name of one that the server knows, or the pipeline itself as an object.
    /// Give this or `pipeline_yaml`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pipeline: Option<PipelineReference>,
    /// The pipeline as the text of its file, in place of `pipeline`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pipeline_yaml: Option<String>,
    /// The stage, by its id: `stage_2`, or `stage_4.1` for the first sub-stage of a list. May be
    /// left out when the pipeline has one stage.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "stage_2")]
    pub stage: Option<String>,
    /// Selects the control. Laid over the pipeline's own, label by label.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub control: Option<PopulationOverlay>,
    /// Selects the canary. Laid over the pipeline's own, label by label.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub canary: Option<PopulationOverlay>,
    /// Start of the window (RFC 3339). The stage's duration before the end when left out.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "time"
    )]
    pub start: Option<DateTime<Utc>>,
    /// End of the window (RFC 3339). Now, less the time that samples may be late, when left out.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "time"
    )]
    pub end: Option<DateTime<Utc>>,
    /// The stages of the same rollout that were before, in their order: what they proved counts, and the accepted
    /// error is spent once. Without it the stage is judged by itself, as a rollout of one stage.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stages: Option<Vec<StageBefore>>,
    /// The name of a configured Prometheus; the pipeline's or the server's default when left
    /// out. A request cannot carry a URL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "default")]
    pub source: Option<String>,
}

/// A stage of the rollout that is over.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(
    deny_unknown_fields,
    expecting = "an object such as {\"stage\": \"stage_1\", \"start\": \"2026-11-22T08:00:00Z\", \"end\": \"2026-11-22T09:00:00Z\"}"
)]
pub struct StageBefore {
    /// Its id.
    #[schema(example = "stage_1")]
    pub stage: String,
    /// When it began (RFC 3339).
    #[serde(deserialize_with = "moment")]
    pub start: DateTime<Utc>,
    /// When the next one began (RFC 3339).
    #[serde(deserialize_with = "moment")]
    pub end: DateTime<Utc>,
    /// Whether a person has decided it: then all evidence begins anew after it.
    #[serde(default)]
    pub overridden: bool,
}

/// Reads a time that must be there.
fn moment<'de, D: Deserializer<'de>>(deserializer: D) -> Result<DateTime<Utc>, D::Error> {
    let found = time(deserializer)?;
    found.ok_or_else(|| {
        de::Error::custom("null is not a time: write it as \"2026-11-22T09:00:00Z\"")
    })
}

/// Reads a time, and says what one looks like when it is none.
pub(crate) fn time<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<DateTime<Utc>>, D::Error> {
    let Some(text) = Option::<String>::deserialize(deserializer)? else {
        return Ok(None);
    };
    match DateTime::parse_from_rfc3339(&text) {
        Ok(parsed) => Ok(Some(parsed.with_timezone(&Utc))),
        Err(error) => Err(de::Error::custom(format_args!(
            "{text:?} is not a time ({error}): write it as \"2026-11-22T09:00:00Z\""
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_in_any_zone_is_read() {
        let request: AnalysisRequest =
            serde_json::from_str(r#"{"start": "2026-11-22T10:00:00+01:00"}"#).unwrap();
        assert_eq!(
            request.start.unwrap().to_rfc3339(),
            "2026-11-22T09:00:00+00:00"
        );
    }

    #[test]
    fn what_is_no_time_is_told_what_one_looks_like() {
        for text in ["", "yesterday", "2026-11-22", "2026-11-22T09:00:00"] {
            let body = serde_json::json!({ "end": text }).to_string();
            let error = serde_json::from_str::<AnalysisRequest>(&body).unwrap_err();
            assert!(error.to_string().contains("is not a time"), "{error}");
        }
    }

    #[test]
    fn unknown_fields_are_refused() {
        let error = serde_json::from_str::<AnalysisRequest>(r#"{"stgae": "x"}"#).unwrap_err();
        assert!(error.to_string().contains("unknown field `stgae`"));
    }
}
