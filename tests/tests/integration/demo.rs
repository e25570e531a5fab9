//! The demo, as a newcomer runs it.

use std::time::Duration;

use anyhow::Context;
use serde_json::Value;
use serinus_tests::{SerinusProcess, run_command, serinus_binary};

/// The promise: verdicts within two minutes after the build.
const DEMO_BOUND: Duration = Duration::from_mins(2);
/// How long a person waits after Ctrl-C.
const END_BOUND: Duration = Duration::from_secs(5);

#[tokio::test]
async fn demo_once_ends_with_one_promote_and_one_rollback() -> anyhow::Result<()> {
    let output = run_command(&serinus_binary()?, &["demo", "--once"], DEMO_BOUND).await?;
    let shown = format!("{}\n{}", output.stdout, output.stderr);
    assert_eq!(output.code, Some(0), "{shown}");
    for ending in [
        "checkout 6d4f9.7: promoted",
        "payments 84cd6.4: rolled back",
    ] {
        assert!(output.stdout.contains(ending), "no {ending} in:\n{shown}");
    }
    // Told as soon as it was found: some minutes after it was compared with its control, as no interval says more
    // than a few nats.
    let words: Vec<&str> = output.stdout.split_whitespace().collect();
    let found = words.windows(4).find(|four| four[0] == "found");
    let [_, _, minutes, unit] = found.with_context(|| shown.clone())? else {
        anyhow::bail!("nothing was found: {shown}");
    };
    assert_eq!(*unit, "min", "{shown}");
    assert!(minutes.parse::<u32>()? <= 6, "{shown}");
    // In a pipe there are no colours, nor a line that is drawn again, and rows have their width.
    assert!(!shown.contains('\x1b') && !shown.contains('\r'), "{shown}");
    let widest = output.stdout.lines().map(|line| line.chars().count()).max();
    assert!(widest.is_some_and(|columns| columns <= 120), "{shown}");
    Ok(())
}

#[tokio::test]
async fn a_port_that_is_taken_is_an_error_when_it_was_asked_for() -> anyhow::Result<()> {
    let taken = std::net::TcpListener::bind("127.0.0.1:0")?;
    let address = taken.local_addr()?.to_string();
    let arguments = ["demo", "--listen", address.as_str()];
    let output = run_command(&serinus_binary()?, &arguments, DEMO_BOUND).await?;
    assert_eq!(output.code, Some(1), "{output:?}");
    let told = format!("cannot listen on {address}");
    assert!(output.stderr.contains(&told), "{output:?}");
    assert!(output.stderr.contains("--listen"), "{output:?}");
    Ok(())
}

#[tokio::test]
async fn ctrl_c_ends_a_demo_that_plays() -> anyhow::Result<()> {
    let mut demo = SerinusProcess::demo_that_plays().await?;
    ends_with_ctrl_c(&mut demo).await
}

async fn ends_with_ctrl_c(demo: &mut SerinusProcess) -> anyhow::Result<()> {
    demo.process().interrupt()?;
    let status = demo.process().wait(END_BOUND).await?;
    assert_eq!(status.code(), Some(0), "{}", demo.log());
    assert!(demo.log().contains("\nstopped"), "{}", demo.log());
    Ok(())
}

#[tokio::test]
async fn what_the_demo_names_at_its_end_is_there() -> anyhow::Result<()> {
    let mut demo = SerinusProcess::demo().await?;
    let log = demo.log();
    let after = |mark: &str| -> anyhow::Result<&str> {
        let (_, rest) = log.split_once(mark).with_context(|| log.clone())?;
        rest.split_whitespace().next().context("nothing after it")
    };

    // The trail of the bad one: from its start to its end, and each decision with its evidence.
    let url = after("from which data:\n")?;
    let path = url.strip_prefix(demo.url()).context("elsewhere")?;
    let trail = demo.get(path).await?;
    let events = trail.body["events"].as_array().context("no events")?;
    assert_eq!(events.first().context("none")?["kind"], "started");
    assert_eq!(events.last().context("none")?["kind"], "rolled_back");
    let decided = events.iter().filter(|event| event["kind"] == "decided");
    for event in decided.filter(|event| event["verdict"] != "hold") {
        assert!(event["analysis"]["checks"].is_array(), "{event}");
    }

    // A rollout is named by its canary's pod-template hash, as Argo does.
    let listed = demo.get("/v1/rollouts").await?;
    let listed = listed.body["rollouts"].as_array().context("no list")?;
    let keys: Vec<&Value> = listed.iter().map(|rollout| &rollout["key"]).collect();
    assert_eq!(keys, ["75b98.2", "84cd6.4", "6d4f9.7"]);

    // The decisions can be computed again while the demo is up.
    let (id, store) = (after(" replay ")?, after("--store ")?);
    let arguments = ["replay", id, "--store", store];
    let replayed = run_command(&serinus_binary()?, &arguments, DEMO_BOUND).await?;
    assert_eq!(replayed.code, Some(0), "{}", replayed.stdout);
    assert!(replayed.stdout.contains("rollback"), "{}", replayed.stdout);
    ends_with_ctrl_c(&mut demo).await
}
