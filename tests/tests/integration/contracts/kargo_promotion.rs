//! Kargo's whole promotion as shipped, with the traffic that it writes: what a verdict does to it.

#![expect(
    clippy::indexing_slicing,
    reason = "a document without what is looked for fails the test"
)]

use std::time::Duration;

use serde_json::{Value, json};
use serinus_tests::callers::Pace;
use serinus_tests::callers::argo::{Metric, Phase, Version};
use serinus_tests::callers::kargo::Status;
use serinus_tests::callers::kargo_promotion::{Promoted, Promotion};
use serinus_tests::{Scripted, ScriptedServer};

use super::bench::{Bench, ask, document, manifest};

const PACE: Pace = Pace::Real(Duration::from_millis(500));

/// The steps of the example before those that only run after a failure.
const STEPS_TO_THE_FIRST_GATE: usize = 5;

fn known(version: &str) -> [(&str, &str); 4] {
    [
        ("ctx.promotion", "production.01jd.6d4f9"),
        ("ctx.stage", "canary"),
        ("imageFrom(\"registry.example/checkout\").Tag", version),
        ("secret('serinus').token", "a-token"),
    ]
}

/// The file that the head of the example shows.
fn values(stable: &str, canary: &str, weight: u64) -> Value {
    json!({"stable": {"tag": stable}, "canary": {"tag": canary, "weight": weight}})
}

fn promotion(version: &str, server: &str, pace: Pace) -> anyhow::Result<Promotion> {
    let before = values("stable", "stable", 0);
    let stage = document("kargo/stage.yaml")?;
    Promotion::read(&stage, &known(version), before, server, pace)
}

async fn played(answers: &str, version: &str) -> anyhow::Result<Promoted> {
    let server = ScriptedServer::start(Scripted::play(answers)).await?;
    promotion(version, server.url(), Pace::Virtual)?.run().await
}

fn assert_reverted(promoted: &Promoted, weights: &[u64], version: &str) {
    let mut pushes: Vec<Value> = weights
        .iter()
        .map(|weight| values("stable", version, *weight))
        .collect();
    pushes.push(values("stable", "stable", 0));
    assert_eq!(promoted.pushed, pushes, "{promoted:?}");
    assert!(!promoted.has_succeeded, "{promoted:?}");
}

#[tokio::test]
async fn kg09_a_good_version_gets_all_of_the_traffic() -> anyhow::Result<()> {
    let bench = Bench::start().await?;
    let promoted = promotion("good", bench.serinus.url(), PACE)?.run().await?;
    let pushed = [
        values("stable", "good", 10),
        values("stable", "good", 50),
        values("good", "good", 0),
    ];
    assert_eq!(promoted.pushed, pushed, "{promoted:?}");
    assert!(promoted.has_succeeded, "{promoted:?}");
    assert_eq!(
        bench.rollouts("checkout").await?,
        1,
        "both gates have one key"
    );
    Ok(())
}

#[tokio::test]
async fn kg10_a_rollback_sets_the_traffic_back() -> anyhow::Result<()> {
    let bench = Bench::start().await?;
    let promoted = promotion("bad", bench.serinus.url(), PACE)?.run().await?;
    assert_reverted(&promoted, &[10], "bad");
    let Some(Status::Failed(told)) = promoted.gates.get("gate-1") else {
        panic!("{promoted:?}");
    };
    assert!(told.contains("error_rate"), "{told}");
    Ok(())
}

#[tokio::test]
async fn kg11_a_rollback_at_the_second_gate_sets_the_traffic_back() -> anyhow::Result<()> {
    let promoted = played("PHR", "v2").await?;
    assert_reverted(&promoted, &[10, 50], "v2");
    Ok(())
}

#[tokio::test]
async fn kg12_holds_until_the_time_out_and_a_serinus_that_is_away_set_it_back() -> anyhow::Result<()>
{
    assert_reverted(&played("H", "v2").await?, &[10], "v2");
    let away = promotion("v2", "http://127.0.0.1:1", Pace::Virtual)?;
    let promoted = away.run().await?;
    assert!(
        matches!(promoted.gates.get("gate-1"), Some(Status::Errored(_))),
        "{promoted:?}"
    );
    assert_reverted(&promoted, &[10], "v2");
    Ok(())
}

/// What was before the promotion is not remembered: after a restart it would be its own first push.
#[tokio::test]
async fn kg13_a_restarted_controller_reverts_to_the_stable_version() -> anyhow::Result<()> {
    let server = ScriptedServer::start(Scripted::play("R")).await?;
    let promotion = promotion("v2", server.url(), Pace::Virtual)?;
    let promoted = promotion
        .run_with_a_restart_after(STEPS_TO_THE_FIRST_GATE)
        .await?;
    assert_reverted(&promoted, &[10, 10], "v2");
    Ok(())
}

#[tokio::test]
async fn kg14_a_tag_that_looks_like_a_number_stays_a_text() -> anyhow::Result<()> {
    let promoted = played("PP", "1.10").await?;
    assert_eq!(
        promoted.pushed.last(),
        Some(&values("1.10", "1.10", 0)),
        "{promoted:?}"
    );
    Ok(())
}

/// The variant: the promotion ends, and Argo's controller asks the gate for the Stage.
#[tokio::test]
async fn kg15_a_stage_is_verified_by_the_gate_with_the_key_of_its_promotion() -> anyhow::Result<()>
{
    let bench = Bench::start().await?;
    let [stage, template] = manifest("kargo/verification.yaml")?
        .try_into()
        .map_err(|_| anyhow::anyhow!("a Stage and its template"))?;
    for (version, expected) in [("good", Phase::Successful), ("bad", Phase::Failed)] {
        let mut known = known(version);
        let key = format!("canary.{version}");
        known[0].1 = &key;
        let before = values("stable", "stable", 0);
        let promotion = Promotion::read(&stage, &known, before, "", Pace::Virtual)?;
        let promoted = promotion.run().await?;
        assert!(promoted.has_succeeded && promoted.gates.is_empty());
        assert_eq!(promoted.metadata["serinusKey"], key);

        let arguments = verification_arguments(&stage, &promoted, version)?;
        let arguments: Vec<(&str, &str)> = arguments
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        let mut metric = Metric::of_template(&template, &arguments, bench.serinus.url())?;
        let nothing = async |_, _: &mut _| Ok(());
        let run = metric.run(Version::V1_9_1, PACE, nothing).await?;
        assert_eq!(run.phase, expected, "{run:?}");
        let reply = ask(&bench.serinus, "checkout", "stage_1", &format!("key={key}")).await?;
        let verdict = if expected == Phase::Failed {
            "rollback"
        } else {
            "promote"
        };
        assert_eq!(reply.text("/verdict"), verdict, "{}", reply.body);
    }
    Ok(())
}

/// What the Stage gives the template, with Kargo's two expressions in it evaluated.
fn verification_arguments(
    stage: &Value,
    promoted: &Promoted,
    version: &str,
) -> anyhow::Result<Vec<(String, String)>> {
    let listed = stage.pointer("/spec/verification/args");
    let listed = listed.and_then(Value::as_array).cloned();
    listed
        .unwrap_or_default()
        .iter()
        .map(|argument| {
            let text = |name: &str| argument[name].as_str().unwrap_or_default().to_owned();
            let key = promoted.metadata["serinusKey"].as_str().unwrap_or_default();
            let value = match text("value").as_str() {
                "${{ stageMetadata(ctx.stage)['serinusKey'] }}" => key.to_owned(),
                "${{ quote(imageFrom(\"registry.example/checkout\").Tag) }}" => version.to_owned(),
                plain if !plain.contains("${{") => plain.to_owned(),
                other => anyhow::bail!("unknown expression {other}"),
            };
            Ok((text("name"), value))
        })
        .collect()
}
