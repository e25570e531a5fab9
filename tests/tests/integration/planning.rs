//! Before a rollout, on a real Prometheus: what each stage will see, and how often identical releases
//! would have been rolled back.

use std::time::Duration;

use anyhow::Context;
use serde_json::Value;
use serinus_tests::{CommandOutput, RealPrometheus, now_ms, run_command, serinus_binary};

use crate::history::past;

const PIPELINE: &str = "\
name: shop
control: {track: stable}
canary: {track: canary}
metrics:
  error_rate:
    errors: 'http_requests_total{code=~\"5..\"}'
    total: 'http_requests_total'
analysis: {interval: 60s, history: 4h}
canary_pipeline:
  first:
    name: First
    traffic_percent: 10
    duration_minutes: 30
    metrics: [error_rate < baseline * 1.25, error_rate < 50%]
  second:
    name: Everybody
    traffic_percent: 100
    duration_minutes: 30
    metrics: [error_rate < baseline * 1.25]
";

async fn serinus(arguments: &[&str]) -> anyhow::Result<CommandOutput> {
    run_command(&serinus_binary()?, arguments, Duration::from_mins(1)).await
}

fn json(output: &CommandOutput) -> anyhow::Result<Value> {
    serde_json::from_str(&output.stdout).with_context(|| format!("{output:?}"))
}

struct Shop {
    prometheus: RealPrometheus,
    _folder: tempfile::TempDir,
    pipeline: String,
}

impl Shop {
    /// Ten pods of one version over the last hours.
    async fn open(hours: i64) -> anyhow::Result<Self> {
        let now = now_ms() / 60_000 * 60;
        let pods: Vec<(String, &str)> = (0..10)
            .map(|pod| (format!("shop-{pod}"), "stable"))
            .collect();
        let history = past(&pods, now - hours * 3_600, now);
        let folder = tempfile::tempdir()?;
        let file = folder.path().join("shop.yaml");
        std::fs::write(&file, PIPELINE)?;
        Ok(Self {
            prometheus: RealPrometheus::start_with_history("", &history).await?,
            pipeline: file.to_string_lossy().into_owned(),
            _folder: folder,
        })
    }

    async fn ask(&self, command: &str, flags: &[&str]) -> anyhow::Result<CommandOutput> {
        let mut arguments = vec![
            command,
            &self.pipeline,
            "--prometheus",
            self.prometheus.url(),
        ];
        arguments.extend(flags);
        serinus(&arguments).await
    }
}

#[tokio::test]
async fn a_plan_knows_the_traffic_the_errors_and_the_noise_of_the_service() -> anyhow::Result<()> {
    let shop = Shop::open(6).await?;
    let output = shop.ask("plan", &["--hours=5", "--output=json"]).await?;
    assert_eq!(output.code, Some(0), "{output:?}");
    let plan = json(&output)?;
    let check = plan.pointer("/stages/0/checks/0").context("no check")?;
    let number = |name: &str| {
        check[name]
            .as_f64()
            .with_context(|| format!("no {name}: {check}"))
    };
    // 10 pods with 200 requests each 30 s are 4,000 in an interval of 60 s, of which a tenth.
    assert!(
        (number("canary_per_interval")? - 400.0).abs() < 4.0,
        "{check}"
    );
    assert!(
        (number("control_per_interval")? - 3_600.0).abs() < 36.0,
        "{check}"
    );
    // Two failures in 200, three times as many in a quarter of the time: 1.5 %.
    assert!((number("baseline")? - 0.015).abs() < 0.002, "{check}");
    assert_eq!(check["dispersion_source"], "measured", "{check}");
    assert!(number("dispersion")? > 1.5, "{check}");
    let minutes = |index: usize| check["sees"][index]["minutes"].as_f64();
    assert!(
        minutes(1) > minutes(2) && minutes(2) > minutes(4),
        "{check}"
    );
    let last = plan.pointer("/stages/1").context("no second stage")?;
    assert_eq!(last["can_promote"], false, "{last}");
    assert_eq!(last["checks"][0]["status"], "does_not_count", "{last}");

    let text = shop.ask("plan", &["--hours=5", "--stage=first"]).await?;
    assert!(
        text.stdout
            .contains("at 10 % of the traffic this stage sees x"),
        "{text:?}"
    );

    let nobody = shop.ask("plan", &["--control=track=nobody"]).await?;
    assert_eq!(nobody.code, Some(1), "{nobody:?}");
    assert!(
        nobody.stderr.contains("no data of track=\"nobody\""),
        "{nobody:?}"
    );
    Ok(())
}

#[tokio::test]
async fn a_plan_without_its_source_says_so() -> anyhow::Result<()> {
    let shop = Shop::open(1).await?;
    let flags = ["plan", &shop.pipeline, "--prometheus", "http://127.0.0.1:9"];
    let output = serinus(&flags).await?;
    assert_eq!(output.code, Some(1), "{output:?}");
    assert!(output.stderr.contains("cannot read the past"), "{output:?}");
    Ok(())
}

#[tokio::test]
async fn identical_releases_are_replayed_and_counted() -> anyhow::Result<()> {
    let shop = Shop::open(17).await?;
    let flags = ["--days=0.5", "--output=json"];
    let output = shop.ask("calibrate", &flags).await?;
    // At 100 % no share of pods plays the canary but all but one; its check does not count.
    assert_eq!(output.code, Some(0), "{output:?}");
    let report = json(&output)?;
    let stage = report.pointer("/stages/0").context("no stage")?;
    assert_eq!(
        stage["windows"], 12,
        "half a day of windows of an hour: {stage}"
    );
    assert_eq!(stage["windows_with_history"], 12, "{stage}");
    assert_eq!(stage["windows_missing"], 0, "{stage}");
    assert_eq!(stage["windows_overlap"], false, "{stage}");
    assert_eq!(
        stage["canary_targets"].as_array().map(Vec::len),
        Some(1),
        "{stage}"
    );
    assert_eq!(
        stage["control_targets"].as_array().map(Vec::len),
        Some(9),
        "{stage}"
    );
    let share = stage["rolled_back"]["share"].as_f64().context("no share")?;
    assert!(share < 0.2, "{stage}");
    let upper = stage["rolled_back"]["interval"][1].as_f64();
    assert!(upper.is_some_and(|upper| upper > share), "{stage}");

    let again = shop
        .ask("calibrate", &["--days=0.5", "--stage=first"])
        .await?;
    assert!(
        again.stdout.contains("of 12 identical releases"),
        "{again:?}"
    );
    let many = shop
        .ask(
            "calibrate",
            &["--days=0.5", "--stage=first", "--windows=20"],
        )
        .await?;
    assert!(many.stdout.contains("of 20 identical releases"), "{many:?}");
    assert!(many.stdout.contains("the windows overlap"), "{many:?}");
    Ok(())
}
