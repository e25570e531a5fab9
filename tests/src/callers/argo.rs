//! Argo Rollouts with its `web` metric provider, read in the source of v1.9.1 and of master.

use std::time::Duration;

use anyhow::{Context, bail};
use serde_json::Value;

use super::Pace;
use super::expression::{Outcome, evaluate};
use super::http::{Redirects, Request, moved_to, send};

/// How long Argo waits after an error, whatever the interval is.
const ERROR_INTERVAL: Duration = Duration::from_secs(10);

/// Time-out of a measurement that names none.
const DEFAULT_TIMEOUT_SECONDS: i64 = 10;

/// Errors in a row that are tolerated unless the template says otherwise.
const DEFAULT_CONSECUTIVE_ERRORS: i64 = 4;

/// Which Argo.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Version {
    /// Up to v1.9.1 every 2xx that is not JSON is a success (argo-rollouts#4535).
    pub non_json_is_successful: bool,
}

impl Version {
    /// v1.9.1, v1.10.0-rc1 and all before.
    pub const V1_9_1: Self = Self {
        non_json_is_successful: true,
    };
    /// The main branch since argo-rollouts#4770.
    pub const MASTER: Self = Self {
        non_json_is_successful: false,
    };
}

/// What one measurement, or a whole metric, came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Good.
    Successful,
    /// Neither good nor bad.
    Inconclusive,
    /// Could not be measured.
    Error,
    /// Bad.
    Failed,
}

impl Phase {
    /// What the rollout does when an inline step ends so.
    pub fn rollout(self) -> &'static str {
        match self {
            Self::Successful => "goes on",
            Self::Inconclusive => "pauses",
            Self::Error | Self::Failed => "aborts",
        }
    }
}

/// One measurement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Measurement {
    /// What it came to.
    pub phase: Phase,
    /// What is kept in etcd and shown: JSON with sorted keys.
    pub value: String,
}

/// How a metric ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// What it came to.
    pub phase: Phase,
    /// Every measurement.
    pub measurements: Vec<Measurement>,
    /// Time from the first measurement to the last, were nobody slow.
    pub waited: Duration,
}

impl Run {
    /// How often it was measured.
    pub fn polls(&self) -> usize {
        self.measurements.len()
    }
}

/// One metric of an `AnalysisTemplate` with a `web` provider, its arguments filled in.
#[derive(Debug, Clone)]
pub struct Metric {
    web: Value,
    server: String,
    success: Option<String>,
    failure: Option<String>,
    /// Pause between two measurements.
    pub interval: Duration,
    /// Measurements at most; without end when 0.
    pub count: i64,
    /// Failures that are tolerated; -1 for any number.
    pub failure_limit: i64,
    /// Inconclusive measurements that are tolerated.
    pub inconclusive_limit: i64,
    /// Errors in a row that are tolerated.
    pub consecutive_error_limit: i64,
    /// Successes in a row that end it; 0 for none.
    pub consecutive_success_limit: i64,
}

impl Metric {
    /// Reads the only metric of a template. `server` stands where the template's server is.
    ///
    /// # Errors
    ///
    /// What Argo's validation says of a template that it refuses.
    pub fn of_template(
        template: &Value,
        arguments: &[(&str, &str)],
        server: &str,
    ) -> anyhow::Result<Self> {
        let metrics = template
            .pointer("/spec/metrics")
            .and_then(Value::as_array)
            .context("no metrics")?;
        let [metric] = metrics.as_slice() else {
            bail!("the simulator knows templates of one metric");
        };
        let metric = filled(metric, &all_arguments(template, arguments)?)?;
        let limit = |name: &str, default: i64| match metric.get(name) {
            None => Ok(default),
            Some(Value::Number(number)) => number.as_i64().context("no whole number"),
            // What is templated is a text.
            Some(Value::String(text)) => text.parse().with_context(|| format!("{name}: {text}")),
            Some(other) => bail!("{name}: {other}"),
        };
        let text = |name: &str| metric.get(name).and_then(Value::as_str).map(str::to_owned);
        let metric = Self {
            web: metric
                .pointer("/provider/web")
                .cloned()
                .context("no web provider")?,
            server: server.to_owned(),
            success: text("successCondition"),
            failure: text("failureCondition"),
            interval: text("interval").map_or(Ok(Duration::ZERO), |text| go_duration(&text))?,
            count: limit("count", 0)?,
            failure_limit: limit("failureLimit", 0)?,
            inconclusive_limit: limit("inconclusiveLimit", 0)?,
            consecutive_error_limit: limit("consecutiveErrorLimit", DEFAULT_CONSECUTIVE_ERRORS)?,
            consecutive_success_limit: limit("consecutiveSuccessLimit", 0)?,
        };
        metric.validate()?;
        Ok(metric)
    }

    fn validate(&self) -> anyhow::Result<()> {
        let effective = if self.count == 0 && self.interval.is_zero() {
            1
        } else {
            self.count
        };
        if effective == 0 {
            bail!("runs indefinitely");
        }
        if effective < self.inconclusive_limit {
            bail!("count must be >= inconclusiveLimit");
        }
        if effective < self.failure_limit + self.consecutive_success_limit {
            bail!("count must be >= failureLimit + consecutiveSuccessLimit");
        }
        if self.count > 1 && self.interval.is_zero() {
            bail!("interval must be specified when count > 1");
        }
        Ok(())
    }

    /// The time-out of a measurement.
    pub fn timeout(&self) -> Duration {
        let seconds = self.web.get("timeoutSeconds").and_then(Value::as_i64);
        let seconds = seconds.filter(|seconds| *seconds > 0);
        Duration::from_secs(seconds.unwrap_or(DEFAULT_TIMEOUT_SECONDS).unsigned_abs())
    }

    /// Replaces a field of the provider.
    pub fn set_web(&mut self, field: &str, value: Value) {
        if let Some(fields) = self.web.as_object_mut() {
            if value.is_null() {
                fields.remove(field);
            } else {
                fields.insert(field.to_owned(), value);
            }
        }
    }

    /// Replaces a field of the provider's `jsonBody`.
    pub fn set_body(&mut self, field: &str, value: Value) {
        if let Some(fields) = self.web.get_mut("jsonBody").and_then(Value::as_object_mut) {
            fields.insert(field.to_owned(), value);
        }
    }

    /// Asks another server from now on.
    pub fn ask(&mut self, server: &str) {
        server.clone_into(&mut self.server);
    }

    fn request(&self) -> anyhow::Result<Request> {
        let text = |name: &str| self.web.get(name).and_then(Value::as_str);
        let method = text("method").unwrap_or("GET");
        let url = moved_to(text("url").context("no url")?, &self.server)?;
        let mut headers = Vec::new();
        for header in self
            .web
            .get("headers")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
        {
            let part = |name: &str| header.get(name).and_then(Value::as_str).unwrap_or_default();
            headers.push((part("key").to_owned(), part("value").to_owned()));
        }
        let body = match (text("body"), self.web.get("jsonBody")) {
            (Some(_), Some(_)) => bail!("use either Body or JSONBody; both cannot exist"),
            (Some(_), None) | (None, Some(_)) if method == "GET" => {
                bail!("Body/JSONBody can only be used with POST or PUT")
            }
            (Some(text), None) => Some(text.as_bytes().to_vec()),
            (None, Some(json)) => {
                headers.push(("Content-Type".to_owned(), "application/json".to_owned()));
                Some(json.to_string().into_bytes())
            }
            (None, None) => None,
        };
        Ok(Request {
            method: method.parse()?,
            url,
            headers,
            body,
            timeout: self.timeout(),
        })
    }

    /// Measures once.
    pub async fn measure(&self, version: Version) -> Measurement {
        let error = |text: String| Measurement {
            phase: Phase::Error,
            value: text,
        };
        let request = match self.request() {
            Ok(request) => request,
            Err(problem) => return error(problem.to_string()),
        };
        let answer = match send(&request, Redirects::Follow).await {
            Ok(answer) => answer,
            Err(broken) => return error(format!("{broken:?}")),
        };
        if !(200..300).contains(&answer.status) {
            return error(format!("received non 2xx response code: {}", answer.status));
        }
        let Ok(document) = serde_json::from_slice::<Value>(&answer.body) else {
            let text = String::from_utf8_lossy(&answer.body).into_owned();
            if version.non_json_is_successful {
                return Measurement {
                    phase: Phase::Successful,
                    value: text,
                };
            }
            return self.judged(&Value::String(text));
        };
        let path = self.web.get("jsonPath").and_then(Value::as_str);
        match at_path(&document, path.unwrap_or("{$}")) {
            Some(result) => self.judged(&result),
            None => error("Could not find JSONPath in body".to_owned()),
        }
    }

    fn judged(&self, result: &Value) -> Measurement {
        let value = result.to_string();
        let holds = |condition: &Option<String>| match condition {
            None => Ok(None),
            Some(text) => match evaluate(text, ("result", result)) {
                Outcome::Value(Value::Bool(holds)) => Ok(Some(holds)),
                Outcome::Value(other) => Err(format!("expected bool, but got {other}")),
                Outcome::Error(error) => Err(error),
            },
        };
        let phase = match (holds(&self.success), holds(&self.failure)) {
            (Err(error), _) | (_, Err(error)) => {
                return Measurement {
                    phase: Phase::Error,
                    value: error,
                };
            }
            (_, Ok(Some(true))) | (Ok(Some(false)), Ok(None)) => Phase::Failed,
            (Ok(Some(false)), Ok(Some(false))) => Phase::Inconclusive,
            (Ok(Some(true) | None), Ok(_)) => Phase::Successful,
        };
        Measurement { phase, value }
    }

    /// Measures until the metric ends. `before` is told the number of each measurement, from 1.
    ///
    /// # Errors
    ///
    /// That of `before`.
    pub async fn run(
        &mut self,
        version: Version,
        pace: Pace,
        mut before: impl AsyncFnMut(usize, &mut Self) -> anyhow::Result<()>,
    ) -> anyhow::Result<Run> {
        let mut counted = Counted::default();
        let mut measurements = Vec::new();
        let mut waited = Duration::ZERO;
        loop {
            before(measurements.len() + 1, self).await?;
            let measurement = self.measure(version).await;
            let phase = measurement.phase;
            measurements.push(measurement);
            if let Some(phase) = counted.take(phase, self) {
                return Ok(Run {
                    phase,
                    measurements,
                    waited,
                });
            }
            waited += if phase == Phase::Error {
                ERROR_INTERVAL
            } else {
                self.interval
            };
            pace.pass().await;
        }
    }
}

/// The counters of one metric.
#[derive(Debug, Default)]
struct Counted {
    count: i64,
    failed: i64,
    inconclusive: i64,
    consecutive_success: i64,
    consecutive_error: i64,
}

impl Counted {
    /// Counts a measurement, and says how the metric ends if it does. Of the limits the last that
    /// is broken wins.
    fn take(&mut self, phase: Phase, metric: &Metric) -> Option<Phase> {
        match phase {
            Phase::Error => {
                self.consecutive_error += 1;
                self.consecutive_success = 0;
            }
            Phase::Successful => {
                self.count += 1;
                self.consecutive_success += 1;
                self.consecutive_error = 0;
            }
            Phase::Failed | Phase::Inconclusive => {
                self.count += 1;
                self.consecutive_success = 0;
                self.consecutive_error = 0;
                if phase == Phase::Failed {
                    self.failed += 1;
                } else {
                    self.inconclusive += 1;
                }
            }
        }
        let mut ended = None;
        if metric.failure_limit != -1 && self.failed > metric.failure_limit {
            ended = Some(Phase::Failed);
        }
        if self.inconclusive > metric.inconclusive_limit {
            ended = Some(Phase::Inconclusive);
        }
        if self.consecutive_error > metric.consecutive_error_limit {
            ended = Some(Phase::Error);
        }
        if ended.is_some() {
            return ended;
        }
        let success_limit = metric.consecutive_success_limit;
        if success_limit > 0 && self.consecutive_success >= success_limit {
            return Some(Phase::Successful);
        }
        let count = if metric.count == 0 { 1 } else { metric.count };
        if self.count < count {
            return None;
        }
        Some(match (success_limit, metric.failure_limit) {
            (0, _) => Phase::Successful,
            (_, -1) => Phase::Failed,
            _ => Phase::Inconclusive,
        })
    }
}

fn all_arguments(
    template: &Value,
    given: &[(&str, &str)],
) -> anyhow::Result<Vec<(String, String)>> {
    let declared = template.pointer("/spec/args").and_then(Value::as_array);
    let mut all = Vec::new();
    for argument in declared.into_iter().flatten() {
        let name = argument
            .get("name")
            .and_then(Value::as_str)
            .context("no name")?;
        let is_secret = argument.pointer("/valueFrom/secretKeyRef").is_some();
        let value = given
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, value)| *value)
            .or_else(|| argument.get("value").and_then(Value::as_str))
            .or_else(|| is_secret.then_some("a-token"));
        let value = value.with_context(|| format!("args.{name} was not resolved"))?;
        all.push((name.to_owned(), value.to_owned()));
    }
    for (name, _) in given {
        if !all.iter().any(|(known, _)| known == name) {
            bail!("the template has no argument {name}");
        }
    }
    Ok(all)
}

/// Puts the arguments in, in every text.
fn filled(value: &Value, arguments: &[(String, String)]) -> anyhow::Result<Value> {
    Ok(match value {
        Value::String(text) => {
            let mut text = text.clone();
            for (name, value) in arguments {
                text = text.replace(&format!("{{{{args.{name}}}}}"), value);
            }
            if text.contains("{{") {
                bail!("failed to resolve {text}");
            }
            Value::String(text)
        }
        Value::Array(items) => items
            .iter()
            .map(|item| filled(item, arguments))
            .collect::<anyhow::Result<Vec<_>>>()?
            .into(),
        Value::Object(fields) => fields
            .iter()
            .map(|(name, value)| Ok((name.clone(), filled(value, arguments)?)))
            .collect::<anyhow::Result<serde_json::Map<_, _>>>()?
            .into(),
        other => other.clone(),
    })
}

/// The first match of the part of Kubernetes' `JSONPath` that the manifests use.
fn at_path(document: &Value, path: &str) -> Option<Value> {
    let inner = path.strip_prefix("{$")?.strip_suffix('}')?;
    let mut at = document;
    for name in inner.split('.').skip(1) {
        at = at.as_object()?.get(name)?;
    }
    Some(at.clone())
}

/// Reads `30s`, `5m`, `4h50m`.
pub(super) fn go_duration(text: &str) -> anyhow::Result<Duration> {
    let mut total = 0.0;
    let mut number = String::new();
    for character in text.chars() {
        let unit_seconds = match character {
            'h' => 3_600.0,
            'm' => 60.0,
            's' => 1.0,
            _ => {
                number.push(character);
                continue;
            }
        };
        let count: f64 = number
            .parse()
            .with_context(|| format!("no duration: {text}"))?;
        total += count * unit_seconds;
        number.clear();
    }
    if !number.is_empty() {
        bail!("missing unit in duration {text}");
    }
    Ok(Duration::from_secs_f64(total))
}
