//! Examples for the document. Those of `POST /v1/analyses` run against the demo as they stand.

use serde_json::{Value, json};

/// A canary that is as good as its control.
pub fn good_canary() -> Value {
    json!({
        "pipeline": "canary_pipeline",
        "stage": "stage_4.2",
        "control": {"service": "catalog", "track": "stable"},
        "canary": {"service": "catalog", "track": "canary"}
    })
}

/// A canary that is worse.
pub fn bad_canary() -> Value {
    json!({
        "pipeline": "canary_pipeline",
        "stage": "stage_4.2",
        "control": {"service": "billing", "track": "stable"},
        "canary": {"service": "billing", "track": "canary"}
    })
}

/// A pipeline sent with the request.
pub fn inline_pipeline() -> Value {
    json!({
        "pipeline_yaml": PIPELINE_YAML,
        "control": {"service": "catalog", "track": "stable"},
        "canary": {"service": "catalog", "track": {"=~": "canary.*"}}
    })
}

/// A pipeline file with one stage.
pub const PIPELINE_YAML: &str = "\
name: checkout
canary_pipeline:
  first:
    name: First share
    traffic_percent: 10
    duration_minutes: 60
    metrics:
      - error_rate < baseline * 1.1
      - latency_p99 < 400ms
";

/// The name of a pipeline to put, and to delete.
pub const PIPELINE_TO_PUT: &str = "shop";

/// A pipeline to put.
pub const PIPELINE_TO_PUT_YAML: &str = "\
name: shop
canary_pipeline:
  first:
    name: First share
    traffic_percent: 10
    duration_minutes: 60
    metrics:
      - error_rate < baseline * 1.1
";

/// The same, in JSON.
pub fn pipeline_to_put() -> Value {
    json!({ "pipeline_yaml": PIPELINE_TO_PUT_YAML })
}

/// A pipeline to look through.
pub fn valid_pipeline() -> Value {
    json!({ "pipeline_yaml": PIPELINE_YAML })
}

/// A pipeline with two mistakes.
pub fn pipeline_with_mistakes() -> Value {
    json!({
        "pipeline_yaml": "\
canary_pipeline:
  first:
    trafic_percent: 5
    duration_minutes: 60
    metrics:
      - eror_rate < baseline * 1.1
"
    })
}

/// The answer for a stage that is still undecided.
pub fn hold_answer() -> Value {
    json!({
        "verdict": "hold",
        "gate": {
            "verdict": "hold",
            "reason": "error_rate undecided: 1,140 of about 5,200 canary requests"
        },
        "reason_code": "undecided",
        "progress": "stage 2 of 9, 41 of 240 minutes",
        "pipeline": "canary_pipeline",
        "stage": "stage_2",
        "dry_run": false,
        "traffic_percent": 0.1,
        "rollback_to_percent": 0,
        "window": {
            "start": "2026-11-22T09:00:00Z",
            "end": "2026-11-22T09:41:00Z",
            "interval_seconds": 30,
            "intervals": 82,
            "missing": 0
        },
        "history": {
            "start": "2026-11-21T09:00:00Z",
            "end": "2026-11-22T09:00:00Z",
            "intervals": 2871,
            "canary_targets": 1,
            "control_targets": 19,
            "canary_share": 0.049
        },
        "checks": [{
            "metric": "error_rate",
            "condition": "error_rate < baseline * 1.1",
            "outcome": "undecided",
            "method": "wilson",
            "reason_code": "undecided",
            "reason": "error_rate undecided: 1,140 of about 5,200 canary requests",
            "critical": true,
            "warn_only": false,
            "may_roll_back": true,
            "counts": true,
            "control": {
                "events": 812, "total": 402_113, "estimate": 0.002_019,
                "interval": [0.001_84, 0.002_21]
            },
            "canary": {
                "events": 3, "total": 1140, "estimate": 0.002_63,
                "interval": [0.0007, 0.0094]
            },
            "ratio": {"estimate": 1.3, "interval": [0.4, 4.1], "confidence": 0.99},
            "wilson": {
                "confidence": 0.99, "classification": "neutral", "difference": [-0.0013, 0.0074]
            },
            "needs": {"canary_requests": 5200, "projected_at": "2026-11-22T11:10:00Z"}
        }],
        "warnings": [],
        "inputs": {
            "queries": [{
                "metric": "error_rate",
                "promql": "http_requests_total{service=\"catalog\"}[15m30s]",
                "series": 6,
                "samples": 498
            }],
            "digest":
                "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
        }
    })
}

/// The id of a rollout: the one that the demo rolls back.
pub const ROLLOUT_ID: &str = "0198f0c2-7a54-7c3e-9d8a-0123456789ab";

/// The id of a rollout that can be moved and decided: the one that the demo leaves open.
pub const OPEN_ROLLOUT_ID: &str = "0198f0c2-7a54-7c3e-9d8a-0123456789ac";

/// The stage at which the demo leaves it.
pub const OPEN_STAGE: &str = "stage_4.2";

/// The stage after that one.
pub const NEXT_STAGE: &str = "stage_4.3";

/// A call of a gate, as Argo Rollouts makes it.
pub fn gate_request() -> Value {
    json!({
        "key": "6d4f9.7",
        "control": {"rollouts_pod_template_hash": "5c8f7"},
        "canary": {"rollouts_pod_template_hash": "6d4f9"},
    })
}

/// A call of a webhook of Flagger.
pub fn flagger_call() -> Value {
    json!({
        "name": "checkout",
        "namespace": "shop",
        "phase": "Progressing",
        "checksum": "6d4f9c7b8",
        "metadata": {"control.track": "stable", "canary.track": "canary"},
    })
}

/// An event that Flagger tells.
pub fn flagger_event() -> Value {
    json!({
        "name": "checkout",
        "namespace": "shop",
        "phase": "Progressing",
        "checksum": "6d4f9c7b8",
        "metadata": {
            "eventMessage": "Advance checkout.shop canary weight 25",
            "eventType": "Normal",
        },
    })
}

/// A key to cancel.
pub fn cancel_by_key() -> Value {
    json!({"key": "6d4f9.7"})
}

/// A rollout to start.
pub fn start_request() -> Value {
    json!({
        "pipeline": "canary_pipeline",
        "key": "6d4f9.7",
        "control": {"rollouts_pod_template_hash": "5c8f7"},
        "canary": {"rollouts_pod_template_hash": "6d4f9"},
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::{AnalysisAnswer, AnalysisRequest};
    use crate::flagger::FlaggerCall;
    use crate::pipeline::ValidateRequest;
    use crate::rollout::{GateRequest, StartRequest};

    #[test]
    fn the_examples_are_what_the_operations_take() {
        for example in [good_canary(), bad_canary(), inline_pipeline()] {
            let request: AnalysisRequest = serde_json::from_value(example).unwrap();
            for population in [request.control, request.canary] {
                assert!(!population.unwrap().to_matchers().unwrap().is_empty());
            }
        }
        for example in [
            valid_pipeline(),
            pipeline_with_mistakes(),
            pipeline_to_put(),
        ] {
            let request: ValidateRequest = serde_json::from_value(example).unwrap();
            assert!(request.pipeline_yaml.is_some());
        }
    }

    #[test]
    fn the_examples_of_rollouts_are_what_the_operations_take() {
        let call: GateRequest = serde_json::from_value(gate_request()).unwrap();
        let start: StartRequest = serde_json::from_value(start_request()).unwrap();
        assert_eq!(call.key, Some(start.key));
        let hook: FlaggerCall = serde_json::from_value(flagger_call()).unwrap();
        assert_eq!(hook.key(), "shop/checkout@6d4f9c7b8");
    }

    #[test]
    fn the_answer_is_what_is_answered() {
        let answer: AnalysisAnswer = serde_json::from_value(hold_answer()).unwrap();
        assert_eq!(serde_json::to_value(answer).unwrap(), hold_answer());
    }
}
