//! Kargo's `http` step, as shipped.

use std::time::Duration;

use anyhow::Context;
use serde_json::json;
use serinus_tests::callers::Pace;
use serinus_tests::callers::kargo::{Ended, Status, Step, http_steps};
use serinus_tests::{Scripted, ScriptedServer};

use super::bench::{Bench, document};

const PROMOTION: &str = "production.01jd.6d4f9";

fn step(server: &str) -> anyhow::Result<Step> {
    step_of(PROMOTION, "good", server)
}

/// The shipped step that asks the second gate, of a promotion and of the version that it promotes.
pub(super) fn step_of(promotion: &str, version: &str, server: &str) -> anyhow::Result<Step> {
    let stage = document("kargo/stage.yaml")?;
    let steps = http_steps(&stage);
    let values = [
        ("ctx.promotion", promotion),
        ("quote(vars.version)", version),
        ("secret('serinus').token", "a-token"),
    ];
    Step::read(steps.last().context("no http step")?, &values, server)
}

async fn played(answers: Vec<Scripted>, change: impl FnOnce(&mut Step)) -> anyhow::Result<Ended> {
    let server = ScriptedServer::start(answers).await?;
    let mut step = step(server.url())?;
    change(&mut step);
    step.run(Pace::Virtual).await
}

fn is_errored(status: &Status) -> bool {
    matches!(status, Status::Errored(_))
}

#[tokio::test]
async fn kg01_holds_then_promote_succeeds_on_the_third_try() -> anyhow::Result<()> {
    let ended = played(Scripted::play("HHP"), |_| ()).await?;
    assert_eq!(
        (&ended.status, ended.tries),
        (&Status::Succeeded, 3),
        "{ended:?}"
    );
    assert_eq!(ended.waited, Duration::from_mins(1));
    Ok(())
}

#[tokio::test]
async fn kg02_rollback_fails_with_its_reason() -> anyhow::Result<()> {
    let ended = played(Scripted::play("R"), |_| ()).await?;
    let told = "met failure criteria: \"the reason for rollback\"".to_owned();
    assert_eq!((ended.status, ended.tries), (Status::Failed(told), 1));
    Ok(())
}

#[tokio::test]
async fn kg03_a_page_with_503_is_waited_out() -> anyhow::Result<()> {
    let ended = played(Scripted::play("EEEP"), |_| ()).await?;
    assert_eq!(
        (&ended.status, ended.tries),
        (&Status::Succeeded, 4),
        "{ended:?}"
    );
    Ok(())
}

#[tokio::test]
async fn kg04_expressions_that_do_not_forgive_make_it_an_error() -> anyhow::Result<()> {
    let ended = played(Scripted::play("E"), |step| {
        step.set(
            "successExpression",
            json!("response.body.gate.verdict == 'promote'"),
        );
        step.set(
            "failureExpression",
            json!("response.body.gate.verdict == 'rollback'"),
        );
        step.set_error_threshold(1);
    })
    .await?;
    assert!(is_errored(&ended.status) && ended.tries == 1, "{ended:?}");
    Ok(())
}

#[tokio::test]
async fn kg05_a_refused_connection_ends_the_promotion_at_a_threshold_of_one() -> anyhow::Result<()>
{
    let mut refused = step("http://127.0.0.1:1")?;
    let as_shipped = refused.run(Pace::Virtual).await?;
    assert!(
        is_errored(&as_shipped.status) && as_shipped.tries == 20,
        "{as_shipped:?}"
    );
    refused.set_error_threshold(1);
    let ended = refused.run(Pace::Virtual).await?;
    assert!(is_errored(&ended.status) && ended.tries == 1, "{ended:?}");
    Ok(())
}

#[tokio::test]
async fn kg06_an_unknown_pipeline_runs_until_the_time_out() -> anyhow::Result<()> {
    let bench = Bench::start().await?;
    let mut unknown = step(bench.serinus.url())?;
    let url = "http://serinus.serinus.svc:8080/v1/pipelines/chekout/stages/stage_2/gate";
    unknown.set("url", json!(url));
    assert_eq!(unknown.attempt().await, Status::Running);
    let ended = unknown.run(Pace::Virtual).await?;
    assert_eq!(ended.status, Status::Failed("timed out".to_owned()));
    assert_eq!(ended.waited, Duration::from_mins(250));
    let reply = bench
        .serinus
        .get("/v1/pipelines/chekout/stages/stage_2/gate?key=a")
        .await?;
    assert_eq!(
        (reply.status, reply.content_type.as_str()),
        (404, "application/problem+json")
    );
    assert!(reply.text("/detail").contains("checkout"), "{}", reply.body);
    Ok(())
}

#[tokio::test]
async fn kg07_a_bare_text_is_an_error_to_older_versions() -> anyhow::Result<()> {
    for (is_old, expected) in [(true, true), (false, false)] {
        let server = ScriptedServer::start(vec![Scripted::json(&json!("promote"))]).await?;
        let mut step = step(server.url())?;
        step.is_old = is_old;
        let status = step.attempt().await;
        assert_eq!(is_errored(&status), expected, "{status:?}");
        assert!(expected || status == Status::Running, "{status:?}");
    }
    Ok(())
}

/// At a tenth of the time.
#[tokio::test]
async fn kg08_an_answer_after_the_time_out_is_an_error() -> anyhow::Result<()> {
    let mut answer = Scripted::verdict("promote");
    answer.first_byte_after = Duration::from_millis(1_100);
    let server = ScriptedServer::start(vec![answer]).await?;
    let mut step = step(server.url())?;
    step.set("timeout", json!("1s"));
    assert_eq!(step.attempt().await, Status::Errored("Timeout".to_owned()));
    Ok(())
}

#[tokio::test]
async fn a_whole_promotion_of_a_good_and_of_a_bad_version() -> anyhow::Result<()> {
    let bench = Bench::start().await?;
    let pace = Pace::Real(Duration::from_millis(500));
    let ended = step(bench.serinus.url())?.run(pace).await?;
    assert_eq!(ended.status, Status::Succeeded, "{ended:?}");
    assert!(ended.tries > 1, "{ended:?}");

    let bad = step_of("production.bad", "bad", bench.serinus.url())?;
    let ended = bad.run(pace).await?;
    let Status::Failed(told) = &ended.status else {
        panic!("{ended:?}");
    };
    assert!(told.contains("error_rate"), "{told}");
    Ok(())
}
