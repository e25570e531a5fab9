//! Reading what clients send: within limits, and with an error that says where and what.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, header};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde::de::DeserializeOwned;
use serinus_analysis::pipeline::nearest_name;
use serinus_openapi::ProblemType;

use super::{ApiError, App};

/// How much of a body over the limit is read and thrown away.
const MAX_DISCARDED_BYTES: usize = 64 * 1024 * 1024;

/// How long a body over the limit is read and thrown away.
const MAX_DISCARD_TIME: Duration = Duration::from_secs(2);

/// What a body is, by its `Content-Type`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum MediaType {
    /// JSON, or not said: several callers of a gate send none.
    Json,
    /// YAML.
    Yaml,
    /// Anything else, as it was sent.
    Other(String),
}

/// A body that arrived whole, in time and within the limit.
#[derive(Debug)]
pub(super) struct SentBody {
    /// What it says it is.
    pub(super) media_type: MediaType,
    /// Its text.
    pub(super) text: String,
}

impl FromRequest<Arc<App>> for SentBody {
    type Rejection = ApiError;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self, ApiError> {
        let limits = app.limits();
        let too_large = || {
            ApiError::new(
                ProblemType::BodyTooLarge,
                format!(
                    "the body has more than {} bytes: send less, or raise max_body_bytes in the \
                     server's configuration",
                    limits.body_bytes
                ),
            )
        };
        if content_length(request.headers()).is_some_and(|length| length > limits.body_bytes as u64)
        {
            discard(request).await;
            return Err(too_large());
        }
        let media_type = media_type(request.headers());
        let body = Limited::new(request.into_body(), limits.body_bytes);
        let collected = tokio::time::timeout(limits.body_time, body.collect())
            .await
            .map_err(|_elapsed| {
                ApiError::new(
                    ProblemType::RequestTimeout,
                    format!(
                        "the body did not arrive within {:.1} s: send it at once",
                        limits.body_time.as_secs_f64()
                    ),
                )
            })?;
        let bytes = collected
            .map_err(|error| {
                if is_length_limit(&*error) {
                    return too_large();
                }
                ApiError::new(
                    ProblemType::InvalidRequest,
                    "the body broke off before its end: send it again",
                )
            })?
            .to_bytes();
        let text = String::from_utf8(bytes.into()).map_err(|error| {
            ApiError::new(
                ProblemType::InvalidRequest,
                format!(
                    "the body is not UTF-8 from byte {} on: send it as UTF-8",
                    error.utf8_error().valid_up_to()
                ),
            )
        })?;
        Ok(Self { media_type, text })
    }
}

/// Reads what a client goes on sending, up to a point: a connection that is closed while bytes
/// arrive is reset, and a client that is still sending then never sees the answer.
async fn discard(request: Request) {
    // A client that asks first sends nothing once it has its answer.
    if request.headers().contains_key(header::EXPECT) {
        return;
    }
    let mut body = request.into_body();
    let mut discarded_bytes = 0;
    let discarding = async {
        while let Some(Ok(frame)) = body.frame().await {
            discarded_bytes += frame.data_ref().map_or(0, Bytes::len);
            if discarded_bytes > MAX_DISCARDED_BYTES {
                break;
            }
        }
    };
    // Whether it came to an end makes no difference to the answer.
    let _ = tokio::time::timeout(MAX_DISCARD_TIME, discarding).await;
}

fn is_length_limit(error: &(dyn Error + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(current) = next {
        if current.is::<LengthLimitError>() {
            return true;
        }
        next = current.source();
    }
    false
}

fn content_length(headers: &HeaderMap) -> Option<u64> {
    headers
        .get(header::CONTENT_LENGTH)?
        .to_str()
        .ok()?
        .parse()
        .ok()
}

fn media_type(headers: &HeaderMap) -> MediaType {
    let Some(value) = headers.get(header::CONTENT_TYPE) else {
        return MediaType::Json;
    };
    let text = String::from_utf8_lossy(value.as_bytes());
    let essence = text.split(';').next().unwrap_or_default().trim();
    let essence = essence.to_ascii_lowercase();
    match essence.as_str() {
        "" | "application/json" | "text/json" => MediaType::Json,
        "application/yaml" | "application/x-yaml" | "text/yaml" | "text/x-yaml"
        | "text/vnd.yaml" => MediaType::Yaml,
        other if other.ends_with("+json") => MediaType::Json,
        other if other.ends_with("+yaml") => MediaType::Yaml,
        _ => MediaType::Other(essence),
    }
}

impl SentBody {
    /// Reads the body as JSON.
    ///
    /// # Errors
    ///
    /// 415 for another media type, 400 with line, column and the nearest right name for what is
    /// not JSON or not what the operation takes.
    pub(super) fn json<T: DeserializeOwned>(&self) -> Result<T, ApiError> {
        if self.media_type != MediaType::Json {
            return Err(self.unsupported("application/json"));
        }
        if self.text.trim().is_empty() {
            return Err(ApiError::new(
                ProblemType::InvalidRequest,
                "the body is empty: send a JSON object, /docs has examples",
            ));
        }
        json(&self.text)
    }

    /// As [`SentBody::json`], where an empty body says nothing, and `null` neither.
    ///
    /// # Errors
    ///
    /// As [`SentBody::json`].
    pub(super) fn json_or_default<T: DeserializeOwned + Default>(&self) -> Result<T, ApiError> {
        if self.text.trim().is_empty() {
            return Ok(T::default());
        }
        self.json::<Option<T>>().map(Option::unwrap_or_default)
    }

    /// The media type is not one of those supported.
    pub(super) fn unsupported(&self, supported: &str) -> ApiError {
        let sent = match &self.media_type {
            MediaType::Json => "application/json",
            MediaType::Yaml => "application/yaml",
            MediaType::Other(sent) => sent,
        };
        ApiError::new(
            ProblemType::UnsupportedMediaType,
            format!("the body is {sent:?}: send Content-Type {supported}"),
        )
    }
}

/// Reads a text as JSON, whatever it says it is.
///
/// # Errors
///
/// 400 with line, column and the nearest right name.
pub(super) fn json<T: DeserializeOwned>(text: &str) -> Result<T, ApiError> {
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let value = serde_path_to_error::deserialize(&mut deserializer)
        .map_err(|error| explain(&error.path().to_string(), error.inner()))?;
    deserializer.end().map_err(|error| explain(".", &error))?;
    Ok(value)
}

/// Says what is wrong with a JSON text, where, and what was probably meant.
///
/// The path is `.` for the whole.
fn explain(path: &str, error: &serde_json::Error) -> ApiError {
    let (line, column) = (error.line(), error.column());
    let text = error.to_string();
    let suffix = format!(" at line {line} column {column}");
    let message = text.strip_suffix(&suffix).unwrap_or(&text);
    let mut place = format!("line {line}, column {column}");
    if !error.is_data() {
        return ApiError::new(ProblemType::MalformedJson, format!("{place}: {message}"));
    }
    // The message for an unknown field names it already.
    if path != "." && !message.starts_with(&format!("unknown field `{path}`")) {
        place = format!("{place}: {path}");
    }
    let hint =
        suggestion(message).map_or(String::new(), |name| format!("; did you mean `{name}`?"));
    ApiError::new(
        ProblemType::InvalidRequest,
        format!("{place}: {message}{hint}"),
    )
}

/// Finds the nearest right name in serde's text: "unknown field `a`, expected one of `b`, `c`".
fn suggestion(message: &str) -> Option<&str> {
    let mut quoted = message
        .strip_prefix("unknown field ")?
        .split('`')
        .skip(1)
        .step_by(2);
    let unknown = quoted.next()?;
    nearest_name(unknown, quoted)
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn of(content_type: &str) -> MediaType {
        let mut headers = HeaderMap::new();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_bytes(content_type.as_bytes()).unwrap(),
        );
        media_type(&headers)
    }

    #[test]
    fn a_body_without_a_type_is_json() {
        assert_eq!(media_type(&HeaderMap::new()), MediaType::Json);
        assert_eq!(of(""), MediaType::Json);
    }

    #[test]
    fn types_are_read_without_their_parameters() {
        assert_eq!(of("Application/JSON; charset=utf-8"), MediaType::Json);
        assert_eq!(of("application/vnd.api+json"), MediaType::Json);
        assert_eq!(of("text/yaml;charset=utf-8"), MediaType::Yaml);
        assert_eq!(
            of("application/x-www-form-urlencoded"),
            MediaType::Other("application/x-www-form-urlencoded".to_owned())
        );
        assert_eq!(of("\u{e9}"), MediaType::Other("\u{e9}".to_owned()));
    }

    #[test]
    fn the_nearest_name_is_found_in_the_message() {
        let message = "unknown field `stgae`, expected one of `pipeline`, `stage`, `start`";
        assert_eq!(suggestion(message), Some("stage"));
        let message = "unknown field `xyzzy`, expected one of `pipeline`, `stage`";
        assert_eq!(suggestion(message), None);
        assert_eq!(suggestion("invalid type: map, expected a string"), None);
    }
}
