//! Kargo's `http` promotion step.

use std::time::Duration;

use anyhow::{Context, bail};
use reqwest::{Method, Url};
use serde_json::{Map, Value, json};

use super::Pace;
use super::argo::go_duration;
use super::expression::{Outcome, evaluate};
use super::http::{Redirects, Request, moved_to, send};

/// Shortest pause between two tries.
const SHORTEST_POLL: Duration = Duration::from_secs(10);

/// What one try, or the whole step, came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Status {
    /// Good.
    Succeeded,
    /// Bad, for good.
    Failed(String),
    /// Asked again.
    Running,
    /// Could not be asked; counted.
    Errored(String),
}

/// How a step ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// What it came to.
    pub status: Status,
    /// How often it was tried.
    pub tries: usize,
    /// Time that it waited.
    pub waited: Duration,
}

/// One `http` step, its expressions in `${{ }}` filled in.
#[derive(Debug, Clone)]
pub struct Step {
    config: Value,
    server: String,
    error_threshold: u64,
    retry_timeout: Option<Duration>,
    /// Older versions fail an expression on a body that is no map.
    pub is_old: bool,
}

impl Step {
    /// Reads a step. `values` stand for the `${{ .. }}` in it.
    ///
    /// # Errors
    ///
    /// When it is no step of this kind, or a value is missing.
    pub fn read(step: &Value, values: &[(&str, &str)], server: &str) -> anyhow::Result<Self> {
        if step.get("uses") != Some(&json!("http")) {
            bail!("no http step: {step}");
        }
        let mut text = step.to_string();
        for (name, value) in values {
            text = text.replace(&format!("${{{{ {name} }}}}"), value);
        }
        if text.contains("${{") {
            bail!("not filled in: {text}");
        }
        let step: Value = serde_json::from_str(&text)?;
        let retry = |name: &str| step.pointer(&format!("/retry/{name}"));
        Ok(Self {
            config: step.get("config").cloned().context("no config")?,
            server: server.to_owned(),
            error_threshold: retry("errorThreshold").and_then(Value::as_u64).unwrap_or(1),
            retry_timeout: retry("timeout")
                .and_then(Value::as_str)
                .map(go_duration)
                .transpose()?,
            is_old: false,
        })
    }

    /// Replaces a field of the configuration.
    pub fn set(&mut self, field: &str, value: Value) {
        if let Some(fields) = self.config.as_object_mut() {
            fields.insert(field.to_owned(), value);
        }
    }

    /// Adds a parameter to the query.
    pub fn add_query(&mut self, name: &str, value: &str) {
        let parameters = self
            .config
            .get_mut("queryParams")
            .and_then(Value::as_array_mut);
        if let Some(parameters) = parameters {
            parameters.push(json!({"name": name, "value": value}));
        }
    }

    /// Replaces the number of errors in a row that end it.
    pub fn set_error_threshold(&mut self, errors: u64) {
        self.error_threshold = errors;
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.config.get(name).and_then(Value::as_str)
    }

    fn request(&self) -> anyhow::Result<Request> {
        let mut url: Url = moved_to(self.text("url").context("no url")?, &self.server)?.parse()?;
        let pairs = |name: &str| -> Vec<(String, String)> {
            let listed = self.config.get(name).and_then(Value::as_array);
            let part = |pair: &Value, name: &str| {
                pair.get(name)
                    .and_then(Value::as_str)
                    .unwrap_or_default()
                    .to_owned()
            };
            listed
                .into_iter()
                .flatten()
                .map(|pair| (part(pair, "name"), part(pair, "value")))
                .collect()
        };
        let parameters = pairs("queryParams");
        if !parameters.is_empty() {
            url.query_pairs_mut().extend_pairs(parameters);
        }
        let method = self.text("method").unwrap_or("GET");
        Ok(Request {
            method: Method::from_bytes(method.as_bytes())?,
            url: url.into(),
            headers: pairs("headers"),
            body: None,
            timeout: self
                .text("timeout")
                .map_or(Ok(Duration::from_secs(10)), go_duration)?,
        })
    }

    /// Tries once.
    pub async fn attempt(&self) -> Status {
        let request = match self.request() {
            Ok(request) => request,
            Err(error) => return Status::Failed(error.to_string()),
        };
        let answer = match send(&request, Redirects::Follow).await {
            Ok(answer) => answer,
            Err(broken) => return Status::Errored(format!("{broken:?}")),
        };
        let body = serde_json::from_slice::<Value>(&answer.body).unwrap_or_else(|_| json!({}));
        if self.is_old && !body.is_object() {
            return Status::Errored("the body is no map".to_owned());
        }
        let response = json!({"status": answer.status, "body": body});
        let holds = |name: &str| match self.text(name) {
            None => Ok(false),
            Some(expression) => match evaluate(expression, ("response", &response)) {
                Outcome::Value(Value::Bool(holds)) => Ok(holds),
                // Newer versions take a body that is no map for one without a gate.
                Outcome::Error(_) if !body.is_object() => Ok(false),
                Outcome::Value(other) => Err(format!("no boolean: {other}")),
                Outcome::Error(error) => Err(error),
            },
        };
        match (holds("failureExpression"), holds("successExpression")) {
            (Err(error), _) | (_, Err(error)) => Status::Errored(error),
            (Ok(true), _) => {
                let told = self
                    .text("errorExpression")
                    .map(|expression| evaluate(expression, ("response", &response)));
                let reason = match told {
                    Some(Outcome::Value(Value::String(reason))) => reason,
                    _ => String::new(),
                };
                Status::Failed(format!("met failure criteria: {reason:?}"))
            }
            (Ok(false), Ok(true)) => Status::Succeeded,
            (Ok(false), Ok(false)) => Status::Running,
        }
    }

    /// Tries until the step ends: by its verdict, by errors in a row, or by `retry.timeout`.
    ///
    /// # Errors
    ///
    /// When its durations cannot be read, or it would never end.
    pub async fn run(&self, pace: Pace) -> anyhow::Result<Ended> {
        let poll = self
            .text("pollInterval")
            .map_or(Ok(Duration::from_secs(30)), go_duration)?;
        let limit = self
            .retry_timeout
            .context("without retry.timeout it never ends")?;
        let mut errors = 0;
        let mut tries = 0;
        let mut waited = Duration::ZERO;
        loop {
            let status = self.attempt().await;
            tries += 1;
            let is_over = match &status {
                Status::Succeeded | Status::Failed(_) => true,
                Status::Running => {
                    errors = 0;
                    false
                }
                Status::Errored(_) => {
                    errors += 1;
                    errors >= self.error_threshold
                }
            };
            if is_over {
                return Ok(Ended {
                    status,
                    tries,
                    waited,
                });
            }
            waited += poll.max(SHORTEST_POLL);
            if waited >= limit {
                let status = Status::Failed("timed out".to_owned());
                return Ok(Ended {
                    status,
                    tries,
                    waited,
                });
            }
            pace.pass().await;
        }
    }
}

/// The steps of a `Stage` manifest that use `http`.
pub fn http_steps(stage: &Value) -> Vec<&Value> {
    let steps = stage
        .pointer("/spec/promotionTemplate/spec/steps")
        .and_then(Value::as_array);
    steps
        .into_iter()
        .flatten()
        .filter(|step| step.get("uses") == Some(&json!("http")))
        .collect()
}

/// What a template's `vars` stand for.
pub fn vars(stage: &Value) -> Map<String, Value> {
    let listed = stage
        .pointer("/spec/promotionTemplate/spec/vars")
        .and_then(Value::as_array);
    listed
        .into_iter()
        .flatten()
        .filter_map(|pair| {
            Some((
                pair.get("name")?.as_str()?.to_owned(),
                pair.get("value")?.clone(),
            ))
        })
        .collect()
}
