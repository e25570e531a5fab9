//! A caller that names no stage: its steps are counted. Every yes lets the traffic take one step,
//! and the stage of that step is judged next. All that this needs is in the store, so a restart
//! between two calls changes nothing.

use std::sync::Arc;
use std::time::Duration;

use serinus_analysis::matchers::Matchers;
use serinus_analysis::series::Populations;
use serinus_openapi::analysis::Verdict;

use super::Rollouts;
use super::beginning::StartRule;
use super::gate::{GateCall, GateError};
use super::live::{Live, Present};
use super::telling::Told;
use super::transition::{End, stage_after};
use crate::pipelines::Catalogue;
use crate::store::{RolloutKey, RolloutState};

/// How long a yes is repeated: a second call in that time is the same call again, or another hook
/// in the same tick. Flagger's shortest tick is 10 s.
const REPEAT_MS: i64 = 8_000;

/// A call of a caller that counts steps.
#[derive(Debug, Clone)]
pub(crate) struct StepCall<'a> {
    /// The pipeline's name.
    pub pipeline: &'a str,
    /// The rollout's key.
    pub key: &'a RolloutKey,
    /// The stage whose own verdict counts, where one is named: then no step is counted.
    pub named: Option<&'a str>,
    /// The populations, where they are given.
    pub given: &'a Populations<Option<Matchers>>,
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
    fn at_its_stage(live: Arc<Live>, told: Told) -> Self {
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
    fn of_none(stage: &str, told: Told) -> Self {
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
        let unreadable = |error: GateError| {
            let told = error.held()?;
            Ok(StepTold::of_none(call.named.unwrap_or_default(), told))
        };
        let live = match self.current(call.pipeline, call.key).await {
            Ok(live) => live,
            Err(error) => return unreadable(error.into()),
        };
        let stage = match (call.named, &live) {
            (Some(named), _) => named.to_owned(),
            (None, Some(live)) => live.present().document.current().stage().to_string(),
            (None, None) => match first_stage(call.pipeline, pipelines).await {
                Ok(first) => first,
                Err(error) => return unreadable(error),
            },
        };
        let gate_call = GateCall {
            pipeline: call.pipeline,
            stage: &stage,
            key: call.key,
            given: call.given,
            start: None,
            dry_run: false,
            caller: call.caller,
        };
        let is_named = call.named.is_some();
        let (live, told) = match live {
            None => match self.opened(&gate_call, is_named, pipelines, wait).await {
                Ok((live, told)) => (Some(live), told),
                Err(error) => (None, error.held()?),
            },
            Some(live) => {
                let told = if is_named {
                    self.known(&live, &gate_call, wait).await
                } else {
                    self.went_on(&live, &gate_call, wait).await
                };
                (Some(live), told.or_else(GateError::held)?)
            }
        };
        Ok(StepTold { live, stage, told })
    }

    /// The first call with a key. Without a named stage it goes on: at weight 0 there is nothing to
    /// judge, and a hold would wait for ever.
    async fn opened(
        self: &Arc<Self>,
        call: &GateCall<'_>,
        is_named: bool,
        pipelines: &Catalogue,
        wait: Duration,
    ) -> Result<(Arc<Live>, Told), GateError> {
        let (live, told) = self.first(call, pipelines, wait).await?;
        if is_named || told.verdict == Verdict::Rollback {
            return Ok((live, told));
        }
        let told = told.begins_with_this_step(call.stage);
        Ok((live, told))
    }

    /// A call of a rollout that is known: a yes takes it to its next stage.
    async fn went_on(
        self: &Arc<Self>,
        live: &Arc<Live>,
        call: &GateCall<'_>,
        wait: Duration,
    ) -> Result<Told, GateError> {
        live.check_populations(call.given)?;
        let present = live.present();
        if self.is_repeat(&present) {
            let told = present.told(&live.pipeline, None);
            return Ok(told.has_just_begun(present.document.current().stage()));
        }
        self.judge_within(live, wait).await;
        let present = live.present();
        let told = present.told(&live.pipeline, None);
        let goes_on = told.acted_on().0 == Verdict::Promote;
        if goes_on
            && present.state == RolloutState::Open
            && let Some(next) = stage_after(&live.pipeline, present.document.current().stage())
        {
            // By its name: of two calls at the same time only one moves it.
            let start = (None, StartRule::AsGiven);
            self.advance(live, Some(&next.id), start, call.caller)
                .await?;
        }
        Ok(told)
    }

    /// Whether the stage has begun so lately that a call is the one again that began it.
    fn is_repeat(&self, present: &Present) -> bool {
        let began = present.document.current().started();
        present.state == RolloutState::Open && self.now().since(began) < REPEAT_MS
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
                let told = live.present().told(&live.pipeline, None);
                StepTold::at_its_stage(live, told)
            }
            Ok(None) => StepTold::of_none("", Told::nothing_to_roll_back(pipeline)),
            Err(error) => {
                tracing::error!(error = %error, "a rollback hook stays: {error}");
                StepTold::of_none("", Told::unread(&error))
            }
        }
    }

    /// A caller says that its rollout is over: it is closed, so that the same key can be rolled out
    /// again.
    pub(crate) async fn finished(
        &self,
        pipeline: &str,
        key: &RolloutKey,
        reason: &str,
        caller: &str,
    ) -> StepTold {
        let closed = async {
            let live = self.current(pipeline, key).await?;
            if let Some(live) = &live {
                self.end(live, End::Closed, Some(reason), caller).await?;
            }
            Ok::<_, super::RolloutError>(live)
        };
        match closed.await {
            Ok(Some(live)) => {
                let told = live.present().told(&live.pipeline, None);
                StepTold::at_its_stage(live, told)
            }
            Ok(None) => StepTold::of_none("", Told::nothing_to_close(pipeline)),
            Err(error) => {
                tracing::error!(error = %error, "a post-rollout hook closes nothing: {error}");
                StepTold::of_none("", Told::unclosed(&error))
            }
        }
    }
}

async fn first_stage(pipeline: &str, pipelines: &Catalogue) -> Result<String, GateError> {
    let found = pipelines.find(pipeline).await?;
    let found = found.ok_or(GateError::NoPipeline)?;
    let first = found.pipeline.stages.first();
    Ok(first.map_or_else(String::new, |stage| stage.id.clone()))
}
