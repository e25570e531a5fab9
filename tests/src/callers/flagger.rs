//! Flagger: the tick of one canary, and the retries of go-retryablehttp.

use std::time::Duration;

use anyhow::Context;
use reqwest::Method;
use serde_json::{Map, Value, json};

use super::argo::go_duration;
use super::http::{Answer, Broken, Redirects, Request, moved_to, send};

/// Where the canary is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Under way.
    Progressing,
    /// At the last weight, not confirmed.
    WaitingPromotion,
    /// The primary has the new version.
    Succeeded,
    /// All traffic is back at the primary.
    Failed,
}

impl Phase {
    fn name(self) -> &'static str {
        match self {
            Self::Progressing => "Progressing",
            Self::WaitingPromotion => "WaitingPromotion",
            Self::Succeeded => "Succeeded",
            Self::Failed => "Failed",
        }
    }
}

/// One call of a webhook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Called {
    /// The webhook's type.
    pub hook: String,
    /// The weight at that time.
    pub weight: u64,
    /// The last status; absent when there was no answer.
    pub status: Option<u16>,
}

/// A canary.
#[derive(Debug, Clone)]
pub struct Canary {
    manifest: Value,
    server: String,
    /// What is rolled out.
    pub checksum: String,
    /// Where it is.
    pub phase: Phase,
    /// The canary's share of the traffic.
    pub weight: u64,
    /// Failures that count.
    pub failed_checks: u64,
    /// Every call so far.
    pub calls: Vec<Called>,
    /// What retries would have waited.
    pub slept: Duration,
}

impl Canary {
    /// A canary whose new version has just been found.
    pub fn new(manifest: &Value, checksum: &str, server: &str) -> Self {
        Self {
            manifest: manifest.clone(),
            server: server.to_owned(),
            checksum: checksum.to_owned(),
            phase: Phase::Progressing,
            weight: 0,
            failed_checks: 0,
            calls: Vec::new(),
            slept: Duration::ZERO,
        }
    }

    /// Asks another server from now on.
    pub fn ask(&mut self, server: &str) {
        server.clone_into(&mut self.server);
    }

    fn analysis(&self, name: &str) -> Option<&Value> {
        self.manifest.pointer(&format!("/spec/analysis/{name}"))
    }

    fn webhooks(&self, kind: &str) -> Vec<Value> {
        let all = self.analysis("webhooks").and_then(Value::as_array);
        all.into_iter()
            .flatten()
            .filter(|hook| hook.get("type") == Some(&json!(kind)))
            .cloned()
            .collect()
    }

    fn weights(&self) -> Vec<u64> {
        let weights = self.analysis("stepWeights").and_then(Value::as_array);
        weights
            .into_iter()
            .flatten()
            .filter_map(Value::as_u64)
            .collect()
    }

    /// How often each type of webhook was called.
    pub fn count(&self, kind: &str) -> usize {
        self.calls.iter().filter(|call| call.hook == kind).count()
    }

    /// The status of the newest call of that type.
    pub fn last(&self, kind: &str) -> Option<u16> {
        self.calls
            .iter()
            .rev()
            .find(|call| call.hook == kind)?
            .status
    }

    /// One tick.
    ///
    /// # Errors
    ///
    /// When the manifest cannot be read.
    pub async fn tick(&mut self) -> anyhow::Result<()> {
        if matches!(self.phase, Phase::Succeeded | Phase::Failed) {
            return Ok(());
        }
        for hook in self.webhooks("rollback") {
            if self.call(&hook).await? {
                return self.fail().await;
            }
        }
        let threshold = self
            .analysis("threshold")
            .and_then(Value::as_u64)
            .unwrap_or(1);
        if self.failed_checks >= threshold {
            return self.fail().await;
        }
        let kind = if self.weight == 0 {
            "pre-rollout"
        } else {
            "rollout"
        };
        for hook in self.webhooks(kind) {
            if !self.call(&hook).await? {
                self.failed_checks += 1;
                return Ok(());
            }
        }
        let weights = self.weights();
        if self.phase == Phase::Progressing {
            for hook in self.webhooks("confirm-traffic-increase") {
                if !self.call(&hook).await? {
                    return Ok(());
                }
            }
            let next = weights.iter().find(|weight| **weight > self.weight);
            if let Some(next) = next {
                self.weight = *next;
                return Ok(());
            }
        }
        for hook in self.webhooks("confirm-promotion") {
            if !self.call(&hook).await? {
                self.phase = Phase::WaitingPromotion;
                return Ok(());
            }
        }
        self.phase = Phase::Succeeded;
        self.weight = 0;
        self.post_rollout().await
    }

    async fn fail(&mut self) -> anyhow::Result<()> {
        self.phase = Phase::Failed;
        self.weight = 0;
        self.post_rollout().await
    }

    /// What fails here is only logged.
    async fn post_rollout(&mut self) -> anyhow::Result<()> {
        for hook in self.webhooks("post-rollout") {
            self.call(&hook).await?;
        }
        Ok(())
    }

    /// The body of a call.
    pub fn payload(&self, hook: &Value) -> Value {
        let name = |field: &str| {
            let pointer = format!("/metadata/{field}");
            self.manifest.pointer(&pointer).cloned().unwrap_or_default()
        };
        let mut payload = Map::from_iter([
            ("name".to_owned(), name("name")),
            ("namespace".to_owned(), name("namespace")),
            ("phase".to_owned(), json!(self.phase.name())),
            ("checksum".to_owned(), json!(self.checksum)),
        ]);
        if let Some(metadata) = hook.get("metadata") {
            payload.insert("metadata".to_owned(), metadata.clone());
        }
        Value::Object(payload)
    }

    /// Calls a webhook, with its retries. Good is a status up to 202.
    ///
    /// # Errors
    ///
    /// When the manifest cannot be read.
    pub async fn call(&mut self, hook: &Value) -> anyhow::Result<bool> {
        let text = |name: &str| hook.get(name).and_then(Value::as_str);
        let request = Request {
            method: Method::POST,
            url: moved_to(text("url").context("no url")?, &self.server)?,
            headers: vec![("Content-Type".to_owned(), "application/json".to_owned())],
            body: Some(self.payload(hook).to_string().into_bytes()),
            timeout: text("timeout").map_or(Ok(Duration::from_secs(10)), go_duration)?,
        };
        let retries = hook.get("retries").and_then(Value::as_u64).unwrap_or(0);
        let mut pause = Duration::from_secs(1);
        let mut tried = 0;
        let answer = loop {
            let answer = send(&request, Redirects::Follow).await;
            if tried >= retries || !is_tried_again(&answer) {
                break answer;
            }
            tried += 1;
            // Obeyed without a cap.
            let asked = answer
                .ok()
                .and_then(|answer| answer.retry_after?.parse().ok());
            self.slept += asked.map_or(pause, Duration::from_secs);
            pause = (pause * 2).min(Duration::from_secs(30));
        };
        let status = answer.ok().map(|answer| answer.status);
        self.calls.push(Called {
            hook: text("type").unwrap_or_default().to_owned(),
            weight: self.weight,
            status,
        });
        Ok(status.is_some_and(|status| status <= 202))
    }
}

fn is_tried_again(answer: &Result<Answer, Broken>) -> bool {
    match answer {
        Ok(answer) => answer.status == 429 || (answer.status >= 500 && answer.status != 501),
        Err(_) => true,
    }
}
