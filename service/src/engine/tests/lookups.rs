//! Whether a selector could have found something is asked once in ten minutes of the grid.

use axum::routing::any;
use serinus_analysis::data::SelectorFinding;

use super::*;
use crate::engine::lookups::Lookups;
use crate::prometheus::Source;

/// An index that knows these labels, or fails with a status. Counts the questions.
async fn index(answer: &'static str, status: StatusCode) -> (Arc<AtomicUsize>, Arc<Source>) {
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&asked);
    let labels = any(move || async move {
        counted.fetch_add(1, Ordering::Relaxed);
        (status, answer)
    });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let router = Router::new().route("/api/v1/labels", labels);
    TaskTracker::new().spawn(async move { axum::serve(listener, router).await });
    install_crypto_provider();
    let source = Source::new("main", SourceConfig::new(url.parse().unwrap())).unwrap();
    (asked, Arc::new(source))
}

/// A stage of which neither population has a series of failures, after so many minutes.
fn without_failures(minutes: i64) -> StageData {
    let counts = PairedCounts {
        intervals: Vec::new(),
        quality: DataQuality {
            no_event_series: true,
            control_series: 4,
            canary_series: 1,
            ..DataQuality::default()
        },
        ..PairedCounts::default()
    };
    StageData {
        grid: Grid::covering(START_MS, START_MS + minutes * 60_000, 30_000),
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
    }
}

async fn found(
    lookups: &Lookups,
    source: &Arc<Source>,
    data: &StageData,
) -> Option<SelectorFinding> {
    let text = "\
canary_pipeline:
  only: {traffic_percent: 20, duration_minutes: 30, metrics: [error_rate < 5%]}
";
    let pipeline = parse(text, "shop").unwrap();
    let populations = Populations {
        control: &pipeline.control,
        canary: &pipeline.canary,
    };
    let part = Part::whole(&pipeline, &pipeline.stages[0], populations);
    let asked = Asked {
        sources: Populations::same(source),
        part: &part,
    };
    let room = Room::unlimited();
    let mut found = lookups.find_out(&room, asked, data).await;
    found.remove("error_rate")
}

const LABELS: &str = r#"{"status":"success","data":["__name__","status"]}"#;

#[tokio::test]
async fn polls_of_ten_minutes_share_what_was_found_out() {
    let (asked, source) = index(LABELS, StatusCode::OK).await;
    let lookups = Lookups::default();
    // The grid begins 20 minutes after a whole hour.
    for minutes in [10, 11, 19] {
        let found = found(&lookups, &source, &without_failures(minutes)).await;
        assert!(
            matches!(found, Some(SelectorFinding::MatchesNothing(_))),
            "{found:?}"
        );
    }
    assert_eq!(asked.load(Ordering::Relaxed), 1);
    found(&lookups, &source, &without_failures(20)).await;
    assert_eq!(asked.load(Ordering::Relaxed), 2);
}

#[tokio::test]
async fn a_selector_that_finds_something_is_not_asked_about() {
    let (asked, source) = index(LABELS, StatusCode::OK).await;
    let lookups = Lookups::default();
    let mut data = without_failures(10);
    if let Some(MetricData::Counts(counts)) = data.metrics.get_mut("error_rate") {
        counts.quality.no_event_series = false;
    }
    assert_eq!(found(&lookups, &source, &data).await, None);
    assert_eq!(asked.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn an_index_that_will_not_answer_is_asked_once_and_one_that_cannot_now_again() {
    for (status, questions) in [
        (StatusCode::BAD_REQUEST, 1),
        (StatusCode::INTERNAL_SERVER_ERROR, 2),
    ] {
        let (asked, source) = index("{}", status).await;
        let lookups = Lookups::default();
        for _ in 0..2 {
            let found = found(&lookups, &source, &without_failures(10)).await;
            assert!(
                matches!(found, Some(SelectorFinding::Unknown(_))),
                "{found:?}"
            );
        }
        assert_eq!(asked.load(Ordering::Relaxed), questions, "{status}");
    }
}
