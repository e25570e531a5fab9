//! What was read is not read again, and that changes nothing.

use super::*;

/// Ten hours after the stage began.
fn engine_later(url: &str) -> Engine {
    engine_at(url, START_MS + 36_000_000)
}

/// Analyses the stage as of each of some intervals, and returns the bytes answered for each.
async fn bytes_of(
    upstream: &Upstream,
    engine: &Engine,
    pipeline: &Pipeline,
    intervals: std::ops::Range<i64>,
) -> Vec<usize> {
    let mut bytes = Vec::new();
    for interval in intervals {
        let before = upstream.answered_bytes.load(Ordering::Relaxed);
        let mut input = input(pipeline, 0);
        input.end_ms = Some(START_MS + interval * 30_000);
        engine.analyse(&input).await.unwrap();
        bytes.push(upstream.answered_bytes.load(Ordering::Relaxed) - before);
    }
    bytes
}

fn without_history() -> Pipeline {
    let mut pipeline = pipeline();
    pipeline.analysis.history_seconds = None;
    pipeline
}

#[tokio::test]
async fn bytes_read_do_not_grow_with_the_age_of_a_rollout() {
    let (upstream, url) = Upstream::start(Past::Told).await;
    let (engine, pipeline) = (engine_later(&url), without_history());
    let all = bytes_of(&upstream, &engine, &pipeline, 1..521).await;
    // Twenty evaluations are one whole chunk.
    let mean = |from: usize| all[from..from + 20].iter().sum::<usize>() / 20;
    let (young, old) = (mean(20), mean(480));
    println!("bytes for one evaluation after 10 minutes: {young}, after 4 hours: {old}");
    assert!(old.abs_diff(young) * 50 < young, "{young} {old}");
    // A process that knows nothing reads all of it once, and then no more than the others.
    let fresh = engine_later(&url);
    let first = bytes_of(&upstream, &fresh, &pipeline, 480..482).await;
    assert!(first[0] > 5 * young, "{first:?}");
    assert!(first[1] < 2 * young, "{first:?}");
}

#[tokio::test]
async fn who_asked_before_changes_nothing() {
    let (_upstream, url) = Upstream::start(Past::Told).await;
    let pipeline = pipeline();
    let polled = engine_later(&url);
    for minutes in [3, 10, 11, 25, 26, 50, 70, 90] {
        let often = polled.analyse(&input(&pipeline, minutes)).await.unwrap();
        let once = engine_later(&url);
        let once = once.analyse(&input(&pipeline, minutes)).await.unwrap();
        assert_eq!(often, once, "after {minutes} minutes");
        assert!(once.verdict.checks[0].evidence.is_some(), "{once:?}");
    }
}

#[tokio::test]
async fn the_same_question_of_several_rollouts_is_asked_once() {
    let (upstream, url) = Upstream::start(Past::Told).await;
    let (engine, pipeline) = (engine_later(&url), without_history());
    let first = bytes_of(&upstream, &engine, &pipeline, 50..51).await;
    assert!(first[0] > 0);
    let again = bytes_of(&upstream, &engine, &pipeline, 50..51).await;
    assert_eq!(again, [0]);
    let input = input(&pipeline, 40);
    let before = upstream.answered_bytes.load(Ordering::Relaxed);
    let (one, other) = tokio::join!(engine.analyse(&input), engine.analyse(&input));
    let both = upstream.answered_bytes.load(Ordering::Relaxed) - before;
    assert_eq!(one.unwrap(), other.unwrap());
    let alone = engine_later(&url);
    let before = upstream.answered_bytes.load(Ordering::Relaxed);
    alone.analyse(&input).await.unwrap();
    let whole = upstream.answered_bytes.load(Ordering::Relaxed) - before;
    assert!(both <= whole, "{both} {whole}");
}

/// A chunk of which not all was answered is asked for again.
#[tokio::test]
async fn what_failed_is_read_again() {
    let (upstream, url) = Upstream::start(Past::Told).await;
    let (engine, pipeline) = (engine_later(&url), without_history());
    upstream.is_down.store(true, Ordering::Relaxed);
    let held = engine.analyse(&input(&pipeline, 30)).await.unwrap();
    assert_eq!(held.verdict.verdict, Verdict::Hold);
    assert_eq!(held.verdict.reason_code, ReasonCode::SourceFailed);
    upstream.is_down.store(false, Ordering::Relaxed);
    let judged = engine.analyse(&input(&pipeline, 30)).await.unwrap();
    let fresh = engine_later(&url);
    let fresh = fresh.analyse(&input(&pipeline, 30)).await.unwrap();
    assert_eq!(judged, fresh);
    assert_ne!(judged.verdict.reason_code, ReasonCode::SourceFailed);
}
