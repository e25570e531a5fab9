//! Flagger, on the shipped canary and the adapter.

use std::time::Duration;

use anyhow::Context;
use serde_json::{Value, json};
use serinus_tests::callers::flagger::{Canary, Phase};
use serinus_tests::{Reply, Scripted, ScriptedServer};

use super::bench::{Bench, document, stages};

/// Longer than a 200 is repeated where no event tells a weight, and than a stage of the test's
/// pipelines lasts; Flagger's shortest tick is 10 s.
pub(super) const TICK: Duration = Duration::from_millis(9_900);

/// The shipped canary for another pipeline, its weights, and the populations of the bench.
pub(super) fn shipped(pipeline: &str, weights: &[u64], version: &str) -> anyhow::Result<Value> {
    let shipped = document("flagger/canary.yaml")?.to_string();
    let text = shipped
        .replace("flagger/checkout/", &format!("flagger/{pipeline}/"))
        .replace(
            "\"control.app\":\"checkout-primary\"",
            "\"control.app\":\"stable\"",
        )
        .replace(
            "\"canary.app\":\"checkout\"",
            &format!("\"canary.app\":\"{version}\""),
        );
    let mut manifest: Value = serde_json::from_str(&text)?;
    let steps = manifest.pointer_mut("/spec/analysis/stepWeights");
    *steps.context("no stepWeights")? = json!(weights);
    Ok(manifest)
}

pub(super) fn canary(
    server: &str,
    pipeline: &str,
    weights: &[u64],
    version: &str,
) -> anyhow::Result<Canary> {
    let manifest = shipped(pipeline, weights, version)?;
    Ok(Canary::new(&manifest, version, server))
}

pub(super) fn call(version: &str) -> Value {
    json!({
        "name": "checkout", "namespace": "shop", "phase": "Progressing", "checksum": version,
        "metadata": {"control.app": "stable", "canary.app": version},
    })
}

pub(super) async fn post(
    bench: &Bench,
    pipeline: &str,
    hook: &str,
    body: &Value,
) -> anyhow::Result<Reply> {
    let path = format!("/adapters/flagger/{pipeline}/{hook}");
    let response = bench
        .serinus
        .request(reqwest::Method::POST, &path)
        .json(body)
        .send()
        .await?;
    assert!(response.headers().get("retry-after").is_none());
    let status = response.status().as_u16();
    assert!([200, 400, 404, 409].contains(&status), "{hook}: {status}");
    Ok(Reply {
        status,
        content_type: "application/json".to_owned(),
        body: response.json().await?,
    })
}

#[tokio::test]
async fn fl01_every_stage_promotes_with_five_calls_to_advance_and_one_to_promotion()
-> anyhow::Result<()> {
    let bench = Bench::start().await?;
    let mut canary = canary(bench.serinus.url(), "four", &[1, 5, 25, 50], "good")?;
    // Five ticks; more where a busy machine judges a stage a little late.
    for _ in 0..8 {
        canary.tick().await?;
        if canary.phase == Phase::Succeeded {
            break;
        }
        tokio::time::sleep(TICK).await;
    }
    let calls = &canary.calls;
    assert_eq!(canary.phase, Phase::Succeeded, "{calls:?}");
    let weights: Vec<u64> = calls
        .iter()
        .filter(|call| call.hook == "confirm-traffic-increase" && call.status == Some(200))
        .map(|call| call.weight)
        .collect();
    assert_eq!(weights, [0, 1, 5, 25, 50], "{calls:?}");
    assert_eq!(canary.count("confirm-promotion"), 1, "{calls:?}");
    assert_eq!(canary.last("post-rollout"), Some(200), "{calls:?}");
    assert_eq!(
        (canary.failed_checks, bench.rollouts("four").await?),
        (0, 1)
    );
    Ok(())
}

#[tokio::test]
async fn fl02_a_hold_keeps_the_weight_and_counts_nothing() -> anyhow::Result<()> {
    let bench = Bench::start().await?;
    let mut canary = canary(bench.serinus.url(), "slow", &[5, 50], "good")?;
    canary.tick().await?;
    assert_eq!(canary.weight, 5, "{:?}", canary.calls);
    tokio::time::sleep(TICK).await;
    for _ in 0..2 {
        canary.tick().await?;
        assert_eq!(
            (canary.weight, canary.failed_checks),
            (5, 0),
            "{:?}",
            canary.calls
        );
        assert_eq!(canary.last("confirm-traffic-increase"), Some(409));
        assert_eq!(canary.phase, Phase::Progressing);
    }
    Ok(())
}

#[tokio::test]
async fn fl03_the_first_call_lets_the_traffic_come() -> anyhow::Result<()> {
    // What a 409 would do: no traffic, so nothing to judge, for ever.
    let server = ScriptedServer::start(vec![Scripted::new(409, "application/json", "{}")]).await?;
    let mut stuck = canary(server.url(), "slow", &[5, 50], "good")?;
    for _ in 0..10 {
        stuck.tick().await?;
    }
    assert_eq!((stuck.weight, stuck.phase), (0, Phase::Progressing));

    let mut bench = Bench::start().await?;
    let first = post(&bench, "slow", "advance", &call("good")).await?;
    assert_eq!(
        (first.status, first.text("/stage")),
        (200, "stage_1"),
        "{}",
        first.body
    );
    bench.prometheus.stop();
    let without_data = post(&bench, "slow", "advance", &call("bad")).await?;
    assert_eq!(without_data.status, 200, "{}", without_data.body);
    Ok(())
}

#[tokio::test]
async fn fl04_a_lost_200_is_repeated_and_moves_nothing() -> anyhow::Result<()> {
    let mut bench = Bench::start().await?;
    let first = post(&bench, "four", "advance", &call("good")).await?;
    let again = post(&bench, "four", "advance", &call("good")).await?;
    // Also by a process that knows of the first call only what the store says.
    bench.kill();
    bench.start_again().await?;
    let after_restart = post(&bench, "four", "advance", &call("good")).await?;
    for reply in [&first, &again, &after_restart] {
        assert_eq!(
            (reply.status, reply.text("/stage")),
            (200, "s1"),
            "{}",
            reply.body
        );
        assert_eq!(reply.text("/rollout"), first.text("/rollout"));
    }
    assert_eq!(bench.rollouts("four").await?, 1);
    let path = format!("/v1/rollouts/{}", first.text("/rollout"));
    assert_eq!(bench.serinus.get(&path).await?.text("/stage"), "s1");

    // The pass is repeated too, by two calls at the same time. No event tells a weight here, so
    // that the next stage begins with a call that comes later than a retry can.
    tokio::time::sleep(TICK).await;
    let body = call("good");
    let (one, two) = tokio::join!(
        post(&bench, "four", "advance", &body),
        post(&bench, "four", "advance", &body)
    );
    assert_eq!((one?.status, two?.status), (200, 200));
    let passed = bench.serinus.get(&path).await?;
    assert_eq!(stages(&passed)[..2], [("s1", "passed"), ("s2", "waiting")]);
    tokio::time::sleep(TICK).await;
    let later = post(&bench, "four", "advance", &body).await?;
    assert_eq!(
        (later.status, later.text("/stage")),
        (409, "s2"),
        "{}",
        later.body
    );
    Ok(())
}

#[tokio::test]
async fn fl05_fl07_a_rollback_fails_the_canary_and_the_same_spec_starts_afresh()
-> anyhow::Result<()> {
    let bench = Bench::start().await?;
    let mut canary = canary(bench.serinus.url(), "slow", &[25, 50], "bad")?;
    canary.tick().await?;
    assert_eq!((canary.weight, canary.last("rollback")), (25, Some(409)));
    tokio::time::sleep(TICK).await;
    canary.tick().await?;
    assert_eq!(canary.phase, Phase::Failed, "{:?}", canary.calls);
    assert_eq!(canary.last("rollback"), Some(200));
    assert_eq!(canary.last("post-rollout"), Some(200));
    assert_eq!((canary.weight, canary.failed_checks), (0, 0));

    let rolled_back = post(&bench, "slow", "rollback", &call("bad")).await?;
    assert_eq!(
        rolled_back.status, 409,
        "the key is closed: {}",
        rolled_back.body
    );
    let again = post(&bench, "slow", "advance", &call("bad")).await?;
    assert_eq!(again.status, 200, "{}", again.body);
    assert_eq!(bench.rollouts("slow").await?, 2);
    Ok(())
}

#[tokio::test]
async fn fl06_a_rollback_hook_opens_nothing() -> anyhow::Result<()> {
    let bench = Bench::start().await?;
    for (pipeline, body) in [
        ("slow", call("good")),
        ("unknown", call("good")),
        ("slow", json!({})),
        ("slow", json!({"name": 1})),
    ] {
        let reply = post(&bench, pipeline, "rollback", &body).await?;
        assert_eq!(reply.status, 409, "{}", reply.body);
        assert_eq!(reply.text("/gate/verdict"), "hold", "{}", reply.body);
        for hook in ["event", "finished"] {
            let told = post(&bench, pipeline, hook, &body).await?;
            assert_eq!(told.status, 200, "{hook}: {}", told.body);
        }
    }
    assert_eq!(bench.rollouts("slow").await?, 0);
    Ok(())
}

#[tokio::test]
async fn fl08_a_204_is_a_failure_and_serinus_answers_200() -> anyhow::Result<()> {
    for (status, goes_on) in [
        (200, true),
        (202, true),
        (203, false),
        (204, false),
        (206, false),
    ] {
        let server = ScriptedServer::start(vec![Scripted::new(status, "", "")]).await?;
        let mut canary = canary(server.url(), "slow", &[5, 50], "good")?;
        let hook =
            json!({"type": "confirm-traffic-increase", "url": "http://serinus.serinus:8080/x"});
        assert_eq!(canary.call(&hook).await?, goes_on, "{status}");
    }
    let bench = Bench::start().await?;
    let first = post(&bench, "slow", "advance", &call("good")).await?;
    assert_eq!(first.status, 200);
    assert_eq!(first.text("/gate/verdict"), "promote", "{}", first.body);
    Ok(())
}

#[tokio::test]
async fn fl09_without_prometheus_both_paths_stay() -> anyhow::Result<()> {
    let mut bench = Bench::start().await?;
    let mut canary = canary(bench.serinus.url(), "four", &[1, 5, 25, 50], "good")?;
    canary.tick().await?;
    tokio::time::sleep(TICK).await;
    canary.tick().await?;
    assert_eq!(canary.weight, 5, "{:?}", canary.calls);
    bench.prometheus.stop();
    tokio::time::sleep(TICK).await;
    canary.tick().await?;
    assert_eq!(canary.weight, 5, "{:?}", canary.calls);
    assert_eq!(canary.last("confirm-traffic-increase"), Some(409));
    assert_eq!(canary.last("rollback"), Some(409));
    let told = post(&bench, "four", "advance", &call("good")).await?;
    assert_eq!(
        told.text("/reason_code"),
        "source_unavailable",
        "{}",
        told.body
    );
    bench.prometheus.start_again().await?;
    tokio::time::sleep(TICK).await;
    canary.tick().await?;
    assert_eq!(canary.weight, 25, "{:?}", canary.calls);
    Ok(())
}

#[tokio::test]
async fn fl10_an_error_on_the_rollback_path_is_ignored() -> anyhow::Result<()> {
    for status in [500, 404, 503] {
        let server = ScriptedServer::start(vec![
            Scripted::page(status),
            Scripted::new(200, "application/json", "{}"),
        ])
        .await?;
        let mut canary = canary(server.url(), "slow", &[5, 50], "good")?;
        canary.tick().await?;
        assert_eq!((canary.phase, canary.weight), (Phase::Progressing, 5));
    }
    Ok(())
}

#[tokio::test]
async fn fl11_retry_after_is_obeyed_without_a_cap_so_it_is_never_sent() -> anyhow::Result<()> {
    let mut busy = Scripted::page(503);
    busy.headers
        .push(("Retry-After".to_owned(), "3600".to_owned()));
    let server = ScriptedServer::start(vec![busy]).await?;
    let mut asleep = canary(server.url(), "slow", &[5, 50], "good")?;
    asleep.tick().await?;
    assert_eq!(asleep.slept, Duration::from_hours(1));

    // `post` looks at the header of every answer: good ones, holds, mistakes.
    let mut bench = Bench::start().await?;
    bench.prometheus.stop();
    for hook in ["advance", "promotion", "rollback", "event", "finished"] {
        for (pipeline, body) in [
            ("slow", call("good")),
            ("unknown", call("a")),
            ("slow", json!([])),
        ] {
            post(&bench, pipeline, hook, &body).await?;
        }
    }
    Ok(())
}

#[tokio::test]
async fn fl12_a_call_without_metadata_is_accepted() -> anyhow::Result<()> {
    let bench = Bench::start().await?;
    let bare = json!({"name": "a", "namespace": "b", "phase": "Progressing", "checksum": "c"});
    for (hook, status) in [
        ("rollback", 409),
        ("event", 200),
        ("advance", 200),
        ("rollback", 409),
        ("event", 200),
        ("promotion", 409),
        ("finished", 200),
    ] {
        let reply = post(&bench, "slow", hook, &bare).await?;
        assert_eq!(reply.status, status, "{hook}: {}", reply.body);
        assert!(
            hook == "event" || reply.text("/key") == "b/a@c",
            "{hook}: {}",
            reply.body
        );
    }
    Ok(())
}

#[tokio::test]
async fn a_dry_run_advances_when_a_stage_is_over_and_never_rolls_back() -> anyhow::Result<()> {
    let bench = Bench::start().await?;
    let opened = post(&bench, "dry", "advance", &call("bad")).await?;
    assert_eq!(
        (opened.status, opened.body["dry_run"].as_bool()),
        (200, Some(true))
    );
    let tell = |weight: u64| {
        let mut body = call("bad");
        let message = format!("Advance checkout.shop canary weight {weight}");
        body["metadata"]["eventMessage"] = json!(message);
        body
    };
    post(&bench, "dry", "event", &tell(10)).await?;
    let early = post(&bench, "dry", "advance", &call("bad")).await?;
    assert_eq!(
        (early.status, early.text("/reason_code")),
        (409, "dry_run"),
        "{}",
        early.body
    );
    tokio::time::sleep(TICK).await;
    let stays = post(&bench, "dry", "rollback", &call("bad")).await?;
    assert_eq!(stays.status, 409, "{}", stays.body);
    assert_eq!(stays.text("/true_verdict"), "rollback", "{}", stays.body);
    let goes_on = post(&bench, "dry", "advance", &call("bad")).await?;
    assert_eq!(goes_on.status, 200, "{}", goes_on.body);
    Ok(())
}
