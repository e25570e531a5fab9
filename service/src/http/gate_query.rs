//! What a call of a gate says: in its query, in its body, or in both.

use chrono::{DateTime, Utc};
use percent_encoding::percent_decode_str;
use serde_json::Value;
use serinus_analysis::pipeline::nearest_name;
use serinus_openapi::ProblemType;
use serinus_openapi::population::{LabelText, PopulationOverlay};
use serinus_openapi::rollout::GateRequest;

use super::ApiError;
use super::body;
use super::resolve::unusable_population;
use crate::store::RolloutKey;

const PARAMETERS: [&str; 5] = ["key", "control.LABEL", "canary.LABEL", "start", "dry_run"];

/// A call of a gate, read.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Asked {
    /// The rollout's key.
    pub(super) key: RolloutKey,
    /// What else it says.
    pub(super) request: GateRequest,
}

impl Asked {
    /// Reads a call. Without a body the query is read in its place; a field in both has to say the
    /// same.
    ///
    /// # Errors
    ///
    /// What cannot be used, and what to write instead.
    pub(super) fn read(query: &str, body: &str) -> Result<Self, ApiError> {
        let asked = from_query(query)?;
        let sent: GateRequest = if body.trim().is_empty() {
            GateRequest::default()
        } else {
            body::json(body)?
        };
        let key = both("key", asked.key, sent.key)?;
        let request = GateRequest {
            key: None,
            control: both("control", asked.control, sent.control)?,
            canary: both("canary", asked.canary, sent.canary)?,
            start: both("start", asked.start, sent.start)?,
            dry_run: both("dry_run", asked.dry_run, sent.dry_run)?,
        };
        let key = RolloutKey::new(key.unwrap_or_default())?;
        Ok(Self { key, request })
    }
}

/// The key that a call names in its query, in its body, or in both. Everything else is ignored: a
/// caller may send whatever it sends elsewhere.
///
/// # Errors
///
/// What cannot be used, and what to write instead.
pub(super) fn key_of(query: &str, body: &str) -> Result<RolloutKey, ApiError> {
    let mut asked = None;
    for pair in query.split('&') {
        if let Some(value) = pair.strip_prefix("key=")
            && asked.replace(decoded(value)?).is_some()
        {
            return Err(invalid("`key` is given twice in the query: give it once"));
        }
    }
    let sent: Option<Value> = serde_json::from_str(body).ok();
    let sent = sent.and_then(|sent| Some(sent.get("key")?.as_str()?.to_owned()));
    let key = both("key", asked, sent)?;
    Ok(RolloutKey::new(key.unwrap_or_default())?)
}

fn both<T: PartialEq>(
    name: &str,
    asked: Option<T>,
    sent: Option<T>,
) -> Result<Option<T>, ApiError> {
    match (asked, sent) {
        (Some(asked), Some(sent)) if asked != sent => Err(invalid(&format!(
            "`{name}` is given in the query and in the body, with different values: give it once"
        ))),
        (asked, sent) => Ok(sent.or(asked)),
    }
}

fn invalid(detail: &str) -> ApiError {
    ApiError::new(ProblemType::InvalidRequest, detail)
}

fn from_query(query: &str) -> Result<GateRequest, ApiError> {
    let mut request = GateRequest::default();
    let mut control = Vec::new();
    let mut canary = Vec::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = match pair.split_once('=') {
            Some((name, value)) => (decoded(name)?, Some(decoded(value)?)),
            None => (decoded(pair)?, None),
        };
        if let Some(label) = name.strip_prefix("control.") {
            control.push(label_of(label, value.as_deref()));
            continue;
        }
        if let Some(label) = name.strip_prefix("canary.") {
            canary.push(label_of(label, value.as_deref()));
            continue;
        }
        let value = value.as_deref().unwrap_or_default();
        let is_new = match name.as_str() {
            "key" => request.key.replace(value.to_owned()).is_none(),
            "start" => request.start.replace(read_time(value)?).is_none(),
            "dry_run" => request.dry_run.replace(read_flag(value)?).is_none(),
            other => return Err(unknown(other)),
        };
        if !is_new {
            return Err(invalid(&format!(
                "`{name}` is given twice in the query: give it once"
            )));
        }
    }
    request.control = population("control", control)?;
    request.canary = population("canary", canary)?;
    Ok(request)
}

/// What a parameter says of one label. The `=` of a query may be the one of its operator; where a
/// client has encoded that one, it stands in the name or in the value.
fn label_of(name: &str, value: Option<&str>) -> Result<LabelText, String> {
    match value {
        Some(value) => LabelText::of_parts(name, value),
        None => name.parse(),
    }
}

/// Puts what was sent of a population label by label together; none when no label was.
pub(super) fn population(
    name: &str,
    labels: impl IntoIterator<Item = Result<LabelText, String>>,
) -> Result<Option<PopulationOverlay>, ApiError> {
    let labels: Result<Vec<_>, _> = labels.into_iter().collect();
    let labels = labels.map_err(|error| unusable_population(name, &error))?;
    PopulationOverlay::of_texts(labels).map_err(|error| unusable_population(name, &error))
}

fn unknown(name: &str) -> ApiError {
    let hint = nearest_name(name, PARAMETERS)
        .map_or(String::new(), |near| format!(", did you mean {near}?"));
    invalid(&format!(
        "unknown parameter {name:?}{hint} known are: {}",
        PARAMETERS.join(", ")
    ))
}

/// A part of a query: `+` is a space, `%2B` a plus.
fn decoded(text: &str) -> Result<String, ApiError> {
    if !text.contains(['+', '%']) {
        return Ok(text.to_owned());
    }
    let spaced = text.replace('+', " ");
    percent_decode_str(&spaced)
        .decode_utf8()
        .map(std::borrow::Cow::into_owned)
        .map_err(|_error| invalid("the query is not UTF-8, percent-encoded"))
}

fn read_time(text: &str) -> Result<DateTime<Utc>, ApiError> {
    // The plus of a time zone that was not percent-encoded has become a space.
    let text = text.replace(' ', "+");
    DateTime::parse_from_rfc3339(&text)
        .map(|time| time.with_timezone(&Utc))
        .map_err(|error| {
            invalid(&format!(
                "`start` {text:?} is not a time ({error}): write it as 2026-11-22T09:00:00Z"
            ))
        })
}

fn read_flag(text: &str) -> Result<bool, ApiError> {
    match text {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(invalid(&format!(
            "`dry_run` is {text:?}: write true or false"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn detail(query: &str, body: &str) -> String {
        let error = Asked::read(query, body).unwrap_err();
        error.problem().detail.clone()
    }

    #[test]
    fn a_query_says_the_same_as_a_body() {
        let query = "key=6d4f9.7&control.track=stable&canary.track=canary&canary.zone=a%20b\
                     &canary.pod=~web-.*&canary.pod%21=web-0&canary.job!=\
                     &start=2026-11-22T09:00:00Z&dry_run=true";
        let body = r#"{"key": "6d4f9.7", "control": {"track": "stable"},
            "canary": {"track": "canary", "zone": {"=": "a b"}, "job": null,
                "pod": {"=~": "web-.*", "!=": "web-0"}},
            "start": "2026-11-22T10:00:00+01:00", "dry_run": true}"#;
        let asked = Asked::read(query, "").unwrap();
        assert_eq!(asked, Asked::read("", body).unwrap());
        assert_eq!(asked, Asked::read(query, body).unwrap());
    }

    #[test]
    fn a_regular_expression_is_read_however_a_client_writes_the_query() {
        let canary = |query: &str| Asked::read(&format!("key=a&{query}"), "").unwrap();
        let body = |label: &str| {
            let body = format!(r#"{{"key": "a", "canary": {{"pod": {label}}}}}"#);
            Asked::read("", &body).unwrap()
        };
        for query in [
            "canary.pod=~web-.*",
            "canary.pod=%7Eweb-.%2A",
            "canary.pod%3D~web-.*",
            // A client that puts a name and a value together: {"canary.pod": "=~web-.*"}.
            "canary.pod=%3D~web-.*",
            "canary.pod=%3D%7E%22web-.%2A%22",
            "canary.pod%3D~=web-.*",
            "canary.pod=~%22web-.*%22",
        ] {
            assert_eq!(canary(query), body(r#"{"=~": "web-.*"}"#), "{query}");
        }
        for query in [
            "canary.pod!~web-.*",
            "canary.pod%21~=web-.*",
            "canary.pod=!~web-.*",
        ] {
            assert_eq!(canary(query), body(r#"{"!~": "web-.*"}"#), "{query}");
        }
        assert_eq!(canary("canary.pod=%22~a%22"), body(r#"{"=": "~a"}"#));
        let refused = detail("key=a&canary.pod=~%3D~a", "");
        assert!(refused.contains("begins like an operator"), "{refused}");
    }

    #[test]
    fn what_cannot_be_used_is_told_with_what_to_write() {
        assert!(detail("", "").starts_with("no key: give `key`"));
        assert!(detail("key=a&key=b", "").contains("given twice"));
        assert!(detail("key=a", r#"{"key": "b"}"#).contains("with different values"));
        assert!(detail("key=a&dry_run=yes", "").contains("write true or false"));
        assert!(detail("key=a&start=now", "").contains("is not a time"));
        assert!(detail("kye=a", "").contains("did you mean key?"));
        assert!(detail("key=a%0Ab", "").contains("control character"));
        assert!(detail(&format!("key={}", "a".repeat(257)), "").contains("257 characters"));
        assert!(detail("key=%ff", "").contains("not UTF-8"));
        assert!(detail("key=a&canary.track", "").contains("canary: write it like track=stable"));
        assert!(detail("key=a&canary.=x", "").contains("the label is missing"));
        let twice = detail("key=a&canary.job!=&canary.job=x", "");
        assert!(twice.contains("canary: label \"job\": it is given twice"));
        let differ = detail("key=a&canary.job!=", r#"{"canary": {"job": "x"}}"#);
        assert!(differ.contains("`canary` is given in the query and in the body"));
    }
}
