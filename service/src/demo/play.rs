//! Plays a good and a bad canary through the seed's pipeline, as a CD system would: it moves the
//! traffic, asks for a verdict, and does what the verdict says.
//!
//! The fleet's clock stands still while a question is asked and jumps between two questions, so
//! the play depends on the seed alone, not on how fast the machine is.

use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use serde_json::json;
use serinus_analysis::pipeline::{Pipeline, Stage};

use super::table::Table;
use super::{CHECKOUT, Fleet, FleetError, PAYMENTS, VirtualClock};
use crate::clock::Clock;

/// Questions in the duration of a stage.
const POLLS_PER_STAGE: i64 = 6;
/// Real time between two questions, so that a person can follow.
const PAUSE: Duration = Duration::from_millis(120);
/// What is younger than the lag is not judged: the last question of a stage comes that much later.
const LAG_MS: i64 = 60_000;
const MILLISECONDS_PER_MINUTE: f64 = 60_000.0;

/// Why the play cannot go on.
#[derive(Debug, thiserror::Error)]
pub(super) enum PlayError {
    /// The fleet refuses a share.
    #[error(transparent)]
    Fleet(#[from] FleetError),
    /// Serinus does not answer.
    #[error("cannot ask for a verdict: {0}")]
    Ask(#[from] reqwest::Error),
    /// Serinus refuses the question.
    #[error("cannot ask for a verdict: {0}")]
    Refused(String),
}

/// How a rollout of the demo ended.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Ending {
    /// The service.
    pub(super) service: &'static str,
    /// `promote`, `rollback`, or `hold` when its time was over.
    pub(super) verdict: String,
    /// The stage of the last verdict.
    pub(super) stage: String,
    /// The last reason.
    pub(super) reason: String,
    /// The traffic to go back to.
    pub(super) rollback_to_percent: f64,
}

/// The part of an answer that a CD system reads.
#[derive(Debug, Deserialize)]
struct Answer {
    verdict: String,
    gate: Gate,
    rollback_to_percent: f64,
}

#[derive(Debug, Deserialize)]
struct Gate {
    reason: String,
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
}

/// One rollout on its way.
struct Rollout {
    service: &'static str,
    stage: usize,
    started_ms: i64,
    polls: i64,
    ending: Option<Ending>,
}

impl Stageplay {
    /// Plays both rollouts to their ends, telling every change of verdict.
    pub(super) async fn play(&self, table: &mut Table) -> Result<Vec<Ending>, PlayError> {
        let mut rollouts = Vec::new();
        for service in [CHECKOUT, PAYMENTS] {
            let rollout = Rollout {
                service,
                stage: 0,
                started_ms: self.clock.now_ms(),
                polls: 1,
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

    /// When the next question of a rollout is due.
    fn due_ms(&self, rollout: &Rollout) -> i64 {
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
        table.tell(
            self.clock.now_ms(),
            rollout.service,
            stage,
            &answer.verdict,
            &answer.gate.reason,
        );
        rollout.polls += 1;
        let is_last = rollout.stage + 1 == self.pipeline.stages.len();
        let elapsed_minutes =
            (self.clock.now_ms() - rollout.started_ms) as f64 / MILLISECONDS_PER_MINUTE;
        match answer.verdict.as_str() {
            "promote" if !is_last => {
                rollout.stage += 1;
                rollout.started_ms = self.clock.now_ms();
                rollout.polls = 1;
                self.move_traffic(rollout)?;
                return Ok(());
            }
            "hold" if elapsed_minutes < stage.max_duration_minutes => return Ok(()),
            "rollback" => self.fleet.set_share(rollout.service, 0.0)?,
            _ => {}
        }
        rollout.ending = Some(Ending {
            service: rollout.service,
            verdict: answer.verdict,
            stage: stage.id.clone(),
            reason: answer.gate.reason,
            rollback_to_percent: answer.rollback_to_percent,
        });
        Ok(())
    }

    async fn ask(&self, rollout: &Rollout, stage: &Stage) -> Result<Answer, PlayError> {
        let start = chrono::DateTime::from_timestamp_millis(rollout.started_ms);
        let question = json!({
            "pipeline": self.pipeline.name,
            "stage": stage.id,
            "control": {"service": rollout.service, "track": "stable"},
            "canary": {"service": rollout.service, "track": "canary"},
            "start": start.map(|start| start.to_rfc3339()),
        });
        let url = format!("{}/v1/analyses", self.server);
        let response = self.client.post(url).json(&question).send().await?;
        if response.status().is_success() {
            Ok(response.json().await?)
        } else {
            Err(PlayError::Refused(response.text().await?))
        }
    }
}
