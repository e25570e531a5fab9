//! Three stages, the second of them a shadow stage, end to end as each caller plays them: with a
//! good version, one that is bad in the shadow stage only, and one that is bad in the last; and the
//! same as a dry run, which is never rolled back and says what it would have done.

use std::time::Duration;

use serde_json::{Value, json};
use serinus_tests::callers::Pace;
use serinus_tests::callers::argo::{Phase, Version};
use serinus_tests::callers::{flagger, kargo, spinnaker};
use serinus_tests::{run_command, serinus_binary};

use super::argo_web::{key_of, metric};
use super::bench::Bench;
use super::flagger::{TICK, shipped};
use super::kargo::step_of;
use super::spinnaker_post::stage_at;

const PACE: Pace = Pace::Real(Duration::from_millis(500));

const STAGES: [&str; 3] = ["stage_1", "stage_2", "stage_3"];

/// One version through one pipeline.
#[derive(Debug, Clone, Copy)]
struct Play {
    pipeline: &'static str,
    version: &'static str,
    /// Whether the caller gets through all stages.
    ends_well: bool,
    /// The stage whose true verdict is rollback.
    bad_stage: Option<&'static str>,
}

const fn play(
    pipeline: &'static str,
    version: &'static str,
    ends_well: bool,
    bad_stage: Option<&'static str>,
) -> Play {
    Play {
        pipeline,
        version,
        ends_well,
        bad_stage,
    }
}

const PLAYS: [Play; 6] = [
    play("three", "good", true, None),
    play("three", "bad_in_shadow", true, Some("stage_2")),
    play("three", "bad_in_last", false, Some("stage_3")),
    play("dry_three", "good", true, None),
    play("dry_three", "bad_in_shadow", true, Some("stage_2")),
    play("dry_three", "bad_in_last", true, Some("stage_3")),
];

impl Play {
    /// Holds a rollout that is over against what this play has to come to.
    async fn check(&self, bench: &Bench, key: &str, went_on: bool) -> anyhow::Result<()> {
        let rollout = bench.rollout(self.pipeline, key).await?;
        let trail = bench.trail(&rollout).await?;
        let shown = format!("{self:?}: {} {trail:?}", rollout.body);
        assert_eq!(went_on, self.ends_well, "{shown}");
        let has = |kind: &str| trail.iter().any(|event| event["kind"] == kind);
        assert_eq!(has("promoted"), self.ends_well, "{shown}");
        assert_eq!(has("rolled_back"), !self.ends_well, "{shown}");
        // What was found is in the trail, and whether it acted.
        let found: Vec<(&Value, &Value)> = trail
            .iter()
            .filter(|event| event["verdict"] == "rollback" || event["true_verdict"] == "rollback")
            .map(|event| (&event["stage"], &event["acted"]))
            .collect();
        match self.bad_stage {
            None => assert!(found.is_empty(), "{shown}"),
            Some(stage) if self.ends_well => {
                assert!(found.contains(&(&json!(stage), &json!(false))), "{shown}");
                assert!(found.iter().all(|(at, _)| *at == stage), "{shown}");
            }
            Some(stage) => assert!(found.iter().all(|(at, _)| *at == stage), "{shown}"),
        }
        if self.pipeline == "dry_three" {
            let would = match self.bad_stage {
                None => "it would have been promoted at ".to_owned(),
                Some(stage) => format!("it would have been rolled back in {stage} at "),
            };
            assert!(rollout.text("/gate/reason").contains(&would), "{shown}");
        }
        Ok(())
    }
}

/// All plays at the same time, each with a key of its own; `by` says whether the caller went on.
async fn all(by: impl AsyncFn(&str, Play) -> anyhow::Result<(String, bool)>) -> anyhow::Result<()> {
    let bench = Bench::start().await?;
    let server = bench.serinus.url();
    let one = async |play: Play| -> anyhow::Result<()> {
        let (key, went_on) = by(server, play).await?;
        play.check(&bench, &key, went_on).await
    };
    let [a, b, c, d, e, f] = PLAYS;
    tokio::try_join!(one(a), one(b), one(c), one(d), one(e), one(f))?;
    Ok(())
}

#[tokio::test]
async fn as_argo_rollouts_plays_it() -> anyhow::Result<()> {
    all(async |server, play| {
        let key = key_of(play.version, "1");
        for stage in STAGES {
            let mut metric = metric(server, (play.pipeline, stage), play.version, "1")?;
            let nothing = async |_, _: &mut _| Ok(());
            let run = metric.run(Version::V1_9_1, PACE, nothing).await?;
            if run.phase != Phase::Successful {
                assert_eq!(run.phase, Phase::Failed, "{run:?}");
                return Ok((key, false));
            }
            assert!(
                run.polls() > 1,
                "{stage} is told after its duration: {run:?}"
            );
        }
        Ok((key, true))
    })
    .await
}

#[tokio::test]
async fn as_kargo_plays_it() -> anyhow::Result<()> {
    all(async |server, play| {
        let key = format!("production.{}", play.version);
        for stage in STAGES {
            let mut step = step_of(&key, play.version, server)?;
            let gate = format!("/v1/pipelines/{}/stages/{stage}/gate", play.pipeline);
            step.set(
                "url",
                json!(format!("http://serinus.serinus.svc:8080{gate}")),
            );
            let ended = step.run(PACE).await?;
            if ended.status != kargo::Status::Succeeded {
                return Ok((key, false));
            }
            assert!(
                ended.tries > 1,
                "{stage} is told after its duration: {ended:?}"
            );
        }
        Ok((key, true))
    })
    .await
}

#[tokio::test]
async fn as_spinnaker_plays_it() -> anyhow::Result<()> {
    all(async |server, play| {
        let key = format!("01JD-{}", play.version);
        for stage in STAGES {
            let ended = stage_at((play.pipeline, stage), play.version, &key, server)?
                .run(PACE)
                .await?;
            if ended.status != spinnaker::Status::Succeeded {
                return Ok((key, false));
            }
            assert_eq!(ended.starts, 1, "{ended:?}");
            assert!(
                ended.polls > 1,
                "{stage} is told after its duration: {ended:?}"
            );
        }
        Ok((key, true))
    })
    .await
}

#[tokio::test]
async fn as_the_command_line_plays_it() -> anyhow::Result<()> {
    all(async |server, play| {
        let key = format!("build-{}", play.version);
        let version = format!("version={}", play.version);
        for stage in STAGES {
            let arguments = [
                &["wait", "--server", server, "--pipeline", play.pipeline][..],
                &["--stage", stage, "--key", &key, "--canary", &version],
                &["--poll", "500ms", "--timeout", "1m"],
            ]
            .concat();
            let bound = Duration::from_secs(70);
            let output = run_command(&serinus_binary()?, &arguments, bound).await?;
            if output.code != Some(0) {
                assert_eq!(output.code, Some(1), "{output:?}");
                return Ok((key, false));
            }
        }
        Ok((key, true))
    })
    .await
}

#[tokio::test]
async fn as_flagger_plays_it() -> anyhow::Result<()> {
    all(async |server, play| {
        let mut manifest = shipped(play.pipeline, &[10, 25, 50], play.version)?;
        // A name of its own: another checksum of the same one would supersede it.
        manifest["metadata"]["name"] = json!(play.version);
        let mut canary = flagger::Canary::new(&manifest, "1", server);
        for _ in 0..8 {
            canary.tick().await?;
            if matches!(
                canary.phase,
                flagger::Phase::Succeeded | flagger::Phase::Failed
            ) {
                break;
            }
            tokio::time::sleep(TICK).await;
        }
        let is_over = matches!(
            canary.phase,
            flagger::Phase::Succeeded | flagger::Phase::Failed
        );
        assert!(is_over, "{:?}", canary.calls);
        let key = format!("shop/{}@1", play.version);
        Ok((key, canary.phase == flagger::Phase::Succeeded))
    })
    .await
}
