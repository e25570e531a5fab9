//! Each caller at the second stage, of a key that nobody knows, and after a first stage that a
//! person skipped: it goes on, and what was not judged is never said to have passed.

use std::time::Duration;

use serde_json::json;
use serinus_tests::callers::Pace;
use serinus_tests::callers::argo::{Phase, Version};
use serinus_tests::callers::flagger;
use serinus_tests::callers::kargo;
use serinus_tests::callers::spinnaker;
use serinus_tests::{run_command, serinus_binary};

use super::argo_web::{key_of, metric, populations_of};
use super::bench::{Bench, ask, stages};
use super::flagger::{TICK, canary};
use super::kargo::step_of;
use super::spinnaker_post::stage_at;

const PACE: Pace = Pace::Real(Duration::from_millis(500));

/// A pipeline whose first stage lasts for an hour.
const PIPELINE: &str = "slow_first";

/// What plays a stage of the pipeline with a key.
enum Caller {
    Argo,
    Kargo,
    Spinnaker,
    CommandLine,
}

impl Caller {
    /// The key of its rollout; Argo makes its own of the hash and the revision.
    fn key(&self, revision: &str) -> String {
        match self {
            Self::Argo => key_of("good", revision),
            Self::Kargo => format!("production.{revision}"),
            Self::Spinnaker => format!("01JD-{revision}"),
            Self::CommandLine => format!("build-{revision}"),
        }
    }

    /// Plays the second stage to its end, as shipped; whether the caller goes on.
    async fn second_stage(&self, server: &str, revision: &str) -> anyhow::Result<bool> {
        let key = self.key(revision);
        Ok(match self {
            Self::Argo => {
                let mut metric = metric(server, (PIPELINE, "stage_2"), "good", revision)?;
                let nothing = async |_, _: &mut _| Ok(());
                let run = metric.run(Version::V1_9_1, PACE, nothing).await?;
                run.phase == Phase::Successful
            }
            Self::Kargo => {
                let mut step = step_of(&key, "good", server)?;
                let gate = format!("/v1/pipelines/{PIPELINE}/stages/stage_2/gate");
                step.set(
                    "url",
                    json!(format!("http://serinus.serinus.svc:8080{gate}")),
                );
                step.run(PACE).await?.status == kargo::Status::Succeeded
            }
            Self::Spinnaker => {
                let ended = stage_at((PIPELINE, "stage_2"), "good", &key, server)?
                    .run(PACE)
                    .await?;
                ended.status == spinnaker::Status::Succeeded
            }
            Self::CommandLine => {
                let arguments = [
                    &["wait", "--server", server, "--pipeline", PIPELINE][..],
                    &["--stage", "stage_2", "--key", &key, "--poll", "500ms"],
                    &["--canary", "version=good", "--timeout", "1m"],
                ]
                .concat();
                let bound = Duration::from_secs(70);
                let output = run_command(&serinus_binary()?, &arguments, bound).await?;
                output.code == Some(0)
            }
        })
    }
}

const CALLERS: [Caller; 4] = [
    Caller::Argo,
    Caller::Kargo,
    Caller::Spinnaker,
    Caller::CommandLine,
];

/// The rollout went through its second stage alone, and says so.
async fn assert_first_was_left(bench: &Bench, key: &str) -> anyhow::Result<()> {
    let rollout = bench.rollout(PIPELINE, key).await?;
    assert_eq!(rollout.text("/state"), "promoted", "{}", rollout.body);
    assert_eq!(
        stages(&rollout),
        [("stage_1", "left"), ("stage_2", "passed")],
        "{}",
        rollout.body
    );
    let told = ask(&bench.serinus, PIPELINE, "stage_2", &format!("key={key}")).await?;
    assert_eq!(
        told.text("/progress"),
        "1 of 2 stages passed; left: stage_1",
        "{}",
        told.body
    );
    Ok(())
}

#[tokio::test]
async fn a_key_that_nobody_knows_begins_at_the_stage_that_is_asked() -> anyhow::Result<()> {
    let bench = Bench::start().await?;
    for caller in CALLERS {
        let key = caller.key("1");
        assert!(
            caller.second_stage(bench.serinus.url(), "1").await?,
            "{key}"
        );
        assert_first_was_left(&bench, &key).await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_first_stage_that_a_person_skipped_is_left() -> anyhow::Result<()> {
    let bench = Bench::start().await?;
    for caller in CALLERS {
        let key = caller.key("2");
        let populations = match caller {
            Caller::Argo => populations_of("good"),
            _ => "canary.version=good".to_owned(),
        };
        let first = format!("key={key}&{populations}");
        let held = ask(&bench.serinus, PIPELINE, "stage_1", &first).await?;
        assert_eq!(held.text("/verdict"), "hold", "{}", held.body);
        // What only looks moves nothing.
        let looked = ask(&bench.serinus, PIPELINE, "stage_2", &first).await?;
        assert_eq!(
            (looked.text("/verdict"), looked.text("/reason_code")),
            ("hold", "not_reached"),
            "{}",
            looked.body
        );
        assert!(
            caller.second_stage(bench.serinus.url(), "2").await?,
            "{key}"
        );
        assert_first_was_left(&bench, &key).await?;
        let left = ask(&bench.serinus, PIPELINE, "stage_1", &first).await?;
        assert_eq!(
            (left.text("/verdict"), left.text("/reason_code")),
            ("hold", "left"),
            "{}",
            left.body
        );
    }
    Ok(())
}

/// Flagger names no stage: its events tell a weight, which may be that of a later stage.
#[tokio::test]
async fn a_weight_of_a_later_stage_leaves_those_before_it() -> anyhow::Result<()> {
    let bench = Bench::start().await?;
    let mut canary = canary(bench.serinus.url(), PIPELINE, &[50], "good")?;
    for _ in 0..5 {
        canary.tick().await?;
        if canary.phase == flagger::Phase::Succeeded {
            break;
        }
        tokio::time::sleep(TICK).await;
    }
    assert_eq!(
        canary.phase,
        flagger::Phase::Succeeded,
        "{:?}",
        canary.calls
    );
    let rollout = bench.rollout(PIPELINE, "shop/checkout@good").await?;
    assert_eq!(
        stages(&rollout),
        [("stage_1", "left"), ("stage_2", "passed")],
        "{}",
        rollout.body
    );
    Ok(())
}
