//! The grid follows the scrapes, on a real Prometheus: docs/design/counts.md, "1. Grid".

use std::fmt::Write;
use std::time::Duration;

use serde_json::{Value, json};
use serinus_tests::{
    RealPrometheus, SerinusProcess, Window, now_ms, run_command, serinus_binary, wait_until,
};

use crate::contract::{analyse, rfc3339};

const HOURS: i64 = 3;

const PIPELINE: &str = "\
name: shop
control: {track: stable}
canary: {track: canary}
analysis: {split_check: off}
canary_pipeline:
  only: {traffic_percent: 50, duration_minutes: 30, metrics: [error_rate < 5%]}
";

/// Hours of two tracks that are scraped each so many seconds.
fn scraped_each(seconds: i64) -> String {
    let end = now_ms() / 1_000;
    let mut text = "# TYPE http_requests counter\n".to_owned();
    for track in ["stable", "canary"] {
        for (code, rate) in [("200", 99), ("500", 1)] {
            for scrape in 0..=HOURS * 3_600 / seconds {
                // Writing to a string cannot fail.
                let _ = writeln!(
                    text,
                    "http_requests_total{{track=\"{track}\",pod=\"{track}-1\",code=\"{code}\"}} {} {}",
                    rate * scrape * seconds,
                    end - HOURS * 3_600 + scrape * seconds
                );
            }
        }
    }
    text.push_str("# EOF\n");
    text
}

fn whole_stage(pipeline: &Value) -> anyhow::Result<Value> {
    let end_ms = now_ms() / 600_000 * 600_000;
    let window = Window {
        start_ms: end_ms - 1_800_000,
        end_ms,
    };
    Ok(json!({
        "pipeline": pipeline,
        "start": rfc3339(window.start_ms)?,
        "end": rfc3339(window.end_ms)?,
    }))
}

/// The pipeline with an interval that a file writes.
fn with_interval(interval: &str) -> Value {
    json!({
        "name": "shop",
        "control": {"track": "stable"},
        "canary": {"track": "canary"},
        "analysis": {"split_check": "off", "interval": interval},
        "canary_pipeline": {"only": {
            "traffic_percent": 50, "duration_minutes": 30, "metrics": ["error_rate < 5%"],
        }},
    })
}

/// D21: without a word of the file an interval is as long as a scrape, at least 30 s, for an analysis and for a rollout.
#[tokio::test]
async fn d21_an_interval_that_nobody_wrote_is_as_long_as_a_scrape() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    std::fs::write(folder.path().join("shop.yaml"), PIPELINE)?;
    for (scrape, interval) in [(15, 30), (45, 60), (60, 60), (300, 300)] {
        let prometheus = RealPrometheus::start_with_history("", &scraped_each(scrape)).await?;
        let serinus = SerinusProcess::serve_pipelines(prometheus.url(), folder.path()).await?;
        let told = analyse(&serinus, &whole_stage(&json!("shop"))?).await?;
        let window = told.body.pointer("/window/interval_seconds");
        assert_eq!(window, Some(&json!(interval)), "{scrape}: {}", told.body);
        assert!(
            !told
                .body
                .to_string()
                .contains("interval_finer_than_scrapes")
        );

        let start = rfc3339(now_ms() - 1_200_000)?;
        let begun = serinus
            .post(
                "/v1/rollouts",
                &json!({"pipeline": "shop", "key": "k", "start": start}),
            )
            .await?;
        let id = begun.text("/rollout").to_owned();
        let what = format!("a rollout with scrapes each {scrape} s is judged");
        wait_until(&what, Duration::from_secs(30), async || {
            let told = serinus.get(&format!("/v1/rollouts/{id}")).await?;
            let text = told.body.to_string();
            Ok(text
                .contains(&format!("\"interval_seconds\":{interval}"))
                .then_some(()))
        })
        .await?;
    }
    Ok(())
}

/// D21: one that is shorter is judged as it is written: each answer warns, those of a gate too, and lint refuses it.
#[tokio::test]
async fn d21_an_interval_shorter_than_a_scrape_is_told() -> anyhow::Result<()> {
    let prometheus = RealPrometheus::start_with_history("", &scraped_each(60)).await?;
    let serinus = SerinusProcess::serve(prometheus.url()).await?;
    for (interval, warns) in [("1s", true), ("60s", false)] {
        let told = analyse(&serinus, &whole_stage(&with_interval(interval))?).await?;
        let text = told.body.to_string();
        let says =
            "an interval is 1 s, and targets are scraped each 60 s: many intervals see nothing";
        assert_eq!(text.contains(says), warns, "{interval}: {text}");

        let folder = tempfile::tempdir()?;
        let file = folder.path().join("shop.yaml");
        let written = PIPELINE.replace("off}", &format!("off, interval: {interval}}}"));
        std::fs::write(&file, written)?;
        let gated = SerinusProcess::serve_pipelines(prometheus.url(), folder.path()).await?;
        let begun =
            json!({"pipeline": "shop", "key": "k", "start": rfc3339(now_ms() - 1_200_000)?});
        let id = gated
            .post("/v1/rollouts", &begun)
            .await?
            .text("/rollout")
            .to_owned();
        let seen = format!("\"interval_seconds\":{}", interval.trim_end_matches('s'));
        let told = wait_until("a rollout is judged", Duration::from_secs(30), async || {
            let told = gated
                .get(&format!("/v1/rollouts/{id}"))
                .await?
                .body
                .to_string();
            Ok(told.contains(&seen).then_some(told))
        })
        .await?;
        assert_eq!(told.contains(says), warns, "{interval}: {told}");
        let file = file.to_string_lossy();
        let arguments = ["lint", "--prometheus", prometheus.url(), &file];
        let linted = run_command(&serinus_binary()?, &arguments, Duration::from_secs(30)).await?;
        assert_eq!(linted.code, Some(i32::from(warns)), "{linted:?}");
    }
    Ok(())
}
