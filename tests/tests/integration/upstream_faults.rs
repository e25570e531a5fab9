//! What a Prometheus does wrong is `200` and `hold`, with a reason code of its own.

use std::time::{Duration, Instant};

use serinus_tests::{Fault, FaultyUpstream, SerinusProcess, Window, now_ms};

use crate::contract::{analyse, error_rate_pipeline, request};

/// The longest that any answer may take: callers give up at ten seconds.
const ANSWER_BOUND: Duration = Duration::from_secs(8);

/// Asks for an analysis while the Prometheus has that fault.
async fn hold_with(fault: Fault, reason_code: &str) -> anyhow::Result<()> {
    let upstream = FaultyUpstream::start(fault).await?;
    let serinus = SerinusProcess::serve(upstream.url()).await?;
    let end_ms = now_ms() - 30_000;
    let window = Window {
        start_ms: end_ms - 120_000,
        end_ms,
    };
    let request = request(&error_rate_pipeline(), Some(window))?;

    let asked = Instant::now();
    let reply = analyse(&serinus, &request).await?;
    let took = asked.elapsed();

    assert_eq!(reply.text("/verdict"), "hold", "{}", reply.body);
    assert_eq!(reply.text("/reason_code"), reason_code, "{}", reply.body);
    assert!(took < ANSWER_BOUND, "{fault:?} took {took:?}");
    assert!(
        !reply.body.to_string().contains("null"),
        "a field that does not apply is absent: {}",
        reply.body
    );
    Ok(())
}

#[tokio::test]
async fn hold_when_the_connection_is_refused() -> anyhow::Result<()> {
    hold_with(Fault::ConnectionRefused, "source_unavailable").await
}

#[tokio::test]
async fn hold_when_prometheus_never_answers() -> anyhow::Result<()> {
    hold_with(Fault::Hang, "source_slow").await
}

#[tokio::test]
async fn hold_when_prometheus_refuses_the_query() -> anyhow::Result<()> {
    hold_with(Fault::BadRequest, "source_rejected_query").await
}

#[tokio::test]
async fn hold_when_prometheus_refuses_the_credentials() -> anyhow::Result<()> {
    hold_with(Fault::Unauthorized, "source_refused_credentials").await
}

#[tokio::test]
async fn hold_when_prometheus_fails() -> anyhow::Result<()> {
    hold_with(Fault::InternalServerError, "source_failed").await
}

#[tokio::test]
async fn hold_when_prometheus_is_starting() -> anyhow::Result<()> {
    hold_with(Fault::ServiceUnavailable, "source_failed").await
}

#[tokio::test]
async fn hold_when_a_web_page_is_answered() -> anyhow::Result<()> {
    hold_with(Fault::Html, "source_not_prometheus").await
}

#[tokio::test]
async fn hold_when_the_json_ends_in_the_middle() -> anyhow::Result<()> {
    hold_with(Fault::TruncatedJson, "source_answer_cut").await
}

#[tokio::test]
async fn hold_when_the_connection_closes_in_the_middle() -> anyhow::Result<()> {
    hold_with(Fault::ConnectionCut, "source_answer_cut").await
}

#[tokio::test]
async fn hold_when_all_samples_are_nan() -> anyhow::Result<()> {
    hold_with(Fault::NotANumber, "not_finite").await
}

#[tokio::test]
async fn hold_when_all_samples_are_infinite() -> anyhow::Result<()> {
    hold_with(Fault::Infinite, "not_finite").await
}

#[tokio::test]
async fn hold_when_there_is_no_series() -> anyhow::Result<()> {
    hold_with(Fault::NoSeries, "no_data").await
}

#[tokio::test]
async fn hold_when_there_are_too_many_series() -> anyhow::Result<()> {
    hold_with(Fault::Series(30_000), "too_many_series").await
}

#[tokio::test]
async fn hold_when_the_answer_is_too_large() -> anyhow::Result<()> {
    hold_with(Fault::Bytes(256 << 20), "answer_too_large").await
}

#[tokio::test]
async fn hold_when_prometheus_answers_with_warnings() -> anyhow::Result<()> {
    hold_with(Fault::Warnings, "partial_data").await
}

/// The same data without a fault must not hold for any of these reasons: otherwise the tests
/// above would show nothing.
#[tokio::test]
async fn the_same_data_without_a_fault_is_judged() -> anyhow::Result<()> {
    let upstream = FaultyUpstream::start(Fault::None).await?;
    let serinus = SerinusProcess::serve(upstream.url()).await?;
    let reply = analyse(&serinus, &request(&error_rate_pipeline(), None)?).await?;
    let code = reply.text("/reason_code");
    assert!(
        [
            "passed",
            "check_failed",
            "undecided",
            "warming_up",
            "environment"
        ]
        .contains(&code),
        "{}",
        reply.body
    );
    assert!(reply.number("/checks/0/canary/total")? > 0.0);
    Ok(())
}

/// A source that is down does not make the service unready: its answer is to hold.
#[tokio::test]
async fn ready_while_prometheus_is_down() -> anyhow::Result<()> {
    let upstream = FaultyUpstream::start(Fault::ConnectionRefused).await?;
    let serinus = SerinusProcess::serve(upstream.url()).await?;
    for path in ["/healthz", "/readyz"] {
        let response = serinus.request(reqwest::Method::GET, path).send().await?;
        assert_eq!(response.status(), 200, "{path}");
    }
    Ok(())
}
