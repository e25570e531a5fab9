//! Nobody looks away from a canary whose stage has passed, or is too old to be judged: a real
//! Prometheus that holds what will have been scraped, with a canary that begins to fail.

use std::fmt::Write;
use std::time::Duration;

use chrono::{SecondsFormat, TimeDelta, Utc};
use serde_json::{Value, json};
use serinus_tests::{RealPrometheus, Reply, SerinusProcess, now_ms, wait_until};

const PAST_SECONDS: i64 = 90;
const FUTURE_SECONDS: i64 = 120;
/// When the canary begins to fail nine requests of ten, in seconds from the beginning of the test.
const FAILS_AFTER_SECONDS: i64 = 22;
/// Requests a second of each track.
const RATE: i64 = 1_000;
const SOON: Duration = Duration::from_secs(40);

const PIPELINE: &str = "\
name: shop
metrics:
  error_rate: {errors: 'http_requests_total{code=\"500\"}', total: http_requests_total}
control: {track: stable}
canary: {track: canary}
analysis: {interval: 1s, lag: 0s, split_check: off}
kill_switch: [error_rate > 20%]
canary_pipeline:
  stage_1: {traffic_percent: 10, duration_minutes: 0.13, metrics: [error_rate < 5%]}
  stage_2: {traffic_percent: 50, duration_minutes: 60}
";

/// Two samples a second, of two minutes that are still to come too.
fn samples() -> String {
    let now = now_ms() / 1_000;
    let mut text = "# TYPE http_requests counter\n".to_owned();
    for track in ["stable", "canary"] {
        let mut counts = [0, 0];
        for half in 0..2 * (PAST_SECONDS + FUTURE_SECONDS) {
            let at = now - PAST_SECONDS + half / 2;
            let fails = track == "canary" && at >= now + FAILS_AFTER_SECONDS;
            let failures = if fails { RATE * 9 / 20 } else { RATE / 200 };
            counts[0] += RATE / 2 - failures;
            counts[1] += failures;
            let part = if half % 2 == 0 { "000" } else { "500" };
            for (code, count) in [200, 500].into_iter().zip(counts) {
                // Writing to a string cannot fail.
                let _ = writeln!(
                    text,
                    "http_requests_total{{track=\"{track}\",instance=\"{track}-1\",code=\"{code}\"}} \
                     {count} {at}.{part}"
                );
            }
        }
    }
    text.push_str("# EOF\n");
    text
}

struct World {
    serinus: SerinusProcess,
    _prometheus: RealPrometheus,
    _folder: tempfile::TempDir,
}

impl World {
    async fn start() -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        std::fs::write(folder.path().join("shop.yaml"), PIPELINE)?;
        let prometheus = RealPrometheus::start_with_history("", &samples()).await?;
        let serinus = SerinusProcess::serve_pipelines(prometheus.url(), folder.path()).await?;
        Ok(Self {
            serinus,
            _prometheus: prometheus,
            _folder: folder,
        })
    }

    async fn gate(&self, key: &str) -> anyhow::Result<Reply> {
        let path = format!("/v1/pipelines/shop/stages/stage_1/gate?key={key}");
        self.serinus.get(&path).await
    }

    async fn until(&self, key: &str, verdict: &str) -> anyhow::Result<Reply> {
        let what = format!("the gate of {key} says {verdict}");
        wait_until(&what, SOON, async || {
            let told = self.gate(key).await?;
            Ok((told.text("/verdict") == verdict).then_some(told))
        })
        .await
    }

    async fn trail(&self, rollout: &str) -> anyhow::Result<Vec<Value>> {
        let reply = self
            .serinus
            .get(&format!("/v1/rollouts/{rollout}/events"))
            .await?;
        let events = reply.body.pointer("/events").and_then(Value::as_array);
        Ok(events.cloned().unwrap_or_default())
    }
}

/// It was told `promote` for minutes, while nine requests of ten failed and a kill switch stood at
/// 20 %.
#[tokio::test]
async fn a_canary_that_fails_after_its_stage_has_passed_is_rolled_back() -> anyhow::Result<()> {
    let world = World::start().await?;
    world.gate("a").await?;
    let passed = world.until("a", "promote").await?;
    assert_eq!(passed.text("/reason_code"), "passed", "{}", passed.body);
    let failed = world.until("a", "rollback").await?;
    assert_eq!(
        failed.text("/reason_code"),
        "kill_switch",
        "{}",
        failed.body
    );
    // It is final, for whoever goes on without having looked.
    let next = json!({"key": "a"});
    let next = world
        .serinus
        .post("/v1/pipelines/shop/stages/stage_2/gate", &next)
        .await?;
    assert_eq!(next.text("/verdict"), "rollback", "{}", next.body);
    Ok(())
}

#[tokio::test]
async fn what_is_found_after_an_override_is_told_and_changes_nothing() -> anyhow::Result<()> {
    let world = World::start().await?;
    let rollout = world.gate("a").await?.text("/rollout").to_owned();
    let decision = json!({"verdict": "promote", "reason": "a known outage"});
    let path = format!("/v1/rollouts/{rollout}/override");
    world.serinus.post(&path, &decision).await?;
    let found = wait_until("a rollback is found", SOON, async || {
        let trail = world.trail(&rollout).await?;
        let found = trail
            .into_iter()
            .find(|event| event["verdict"] == "rollback");
        Ok(found)
    })
    .await?;
    assert_eq!(
        (&found["kind"], &found["acted"]),
        (&json!("decided"), &json!(false))
    );
    let told = world.gate("a").await?;
    assert_eq!(told.text("/verdict"), "promote");
    assert_eq!(told.text("/reason_code"), "override");
    Ok(())
}

/// A stage of more intervals than are kept was judged no more, and its kill switch was blind. Six
/// hours are more than 20,160 intervals of a second.
#[tokio::test]
async fn a_stage_that_is_too_old_says_so_and_its_kill_switch_goes_on() -> anyhow::Result<()> {
    let world = World::start().await?;
    let start = Utc::now() - TimeDelta::hours(6);
    let start = start.to_rfc3339_opts(SecondsFormat::Secs, true);
    let body = json!({"key": "old", "start": start});
    let path = "/v1/pipelines/shop/stages/stage_1/gate";
    let told = world.serinus.post(path, &body).await?;
    assert_eq!(told.text("/verdict"), "hold", "{}", told.body);
    assert_eq!(told.text("/reason_code"), "stage_too_old", "{}", told.body);
    let failed = world.until("old", "rollback").await?;
    assert_eq!(
        failed.text("/reason_code"),
        "kill_switch",
        "{}",
        failed.body
    );
    Ok(())
}
