//! What no question of Flagger tells, and its events do: which weight was written, and which
//! revision is rolled out.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use serinus_tests::Reply;
use serinus_tests::callers::flagger::{Canary, Phase};

use super::bench::{Bench, ask, stages};
use super::flagger::{TICK, canary, shipped};

async fn ticks(canary: &mut Canary, most: usize) -> anyhow::Result<()> {
    for _ in 0..most {
        canary.tick().await?;
        if matches!(canary.phase, Phase::Succeeded | Phase::Failed) {
            return Ok(());
        }
        tokio::time::sleep(TICK).await;
    }
    Ok(())
}

/// When a stage of a rollout began.
fn began(rollout: &Reply, stage: usize) -> anyhow::Result<DateTime<Utc>> {
    let text = rollout.text(&format!("/stages/{stage}/started"));
    Ok(text.parse()?)
}

/// Takes a canary to its first weight, and has the write of the second one refused.
async fn refuse_the_second_weight(bench: &Bench, canary: &mut Canary) -> anyhow::Result<()> {
    canary.tick().await?;
    assert_eq!(canary.weight, 10, "{:?}", canary.calls);
    canary.is_route_refused = true;
    for _ in 0..3 {
        tokio::time::sleep(TICK).await;
        canary.tick().await?;
        if !canary.is_route_refused {
            break;
        }
    }
    assert_eq!(
        (canary.weight, canary.last("confirm-traffic-increase")),
        (10, Some(200)),
        "{:?}",
        canary.calls
    );
    let rollout = bench.rollout("checkout", "shop/checkout@good").await?;
    assert_eq!(
        stages(&rollout),
        [("stage_1", "passed"), ("stage_2", "waiting")]
    );
    Ok(())
}

#[tokio::test]
async fn fl13_a_revision_that_is_replaced_is_superseded_and_begins_afresh() -> anyhow::Result<()> {
    let bench = Bench::start().await?;
    let mut canary = canary(bench.serinus.url(), "checkout", &[10, 50], "good")?;
    canary.checksum = "a".to_owned();
    while canary.weight < 50 {
        canary.tick().await?;
        assert_eq!(canary.phase, Phase::Progressing, "{:?}", canary.calls);
        tokio::time::sleep(TICK / 2).await;
    }
    canary.deployed = Some("b".to_owned());
    canary.tick().await?;
    canary.tick().await?;
    assert_eq!((canary.checksum.as_str(), canary.weight), ("b", 10));
    let first = bench.rollout("checkout", "shop/checkout@a").await?;
    assert_eq!(first.text("/state"), "superseded", "{}", first.body);
    let look = "key=shop/checkout@a";
    let told = ask(&bench.serinus, "checkout", "stage_2", look).await?;
    assert_eq!(
        (told.text("/verdict"), told.text("/reason_code")),
        ("hold", "superseded"),
        "{}",
        told.body
    );
    tokio::time::sleep(TICK).await;
    ticks(&mut canary, 6).await?;
    assert_eq!(canary.phase, Phase::Succeeded, "{:?}", canary.calls);

    // The first spec again, and now it fails.
    let manifest = shipped("checkout", &[10, 50], "bad")?;
    let mut again = Canary::new(&manifest, "a", bench.serinus.url());
    ticks(&mut again, 4).await?;
    assert_eq!(again.phase, Phase::Failed, "{:?}", again.calls);
    assert!(again.calls.iter().all(|call| call.weight <= 10));
    let newest = bench.rollout("checkout", "shop/checkout@a").await?;
    assert_eq!(newest.body["attempt"], 2, "{}", newest.body);
    // Nothing was found of the first attempt since, nor decided.
    let trail = bench.trail(&first).await?;
    let kinds: Vec<&str> = trail
        .iter()
        .filter_map(|event| event["kind"].as_str())
        .collect();
    assert!(kinds.ends_with(&["superseded", "closed"]), "{kinds:?}");
    assert!(!kinds.contains(&"promoted"), "{kinds:?}");
    Ok(())
}

#[tokio::test]
async fn fl14_a_200_that_could_not_be_acted_on_moves_nothing() -> anyhow::Result<()> {
    let bench = Bench::start().await?;
    let mut canary = canary(bench.serinus.url(), "checkout", &[10, 50], "good")?;
    refuse_the_second_weight(&bench, &mut canary).await?;
    tokio::time::sleep(TICK).await;
    let at_the_repeat = Utc::now();
    canary.tick().await?;
    assert_eq!(canary.weight, 50, "{:?}", canary.calls);
    let rollout = bench.rollout("checkout", "shop/checkout@good").await?;
    assert!(began(&rollout, 1)? >= at_the_repeat, "{}", rollout.body);
    // It is judged for its whole duration.
    canary.tick().await?;
    assert_eq!(
        (canary.phase, canary.last("confirm-traffic-increase")),
        (Phase::Progressing, Some(409)),
        "{:?}",
        canary.calls
    );
    tokio::time::sleep(TICK).await;
    ticks(&mut canary, 4).await?;
    assert_eq!(canary.phase, Phase::Succeeded, "{:?}", canary.calls);
    assert_eq!(canary.failed_checks, 0);
    Ok(())
}

#[tokio::test]
async fn fl15_a_promotion_that_nobody_asked_for_before_is_opened_and_held() -> anyhow::Result<()> {
    let bench = Bench::start().await?;
    for (pipeline, stage) in [("checkout", Some("stage_1")), ("three", None)] {
        let mut manifest = shipped(pipeline, &[], "good")?;
        let analysis = &mut manifest["spec"]["analysis"];
        analysis["stepWeights"] = Value::Null;
        analysis["iterations"] = json!(1);
        if let Some(stage) = stage {
            for hook in analysis["webhooks"].as_array_mut().into_iter().flatten() {
                if hook["type"] == "confirm-promotion" {
                    hook["metadata"]["stage"] = json!(stage);
                }
            }
        }
        let mut canary = Canary::new(&manifest, "good", bench.serinus.url());
        canary.tick().await?;
        assert_eq!(bench.rollouts(pipeline).await?, 0, "{pipeline}");
        canary.tick().await?;
        assert_eq!(
            (
                canary.phase,
                canary.weight,
                canary.last("confirm-promotion")
            ),
            (Phase::WaitingPromotion, 0, Some(409)),
            "{:?}",
            canary.calls
        );
        let judged = stage.unwrap_or("stage_3");
        let rollout = bench.rollout(pipeline, "shop/checkout@good").await?;
        assert_eq!(rollout.text("/stage"), judged, "{}", rollout.body);
        tokio::time::sleep(TICK).await;
        ticks(&mut canary, 5).await?;
        assert_eq!(canary.phase, Phase::Succeeded, "{:?}", canary.calls);
        let rollout = bench.rollout(pipeline, "shop/checkout@good").await?;
        let found = stages(&rollout);
        assert!(found.contains(&(judged, "passed")), "{found:?}");
    }
    Ok(())
}

#[tokio::test]
async fn fl16_without_the_event_hook_the_weight_is_guessed_and_the_trail_warns()
-> anyhow::Result<()> {
    let bench = Bench::start().await?;
    let mut manifest = shipped("checkout", &[10, 50], "good")?;
    if let Some(hooks) = manifest["spec"]["analysis"]["webhooks"].as_array_mut() {
        hooks.retain(|hook| hook["type"] != "event");
    }
    let mut canary = Canary::new(&manifest, "good", bench.serinus.url());
    refuse_the_second_weight(&bench, &mut canary).await?;
    tokio::time::sleep(TICK).await;
    canary.tick().await?;
    let rollout = bench.rollout("checkout", "shop/checkout@good").await?;
    assert_eq!(rollout.text("/stage"), "stage_2", "it began at the repeat");
    let trail = bench.trail(&rollout).await?;
    assert!(
        trail
            .iter()
            .any(|event| event.to_string().contains("weight_unknown")),
        "{trail:?}"
    );
    Ok(())
}
