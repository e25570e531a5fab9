//! The helpers themselves: what is measured with them is only as good as they are.

use std::time::Duration;

use anyhow::Context;
use serde_json::Value;
use serinus_tests::{
    Browser, Fault, FaultyUpstream, Miss, PodPlan, QueryApi, RealPrometheus, RealSource,
    SourceKind, TruthFleet, Window, http_client, now_ms,
};

/// Discovery and the first scrapes take Prometheus up to about ten seconds.
const FIRST_SCRAPES: Duration = Duration::from_secs(30);

#[tokio::test]
async fn prometheus_answers_from_a_history_that_it_never_scraped() -> anyhow::Result<()> {
    let start = now_ms() / 1_000 - 3_600;
    let history = format!(
        "# TYPE orders counter\norders_total{{track=\"stable\"}} 5 {start}\n\
         orders_total{{track=\"stable\"}} 9 {}\n# EOF\n",
        start + 60
    );
    let prometheus = RealPrometheus::start_with_history("", &history).await?;

    let found = prometheus
        .query("orders_total[2m]", (start + 61) * 1_000)
        .await?;

    assert_eq!(found.len(), 1);
    assert_eq!(found[0].pointer("/values/1/1"), Some(&Value::from("9")));
    Ok(())
}

#[tokio::test]
async fn prometheus_that_refuses_its_configuration_is_told_with_its_own_words() {
    let error = RealPrometheus::start("no_such_key: 1")
        .await
        .expect_err("the configuration is wrong");
    assert!(format!("{error:#}").contains("no_such_key"), "{error:#}");
}

/// The truth comes from the pods' record. The raw samples of each source must tell the same story:
/// here summed up by hand, sample by sample.
#[tokio::test]
async fn truth_of_a_fleet_agrees_with_the_raw_samples() -> anyhow::Result<()> {
    for kind in SourceKind::ALL {
        truth_agrees_with_the_raw_samples_of(kind).await?;
    }
    Ok(())
}

async fn truth_agrees_with_the_raw_samples_of(kind: SourceKind) -> anyhow::Result<()> {
    let mut fleet = TruthFleet::new(7)?;
    let steady = fleet.add(PodPlan::healthy("stable")).await?;
    let restarting = fleet.add(PodPlan::healthy("stable")).await?;
    let dying = fleet.add(PodPlan::healthy("canary")).await?;
    let late = fleet
        .add(PodPlan {
            is_listed: false,
            ..PodPlan::healthy("canary")
        })
        .await?;
    let source = RealSource::start(kind, &fleet.configuration(kind)).await?;
    fleet.wait_for_scrapes_of(kind, 3, FIRST_SCRAPES).await?;

    let start_ms = now_ms();
    fleet.discover(late)?;
    tokio::time::sleep(Duration::from_secs(2)).await;
    fleet
        .restart(restarting, Duration::from_millis(1_500))
        .await?;
    fleet.miss_next(steady, 1, Miss::ServerError)?;
    tokio::time::sleep(Duration::from_secs(3)).await;
    fleet.miss_next(steady, 1, Miss::ConnectionCut)?;
    fleet.kill(dying)?;
    fleet.wait_for_scrapes_of(kind, 3, FIRST_SCRAPES).await?;
    tokio::time::sleep(Duration::from_secs(3)).await;
    let window = Window {
        start_ms,
        end_ms: now_ms(),
    };
    tokio::time::sleep(Duration::from_secs(2)).await;
    source.flush().await?;

    let truth = fleet.truth(source.api(), window).await?;
    let stable = truth.get("stable").context("no stable")?;
    let canary = truth.get("canary").context("no canary")?;
    assert_eq!(
        (stable.restarts, stable.missed_scrapes, stable.deaths),
        (1, 2, 0),
        "{stable:?}"
    );
    assert_eq!(
        (canary.deaths, canary.late_discoveries, canary.births),
        (1, 1, 0),
        "{canary:?}"
    );
    for (track, expected) in [("stable", stable), ("canary", canary)] {
        let by_hand = requests_by_hand(source.api(), track, window).await?;
        assert_eq!(by_hand, expected.requests, "{track}");
        assert!(expected.requests > 0, "{track}");
    }
    Ok(())
}

/// Sums what the raw samples of `http_request_duration_seconds_count` (one series a pod) gained.
async fn requests_by_hand(source: &QueryApi, track: &str, window: Window) -> anyhow::Result<u64> {
    let query = format!(
        "http_request_duration_seconds_count{{track=\"{track}\"}}[{}ms]",
        window.end_ms - window.start_ms + 2_000
    );
    let mut sum = 0;
    for series in source.query(&query, window.end_ms).await? {
        let samples = series
            .pointer("/values")
            .and_then(Value::as_array)
            .context("no values")?;
        let mut previous: Option<u64> = None;
        for sample in samples {
            let value = sample[1].as_str().context("no value")?;
            if value == "NaN" {
                // A marker of staleness, which VictoriaMetrics shows.
                continue;
            }
            let value: u64 = value.parse()?;
            let at_seconds = sample[0].as_f64().context("no time")?;
            if at_seconds * 1_000.0 > window.start_ms as f64 {
                match previous {
                    Some(before) if before <= value => sum += value - before,
                    Some(_) => sum += value,
                    None => {}
                }
            }
            previous = Some(value);
        }
    }
    Ok(sum)
}

#[tokio::test]
async fn faulty_upstream_breaks_as_it_is_told() -> anyhow::Result<()> {
    let client = http_client()?;
    let ask = async |fault: Fault| -> anyhow::Result<Result<String, reqwest::Error>> {
        let upstream = FaultyUpstream::start(fault).await?;
        let form = [
            ("query", "up"),
            ("start", "1000"),
            ("end", "1010.000"),
            ("step", "5s"),
        ];
        let request = client
            .post(format!("{}/api/v1/query_range", upstream.url()))
            .timeout(Duration::from_secs(5))
            .form(&form);
        Ok(match request.send().await {
            Ok(response) => response.text().await,
            Err(error) => Err(error),
        })
    };

    let healthy: Value = serde_json::from_str(&ask(Fault::None).await??)?;
    assert_eq!(
        healthy.pointer("/data/result/1/values"),
        Some(&serde_json::json!([[1000, "0"], [1005, "5"], [1010, "10"]]))
    );
    assert!(
        ask(Fault::ConnectionRefused)
            .await?
            .unwrap_err()
            .is_connect()
    );
    assert!(ask(Fault::Hang).await?.unwrap_err().is_timeout());
    assert!(ask(Fault::ConnectionCut).await?.is_err());
    assert!(serde_json::from_str::<Value>(&ask(Fault::TruncatedJson).await??).is_err());
    assert!(ask(Fault::Bytes(3 << 20)).await??.len() > 3 << 20);
    let many: Value = serde_json::from_str(&ask(Fault::Series(1_000)).await??)?;
    assert_eq!(many["data"]["result"].as_array().map(Vec::len), Some(1_000));
    let partial: Value = serde_json::from_str(&ask(Fault::Warnings).await??)?;
    assert!(partial["warnings"][0].is_string());
    Ok(())
}

#[tokio::test]
async fn browser_opens_clicks_reads_and_leaves_no_process_behind() -> anyhow::Result<()> {
    let page = "data:text/html,<button id=b onclick=\"document.title='clicked'\">b</button>";
    let browser = Browser::start().await?;
    browser.open(page).await?;
    browser.click("#b", Duration::from_secs(5)).await?;
    assert_eq!(
        browser.execute("return document.title").await?,
        Value::from("clicked")
    );

    let folder = tempfile::tempdir()?;
    let picture = folder.path().join("page.png");
    browser.screenshot(&picture).await?;
    assert!(std::fs::read(&picture)?.starts_with(b"\x89PNG"));

    let profile = browser.profile_folder().to_owned();
    drop(browser);
    assert!(!profile.exists(), "the profile is removed");
    Ok(())
}
