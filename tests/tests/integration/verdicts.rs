//! A good and a bad canary on a real Prometheus, judged through one inline pipeline.

use std::time::Duration;

use serde_json::json;
use serinus_tests::{PodPlan, RealPrometheus, Reply, SerinusProcess, TruthFleet, Window, now_ms};

use crate::contract::{analyse, pipeline_with, request, set};

/// Length of the stage: latency passes after eight intervals at the earliest, of 5 s here.
const STAGE_SECONDS: i64 = 45;

#[tokio::test]
async fn a_good_canary_is_promoted_and_a_bad_one_rolled_back() -> anyhow::Result<()> {
    let mut fleet = TruthFleet::new(11)?;
    for track in ["stable", "good", "bad"] {
        let mut plan = PodPlan {
            requests_per_second: (150, 250),
            error_rate: 0.01,
            ..PodPlan::healthy(track)
        };
        if track == "bad" {
            plan.error_rate = 0.15;
        }
        fleet.add(plan.clone()).await?;
        fleet.add(plan).await?;
    }
    let prometheus = RealPrometheus::start(&fleet.prometheus_configuration()).await?;
    fleet.wait_for_scrapes(3, Duration::from_secs(30)).await?;
    let start_ms = now_ms();
    tokio::time::sleep(Duration::from_secs(52)).await;

    let mut pipeline = pipeline_with(
        &json!({
            "error_rate": {
                "errors": "http_requests_total{code=~\"5..\"}",
                "total": "http_requests_total",
            },
            "latency_p99": {
                "quantile": 0.99,
                "histogram": "http_request_duration_seconds",
            },
        }),
        &json!([
            "error_rate < 5%",
            "error_rate < baseline * 2",
            "latency_p99 < 500ms",
        ]),
        STAGE_SECONDS as f64 / 60.0,
    );
    // The pods are younger than the minute that new ones are left out for.
    if let Some(analysis) = pipeline.pointer_mut("/analysis") {
        set(analysis, "warm_up", json!("0s"));
    }
    let window = Window {
        start_ms: start_ms / 5_000 * 5_000,
        end_ms: (start_ms / 5_000 + 1) * 5_000 + STAGE_SECONDS * 1_000,
    };
    let serinus = SerinusProcess::serve(prometheus.url()).await?;

    let mut good = request(&pipeline, Some(window))?;
    set(&mut good, "canary", json!({"track": "good"}));
    let promoted = analyse(&serinus, &good).await?;
    assert_eq!(promoted.text("/verdict"), "promote", "{}", promoted.body);
    assert_eq!(promoted.text("/reason_code"), "passed");

    let mut bad = request(&pipeline, Some(window))?;
    set(&mut bad, "canary", json!({"track": {"=~": "b.d"}}));
    let rolled_back = analyse(&serinus, &bad).await?;
    assert_eq!(
        rolled_back.text("/verdict"),
        "rollback",
        "{}",
        rolled_back.body
    );
    assert_eq!(rolled_back.text("/reason_code"), "check_failed");
    assert!(
        rolled_back.text("/gate/reason").contains("error_rate"),
        "{}",
        rolled_back.body
    );
    assert!(rolled_back.number("/rollback_to_percent")? >= 0.0);

    let mut over_time = pipeline.clone();
    set(
        &mut over_time,
        "analysis",
        json!({"method": "sequential", "interval": "5s", "lag": "2s", "warm_up": "0s"}),
    );
    let mut bad = request(&over_time, Some(window))?;
    set(&mut bad, "canary", json!({"track": "bad"}));
    let rolled_back = analyse(&serinus, &bad).await?;
    assert_eq!(
        rolled_back.text("/verdict"),
        "rollback",
        "{}",
        rolled_back.body
    );
    assert_eq!(rolled_back.text("/checks/1/method"), "sequential");
    assert!(proven(&rolled_back)? > 0, "{}", rolled_back.body);
    Ok(())
}

/// How many of the first two checks are proven by themselves: the mean of all checks' evidence decides, so one of
/// them at least is.
fn proven(reply: &Reply) -> anyhow::Result<usize> {
    let mut proven = 0;
    for check in 0..2 {
        let of = |name: &str| reply.number(&format!("/checks/{check}/evidence/{name}"));
        proven += usize::from(of("rollback")? >= of("rollback_at")?);
    }
    Ok(proven)
}
