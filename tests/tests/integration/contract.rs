//! What several subjects say about requests and answers: how an analysis is asked for, and the
//! shape that every answer and every problem has.

use anyhow::Context;
use chrono::{DateTime, SecondsFormat};
use serde_json::{Value, json};
use serinus_tests::{Reply, SerinusProcess, Window};

/// A pipeline of one stage that asks whether the error rates of two tracks differ, in the metrics
/// of the fleets of known truth.
pub(crate) fn error_rate_pipeline() -> Value {
    pipeline_with(
        &json!({"error_rate": {
            "errors": "http_requests_total{code=~\"5..\"}",
            "total": "http_requests_total",
        }}),
        &json!(["error_rate < baseline * 1.1"]),
        1.0,
    )
}

/// A pipeline of one stage with those metrics and checks. Intervals and lag are short, as scrapes
/// come once a second.
pub(crate) fn pipeline_with(metrics: &Value, checks: &Value, duration_minutes: f64) -> Value {
    json!({
        "name": "checkout",
        "metrics": metrics,
        // The tracks of these fleets have equal traffic.
        "analysis": {"method": "wilson", "interval": "5s", "lag": "2s", "split_check": "off"},
        "canary_pipeline": {"only": {
            "name": "Only",
            "traffic_percent": 10,
            "duration_minutes": duration_minutes,
            "metrics": checks,
        }},
    })
}

/// A request for the analysis of an inline pipeline, of the tracks `stable` and `canary`.
pub(crate) fn request(pipeline: &Value, window: Option<Window>) -> anyhow::Result<Value> {
    let mut request = json!({
        "pipeline": pipeline,
        "control": {"track": "stable"},
        "canary": {"track": "canary"},
    });
    if let Some(window) = window {
        set(&mut request, "start", json!(rfc3339(window.start_ms)?));
        set(&mut request, "end", json!(rfc3339(window.end_ms)?));
    }
    Ok(request)
}

/// Sets a field of a JSON object.
pub(crate) fn set(object: &mut Value, field: &str, value: Value) {
    if let Some(fields) = object.as_object_mut() {
        fields.insert(field.to_owned(), value);
    }
}

/// The time as requests carry it.
pub(crate) fn rfc3339(at_ms: i64) -> anyhow::Result<String> {
    let time = DateTime::from_timestamp_millis(at_ms).context("a time out of range")?;
    Ok(time.to_rfc3339_opts(SecondsFormat::Secs, true))
}

/// Asks for an analysis and holds the answer against what every answer has.
pub(crate) async fn analyse(serinus: &SerinusProcess, request: &Value) -> anyhow::Result<Reply> {
    let reply = serinus.post("/v1/analyses", request).await?;
    assert_eq!(reply.status, 200, "{}", reply.body);
    assert_eq!(reply.content_type, "application/json", "{}", reply.body);
    let verdict = reply.text("/verdict");
    assert!(
        ["promote", "hold", "rollback"].contains(&verdict),
        "{}",
        reply.body
    );
    assert_eq!(reply.text("/gate/verdict"), verdict, "{}", reply.body);
    for field in [
        "/gate/reason",
        "/reason_code",
        "/progress",
        "/inputs/digest",
    ] {
        assert!(!reply.text(field).is_empty(), "{field} of {}", reply.body);
    }
    Ok(reply)
}

/// Holds a reply against what every problem document has: a status of the caller's fault, the
/// media type, a stable type, and a detail that says what to change.
pub(crate) fn assert_problem(case: &str, reply: &Reply, status: u16, kind: &str, says: &[&str]) {
    let shown = format!("{case}: {} {}", reply.status, reply.body);
    assert_eq!(reply.status, status, "{shown}");
    assert_eq!(reply.content_type, "application/problem+json", "{shown}");
    assert_eq!(
        reply.text("/type"),
        format!("urn:serinus:problem:{kind}"),
        "{shown}"
    );
    assert_eq!(
        reply.body.pointer("/status"),
        Some(&json!(status)),
        "{shown}"
    );
    let detail = reply.text("/detail");
    assert!(!detail.is_empty() && !detail.ends_with('.'), "{shown}");
    let whole = reply.body.to_string();
    for part in says {
        assert!(whole.contains(part), "{part:?} is missing in {shown}");
    }
}
