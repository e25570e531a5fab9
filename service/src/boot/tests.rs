//! The service that `serve` and the demo start, on the simulated fleet.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;
use serinus_fleet::{Fleet, VirtualClock};

use super::*;
use crate::prometheus::SourceConfig;

const NOW_MS: i64 = 1_793_606_400_000;
/// An hour before.
const STAGE_START: &str = "2026-11-02T07:00:00Z";

const PIPELINE: &str = "\
name: shop
control: {service: billing, track: stable}
canary: {service: billing, track: canary}
canary_pipeline:
  only: {traffic_percent: 10, duration_minutes: 60, metrics: [error_rate < baseline * 1.5]}
";

/// The worker judges, the gate tells, and what watches the service sees it.
#[tokio::test]
async fn a_bad_canary_of_the_fleet_is_rolled_back_and_everybody_can_see_it() {
    install_crypto_provider();
    let clock = Arc::new(VirtualClock::new(NOW_MS, 1.0));
    let fleet = Arc::new(Fleet::new(7, Arc::clone(&clock)).unwrap());
    let (tasks, cancel) = (TaskTracker::new(), CancellationToken::new());
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let source = format!("http://{}", listener.local_addr().unwrap());
    tasks.spawn(fleet.serve(listener, cancel.clone()));

    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("shop.yaml"), PIPELINE).unwrap();
    let source = SourceConfig::new(source.parse().unwrap());
    let sources = Sources::new(BTreeMap::from([("default".to_owned(), source)]), None).unwrap();
    let service = Service::start(Parts {
        pipelines: Folder::open(folder.path()).unwrap(),
        ..Parts::new(clock, sources, StoreUrl::memory())
    })
    .await
    .unwrap();
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let stopped = cancel.clone();
    let stop = async move {
        stopped.cancelled().await;
        Stop {
            reason: "the test's end",
            drain_delay: Duration::ZERO,
            hurry: Box::pin(std::future::ready(())),
        }
    };
    tasks.spawn(service.serve(listener, ServerLimits::default(), stop));

    let ask = async |path: &str| {
        let answer = reqwest::get(format!("{url}{path}")).await.unwrap();
        answer.text().await.unwrap()
    };
    let gate = format!("/v1/pipelines/shop/stages/only/gate?key=6d4f9&start={STAGE_START}");
    let told = tokio::time::timeout(Duration::from_secs(30), async {
        loop {
            let told: Value = serde_json::from_str(&ask(&gate).await).unwrap();
            if told["verdict"] != "hold" {
                return told;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    });
    let told = told.await.unwrap();
    assert_eq!(told["verdict"], "rollback", "{told}");
    let ready: Value = serde_json::from_str(&ask("/readyz").await).unwrap();
    let checks = ready["checks"].as_array().unwrap();
    let store = checks.iter().find(|check| check["name"] == "store");
    assert_eq!(store.unwrap()["ok"], true);
    let metrics = ask("/metrics").await;
    assert!(metrics.contains("serinus_verdict"), "{metrics}");

    cancel.cancel();
    tasks.close();
    tasks.wait().await;
}
