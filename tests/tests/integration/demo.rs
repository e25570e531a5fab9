//! The demo, as a newcomer runs it.

use std::time::Duration;

use anyhow::Context;
use serde_json::Value;
use serinus_tests::{SerinusProcess, run_command, serinus_binary};

/// The promise: verdicts within two minutes after the build.
const DEMO_BOUND: Duration = Duration::from_mins(2);

#[tokio::test]
async fn demo_once_ends_with_one_promote_and_one_rollback() -> anyhow::Result<()> {
    let output = run_command(&serinus_binary()?, &["demo", "--once"], DEMO_BOUND).await?;
    let shown = format!("{}\n{}", output.stdout, output.stderr);
    assert_eq!(output.code, Some(0), "{shown}");
    for ending in ["checkout 6d4f9.7: promote", "payments 84cd6.4: rollback"] {
        assert!(output.stdout.contains(ending), "no {ending} in:\n{shown}");
    }
    Ok(())
}

#[tokio::test]
async fn what_the_demo_names_at_its_end_is_there() -> anyhow::Result<()> {
    let demo = SerinusProcess::demo().await?;
    let log = demo.log();
    let after = |mark: &str| -> anyhow::Result<&str> {
        let (_, rest) = log.split_once(mark).with_context(|| log.clone())?;
        rest.split_whitespace().next().context("nothing after it")
    };

    // The trail of each: from its start to its end, and each decision with its evidence.
    for (service, end) in [("checkout", "promoted"), ("payments", "rolled_back")] {
        let url = after(&format!("\n  {service} "))?;
        let path = url.strip_prefix(demo.url()).context("elsewhere")?;
        let trail = demo.get(path).await?;
        let events = trail.body["events"].as_array().context("no events")?;
        assert_eq!(events.first().context("none")?["kind"], "started");
        assert_eq!(events.last().context("none")?["kind"], end, "{service}");
        let decided = events.iter().filter(|event| event["kind"] == "decided");
        for event in decided.filter(|event| event["verdict"] != "hold") {
            assert!(event["analysis"]["checks"].is_array(), "{event}");
        }
    }

    // A rollout is named by its canary's pod-template hash, as Argo does.
    let listed = demo.get("/v1/rollouts").await?;
    let listed = listed.body["rollouts"].as_array().context("no list")?;
    let keys: Vec<&Value> = listed.iter().map(|rollout| &rollout["key"]).collect();
    assert_eq!(keys, ["84cd6.4", "6d4f9.7"]);

    // The decisions can be computed again while the demo is up.
    let (id, store) = (after("serinus replay ")?, after("--store ")?);
    let arguments = ["replay", id, "--store", store];
    let replayed = run_command(&serinus_binary()?, &arguments, DEMO_BOUND).await?;
    assert_eq!(replayed.code, Some(0), "{}", replayed.stdout);
    assert!(replayed.stdout.contains("rollback"), "{}", replayed.stdout);
    Ok(())
}
