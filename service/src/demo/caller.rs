//! What Argo Rollouts is to a service: it asks the gate of the stage with the body of
//! `examples/argo-rollouts`.

use serde::de::DeserializeOwned;
use serde_json::json;
use serinus_analysis::simulate::Track;
use serinus_fleet::{TEMPLATE_HASH_LABEL, template_hash};
use serinus_openapi::examples;
use serinus_openapi::rollout::{EventList, GateAnswer};

/// Why Serinus does not answer a question of the demo.
#[derive(Debug, thiserror::Error)]
pub(super) enum CallError {
    /// There is no answer.
    #[error("cannot ask the gate: {0}")]
    Ask(#[from] reqwest::Error),
    /// The question is refused.
    #[error("cannot ask the gate: {0}")]
    Refused(String),
}

/// Asks Serinus over HTTP.
#[derive(Debug, Clone)]
pub(super) struct Caller {
    /// Sends the requests.
    pub(super) client: reqwest::Client,
    /// Where Serinus answers: `http://127.0.0.1:8080`.
    pub(super) server: String,
    /// The pipeline's name.
    pub(super) pipeline: String,
}

/// A version that is rolled out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Version {
    /// The service.
    pub(super) service: &'static str,
    /// How often it was rolled out, as Argo counts.
    pub(super) revision: u32,
}

impl Version {
    /// `{pod-template hash}.{revision}`: what Argo calls the rollout.
    pub(super) fn key(&self) -> String {
        let hash = template_hash(self.service, Track::Canary);
        format!("{hash}.{}", self.revision)
    }
}

impl Caller {
    /// Asks the gate of a stage as `examples/argo-rollouts/analysis-template.yaml` does.
    pub(super) async fn ask(
        &self,
        version: &Version,
        stage: &str,
    ) -> Result<GateAnswer, CallError> {
        let population =
            |track| json!({ TEMPLATE_HASH_LABEL: template_hash(version.service, track) });
        let body = json!({
            "key": version.key(),
            "control": population(Track::Stable),
            "canary": population(Track::Canary),
        });
        let (server, pipeline) = (&self.server, &self.pipeline);
        let url = format!("{server}/v1/pipelines/{pipeline}/stages/{stage}/gate");
        read(self.client.post(url).json(&body)).await
    }

    /// What happened to a rollout.
    pub(super) async fn trail(&self, status_url: &str) -> Result<EventList, CallError> {
        read(self.client.get(format!("{status_url}/events"))).await
    }

    /// Puts the pipeline that the examples of the OpenAPI document replace and delete.
    pub(super) async fn put_the_example(&self) -> Result<(), CallError> {
        let url = format!("{}/v1/pipelines/{}", self.server, examples::PIPELINE_TO_PUT);
        let put = self.client.put(url).json(&examples::pipeline_to_put());
        read::<serde_json::Value>(put).await.map(drop)
    }
}

/// Sends a request and reads its answer.
async fn read<T: DeserializeOwned>(request: reqwest::RequestBuilder) -> Result<T, CallError> {
    let response = request.send().await?;
    if response.status().is_success() {
        Ok(response.json().await?)
    } else {
        Err(CallError::Refused(response.text().await?))
    }
}
