//! `serinus init`: the file that it writes lints and is judged.

use std::time::Duration;

use serde_json::json;
use serinus_tests::{
    CommandOutput, ExposedCanary, Exposition, RealPrometheus, SerinusProcess, now_ms,
    repository_path, run_command, serinus_binary,
};

use crate::contract::{analyse, rfc3339};

/// How long the history is, and what of it is judged: a stage of an hour.
const HISTORY_SECONDS: i64 = 70 * 60;
const JUDGED_SECONDS: i64 = 65 * 60;

/// Expositions of a folder, by their names.
type Exposed = (&'static str, &'static [&'static str]);

const DEMO: Exposed = ("tests/tests/data/demo", &["demo"]);
const THREE_PRESETS: Exposed = (
    "tests/tests/data/presets",
    &["istio", "nginx-ingress", "traefik"],
);

/// A Prometheus with these expositions, and the second at which they end.
async fn prometheus_of(
    (folder, names): Exposed,
    canary: ExposedCanary,
) -> anyhow::Result<(RealPrometheus, i64)> {
    let mut all = Exposition::read_folder(&repository_path(folder))?;
    all.retain(|one| names.contains(&one.name.as_str()));
    assert_eq!(all.len(), names.len());
    let end = now_ms() / 60_000 * 60;
    let history = Exposition::history(&all, canary, end - HISTORY_SECONDS, end);
    let prometheus = RealPrometheus::start_with_history("", &history).await?;
    Ok((prometheus, end))
}

async fn run(arguments: &[&str]) -> anyhow::Result<CommandOutput> {
    run_command(&serinus_binary()?, arguments, Duration::from_mins(1)).await
}

/// What is written for a service, once it is linted with and without the Prometheus.
async fn written(prometheus: &RealPrometheus, service: &str) -> anyhow::Result<String> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("written.yaml");
    let (url, path) = (prometheus.url(), file.to_string_lossy());
    let named = ["init", "--prometheus", url, "--service", service];
    let told = run(&[&named[..], &["--out", &path]].concat()).await?;
    assert_eq!(told.code, Some(0), "{told:?}");
    assert_eq!(told.stdout, "", "{told:?}");
    let is_wide = |line: &str| line.chars().count() > 80 && !line.starts_with("Next: ");
    assert!(!told.stderr.lines().any(is_wide), "{told:?}");
    for more in [&[][..], &["--prometheus", url]] {
        let linted = run(&[&["lint", &path], more].concat()).await?;
        assert_eq!(linted.code, Some(0), "{linted:?}");
        // Each version has one pod here, which is told, and is no fault of the file.
        let of_one_pod = "warning: control: with one pod of the control ";
        let of_the_file = linted.stdout.replace(of_one_pod, "");
        for level in ["warning:", "hint:", "unknown:"] {
            assert!(!of_the_file.contains(level), "{linted:?}");
        }
    }
    Ok(std::fs::read_to_string(&file)?)
}

/// Of which of these services the gate says something else about the first stage of what is written for
/// it, and why. Each file says so.
async fn other_than(
    verdict: &str,
    exposed: Exposed,
    services: &[(&str, &str)],
    canary: ExposedCanary,
) -> anyhow::Result<Vec<String>> {
    let (prometheus, end) = prometheus_of(exposed, canary).await?;
    let serinus = SerinusProcess::serve(prometheus.url()).await?;
    let mut others = Vec::new();
    for (service, says) in services {
        let pipeline = written(&prometheus, service).await?;
        assert!(pipeline.contains(says), "{pipeline}");
        let request = json!({
            "pipeline_yaml": pipeline,
            "stage": "stage_1",
            "start": rfc3339((end - JUDGED_SECONDS) * 1_000)?,
            "end": rfc3339(end * 1_000)?,
        });
        let reply = analyse(&serinus, &request).await?;
        if reply.text("/verdict") != verdict {
            others.push(format!("{service}: {}", reply.text("/gate/reason")));
        }
    }
    Ok(others)
}

const OF_THE_DEMO: &[(&str, &str)] = &[
    ("catalog", "control: {service: catalog, track: stable}"),
    ("billing", "preset: prometheus"),
];

const OF_PRESETS: &[(&str, &str)] = &[
    ("checkout", "preset: istio"),
    ("shop-checkout-80@kubernetescrd", "preset: traefik"),
];

#[tokio::test]
async fn what_is_written_for_the_demo_promotes_a_good_canary() -> anyhow::Result<()> {
    let others = other_than("promote", DEMO, OF_THE_DEMO, ExposedCanary::Good).await?;
    assert_eq!(others, [] as [&str; 0]);
    Ok(())
}

#[tokio::test]
async fn what_is_written_for_the_demo_rolls_a_bad_canary_back() -> anyhow::Result<()> {
    let others = other_than("rollback", DEMO, OF_THE_DEMO, ExposedCanary::Bad).await?;
    assert_eq!(others, [] as [&str; 0]);
    Ok(())
}

#[tokio::test]
async fn what_is_written_for_one_of_three_presets_promotes_a_good_canary() -> anyhow::Result<()> {
    let others = other_than("promote", THREE_PRESETS, OF_PRESETS, ExposedCanary::Good).await?;
    assert_eq!(others, [] as [&str; 0]);
    Ok(())
}

#[tokio::test]
async fn what_is_written_for_one_of_three_presets_rolls_a_bad_canary_back() -> anyhow::Result<()> {
    let others = other_than("rollback", THREE_PRESETS, OF_PRESETS, ExposedCanary::Bad).await?;
    assert_eq!(others, [] as [&str; 0]);
    Ok(())
}

#[tokio::test]
async fn without_a_service_one_with_two_versions_is_taken_and_the_others_are_told()
-> anyhow::Result<()> {
    let (prometheus, _) = prometheus_of(DEMO, ExposedCanary::Good).await?;
    let told = run(&["init", "--prometheus", prometheus.url()]).await?;
    assert_eq!(told.code, Some(0), "{told:?}");
    // Two have as much traffic.
    let is_taken = |name: &str| told.stdout.contains(&format!("\nname: {name}\n"));
    assert!(is_taken("catalog") || is_taken("billing"), "{told:?}");
    assert!(told.stderr.contains("4 services have requests"), "{told:?}");
    assert!(told.stderr.contains("  payments: "), "{told:?}");
    Ok(())
}

#[tokio::test]
async fn where_there_are_no_requests_it_is_told_what_there_is() -> anyhow::Result<()> {
    let empty = RealPrometheus::start("").await?;
    let nothing = run(&["init", "--prometheus", empty.url()]).await?;
    assert_eq!(nothing.code, Some(1), "{nothing:?}");
    let told = "no counter of requests was found";
    assert!(nothing.stderr.contains(told), "{nothing:?}");
    Ok(())
}

#[tokio::test]
async fn a_source_that_does_not_answer_is_told() -> anyhow::Result<()> {
    let nowhere = run(&["init", "--prometheus", "http://127.0.0.1:9"]).await?;
    assert_eq!(nowhere.code, Some(1), "{nowhere:?}");
    assert!(nowhere.stderr.contains("cannot be reached"), "{nowhere:?}");
    Ok(())
}

#[tokio::test]
async fn a_file_that_is_there_is_written_over_only_by_force() -> anyhow::Result<()> {
    let (prometheus, _) = prometheus_of(DEMO, ExposedCanary::Good).await?;
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("mine.yaml");
    std::fs::write(&file, "mine")?;
    let path = file.to_string_lossy();
    let arguments = ["init", "--prometheus", prometheus.url(), "--out", &path];
    let refused = run(&arguments).await?;
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(refused.stderr.contains("--force"), "{refused:?}");
    assert_eq!(std::fs::read_to_string(&file)?, "mine");

    let forced = run(&[&arguments[..], &["--force"]].concat()).await?;
    assert_eq!(forced.code, Some(0), "{forced:?}");
    assert!(std::fs::read_to_string(&file)?.contains("canary_pipeline:"));
    Ok(())
}
