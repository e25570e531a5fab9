//! Reading the control's past from a source that tells it, refuses it, fails, or takes its time.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::http::StatusCode;
use axum::{Form, Router, routing::post};
use serinus_analysis::data::{ControlSplit, Findings, History, HistoryData, MetricData, Purpose};
use serinus_analysis::judge::{NoiseSource, ReasonCode, Verdict, WarningCode, measure_noise};
use serinus_analysis::matchers::Matcher;
use serinus_analysis::pipeline::parse;
use serinus_analysis::series::{ArmCount, DataQuality, PairedCounts, PairedInterval};
use tokio::net::TcpListener;
use tokio::time::timeout;
use tokio_util::task::TaskTracker;

mod budget;
mod guess;
mod incremental;
mod lookups;

use super::*;
use crate::clock::Clock;
use crate::prometheus::{Room, SourceConfig, install_crypto_provider};
use crate::time::SteadyMillis;

/// 20 minutes after a whole hour.
const START_MS: i64 = 1_800_000_000_000 / 3_600_000 * 3_600_000 + 1_200_000;
const SCRAPE_SECONDS: i64 = 15;

#[derive(Debug)]
struct At(i64);

impl Clock for At {
    fn now_ms(&self) -> i64 {
        self.0
    }

    fn steady(&self) -> SteadyMillis {
        SteadyMillis::new(self.0)
    }
}

/// What the source does when it is asked about the time before the stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Past {
    Told,
    Refused,
    Broken,
    Slow,
}

#[derive(Debug)]
struct Upstream {
    past: Mutex<Past>,
    asked_about_the_past: AtomicUsize,
    answered_bytes: AtomicUsize,
    is_down: AtomicBool,
    is_canary_bad: AtomicBool,
    /// Failures among a million requests of the budget's window; nothing when it breaks on them.
    budget_failures: Mutex<Option<u32>>,
}

/// The length of the range of `process_start_time_seconds{..}[1h15m30s]`.
fn range_seconds(query: &str) -> i64 {
    let Some((_, range)) = query.rsplit_once('[') else {
        return 0;
    };
    let range = range.trim_end_matches(']');
    let mut seconds = 0;
    let mut number = 0;
    for character in range.chars() {
        match character {
            'd' => seconds += 86_400 * std::mem::take(&mut number),
            'h' => seconds += 3_600 * std::mem::take(&mut number),
            'm' => seconds += 60 * std::mem::take(&mut number),
            's' => seconds += std::mem::take(&mut number),
            digit => number = 10 * number + i64::from(digit.to_digit(10).unwrap()),
        }
    }
    seconds
}

type Parameters = BTreeMap<String, String>;

fn milliseconds(parameters: &Parameters, name: &str) -> Option<i64> {
    let text = parameters.get(name)?;
    let (whole, rest) = text.split_once('.').unwrap_or((text, "0"));
    let (seconds, rest): (i64, i64) = (whole.parse().ok()?, format!("{rest:0<3}").parse().ok()?);
    Some(seconds * 1_000 + rest)
}

/// The matrix of four pods of the control and one canary, all scraped at the same times: each
/// serves 100 requests from one scrape to the next, of which one or two fail.
fn matrix(query: &str, instants: &[i64], at_each: impl Fn(i64, i64) -> String) -> String {
    let pods = [
        ("stable", "shop-0"),
        ("stable", "shop-1"),
        ("stable", "shop-2"),
        ("stable", "shop-3"),
        ("canary", "shop-new"),
    ];
    let mut series = Vec::new();
    for (index, (track, pod)) in (0..)
        .zip(pods)
        .filter(|(_, (track, _))| query.contains(track))
    {
        let mut values = String::new();
        for at_ms in instants {
            let comma = if values.is_empty() { "" } else { "," };
            let value = at_each(index, *at_ms);
            let _ = write!(values, "{comma}[{},\"{value}\"]", *at_ms as f64 / 1_000.0);
        }
        series.push(format!(
            "{{\"metric\":{{\"instance\":\"{pod}\",\"pod\":\"{pod}\",\"track\":\"{track}\"}},\
             \"values\":[{values}]}}"
        ));
    }
    format!(
        "{{\"status\":\"success\",\"data\":{{\"resultType\":\"matrix\",\"result\":[{}]}}}}",
        series.join(",")
    )
}

impl Upstream {
    async fn start(past: Past) -> (Arc<Self>, String) {
        let upstream = Arc::new(Self {
            past: Mutex::new(past),
            asked_about_the_past: AtomicUsize::new(0),
            answered_bytes: AtomicUsize::new(0),
            is_down: AtomicBool::new(false),
            is_canary_bad: AtomicBool::new(false),
            budget_failures: Mutex::new(Some(0)),
        });
        let answering = Arc::clone(&upstream);
        let handler = move |Form(parameters): Form<Parameters>| {
            let upstream = Arc::clone(&answering);
            async move {
                let answer = upstream.answer(&parameters).await;
                let bytes = answer.1.len();
                upstream.answered_bytes.fetch_add(bytes, Ordering::Relaxed);
                answer
            }
        };
        let router = Router::new()
            .route("/api/v1/query", post(handler.clone()))
            .route("/api/v1/query_range", post(handler));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        TaskTracker::new().spawn(async move { axum::serve(listener, router).await });
        (upstream, url)
    }

    fn set(&self, past: Past) {
        *self.past.lock().unwrap() = past;
    }

    fn asked(&self) -> usize {
        self.asked_about_the_past.load(Ordering::Relaxed)
    }

    async fn answer(&self, parameters: &Parameters) -> (StatusCode, String) {
        let end_ms = milliseconds(parameters, "end")
            .or_else(|| milliseconds(parameters, "time"))
            .unwrap_or(0);
        if self.is_down.load(Ordering::Relaxed) {
            return (StatusCode::INTERNAL_SERVER_ERROR, "no".to_owned());
        }
        let query = parameters.get("query").map_or("", String::as_str);
        if query.contains("count_over_time") {
            // It does not know how often the control was scraped, and the default is used.
            let none =
                "{\"status\":\"success\",\"data\":{\"resultType\":\"vector\",\"result\":[]}}";
            return (StatusCode::OK, none.to_owned());
        }
        if end_ms <= START_MS {
            self.asked_about_the_past.fetch_add(1, Ordering::Relaxed);
            let past = *self.past.lock().unwrap();
            let error = |kind: &str| {
                format!("{{\"status\":\"error\",\"errorType\":\"{kind}\",\"error\":\"no\"}}")
            };
            match past {
                Past::Told => {}
                Past::Refused => return (StatusCode::BAD_REQUEST, error("bad_data")),
                Past::Broken => return (StatusCode::INTERNAL_SERVER_ERROR, error("internal")),
                Past::Slow => tokio::time::sleep(Duration::from_millis(300)).await,
            }
        }
        if query.contains("increase") {
            return budget::answer(query, *self.budget_failures.lock().unwrap());
        }
        let scrape_ms = SCRAPE_SECONDS * 1_000;
        if query.contains("_created") {
            let none =
                "{\"status\":\"success\",\"data\":{\"resultType\":\"matrix\",\"result\":[]}}";
            return (StatusCode::OK, none.to_owned());
        }
        let scrapes: Vec<i64> = (0..range_seconds(query) / SCRAPE_SECONDS)
            .rev()
            .map(|back| end_ms / scrape_ms * scrape_ms - back * scrape_ms)
            .collect();
        if query.contains("process_start") {
            let born = |_, _| "1600000000".to_owned();
            return (StatusCode::OK, matrix(query, &scrapes, born));
        }
        let start_ms = milliseconds(parameters, "start").unwrap_or(end_ms);
        let step_ms = milliseconds(parameters, "step").unwrap_or(scrape_ms).max(1);
        let instants = if query.contains('[') {
            scrapes
        } else {
            let steps = 0..=(end_ms - start_ms) / step_ms;
            steps.map(|step| start_ms + step * step_ms).collect()
        };
        let is_total = query.contains("requests");
        let is_canary_bad = self.is_canary_bad.load(Ordering::Relaxed);
        let count = |pod: i64, at_ms: i64| {
            let scrapes = at_ms / scrape_ms - 100_000_000;
            let times = if is_canary_bad && pod == 4 { 10 } else { 1 };
            let failed = times * (scrapes + (scrapes + pod) / 3);
            (if is_total { 100 * scrapes } else { failed }).to_string()
        };
        (StatusCode::OK, matrix(query, &instants, count))
    }
}

fn engine(url: &str) -> Engine {
    engine_at(url, START_MS + 3_600_000)
}

fn engine_at(url: &str, now_ms: i64) -> Engine {
    install_crypto_provider();
    let config = SourceConfig::new(url.parse().unwrap());
    let sources = Sources::new([("default".to_owned(), config)].into(), None).unwrap();
    Engine::new(Arc::new(At(now_ms)), sources, Room::unlimited())
}

fn pipeline() -> Pipeline {
    let text = "\
metrics:
  error_rate: {errors: http_errors_total, total: http_requests_total}
canary_pipeline:
  only: {traffic_percent: 20, duration_minutes: 30, metrics: [error_rate < baseline * 1.5]}
";
    parse(text, "shop").unwrap()
}

fn input(pipeline: &Pipeline, minutes: i64) -> AnalysisInput<'_> {
    let track = |value: &str| Matchers::from([Matcher::equal("track", value)]);
    AnalysisInput {
        pipeline,
        stage: &pipeline.stages[0],
        populations: Populations {
            control: track("stable"),
            canary: track("canary"),
        },
        start_ms: Some(START_MS),
        end_ms: Some(START_MS + minutes * 60_000),
        source: None,
        purpose: Purpose::Decide,
        stages: Stages::Alone,
        carried: None,
    }
}

/// What a control told before the rollout whose failures come in blocks of so many.
pub(super) fn measured(events: f64) -> History {
    let pipeline = pipeline();
    let interval = |first: usize| {
        let count = |events| ArmCount {
            events,
            exposure: 100.0,
        };
        PairedInterval {
            first,
            length: 1,
            control: count(1.0),
            canary: count(if first.is_multiple_of(2) { events } else { 0.0 }),
        }
    };
    let counts = PairedCounts {
        intervals: (0..480).map(interval).collect(),
        ..PairedCounts::default()
    };
    let data = StageData {
        grid: Grid::covering(0, 14_400_000, 30_000),
        purpose: Purpose::Decide,
        starts_with_stage: true,
        metrics: BTreeMap::from([("error_rate".to_owned(), MetricData::Counts(counts))]),
        source_warnings: BTreeMap::new(),
        source_remarks: BTreeMap::new(),
        pods_before: BTreeMap::new(),
        gauges_before: BTreeMap::new(),
        settled_intervals: 0,
        history: History::default(),
        canary_starts_ms: None,
        error_budget: None,
        findings: Findings::default(),
    };
    let split = ControlSplit {
        canary_targets: 1,
        control_targets: 1,
        canary_share: 0.5,
    };
    let past = HistoryData::new(data, split).unwrap();
    History::Seen(Arc::new(measure_noise(&past, &pipeline.stages[0])))
}

fn noise(analysis: &Analysis) -> Option<NoiseSource> {
    let report = analysis.verdict.checks.first()?;
    report.evidence.as_ref()?.dispersion_from
}

#[tokio::test]
async fn a_history_is_read_once_for_all_polls_of_a_stage() {
    let (upstream, url) = Upstream::start(Past::Told).await;
    let (engine, pipeline) = (engine(&url), pipeline());
    let (first, again, later) = (
        input(&pipeline, 10),
        input(&pipeline, 10),
        input(&pipeline, 12),
    );
    let both = tokio::join!(engine.analyse(&first), engine.analyse(&again));
    let (first, again) = (both.0.unwrap(), both.1.unwrap());
    let later = engine.analyse(&later).await.unwrap();
    assert_eq!(first, again);
    // Two counters and the heartbeats, of twelve pieces.
    assert_eq!(upstream.asked(), 36);
    let History::Seen(past) = &first.data.history else {
        panic!("{:?}", first.data.history);
    };
    assert_eq!(later.data.history, first.data.history);
    assert_eq!(past.intervals_with_data(), 2_880);
    assert_eq!(past.grid().end_ms(), START_MS - 1_200_000);
    let split = past.split();
    assert_eq!((split.canary_targets, split.control_targets), (1, 3));
    assert_eq!(noise(&first), Some(NoiseSource::History));
}

#[tokio::test]
async fn what_the_source_will_never_tell_is_no_history_with_a_warning() {
    let (upstream, url) = Upstream::start(Past::Refused).await;
    let (engine, pipeline) = (engine(&url), pipeline());
    let first = engine.analyse(&input(&pipeline, 10)).await.unwrap();
    let asked = upstream.asked();
    let again = engine.analyse(&input(&pipeline, 10)).await.unwrap();
    assert_eq!(upstream.asked(), asked, "its last word is remembered");
    assert_eq!(first, again);
    assert!(matches!(first.data.history, History::Refused(_)));
    assert_eq!(noise(&first), Some(NoiseSource::Assumed));
    let codes: Vec<_> = first.verdict.warnings.iter().map(|one| one.code).collect();
    assert!(codes.contains(&WarningCode::NoHistory), "{codes:?}");
}

#[tokio::test]
async fn what_the_source_cannot_tell_now_holds_and_is_asked_again() {
    let (upstream, url) = Upstream::start(Past::Broken).await;
    let (engine, pipeline) = (engine(&url), pipeline());
    let held = engine.analyse(&input(&pipeline, 10)).await.unwrap();
    assert_eq!(held.verdict.verdict, Verdict::Hold);
    assert_eq!(held.verdict.reason_code, ReasonCode::SourceFailed);
    upstream.set(Past::Told);
    let judged = engine.analyse(&input(&pipeline, 10)).await.unwrap();
    assert_eq!(noise(&judged), Some(NoiseSource::History));
}

#[tokio::test]
async fn a_caller_that_does_not_wait_finds_the_history_at_the_next_poll() {
    let (upstream, url) = Upstream::start(Past::Slow).await;
    let (engine, pipeline) = (engine(&url), pipeline());
    let input = input(&pipeline, 10);
    let waited = timeout(Duration::from_millis(100), engine.analyse(&input)).await;
    assert!(waited.is_err());
    let judged = engine.analyse(&input).await.unwrap();
    assert_eq!(noise(&judged), Some(NoiseSource::History));
    assert_eq!(upstream.asked(), 36, "the first reading went on");
}

#[test]
fn populations_that_each_metric_tells_apart_itself_need_not_differ_else() {
    let pipeline = |kill_switch: &str| {
        let text = format!(
            "metrics:\n  faults: {{errors: 'f_total{{code=~\"5..\"}}', total: f_total, control: {{service: \
             shop-stable}}, canary: {{service: shop-canary}}}}\ncanary_pipeline:\n  stage_1: \
             {{traffic_percent: 10, duration_minutes: 60, metrics: [faults < baseline * \
             1.1]}}\nkill_switch: [{kill_switch}]\n"
        );
        parse(&text, "test").unwrap()
    };
    let alike = Populations::same(Matchers::from([Matcher::equal("app", "shop")]));
    let checked = |pipeline: &Pipeline| {
        check_populations(&AnalysisInput {
            populations: alike.clone(),
            ..input(pipeline, 10)
        })
    };
    assert_eq!(checked(&pipeline("faults > 50%")), Ok(()));
    // A kill switch that does not needs them.
    let told = checked(&pipeline("error_rate > 50%")).unwrap_err();
    assert!(told.to_string().contains("the same matchers"), "{told}");
}
