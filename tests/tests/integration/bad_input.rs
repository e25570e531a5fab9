//! Whatever a caller gets wrong is a problem document that says what to change.

use reqwest::Method;
use serde_json::{Value, json};
use serinus_tests::{Fault, FaultyUpstream, Reply, SerinusProcess, Window, now_ms};

use crate::contract::{
    analyse, assert_problem, error_rate_pipeline, pipeline_with, request, rfc3339, set,
};

const HOUR_MS: i64 = 3_600_000;

/// A service on a Prometheus that answers well: what is refused is the caller's fault alone.
async fn start() -> anyhow::Result<(FaultyUpstream, SerinusProcess)> {
    let upstream = FaultyUpstream::start(Fault::None).await?;
    let serinus = SerinusProcess::serve(upstream.url()).await?;
    Ok((upstream, serinus))
}

/// A request that is answered as it stands, with one field set to something else.
fn request_with(field: &str, value: Value) -> anyhow::Result<Value> {
    let mut request = request(&error_rate_pipeline(), None)?;
    set(&mut request, field, value);
    Ok(request)
}

/// A request with a pipeline whose `error_rate` counts that as errors.
fn request_with_promql(promql: &str) -> anyhow::Result<Value> {
    let metrics = json!({"error_rate": {"errors": promql, "total": "http_requests_total"}});
    let checks = json!(["error_rate < 5%"]);
    request(&pipeline_with(&metrics, &checks, 1.0), None)
}

async fn send_text(
    serinus: &SerinusProcess,
    content_type: Option<&str>,
    body: &str,
) -> anyhow::Result<Reply> {
    let mut sent = serinus
        .request(Method::POST, "/v1/analyses")
        .body(body.to_owned());
    if let Some(media_type) = content_type {
        sent = sent.header("content-type", media_type);
    }
    Reply::read(sent).await
}

#[tokio::test]
async fn a_body_that_is_no_json_is_told_with_its_place() -> anyhow::Result<()> {
    let (_upstream, serinus) = start().await?;
    for body in ["{", "{\"pipeline\": }", "not json"] {
        let reply = send_text(&serinus, Some("application/json"), body).await?;
        assert_problem(body, &reply, 400, "malformed-json", &[]);
    }
    Ok(())
}

#[tokio::test]
async fn json_that_is_no_request_is_told_with_the_field() -> anyhow::Result<()> {
    let (_upstream, serinus) = start().await?;
    let rows = [
        (json!([]), ""),
        (json!({"pipeline": 3}), "pipeline"),
        (json!({"pipline": "checkout"}), "pipline"),
        (request_with("end", json!("yesterday"))?, "yesterday"),
    ];
    for (body, says) in rows {
        let reply = serinus.post("/v1/analyses", &body).await?;
        assert_problem(&body.to_string(), &reply, 400, "invalid-request", &[says]);
    }
    let empty = send_text(&serinus, Some("application/json"), "").await?;
    assert_problem("empty", &empty, 400, "invalid-request", &["empty"]);
    Ok(())
}

#[tokio::test]
async fn malformed_yaml_is_told_with_line_and_column() -> anyhow::Result<()> {
    let (_upstream, serinus) = start().await?;
    let body = json!({"pipeline_yaml": "canary_pipeline:\n  first: [1, 2\n"});
    let reply = serinus.post("/v1/analyses", &body).await?;
    assert_problem("yaml", &reply, 422, "invalid-pipeline", &["line", "column"]);
    assert!(
        reply.number("/diagnostics/0/line")? >= 2.0,
        "{}",
        reply.body
    );
    Ok(())
}

#[tokio::test]
async fn all_mistakes_of_a_pipeline_are_told_at_once() -> anyhow::Result<()> {
    let (_upstream, serinus) = start().await?;
    let yaml = "canary_pipeline:\n  first:\n    trafic_percent: 5\n    duration_minutes: 0\n    \
                metrics:\n      - eror_rate < baseline * 1.1\n";
    let says = ["traffic_percent", "duration_minutes", "error_rate"];
    let body = json!({"pipeline_yaml": yaml});
    let reply = serinus.post("/v1/analyses", &body).await?;
    assert_problem("three mistakes", &reply, 422, "invalid-pipeline", &says);

    let looked_through = serinus.post("/v1/pipelines/validate", &body).await?;
    assert_eq!(looked_through.status, 200, "{}", looked_through.body);
    assert_eq!(looked_through.body.pointer("/valid"), Some(&json!(false)));
    for part in says {
        assert!(looked_through.body.to_string().contains(part), "{part}");
    }
    Ok(())
}

#[tokio::test]
async fn what_is_not_known_is_named_with_what_is() -> anyhow::Result<()> {
    let (_upstream, serinus) = start().await?;
    let mut unknown_preset = error_rate_pipeline();
    set(&mut unknown_preset, "preset", json!("istoi"));
    let unknown_metric = pipeline_with(&json!({}), &json!(["latency_p9x < 1s"]), 1.0);
    let rows = [
        (
            request_with("pipeline", json!("no-such"))?,
            404,
            "unknown-pipeline",
            "no-such",
        ),
        (
            request_with("stage", json!("onyl"))?,
            422,
            "unknown-stage",
            "only",
        ),
        (
            request_with("source", json!("defalt"))?,
            422,
            "unknown-source",
            "default",
        ),
        (
            request(&unknown_preset, None)?,
            422,
            "invalid-pipeline",
            "istio",
        ),
        (
            request(&unknown_metric, None)?,
            422,
            "invalid-pipeline",
            "latency_p9x",
        ),
    ];
    for (body, status, kind, says) in rows {
        let reply = serinus.post("/v1/analyses", &body).await?;
        assert_problem(kind, &reply, status, kind, &[says]);
    }
    Ok(())
}

#[tokio::test]
async fn a_window_that_cannot_be_judged_is_refused() -> anyhow::Result<()> {
    let (_upstream, serinus) = start().await?;
    let now = now_ms();
    let rows = [
        ("inverted", now - HOUR_MS, now - 2 * HOUR_MS),
        ("empty", now - HOUR_MS, now - HOUR_MS),
        ("future", now + HOUR_MS, now + 2 * HOUR_MS),
        ("enormous", now - 20 * 365 * 24 * HOUR_MS, now - HOUR_MS),
    ];
    for (case, start_ms, end_ms) in rows {
        let window = Window { start_ms, end_ms };
        let body = request(&error_rate_pipeline(), Some(window))?;
        let reply = serinus.post("/v1/analyses", &body).await?;
        assert_problem(case, &reply, 400, "invalid-window", &[]);
    }

    let mut only_start = request(&error_rate_pipeline(), None)?;
    set(&mut only_start, "start", json!(rfc3339(now + HOUR_MS)?));
    let reply = serinus.post("/v1/analyses", &only_start).await?;
    assert_problem("start after now", &reply, 400, "invalid-window", &[]);
    Ok(())
}

#[tokio::test]
async fn a_step_that_is_too_small_is_refused() -> anyhow::Result<()> {
    let (_upstream, serinus) = start().await?;
    for interval in ["10ms", "0s", "-5s"] {
        let mut pipeline = error_rate_pipeline();
        set(&mut pipeline, "analysis", json!({"interval": interval}));
        let body = request(&pipeline, None)?;
        let reply = serinus.post("/v1/analyses", &body).await?;
        assert_problem(interval, &reply, 422, "invalid-pipeline", &["interval"]);
    }
    Ok(())
}

#[tokio::test]
async fn a_population_that_cannot_be_used_is_refused() -> anyhow::Result<()> {
    let (_upstream, serinus) = start().await?;
    let rows = [
        ("bad regex", json!({"pod": {"=~": "web-(.*"}}), "web-("),
        ("no label name", json!({"a-b": "x"}), "a-b"),
        ("name of the metric", json!({"__name__": "up"}), "__name__"),
        ("line break", json!({"track": "canary\n"}), "track"),
        ("the same as the control", json!({"track": "stable"}), ""),
    ];
    for (case, canary, says) in rows {
        let body = request_with("canary", canary)?;
        let reply = serinus.post("/v1/analyses", &body).await?;
        assert!(
            reply.status == 400 && reply.body.to_string().contains(says),
            "{case}: {} {}",
            reply.status,
            reply.body
        );
        assert_eq!(reply.content_type, "application/problem+json", "{case}");
    }
    Ok(())
}

/// A hostile value is just a value: it reaches Prometheus inside one matcher and changes nothing
/// else of the query.
#[tokio::test]
async fn quotes_and_braces_in_a_label_value_stay_inside_the_value() -> anyhow::Result<()> {
    let (_upstream, serinus) = start().await?;
    let hostile = r#"a"} or vector(1) or up{x="b\"#;
    let body = request_with("canary", json!({"track": hostile}))?;
    let reply = analyse(&serinus, &body).await?;
    let queries = reply
        .body
        .pointer("/inputs/queries")
        .and_then(Value::as_array)
        .cloned()
        .unwrap_or_default();
    assert!(!queries.is_empty(), "{}", reply.body);
    let quoted = r#""a\"} or vector(1) or up{x=\"b\\""#;
    for query in &queries {
        let promql = query.pointer("/promql").and_then(Value::as_str);
        let outside = promql.unwrap_or_default().replace(quoted, "");
        assert!(!outside.contains("vector(1)"), "{promql:?}");
    }
    Ok(())
}

#[tokio::test]
async fn promql_that_cannot_be_asked_is_refused() -> anyhow::Result<()> {
    let (_upstream, serinus) = start().await?;
    let too_long = format!("http_requests_total{{a=\"{}\"}}", "x".repeat(17 * 1024));
    let nested = format!(
        "{}http_requests_total{}",
        "(".repeat(8_000),
        ")".repeat(8_000)
    );
    let rows = [
        ("does not parse", "http_requests_total{code="),
        ("a scalar", "1 + 1"),
        ("a string", "\"text\""),
        ("over 16 KiB", too_long.as_str()),
        ("nested without end", nested.as_str()),
    ];
    for (case, promql) in rows {
        let reply = serinus
            .post("/v1/analyses", &request_with_promql(promql)?)
            .await?;
        assert_problem(case, &reply, 422, "invalid-pipeline", &["errors"]);
    }
    Ok(())
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused() -> anyhow::Result<()> {
    let (_upstream, serinus) = start().await?;
    let body = json!({"pipeline_yaml": "#".repeat(32 << 20)}).to_string();
    let reply = send_text(&serinus, Some("application/json"), &body).await?;
    assert_problem("32 MiB", &reply, 413, "body-too-large", &[]);
    Ok(())
}

#[tokio::test]
async fn a_wrong_content_type_is_refused_and_none_is_accepted() -> anyhow::Result<()> {
    let (_upstream, serinus) = start().await?;
    let body = request(&error_rate_pipeline(), None)?.to_string();
    for media_type in [
        "text/html",
        "application/x-www-form-urlencoded",
        "image/png",
    ] {
        let reply = send_text(&serinus, Some(media_type), &body).await?;
        assert_problem(
            media_type,
            &reply,
            415,
            "unsupported-media-type",
            &["application/json"],
        );
    }
    let without = send_text(&serinus, None, &body).await?;
    assert_eq!(without.status, 200, "{}", without.body);
    Ok(())
}

#[tokio::test]
async fn a_path_or_method_that_is_not_there_is_a_problem_too() -> anyhow::Result<()> {
    let (_upstream, serinus) = start().await?;
    let nothing = serinus.get("/v1/no-such").await?;
    assert_problem("path", &nothing, 404, "not-found", &[]);
    let wrong = Reply::read(serinus.request(Method::DELETE, "/v1/analyses")).await?;
    assert_problem("method", &wrong, 405, "method-not-allowed", &["POST"]);
    let pipeline = serinus.get("/v1/pipelines/no-such").await?;
    assert_problem("pipeline", &pipeline, 404, "unknown-pipeline", &["no-such"]);
    Ok(())
}

#[tokio::test]
async fn a_request_can_never_carry_a_url() -> anyhow::Result<()> {
    let (_upstream, serinus) = start().await?;
    let body = request_with("source", json!("http://127.0.0.1:1/"))?;
    let reply = serinus.post("/v1/analyses", &body).await?;
    assert_problem("url", &reply, 422, "unknown-source", &["default"]);
    Ok(())
}
