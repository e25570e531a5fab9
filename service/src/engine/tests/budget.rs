//! A service that has spent its error budget gets no more traffic moved.

use serinus_analysis::data::{BudgetData, DataFault, FaultCode};
use serinus_analysis::judge::WarningCode;

use super::*;

const STAGES: &str = "\
metrics:
  error_rate: {errors: http_errors_total, total: http_requests_total}
canary_pipeline:
  first: {traffic_percent: 20, duration_minutes: 30, metrics: [error_rate < 5%]}
  all: {traffic_percent: 100, duration_minutes: 30, metrics: [error_rate < 5%]}
";

/// Of a million requests, 50,000 may fail.
const BUDGET: &str = "error_budget: {metric: error_rate, objective: 95%, selector: {app: shop}}\n";

/// What the upstream tells of the budget's window, with a remark that is no warning.
pub(super) fn answer(query: &str, failures: Option<u32>) -> (StatusCode, String) {
    let selector = "{app=\"shop\"}[4w]))";
    let value = match (query, failures) {
        (_, None) => return (StatusCode::INTERNAL_SERVER_ERROR, "no".to_owned()),
        (query, Some(failures)) if query == format!("sum(increase(http_errors_total{selector}") => {
            failures
        }
        (query, Some(_)) if query == format!("sum(increase(http_requests_total{selector}") => {
            1_000_000
        }
        _ => panic!("{query}"),
    };
    let body = format!(
        "{{\"status\":\"success\",\"infos\":[\"PromQL info: metric might not be a counter\"],\
         \"data\":{{\"resultType\":\"vector\",\"result\":[{{\"metric\":{{}},\
         \"value\":[1,\"{value}\"]}}]}}}}"
    );
    (StatusCode::OK, body)
}

async fn judged(upstream: &Upstream, url: &str, failures: Option<u32>) -> Analysis {
    *upstream.budget_failures.lock().unwrap() = failures;
    let pipeline = parse(&format!("{BUDGET}{STAGES}"), "shop").unwrap();
    let analysis = engine(url).analyse(&input(&pipeline, 30)).await;
    analysis.unwrap()
}

fn told(analysis: &Analysis) -> (Verdict, ReasonCode) {
    (analysis.verdict.verdict, analysis.verdict.reason_code)
}

/// The messages of the guard's warnings.
fn warned(analysis: &Analysis) -> Vec<&str> {
    let warnings = analysis.verdict.warnings.iter();
    warnings
        .filter(|one| one.code == WarningCode::ErrorBudget)
        .map(|one| one.message.as_str())
        .collect()
}

#[tokio::test]
async fn a_good_canary_of_a_service_that_has_spent_its_budget_is_held() {
    let (upstream, url) = Upstream::start(Past::Told).await;
    let left = judged(&upstream, &url, Some(10_000)).await;
    assert_eq!(told(&left), (Verdict::Promote, ReasonCode::Passed));
    assert!(warned(&left).is_empty());
    let counts = BudgetData::Counts {
        events: 10_000.0,
        total: 1e6,
    };
    assert_eq!(left.data.error_budget, Some(counts));
    let asked = left
        .queries
        .iter()
        .filter(|one| one.metric == "error budget");
    assert_eq!(asked.count(), 2, "{:?}", left.queries);
    let spent = judged(&upstream, &url, Some(60_000)).await;
    assert_eq!(told(&spent), (Verdict::Hold, ReasonCode::ErrorBudget));
    assert!(
        spent.verdict.reason.contains("-20 %"),
        "{:?}",
        spent.verdict
    );
    assert_eq!(warned(&spent), [spent.verdict.reason.as_str()]);
    assert_ne!(spent.digest, left.digest);
    // What is stored is enough to find the same verdict again.
    let pipeline = parse(&format!("{BUDGET}{STAGES}"), "shop").unwrap();
    let bytes = crate::packed::pack(&*spent.data).unwrap();
    let stored: StageData = crate::packed::unpack(&bytes).unwrap();
    let again = judge(&pipeline, &pipeline.stages[0], &stored);
    assert_eq!(again, spent.verdict);
}

#[tokio::test]
async fn a_bad_canary_is_rolled_back_whatever_is_left() {
    let (upstream, url) = Upstream::start(Past::Told).await;
    upstream.is_canary_bad.store(true, Ordering::Relaxed);
    for failures in [Some(0), Some(60_000), None] {
        let bad = judged(&upstream, &url, failures).await;
        assert_eq!(told(&bad), (Verdict::Rollback, ReasonCode::CheckFailed));
        assert_eq!(warned(&bad).is_empty(), failures == Some(0));
    }
}

#[tokio::test]
async fn a_budget_that_cannot_be_read_holds_with_what_failed() {
    let (upstream, url) = Upstream::start(Past::Told).await;
    let broken = judged(&upstream, &url, None).await;
    assert_eq!(told(&broken), (Verdict::Hold, ReasonCode::SourceFailed));
    let reason = &broken.verdict.reason;
    assert!(
        reason.starts_with("the error budget is not known: "),
        "{reason}"
    );
}

#[tokio::test]
async fn nothing_is_known_before_an_interval_is_over_or_the_data_is_there() {
    let (_upstream, url) = Upstream::start(Past::Told).await;
    let pipeline = parse(&format!("{BUDGET}{STAGES}"), "shop").unwrap();
    let code = |analysis: &Analysis| match &analysis.data.error_budget {
        Some(BudgetData::Fault(DataFault { code, .. })) => Some(*code),
        _ => None,
    };
    let mut just_begun = input(&pipeline, 0);
    just_begun.end_ms = None;
    let early = engine_at(&url, START_MS + 10_000);
    let young = early.analyse(&just_begun).await.unwrap();
    let engine = engine(&url);
    assert_eq!(code(&young), Some(FaultCode::NoData));
    assert_eq!(told(&young), (Verdict::Hold, ReasonCode::WarmingUp));
    let waited = Duration::from_secs(1);
    let late = engine
        .still_collecting(&input(&pipeline, 30), waited)
        .unwrap();
    assert_eq!(code(&late), Some(FaultCode::StillCollecting));
    assert_eq!(told(&late), (Verdict::Hold, ReasonCode::StillCollecting));
}

#[tokio::test]
async fn without_a_budget_nothing_is_asked_for_it() {
    let (upstream, url) = Upstream::start(Past::Told).await;
    *upstream.budget_failures.lock().unwrap() = None;
    let pipeline = parse(STAGES, "shop").unwrap();
    let analysis = engine(&url).analyse(&input(&pipeline, 30)).await.unwrap();
    assert_eq!(told(&analysis), (Verdict::Promote, ReasonCode::Passed));
    assert_eq!(analysis.data.error_budget, None);
}
