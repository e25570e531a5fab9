//! The control's past on a real Prometheus: the noise between its pods is measured before a stage is
//! judged, and every poll gets the same answer.

use std::fmt::Write;
use std::time::Duration;

use anyhow::Context;
use serde_json::{Value, json};
use serinus_tests::{RealPrometheus, SerinusProcess, Window, now_ms, wait_until};

use crate::contract::{analyse, pipeline_with, request, set};

const HOUR_SECONDS: i64 = 3_600;
const SCRAPE_SECONDS: i64 = 30;
/// Each pod, at each scrape.
const REQUESTS: i64 = 200;
const STABLE_PODS: usize = 10;

/// A number that looks random, of 16 bits.
pub(crate) fn scattered(a: u64, b: u64) -> i64 {
    let mut mixed = (a * 0x9e37_79b9 + b + 1).wrapping_mul(0xff51_afd7_ed55_8ccd);
    mixed ^= mixed >> 33;
    mixed = mixed.wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    i64::try_from(mixed >> 48).unwrap_or(0)
}

/// The failures of a pod at a scrape: about 2 in 200, but in a quarter of all spans of eight minutes
/// the pod has a hard time and fails three times as often.
fn failures(pod: usize, at_seconds: i64) -> i64 {
    let (pod, at) = (pod as u64, at_seconds.unsigned_abs());
    let has_a_hard_time = scattered(pod, at / 480) % 4 == 0;
    let failures = scattered(pod + 1_000, at) % 5;
    if has_a_hard_time {
        3 * failures
    } else {
        failures
    }
}

/// Pods with their label `track`, scraped from a time to another, as `OpenMetrics` text.
pub(crate) fn past(pods: &[(String, &str)], from_seconds: i64, until_seconds: i64) -> String {
    let mut requests = "# TYPE http_requests counter\n".to_owned();
    let mut starts = "# TYPE process_start_time_seconds gauge\n".to_owned();
    let born_at = from_seconds - 86_400;
    for (index, (pod, track)) in pods.iter().enumerate() {
        let labels = format!("instance=\"{pod}:80\",pod=\"{pod}\",track=\"{track}\"");
        let (mut good, mut bad) = (0, 0);
        let mut at = from_seconds;
        let mut bads = String::new();
        while at <= until_seconds {
            let failed = failures(index, at);
            good += REQUESTS - failed;
            bad += failed;
            let _ = writeln!(
                requests,
                "http_requests_total{{{labels},code=\"200\"}} {good} {at}"
            );
            let _ = writeln!(
                bads,
                "http_requests_total{{{labels},code=\"500\"}} {bad} {at}"
            );
            let _ = writeln!(
                starts,
                "process_start_time_seconds{{{labels}}} {born_at} {at}"
            );
            at += SCRAPE_SECONDS;
        }
        requests.push_str(&bads);
    }
    format!("{requests}{starts}# EOF\n")
}

/// The answer once the history was read: until then it is a hold that says so.
pub(crate) async fn settled(serinus: &SerinusProcess, request: &Value) -> anyhow::Result<Value> {
    wait_until("the history is read", Duration::from_mins(1), async || {
        let reply = analyse(serinus, request).await?;
        let is_waiting = reply.text("/reason_code") == "still_collecting";
        Ok((!is_waiting).then_some(reply.body))
    })
    .await
}

fn text<'a>(answer: &'a Value, path: &str) -> &'a str {
    answer
        .pointer(path)
        .and_then(Value::as_str)
        .unwrap_or_default()
}

#[tokio::test]
async fn the_noise_of_a_day_is_measured_and_every_poll_gets_the_same_answer() -> anyhow::Result<()>
{
    // A window that begins 20 minutes after a whole hour, so that its history ends at that hour.
    let hour = now_ms() / 1_000 / HOUR_SECONDS * HOUR_SECONDS - HOUR_SECONDS;
    let start = hour + 20 * 60;
    let mut pods: Vec<(String, &str)> = (0..STABLE_PODS)
        .map(|pod| (format!("shop-{pod}"), "stable"))
        .collect();
    pods.push(("shop-new".to_owned(), "canary"));
    let openmetrics = past(&pods, hour - 25 * HOUR_SECONDS, start + 1_800);
    let prometheus = RealPrometheus::start_with_history("", &openmetrics).await?;

    let mut pipeline = pipeline_with(
        &json!({"error_rate": {
            "errors": "http_requests_total{code=~\"5..\"}",
            "total": "http_requests_total",
        }}),
        &json!(["error_rate < baseline * 1.25", "error_rate < 5%"]),
        30.0,
    );
    let settings = json!({"method": "sequential", "interval": "60s", "lag": "30s"});
    set(&mut pipeline, "analysis", settings.clone());
    let until = |minutes: i64| Window {
        start_ms: start * 1_000,
        end_ms: (start + minutes * 60) * 1_000,
    };
    let asked = request(&pipeline, Some(until(25)))?;
    let serinus = SerinusProcess::serve(prometheus.url()).await?;
    let answer = settled(&serinus, &asked).await?;

    let told = answer.pointer("/history").context("no history")?;
    assert_eq!(told["intervals"], 1_440, "{told}");
    assert_eq!(told["canary_targets"], 1, "{told}");
    assert_eq!(told["control_targets"], 9, "{told}");
    let share = told["canary_share"].as_f64().context("no share")?;
    assert!((share - 0.1).abs() < 0.001, "{told}");
    let day = request(
        &pipeline,
        Some(Window {
            start_ms: (hour - 24 * HOUR_SECONDS) * 1_000,
            end_ms: hour * 1_000,
        }),
    )?;
    assert_eq!(told["start"], day["start"], "{told}");
    assert_eq!(told["end"], day["end"], "{told}");
    for check in 0..2 {
        let from = text(&answer, &format!("/checks/{check}/dispersion_from"));
        assert_eq!(from, "history", "{answer}");
    }
    let dispersion = answer
        .pointer("/checks/0/dispersion")
        .and_then(Value::as_f64)
        .context("no dispersion")?;
    assert!(dispersion > 2.0, "a pod's hard times are noise: {answer}");

    // Asked again, and asked of a replica that has never seen it: the same to the byte.
    assert_eq!(settled(&serinus, &asked).await?, answer);
    let replica = SerinusProcess::serve(prometheus.url()).await?;
    assert_eq!(settled(&replica, &asked).await?, answer);
    // A later poll of the stage has the same history.
    let later = settled(&serinus, &request(&pipeline, Some(until(30)))?).await?;
    assert_eq!(later.pointer("/history"), Some(told));

    let mut off = pipeline.clone();
    let mut without = settings;
    set(&mut without, "history", json!("off"));
    set(&mut off, "analysis", without);
    let assumed = settled(&serinus, &request(&off, Some(until(25)))?).await?;
    assert_eq!(text(&assumed, "/history/absent"), "analysis.history is off");
    assert_eq!(text(&assumed, "/checks/0/dispersion_from"), "assumed");
    assert_ne!(
        assumed.pointer("/inputs/digest"),
        answer.pointer("/inputs/digest")
    );

    let mut alone = asked.clone();
    set(
        &mut alone,
        "control",
        json!({"track": "stable", "pod": "shop-0"}),
    );
    let single = settled(&serinus, &alone).await?;
    assert!(
        text(&single, "/history/absent").contains("one target"),
        "{single}"
    );
    assert_eq!(text(&single, "/checks/0/dispersion_from"), "assumed");
    Ok(())
}

#[tokio::test]
async fn a_service_that_is_younger_than_four_hours_has_no_history() -> anyhow::Result<()> {
    let hour = now_ms() / 1_000 / HOUR_SECONDS * HOUR_SECONDS - HOUR_SECONDS;
    let pods = [
        ("shop-0".to_owned(), "stable"),
        ("shop-1".to_owned(), "stable"),
        ("shop-new".to_owned(), "canary"),
    ];
    let openmetrics = past(&pods, hour - 2 * HOUR_SECONDS, hour + 1_800);
    let prometheus = RealPrometheus::start_with_history("", &openmetrics).await?;
    let mut pipeline = pipeline_with(
        &json!({"error_rate": {
            "errors": "http_requests_total{code=~\"5..\"}",
            "total": "http_requests_total",
        }}),
        &json!(["error_rate < baseline * 1.25"]),
        20.0,
    );
    let settings = json!({"method": "sequential", "interval": "60s", "lag": "30s"});
    set(&mut pipeline, "analysis", settings);
    let window = Window {
        start_ms: (hour + 300) * 1_000,
        end_ms: (hour + 1_500) * 1_000,
    };
    let serinus = SerinusProcess::serve(prometheus.url()).await?;
    let answer = settled(&serinus, &request(&pipeline, Some(window))?).await?;
    let why = text(&answer, "/history/absent");
    assert!(why.contains("for 2.0 h, and it takes 4 h"), "{answer}");
    assert_eq!(text(&answer, "/checks/0/dispersion_from"), "assumed");
    Ok(())
}
