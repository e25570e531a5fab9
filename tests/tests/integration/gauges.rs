//! Gauges on a real Prometheus: what the control did before the rollout, and counters that are none.

use std::fmt::Write;
use std::time::Duration;

use serde_json::json;
use serinus_tests::{
    RealPrometheus, Reply, SerinusProcess, Window, now_ms, run_command, serinus_binary,
};

use crate::contract::{analyse, pipeline_with, request, set};

const HOUR_SECONDS: i64 = 3_600;
const SCRAPE_SECONDS: i64 = 60;
/// The rollout begins so long after a whole hour, and is asked about so long after its start.
const AFTER_THE_HOUR: i64 = 5 * 60;
const MINUTES: i64 = 20;

/// A gauge of one pod.
struct Pod<'a> {
    name: &'a str,
    track: &'a str,
    from_seconds: i64,
    value: &'a dyn Fn(i64) -> f64,
}

/// The start of a rollout that is `MINUTES` old by now.
fn start_seconds() -> i64 {
    let hour = (now_ms() / 1_000 - 2 * HOUR_SECONDS) / HOUR_SECONDS * HOUR_SECONDS;
    hour + AFTER_THE_HOUR
}

/// Samples of a metric as `OpenMetrics` text, until the end of the rollout's window.
fn samples(metric: &str, pods: &[Pod<'_>]) -> String {
    let until = start_seconds() + MINUTES * 60;
    let mut text = format!("# TYPE {metric} gauge\n");
    for pod in pods {
        let mut at = pod.from_seconds;
        while at <= until {
            let _ = writeln!(
                text,
                "{metric}{{instance=\"{0}:80\",pod=\"{0}\",track=\"{1}\"}} {2} {at}",
                pod.name,
                pod.track,
                (pod.value)(at)
            );
            at += SCRAPE_SECONDS;
        }
    }
    text
}

async fn asked(history: &str, expression: &str, check: &str) -> anyhow::Result<Reply> {
    let prometheus = RealPrometheus::start_with_history("", &format!("{history}# EOF\n")).await?;
    let serinus = SerinusProcess::serve(prometheus.url()).await?;
    let mut pipeline = pipeline_with(
        &json!({"depth": {"gauge": expression}}),
        &json!([check]),
        60.0,
    );
    let analysis = json!({"method": "sequential", "interval": "60s", "lag": "0s", "warm_up": "1m",
                          "split_check": "off"});
    set(&mut pipeline, "analysis", analysis);
    let window = Window {
        start_ms: start_seconds() * 1_000,
        end_ms: (start_seconds() + MINUTES * 60) * 1_000,
    };
    analyse(&serinus, &request(&pipeline, Some(window))?).await
}

/// A queue whose level wanders for half an hour at a time, high or low, and is four times as high on the canary's pod
/// since it began: what the control's own pod did in the hours before is no less.
fn wandering(at: i64) -> f64 {
    if at / 1_200 % 2 == 0 { 40.0 } else { 10.0 }
}

#[tokio::test]
async fn what_the_control_did_in_the_hours_before_is_no_proof_against_a_canary()
-> anyhow::Result<()> {
    let start = start_seconds();
    let now = |_at: i64| 10.0;
    let before = |at: i64| if at < start { wandering(at) } else { now(at) };
    let beyond = |_at: i64| 40.0;
    let pods = |from_seconds| {
        samples(
            "queue_depth",
            &[
                Pod {
                    name: "old-1",
                    track: "stable",
                    from_seconds,
                    value: &before,
                },
                Pod {
                    name: "new-1",
                    track: "canary",
                    from_seconds: start,
                    value: &beyond,
                },
            ],
        )
    };
    let check = "depth < baseline * 1.25";

    let with = asked(&pods(start - 5 * HOUR_SECONDS), "queue_depth", check).await?;
    assert_eq!(with.text("/verdict"), "hold", "{}", with.body);
    assert_eq!(
        with.text("/checks/0/spread/source"),
        "past",
        "{}",
        with.body
    );
    let reason = with.text("/checks/0/reason");
    assert!(reason.contains("from the control's past"), "{reason}");

    // Without those hours the canary is four times as high as the pod that it is compared with.
    let without = asked(&pods(start - 600), "queue_depth", check).await?;
    assert_eq!(without.text("/verdict"), "rollback", "{}", without.body);
    assert_eq!(
        without.text("/checks/0/spread/source"),
        "assumed",
        "{}",
        without.body
    );
    Ok(())
}

#[tokio::test]
async fn a_counter_that_is_given_as_a_gauge_is_refused_and_a_gauge_with_its_name_is_judged()
-> anyhow::Result<()> {
    let start = start_seconds();
    let old = |at: i64| (at - start + 5 * HOUR_SECONDS) as f64;
    let young = |at: i64| (at - start) as f64 * 3.0;
    let from_seconds = start - HOUR_SECONDS;
    let of = |metric: &str| {
        samples(
            metric,
            &[
                Pod {
                    name: "old-1",
                    track: "stable",
                    from_seconds,
                    value: &old,
                },
                Pod {
                    name: "new-1",
                    track: "canary",
                    from_seconds: start,
                    value: &young,
                },
            ],
        )
    };
    let histogram = of("work_seconds_sum") + &of("work_seconds_count");
    let counter = asked(&histogram, "work_seconds_count", "depth < baseline * 1.25").await?;
    assert_eq!(counter.text("/verdict"), "hold", "{}", counter.body);
    assert_eq!(
        counter.text("/checks/0/reason_code"),
        "counter_as_gauge",
        "{}",
        counter.body
    );
    let reason = counter.text("/gate/reason");
    assert!(
        reason.contains("work_seconds_count is a counter"),
        "{reason}"
    );

    let gauge = asked(
        &of("jvm_threads_count"),
        "jvm_threads_count",
        "depth < 1000000",
    )
    .await?;
    assert_eq!(gauge.text("/checks/0/outcome"), "pass", "{}", gauge.body);
    Ok(())
}

const PIPELINE: &str = "\
name: shop
control: {track: stable}
canary: {track: canary}
metrics:
  depth: {gauge: sum by (pod) (work_seconds_count)}
canary_pipeline:
  first: {traffic_percent: 10, duration_minutes: 60, metrics: [depth < 5]}
";

#[tokio::test]
async fn lint_says_that_a_gauge_is_a_counter() -> anyhow::Result<()> {
    let from_seconds = start_seconds();
    let value = |_at: i64| 1.0;
    let of = |metric: &str| {
        samples(
            metric,
            &[Pod {
                name: "old-1",
                track: "stable",
                from_seconds,
                value: &value,
            }],
        )
    };
    let text = format!(
        "{}{}# EOF\n",
        of("work_seconds_sum"),
        of("work_seconds_count")
    );
    let prometheus = RealPrometheus::start_with_history("", &text).await?;
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("shop.yaml");
    std::fs::write(&file, PIPELINE)?;
    let file = file.to_string_lossy();
    let arguments = ["lint", "--prometheus", prometheus.url(), &file];
    let told = run_command(&serinus_binary()?, &arguments, Duration::from_secs(30)).await?;
    assert_eq!(told.code, Some(1), "{told:?}");
    assert!(
        told.stdout.contains("work_seconds_count is a counter"),
        "{told:?}"
    );
    Ok(())
}
