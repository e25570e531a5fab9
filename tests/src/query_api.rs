//! Asks what Prometheus and VictoriaMetrics both answer.

use anyhow::{Context, bail};
use serde_json::Value;

/// The query API of a running source.
#[derive(Debug, Clone)]
pub struct QueryApi {
    name: &'static str,
    url: String,
    client: reqwest::Client,
}

impl QueryApi {
    /// The API at a base URL without a slash at its end. The name is that by which a fleet knows
    /// the source.
    pub(crate) fn new(name: &'static str, url: &str, client: &reqwest::Client) -> Self {
        Self {
            name,
            url: url.to_owned(),
            client: client.clone(),
        }
    }

    /// The name by which a fleet knows the source.
    pub(crate) fn name(&self) -> &'static str {
        self.name
    }

    /// Evaluates a query at one instant and returns `data.result`.
    ///
    /// # Errors
    ///
    /// When the source does not answer or refuses the query.
    pub async fn query(&self, promql: &str, at_ms: i64) -> anyhow::Result<Vec<Value>> {
        let time = seconds(at_ms);
        let response = self
            .client
            .post(format!("{}/api/v1/query", self.url))
            // Without its cache VictoriaMetrics answers what was asked for, at the times asked for.
            .form(&[("query", promql), ("time", &time), ("nocache", "1")])
            .send()
            .await?;
        let answer: Value = response.json().await?;
        if answer.pointer("/status").and_then(Value::as_str) != Some("success") {
            bail!("{} refuses {promql:?}: {answer}", self.name);
        }
        answer
            .pointer("/data/result")
            .and_then(Value::as_array)
            .cloned()
            .with_context(|| format!("no result in {answer}"))
    }
}

/// Formats milliseconds as the decimal seconds that sources read.
fn seconds(milliseconds: i64) -> String {
    format!(
        "{}.{:03}",
        milliseconds.div_euclid(1_000),
        milliseconds.rem_euclid(1_000)
    )
}
