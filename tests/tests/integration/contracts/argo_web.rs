//! Argo Rollouts with its `web` provider, on the shipped template.

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};
use serinus_tests::callers::Pace;
use serinus_tests::callers::argo::{Metric, Phase, Run, Version};
use serinus_tests::{Reply, Scripted, ScriptedServer};

use super::bench::{Bench, NAMESPACE, STAGE, ask, ask_until, assert_gate, document, seconds_ago};

pub(super) const TEMPLATE: &str = "argo-rollouts/analysis-template.yaml";

/// The key that the shipped template makes.
pub(super) fn key_of(canary: &str, revision: &str) -> String {
    format!("{NAMESPACE}/{canary}.{revision}")
}

/// The populations that the shipped template asks for, in a query.
pub(super) fn populations_of(canary: &str) -> String {
    format!(
        "control.namespace={NAMESPACE}&control.rollouts_pod_template_hash=stable\
         &canary.namespace={NAMESPACE}&canary.rollouts_pod_template_hash={canary}"
    )
}

/// The shipped template for one stage.
pub(super) fn metric(
    server: &str,
    stage: (&str, &str),
    canary: &str,
    revision: &str,
) -> anyhow::Result<Metric> {
    metric_in(NAMESPACE, server, stage, canary, revision)
}

/// The same, in any namespace.
pub(super) fn metric_in(
    namespace: &str,
    server: &str,
    (pipeline, stage): (&str, &str),
    canary: &str,
    revision: &str,
) -> anyhow::Result<Metric> {
    Metric::of_template(
        &document(TEMPLATE)?,
        &[
            ("pipeline", pipeline),
            ("stage", stage),
            ("namespace", namespace),
            ("stable-hash", "stable"),
            ("canary-hash", canary),
            ("revision", revision),
        ],
        server,
    )
}

async fn nothing(_number: usize, _metric: &mut Metric) -> anyhow::Result<()> {
    Ok(())
}

async fn played(answers: Vec<Scripted>, change: impl FnOnce(&mut Metric)) -> anyhow::Result<Run> {
    played_by(Version::V1_9_1, answers, change).await
}

async fn played_by(
    version: Version,
    answers: Vec<Scripted>,
    change: impl FnOnce(&mut Metric),
) -> anyhow::Result<Run> {
    let server = ScriptedServer::start(answers).await?;
    let mut metric = metric(server.url(), ("checkout", "stage_2"), "good", "7")?;
    change(&mut metric);
    metric.run(version, Pace::Virtual, nothing).await
}

fn expect(run: &Run, phase: Phase, polls: usize) {
    assert_eq!((run.phase, run.polls()), (phase, polls), "{run:?}");
}

fn letters(promises: &[(&str, usize)]) -> Vec<Scripted> {
    let text: String = promises
        .iter()
        .map(|(letter, count)| letter.repeat(*count))
        .collect();
    Scripted::play(&text)
}

fn default_limits(metric: &mut Metric) {
    metric.consecutive_error_limit = 4;
}

#[tokio::test]
async fn aw01_promote_ends_the_step_at_once_and_the_value_is_small() -> anyhow::Result<()> {
    let run = played(Scripted::play("P"), |_| ()).await?;
    expect(&run, Phase::Successful, 1);
    assert_eq!(
        run.measurements[0].value,
        r#"{"reason":"the reason for promote","verdict":"promote"}"#
    );
    Ok(())
}

#[tokio::test]
async fn aw02_holds_then_promote_goes_on() -> anyhow::Result<()> {
    expect(
        &played(Scripted::play("HHHP"), |_| ()).await?,
        Phase::Successful,
        4,
    );
    Ok(())
}

#[tokio::test]
async fn aw03_holds_then_rollback_aborts() -> anyhow::Result<()> {
    let run = played(Scripted::play("HHHR"), |_| ()).await?;
    expect(&run, Phase::Failed, 4);
    assert_eq!(run.phase.rollout(), "aborts");
    Ok(())
}

#[tokio::test]
async fn aw04_holds_until_the_polls_run_out_pause() -> anyhow::Result<()> {
    let run = played(letters(&[("H", 40)]), |_| ()).await?;
    expect(&run, Phase::Inconclusive, 40);
    assert_eq!(run.phase.rollout(), "pauses");
    Ok(())
}

#[tokio::test]
async fn aw05_promote_at_the_last_poll_goes_on() -> anyhow::Result<()> {
    let run = played(letters(&[("H", 39), ("P", 1)]), |_| ()).await?;
    expect(&run, Phase::Successful, 40);
    Ok(())
}

#[tokio::test]
async fn aw06_thirty_errors_then_promote_goes_on() -> anyhow::Result<()> {
    let run = played(letters(&[("E", 30), ("P", 1)]), |_| ()).await?;
    expect(&run, Phase::Successful, 31);
    Ok(())
}

#[tokio::test]
async fn aw07_thirty_one_errors_abort() -> anyhow::Result<()> {
    let run = played(letters(&[("E", 31)]), |_| ()).await?;
    expect(&run, Phase::Error, 31);
    assert_eq!(run.phase.rollout(), "aborts");
    assert_eq!(run.waited, Duration::from_mins(5));
    Ok(())
}

#[tokio::test]
async fn aw08_errors_use_up_no_polls() -> anyhow::Result<()> {
    let run = played(letters(&[("H", 20), ("E", 10), ("P", 1)]), |_| ()).await?;
    expect(&run, Phase::Successful, 31);
    let with_fewer_polls = played(letters(&[("H", 39), ("E", 10), ("P", 1)]), |_| ()).await?;
    expect(&with_fewer_polls, Phase::Successful, 50);
    Ok(())
}

#[tokio::test]
async fn aw09_four_errors_are_tolerated_by_default() -> anyhow::Result<()> {
    let run = played(letters(&[("E", 4), ("P", 1)]), default_limits).await?;
    expect(&run, Phase::Successful, 5);
    Ok(())
}

#[tokio::test]
async fn aw10_five_refusals_abort_after_forty_seconds_by_default() -> anyhow::Result<()> {
    let mut refused = metric("http://127.0.0.1:1", ("checkout", "stage_2"), "good", "7")?;
    default_limits(&mut refused);
    let run = refused.run(Version::V1_9_1, Pace::Virtual, nothing).await?;
    expect(&run, Phase::Error, 5);
    assert_eq!(run.waited, Duration::from_secs(40));
    Ok(())
}

/// The shipped templates are held against this in `manifests`.
#[tokio::test]
async fn aw11_without_a_limit_of_successes_forty_holds_promote() -> anyhow::Result<()> {
    let run = played(letters(&[("H", 40)]), |metric| {
        metric.consecutive_success_limit = 0;
    })
    .await?;
    expect(&run, Phase::Successful, 40);
    Ok(())
}

#[tokio::test]
async fn aw12_what_is_no_json_promotes_up_to_1_9_1_and_serinus_never_sends_it() -> anyhow::Result<()>
{
    let valid = r#"{"gate": {"verdict": "hold", "reason": "x"}}"#;
    for answer in [
        Scripted::new(204, "", ""),
        Scripted::new(200, "application/json", ""),
        Scripted::page(200),
        Scripted::new(200, "application/json", r#"{"x": NaN}"#),
        Scripted::new(200, "application/json", format!("{valid}x")),
    ] {
        let run = played(vec![answer.clone()], |_| ()).await?;
        expect(&run, Phase::Successful, 1);
        let run = played_by(Version::MASTER, vec![answer], |_| ()).await?;
        expect(&run, Phase::Error, 31);
    }
    let mut bench = Bench::start().await?;
    let past = seconds_ago(60);
    // From the first call on, through every verdict, with and without Prometheus.
    ask(&bench.serinus, "slow", "stage_1", "key=new").await?;
    let promoted = format!("key=a&start={past}");
    ask_until(
        &bench.serinus,
        ("checkout", "stage_1", &promoted),
        ("/verdict", "promote"),
    )
    .await?;
    let rolled_back = format!("key=b&canary.track=bad&start={past}");
    let bad = ("checkout", "stage_1", rolled_back.as_str());
    ask_until(&bench.serinus, bad, ("/verdict", "rollback")).await?;
    let nobody = "key=none&canary.track=nobody";
    ask(&bench.serinus, "checkout", "stage_1", nobody).await?;
    bench.prometheus.stop();
    for key in ["a", "b", "new", "unseen"] {
        let query = format!("key={key}");
        let pipeline = if key == "new" { "slow" } else { "checkout" };
        ask(&bench.serinus, pipeline, "stage_1", &query).await?;
    }
    Ok(())
}

#[tokio::test]
async fn aw13_json_without_a_gate_is_an_error() -> anyhow::Result<()> {
    for body in [json!(null), json!([]), json!({})] {
        let run = played(vec![Scripted::json(&body)], default_limits).await?;
        expect(&run, Phase::Error, 5);
    }
    Ok(())
}

#[tokio::test]
async fn aw14_a_gate_that_is_null_is_an_error() -> anyhow::Result<()> {
    let run = played(vec![Scripted::json(&json!({"gate": null}))], default_limits).await?;
    expect(&run, Phase::Error, 5);
    Ok(())
}

#[tokio::test]
async fn aw15_a_verdict_that_is_none_is_inconclusive() -> anyhow::Result<()> {
    for gate in [
        json!({}),
        json!({"verdict": "PROMOTE"}),
        json!({"verdict": 1}),
    ] {
        let answer = Scripted::json(&json!({"gate": gate}));
        expect(
            &played(vec![answer], |_| ()).await?,
            Phase::Inconclusive,
            40,
        );
    }
    Ok(())
}

#[tokio::test]
async fn aw16_a_redirect_to_a_page_promotes_up_to_1_9_1() -> anyhow::Result<()> {
    let answers = vec![Scripted::redirect(302, "/login"), Scripted::page(200)];
    expect(
        &played(answers.clone(), |_| ()).await?,
        Phase::Successful,
        1,
    );
    let run = played_by(Version::MASTER, answers, default_limits).await?;
    assert_eq!(run.phase, Phase::Error, "{run:?}");
    Ok(())
}

#[tokio::test]
async fn aw17_a_redirect_to_the_slash_loses_the_body_so_both_paths_are_served() -> anyhow::Result<()>
{
    let path = "/v1/pipelines/slow/stages/stage_1/gate";
    let server = ScriptedServer::start(vec![
        Scripted::redirect(301, &format!("{path}/")),
        Scripted::page(400),
    ])
    .await?;
    let measured = metric(server.url(), ("slow", "stage_1"), "good", "7")?
        .measure(Version::V1_9_1)
        .await;
    assert_eq!(measured.phase, Phase::Error);
    let received = server.received();
    assert_eq!(
        (received[0].method.as_str(), received[0].target.as_str()),
        ("POST", path)
    );
    assert_eq!(received[1].method, "GET");
    assert_eq!(received[1].target, format!("{path}/"));
    assert!(received[1].body.is_empty() && !received[0].body.is_empty());

    let bench = Bench::start().await?;
    let without_key = bench.serinus.get(&format!("{path}/")).await?;
    assert_eq!(without_key.status, 400, "{}", without_key.body);
    for path in [path.to_owned(), format!("{path}/")] {
        assert_gate(&bench.serinus.post(&path, &json!({"key": "a"})).await?);
    }
    Ok(())
}

#[tokio::test]
async fn aw18_a_redirect_that_keeps_the_method_sends_the_body_again() -> anyhow::Result<()> {
    let there = ScriptedServer::start(Scripted::play("P")).await?;
    let port = there
        .url()
        .rsplit(':')
        .next()
        .unwrap_or_default()
        .to_owned();
    let elsewhere = format!("http://localhost:{port}/gate");
    let run = played(vec![Scripted::redirect(307, &elsewhere)], |_| ()).await?;
    expect(&run, Phase::Successful, 1);
    let received = there.received();
    assert_eq!(received[0].method, "POST");
    assert_eq!(received[0].json()["key"], key_of("good", "7"));
    assert_eq!(
        received[0].header("authorization"),
        "",
        "another host gets no token"
    );
    Ok(())
}

#[tokio::test]
async fn aw19_every_other_status_is_an_error() -> anyhow::Result<()> {
    for status in [400, 401, 404, 409, 429, 500, 503] {
        let gate = Scripted::verdict("promote").body;
        let answer = Scripted::new(status, "application/json", gate);
        expect(
            &played(vec![answer], default_limits).await?,
            Phase::Error,
            5,
        );
    }
    Ok(())
}

/// At a tenth of the time: the last byte comes after the time-out, the first before.
#[tokio::test]
async fn aw20_an_answer_that_is_not_whole_in_time_is_an_error() -> anyhow::Result<()> {
    let mut answer = Scripted::verdict("promote");
    answer.first_byte_after = Duration::from_millis(900);
    answer.second_half_after = Duration::from_millis(400);
    let run = played(vec![answer, Scripted::verdict("hold")], |metric| {
        assert_eq!(metric.timeout(), Duration::from_secs(10));
        metric.set_web("timeoutSeconds", json!(1));
        metric.consecutive_error_limit = 0;
    })
    .await?;
    expect(&run, Phase::Error, 1);
    assert_eq!(run.measurements[0].value, "Timeout");
    Ok(())
}

#[tokio::test]
async fn aw21_a_body_that_is_cut_is_an_error() -> anyhow::Result<()> {
    let mut answer = Scripted::verdict("promote");
    answer.is_cut = true;
    expect(
        &played(vec![answer], default_limits).await?,
        Phase::Error,
        5,
    );
    Ok(())
}

#[tokio::test]
async fn aw22_json_that_says_it_is_text_is_json() -> anyhow::Result<()> {
    let answer = Scripted::new(200, "text/plain", Scripted::verdict("promote").body);
    expect(&played(vec![answer], |_| ()).await?, Phase::Successful, 1);
    Ok(())
}

#[tokio::test]
async fn aw23_a_body_without_a_content_type_is_read() -> anyhow::Result<()> {
    let bench = Bench::start().await?;
    let mut metric = metric(bench.serinus.url(), ("slow", "stage_1"), "good", "7")?;
    metric.set_web("jsonBody", Value::Null);
    metric.set_web(
        "body",
        json!(r#"{"key": "text", "canary": {"track": "canary"}}"#),
    );
    let measured = metric.measure(Version::MASTER).await;
    assert_eq!(measured.phase, Phase::Inconclusive, "{measured:?}");
    assert_eq!(bench.rollouts("slow").await?, 1);
    Ok(())
}

#[tokio::test]
async fn aw24_a_get_with_the_key_in_the_query_is_a_call() -> anyhow::Result<()> {
    let bench = Bench::start().await?;
    let mut metric = metric(bench.serinus.url(), ("slow", "stage_1"), "good", "7")?;
    metric.set_web("jsonBody", Value::Null);
    metric.set_web("method", json!("GET"));
    let path =
        "http://serinus.serinus.svc:8080/v1/pipelines/slow/stages/stage_1/gate?key=in-the-query";
    metric.set_web("url", json!(path));
    let measured = metric.measure(Version::MASTER).await;
    assert_eq!(measured.phase, Phase::Inconclusive, "{measured:?}");
    let again = ask(&bench.serinus, "slow", "stage_1", "key=in-the-query").await?;
    assert_eq!(again.text("/key"), "in-the-query");
    assert_eq!(bench.rollouts("slow").await?, 1);
    Ok(())
}

#[tokio::test]
async fn aw25_a_prometheus_that_stops_is_inconclusive_and_no_error() -> anyhow::Result<()> {
    let mut bench = Bench::start().await?;
    let metric = metric(bench.serinus.url(), ("slow", "stage_1"), "good", "7")?;
    assert_eq!(
        metric.measure(Version::MASTER).await.phase,
        Phase::Inconclusive
    );
    bench.prometheus.stop();
    let query = format!("key={}", key_of("good", "7"));
    let call = ("slow", "stage_1", query.as_str());
    ask_until(&bench.serinus, call, ("/reason_code", "source_unavailable")).await?;
    for _ in 0..5 {
        let asked_at = Instant::now();
        let measured = metric.measure(Version::MASTER).await;
        assert_eq!(measured.phase, Phase::Inconclusive, "{measured:?}");
        assert!(asked_at.elapsed() < Duration::from_secs(8));
        let reply = ask(&bench.serinus, call.0, call.1, call.2).await?;
        assert_eq!(reply.text("/reason_code"), "source_unavailable");
    }
    bench.prometheus.start_again().await?;
    ask_until(&bench.serinus, call, ("/reason_code", "warming_up")).await?;
    Ok(())
}

#[tokio::test]
async fn aw26_two_replicas_polled_in_turn_say_what_one_says() -> anyhow::Result<()> {
    let bench = Bench::start_shared().await?;
    let other = bench.replica().await?;
    let path = "/v1/pipelines/checkout/stages/stage_1/gate";
    for (canary, verdict) in [("canary", "promote"), ("bad", "rollback")] {
        let body = json!({"key": canary, "canary": {"track": canary}, "start": seconds_ago(4)});
        let mut heard: Vec<String> = Vec::new();
        while heard.len() < 100 && heard.iter().filter(|known| *known == verdict).count() < 6 {
            let serinus = if heard.len().is_multiple_of(2) {
                &bench.serinus
            } else {
                &other
            };
            let reply = Reply::read(serinus.request(Method::POST, path).json(&body)).await?;
            assert_gate(&reply);
            heard.push(reply.text("/verdict").to_owned());
            tokio::time::sleep(Duration::from_millis(150)).await;
        }
        let mut told = heard.clone();
        told.dedup();
        let expected = ["hold", verdict];
        assert!(
            expected.ends_with(&told.iter().map(String::as_str).collect::<Vec<_>>()),
            "{heard:?}"
        );
        assert_eq!(heard.last().map(String::as_str), Some(verdict), "{heard:?}");
    }
    assert_eq!(bench.rollouts("checkout").await?, 2, "one rollout a key");
    Ok(())
}

#[tokio::test]
async fn aw27_a_dry_run_holds_for_its_duration_and_records_the_true_verdict() -> anyhow::Result<()>
{
    let bench = Bench::start().await?;
    let mut metric = metric(bench.serinus.url(), ("checkout", "stage_1"), "bad", "7")?;
    metric.set_body("dry_run", json!(true));
    let began_at = Instant::now();
    let pace = Pace::Real(Duration::from_millis(500));
    let run = metric.run(Version::MASTER, pace, nothing).await?;
    assert_eq!(run.phase, Phase::Successful, "{run:?}");
    assert!(began_at.elapsed() >= STAGE, "{run:?}");
    let query = format!("key={}", key_of("bad", "7"));
    let reply = ask(&bench.serinus, "checkout", "stage_1", &query).await?;
    assert_eq!(
        (reply.text("/verdict"), reply.text("/true_verdict")),
        ("promote", "rollback"),
        "{}",
        reply.body
    );
    Ok(())
}
