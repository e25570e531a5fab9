//! What people need to write: other names, other labels, other servers, other mixes; judged end to end on
//! real Prometheus servers.

use serde_json::json;
use serinus_tests::{
    ExposedCanary, Exposition, RealPrometheus, Reply, SerinusProcess, now_ms, repository_path,
};

use crate::contract::{analyse, rfc3339};

/// How long the history is, and what of it is judged.
const HISTORY_SECONDS: i64 = 40 * 60;
const JUDGED_SECONDS: i64 = 38 * 60;

/// What all of these pipelines have.
const SETTINGS: &str =
    "analysis: {lag: 0s, history: off, population_check: off, split_check: off}\n";

/// A Prometheus that has scraped some of the expositions.
async fn prometheus_of(
    names: &[&str],
    canary: ExposedCanary,
    end: i64,
) -> anyhow::Result<RealPrometheus> {
    let mut all = Exposition::read_folder(&repository_path("tests/tests/data/writing"))?;
    all.retain(|exposition| names.contains(&exposition.name.as_str()));
    assert_eq!(all.len(), names.len(), "{names:?}");
    let history = Exposition::history(&all, canary, end - HISTORY_SECONDS, end);
    RealPrometheus::start_with_history("", &history).await
}

/// Judges a pipeline on servers that have scraped some expositions each; the first is the default.
async fn judged(
    servers: &[(&str, &[&str])],
    canary: ExposedCanary,
    pipeline: &str,
    sent: serde_json::Value,
) -> anyhow::Result<Reply> {
    let end = now_ms() / 60_000 * 60;
    let mut running = Vec::new();
    let mut arguments = Vec::new();
    for (name, expositions) in servers {
        let prometheus = prometheus_of(expositions, canary, end).await?;
        if running.is_empty() {
            arguments.push(format!("--prometheus={}", prometheus.url()));
        }
        arguments.push(format!("--sources={name}={}", prometheus.url()));
        running.push(prometheus);
    }
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let serinus = SerinusProcess::serve_with_arguments(&arguments).await?;
    let mut request = json!({
        "pipeline_yaml": format!("{SETTINGS}{pipeline}"),
        "start": rfc3339((end - JUDGED_SECONDS) * 1_000)?,
        "end": rfc3339(end * 1_000)?,
    });
    if let (Some(request), Some(sent)) = (request.as_object_mut(), sent.as_object()) {
        request.extend(sent.clone());
    }
    analyse(&serinus, &request).await
}

/// What a good and a bad canary are judged, with the reasons.
async fn both(
    servers: &[(&str, &[&str])],
    pipeline: &str,
    sent: &serde_json::Value,
) -> anyhow::Result<[(String, String); 2]> {
    let mut all = Vec::new();
    for canary in [ExposedCanary::Good, ExposedCanary::Bad] {
        let reply = judged(servers, canary, pipeline, sent.clone()).await?;
        let verdict = reply.text("/verdict").to_owned();
        let checks = reply.body.to_string();
        all.push((verdict, format!("{}: {checks}", reply.text("/gate/reason"))));
    }
    let [good, bad] = <[_; 2]>::try_from(all).unwrap_or_else(|_| unreachable!());
    Ok([good, bad])
}

fn stage(checks: &[&str]) -> String {
    let checks = checks.join("\n      - ");
    format!(
        "canary_pipeline:\n  only:\n    traffic_percent: 10\n    duration_minutes: 30\n    \
         metrics:\n      - {checks}\n"
    )
}

const MIGRATION: &str = "\
control: {system: legacy}
canary: {system: new}
metrics:
  error_rate:
    control: {errors: legacy_failures_total, total: legacy_calls_total}
    canary:
      errors: 'http_requests_total{code=~\"5..\"}'
      total: [http_requests_total, websocket_sessions_total]
  latency_p99:
    quantile: 0.99
    control: {histogram: legacy_call_duration_milliseconds}
    canary: {histogram: http_request_duration_seconds}
  field_differences: {events: critical_fields_different_total, total: critical_fields_compared_total}
";

#[tokio::test]
async fn an_old_and_a_new_system_have_names_and_units_of_their_own() -> anyhow::Result<()> {
    let checks = [
        "error_rate < legacy_error_rate * 3",
        "response_time_p99 < legacy_p99 * 1.2",
        "field_differences < 0.1%",
    ];
    let pipeline = format!("{MIGRATION}{}", stage(&checks));
    let servers: &[(&str, &[&str])] = &[("one", &["migration"])];
    let [good, bad] = both(servers, &pipeline, &json!({})).await?;
    assert_eq!(good.0, "promote", "{}", good.1);
    assert_eq!(bad.0, "rollback", "{}", bad.1);
    Ok(())
}

#[tokio::test]
async fn regions_on_servers_of_their_own_are_compared_region_by_region() -> anyhow::Result<()> {
    let pipeline = format!(
        "source: {{eu: eu, us: us}}\ncontrol: {{app: shop, track: stable}}\ncanary: {{app: shop, track: \
         canary}}\n{}",
        stage(&["error_rate < baseline * 1.5"])
    );
    let servers: &[(&str, &[&str])] = &[("eu", &["region-eu"]), ("us", &["region-us"])];
    let [good, bad] = both(servers, &pipeline, &json!({})).await?;
    assert_eq!(good.0, "promote", "{}", good.1);
    assert_eq!(bad.0, "rollback", "{}", bad.1);
    assert!(bad.1.contains("us has"), "{}", bad.1);
    Ok(())
}

#[tokio::test]
async fn a_population_may_be_on_a_server_of_its_own() -> anyhow::Result<()> {
    let pipeline = format!(
        "control: {{app: shop, track: stable, source: eu}}\ncanary: {{app: shop, track: canary, source: \
         us}}\n{}",
        stage(&["error_rate < 1.5%"])
    );
    let servers: &[(&str, &[&str])] = &[("eu", &["region-eu"]), ("us", &["region-us"])];
    let [good, bad] = both(servers, &pipeline, &json!({})).await?;
    assert_eq!(good.0, "promote", "{}", good.1);
    assert_eq!(bad.0, "rollback", "{}", bad.1);
    Ok(())
}

#[tokio::test]
async fn a_metric_may_select_by_labels_of_its_own_and_by_what_was_sent() -> anyhow::Result<()> {
    let pipeline = format!(
        "control: {{track: stable}}\ncanary: {{track: canary}}\nmetrics:\n  ingress_errors:\n    errors: \
         'nginx_ingress_controller_requests{{status=~\"5..\"}}'\n    total: \
         nginx_ingress_controller_requests\n    control: {{exported_service: checkout}}\n    canary: \
         {{exported_service: checkout-canary}}\n  container_cpu:\n    gauge: \
         container_cpu_seconds\n    control: {{pod: {{'=~': 'checkout-${{control.hash}}-.*'}}}}\n    \
         canary: {{pod: {{'=~': 'checkout-${{canary.hash}}-.*'}}}}\n{}",
        stage(&[
            "ingress_errors < baseline * 3",
            "container_cpu < baseline * 1.5"
        ])
    );
    let servers: &[(&str, &[&str])] = &[("one", &["ingress"])];
    let sent = json!({"control": {"hash": "aaa"}, "canary": {"hash": "bbb"}});
    let [good, bad] = both(servers, &pipeline, &sent).await?;
    assert_eq!(good.0, "promote", "{}", good.1);
    assert_eq!(bad.0, "rollback", "{}", bad.1);
    Ok(())
}

#[tokio::test]
async fn another_mix_of_endpoints_rolls_nothing_back_and_within_strata_is_judged_right()
-> anyhow::Result<()> {
    let pipeline = |app: &str, strata: &str| {
        format!(
            "control: {{app: {app}, track: stable}}\ncanary: {{app: {app}, track: canary}}\nmetrics:\n  \
             error_rate: {{errors: 'http_requests_total{{code=~\"5..\"}}', total: \
             http_requests_total{strata}}}\n{}",
            stage(&["error_rate < baseline * 1.2"])
        )
    };
    let servers: &[(&str, &[&str])] = &[("one", &["mix", "easy"])];
    for app in ["mix", "easy"] {
        let [good, bad] = both(servers, &pipeline(app, ", strata: route"), &json!({})).await?;
        assert_eq!(good.0, "promote", "{app} {}", good.1);
        assert_eq!(bad.0, "rollback", "{app} {}", bad.1);
    }
    // The canary gets more of what fails more often, and is as good.
    let [good, _] = both(servers, &pipeline("mix", ""), &json!({})).await?;
    assert_eq!(good.0, "hold", "{}", good.1);
    assert!(good.1.contains("strata: route"), "{}", good.1);
    // It gets less of it, and is worse.
    let [_, bad] = both(servers, &pipeline("easy", ""), &json!({})).await?;
    assert_ne!(bad.0, "promote", "{}", bad.1);
    Ok(())
}

#[tokio::test]
async fn what_cannot_be_read_so_is_told_with_the_cure() -> anyhow::Result<()> {
    let end = now_ms() / 60_000 * 60;
    let prometheus = prometheus_of(&["mix"], ExposedCanary::Good, end).await?;
    let serinus = SerinusProcess::serve(prometheus.url()).await?;
    let asked = async |pipeline: String| {
        let request = json!({
            "pipeline_yaml": pipeline,
            "start": rfc3339((end - JUDGED_SECONDS) * 1_000)?,
            "end": rfc3339(end * 1_000)?,
        });
        serinus.post("/v1/analyses", &request).await
    };
    let with = |more: &str| {
        format!(
            "{SETTINGS}control: {{app: mix, track: stable}}\ncanary: {{app: mix, track: \
             canary}}\n{more}{}",
            stage(&["error_rate < baseline * 1.2"])
        )
    };
    let metric = |more: &str| {
        with(&format!(
            "metrics:\n  error_rate: {{errors: 'http_requests_total{{code=~\"5..\"}}', total: \
             http_requests_total, {more}}}\n"
        ))
    };
    let reply = asked(metric("canary: {pod: '${canary.hash}'}")).await?;
    assert_eq!(reply.status, 400, "{}", reply.body);
    assert!(
        reply
            .text("/detail")
            .contains("${canary.hash} has no value"),
        "{}",
        reply.body
    );

    let reply = asked(with("source: {eu: nowhere}\n")).await?;
    assert_eq!(reply.status, 422, "{}", reply.body);
    assert!(
        reply.text("/detail").contains("unknown source \"nowhere\""),
        "{}",
        reply.body
    );

    let reply = asked(metric("strata: path")).await?;
    assert_eq!(reply.text("/verdict"), "hold", "{}", reply.body);
    let reason = reply.text("/gate/reason");
    assert!(
        reason.contains("no series has the label path, which strata names"),
        "{reason}"
    );
    assert!(reason.contains("route"), "{reason}");
    Ok(())
}
