//! Plays a good and a bad canary through the first pipeline (`pipelines/canary_pipeline.yaml`), as
//! Argo Rollouts would: it moves the traffic, polls the gate of the stage, and does what the gate
//! says.
//!
//! The fleet's clock goes from one interval to the next and stands still meanwhile, until Serinus has
//! judged what was sealed: each rollout is judged on its grid as `serve` does in real time, and the
//! play depends on the seed alone, not on how fast the machine is. Only the hours in which the good
//! version alone is left, and waits for the end of its stage, pass ten minutes at a time.

use std::sync::Arc;
use std::time::Duration;

use serinus_analysis::pipeline::{Pipeline, Stage};
use serinus_fleet::{CHECKOUT, Fleet, FleetError, PAYMENTS, VirtualClock};
use serinus_openapi::analysis::Verdict;
use serinus_openapi::rollout::GateAnswer;

use super::caller::{CallError, Caller, Version};
use super::screen::{Row, Screen, time};
use crate::rollouts::Rollouts;
use crate::terminal::Progress;

/// What is rolled out: a good version and a bad one.
const ROLLED_OUT: [Version; 2] = [
    Version {
        service: CHECKOUT,
        revision: 7,
    },
    Version {
        service: PAYMENTS,
        revision: 4,
    },
];
/// Real time after a line, so that a person can follow.
const PAUSE: Duration = Duration::from_millis(400);
/// Real time that Serinus is given to judge what a step of the clock has sealed.
const JUDGING_TIME: Duration = Duration::from_secs(10);
/// What is younger than the lag is not judged: the polls of a stage come that much later.
const LAG_MS: i64 = MILLISECONDS_PER_MINUTE;
/// How long a stage is watched interval by interval when only one rollout is left.
const YOUNG_MS: i64 = 30 * MILLISECONDS_PER_MINUTE;
/// How far the clock goes then.
const FAR_MS: i64 = 10 * MILLISECONDS_PER_MINUTE;
/// How often the gate is asked, unless told otherwise.
const POLLED_EVERY_MS: i64 = MILLISECONDS_PER_MINUTE;
const MILLISECONDS_PER_MINUTE: i64 = 60_000;

/// Why the play cannot go on.
#[derive(Debug, thiserror::Error)]
pub(super) enum PlayError {
    /// The fleet refuses a share.
    #[error(transparent)]
    Fleet(#[from] FleetError),
    /// Serinus does not answer.
    #[error(transparent)]
    Call(#[from] CallError),
}

/// How a rollout of the demo ended.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Ending {
    /// What was rolled out.
    pub(super) version: Version,
    /// Where its state is; its trail is at `/events` below.
    pub(super) status_url: Option<String>,
    /// The last verdict: a hold when the polls ran out.
    pub(super) verdict: Verdict,
    /// Why.
    pub(super) reason: String,
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
    pub(super) caller: Caller,
    /// What Serinus judges, to wait for it after a step of the clock.
    pub(super) rollouts: Arc<Rollouts>,
    /// How often the gate is asked in the duration of a stage; every minute when not said.
    pub(super) polls_per_stage: Option<u32>,
}

/// One rollout on its way.
struct Rollout {
    version: Version,
    stage: usize,
    started_ms: i64,
    /// How often the gate of the stage was asked.
    polls: i64,
    ending: Option<Ending>,
}

impl Stageplay {
    /// Plays both rollouts to their ends, telling every change of verdict.
    pub(super) async fn play(&self, screen: &mut Screen) -> Result<Vec<Ending>, PlayError> {
        let progress = Progress::new();
        progress.begin("", self.whole_minutes());
        let begun_ms = self.clock.now_ms();
        let mut rollouts = ROLLED_OUT.map(|version| Rollout {
            version,
            stage: 0,
            started_ms: begun_ms,
            polls: 0,
            ending: None,
        });
        for rollout in &rollouts {
            self.move_traffic(rollout)?;
        }
        while rollouts.iter().any(|rollout| rollout.ending.is_none()) {
            let now_ms = self.clock.now_ms();
            let is_due =
                |rollout: &&mut Rollout| rollout.ending.is_none() && self.due_ms(rollout) <= now_ms;
            // A stage that passed is followed by the first poll of the next one at once.
            while let Some(rollout) = rollouts.iter_mut().find(is_due) {
                let row = self.ask_and_act(rollout).await?;
                if let Some(row) = row.filter(|row| screen.is_news(row)) {
                    progress.clear();
                    screen.tell(&row);
                    tokio::time::sleep(PAUSE).await;
                }
            }
            self.clock.advance_to(self.next_ms(&rollouts, now_ms));
            self.rollouts.catch_up(JUDGING_TIME).await;
            progress.announce(format!("{} on the fleet's clock", time(now_ms)));
            progress.reach(minutes(now_ms - begun_ms));
        }
        Ok(rollouts
            .into_iter()
            .filter_map(|rollout| rollout.ending)
            .collect())
    }

    /// What the clock goes to next: one interval on, or further where every stage has long shown what
    /// it must and only its time is left, but not beyond the end of a stage.
    fn next_ms(&self, rollouts: &[Rollout], now_ms: i64) -> i64 {
        let interval_ms = i64::from(self.pipeline.analysis.interval_seconds) * 1_000;
        let open = || rollouts.iter().filter(|rollout| rollout.ending.is_none());
        let is_young = |rollout: &Rollout| now_ms < rollout.started_ms + YOUNG_MS;
        if open().count() > 1 || open().any(is_young) {
            return now_ms + interval_ms;
        }
        let ends = open().filter_map(|rollout| {
            let stage = self.stage_of(rollout)?;
            Some(rollout.started_ms + duration_ms(stage) + LAG_MS)
        });
        let end_ms = ends.filter(|end_ms| *end_ms > now_ms).min();
        let far_ms = now_ms + FAR_MS;
        end_ms.map_or(now_ms + interval_ms, |end_ms| far_ms.min(end_ms))
    }

    /// How long a good canary takes.
    fn whole_minutes(&self) -> u64 {
        let stages = self.pipeline.stages.iter();
        let stages = stages.map(|stage| duration_ms(stage) + LAG_MS);
        minutes(stages.sum())
    }

    fn stage_of(&self, rollout: &Rollout) -> Option<&Stage> {
        self.pipeline.stages.get(rollout.stage)
    }

    /// How often the gate of a stage is asked in its duration.
    fn polls_in(&self, stage: &Stage) -> i64 {
        let every_minute = duration_ms(stage) / POLLED_EVERY_MS;
        self.polls_per_stage.map_or(every_minute, i64::from).max(1)
    }

    /// When the next poll of a rollout is due: the first when the traffic has moved.
    fn due_ms(&self, rollout: &Rollout) -> i64 {
        match self.stage_of(rollout) {
            Some(stage) if rollout.polls > 0 => {
                let part_ms = duration_ms(stage) * rollout.polls / self.polls_in(stage);
                rollout.started_ms + part_ms + LAG_MS
            }
            _ => rollout.started_ms,
        }
    }

    fn move_traffic(&self, rollout: &Rollout) -> Result<(), PlayError> {
        let percent = self
            .stage_of(rollout)
            .map_or(0.0, |stage| stage.traffic_percent);
        Ok(self.fleet.set_share(rollout.version.service, percent)?)
    }

    /// Asks the gate of a rollout's stage and does what it says. The row to tell, if there is one.
    async fn ask_and_act(&self, rollout: &mut Rollout) -> Result<Option<Row<'_>>, PlayError> {
        let Some(stage) = self.stage_of(rollout) else {
            return Ok(None);
        };
        let answer = self.caller.ask(&rollout.version, &stage.id).await?;
        rollout.polls += 1;
        self.act(rollout, stage, &answer)?;
        // The first poll of a stage starts it: there is nothing to tell yet.
        let is_news = rollout.polls != 1 || answer.verdict != Verdict::Hold;
        Ok(is_news.then(|| Row {
            at_ms: self.clock.now_ms(),
            service: rollout.version.service,
            stage,
            verdict: answer.verdict,
            reason_code: answer.reason_code,
            reason: answer.gate.reason,
        }))
    }

    fn act(
        &self,
        rollout: &mut Rollout,
        stage: &Stage,
        answer: &GateAnswer,
    ) -> Result<(), PlayError> {
        // As many as `examples/argo-rollouts/rollout.yaml` counts before the rollout pauses for a
        // human: those of the stage and a fifth more, and the first, which starts the stage.
        let polls = self.polls_in(stage);
        let most_polls = polls + polls / 5 + 1;
        let is_last = rollout.stage + 1 == self.pipeline.stages.len();
        match answer.verdict {
            Verdict::Promote if !is_last => {
                rollout.stage += 1;
                rollout.started_ms = self.clock.now_ms();
                rollout.polls = 0;
                return self.move_traffic(rollout);
            }
            Verdict::Hold if rollout.polls < most_polls => return Ok(()),
            Verdict::Rollback => self.fleet.set_share(rollout.version.service, 0.0)?,
            Verdict::Promote | Verdict::Hold => {}
        }
        rollout.ending = Some(Ending {
            version: rollout.version.clone(),
            status_url: answer.status_url.clone(),
            verdict: answer.verdict,
            reason: answer.gate.reason.clone(),
        });
        Ok(())
    }
}

#[expect(clippy::cast_possible_truncation, reason = "a stage lasts hours")]
fn duration_ms(stage: &Stage) -> i64 {
    (stage.duration_minutes * MILLISECONDS_PER_MINUTE as f64) as i64
}

fn minutes(milliseconds: i64) -> u64 {
    u64::try_from(milliseconds / MILLISECONDS_PER_MINUTE).unwrap_or(0)
}
