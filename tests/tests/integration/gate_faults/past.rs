//! The fault begins after the stage was read and before the control's past was: the noise that is
//! judged with is then not known, and must not be assumed for that.

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use futures_util::future::{try_join, try_join_all};
use serde_json::{Value, json};
use serinus_tests::{FaultProxy, ProxyFault, RealPrometheus, SerinusProcess, now_ms};

use super::lane::SLOW;
use super::watch::{Subject, Watched};
use super::{AFTER, JUDGED_WITHIN, QUERY_LIMIT, TOLD_WITHIN, fault_time};
use crate::contract::{pipeline_with, rfc3339, set};
use crate::history::past;

const MINUTE_MS: i64 = 60_000;
const HOUR_MS: i64 = 60 * MINUTE_MS;

/// How long ago the stage began, which lasts for twenty minutes.
const OLD_MS: i64 = 25 * MINUTE_MS;

const CONTROL_PODS: usize = 10;

/// What goes wrong with the questions about the past, and what the gate then says.
const FAULTS: [(&str, ProxyFault, &str); 7] = [
    ("slow", ProxyFault::Slow(SLOW), "source_slow"),
    ("server-error", ProxyFault::ServerError, "source_failed"),
    ("too-many", ProxyFault::TooManyRequests, "source_slow"),
    ("html", ProxyFault::Html, "source_not_prometheus"),
    (
        "other-shape",
        ProxyFault::OtherShape,
        "source_not_prometheus",
    ),
    ("half", ProxyFault::HalfOfIt, "source_answer_cut"),
    ("cut", ProxyFault::Cut, "source_answer_cut"),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_past_that_could_not_be_read_for_a_while_is_read_afterwards() -> anyhow::Result<()> {
    let lasts = fault_time()?;
    let now_ms = now_ms();
    let start_ms = (now_ms - OLD_MS).div_euclid(MINUTE_MS) * MINUTE_MS;
    let until_ms = now_ms + i64::try_from(lasts.as_millis())? + 2 * MINUTE_MS;
    let prometheus = prometheus(start_ms, until_ms).await?;
    let mut proxies = Vec::new();
    let mut sources = vec![format!("direct={}", prometheus.url())];
    for (name, fault, _) in FAULTS {
        let proxy = FaultProxy::start(prometheus.url()).await?;
        proxy.only_before(start_ms);
        proxy.set(fault).await?;
        sources.push(format!("{name}={}", proxy.url()));
        proxies.push(proxy);
    }
    let sources = sources.join(",");
    let arguments = ["--sources", &sources, "--default-source", "direct"];
    let serinus = SerinusProcess::serve_with_arguments(&arguments).await?;

    let (from, until) = (Instant::now(), Instant::now() + lasts);
    let polls = (until + AFTER, until + JUDGED_WITHIN + AFTER);
    let follow = async |source: &str| {
        let subject = subject(source, start_ms);
        let name = format!("past-{source}");
        let mut watched = subject.start(&serinus, name).await?;
        watched.poll(&serinus, polls).await?;
        anyhow::Ok(watched)
    };
    let names = FAULTS.iter().map(|(name, ..)| *name);
    let followed = try_join_all(std::iter::once("direct").chain(names).map(follow));
    let fault = async {
        tokio::time::sleep_until(until.into()).await;
        for proxy in &proxies {
            proxy.set(ProxyFault::None).await?;
        }
        anyhow::Ok(())
    };
    let ((), followed) = try_join(fault, followed).await?;

    for one in &followed {
        one.report((from, until));
    }
    let (direct, others) = followed.split_first().context("nobody")?;
    assert_uses_the_past(direct, &serinus).await?;
    for (one, ((_, _, code), proxy)) in others.iter().zip(FAULTS.iter().zip(&proxies)) {
        ensure!(proxy.spoiled() > 0, "{}: nothing went wrong", one.name);
        let within = TOLD_WITHIN + QUERY_LIMIT + Duration::from_secs(1);
        one.holds_for((from, until), &["still_collecting"], (*code, within))?;
        assert_uses_the_past(one, &serinus).await?;
    }
    Ok(())
}

/// The stage is so old that what is read of it is kept, as it will not change: answers that are well
/// formed and untrue must not be.
#[tokio::test]
async fn an_untrue_answer_is_not_believed_for_good() -> anyhow::Result<()> {
    let now_ms = now_ms();
    let start_ms = (now_ms - OLD_MS).div_euclid(MINUTE_MS) * MINUTE_MS;
    let prometheus = prometheus(start_ms, now_ms).await?;
    let proxy = FaultProxy::start(prometheus.url()).await?;
    let sources = format!("direct={},proxy={}", prometheus.url(), proxy.url());
    let arguments = ["--sources", &sources, "--default-source", "direct"];
    let serinus = SerinusProcess::serve_with_arguments(&arguments).await?;
    let subject = subject("proxy", start_ms);
    let end = json!(rfc3339(start_ms + 22 * MINUTE_MS)?);

    for (fault, code) in [
        (ProxyFault::NotANumber, "not_finite"),
        (ProxyFault::NoSeries, "no_data"),
    ] {
        proxy.set(fault).await?;
        let untrue = subject.analysed(&serinus, "proxy", &end).await?;
        ensure!(untrue["reason_code"] == code, "{fault:?}: {untrue:#}");
    }
    proxy.set(ProxyFault::None).await?;
    let afterwards = subject.analysed(&serinus, "proxy", &end).await?;
    let without = subject.analysed(&serinus, "direct", &end).await?;
    ensure!(without["verdict"] == "promote", "{without:#}");
    ensure!(afterwards == without, "{afterwards:#}\nis not\n{without:#}");
    Ok(())
}

/// A Prometheus that has scraped ten pods of the control, and one of the canary, for hours.
async fn prometheus(start_ms: i64, until_ms: i64) -> anyhow::Result<RealPrometheus> {
    let mut pods: Vec<(String, &str)> = (0..CONTROL_PODS)
        .map(|pod| (format!("shop-{pod}"), "stable"))
        .collect();
    pods.push(("shop-new".to_owned(), "canary"));
    let from_ms = start_ms.div_euclid(HOUR_MS) * HOUR_MS - 5 * HOUR_MS;
    let openmetrics = past(&pods, from_ms / 1_000, until_ms / 1_000);
    RealPrometheus::start_with_history("", &openmetrics).await
}

fn subject(source: &str, start_ms: i64) -> Subject {
    Subject {
        pipeline: pipeline(),
        canary: "canary".to_owned(),
        source: source.to_owned(),
        start_ms,
    }
}

/// The stage was promoted, with the noise that was seen in the past, as it is without a fault.
async fn assert_uses_the_past(one: &Watched, serinus: &SerinusProcess) -> anyhow::Result<()> {
    ensure!(one.verdict()?.0 == "promote", "{}", one.name);
    let recorded = one.judged_as_on(serinus, (serinus, "direct")).await?;
    let noise = recorded.pointer("/checks/0/dispersion_from");
    ensure!(
        noise.and_then(Value::as_str) == Some("history"),
        "{}: {recorded:#}",
        one.name
    );
    Ok(())
}

fn pipeline() -> Value {
    let mut pipeline = pipeline_with(
        &json!({"error_rate": {
            "errors": "http_requests_total{code=~\"5..\"}",
            "total": "http_requests_total",
        }}),
        &json!(["error_rate < 8%"]),
        20.0,
    );
    let settings = json!({
        "method": "sequential", "interval": "60s", "lag": "30s", "split_check": "off",
    });
    set(&mut pipeline, "analysis", settings);
    pipeline
}
