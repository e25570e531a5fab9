//! Selectors that can never match, on a real Prometheus: no data is never good news.

use std::fmt::Write;
use std::time::Duration;

use anyhow::Context;
use serde_json::{Value, json};
use serinus_tests::{
    CommandOutput, RealPrometheus, Reply, SerinusProcess, Window, now_ms, run_command,
    serinus_binary,
};

use crate::contract::{analyse, pipeline_with, request, set};

const SCRAPE_SECONDS: i64 = 15;
/// Requests of a pod at each scrape, and how many of them fail.
const REQUESTS: i64 = 300;
const FAILURES: i64 = 6;
const MINUTES: i64 = 30;

/// How the pods of a track tell what became of a request.
#[derive(Clone, Copy)]
struct Track {
    name: &'static str,
    pods: usize,
    /// The label.
    label: &'static str,
    /// Whether any request fails.
    fails: bool,
}

const STABLE: Track = Track {
    name: "stable",
    pods: 3,
    label: "code",
    fails: true,
};
const CANARY: Track = Track {
    name: "canary",
    pods: 1,
    ..STABLE
};

/// Half an hour of the tracks' counters that ends now, as `OpenMetrics` text, and its window.
fn half_an_hour(tracks: &[Track]) -> (String, Window) {
    let end = now_ms() / 1_000 / 60 * 60;
    let start = end - MINUTES * 60;
    let mut text = "# TYPE http_requests counter\n".to_owned();
    for track in tracks {
        for pod in 0..track.pods {
            let name = format!("{}-{pod}", track.name);
            let results: &[(&str, i64)] = if track.fails {
                &[("200", REQUESTS - FAILURES), ("500", FAILURES)]
            } else {
                &[("200", REQUESTS)]
            };
            for (value, count) in results {
                for scrape in 0..=(MINUTES * 60 / SCRAPE_SECONDS) {
                    let _ = writeln!(
                        text,
                        "http_requests_total{{pod=\"{name}\",track=\"{}\",{}=\"{value}\"}} {} {}",
                        track.name,
                        track.label,
                        count * scrape,
                        start + scrape * SCRAPE_SECONDS
                    );
                }
            }
        }
    }
    let window = Window {
        start_ms: start * 1_000,
        end_ms: end * 1_000,
    };
    (format!("{text}# EOF\n"), window)
}

/// An answer about the error rate of these tracks, whose failures are counted by a selector.
async fn asked(tracks: &[Track], errors: &str, more: Value) -> anyhow::Result<Reply> {
    let (history, window) = half_an_hour(tracks);
    let prometheus = RealPrometheus::start_with_history("", &history).await?;
    let serinus = SerinusProcess::serve(prometheus.url()).await?;
    let mut metric = json!({"errors": errors, "total": "http_requests_total"});
    for (key, value) in more.as_object().into_iter().flatten() {
        set(&mut metric, key, value.clone());
    }
    let mut pipeline = pipeline_with(
        &json!({"error_rate": metric}),
        &json!(["error_rate < 5%"]),
        MINUTES as f64,
    );
    set(
        &mut pipeline,
        "analysis",
        json!({"method": "wilson", "interval": "30s", "lag": "0s", "split_check": "off"}),
    );
    analyse(&serinus, &request(&pipeline, Some(window))?).await
}

fn assert_held(reply: &Reply, code: &str, says: &[&str]) {
    assert_eq!(reply.text("/verdict"), "hold", "{}", reply.body);
    assert_eq!(reply.text("/reason_code"), code, "{}", reply.body);
    let reason = reply.text("/gate/reason");
    for what in says {
        assert!(reason.contains(what), "{what}: {reason}");
    }
}

/// D11: what could never match is no good news, and what could have is.
#[tokio::test]
async fn a_label_that_nobody_has_holds_and_names_those_that_are_there() -> anyhow::Result<()> {
    let with_status = [STABLE, CANARY].map(|track| Track {
        label: "status",
        ..track
    });
    let reply = asked(
        &with_status,
        "http_requests_total{code=~\"5..\"}",
        json!({}),
    )
    .await?;
    assert_held(
        &reply,
        "selector_matches_nothing",
        &["code", "they have status"],
    );
    let reply = asked(&with_status, "http_request_failures_total", json!({})).await?;
    assert_held(
        &reply,
        "selector_matches_nothing",
        &[
            "no series is named http_request_failures_total",
            "http_requests_total",
        ],
    );
    // What leaves nothing out would count every request, of both.
    let reply = asked(
        &with_status,
        "http_requests_total{code!~\"2..\"}",
        json!({}),
    )
    .await?;
    assert_held(
        &reply,
        "selector_matches_nothing",
        &["leaves nothing out", "status"],
    );
    Ok(())
}

/// D11: what could never match is no good news, and what could have is.
#[tokio::test]
async fn no_failures_anywhere_promote_and_the_gate_says_so() -> anyhow::Result<()> {
    let faultless = [STABLE, CANARY].map(|track| Track {
        fails: false,
        ..track
    });
    let reply = asked(&faultless, "http_requests_total{code=~\"5..\"}", json!({})).await?;
    assert_eq!(reply.text("/verdict"), "promote", "{}", reply.body);
    let reason = reply.text("/gate/reason");
    assert!(
        reason.contains("neither population has a series of the events"),
        "{reason}"
    );
    Ok(())
}

/// D11, D28: the canary has no such label.
#[tokio::test]
async fn a_new_version_that_renames_the_label_is_not_promoted() -> anyhow::Result<()> {
    let renamed = Track {
        label: "status",
        ..CANARY
    };
    let failures = "http_requests_total{code=~\"5..\"}";
    let reply = asked(&[STABLE, renamed], failures, json!({})).await?;
    assert_held(
        &reply,
        "canary_events_missing",
        &["with code; they have status", "renamed in this version?"],
    );
    let fine = json!({"events_may_be_absent": true});
    let reply = asked(&[STABLE, renamed], failures, fine).await?;
    assert_eq!(reply.text("/verdict"), "promote", "{}", reply.body);
    Ok(())
}

/// D28: repaired, or not counted: the data cannot tell, so a person says.
#[tokio::test]
async fn a_new_version_that_repairs_all_failures_is_promoted_by_who_says_so() -> anyhow::Result<()>
{
    let repaired = Track {
        fails: false,
        ..CANARY
    };
    let failures = "http_requests_total{code=~\"5..\"}";
    let reply = asked(&[STABLE, repaired], failures, json!({})).await?;
    assert_held(
        &reply,
        "canary_events_missing",
        &["Where they are repaired"],
    );
    let fine = json!({"events_may_be_absent": true});
    let reply = asked(&[STABLE, repaired], failures, fine).await?;
    assert_eq!(reply.text("/verdict"), "promote", "{}", reply.body);
    Ok(())
}

#[tokio::test]
async fn errors_and_total_that_are_swapped_are_asked_about() -> anyhow::Result<()> {
    let swapped = json!({"total": "http_requests_total{code=~\"5..\"}"});
    let reply = asked(&[STABLE, CANARY], "http_requests_total", swapped).await?;
    assert_held(&reply, "events_exceed_total", &["are they swapped?"]);
    Ok(())
}

#[tokio::test]
async fn a_canary_that_is_not_there_is_told_with_what_is() -> anyhow::Result<()> {
    let reply = asked(&[STABLE], "http_requests_total{code=~\"5..\"}", json!({})).await?;
    assert_held(
        &reply,
        "no_data",
        &["canary", "the control has some", "there is stable"],
    );
    Ok(())
}

async fn linted(prometheus: &str, pipeline: &str, flags: &[&str]) -> anyhow::Result<CommandOutput> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("shop.yaml");
    std::fs::write(&file, pipeline)?;
    let file = file.to_string_lossy();
    let mut arguments = vec!["lint", "--prometheus", prometheus, &file];
    arguments.extend(flags);
    run_command(&serinus_binary()?, &arguments, Duration::from_secs(30)).await
}

const PIPELINE: &str = "\
name: shop
control: {track: stable}
canary: {track: next}
metrics:
  error_rate: {errors: 'http_requests_total{code=~\"5..\"}', total: http_requests_total}
canary_pipeline:
  first: {traffic_percent: 10, duration_minutes: 60, metrics: [error_rate < 5%]}
";

#[tokio::test]
async fn lint_says_the_same_before_a_rollout_begins() -> anyhow::Result<()> {
    let (history, _) = half_an_hour(&[STABLE]);
    let prometheus = RealPrometheus::start_with_history("", &history).await?;

    let good = linted(prometheus.url(), PIPELINE, &[]).await?;
    assert_eq!(good.code, Some(0), "{good:?}");
    assert!(
        good.stdout.contains(
            "warning: error_rate: the canary is not there yet, which is normal before a rollout: no \
             series of http_requests_total has track=\"next\"; there is stable"
        ),
        "{good:?}"
    );

    let wrong = PIPELINE.replace("code=~", "status=~");
    let told = linted(prometheus.url(), &wrong, &["--output=json"]).await?;
    assert_eq!(told.code, Some(1), "{told:?}");
    let read: Value = serde_json::from_str(&told.stdout).context(told.stdout.clone())?;
    assert_eq!(read[0]["valid"], true);
    let first = &read[0]["selectors"][0];
    assert_eq!(first["level"], "error", "{read}");
    let message = first["message"].as_str().unwrap_or_default();
    assert!(message.contains("they have code"), "{message}");

    let nowhere = linted("http://127.0.0.1:9", PIPELINE, &[]).await?;
    assert_eq!(nowhere.code, Some(1), "{nowhere:?}");
    assert!(
        nowhere.stdout.contains("cannot be looked up"),
        "{nowhere:?}"
    );
    Ok(())
}

async fn planned(prometheus: &str, pipeline: &str) -> anyhow::Result<CommandOutput> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("shop.yaml");
    std::fs::write(&file, pipeline)?;
    let file = file.to_string_lossy();
    let arguments = ["plan", &file, "--prometheus", prometheus, "--hours=1"];
    run_command(&serinus_binary()?, &arguments, Duration::from_mins(1)).await
}

#[tokio::test]
async fn a_plan_says_it_too() -> anyhow::Result<()> {
    let (history, _) = half_an_hour(&[STABLE]);
    let prometheus = RealPrometheus::start_with_history("", &history).await?;
    for (pipeline, code) in [
        (PIPELINE.to_owned(), 0),
        (PIPELINE.replace("code=~", "status=~"), 1),
    ] {
        let told = planned(prometheus.url(), &pipeline).await?;
        assert_eq!(told.code, Some(code), "{told:?}");
        let is_told = told.stdout.contains("error: error_rate: status=~");
        assert_eq!(is_told, code == 1, "{told:?}");
    }
    Ok(())
}

/// A control whose regular expression takes the canary in compares it with itself: every stage would hold.
#[tokio::test]
async fn populations_that_overlap_are_told_before_a_rollout_begins() -> anyhow::Result<()> {
    let (history, _) = half_an_hour(&[STABLE, CANARY]);
    let prometheus = RealPrometheus::start_with_history("", &history).await?;
    let apart = PIPELINE
        .replace("next", "canary")
        .replace("error_rate < 5%", "error_rate < baseline * 1.5");
    let overlapping = apart.replace("{track: stable}", "{track: {\"=~\": \"stable|canary\"}}");
    for (pipeline, code) in [(&apart, 0), (&overlapping, 1)] {
        let all = [
            linted(prometheus.url(), pipeline, &[]).await?,
            planned(prometheus.url(), pipeline).await?,
        ];
        for told in all {
            assert_eq!(told.code, Some(code), "{told:?}");
            let says = "error: control: control and canary overlap: both select";
            assert_eq!(told.stdout.contains(says), code == 1, "{told:?}");
        }
    }
    Ok(())
}
