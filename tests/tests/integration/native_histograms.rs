//! Native histograms of a real Prometheus count exactly what was observed, through a restart and
//! at different schemas, and are judged as the classic histogram of the same observations.

use std::time::Duration;

use serde_json::{Value, json};
use serinus_tests::{
    CLASSIC_NAME, NATIVE_NAME, NativePlan, NativePod, RealPrometheus, Reply, SerinusProcess,
    Window, now_ms,
};

use crate::contract::{analyse, pipeline_with, request, set};

/// The pods' schemas differ; this is the lowest.
const LOWEST_SCHEMA: i32 = 2;

/// Doublings either side of one second that the classic bounds cover.
const OCTAVES: i32 = 12;

const SCRAPE_BOUND: Duration = Duration::from_secs(20);

/// The least that a grid of scrapes once a second has.
const INTERVAL_MS: i64 = 2_000;

/// The duration of the stage, and the tenth of it in which a pod is new.
const STAGE_MINUTES: f64 = 0.5;
const WARM_UP_MS: i64 = 3_000;

/// What was observed, value and number of times.
type Observed = Vec<(f64, u64)>;

#[tokio::test]
async fn native_histograms_count_what_was_observed_and_are_judged_as_classic_ones()
-> anyhow::Result<()> {
    let start_ms = sleep_to_boundary(0).await?;
    let mut stable = [pod("stable", 3).await?, pod("stable", LOWEST_SCHEMA).await?];
    let mut canary = [pod("canary", 4).await?, pod("canary", 3).await?];
    let prometheus = start_prometheus(stable.iter().chain(&canary)).await?;
    wait_for_scrapes(stable.iter().chain(&canary)).await?;
    // What new pods do is not judged.
    sleep_to_boundary(WARM_UP_MS).await?;
    let mut control_truth = observe(&stable, 1.0);
    let mut canary_truth = observe(&canary, 2.0);
    wait_for_scrapes(stable.iter().chain(&canary)).await?;
    sleep_to_boundary(0).await?;
    stable[0].restart().await?;
    canary[1].restart().await?;
    wait_for_scrapes(stable.iter().chain(&canary)).await?;
    sleep_to_boundary(WARM_UP_MS).await?;
    control_truth.extend(observe(&stable, 1.3));
    canary_truth.extend(observe(&canary, 2.6));
    stable[1].observe(0.0, 300);
    control_truth.push((0.0, 300));
    wait_for_scrapes(stable.iter().chain(&canary)).await?;
    let end_ms = sleep_to_boundary(0).await?;
    // The pipeline's lag.
    tokio::time::sleep(Duration::from_secs(3)).await;
    let window = Window { start_ms, end_ms };
    let serinus = SerinusProcess::serve(prometheus.url()).await?;

    let quantiles = [0.05, 0.3, 0.5, 0.61, 0.75, 0.9, 0.97];
    let native = ask(&serinus, true, &quantiles, "< 300ms", window).await?;
    let classic = ask(&serinus, false, &quantiles, "< 300ms", window).await?;
    for (index, quantile) in quantiles.iter().enumerate() {
        for (population, truth) in [("control", &control_truth), ("canary", &canary_truth)] {
            let shown = |reply: &Reply| {
                let path = format!("/checks/{index}/{population}");
                reply.body.pointer(&path).cloned().unwrap_or_default()
            };
            let report = shown(&native);
            let expected = Expected::of(truth, *quantile);
            println!("{population} {quantile}: {report}, expected {expected:?}");
            assert_close(&report, "/total", expected.total);
            // What is read between two bounds is no straight line: it is the same of both kinds of buckets.
            let estimate = report.pointer("/estimate").and_then(Value::as_f64);
            let (lower, upper) = expected.bracket;
            assert!(
                estimate.is_some_and(|estimate| estimate >= lower && estimate <= upper),
                "{report}: {expected:?}"
            );
            assert_close(&report, "/bracket/lower", expected.bracket.0);
            assert_close(&report, "/bracket/upper", expected.bracket.1);
            assert_same_report(&report, &shown(&classic));
        }
    }
    assert_same_verdict(&native, &classic);

    // The canary takes twice as long, and one in ten of its requests longer than 420 ms.
    for (condition, outcome) in [("< baseline * 1.2", "fail"), ("< 500ms", "pass")] {
        let native = ask(&serinus, true, &[0.9], condition, window).await?;
        let classic = ask(&serinus, false, &[0.9], condition, window).await?;
        assert_eq!(native.text("/checks/0/outcome"), outcome, "{}", native.body);
        assert_same_verdict(&native, &classic);
    }
    Ok(())
}

#[tokio::test]
async fn a_native_metric_without_native_histograms_holds_and_says_why() -> anyhow::Result<()> {
    let pods = [pod("stable", 3).await?, pod("canary", 3).await?];
    observe(&pods, 1.0);
    // Without the feature Prometheus keeps none.
    let prometheus = RealPrometheus::start(&configuration(pods.iter())).await?;
    for pod in &pods {
        pod.wait_for_scrape(SCRAPE_BOUND).await?;
    }
    tokio::time::sleep(Duration::from_secs(8)).await;
    let end_ms = now_ms() / INTERVAL_MS * INTERVAL_MS;
    let window = Window {
        start_ms: end_ms - 2 * INTERVAL_MS,
        end_ms,
    };
    let serinus = SerinusProcess::serve(prometheus.url()).await?;
    let reply = ask(&serinus, true, &[0.9], "< 300ms", window).await?;
    assert_eq!(reply.text("/verdict"), "hold", "{}", reply.body);
    let whole = reply.body.to_string();
    assert!(
        whole.contains("no native histogram of the canary"),
        "{whole}"
    );
    Ok(())
}

async fn pod(track: &str, schema: i32) -> anyhow::Result<NativePod> {
    NativePod::start(NativePlan {
        track: track.to_owned(),
        schema,
        classic_bounds: bounds(),
    })
    .await
}

/// The bounds of the lowest schema, and the threshold of the zero bucket.
fn bounds() -> Vec<f64> {
    let per_octave = 1 << LOWEST_SCHEMA;
    (-OCTAVES * per_octave..=OCTAVES * per_octave)
        .map(|index| (f64::from(index) / f64::from(per_octave)).exp2())
        .collect()
}

/// Lets pods observe values around that many times 100 ms, none of them at a bound.
fn observe(pods: &[NativePod], factor: f64) -> Observed {
    let mut truth = Vec::new();
    for (index, pod) in (0_i32..).zip(pods) {
        for step in -20_i32..=20 {
            // A bell on the scale of logarithms.
            let height = (-f64::from(step * step) / 100.0).exp();
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "between 0 and 700"
            )]
            let times = (700.0 * height) as u64 + u64::from((step + index).unsigned_abs() % 3);
            let seconds = 0.1 * factor * (f64::from(step) * 0.093 + 0.001).exp2();
            pod.observe(seconds, times);
            truth.push((seconds, times));
        }
    }
    truth
}

fn configuration<'a>(pods: impl Iterator<Item = &'a NativePod>) -> String {
    let targets: String = pods.map(NativePod::target).collect();
    format!(
        "global:\n  scrape_interval: 1s\n  scrape_timeout: 900ms\nscrape_configs:\n  \
         - job_name: native\n    static_configs:\n{targets}"
    )
}

/// Sleeps to the first boundary of the grid that is at least that long from now, and returns it.
async fn sleep_to_boundary(at_least_ms: i64) -> anyhow::Result<i64> {
    let now = now_ms();
    let boundary_ms = ((now + at_least_ms) / INTERVAL_MS + 1) * INTERVAL_MS;
    tokio::time::sleep(Duration::from_millis(u64::try_from(boundary_ms - now)?)).await;
    Ok(boundary_ms)
}

/// Waits until every pod has answered a scrape that began after now, and it is seen.
async fn wait_for_scrapes(pods: impl Iterator<Item = &NativePod>) -> anyhow::Result<()> {
    for pod in pods {
        // The second begins after the first is stored.
        pod.wait_for_scrape(SCRAPE_BOUND).await?;
        pod.wait_for_scrape(SCRAPE_BOUND).await?;
    }
    Ok(())
}

async fn start_prometheus(
    pods: impl Iterator<Item = &NativePod>,
) -> anyhow::Result<RealPrometheus> {
    RealPrometheus::start_with_native_histograms(&configuration(pods)).await
}

/// Judges quantiles of the native or the classic histogram, all by the same condition.
async fn ask(
    serinus: &SerinusProcess,
    is_native: bool,
    quantiles: &[f64],
    condition: &str,
    window: Window,
) -> anyhow::Result<Reply> {
    let mut metrics = serde_json::Map::new();
    let mut checks = Vec::new();
    for (index, quantile) in quantiles.iter().enumerate() {
        let metric = if is_native {
            json!({"quantile": quantile, "histogram": NATIVE_NAME, "native": true})
        } else {
            json!({"quantile": quantile, "histogram": CLASSIC_NAME})
        };
        metrics.insert(format!("q{index}"), metric);
        checks.push(format!("q{index} {condition}"));
    }
    let metrics = Value::Object(metrics);
    let mut pipeline = pipeline_with(&metrics, &json!(checks), STAGE_MINUTES);
    if let Some(analysis) = pipeline.get_mut("analysis") {
        set(
            analysis,
            "interval",
            json!(format!("{}s", INTERVAL_MS / 1_000)),
        );
        // All pods are new, and all that they observe is held against the truth.
        set(analysis, "warm_up", json!("0s"));
    }
    analyse(serinus, &request(&pipeline, Some(window))?).await
}

/// What a report must say, from the observations alone.
#[derive(Debug)]
struct Expected {
    total: f64,
    bracket: (f64, f64),
}

impl Expected {
    fn of(observed: &Observed, quantile: f64) -> Self {
        let count = |bound: f64| -> f64 {
            let below = observed.iter().filter(|(value, _)| *value <= bound);
            below.map(|(_, times)| *times as f64).sum()
        };
        let total = count(f64::INFINITY);
        let bounds = bounds();
        let bracket = bounds
            .iter()
            .zip(bounds.iter().skip(1))
            .find(|(_, upper)| count(**upper) >= quantile * total)
            .map_or((f64::NAN, f64::NAN), |(lower, upper)| (*lower, *upper));
        Self { total, bracket }
    }
}

fn assert_close(report: &Value, path: &str, expected: f64) {
    let found = report.pointer(path).and_then(Value::as_f64);
    let is_close = found.is_some_and(|found| (found - expected).abs() <= 1e-9 * expected);
    assert!(is_close, "{path} of {report} is not {expected}");
}

/// Bounds may differ in their last digit.
fn assert_same_report(native: &Value, classic: &Value) {
    for path in ["/total", "/estimate", "/interval/0", "/interval/1"] {
        let number = |report: &Value| report.pointer(path).and_then(Value::as_f64);
        match number(classic) {
            Some(expected) => assert_close(native, path, expected),
            None => assert_eq!(number(native), None, "{path}: {native} {classic}"),
        }
    }
}

fn assert_same_verdict(native: &Reply, classic: &Reply) {
    for path in ["/verdict", "/reason_code", "/checks/0/outcome"] {
        assert!(!native.text(path).is_empty(), "{path}: {}", native.body);
        assert_eq!(
            native.text(path),
            classic.text(path),
            "{path}: {}",
            native.body
        );
    }
}
