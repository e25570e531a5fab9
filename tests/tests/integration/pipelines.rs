//! Pipelines that are put over HTTP: through a restart, and by several processes on one store.

use std::time::Duration;

use anyhow::ensure;
use reqwest::Method;
use serde_json::{Value, json};
use serinus_tests::{Reply, SerinusProcess, ServeOptions, wait_until};
use tempfile::TempDir;

/// Nobody listens there: a pipeline is known whatever its Prometheus does.
const NOWHERE: &str = "http://127.0.0.1:1";

/// What another process has put is in the list after this time.
const SECONDS: Duration = Duration::from_secs(10);

const PIPELINE: &str = "\
canary_pipeline:
  first: {traffic_percent: 5, duration_minutes: 60, metrics: [error_rate < 1%]}
";

fn options(folder: &TempDir, is_store_shared: bool) -> ServeOptions {
    ServeOptions {
        prometheus_url: NOWHERE.to_owned(),
        pipelines: folder.path().to_owned(),
        store: Some(folder.path().join("serinus.db")),
        is_store_shared,
        ..ServeOptions::default()
    }
}

async fn put(serinus: &SerinusProcess, name: &str) -> anyhow::Result<Reply> {
    let request = serinus
        .request(Method::PUT, &format!("/v1/pipelines/{name}"))
        .header("content-type", "application/yaml")
        .body(PIPELINE);
    Reply::read(request).await
}

async fn delete(serinus: &SerinusProcess, name: &str) -> anyhow::Result<u16> {
    let request = serinus.request(Method::DELETE, &format!("/v1/pipelines/{name}"));
    Ok(request.send().await?.status().as_u16())
}

async fn listed(serinus: &SerinusProcess) -> anyhow::Result<Vec<String>> {
    let list = serinus.get("/v1/pipelines").await?;
    let pipelines = list.body.get("pipelines").and_then(Value::as_array);
    let names = pipelines.into_iter().flatten().map(|one| {
        let name = one.get("name").and_then(Value::as_str);
        name.unwrap_or_default().to_owned()
    });
    Ok(names.collect())
}

#[tokio::test]
async fn what_was_put_is_there_after_a_restart() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let mut serinus = SerinusProcess::serve_with(&options(&folder, false)).await?;
    ensure!(put(&serinus, "shop").await?.status == 201);
    ensure!(put(&serinus, "other").await?.status == 201);
    ensure!(delete(&serinus, "other").await? == 204);
    // As a power switch would.
    serinus.process().kill();
    let serinus = SerinusProcess::serve_with(&options(&folder, false)).await?;
    assert_eq!(listed(&serinus).await?, ["shop"]);
    let gate = "/v1/pipelines/shop/stages/first/gate";
    let answer = serinus.post(gate, &json!({"key": "6d4f9.7"})).await?;
    assert_eq!((answer.status, answer.text("/verdict")), (200, "hold"));
    Ok(())
}

#[tokio::test]
async fn every_process_on_a_store_knows_what_was_put() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let here = SerinusProcess::serve_with(&options(&folder, true)).await?;
    let there = SerinusProcess::serve_with(&options(&folder, true)).await?;
    assert_eq!(listed(&there).await?, Vec::<String>::new());

    // By its name at once.
    ensure!(put(&here, "shop").await?.status == 201);
    let gate = "/v1/pipelines/shop/stages/first/gate";
    let answer = there.post(gate, &json!({"key": "6d4f9.7"})).await?;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let same = here.post(gate, &json!({"key": "6d4f9.7"})).await?;
    assert_eq!(answer.text("/rollout"), same.text("/rollout"));

    // In the list, and gone, soon.
    ensure!(put(&there, "shop").await?.status == 200);
    wait_until("it is in the list", SECONDS, async || {
        Ok((listed(&there).await? == ["shop"]).then_some(()))
    })
    .await?;
    ensure!(delete(&there, "shop").await? == 204);
    wait_until("it is gone", SECONDS, async || {
        Ok(listed(&here).await?.is_empty().then_some(()))
    })
    .await?;
    assert_eq!(here.get("/v1/pipelines/shop").await?.status, 404);
    Ok(())
}
