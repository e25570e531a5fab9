//! Every preset on what its project really exposes, judged end to end on a real Prometheus.

use std::time::Duration;

use serde_json::json;
use serinus_tests::{
    CommandOutput, ExposedCanary, Exposition, RealPrometheus, Reply, SerinusProcess, now_ms,
    repository_path, run_command, serinus_binary,
};

use crate::contract::{analyse, rfc3339};

/// How long the history is, and what of it is judged.
const HISTORY_SECONDS: i64 = 40 * 60;
const JUDGED_SECONDS: i64 = 38 * 60;

fn expositions() -> anyhow::Result<Vec<Exposition>> {
    Exposition::read_folder(&repository_path("tests/tests/data/presets"))
}

/// A Prometheus that has scraped all of these, and the second at which it ended.
async fn prometheus_of(
    all: &[Exposition],
    canary: ExposedCanary,
) -> anyhow::Result<(RealPrometheus, i64)> {
    let end = now_ms() / 60_000 * 60;
    let history = Exposition::history(all, canary, end - HISTORY_SECONDS, end);
    let prometheus = RealPrometheus::start_with_history("", &history).await?;
    Ok((prometheus, end))
}

/// What is checked: latencies where there is a histogram.
fn checks(exposition: &Exposition) -> &'static [&'static str] {
    if exposition.has_histogram() {
        &["error_rate", "latency_p99"]
    } else {
        &["error_rate"]
    }
}

fn pipeline(exposition: &Exposition) -> String {
    let Exposition {
        name,
        control,
        canary,
        ..
    } = exposition;
    let conditions = checks(exposition).iter().map(|name| match *name {
        "error_rate" => "error_rate < 1%",
        _ => "latency_p99 < 1s",
    });
    let conditions: Vec<&str> = conditions.collect();
    format!(
        "name: {name}\npreset: {name}\ncontrol: {control}\ncanary: {canary}\nanalysis: {{lag: 0s, \
         history: off}}\ncanary_pipeline: {{only: {{traffic_percent: 10, duration_minutes: 30, \
         metrics: [{}]}}}}\n",
        conditions.join(", ")
    )
}

/// What the canary of each preset is judged, by the preset's name.
async fn judged(canary: ExposedCanary) -> anyhow::Result<Vec<(Exposition, Reply)>> {
    let all = expositions()?;
    let (prometheus, end) = prometheus_of(&all, canary).await?;
    let serinus = SerinusProcess::serve(prometheus.url()).await?;
    let mut replies = Vec::new();
    for exposition in all {
        let request = json!({
            "pipeline_yaml": pipeline(&exposition),
            "start": rfc3339((end - JUDGED_SECONDS) * 1_000)?,
            "end": rfc3339(end * 1_000)?,
        });
        replies.push((exposition, analyse(&serinus, &request).await?));
    }
    Ok(replies)
}

/// Those that were judged otherwise, or of which some check was: with the reason.
fn other_than(verdict: &str, outcome: &str, replies: &[(Exposition, Reply)]) -> Vec<String> {
    let mut wrong = Vec::new();
    for (exposition, reply) in replies {
        let outcomes = (0..checks(exposition).len())
            .map(|index| reply.text(&format!("/checks/{index}/outcome")));
        if reply.text("/verdict") != verdict || outcomes.clone().any(|one| one != outcome) {
            let outcomes: Vec<&str> = outcomes.collect();
            let (name, reason) = (&exposition.name, reply.text("/gate/reason"));
            wrong.push(format!("{name}: {outcomes:?} {reason}"));
        }
    }
    wrong
}

#[tokio::test]
async fn a_good_canary_of_every_preset_is_promoted() -> anyhow::Result<()> {
    let replies = judged(ExposedCanary::Good).await?;
    assert!(replies.len() > 20, "{}", replies.len());
    assert_eq!(other_than("promote", "pass", &replies), [] as [&str; 0]);
    Ok(())
}

#[tokio::test]
async fn a_bad_canary_of_every_preset_is_rolled_back() -> anyhow::Result<()> {
    let replies = judged(ExposedCanary::Bad).await?;
    assert_eq!(other_than("rollback", "fail", &replies), [] as [&str; 0]);
    Ok(())
}

async fn linted(prometheus: &RealPrometheus, pipeline: &str) -> anyhow::Result<CommandOutput> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("checkout.yaml");
    std::fs::write(&file, pipeline)?;
    let file = file.to_string_lossy();
    let arguments = ["lint", "--prometheus", prometheus.url(), &file];
    run_command(&serinus_binary()?, &arguments, Duration::from_secs(30)).await
}

#[tokio::test]
async fn lint_proposes_the_preset_whose_metrics_are_there() -> anyhow::Result<()> {
    let mut all = expositions()?;
    all.retain(|exposition| exposition.name == "istio");
    let (prometheus, _) = prometheus_of(&all, ExposedCanary::Good).await?;
    let proposed = "hint: error_rate: this Prometheus has the metrics of the preset istio: write \
                    preset: istio";
    let with_preset = pipeline(&all[0]);

    let told = linted(&prometheus, &with_preset.replace("preset: istio\n", "")).await?;
    assert_eq!(told.code, Some(1), "{told:?}");
    assert!(told.stdout.contains(proposed), "{told:?}");

    let told = linted(&prometheus, &with_preset).await?;
    assert_eq!(told.code, Some(0), "{told:?}");
    assert!(!told.stdout.contains("hint"), "{told:?}");
    Ok(())
}
