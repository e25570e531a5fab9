//! Prometheus itself is killed, and started again on its data: meanwhile nothing is scraped.

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use futures_util::future::{try_join, try_join_all};
use serde_json::Value;
use serinus_tests::{PodPlan, RealPrometheus, SerinusProcess, TruthFleet, now_ms};

use super::watch::{Subject, Watched};
use super::{AFTER, INTERVAL_MS, JUDGED_WITHIN, TOLD_WITHIN, fault_time, pipeline};

/// From the start of the rollouts to the end of Prometheus: two intervals were judged.
const STOPPED_AFTER: Duration = Duration::from_secs(6);

/// From there to when the bad canary turns bad.
const TURNS_BAD_AFTER: Duration = Duration::from_secs(2);

/// How long Prometheus may take to be ready again, to find its targets, and to scrape so much that
/// the stage is decided: one long interval tells less of the noise than many short ones.
const SCRAPES_AGAIN_WITHIN: Duration = Duration::from_mins(1);

/// How long it takes from the start of Prometheus to its first scrapes, about: it was gone for so
/// much longer than it was down.
const STARTS_WITHIN: Duration = Duration::from_secs(6);

/// How far the counts of two Prometheus may lie apart that scrape the same pods at other times.
const APART: f64 = 0.1;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_prometheus_that_is_killed_and_comes_back_changes_no_verdict() -> anyhow::Result<()> {
    let lasts = fault_time()?.saturating_sub(STARTS_WITHIN);
    let mut fleet = TruthFleet::new(11)?;
    let mut pods = Vec::new();
    for track in ["stable", "stable", "good", "bad"] {
        let plan = PodPlan {
            requests_per_second: (3_800, 4_200),
            ..PodPlan::healthy(track)
        };
        pods.push(fleet.add(plan).await?);
    }
    let bad_pod = *pods.last().context("no pods")?;
    let configuration = fleet.prometheus_configuration();
    let steady = RealPrometheus::start(&configuration).await?;
    let mut stopped = RealPrometheus::start(&configuration).await?;
    // Of each pod by both.
    fleet.wait_for_scrapes(6, Duration::from_secs(40)).await?;
    let sources = format!("steady={},stopped={}", steady.url(), stopped.url());
    let arguments = ["--sources", &sources, "--default-source", "steady"];
    let serinus = SerinusProcess::serve_with_arguments(&arguments).await?;

    let started = Instant::now();
    let start_ms = now_ms().div_euclid(INTERVAL_MS) * INTERVAL_MS;
    let over = started + STOPPED_AFTER + lasts;
    let polls = (over + AFTER, over + SCRAPES_AGAIN_WITHIN + JUDGED_WITHIN);
    let follow = async |source: &str, canary: &str| {
        let subject = Subject {
            pipeline: pipeline(),
            canary: canary.to_owned(),
            source: source.to_owned(),
            start_ms,
        };
        let name = format!("{source}-{canary}");
        let mut watched = subject.start(&serinus, name).await?;
        watched.poll(&serinus, polls).await?;
        anyhow::Ok(watched)
    };
    let rollouts = try_join_all([
        follow("steady", "good"),
        follow("steady", "bad"),
        follow("stopped", "good"),
        follow("stopped", "bad"),
    ]);
    let fault = async {
        tokio::time::sleep_until((started + STOPPED_AFTER).into()).await;
        stopped.stop();
        let from = Instant::now();
        tokio::time::sleep(TURNS_BAD_AFTER).await;
        fleet.set_error_rate(bad_pod, 0.3)?;
        let until = from + lasts;
        tokio::time::sleep_until(until.into()).await;
        stopped.start_again().await?;
        anyhow::Ok((from, until))
    };
    let (time, rollouts) = try_join(fault, rollouts).await?;
    let [steady_good, steady_bad, good, bad] = rollouts.as_slice() else {
        unreachable!("four were followed");
    };

    for one in &rollouts {
        one.report(time);
    }
    let fresh = SerinusProcess::serve_with_arguments(&arguments).await?;
    for (one, steady, verdict) in [
        (good, steady_good, "promote"),
        (bad, steady_bad, "rollback"),
    ] {
        one.holds_for(
            time,
            &["warming_up", "undecided"],
            ("source_unavailable", TOLD_WITHIN),
        )?;
        ensure!(one.verdict()?.0 == verdict, "{}", one.name);
        ensure!(steady.verdict()?.0 == verdict, "{}", steady.name);
        let recorded = one.judged_as_on(&serinus, (&fresh, "stopped")).await?;
        assert_counts_agree(one, &fresh, &recorded).await?;
    }
    Ok(())
}

/// What was counted while nobody scraped is counted all the same, once it was scraped.
#[expect(clippy::print_stdout, reason = "the figures of the proof")]
async fn assert_counts_agree(
    one: &Watched,
    serinus: &SerinusProcess,
    recorded: &Value,
) -> anyhow::Result<()> {
    let end = recorded.pointer("/window/end").context("no window")?;
    let steady = one.subject.analysed(serinus, "steady", end).await?;
    for population in ["control", "canary"] {
        for field in ["events", "total"] {
            let at = format!("/checks/0/{population}/{field}");
            let count = |analysis: &Value| analysis.pointer(&at).and_then(Value::as_f64);
            let (Some(seen), Some(truth)) = (count(recorded), count(&steady)) else {
                continue;
            };
            println!("{} {at}: {seen}, and without the gap {truth}", one.name);
            // Few errors scatter, and at the edges there are more or less of them.
            let apart = APART.max(3.0 / truth.max(1.0).sqrt());
            ensure!(
                (seen / truth - 1.0).abs() < apart,
                "{at}: {seen} and {truth}"
            );
        }
    }
    Ok(())
}
