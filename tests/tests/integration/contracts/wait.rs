//! `serinus wait`: real processes, real exit codes.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use serinus_tests::{
    CommandOutput, Scripted, ScriptedServer, free_port, run_command, serinus_binary,
};

use super::bench::{Bench, STAGE, ask};

/// More than any wait here may take.
const BOUND: Duration = Duration::from_secs(40);

async fn wait(server: &str, more: &[&str]) -> anyhow::Result<CommandOutput> {
    let mut arguments = vec!["wait", "--server", server, "--pipeline", "checkout"];
    arguments.extend(["--stage", "stage_1", "--key", "k", "--poll", "200ms"]);
    arguments.extend(more);
    run_command(&serinus_binary()?, &arguments, BOUND).await
}

async fn scripted(answers: Vec<Scripted>, more: &[&str]) -> anyhow::Result<CommandOutput> {
    let server = ScriptedServer::start(answers).await?;
    wait(server.url(), more).await
}

fn expect(output: &CommandOutput, code: i32) {
    assert_eq!(output.code, Some(code), "{output:?}");
}

#[tokio::test]
async fn cl01_holds_then_promote_exits_with_0() -> anyhow::Result<()> {
    let output = scripted(Scripted::play("HHP"), &[]).await?;
    expect(&output, 0);
    assert_eq!(output.stdout, "promote: the reason for promote\n");
    Ok(())
}

#[tokio::test]
async fn cl02_rollback_exits_with_1_within_one_poll() -> anyhow::Result<()> {
    let server = ScriptedServer::start(Scripted::play("HRP")).await?;
    let output = wait(server.url(), &[]).await?;
    expect(&output, 1);
    assert_eq!(server.received().len(), 2);
    assert!(output.stdout.starts_with("rollback: "), "{output:?}");
    Ok(())
}

#[tokio::test]
async fn cl03_a_hold_at_the_time_out_exits_with_2() -> anyhow::Result<()> {
    let bench = Bench::start().await?;
    let url = bench.serinus.url();
    let asked_at = Instant::now();
    let arguments = [
        "wait",
        "--server",
        url,
        "--pipeline",
        "slow",
        "--stage",
        "stage_1",
    ];
    let more = ["--key", "k", "--poll", "500ms", "--timeout", "3s"];
    let all: Vec<&str> = arguments.into_iter().chain(more).collect();
    let output = run_command(&serinus_binary()?, &all, BOUND).await?;
    expect(&output, 2);
    assert!(
        asked_at.elapsed() < Duration::from_secs(4),
        "{:?}",
        asked_at.elapsed()
    );
    assert!(output.stdout.starts_with("hold: "), "{output:?}");
    Ok(())
}

#[tokio::test]
async fn cl04_refused_until_the_time_out_exits_with_3() -> anyhow::Result<()> {
    let asked_at = Instant::now();
    let output = wait("http://127.0.0.1:1", &["--timeout", "3s"]).await?;
    expect(&output, 3);
    assert!(
        asked_at.elapsed() >= Duration::from_secs(3),
        "{:?}",
        asked_at.elapsed()
    );
    assert!(
        output.stdout.is_empty() && !output.stderr.is_empty(),
        "{output:?}"
    );
    Ok(())
}

#[tokio::test]
async fn cl05_a_hold_and_then_refused_exits_with_3() -> anyhow::Result<()> {
    let server = ScriptedServer::start(Scripted::play("H")).await?;
    let url = server.url().to_owned();
    let more = ["--timeout", "3s"];
    let waiting = wait(&url, &more);
    let stopping = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let asked = server.received().len();
        drop(server);
        asked
    };
    let (output, asked) = tokio::join!(waiting, stopping);
    assert!(asked > 0, "it held first");
    expect(&output?, 3);
    Ok(())
}

#[tokio::test]
async fn cl06_refused_at_first_and_then_promote_exits_with_0() -> anyhow::Result<()> {
    let port = free_port()?;
    let url = format!("http://127.0.0.1:{port}");
    let waiting = wait(&url, &["--timeout", "20s"]);
    let starting = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        ScriptedServer::start_on(port, Scripted::play("P")).await
    };
    let (output, server) = tokio::join!(waiting, starting);
    let (output, _server) = (output?, server?);
    expect(&output, 0);
    assert!(output.stderr.contains("trying again"), "{output:?}");
    Ok(())
}

#[tokio::test]
async fn cl07_a_wrong_flag_exits_with_3() -> anyhow::Result<()> {
    for more in [vec!["--bogus"], vec!["--timeout", "-1s"]] {
        expect(&wait("http://127.0.0.1:1", &more).await?, 3);
    }
    let without_key = ["wait", "--pipeline", "a", "--stage", "b"];
    expect(
        &run_command(&serinus_binary()?, &without_key, BOUND).await?,
        3,
    );
    Ok(())
}

#[tokio::test]
async fn cl08_a_mistake_of_the_caller_exits_with_3_at_once() -> anyhow::Result<()> {
    for status in [404, 401, 400] {
        let problem =
            json!({"type": "urn:x", "title": "x", "status": status, "detail": "change this"});
        let answer = Scripted::new(status, "application/problem+json", problem.to_string());
        let server = ScriptedServer::start(vec![answer]).await?;
        let output = wait(server.url(), &[]).await?;
        expect(&output, 3);
        assert!(output.stderr.contains("change this"), "{output:?}");
        assert_eq!(server.received().len(), 1);
    }
    Ok(())
}

#[tokio::test]
async fn cl09_a_page_until_the_time_out_exits_with_3() -> anyhow::Result<()> {
    let server = ScriptedServer::start(vec![Scripted::page(200)]).await?;
    let output = wait(server.url(), &["--timeout", "1s"]).await?;
    expect(&output, 3);
    assert!(server.received().len() > 1, "it was tried again");
    Ok(())
}

#[tokio::test]
async fn cl10_an_unknown_verdict_exits_with_3() -> anyhow::Result<()> {
    let answer = Scripted::json(&json!({"gate": {"verdict": "ok"}}));
    expect(&scripted(vec![answer], &[]).await?, 3);
    Ok(())
}

#[tokio::test]
async fn cl11_a_dry_run_waits_for_its_duration_exits_with_0_and_says_so() -> anyhow::Result<()> {
    let bench = Bench::start().await?;
    let began_at = Instant::now();
    let dry = "key=k&canary.track=bad&dry_run=true";
    ask(&bench.serinus, "checkout", "stage_1", dry).await?;
    let output = wait(bench.serinus.url(), &["--canary", "track=bad"]).await?;
    expect(&output, 0);
    assert!(began_at.elapsed() >= STAGE, "{output:?}");
    assert!(
        output.stdout.starts_with("promote: dry run, ")
            && output.stdout.contains("its checks say rollback"),
        "{output:?}"
    );
    Ok(())
}

#[tokio::test]
async fn cl12_a_wait_that_is_killed_goes_on_with_the_same_rollout() -> anyhow::Result<()> {
    let bench = Bench::start().await?;
    let killed = tokio::time::timeout(
        Duration::from_secs(2),
        // Dropped, it is killed.
        wait(bench.serinus.url(), &["--canary", "track=canary"]),
    );
    assert!(killed.await.is_err(), "the stage cannot be over");
    let before = ask(&bench.serinus, "checkout", "stage_1", "key=k").await?;
    let output = wait(bench.serinus.url(), &["--canary", "track=canary"]).await?;
    expect(&output, 0);
    let after = ask(&bench.serinus, "checkout", "stage_1", "key=k").await?;
    assert_eq!(before.text("/rollout"), after.text("/rollout"));
    assert_eq!(bench.rollouts("checkout").await?, 1);
    Ok(())
}

#[tokio::test]
async fn cl13_json_is_one_line_and_nothing_else() -> anyhow::Result<()> {
    let output = scripted(Scripted::play("HHP"), &["--output", "json"]).await?;
    expect(&output, 0);
    assert_eq!(output.stdout.lines().count(), 1, "{output:?}");
    let line: Value = serde_json::from_str(&output.stdout)?;
    assert_eq!(line["gate"]["verdict"], "promote");
    assert!(line["status_url"].is_string(), "{line}");
    Ok(())
}
