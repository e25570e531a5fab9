//! Asks a gate once, and says what its answer means to one who waits.

use std::fs;
use std::time::Duration;

use reqwest::header::{AUTHORIZATION, HeaderValue};
use reqwest::redirect::Policy;
use reqwest::{StatusCode, Url};
use secrecy::ExposeSecret as _;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use serinus_openapi::population::{PopulationError, PopulationOverlay};
use serinus_openapi::rollout::{GateAnswer, MAX_GATE_ANSWER_BYTES};

use super::super::Failure;
use super::Arguments;

/// Longest time for one answer: a gate takes 8 s at most.
const ANSWER_TIME: Duration = Duration::from_secs(10);

/// What an answer means to one who waits.
#[derive(Debug)]
pub(super) enum Heard {
    /// A verdict.
    Verdict(Box<GateAnswer>),
    /// Something that may pass.
    Passing(String),
    /// Something that will not: the caller has to change it.
    Refused(String),
}

/// Asks one gate.
#[derive(Debug)]
pub(super) struct Client {
    http: reqwest::Client,
    url: Url,
    body: Map<String, Value>,
    authorization: Option<HeaderValue>,
}

impl Client {
    pub(super) fn new(arguments: &Arguments) -> Result<Self, Failure> {
        let mut body = Map::from_iter([("key".to_owned(), json!(arguments.key))]);
        for (name, given) in [
            ("control", &arguments.control),
            ("canary", &arguments.canary),
        ] {
            let unusable = |error: PopulationError| Failure(format!("--{name}: {error}"));
            let overlay = PopulationOverlay::of_texts(given.iter().cloned()).map_err(unusable)?;
            if let Some(overlay) = overlay {
                // What the server would refuse is told without one.
                overlay.to_matchers().map_err(unusable)?;
                body.insert(name.to_owned(), json!(overlay));
            }
        }
        if arguments.key.is_empty() {
            return Err(Failure(
                "the key is empty: give the rollout a name".to_owned(),
            ));
        }
        Ok(Self {
            http: reqwest::Client::builder()
                .timeout(ANSWER_TIME)
                // A page that a redirect leads to is no gate.
                .redirect(Policy::none())
                .build()?,
            url: gate_url(arguments)?,
            body,
            authorization: authorization(arguments)?,
        })
    }

    pub(super) async fn ask(&self) -> Heard {
        let mut request = self.http.post(self.url.clone()).json(&self.body);
        if let Some(authorization) = &self.authorization {
            request = request.header(AUTHORIZATION, authorization.clone());
        }
        let response = match request.send().await {
            Ok(response) => response,
            Err(error) => return Heard::Passing(causes(&error)),
        };
        let status = response.status();
        match response.bytes().await {
            Ok(bytes) => heard(status, &bytes),
            Err(error) => Heard::Passing(causes(&error)),
        }
    }
}

/// A problem document as it is read: its type may be one of another version, or of another server.
#[derive(Deserialize)]
struct Refusal {
    #[serde(rename = "type")]
    _type: String,
    #[serde(rename = "title")]
    _title: String,
    #[serde(rename = "status")]
    _status: u16,
    detail: String,
}

/// What an answer means.
fn heard(status: StatusCode, body: &[u8]) -> Heard {
    let passes = status.is_server_error()
        || status == StatusCode::REQUEST_TIMEOUT
        || status == StatusCode::TOO_MANY_REQUESTS;
    if passes {
        return Heard::Passing(format!("the server answers {status}"));
    }
    if status != StatusCode::OK {
        let detail = serde_json::from_slice::<Refusal>(body)
            .map_or_else(|_error| status.to_string(), |refusal| refusal.detail);
        return Heard::Refused(format!("the server answers {}: {detail}", status.as_u16()));
    }
    let Ok(value) = serde_json::from_slice::<Value>(body) else {
        return Heard::Passing("the answer is not JSON: is something else in the way?".to_owned());
    };
    match serde_json::from_value::<GateAnswer>(value) {
        Ok(answer) if body.len() <= MAX_GATE_ANSWER_BYTES => Heard::Verdict(Box::new(answer)),
        Ok(_too_long) => Heard::Refused("the answer is too long for that of a gate".to_owned()),
        Err(error) => Heard::Refused(format!("the answer is not that of a gate: {error}")),
    }
}

/// The error and what caused it, in one line.
fn causes(error: &reqwest::Error) -> String {
    let Failure(message) = Failure::from(ErrorText(error));
    message.replace('\n', " ")
}

/// An error that is only looked at.
#[derive(Debug)]
struct ErrorText<'a>(&'a reqwest::Error);

impl std::fmt::Display for ErrorText<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(formatter)
    }
}

impl std::error::Error for ErrorText<'_> {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source()
    }
}

fn gate_url(arguments: &Arguments) -> Result<Url, Failure> {
    let server = &arguments.server;
    let wrong = |detail: String| {
        Failure(format!(
            "cannot use --server {server:?}: {detail}; write it like https://serinus.example"
        ))
    };
    let mut url = Url::parse(server).map_err(|error| wrong(error.to_string()))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(wrong("it needs http or https".to_owned()));
    }
    url.path_segments_mut()
        .map_err(|()| wrong("it has no path".to_owned()))?
        .pop_if_empty()
        .extend([
            "v1",
            "pipelines",
            &arguments.pipeline,
            "stages",
            &arguments.stage,
            "gate",
        ]);
    Ok(url)
}

/// The header that carries the token. No message repeats it.
fn authorization(arguments: &Arguments) -> Result<Option<HeaderValue>, Failure> {
    let token = match (&arguments.token, &arguments.token_file) {
        (Some(token), _) => token.clone(),
        (None, Some(path)) => fs::read_to_string(path)
            .map_err(|error| {
                Failure(format!(
                    "cannot read the token file {}: {error}",
                    path.display()
                ))
            })?
            .into(),
        (None, None) => return Ok(None),
    };
    let mut header = HeaderValue::from_str(&format!("Bearer {}", token.expose_secret().trim()))
        .map_err(|_error| Failure("the token has characters that no header carries".to_owned()))?;
    header.set_sensitive(true);
    Ok(Some(header))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    fn is_passing(status: u16, body: &str) -> bool {
        let heard = heard(StatusCode::from_u16(status).unwrap(), body.as_bytes());
        matches!(heard, Heard::Passing(_))
    }

    fn refusal(status: u16, body: &str) -> String {
        match heard(StatusCode::from_u16(status).unwrap(), body.as_bytes()) {
            Heard::Refused(message) => message,
            other => panic!("{other:?}"),
        }
    }

    #[derive(Debug, Parser)]
    struct Command {
        #[command(flatten)]
        arguments: Arguments,
    }

    /// The body that is sent for a `--canary`, or why none is.
    fn canary(text: &str) -> Result<Value, String> {
        let all = [
            "wait",
            "--pipeline=p",
            "--stage=s",
            "--key=k",
            "--canary",
            text,
        ];
        let command = Command::try_parse_from(all).map_err(|error| error.to_string())?;
        let client = Client::new(&command.arguments).map_err(|Failure(message)| message)?;
        Ok(client.body.get("canary").cloned().unwrap_or_default())
    }

    #[test]
    fn a_flag_is_sent_as_what_it_says() {
        let regular = json!({"pod": {"=~": "checkout-6d4.*"}});
        assert_eq!(canary("pod=~checkout-6d4.*").unwrap(), regular);
        assert_eq!(canary("pod=~\"checkout-6d4.*\"").unwrap(), regular);
        assert_eq!(canary("pod=\"~x\"").unwrap(), json!({"pod": {"=": "~x"}}));
        assert_eq!(canary("job!=").unwrap(), json!({"job": null}));
    }

    #[test]
    fn what_is_no_regular_expression_is_told_before_anybody_is_asked() {
        let error = canary("pod=~checkout-(.*").unwrap_err();
        assert!(
            error.starts_with("--canary: \"checkout-(.*\" of the label pod"),
            "{error}"
        );
        assert!(error.contains("unclosed group, at character 10"), "{error}");
        let error = canary("pod!=~checkout-.*").unwrap_err();
        assert!(error.contains("begins like an operator"), "{error}");
    }

    #[test]
    fn what_may_pass_is_tried_again() {
        for status in [408, 429, 500, 502, 503, 504] {
            assert!(is_passing(status, "<html>"), "{status}");
        }
        assert!(is_passing(200, "<html>"));
        assert!(is_passing(200, ""));
    }

    #[test]
    fn what_the_caller_must_change_ends_the_wait() {
        let problem = r#"{"type": "t", "title": "t", "status": 404, "detail": "unknown pipeline"}"#;
        assert_eq!(
            refusal(404, problem),
            "the server answers 404: unknown pipeline"
        );
        for status in [204, 301, 400, 401, 403, 404, 409] {
            assert!(!refusal(status, "x").is_empty(), "{status}");
        }
        assert!(refusal(200, r#"{"gate": {"verdict": "ok"}}"#).contains("not that of a gate"));
        assert!(refusal(200, "null").contains("not that of a gate"));
    }
}
