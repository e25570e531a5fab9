//! What Flagger's webhooks send.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A call of one of Flagger's webhooks. Fields that are not known are ignored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(expecting = "a JSON object with name, namespace and checksum, as Flagger sends it")]
pub struct FlaggerCall {
    /// The canary's name.
    #[schema(example = "checkout")]
    pub name: String,
    /// Its namespace.
    #[schema(example = "shop")]
    pub namespace: String,
    /// Where Flagger's own state machine is.
    #[serde(default)]
    #[schema(example = "Progressing")]
    pub phase: String,
    /// What is rolled out. With the name and the namespace it is the rollout's key.
    #[schema(example = "6d4f9c7b8")]
    pub checksum: String,
    /// The webhook's own settings: `control.LABEL` and `canary.LABEL` are laid over the pipeline's
    /// populations (`=~web-.*` as the value is a regular expression, and `!=` takes the label away),
    /// `stage` names the stage that `promotion` asks about. Of an event its `eventMessage`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<BTreeMap<String, String>>,
}

impl FlaggerCall {
    /// The rollout's key.
    pub fn key(&self) -> String {
        format!("{}{}", self.family(), self.checksum)
    }

    /// What the keys of all revisions of this canary begin with.
    pub fn family(&self) -> String {
        format!("{}/{}@", self.namespace, self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_flagger_leaves_out_or_adds_is_no_mistake() {
        let sent = r#"{"name": "a", "namespace": "b", "phase": "Progressing", "checksum": "c", "canaryWeight": 5}"#;
        let call: FlaggerCall = serde_json::from_str(sent).unwrap();
        assert_eq!(call.key(), "b/a@c");
        assert_eq!(call.metadata, None);
    }
}
