//! Plays a good and a bad canary through the first pipeline (`pipelines/canary_pipeline.yaml`), as
//! Argo Rollouts would: it moves the traffic, polls the gate of the stage with the body of
//! `examples/argo-rollouts`, and does what the gate says.
//!
//! The fleet's clock stands still while the gate is asked and jumps between two polls, so the play
//! depends on the seed alone, not on how fast the machine is.

use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};
use serinus_analysis::pipeline::{Pipeline, Stage};
use serinus_analysis::simulate::Track;
use serinus_fleet::{
    CHECKOUT, Fleet, FleetError, PAYMENTS, TEMPLATE_HASH_LABEL, VirtualClock, template_hash,
};

use super::table::{Row, Table};
use crate::rollouts::Rollouts;

/// The services that roll out a new version, with the revision that Argo counts.
const ROLLED_OUT: [(&str, u32); 2] = [(CHECKOUT, 7), (PAYMENTS, 4)];
/// Polls in the duration of a stage. Argo's template polls every 30 s, which is too often to watch
/// two days pass.
const POLLS_PER_STAGE: i64 = 6;
/// Polls before the rollout pauses for a human: those of the stage and a fifth more, as
/// `examples/argo-rollouts/rollout.yaml` counts them, and the first, which starts the stage.
const MOST_POLLS: i64 = POLLS_PER_STAGE + POLLS_PER_STAGE.div_euclid(5) + 1;
/// Real time between two polls, so that a person can follow.
const PAUSE: Duration = Duration::from_millis(100);
/// Real time that Serinus is given to judge what a jump of the clock has sealed.
const JUDGING_TIME: Duration = Duration::from_secs(10);
/// What is younger than the lag is not judged: the last poll of a stage comes that much later.
const LAG_MS: i64 = 60_000;
const MILLISECONDS_PER_MINUTE: f64 = 60_000.0;

/// Why the play cannot go on.
#[derive(Debug, thiserror::Error)]
pub(super) enum PlayError {
    /// The fleet refuses a share.
    #[error(transparent)]
    Fleet(#[from] FleetError),
    /// Serinus does not answer.
    #[error("cannot ask the gate: {0}")]
    Ask(#[from] reqwest::Error),
    /// Serinus refuses the question.
    #[error("cannot ask the gate: {0}")]
    Refused(String),
}

/// How a rollout of the demo ended.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Ending {
    /// The service.
    pub(super) service: &'static str,
    /// The rollout's key.
    pub(super) key: String,
    /// Where its state is; its trail is at `/events` below.
    pub(super) status_url: String,
    /// `promote`, `rollback`, or `hold` when the polls ran out.
    pub(super) verdict: String,
    /// The stage of the last verdict.
    pub(super) stage: String,
    /// The last reason.
    pub(super) reason: String,
    /// The traffic to go back to.
    pub(super) rollback_to_percent: f64,
}

/// What the gate answers, as far as Argo and this play read it.
#[derive(Debug, Deserialize)]
struct Answer {
    gate: Gate,
    reason_code: String,
    /// Absent while the store cannot be reached.
    #[serde(default)]
    status_url: String,
}

#[derive(Debug, Deserialize)]
struct Gate {
    verdict: String,
    reason: String,
}

/// The part of a rollout's state that the summary tells.
#[derive(Debug, Deserialize)]
struct State {
    rollback_to_percent: f64,
}

/// Everything that a play needs.
pub(super) struct Stageplay {
    /// The fleet whose traffic is moved.
    pub(super) fleet: Arc<Fleet>,
    /// Its clock.
    pub(super) clock: Arc<VirtualClock>,
    /// The pipeline.
    pub(super) pipeline: Pipeline,
    /// Asks Serinus.
    pub(super) client: reqwest::Client,
    /// Where Serinus answers: `http://127.0.0.1:8080`.
    pub(super) server: String,
    /// What Serinus judges, to wait for it after a jump of the clock.
    pub(super) rollouts: Arc<Rollouts>,
}

/// One rollout on its way.
struct Rollout {
    service: &'static str,
    /// `{pod-template hash}.{revision}`: what Argo calls it.
    key: String,
    stage: usize,
    started_ms: i64,
    /// How often the gate of the stage was asked.
    polls: i64,
    ending: Option<Ending>,
}

impl Stageplay {
    /// Plays both rollouts to their ends, telling every change of verdict.
    pub(super) async fn play(&self, table: &mut Table) -> Result<Vec<Ending>, PlayError> {
        let mut rollouts = Vec::new();
        for (service, revision) in ROLLED_OUT {
            let rollout = Rollout {
                service,
                key: format!("{}.{revision}", template_hash(service, Track::Canary)),
                stage: 0,
                started_ms: self.clock.now_ms(),
                polls: 0,
                ending: None,
            };
            self.move_traffic(&rollout)?;
            rollouts.push(rollout);
        }
        while let Some(rollout) = rollouts
            .iter_mut()
            .filter(|rollout| rollout.ending.is_none())
            .min_by_key(|rollout| self.due_ms(rollout))
        {
            self.clock.advance_to(self.due_ms(rollout));
            self.rollouts.catch_up(JUDGING_TIME).await;
            self.ask_and_act(rollout, table).await?;
            tokio::time::sleep(PAUSE).await;
        }
        Ok(rollouts
            .into_iter()
            .filter_map(|rollout| rollout.ending)
            .collect())
    }

    fn stage_of(&self, rollout: &Rollout) -> Option<&Stage> {
        self.pipeline.stages.get(rollout.stage)
    }

    /// When the next poll of a rollout is due: the first when the traffic has moved.
    fn due_ms(&self, rollout: &Rollout) -> i64 {
        if rollout.polls == 0 {
            return rollout.started_ms;
        }
        let minutes = self
            .stage_of(rollout)
            .map_or(0.0, |stage| stage.duration_minutes);
        #[expect(clippy::cast_possible_truncation, reason = "a stage lasts hours")]
        let duration_ms = (minutes * MILLISECONDS_PER_MINUTE) as i64;
        rollout.started_ms + duration_ms * rollout.polls / POLLS_PER_STAGE + LAG_MS
    }

    fn move_traffic(&self, rollout: &Rollout) -> Result<(), PlayError> {
        let percent = self
            .stage_of(rollout)
            .map_or(0.0, |stage| stage.traffic_percent);
        Ok(self.fleet.set_share(rollout.service, percent)?)
    }

    async fn ask_and_act(&self, rollout: &mut Rollout, table: &mut Table) -> Result<(), PlayError> {
        let Some(stage) = self.stage_of(rollout) else {
            return Ok(());
        };
        let answer = self.ask(rollout, stage).await?;
        let Gate { verdict, reason } = answer.gate;
        // The first poll of a stage starts it: there is nothing to tell yet.
        if rollout.polls > 0 || verdict != "hold" {
            table.tell(&Row {
                at_ms: self.clock.now_ms(),
                service: rollout.service,
                stage,
                verdict: &verdict,
                reason_code: &answer.reason_code,
                reason: &reason,
            });
        }
        rollout.polls += 1;
        let is_last = rollout.stage + 1 == self.pipeline.stages.len();
        match verdict.as_str() {
            "promote" if !is_last => {
                rollout.stage += 1;
                rollout.started_ms = self.clock.now_ms();
                rollout.polls = 0;
                return self.move_traffic(rollout);
            }
            "hold" if rollout.polls < MOST_POLLS => return Ok(()),
            "rollback" => self.fleet.set_share(rollout.service, 0.0)?,
            _ => {}
        }
        let state: State = read(self.client.get(&answer.status_url)).await?;
        rollout.ending = Some(Ending {
            service: rollout.service,
            key: rollout.key.clone(),
            status_url: answer.status_url,
            verdict,
            stage: stage.id.clone(),
            reason,
            rollback_to_percent: state.rollback_to_percent,
        });
        Ok(())
    }

    /// Asks the gate of a stage as `examples/argo-rollouts/analysis-template.yaml` does.
    async fn ask(&self, rollout: &Rollout, stage: &Stage) -> Result<Answer, PlayError> {
        let population =
            |track| json!({ TEMPLATE_HASH_LABEL: template_hash(rollout.service, track) });
        let body: Value = json!({
            "key": rollout.key,
            "control": population(Track::Stable),
            "canary": population(Track::Canary),
        });
        let url = format!(
            "{}/v1/pipelines/{}/stages/{}/gate",
            self.server, self.pipeline.name, stage.id
        );
        read(self.client.post(url).json(&body)).await
    }
}

/// Sends a request and reads its answer.
async fn read<T: serde::de::DeserializeOwned>(
    request: reqwest::RequestBuilder,
) -> Result<T, PlayError> {
    let response = request.send().await?;
    if response.status().is_success() {
        Ok(response.json().await?)
    } else {
        Err(PlayError::Refused(response.text().await?))
    }
}
