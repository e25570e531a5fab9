//! Flagger: the tick of one canary, the events that it tells, and the retries of go-retryablehttp.

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
    /// Ticks of a canary without traffic steps so far.
    pub iterations: u64,
    /// What is deployed and not yet noticed: the checksum that a canary gets with its next tick.
    pub deployed: Option<String>,
    /// Whether the next write of the routes is refused.
    pub is_route_refused: bool,
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
            iterations: 0,
            deployed: None,
            is_route_refused: false,
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

    fn number(&self, name: &str) -> u64 {
        let given = self.analysis(name).and_then(Value::as_u64);
        given.unwrap_or_default()
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
        let is_over = matches!(self.phase, Phase::Succeeded | Phase::Failed);
        if let Some(checksum) = self.deployed.take() {
            return self.begin(checksum, is_over).await;
        }
        if is_over {
            return Ok(());
        }
        for hook in self.webhooks("rollback") {
            if self.call(&hook).await? {
                self.event("Rollback check {hook} passed").await?;
                return self.fail().await;
            }
            self.event("Rollback hook {hook} not signaling a rollback")
                .await?;
        }
        if self.failed_checks >= self.number("threshold").max(1) {
            return self.fail().await;
        }
        let has_begun = self.weight > 0 || self.iterations > 0;
        if !has_begun {
            self.event("Starting canary analysis for {canary}").await?;
        }
        let kind = if has_begun { "rollout" } else { "pre-rollout" };
        for hook in self.webhooks(kind) {
            if !self.call(&hook).await? {
                self.failed_checks += 1;
                return Ok(());
            }
        }
        if self.number("iterations") > 0 {
            self.blue_green().await
        } else {
            self.progressive().await
        }
    }

    /// A revision that was not there before. Until its status is written, events have the old checksum.
    async fn begin(&mut self, checksum: String, is_over: bool) -> anyhow::Result<()> {
        let what = if is_over {
            "Scaling up"
        } else {
            "Restarting analysis for"
        };
        self.event(&format!("New revision detected! {what} {{canary}}"))
            .await?;
        self.checksum = checksum;
        self.phase = Phase::Progressing;
        (self.weight, self.failed_checks, self.iterations) = (0, 0, 0);
        Ok(())
    }

    /// The canary strategy: one weight after the other.
    async fn progressive(&mut self) -> anyhow::Result<()> {
        if self.phase == Phase::Progressing {
            if !self.is_confirmed("confirm-traffic-increase").await? {
                return Ok(());
            }
            let weights = self.weights();
            if let Some(next) = weights.iter().find(|weight| **weight > self.weight) {
                if std::mem::take(&mut self.is_route_refused) {
                    return self.event("the object has been modified").await;
                }
                self.weight = *next;
                return self
                    .event(&format!("Advance {{canary}} canary weight {next}"))
                    .await;
            }
        }
        if !self.is_confirmed("confirm-promotion").await? {
            self.phase = Phase::WaitingPromotion;
            return Ok(());
        }
        self.promote().await
    }

    /// Blue/green: so many ticks, then all traffic at once, and the promotion one tick later.
    async fn blue_green(&mut self) -> anyhow::Result<()> {
        let all = self.number("iterations");
        if self.iterations < all {
            self.iterations += 1;
            let done = self.iterations;
            return self
                .event(&format!("Advance {{canary}} canary iteration {done}/{all}"))
                .await;
        }
        if !self.is_confirmed("confirm-promotion").await? {
            self.phase = Phase::WaitingPromotion;
            return Ok(());
        }
        if self.iterations == all {
            self.event("Routing all traffic to canary").await?;
            self.weight = 100;
            self.iterations += 1;
            return Ok(());
        }
        self.promote().await
    }

    /// Asks the webhooks of a type that may hold.
    async fn is_confirmed(&mut self, kind: &str) -> anyhow::Result<bool> {
        for hook in self.webhooks(kind) {
            if !self.call(&hook).await? {
                self.event("Halt {canary} advancement waiting for approval {hook}")
                    .await?;
                return Ok(false);
            }
            self.event("check {hook} passed").await?;
        }
        Ok(true)
    }

    async fn promote(&mut self) -> anyhow::Result<()> {
        self.event("Routing all traffic to primary").await?;
        self.phase = Phase::Succeeded;
        self.weight = 0;
        self.post_rollout().await?;
        self.event("Promotion completed! Scaling down {canary}")
            .await
    }

    async fn fail(&mut self) -> anyhow::Result<()> {
        self.event("Canary failed! Scaling down {canary}").await?;
        self.phase = Phase::Failed;
        self.weight = 0;
        self.post_rollout().await
    }

    /// What fails here is only logged.
    async fn post_rollout(&mut self) -> anyhow::Result<()> {
        for hook in self.webhooks("post-rollout") {
            self.call(&hook).await?;
            self.event("Post-rollout check {hook} passed").await?;
        }
        Ok(())
    }

    /// Tells an event. What fails here is only logged; the time-out is its own.
    async fn event(&mut self, message: &str) -> anyhow::Result<()> {
        let name = |field: &str| {
            let value = self.manifest.pointer(&format!("/metadata/{field}"));
            value.and_then(Value::as_str).unwrap_or_default()
        };
        let canary = format!("{}.{}", name("name"), name("namespace"));
        let message = message
            .replace("{canary}", &canary)
            .replace("{hook}", "serinus");
        for hook in self.webhooks("event") {
            let told = json!({
                "eventMessage": message, "eventType": "Normal", "timestamp": "1763802000000",
            });
            let given = hook.get("metadata").and_then(Value::as_object);
            let mut metadata = given.cloned().unwrap_or_default();
            metadata.extend(told.as_object().cloned().unwrap_or_default());
            let mut hook = hook.as_object().cloned().unwrap_or_default();
            hook.insert("timeout".to_owned(), json!("5s"));
            hook.insert("metadata".to_owned(), Value::Object(metadata));
            self.call(&Value::Object(hook)).await?;
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
