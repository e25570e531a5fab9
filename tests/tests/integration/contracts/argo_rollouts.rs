//! Whole rollouts as Argo drives them, stage by stage, with the shipped template.

use std::time::Duration;

use serinus_tests::callers::Pace;
use serinus_tests::callers::argo::{Metric, Phase, Run, Version};

use super::argo_web::{key_of, metric, metric_in, populations_of};
use super::bench::{ANOTHER_NAMESPACE, Bench, NAMESPACE, ask};

const PACE: Pace = Pace::Real(Duration::from_millis(500));

/// One stage as an inline step, which begins with its first poll.
async fn step(
    server: &str,
    stage: &str,
    canary: &str,
    before: impl AsyncFnMut(usize, &mut Metric) -> anyhow::Result<()>,
) -> anyhow::Result<Run> {
    let mut metric = metric(server, ("checkout", stage), canary, "1")?;
    metric.run(Version::V1_9_1, PACE, before).await
}

async fn nothing(_number: usize, _metric: &mut Metric) -> anyhow::Result<()> {
    Ok(())
}

fn holds(run: &Run) -> usize {
    let held = |phase: &Phase| *phase == Phase::Inconclusive;
    run.measurements
        .iter()
        .filter(|one| held(&one.phase))
        .count()
}

#[tokio::test]
async fn a_good_rollout_holds_and_passes_every_stage() -> anyhow::Result<()> {
    let bench = Bench::start().await?;
    for stage in ["stage_1", "stage_2"] {
        let run = step(bench.serinus.url(), stage, "good", nothing).await?;
        assert_eq!(run.phase, Phase::Successful, "{run:?}");
        assert!(holds(&run) > 0, "{run:?}");
    }
    assert_eq!(bench.rollouts("checkout").await?, 1);
    let query = format!("key={}", key_of("good", "1"));
    let whole = ask(&bench.serinus, "checkout", "stage_1", &query).await?;
    assert_eq!(whole.text("/verdict"), "promote");
    Ok(())
}

#[tokio::test]
async fn a_bad_rollout_aborts_at_its_first_stage_and_stays_rolled_back() -> anyhow::Result<()> {
    let bench = Bench::start().await?;
    let run = step(bench.serinus.url(), "stage_1", "bad", nothing).await?;
    assert_eq!(run.phase.rollout(), "aborts", "{run:?}");
    // A retry keeps the revision, and so the key: the verdict stands.
    let retried = step(bench.serinus.url(), "stage_1", "bad", nothing).await?;
    assert_eq!((retried.phase, retried.polls()), (Phase::Failed, 1));
    Ok(())
}

/// The pods of the same version have the same hash everywhere, and often the same revision.
#[tokio::test]
async fn the_same_version_in_two_namespaces_is_two_rollouts() -> anyhow::Result<()> {
    let bench = Bench::start_beside_another_namespace().await?;
    let server = bench.serinus.url();
    for (namespace, expected) in [
        (NAMESPACE, Phase::Successful),
        (ANOTHER_NAMESPACE, Phase::Failed),
    ] {
        let mut metric = metric_in(namespace, server, ("checkout", "stage_1"), "good", "1")?;
        let run = metric.run(Version::V1_9_1, PACE, nothing).await?;
        assert_eq!(run.phase, expected, "{namespace}: {run:?}");
    }
    assert_eq!(bench.rollouts("checkout").await?, 2);
    Ok(())
}

#[tokio::test]
async fn a_rollout_goes_on_when_prometheus_comes_back() -> anyhow::Result<()> {
    let mut bench = Bench::start().await?;
    let server = bench.serinus.url().to_owned();
    let prometheus = &mut bench.prometheus;
    let run = step(&server, "stage_1", "good", async |number, _metric| {
        match number {
            2 => prometheus.stop(),
            16 => prometheus.start_again().await?,
            _ => {}
        }
        Ok(())
    })
    .await?;
    assert_eq!(run.phase, Phase::Successful, "{run:?}");
    assert_eq!(holds(&run), run.polls() - 1, "no error: {run:?}");
    assert!(run.polls() >= 16, "{run:?}");
    assert!(
        run.measurements
            .iter()
            .any(|one| one.value.contains("rometheus") || one.value.contains("source")),
        "{run:?}"
    );
    Ok(())
}

#[tokio::test]
async fn a_rollout_goes_on_when_serinus_is_killed_and_started_again() -> anyhow::Result<()> {
    let mut bench = Bench::start().await?;
    let server = bench.serinus.url().to_owned();
    let query = format!("key={}", key_of("good", "1"));
    let first = format!("{query}&{}", populations_of("good"));
    let before = ask(&bench.serinus, "checkout", "stage_1", &first).await?;
    let run = step(&server, "stage_1", "good", async |number, _metric| {
        match number {
            3 => bench.kill(),
            6 => bench.start_again().await?,
            _ => {}
        }
        Ok(())
    })
    .await?;
    assert_eq!(run.phase, Phase::Successful, "{run:?}");
    let errors = run
        .measurements
        .iter()
        .filter(|one| one.phase == Phase::Error);
    assert_eq!(errors.count(), 3, "{run:?}");
    let after = ask(&bench.serinus, "checkout", "stage_1", &query).await?;
    assert_eq!(after.text("/rollout"), before.text("/rollout"));
    Ok(())
}

#[tokio::test]
async fn a_rollout_through_two_replicas_in_turn_is_one_rollout() -> anyhow::Result<()> {
    let bench = Bench::start_shared().await?;
    let other = bench.replica().await?;
    for stage in ["stage_1", "stage_2"] {
        let run = step(
            bench.serinus.url(),
            stage,
            "good",
            async |number, metric| {
                let serinus = if number % 2 == 0 {
                    &other
                } else {
                    &bench.serinus
                };
                metric.ask(serinus.url());
                Ok(())
            },
        )
        .await?;
        assert_eq!(run.phase, Phase::Successful, "{run:?}");
        assert!(holds(&run) > 0, "{run:?}");
    }
    assert_eq!(bench.rollouts("checkout").await?, 1);
    Ok(())
}
