//! The labels that the callers select by have to be in Prometheus: the shipped scrape configuration,
//! run by a real Prometheus on pods as its discovery would tell them.

#![expect(
    clippy::indexing_slicing,
    clippy::expect_used,
    reason = "a document without what is looked for fails the test"
)]

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use serinus_tests::{RealPrometheus, now_ms, run_command, wait_until};

use super::bench::document;

const CONFIGURATION: &str = "prometheus/prometheus.yml";

/// What discovery says of a pod of a Rollout, and what must be left of it.
const DISCOVERED: [(&str, &str); 8] = [
    ("__meta_kubernetes_namespace", "shop"),
    ("__meta_kubernetes_pod_name", "checkout-6d4f9c7b8-x2k4p"),
    ("__meta_kubernetes_pod_container_port_name", "http"),
    (
        "__meta_kubernetes_pod_annotation_prometheus_io_scrape",
        "true",
    ),
    ("__meta_kubernetes_pod_label_app", "checkout"),
    ("__meta_kubernetes_pod_label_version", "v2"),
    (
        "__meta_kubernetes_pod_label_rollouts_pod_template_hash",
        "6d4f9c7b8",
    ),
    ("__meta_kubernetes_pod_label_helm_sh_chart", "checkout-1"),
];
const KEPT: [(&str, &str); 6] = [
    ("job", "checkout"),
    ("namespace", "shop"),
    ("pod", "checkout-6d4f9c7b8-x2k4p"),
    ("app", "checkout"),
    ("version", "v2"),
    ("rollouts_pod_template_hash", "6d4f9c7b8"),
];

/// The shipped configuration with a list of pods in the place of discovery, which Debian's build of
/// Prometheus does not have.
fn with_pods(pods: &Value) -> anyhow::Result<Value> {
    let mut configuration = document(CONFIGURATION)?;
    let job = &mut configuration["scrape_configs"][0];
    let fields = job.as_object_mut().expect("a job");
    let discovery = fields.remove("kubernetes_sd_configs");
    assert_eq!(discovery, Some(json!([{"role": "pod"}])));
    job["static_configs"] = pods.clone();
    Ok(configuration)
}

#[tokio::test]
async fn the_scrape_configuration_is_one_that_prometheus_takes() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("prometheus.yml");
    // JSON is YAML.
    std::fs::write(&path, with_pods(&json!([]))?.to_string())?;
    let arguments = ["check".into(), "config".into(), path.into_os_string()];
    let bound = Duration::from_secs(20);
    let output = run_command(Path::new("promtool"), &arguments, bound).await?;
    assert_eq!(output.code, Some(0), "{output:?}");
    Ok(())
}

#[tokio::test]
async fn a_pod_of_a_rollout_keeps_the_labels_that_the_template_selects_by() -> anyhow::Result<()> {
    let of_pods = |more: &[(&str, &str)]| {
        let labels: serde_json::Map<String, Value> = DISCOVERED
            .iter()
            .chain(more)
            .map(|(name, value)| ((*name).to_owned(), json!(value)))
            .collect();
        json!({"targets": ["127.0.0.1:9"], "labels": labels})
    };
    let unannotated = ("__meta_kubernetes_pod_annotation_prometheus_io_scrape", "");
    let mut configuration = with_pods(&json!([of_pods(&[]), of_pods(&[unannotated])]))?;
    configuration["global"]["scrape_interval"] = json!("1s");
    let prometheus = RealPrometheus::start(&configuration.to_string()).await?;
    let found = wait_until(
        "both pods were found",
        Duration::from_secs(30),
        async || {
            let found = prometheus.query("up", now_ms()).await?;
            Ok((!found.is_empty()).then_some(found))
        },
    )
    .await?;
    assert_eq!(
        found.len(),
        1,
        "the other pod asked for no scrape: {found:?}"
    );
    let mut labels = found[0]["metric"].as_object().expect("labels").clone();
    assert!(labels.remove("__name__").is_some() && labels.remove("instance").is_some());
    let kept: serde_json::Map<String, Value> = KEPT
        .into_iter()
        .map(|(name, value)| (name.to_owned(), json!(value)))
        .collect();
    assert_eq!(labels, kept);

    // What the callers' manifests select by is among them.
    let template = document("argo-rollouts/analysis-template.yaml")?;
    let body = &template["spec"]["metrics"][0]["provider"]["web"]["jsonBody"];
    for side in ["control", "canary"] {
        for name in body[side].as_object().expect("matchers").keys() {
            assert!(kept.contains_key(name), "{side} selects by {name}");
        }
    }
    Ok(())
}

/// The operator writes the same labels: a dash in a label's name becomes an underscore.
#[test]
fn the_pod_monitor_keeps_the_same_labels() -> anyhow::Result<()> {
    let monitor = document("prometheus/podmonitor.yaml")?;
    let mut kept: Vec<String> = monitor["spec"]["podTargetLabels"]
        .as_array()
        .expect("labels")
        .iter()
        .filter_map(|name| Some(name.as_str()?.replace('-', "_")))
        .collect();
    kept.sort_unstable();
    assert_eq!(
        kept,
        ["app", "rollouts_pod_template_hash", "track", "version"]
    );
    let configuration = document(CONFIGURATION)?;
    let rules = configuration["scrape_configs"][0]["relabel_configs"].as_array();
    let map = rules.and_then(|rules| rules.iter().find(|rule| rule["action"] == "labelmap"));
    let regex = map
        .and_then(|rule| rule["regex"].as_str())
        .expect("a labelmap");
    let (_, listed) = regex.split_once('(').expect("a group");
    let mut mapped: Vec<&str> = listed.trim_end_matches(')').split('|').collect();
    mapped.sort_unstable();
    assert_eq!(mapped, kept);
    assert_eq!(monitor["spec"]["jobLabel"], "app");
    Ok(())
}
