//! Spinnaker's webhook stage, both ways as shipped: what Orca makes of the answers.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use serinus_tests::callers::Pace;
use serinus_tests::callers::spinnaker::{Ended, Stage, Status};
use serinus_tests::{Scripted, ScriptedServer};

use super::bench::{Bench, ask, document, seconds_ago};

pub(super) const POLLING: &str = "spinnaker/webhook-stage.json";
pub(super) const STARTING: &str = "spinnaker/start-and-poll-stage.json";

/// What the shipped stages call Serinus.
const PUBLIC_URL: &str = "https://serinus.example.com";

pub(super) const PACE: Pace = Pace::Real(Duration::from_millis(100));

/// A shipped stage of an execution, and of the version that it deploys.
pub(super) fn stage(
    path: &str,
    version: &str,
    execution: &str,
    server: &str,
) -> anyhow::Result<Stage> {
    let values = [("execution.id", execution), ("parameters.version", version)];
    Stage::read(&document(path)?, &values, server)
}

/// What the polls come to; the POST before them was a hold.
async fn polled(mut answers: Vec<Scripted>) -> anyhow::Result<Ended> {
    answers.insert(0, Scripted::verdict("hold"));
    let server = ScriptedServer::start(answers).await?;
    stage(POLLING, "good", "01JD", server.url())?
        .run(Pace::Virtual)
        .await
}

/// One poll, and then a promote: RUNNING shows as a stage that goes on to succeed.
async fn is_running(answer: Scripted) -> anyhow::Result<bool> {
    let ended = polled(vec![answer, Scripted::verdict("promote")]).await?;
    Ok((ended.status, ended.polls) == (Status::Succeeded, 2))
}

async fn is_terminal(answer: Scripted) -> anyhow::Result<bool> {
    let ended = polled(vec![answer, Scripted::verdict("promote")]).await?;
    Ok((ended.status, ended.polls) == (Status::Terminal, 1))
}

/// A gate's answer with one field changed; `null` takes it away.
fn with(pointer: &str, field: &str, value: Value) -> Scripted {
    let mut body: Value =
        serde_json::from_slice(&Scripted::verdict("hold").body).unwrap_or_default();
    if let Some(fields) = body.pointer_mut(pointer).and_then(Value::as_object_mut) {
        if value.is_null() {
            fields.remove(field);
        } else {
            fields.insert(field.to_owned(), value);
        }
    }
    Scripted::json(&body)
}

#[tokio::test]
async fn sw01_holds_then_promote_succeeds() -> anyhow::Result<()> {
    let ended = polled(Scripted::play("HHP")).await?;
    assert_eq!(
        (ended.status, ended.polls, ended.starts),
        (Status::Succeeded, 3, 1)
    );
    Ok(())
}

#[tokio::test]
async fn sw02_rollback_is_terminal_and_cancels() -> anyhow::Result<()> {
    let bench = Bench::start().await?;
    let ended = stage(POLLING, "bad", "01JD02", bench.serinus.url())?
        .run(PACE)
        .await?;
    assert_eq!(
        (ended.status, ended.canceled),
        (Status::Terminal, Some(200)),
        "{ended:?}"
    );
    let rollout = bench.rollout("checkout", "01JD02").await?;
    assert_eq!(rollout.text("/state"), "rolled_back", "{}", rollout.body);
    let again = ask(&bench.serinus, "checkout", "stage_2", "key=01JD02").await?;
    assert_eq!(again.text("/verdict"), "rollback", "{}", again.body);
    assert_eq!(bench.rollouts("checkout").await?, 1);
    Ok(())
}

#[tokio::test]
async fn sw03_a_verdict_that_is_missing_or_null_is_terminal() -> anyhow::Result<()> {
    assert!(is_terminal(with("/gate", "verdict", Value::Null)).await?);
    assert!(
        is_terminal(Scripted::json(
            &json!({"gate": {"verdict": null}, "progress": "x"})
        ))
        .await?
    );
    let bench = Bench::start().await?;
    // From the first answer on: before anything is judged, too.
    let first = ask(&bench.serinus, "slow", "stage_1", "key=first").await?;
    assert_eq!(first.text("/gate/verdict"), "hold");
    Ok(())
}

#[tokio::test]
async fn sw04_the_case_of_a_verdict_is_ignored() -> anyhow::Result<()> {
    let ended = polled(vec![with("/gate", "verdict", json!("PROMOTE"))]).await?;
    assert_eq!((ended.status, ended.polls), (Status::Succeeded, 1));
    Ok(())
}

#[tokio::test]
async fn sw05_an_unknown_verdict_keeps_it_running() -> anyhow::Result<()> {
    assert!(is_running(with("/gate", "verdict", json!("maybe"))).await?);
    Ok(())
}

#[tokio::test]
async fn sw06_a_progress_that_is_no_text_is_terminal() -> anyhow::Result<()> {
    assert!(is_terminal(with("", "progress", json!(41))).await?);
    assert!(is_terminal(with("", "progress", Value::Null)).await?);
    Ok(())
}

#[tokio::test]
async fn sw07_a_mistake_of_the_caller_is_terminal() -> anyhow::Result<()> {
    for status in [404, 400, 401, 409] {
        assert!(is_terminal(Scripted::new(status, "application/problem+json", "{}")).await?);
    }
    Ok(())
}

#[tokio::test]
async fn sw08_what_a_proxy_answers_keeps_it_running() -> anyhow::Result<()> {
    for status in [429, 500, 502, 503, 504] {
        assert!(is_running(Scripted::page(status)).await?, "{status}");
    }
    Ok(())
}

/// At a hundredth of the time.
#[tokio::test]
async fn sw09_a_slow_answer_keeps_it_running() -> anyhow::Result<()> {
    let mut slow = Scripted::verdict("rollback");
    slow.first_byte_after = Duration::from_millis(500);
    let answers = vec![
        Scripted::verdict("hold"),
        slow,
        Scripted::verdict("promote"),
    ];
    let server = ScriptedServer::start(answers).await?;
    let mut stage = stage(POLLING, "good", "01JD", server.url())?;
    assert_eq!(stage.read_timeout, Duration::from_secs(20));
    stage.read_timeout = Duration::from_millis(200);
    let ended = stage.run(Pace::Virtual).await?;
    assert_eq!((ended.status, ended.polls), (Status::Succeeded, 2));
    Ok(())
}

#[tokio::test]
async fn sw10_a_refused_connection_is_terminal() -> anyhow::Result<()> {
    let mut refused = stage(POLLING, "good", "01JD", "http://127.0.0.1:1")?;
    let ended = refused.run(Pace::Virtual).await?;
    assert_eq!(
        (ended.status, ended.starts, ended.polls),
        (Status::Terminal, 1, 0)
    );
    refused.set("monitorOnly", json!(true));
    let ended = refused.run(Pace::Virtual).await?;
    assert_eq!((ended.status, ended.polls), (Status::Terminal, 1));
    Ok(())
}

#[tokio::test]
async fn sw11_an_empty_answer_is_terminal() -> anyhow::Result<()> {
    assert!(is_terminal(Scripted::new(204, "", "")).await?);
    assert!(is_terminal(Scripted::new(200, "application/json", "")).await?);
    Ok(())
}

#[tokio::test]
async fn sw12_a_page_with_200_is_terminal() -> anyhow::Result<()> {
    assert!(is_terminal(Scripted::page(200)).await?);
    Ok(())
}

#[tokio::test]
async fn sw13_a_start_that_takes_four_minutes_makes_one_rollout() -> anyhow::Result<()> {
    let bench = Bench::start_public(PUBLIC_URL).await?;
    // 24 tries, 10 s apart, and then Serinus itself.
    let mut answers = vec![Scripted::page(503); 24];
    let there = format!("{}/v1/rollouts", bench.serinus.url());
    answers.push(Scripted::redirect(307, &there));
    let proxy = ScriptedServer::start(answers).await?;
    let mut starting = stage(STARTING, "bad", "01JD13", proxy.url())?;
    starting.set("payload", payload("01JD13", "bad"));
    starting.status_server = Some(bench.serinus.url().to_owned());
    let ended = starting.run(PACE).await?;
    assert_eq!(ended.starts, 25, "{ended:?}");
    // It goes on, to the verdict of the only rollout.
    assert_eq!(ended.status, Status::Terminal, "{ended:?}");
    assert!(
        ended.polls > 0 && ended.polled_url.starts_with(PUBLIC_URL),
        "{ended:?}"
    );
    assert_eq!(bench.rollouts("checkout").await?, 1);

    // The POST of a gate in the same way.
    let mut answers = vec![Scripted::page(503); 24];
    let path = "/v1/pipelines/checkout/stages/stage_2/gate?key=01JD13-gate&canary.version=good";
    let there = format!("{}{path}", bench.serinus.url());
    answers.push(Scripted::redirect(307, &there));
    let proxy = ScriptedServer::start(answers).await?;
    let mut polling = stage(POLLING, "good", "01JD13-gate", proxy.url())?;
    polling.status_server = Some(bench.serinus.url().to_owned());
    let ended = polling.run(PACE).await?;
    assert_eq!(
        (ended.status, ended.starts),
        (Status::Succeeded, 25),
        "{ended:?}"
    );
    assert_eq!(bench.rollouts("checkout").await?, 2);
    Ok(())
}

fn payload(key: &str, version: &str) -> Value {
    json!({
        "pipeline": "checkout", "key": key,
        "canary": {"version": version}, "start": seconds_ago(60),
    })
}

#[tokio::test]
async fn sw14_a_start_sent_twice_is_one_rollout() -> anyhow::Result<()> {
    let bench = Bench::start().await?;
    let body = payload("01JD14", "good");
    let first = bench.serinus.post("/v1/rollouts", &body).await?;
    let second = bench.serinus.post("/v1/rollouts", &body).await?;
    assert_eq!((first.status, second.status), (201, 200), "{}", second.body);
    assert!(
        first.text("/status_url").starts_with("http://"),
        "{}",
        first.body
    );
    assert_eq!(first.text("/status_url"), second.text("/status_url"));
    assert_eq!(bench.rollouts("checkout").await?, 1);
    Ok(())
}

#[tokio::test]
async fn sw15_a_start_that_is_given_up_or_leads_nowhere_is_terminal() -> anyhow::Result<()> {
    let mut slow = Scripted::verdict("promote");
    slow.first_byte_after = Duration::from_millis(500);
    for path in [STARTING, POLLING] {
        for answer in [Scripted::page(504), slow.clone()] {
            let server = ScriptedServer::start(vec![answer]).await?;
            let mut starting = stage(path, "good", "01JD", server.url())?;
            starting.read_timeout = Duration::from_millis(200);
            let ended = starting.run(Pace::Virtual).await?;
            assert_eq!(
                (ended.status, ended.starts, ended.polls),
                (Status::Terminal, 1, 0)
            );
        }
        let nowhere = stage(path, "good", "01JD", "http://serinus.invalid:1")?;
        let ended = nowhere.run(Pace::Virtual).await?;
        assert_eq!(
            (ended.status, ended.starts, ended.polls),
            (Status::Terminal, 1, 0)
        );
    }
    Ok(())
}

#[tokio::test]
async fn sw16_the_other_replica_knows_a_rollout_at_once() -> anyhow::Result<()> {
    let bench = Bench::start_shared().await?;
    let other = bench.replica().await?;
    for number in 0..10 {
        let key = format!("01JD16-{number}");
        let started = bench
            .serinus
            .post("/v1/rollouts", &payload(&key, "good"))
            .await?;
        assert_eq!(started.status, 201, "{}", started.body);
        let path = format!("/v1/rollouts/{}", started.text("/rollout"));
        let found = other.get(&path).await?;
        assert_eq!(found.status, 200, "{}", found.body);
        assert_eq!(found.text("/key"), key);
        assert!(!found.text("/gate/verdict").is_empty() && !found.text("/progress").is_empty());
    }
    Ok(())
}

#[tokio::test]
async fn sw17_a_relative_location_is_terminal_and_ours_is_absolute() -> anyhow::Result<()> {
    let mut answer = Scripted::new(201, "application/json", "{}");
    answer
        .headers
        .push(("Location".to_owned(), "/v1/rollouts/1".to_owned()));
    let server = ScriptedServer::start(vec![answer]).await?;
    let mut starting = stage(STARTING, "good", "01JD", server.url())?;
    starting.set("statusUrlResolution", json!("locationHeader"));
    let ended = starting.run(Pace::Virtual).await?;
    assert_eq!((ended.status, ended.polls), (Status::Terminal, 0));

    let bench = Bench::start().await?;
    let request = bench.serinus.request(Method::POST, "/v1/rollouts");
    let response = request.json(&payload("01JD17", "good")).send().await?;
    let location = response
        .headers()
        .get("location")
        .and_then(|value| value.to_str().ok());
    let location = location.unwrap_or_default();
    assert!(location.starts_with("http://127.0.0.1:"), "{location}");
    assert!(location.contains("/v1/rollouts/"), "{location}");
    Ok(())
}

#[tokio::test]
async fn sw18_sixty_polls_say_what_four_say() -> anyhow::Result<()> {
    let bench = Bench::start().await?;
    for (version, expected) in [("good", "promote"), ("bad", "rollback")] {
        let start = seconds_ago(4);
        let often = format!("key=often-{version}&canary.version={version}&start={start}");
        let seldom = format!("key=seldom-{version}&canary.version={version}&start={start}");
        ask(&bench.serinus, "checkout", "stage_1", &seldom).await?;
        for _ in 0..57 {
            ask(&bench.serinus, "checkout", "stage_1", &often).await?;
            tokio::time::sleep(Duration::from_millis(120)).await;
        }
        let mut told = Vec::new();
        for query in [&often, &seldom] {
            for _ in 0..3 {
                let reply = ask(&bench.serinus, "checkout", "stage_1", query).await?;
                told.push((
                    reply.text("/verdict").to_owned(),
                    reply.text("/gate/reason").to_owned(),
                ));
            }
        }
        assert_eq!(told[0].0, expected, "{told:?}");
        assert!(told.iter().all(|one| one.0 == told[0].0), "{told:?}");
    }
    Ok(())
}

#[tokio::test]
async fn a_whole_stage_both_ways_good_and_bad() -> anyhow::Result<()> {
    let bench = Bench::start_public(PUBLIC_URL).await?;
    let pace = Pace::Real(Duration::from_millis(500));
    for (version, expected) in [("good", Status::Succeeded), ("bad", Status::Terminal)] {
        let execution = format!("01JD-{version}");
        let polling = stage(POLLING, version, &execution, bench.serinus.url())?;
        let ended = polling.run(pace).await?;
        assert_eq!(ended.status, expected, "{ended:?}");
        assert!(ended.polls > 1, "{ended:?}");
    }
    let mut starting = stage(STARTING, "good", "01JD-both", bench.serinus.url())?;
    starting.set("payload", payload("01JD-both", "good"));
    let ended = starting.run(pace).await?;
    assert_eq!(
        (ended.status, ended.starts),
        (Status::Succeeded, 1),
        "{ended:?}"
    );
    assert!(ended.polls > 1, "{ended:?}");
    Ok(())
}
