//! A caller whose steps are counted: every yes lets the traffic take one step, and the stage of that
//! step is judged next. All that this needs is in the store, so a restart between two calls changes
//! nothing. Source: docs/design/callers.md, "Flagger".

use std::sync::Arc;
use std::time::Duration;

use serinus_analysis::pipeline::Pipeline;
use serinus_analysis::series::Populations;
use serinus_openapi::analysis::{ReasonCode, Verdict};

use super::change::Change;
use super::gate::{GateCall, GateError};
use super::live::Live;
use super::standing::Visit;
use super::telling::Told;
use super::transition::{End, GoingOn};
use super::weight::{self, Allowed};
use super::{RolloutError, Rollouts};
use crate::engine::Overlay;
use crate::pipelines::Catalogue;
use crate::store::{RolloutKey, RolloutState};

/// How long a rollout that was promoted still answers its caller: who asks later has begun anew, with
/// a version that was rolled out before.
const STILL_THE_SAME_MS: i64 = 10 * 60 * 1_000;

/// How often that is recorded.
const SAID_AGAIN_MS: i64 = 60 * 1_000;

/// What the keys of all rollouts of one caller's canary begin with.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Family<'a>(pub(crate) &'a str);

/// A call of a caller that counts steps.
#[derive(Debug, Clone)]
pub(crate) struct StepCall<'a> {
    /// The pipeline's name.
    pub pipeline: &'a str,
    /// The rollout's key.
    pub key: &'a RolloutKey,
    /// What its canary's keys begin with.
    pub family: Family<'a>,
    /// The stage that is told, where one is named.
    pub named: Option<&'a str>,
    /// What the caller lays over the pipeline's populations.
    pub given: &'a Populations<Overlay>,
    /// Who calls.
    pub caller: &'a str,
}

/// What such a caller is told.
#[derive(Debug)]
pub(crate) struct StepTold {
    /// The rollout, where one is known.
    pub live: Option<Arc<Live>>,
    /// The stage that it is about.
    pub stage: String,
    /// What is told of it.
    pub told: Told,
}

impl StepTold {
    /// Of the stage that a rollout is at.
    pub(super) fn at_its_stage(live: Arc<Live>, told: Told) -> Self {
        let stage = live.present().document.current().stage().to_string();
        Self {
            live: Some(live),
            stage,
            told,
        }
    }

    /// Of a call that cannot be read.
    pub(crate) fn unread(told: Told) -> Self {
        Self::of_none("", told)
    }

    /// Of no rollout that is known.
    pub(super) fn of_none(stage: &str, told: Told) -> Self {
        Self {
            live: None,
            stage: stage.to_owned(),
            told,
        }
    }
}

impl Rollouts {
    /// Asks whether the traffic may take a step.
    ///
    /// # Errors
    ///
    /// [`GateError`] when the caller has to change something: while nothing can be recorded, it is
    /// told to hold.
    pub(crate) async fn step(
        self: &Arc<Self>,
        call: &StepCall<'_>,
        pipelines: &Catalogue,
        wait: Duration,
    ) -> Result<StepTold, GateError> {
        let (live, stage) = match self.found(call, pipelines, Place::First).await {
            Ok(found) => found,
            Err(error) => return Ok(StepTold::of_none("", error.held()?)),
        };
        let gate_call = call.of_gate(&stage);
        let (live, told) = match live {
            None => match self.allowed_first(&gate_call, pipelines, wait).await {
                Ok((live, told)) => (Some(live), told),
                Err(error) => (None, error.held()?),
            },
            Some(live) => {
                let told = self.went_on(&live, &gate_call, wait).await;
                let told = told.or_else(GateError::held)?;
                // The call may have begun the next stage.
                return Ok(StepTold::at_its_stage(live, told));
            }
        };
        Ok(StepTold { live, stage, told })
    }

    /// Asks whether all of the traffic may go to the canary: what the last stage tells, or the one
    /// that is named. A key that is not known is opened and told to hold: without a step of the
    /// traffic before, a yes would send all of it to a canary that nobody has judged.
    ///
    /// # Errors
    ///
    /// As [`step`](Self::step).
    pub(crate) async fn asks_for_all(
        self: &Arc<Self>,
        call: &StepCall<'_>,
        pipelines: &Catalogue,
        wait: Duration,
    ) -> Result<StepTold, GateError> {
        let (live, stage) = match self.found(call, pipelines, Place::Last).await {
            Ok(found) => found,
            Err(error) => return Ok(StepTold::of_none("", error.held()?)),
        };
        let gate_call = call.of_gate(&stage);
        let (live, told) = match live {
            None => match self.first(&gate_call, pipelines, wait).await {
                Ok((live, told)) if told.verdict == Verdict::Promote => {
                    let told = told.stays(format!("{stage} has only just begun"));
                    (Some(live), told)
                }
                Ok((live, told)) => (Some(live), told),
                Err(error) => (None, error.held()?),
            },
            Some(live) => {
                let look = GateCall {
                    visit: Visit::Look,
                    ..gate_call
                };
                let told = self.known(&live, &look, wait).await;
                (Some(live), told.or_else(GateError::held)?)
            }
        };
        Ok(StepTold { live, stage, told })
    }

    pub(super) fn going_on<'a>(&self, caused_by: &'a str) -> GoingOn<'a> {
        GoingOn {
            stage: None,
            start: None,
            judged_until: None,
            caused_by,
            now: self.now(),
        }
    }

    /// The rollout that a call means, if it goes on with one, and the stage that it is about.
    async fn found(
        &self,
        call: &StepCall<'_>,
        pipelines: &Catalogue,
        place: Place,
    ) -> Result<(Option<Arc<Live>>, String), GateError> {
        self.supersede(
            call.pipeline,
            call.family,
            Some(call.key),
            call.key,
            call.caller,
        )
        .await?;
        let mut live = self.current(call.pipeline, call.key).await?;
        if let Some(known) = &live {
            if self.is_another_attempt(known) {
                let reason = Some("the same version is rolled out again");
                self.end(known, End::Closed, reason, call.caller).await?;
                live = None;
            } else {
                self.is_asked(known).await?;
            }
        }
        if let Some(named) = call.named {
            return Ok((live, named.to_owned()));
        }
        let stage = match (&live, place) {
            (Some(live), Place::First) => live.present().document.current().stage().to_string(),
            (Some(live), Place::Last) => place.of(&live.pipeline),
            (None, _) => {
                let found = pipelines.find(call.pipeline).await?;
                place.of(&found.ok_or(GateError::NoPipeline)?.pipeline)
            }
        };
        Ok((live, stage))
    }

    /// Whether a call with the key of a rollout that is over begins another one.
    fn is_another_attempt(&self, live: &Live) -> bool {
        let present = live.present();
        match present.state {
            RolloutState::Open | RolloutState::RolledBack => false,
            RolloutState::Superseded | RolloutState::Cancelled | RolloutState::Closed => true,
            RolloutState::Promoted => self.now().since(present.updated_ms) >= STILL_THE_SAME_MS,
        }
    }

    /// Remembers that a rollout that was promoted is still asked about, for every process.
    async fn is_asked(&self, live: &Arc<Live>) -> Result<(), RolloutError> {
        let now = self.now();
        let made = self.change(live, |present| {
            let is_new = present.state == RolloutState::Promoted
                && now.since(present.updated_ms) >= SAID_AGAIN_MS;
            Ok(is_new.then(|| Change::unchanged(present)))
        });
        made.await.map(drop)
    }

    /// The first call with a key: at weight 0 there is nothing to judge, and a hold would wait for
    /// ever.
    async fn allowed_first(
        self: &Arc<Self>,
        call: &GateCall<'_>,
        pipelines: &Catalogue,
        wait: Duration,
    ) -> Result<(Arc<Live>, Told), GateError> {
        let (live, told) = self.first(call, pipelines, wait).await?;
        if told.verdict == Verdict::Rollback {
            return Ok((live, told));
        }
        let told = told.may_go(format!(
            "{} begins with this step of the traffic",
            call.stage
        ));
        self.allow(&live).await?;
        Ok((live, told))
    }

    /// A call of a rollout that is known.
    async fn went_on(
        self: &Arc<Self>,
        live: &Arc<Live>,
        call: &GateCall<'_>,
        wait: Duration,
    ) -> Result<Told, GateError> {
        live.check_populations(call.given)?;
        self.judge_within(live, wait).await;
        let present = live.present();
        if present.state != RolloutState::Open {
            return Ok(self.told(live, None));
        }
        match weight::allowed(&present.document, self.now()) {
            Allowed::Awaited => {
                let told = self.told(live, None);
                if told.reason_code == ReasonCode::STORE_UNAVAILABLE {
                    // What was found cannot be recorded: but it was found.
                    return Ok(told);
                }
                let stage = present.document.current().stage();
                return Ok(told.may_go(format!(
                    "the step that {stage} allows was not told to be taken yet"
                )));
            }
            Allowed::Guessed => {
                let going = self.going_on(call.caller);
                self.change(live, |present| {
                    let is_so = present.state == RolloutState::Open
                        && weight::allowed(&present.document, going.now) == Allowed::Guessed;
                    is_so
                        .then(|| weight::guessed(&present.document, &live.pipeline, going))
                        .transpose()
                })
                .await?;
                self.judge_within(live, wait).await;
            }
            Allowed::Nothing => {}
        }
        let told = self.told(live, None);
        if told.verdict == Verdict::Promote {
            self.allow(live).await?;
        }
        Ok(told)
    }

    /// Remembers that the traffic may take a step.
    async fn allow(&self, live: &Arc<Live>) -> Result<(), RolloutError> {
        let now = self.now();
        let made = self.change(live, |present| {
            let is_new =
                present.state == RolloutState::Open && present.document.steps.allowed_ms.is_none();
            Ok(is_new.then(|| weight::given(&present.document, now)))
        });
        made.await.map(drop)
    }

    /// Asks whether to roll back now. It never opens a rollout.
    pub(crate) async fn asks_to_roll_back(
        self: &Arc<Self>,
        pipeline: &str,
        key: &RolloutKey,
        wait: Duration,
    ) -> StepTold {
        match self.current(pipeline, key).await {
            Ok(Some(live)) => {
                self.judge_within(&live, wait).await;
                let told = self.told(&live, None);
                StepTold::at_its_stage(live, told)
            }
            Ok(None) => StepTold::of_none("", Told::nothing_to_roll_back(pipeline)),
            Err(error) => {
                tracing::error!(error = %error, "a rollback hook stays: {error}");
                StepTold::of_none("", Told::unread(&error))
            }
        }
    }
}

/// Which stage a call is about that names none.
#[derive(Debug, Clone, Copy)]
enum Place {
    /// The one that it is at; of a new rollout the first.
    First,
    /// The last.
    Last,
}

impl Place {
    /// The stage of a pipeline.
    fn of(self, pipeline: &Pipeline) -> String {
        let stage = match self {
            Self::First => pipeline.stages.first(),
            Self::Last => pipeline.stages.last(),
        };
        stage.map_or_else(String::new, |stage| stage.id.clone())
    }
}

impl StepCall<'_> {
    fn of_gate<'a>(&'a self, stage: &'a str) -> GateCall<'a> {
        GateCall {
            pipeline: self.pipeline,
            stage,
            key: self.key,
            given: self.given,
            start: None,
            dry_run: false,
            visit: Visit::Here,
            caller: self.caller,
        }
    }
}
