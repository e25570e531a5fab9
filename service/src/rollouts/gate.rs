//! The gate: one call starts a rollout, moves it to the stage that is asked for, and tells what to
//! do. Every way in that names a stage ends here.

use std::sync::Arc;
use std::time::Duration;

use serinus_analysis::pipeline::Pipeline;
use serinus_analysis::series::Populations;
use serinus_openapi::rollout::AdvanceMode;

use super::document::stage_of;
use super::live::Live;
use super::standing::{Visit, may_start};
use super::start::NewStart;
use super::telling::Told;
use super::{RolloutError, Rollouts, telling};
use crate::engine::Overlay;
use crate::pipelines::{Catalogue, KnownPipeline};
use crate::store::{RolloutKey, RolloutState, StoreError};
use crate::time::UnixMillis;

/// A call of a gate, looked through.
#[derive(Debug, Clone)]
pub(crate) struct GateCall<'a> {
    /// The pipeline's name.
    pub pipeline: &'a str,
    /// What the caller calls the stage.
    pub stage: &'a str,
    /// The rollout's key.
    pub key: &'a RolloutKey,
    /// What the caller lays over the pipeline's populations.
    pub given: &'a Populations<Overlay>,
    /// When the stage began; now when absent.
    pub start: Option<UnixMillis>,
    /// Judge without acting.
    pub dry_run: bool,
    /// Whether the caller is there now, or only looks.
    pub visit: Visit,
    /// Who calls.
    pub caller: &'a str,
}

/// What a gate tells.
#[derive(Debug)]
pub(crate) struct GateTold {
    /// The rollout, where one is known.
    pub live: Option<Arc<Live>>,
    /// What is told of it.
    pub told: Told,
}

/// What keeps a gate from telling a verdict.
#[derive(Debug)]
pub(crate) enum GateError {
    /// No pipeline has this name.
    NoPipeline,
    /// The pipeline has no such stage.
    NoStage {
        /// The pipeline.
        pipeline: Arc<Pipeline>,
        /// What the caller calls the stage.
        stage: String,
    },
    /// No rollout has this key, and a call that only looks starts none at a later stage.
    NoRollout {
        /// What the caller calls the stage.
        stage: String,
    },
    /// The rollout cannot be told or changed.
    Rollout(RolloutError),
}

impl From<RolloutError> for GateError {
    fn from(error: RolloutError) -> Self {
        Self::Rollout(error)
    }
}

impl From<StoreError> for GateError {
    fn from(error: StoreError) -> Self {
        Self::Rollout(error.into())
    }
}

impl GateError {
    /// What is told all the same: a gate holds while nothing can be recorded.
    ///
    /// # Errors
    ///
    /// The error itself when the caller has to change something.
    pub(super) fn held(self) -> Result<Told, Self> {
        match self {
            Self::Rollout(error) if !error.is_callers() => {
                tracing::error!(error = %error, "a gate holds: {error}");
                Ok(Told::unrecorded(&error))
            }
            callers => Err(callers),
        }
    }
}

impl Rollouts {
    /// Asks the gate of a stage. The first call with a key starts the rollout; what else a call
    /// starts or moves, [`standing`](super::standing) says.
    ///
    /// # Errors
    ///
    /// [`GateError`] when the caller has to change something: while nothing can be recorded, it is
    /// told to hold.
    pub(crate) async fn ask(
        self: &Arc<Self>,
        call: &GateCall<'_>,
        pipelines: &Catalogue,
        wait: Duration,
    ) -> Result<GateTold, GateError> {
        let live = match self.current(call.pipeline, call.key).await {
            Ok(Some(live)) if !begins_anew(&live, call) => live,
            Ok(_) => {
                return match self.first(call, pipelines, wait).await {
                    Ok((live, told)) => Ok(GateTold {
                        live: Some(live),
                        told,
                    }),
                    Err(error) => error.held().map(GateTold::of_none),
                };
            }
            Err(error) => {
                // Nothing can be told of it, but that it may be asked for.
                let known = usable_pipeline(call, pipelines).await;
                let error = known.err().unwrap_or(GateError::Rollout(error));
                return error.held().map(GateTold::of_none);
            }
        };
        let told = match self.known(&live, call, wait).await {
            Ok(told) => told,
            Err(error) => {
                let held = error.held()?;
                // What is known of it is told all the same.
                let present = self.told(&live, Some(call.stage));
                Told {
                    progress: present.progress,
                    is_without_acting: present.is_without_acting,
                    ..held
                }
            }
        };
        Ok(GateTold {
            live: Some(live),
            told,
        })
    }

    /// A call of a rollout that is known.
    pub(super) async fn known(
        self: &Arc<Self>,
        live: &Arc<Live>,
        call: &GateCall<'_>,
        wait: Duration,
    ) -> Result<Told, GateError> {
        live.check_populations(call.given)?;
        if stage_of(&live.pipeline, call.stage).is_none() {
            return Err(no_stage(&live.pipeline, call));
        }
        let mut news = None;
        let moves = || live.present().moves(&live.pipeline, call.stage, call.visit);
        if moves() {
            let advanced = self
                .advance(live, Some(call.stage), call.start, call.caller)
                .await;
            match advanced {
                // It was decided or moved while this waited for its turn: the gate tells what it
                // is now.
                Err(RolloutError::Refused(_)) if !moves() => {}
                other => news = telling::news(&other?, call.stage),
            }
        }
        self.judge_within(live, wait).await;
        let told = self.told(live, Some(call.stage));
        Ok(told.with_news(news.as_deref()))
    }

    /// The first call with a key: it starts the rollout.
    pub(super) async fn first(
        self: &Arc<Self>,
        call: &GateCall<'_>,
        pipelines: &Catalogue,
        wait: Duration,
    ) -> Result<(Arc<Live>, Told), GateError> {
        let found = usable_pipeline(call, pipelines).await?;
        let Some((_, stage)) = stage_of(&found.pipeline, call.stage) else {
            return Err(no_stage(&found.pipeline, call));
        };
        if !may_start(&found.pipeline, stage, call.visit) {
            let stage = call.stage.to_owned();
            return Err(GateError::NoRollout { stage });
        }
        let new = NewStart {
            pipeline: &found.pipeline,
            pipeline_yaml: &found.text,
            stage,
            key: call.key,
            given: call.given,
            start: call.start,
            source: None,
            dry_run: call.dry_run,
            advance: AdvanceMode::Caller,
            caused_by: call.caller,
        };
        let (live, is_new) = self.start(&new).await?;
        self.judge_within(&live, wait).await;
        let told = self.told(&live, Some(call.stage));
        let news = is_new.then(|| self.news(&new)).flatten();
        Ok((live, told.with_news(news.as_deref())))
    }
}

impl GateTold {
    /// Of a call that means no rollout that is known.
    fn of_none(told: Told) -> Self {
        Self { live: None, told }
    }
}

/// Whether a call with the key of a rollout that was superseded begins another one.
fn begins_anew(live: &Live, call: &GateCall<'_>) -> bool {
    live.present().state == RolloutState::Superseded && call.visit == Visit::Here
}

fn no_stage(pipeline: &Arc<Pipeline>, call: &GateCall<'_>) -> GateError {
    GateError::NoStage {
        pipeline: Arc::clone(pipeline),
        stage: call.stage.to_owned(),
    }
}

/// The pipeline of a call, if it has the stage.
async fn usable_pipeline(
    call: &GateCall<'_>,
    pipelines: &Catalogue,
) -> Result<KnownPipeline, GateError> {
    let found = pipelines.find(call.pipeline).await?;
    let found = found.ok_or(GateError::NoPipeline)?;
    if stage_of(&found.pipeline, call.stage).is_none() {
        return Err(no_stage(&found.pipeline, call));
    }
    Ok(found)
}
