//! A clock that is set while rollouts are judged. Nobody listens at the source.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serinus_openapi::analysis::timestamp;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::*;
use crate::clock::tests::SetClock;
use crate::clock::{Clock, SharedClock, SystemClock};
use crate::engine::{Engine, Overlay};
use crate::metrics::{Metrics, Scrape};
use crate::prometheus::{Room, SourceConfig, Sources, install_crypto_provider};
use crate::rollouts::{NewStart, Rollouts, Settings};
use crate::store::{Store, StoreUrl, Use};
use crate::time::SteadyMillis;

const NOW_MS: i64 = 1_800_000_000_000;
const HOUR_MS: i64 = 3_600_000;
/// Longer than an interval, and than a judgement is put off.
const AGAIN_MS: i64 = 40_000;

async fn rollouts(clock: SharedClock, metrics: &Arc<Metrics>) -> Arc<Rollouts> {
    install_crypto_provider();
    let config = SourceConfig::new("http://127.0.0.1:1".parse().unwrap());
    let sources = Sources::new([("default".to_owned(), config)].into(), None).unwrap();
    let store = Store::open(&StoreUrl::memory(), Use::Alone).await.unwrap();
    let engine = Arc::new(Engine::new(clock, sources, Room::unlimited()));
    let rollouts = Rollouts::new(store, engine, Settings::default());
    Arc::new(rollouts.with_metrics(Arc::clone(metrics)))
}

async fn begun(rollouts: &Rollouts) -> Arc<Live> {
    let pipeline = pipeline();
    let key = RolloutKey::new("6d4f9.7").unwrap();
    let given = serinus_analysis::series::Populations {
        control: Overlay::default(),
        canary: Overlay::default(),
    };
    let new = NewStart {
        pipeline: &pipeline,
        pipeline_yaml: YAML,
        stage: &pipeline.stages[0],
        key: &key,
        given: &given,
        start: None,
        source: None,
        dry_run: false,
        advance: AdvanceMode::Caller,
        caused_by: "argo",
    };
    rollouts.start(&new).await.unwrap().0
}

/// It stopped for as long as the clock had been set back, and after a moment ahead as well.
#[tokio::test]
async fn judging_goes_on_whatever_the_clock_is_set_to() {
    let clock = Arc::new(SetClock::at(NOW_MS));
    let rollouts = rollouts(Arc::clone(&clock) as SharedClock, &Arc::default()).await;
    let live = begun(&rollouts).await;
    let mut changes = live.changes();
    let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
    tasks.spawn(Arc::clone(&rollouts).work(stop.clone()));
    let waits = || live.due() > clock.steady() && live.due() < SteadyMillis::LATEST;
    let mut judged = async |what: &str| {
        let again = tokio::time::timeout(Duration::from_secs(10), changes.changed());
        again.await.expect(what).unwrap();
        while !waits() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        changes.mark_unchanged();
    };
    judged("the first time").await;
    for jump_ms in [-HOUR_MS, 2 * HOUR_MS, -2 * HOUR_MS, -NOW_MS - HOUR_MS] {
        clock.jump(jump_ms);
        clock.pass(AGAIN_MS);
        judged(&format!("after the clock was set by {jump_ms} ms")).await;
    }
    stop.cancel();
    tasks.close();
    tasks.wait().await;
}

#[test]
fn a_stage_that_began_by_a_clock_that_was_ahead_begins_now() {
    let now = at(HOUR_MS);
    let ahead = |by_ms| {
        let mut document = document(AdvanceMode::Caller);
        document
            .stages
            .begin_again(StageStart::now(now.plus(by_ms)));
        document
    };
    let begun =
        |document: &Document| transition::begun_ahead(&present(document, RolloutState::Open), now);
    let change = begun(&ahead(2 * HOUR_MS)).unwrap();
    assert_eq!(change.document().current().started(), now);
    assert_eq!(kinds(&change), [EventKind::StageStarted]);
    // Callers' clocks differ by seconds.
    assert_eq!(begun(&ahead(20_000)), None);
    let mut passed = ahead(2 * HOUR_MS);
    passed.stages.pass(now, now.plus(HOUR_MS));
    assert_eq!(begun(&passed), None);
}

/// Its intervals had no data when they were looked at, and would not have been looked at again.
#[test]
fn what_was_judged_by_a_clock_that_was_ahead_is_judged_again() {
    let pipeline = pipeline();
    let end = at(90_000);
    let looked = looked_at(&pipeline, &watched(&pipeline, 30_000, false), end);
    let reached = |end_ms| {
        let judgement = Judgement {
            end_ms: at(end_ms),
            ..judgement("one", Verdict::Hold)
        };
        looked.is_reached_by(&judgement, end)
    };
    assert!(reached(90_000));
    assert!(!reached(60_000));
    assert!(!reached(7_200_000));
}

/// A clock that panics once when it is read.
#[derive(Debug, Default)]
struct Broken(AtomicBool);

impl Clock for Broken {
    fn now_ms(&self) -> i64 {
        assert!(!self.0.swap(false, Ordering::Relaxed), "the clock broke");
        SystemClock.now_ms()
    }

    fn steady(&self) -> SteadyMillis {
        SystemClock.steady()
    }
}

#[tokio::test]
async fn a_rollout_whose_judging_panics_holds_and_is_judged_again() {
    let (clock, metrics) = (Arc::new(Broken::default()), Arc::new(Metrics::new()));
    let rollouts = rollouts(Arc::clone(&clock) as SharedClock, &metrics).await;
    let live = begun(&rollouts).await;
    clock.0.store(true, Ordering::Relaxed);
    rollouts.judge(&live).await;
    let told = live.present().told(&live.pipeline, None);
    assert_eq!(told.verdict, Verdict::Hold);
    assert!(
        told.reason.contains("a mistake in Serinus"),
        "{}",
        told.reason
    );
    let figures = metrics.render(&Scrape::default()).unwrap();
    assert!(
        figures.contains("serinus_judgement_panics_total 1"),
        "{figures}"
    );
    rollouts.judge(&live).await;
    let told = live.present().told(&live.pipeline, None);
    assert!(!told.reason.contains("a mistake"), "{}", told.reason);
}

#[test]
fn a_date_before_1970_is_a_date() {
    let id = RolloutId::begun_at(at(-HOUR_MS));
    assert_eq!(id.to_string().len(), 36);
    assert_eq!(
        timestamp(-HOUR_MS).to_rfc3339(),
        "1969-12-31T23:00:00+00:00"
    );
}
