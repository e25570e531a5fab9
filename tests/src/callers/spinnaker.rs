//! Orca's webhook stage: a start call, then polling.

use std::time::Duration;

use anyhow::Context;
use reqwest::{Method, Url};
use serde_json::Value;

use super::Pace;
use super::http::{Answer, Broken, Redirects, Request, moved_to, send};

/// How long a start is tried again up to 2026.1, where it cannot be changed.
const OLD_START_TIME: Duration = Duration::from_mins(5);

/// Pause between two tries of a start.
const START_PAUSE: Duration = Duration::from_secs(10);

/// How long polling is fast, and how fast.
const FAST_TIME: Duration = Duration::from_mins(1);
const FAST_PAUSE: Duration = Duration::from_secs(1);
const SLOW_PAUSE: Duration = Duration::from_secs(15);

/// How long a stage lasts unless overridden.
const STAGE_TIME: Duration = Duration::from_hours(1);

/// What the stage, or one task of it, came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// Good.
    Succeeded,
    /// Bad.
    Terminal,
    /// Given up on.
    Canceled,
    /// Asked again.
    Running,
}

/// How a stage ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// What it came to.
    pub status: Status,
    /// How often it polled.
    pub polls: usize,
    /// How often it called to start.
    pub starts: usize,
    /// Where it polled.
    pub polled_url: String,
    /// What the stage shows of the answer that ended it by its status: the problem's text.
    pub error: String,
    /// The status of the answer to `cancelEndpoint`, when it was called.
    pub canceled: Option<u16>,
}

/// A webhook stage, its expressions in `${ }` filled in; what Orca cannot fill in stays as it is.
#[derive(Debug, Clone)]
pub struct Stage {
    settings: Value,
    server: String,
    /// Stands where the status URL points, when that is not where the start was sent.
    pub status_server: Option<String>,
    /// Time that one answer may take.
    pub read_timeout: Duration,
    /// Up to 2026.1 a start is tried again for 5 minutes, since then as long as the stage may last.
    pub is_before_2026_2: bool,
}

impl Stage {
    /// Reads a stage. `values` stand for the `${..}` in it.
    ///
    /// # Errors
    ///
    /// When it is no stage.
    pub fn read(stage: &Value, values: &[(&str, &str)], server: &str) -> anyhow::Result<Self> {
        let mut text = stage.to_string();
        for (name, value) in values {
            text = text.replace(&format!("${{{name}}}"), value);
        }
        Ok(Self {
            settings: serde_json::from_str(&text)?,
            server: server.to_owned(),
            status_server: None,
            read_timeout: Duration::from_secs(20),
            is_before_2026_2: false,
        })
    }

    /// Replaces a setting.
    pub fn set(&mut self, field: &str, value: Value) {
        if let Some(fields) = self.settings.as_object_mut() {
            fields.insert(field.to_owned(), value);
        }
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.settings.get(name).and_then(Value::as_str)
    }

    fn is_set(&self, name: &str) -> bool {
        self.settings
            .get(name)
            .and_then(Value::as_bool)
            .unwrap_or(false)
    }

    fn request(&self, method: Method, url: &str, body: Option<&Value>) -> anyhow::Result<Request> {
        let custom = self
            .settings
            .get("customHeaders")
            .and_then(Value::as_object);
        let mut headers: Vec<(String, String)> = custom
            .into_iter()
            .flatten()
            .filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned())))
            .collect();
        if body.is_some() {
            headers.push(("Content-Type".to_owned(), "application/json".to_owned()));
        }
        Ok(Request {
            method,
            url: moved_to(url, &self.server)?,
            headers,
            body: body.map(|body| body.to_string().into_bytes()),
            timeout: self.read_timeout,
        })
    }

    /// Runs the stage.
    ///
    /// # Errors
    ///
    /// When the stage cannot be read.
    pub async fn run(&self, pace: Pace) -> anyhow::Result<Ended> {
        let mut ended = Ended {
            status: Status::Terminal,
            polls: 0,
            starts: 0,
            polled_url: self.text("url").context("no url")?.to_owned(),
            error: String::new(),
            canceled: None,
        };
        if !is_allowed(&ended.polled_url) {
            return Ok(ended);
        }
        if !self.is_set("monitorOnly") {
            match self.start(pace, &mut ended).await? {
                Some(url) => ended.polled_url = url,
                None => return self.closed(ended).await,
            }
        }
        let limit = self.limit();
        let mut waited = Duration::ZERO;
        loop {
            ended.polls += 1;
            let asked = ended.polled_url.clone();
            ended.status = self.ask(&asked, &mut ended.error).await?;
            if ended.status != Status::Running {
                break;
            }
            waited += if waited < FAST_TIME {
                FAST_PAUSE
            } else {
                SLOW_PAUSE
            };
            if waited >= limit {
                ended.status = Status::Terminal;
                break;
            }
            pace.pass().await;
        }
        self.closed(ended).await
    }

    /// A stage that failed is cancelled too.
    async fn closed(&self, mut ended: Ended) -> anyhow::Result<Ended> {
        if ended.status == Status::Terminal {
            ended.canceled = self.cancel().await?;
        }
        Ok(ended)
    }

    /// How long the stage may last.
    fn limit(&self) -> Duration {
        self.settings
            .get("stageTimeoutMs")
            .and_then(Value::as_u64)
            .filter(|_| self.is_set("overrideTimeout"))
            .map_or(STAGE_TIME, Duration::from_millis)
    }

    /// The start call. Nothing when the stage ends with it.
    async fn start(&self, pace: Pace, ended: &mut Ended) -> anyhow::Result<Option<String>> {
        let url = self.text("url").context("no url")?;
        let limit = if self.is_before_2026_2 {
            OLD_START_TIME
        } else {
            self.limit()
        };
        let mut waited = Duration::ZERO;
        loop {
            ended.starts += 1;
            let method = self.text("method").unwrap_or("POST").parse()?;
            let request = self.request(method, url, self.settings.get("payload"))?;
            if let Ok(answer) = send(&request, Redirects::Follow).await {
                if (200..300).contains(&answer.status) {
                    return Ok(self.status_url(&answer).filter(|url| is_allowed(url)));
                }
                let is_tried_again =
                    answer.status == 429 || (answer.status >= 500 && answer.status != 504);
                if !is_tried_again {
                    ended.error = detail_of(&answer);
                    return Ok(None);
                }
            } else {
                // A refused connection and a POST that timed out end it.
                return Ok(None);
            }
            waited += START_PAUSE;
            if waited >= limit {
                return Ok(None);
            }
            pace.pass().await;
        }
    }

    fn status_url(&self, answer: &Answer) -> Option<String> {
        match self.text("statusUrlResolution")? {
            "webhookResponse" => {
                let body = serde_json::from_slice(&answer.body).ok()?;
                at_path(&body, self.text("statusUrlJsonPath")?)?
                    .as_str()
                    .map(str::to_owned)
            }
            "locationHeader" => answer.location.clone(),
            _ => self.text("url").map(str::to_owned),
        }
    }

    /// Polls once.
    ///
    /// # Errors
    ///
    /// When the stage cannot be read.
    pub async fn poll(&self, url: &str) -> anyhow::Result<Status> {
        self.ask(url, &mut String::new()).await
    }

    async fn ask(&self, url: &str, error: &mut String) -> anyhow::Result<Status> {
        let mut request = self.request(Method::GET, url, None)?;
        if let Some(server) = &self.status_server {
            request.url = moved_to(&request.url, server)?;
        }
        let answer = match send(&request, Redirects::Follow).await {
            Ok(answer) => answer,
            Err(Broken::Timeout) => return Ok(Status::Running),
            Err(_) => return Ok(Status::Terminal),
        };
        if answer.status >= 500 || answer.status == 429 {
            return Ok(Status::Running);
        }
        if !(200..300).contains(&answer.status) {
            *error = detail_of(&answer);
            return Ok(Status::Terminal);
        }
        Ok(self.status_of(&answer).unwrap_or(Status::Terminal))
    }

    /// Reads a 2xx answer; nothing where Orca throws an exception.
    fn status_of(&self, answer: &Answer) -> Option<Status> {
        let Some(path) = self.text("statusJsonPath") else {
            return Some(Status::Succeeded);
        };
        // Read by its Content-Type: a page is a text, and a text has no path.
        if !answer.content_type.starts_with("application/json") {
            return None;
        }
        let body: Value = serde_json::from_slice(&answer.body).ok()?;
        let found = at_path(&body, path)?;
        if let Some(path) = self.text("progressJsonPath") {
            at_path(&body, path)?.as_str()?;
        }
        let text = match found {
            Value::String(text) => text.clone(),
            Value::Bool(flag) => flag.to_string(),
            Value::Number(number) => {
                let is_done = number
                    .as_f64()
                    .is_some_and(|percent| (percent - 100.0).abs() < 1e-9);
                return Some(if is_done {
                    Status::Succeeded
                } else {
                    Status::Running
                });
            }
            Value::Null | Value::Array(_) | Value::Object(_) => return None,
        };
        let listed = |name: &str| {
            let names = self.text(name).unwrap_or_default().split(',');
            names
                .map(str::trim)
                .any(|name| name.eq_ignore_ascii_case(&text))
        };
        self.text("successStatuses")?;
        Some(if listed("successStatuses") {
            Status::Succeeded
        } else if listed("canceledStatuses") {
            Status::Canceled
        } else if listed("terminalStatuses") {
            Status::Terminal
        } else {
            Status::Running
        })
    }

    /// Calls `cancelEndpoint`, if there is one: best effort, whatever is answered. A person who
    /// cancels the stage does it too.
    ///
    /// # Errors
    ///
    /// When the stage cannot be read.
    pub async fn cancel(&self) -> anyhow::Result<Option<u16>> {
        let Some(url) = self.text("cancelEndpoint") else {
            return Ok(None);
        };
        let request = self.request(Method::POST, url, None)?;
        let answer = send(&request, Redirects::Follow).await;
        Ok(answer.ok().map(|answer| answer.status))
    }
}

/// What the stage shows of an answer that is an error.
fn detail_of(answer: &Answer) -> String {
    let problem: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let detail = problem.get("detail").and_then(Value::as_str);
    detail.unwrap_or_default().to_owned()
}

/// Where Orca lets a URL point, as it is set up by default.
pub fn is_allowed(url: &str) -> bool {
    let Ok(url) = url.parse::<Url>() else {
        return false;
    };
    let Some(host) = url.host_str() else {
        return false;
    };
    let is_address = host.parse::<std::net::IpAddr>().is_ok() || host.starts_with('[');
    let is_internal = [".spinnaker", ".local", ".localdomain", ".internal"]
        .iter()
        .any(|end| host.ends_with(end));
    matches!(url.scheme(), "http" | "https") && host.contains('.') && !is_address && !is_internal
}

fn at_path<'a>(document: &'a Value, path: &str) -> Option<&'a Value> {
    let mut at = document;
    for name in path.strip_prefix('$')?.split('.').skip(1) {
        at = at.as_object()?.get(name)?;
    }
    Some(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orca_refuses_names_without_a_dot_addresses_and_its_own_cluster() {
        for url in [
            "http://serinus:8080/x",
            "http://serinus.serinus.svc.cluster.local/x",
            "http://10.0.0.1/x",
            "http://localhost/x",
            "/v1/rollouts/1",
        ] {
            assert!(!is_allowed(url), "{url}");
        }
        assert!(is_allowed("http://serinus.serinus.svc:8080/x"));
        assert!(is_allowed("https://serinus.example.com/x"));
    }
}
