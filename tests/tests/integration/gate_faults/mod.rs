//! A Prometheus that is down, slow, flapping or that answers garbage for a while: every gate answers
//! in time, holds and says why; afterwards the rollouts go on by themselves, and are judged as if
//! nothing had been.
//!
//! `make test` lets each fault last for seconds, `make prove-faults` for a whole minute.

mod data;
mod lane;
mod past;
mod stopped;
mod watch;

use std::time::Duration;

use anyhow::{Context, ensure};
use futures_util::future::{try_join, try_join_all};
use serde_json::{Value, json};
use serinus_tests::{FaultProxy, ProxyFault, RealPrometheus, SerinusProcess, now_ms};

use tempfile::TempDir;

use self::data::{GOOD, Story};
use self::lane::{Begins, Lane, Plan, SLOW, STAGE, lanes};
use crate::contract::{pipeline_with, set};

/// How long a fault lasts, in seconds, unless the variable says otherwise. More than the time
/// limits of a query (6 s) and of a judgement (7 s) together.
const DEFAULT_SECONDS: u64 = 16;

/// Names the number of seconds.
const SECONDS_VARIABLE: &str = "SERINUS_FAULT_SECONDS";

const INTERVAL_MS: i64 = 2_000;

/// How soon a gate tells of a fault: the next interval, its lag, and asking.
const TOLD_WITHIN: Duration = Duration::from_secs(6);

/// How long a query that is not answered is waited for.
const QUERY_LIMIT: Duration = Duration::from_secs(6);

/// How soon after a fault a rollout that has its data is judged: the query that still hangs, the
/// pause before the next try, and asking.
const JUDGED_WITHIN: Duration = Duration::from_secs(15);

/// How long gates are polled after the fault in any case: they must not go back on a verdict.
const AFTER: Duration = Duration::from_secs(3);

/// Rollouts that nobody polls, on the source that is slow: more than are judged at the same time.
const CROWD: usize = 24;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_gate_holds_in_time_and_goes_on_as_if_nothing_had_been() -> anyhow::Result<()> {
    let lasts = fault_time()?;
    let story = Story::new(now_ms() / 1_000, i64::try_from(lasts.as_secs())? + 60);
    let prometheus = RealPrometheus::start_with_history("", &story.openmetrics()).await?;
    let lanes = lanes(prometheus.url()).await?;
    let crowded = FaultProxy::start(prometheus.url()).await?;
    let (serinus, _folder) = serve(&prometheus, &lanes, &crowded).await?;
    for lane in &lanes {
        if lane.begins == Begins::Before {
            lane.proxy.set(lane.fault).await?;
        }
    }
    crowded.set(ProxyFault::Slow(SLOW)).await?;

    let plan = Plan::new(story, lasts)?;
    let all = try_join_all(lanes.iter().map(|lane| lane.play(&serinus, &plan)));
    let direct = async {
        let of = async |canary: &str| {
            let subject = plan.subject("direct", canary);
            let mut one = subject.start(&serinus, format!("direct-{canary}")).await?;
            one.poll(&serinus, plan.polls()).await?;
            anyhow::Ok(one)
        };
        try_join(of(GOOD), of(&plan.bad)).await
    };
    let crowd = async {
        let starts = (0..CROWD).map(|one| {
            let subject = plan.subject("crowded", GOOD);
            subject.start(&serinus, format!("crowd-{one}"))
        });
        let crowd = try_join_all(starts).await?;
        tokio::time::sleep_until((plan.started + lasts).into()).await;
        crowded.set(ProxyFault::None).await?;
        anyhow::Ok(crowd)
    };
    let (played, ((good, bad), crowd)) = try_join(all, try_join(direct, crowd)).await?;

    for played in &played {
        for one in &played.rollouts {
            one.report((played.from, played.until));
        }
    }
    for (one, verdict) in [(&good, "promote"), (&bad, "rollback")] {
        let (given, at) = one.verdict()?;
        ensure!(given == verdict, "{} was given {given}", one.name);
        let took = at - plan.started;
        ensure!(took < STAGE + TOLD_WITHIN, "{} took {took:?}", one.name);
        one.judged_as_on(&serinus, (&serinus, "direct")).await?;
    }
    for (lane, played) in lanes.iter().zip(&played) {
        for one in &played.rollouts {
            lane.assert_held(played, one)?;
            let direct = if one.subject.canary == GOOD {
                &good
            } else {
                &bad
            };
            plan.assert_went_on(played, one, direct)?;
            lane.assert_judged_alike(&serinus, one, direct).await?;
        }
    }
    for one in &crowd {
        one.judged_as_on(&serinus, (&serinus, "direct")).await?;
    }
    Ok(())
}

fn fault_time() -> anyhow::Result<Duration> {
    let seconds = match std::env::var(SECONDS_VARIABLE) {
        Ok(text) => text.parse().context(SECONDS_VARIABLE)?,
        Err(_) => DEFAULT_SECONDS,
    };
    ensure!(
        seconds >= DEFAULT_SECONDS,
        "{SECONDS_VARIABLE} is too short"
    );
    Ok(Duration::from_secs(seconds))
}

/// Two checks on counts: one absolute, one against the control.
fn pipeline() -> Value {
    let mut pipeline = pipeline_with(
        &json!({"error_rate": {
            "errors": "http_requests_total{code=~\"5..\"}",
            "total": "http_requests_total",
            // The good canary never fails.
            "events_may_be_absent": true,
        }}),
        &json!([
            "error_rate < 5%",
            {"check": "error_rate < baseline * 1.5", "promote_ratio": 2},
        ]),
        0.25,
    );
    let settings = json!({
        // In seconds no evidence over time could be gathered.
        "method": "wilson", "interval": "2s", "lag": "1s", "split_check": "off",
    });
    set(&mut pipeline, "analysis", settings);
    pipeline
}

/// One Serinus that reads every lane, and Prometheus itself. It knows a pipeline for each lane.
async fn serve(
    prometheus: &RealPrometheus,
    lanes: &[Lane],
    crowded: &FaultProxy,
) -> anyhow::Result<(SerinusProcess, TempDir)> {
    let folder = tempfile::tempdir()?;
    let mut sources = vec![
        format!("direct={}", prometheus.url()),
        format!("crowded={}", crowded.url()),
    ];
    for lane in lanes {
        sources.push(format!("{}={}", lane.source, lane.proxy.url()));
        let file = folder.path().join(format!("{}.yaml", lane.source));
        std::fs::write(file, lane.pipeline().to_string())?;
    }
    let pipelines = folder.path().display().to_string();
    let serinus = SerinusProcess::serve_with_arguments(&[
        "--sources",
        &sources.join(","),
        "--default-source",
        "direct",
        "--pipelines",
        &pipelines,
        "--rate-limit-per-second",
        "0",
    ])
    .await?;
    Ok((serinus, folder))
}
