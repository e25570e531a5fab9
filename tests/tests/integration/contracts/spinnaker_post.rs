//! Spinnaker's webhook stage that begins a stage of the pipeline by POST, and then looks.

use std::time::Duration;

use anyhow::Context;
use reqwest::Url;
use serde_json::{Value, json};
use serinus_tests::callers::Pace;
use serinus_tests::callers::spinnaker::{Stage, Status};
use serinus_tests::{Scripted, ScriptedServer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::bench::{Bench, ask, document};
use super::spinnaker::{POLLING, STARTING, stage};

/// The shipped stage for another stage of another pipeline.
pub(super) fn stage_at(
    (pipeline, name): (&str, &str),
    version: &str,
    execution: &str,
    server: &str,
) -> anyhow::Result<Stage> {
    let shipped = document(POLLING)?.to_string();
    let text = shipped
        .replace("pipelines/checkout/", &format!("pipelines/{pipeline}/"))
        .replace("stages/stage_2/", &format!("stages/{name}/"));
    let values = [("execution.id", execution), ("parameters.version", version)];
    Stage::read(&serde_json::from_str(&text)?, &values, server)
}

#[tokio::test]
async fn sw19_a_start_that_is_never_answered_ends_with_the_stage() -> anyhow::Result<()> {
    for path in [STARTING, POLLING] {
        let server = ScriptedServer::start(vec![Scripted::page(503)]).await?;
        let mut starting = stage(path, "good", "01JD", server.url())?;
        starting.set("stageTimeoutMs", json!(15_000));
        let ended = starting.run(Pace::Virtual).await?;
        // At 0 and 10 s; the third would be at 20 s.
        assert_eq!(
            (ended.status, ended.starts, ended.polls),
            (Status::Terminal, 2, 0)
        );
        starting.is_before_2026_2 = true;
        let ended = starting.run(Pace::Virtual).await?;
        assert_eq!((ended.status, ended.starts), (Status::Terminal, 30));
    }
    Ok(())
}

#[tokio::test]
async fn sw20_a_template_that_was_not_filled_in_ends_the_stage_and_says_so() -> anyhow::Result<()> {
    let bench = Bench::start().await?;
    let shipped = document(POLLING)?;
    let with_braces: Value =
        serde_json::from_str(&shipped.to_string().replace("${execution.id}", "{{key}}"))?;
    for (document, values, named) in [
        (&shipped, [("execution.id", "01JD20")], "version"),
        (&with_braces, [("parameters.version", "good")], "key"),
        (&shipped, [("parameters.version", "good")], "key"),
    ] {
        let unfilled = Stage::read(document, &values, bench.serinus.url())?;
        let ended = unfilled.run(Pace::Virtual).await?;
        assert_eq!(
            (ended.status, ended.starts, ended.polls),
            (Status::Terminal, 1, 0),
            "{ended:?}"
        );
        assert!(ended.error.contains(named), "{named}: {}", ended.error);
    }
    let starting = Stage::read(
        &document(STARTING)?,
        &[("execution.id", "01JD20")],
        bench.serinus.url(),
    )?;
    let ended = starting.run(Pace::Virtual).await?;
    assert_eq!((ended.status, ended.polls), (Status::Terminal, 0));
    assert!(ended.error.contains("version"), "{}", ended.error);
    assert_eq!(bench.rollouts("checkout").await?, 0, "nothing is recorded");
    Ok(())
}

#[tokio::test]
async fn sw21_two_stages_of_an_execution_are_begun_and_then_looked_at() -> anyhow::Result<()> {
    let bench = Bench::start().await?;
    let server = bench.serinus.url();
    for name in ["stage_1", "stage_2"] {
        let ended = stage_at(("checkout", name), "good", "01JD21", server)?
            .run(Pace::Real(Duration::from_millis(500)))
            .await?;
        assert_eq!(
            (ended.status, ended.starts, ended.canceled),
            (Status::Succeeded, 1, None),
            "{ended:?}"
        );
        assert!(ended.polls > 1, "{ended:?}");
        assert!(ended.polled_url.contains(name), "{ended:?}");
    }
    let rollout = bench.rollout("checkout", "01JD21").await?;
    assert_eq!(rollout.text("/state"), "promoted", "{}", rollout.body);
    assert_eq!(bench.rollouts("checkout").await?, 1);
    Ok(())
}

/// Sends a POST without a length, in chunks, with and without a body; returns the status.
async fn chunked(server: &str, target: &str, body: Option<&Value>) -> anyhow::Result<u16> {
    let url: Url = server.parse()?;
    let address = (
        url.host_str().context("no host")?,
        url.port().context("no port")?,
    );
    let mut stream = TcpStream::connect(address).await?;
    let chunk = body.map(Value::to_string).unwrap_or_default();
    let chunks = if chunk.is_empty() {
        "0\r\n\r\n".to_owned()
    } else {
        format!("{:x}\r\n{chunk}\r\n0\r\n\r\n", chunk.len())
    };
    let head = format!(
        "POST {target} HTTP/1.1\r\nHost: {}:{}\r\nContent-Type: application/json\r\n\
         Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n",
        address.0, address.1
    );
    stream
        .write_all(format!("{head}{chunks}").as_bytes())
        .await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    let status = answer.split(' ').nth(1).context("no status")?;
    Ok(status.parse()?)
}

#[tokio::test]
async fn sw22_a_chunked_post_is_read_with_and_without_a_payload() -> anyhow::Result<()> {
    let bench = Bench::start().await?;
    let server = bench.serinus.url();
    let gate = "/v1/pipelines/checkout/stages/stage_2/gate";
    let in_the_query = format!("{gate}?key=a&canary.version=good");
    assert_eq!(chunked(server, &in_the_query, None).await?, 200);
    let in_the_body = json!({"key": "b", "canary": {"version": "good"}});
    assert_eq!(chunked(server, gate, Some(&in_the_body)).await?, 200);
    let start = json!({"pipeline": "checkout", "key": "c", "canary": {"version": "good"}});
    assert_eq!(chunked(server, "/v1/rollouts", Some(&start)).await?, 201);
    for key in ["a", "b"] {
        let rollout = bench.rollout("checkout", key).await?;
        // It is a POST: a GET would have begun no second stage.
        assert_eq!(rollout.text("/stage"), "stage_2", "{}", rollout.body);
    }
    Ok(())
}

#[tokio::test]
async fn sw23_a_stage_that_a_person_cancels_ends_its_rollout() -> anyhow::Result<()> {
    let bench = Bench::start().await?;
    let server = bench.serinus.url();
    let held = stage_at(("slow", "stage_1"), "good", "01JD23", server)?;
    let gate = "https://serinus.example.com/v1/pipelines/slow/stages/stage_1/gate";
    let begun = ask(
        &bench.serinus,
        "slow",
        "stage_1",
        "key=01JD23&canary.version=good",
    )
    .await?;
    assert_eq!(begun.text("/verdict"), "hold");
    assert_eq!(
        held.poll(&format!("{gate}?key=01JD23")).await?,
        Status::Running
    );
    for _ in 0..2 {
        assert_eq!(held.cancel().await?, Some(200));
        let rollout = bench.rollout("slow", "01JD23").await?;
        assert_eq!(rollout.text("/state"), "cancelled", "{}", rollout.body);
    }
    assert_eq!(bench.rollouts("slow").await?, 1);
    let unknown = stage_at(("slow", "stage_1"), "good", "01JD23-unknown", server)?;
    assert_eq!(unknown.cancel().await?, Some(404));
    Ok(())
}

#[tokio::test]
async fn sw24_looking_at_a_later_stage_begins_nothing() -> anyhow::Result<()> {
    let bench = Bench::start().await?;
    let mut looking = stage(POLLING, "good", "01JD24", bench.serinus.url())?;
    looking.set("monitorOnly", json!(true));
    let ended = looking.run(Pace::Virtual).await?;
    assert_eq!(
        (ended.status, ended.starts, ended.polls),
        (Status::Terminal, 0, 1),
        "{ended:?}"
    );
    assert!(ended.error.contains("POST"), "{}", ended.error);
    assert_eq!(bench.rollouts("checkout").await?, 0);

    // Of a key whose first stage has not passed, it is a hold.
    let first = stage_at(
        ("slow_first", "stage_1"),
        "good",
        "01JD24",
        bench.serinus.url(),
    )?;
    let gate = "https://serinus.example.com/v1/pipelines/slow_first/stages";
    assert_eq!(
        first
            .poll(&format!(
                "{gate}/stage_1/gate?key=01JD24&canary.version=good"
            ))
            .await?,
        Status::Running
    );
    let early = ask(&bench.serinus, "slow_first", "stage_2", "key=01JD24").await?;
    assert_eq!(
        (early.text("/verdict"), early.text("/reason_code")),
        ("hold", "not_reached"),
        "{}",
        early.body
    );
    let rollout = bench.rollout("slow_first", "01JD24").await?;
    assert_eq!(rollout.text("/stage"), "stage_1", "it has not moved");
    Ok(())
}
