//! Judging a rollout: read, judge, record, and only then tell.

use std::panic::AssertUnwindSafe;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use futures_util::FutureExt;
use serinus_analysis::data::{FaultCode, Purpose};
use serinus_analysis::judge::Carried;
use serinus_analysis::pipeline::Stage;
use serinus_openapi::analysis::{ReasonCode, RolloutReason, Verdict};

use super::beginning::is_ahead;
use super::course::Known;
use super::document::StageId;
use super::judgement::Judgement;
use super::live::{Live, Present, Watched};
use super::schedule::{RETRY_MS, behind, looked_at, next_due, sealed_end, spread_ms};
use super::transition;
use super::{RolloutError, Rollouts, wording};
use crate::engine::{Analysis, AnalysisInput, Stages};
use crate::packed::pack;
use crate::store::{Inputs, RolloutState};
use crate::time::{SteadyMillis, UnixMillis};
use crate::watched::message_of;
use crate::wire;

/// A judgement that says nothing about the canary: what it is made from is not there.
fn failed(
    live: &Live,
    (stage, started): (&Stage, UnixMillis),
    (end_ms, made_ms): (UnixMillis, UnixMillis),
    code: ReasonCode,
    reason: String,
) -> Judgement {
    Judgement {
        stage: StageId::of(stage),
        started,
        purpose: Purpose::Decide,
        verdict: Verdict::Hold,
        reason_code: code,
        reason,
        progress: wording::progress(&live.pipeline, &StageId::of(stage)),
        end_ms,
        made_ms,
        answer: None,
    }
}

/// What the judgement before has left for the next one.
fn carried_by(live: &Live, present: &Present, stages: &Stages) -> Option<Carried> {
    let Stages::After(before) = stages else {
        return None;
    };
    let kept = live.carried.lock().unwrap_or_else(PoisonError::into_inner);
    kept.as_ref()?.of(present.document.current(), before)
}

/// The judgement that an analysis is.
fn judgement_of(
    input: &AnalysisInput<'_>,
    started: UnixMillis,
    analysis: &Analysis,
    made_ms: UnixMillis,
) -> Judgement {
    let verdict = &analysis.verdict;
    Judgement {
        stage: StageId::of(input.stage),
        started,
        purpose: input.purpose,
        verdict: verdict.verdict.into(),
        reason_code: verdict.reason_code.into(),
        reason: verdict.reason.clone(),
        progress: verdict.progress.clone(),
        end_ms: UnixMillis::new(analysis.grid.end_ms()),
        made_ms,
        answer: Some(Box::new(wire::answer(input, analysis))),
    }
}

/// Holds what was judged and cannot be recorded. It is tried again every few seconds for as long
/// as the store fails, and logged once.
fn hold_unrecorded(live: &Live, error: &RolloutError, now: UnixMillis) {
    let code = ReasonCode::STORE_UNAVAILABLE;
    let present = live.present();
    let known = present.judgement.as_ref().map(|known| &known.reason_code);
    if known != Some(&code) {
        tracing::error!(
            rollout.id = %live.id, error = %error,
            "the rollout {} of {} holds: {error}", live.key, live.pipeline_name
        );
    }
    if let Some(Watched { stage, started, .. }) = present.watched(&live.pipeline) {
        let reason = wording::unrecorded(error);
        let end = sealed_end(&live.pipeline, now);
        live.note(failed(live, (stage, started), (end, now), code, reason));
    }
}

/// Holds what could not be judged because of a mistake in Serinus.
fn hold_unjudged(live: &Live, panic: &str, now: UnixMillis) {
    tracing::error!(
        rollout.id = %live.id, panic,
        "judging the rollout {} of {} panicked, it holds and is judged again: {panic}",
        live.key, live.pipeline_name
    );
    let present = live.present();
    if let Some(Watched { stage, started, .. }) = present.watched(&live.pipeline) {
        let reason = wording::unjudged().to_owned();
        let end = sealed_end(&live.pipeline, now);
        let code = ReasonCode::STILL_COLLECTING;
        live.note(failed(live, (stage, started), (end, now), code, reason));
    }
}

/// That a rollout is being judged. However that ends, by a panic too, it is judged again.
struct Judging<'a> {
    live: &'a Live,
    due: SteadyMillis,
}

impl Drop for Judging<'_> {
    fn drop(&mut self) {
        self.live.judge_at(self.due);
        self.live.is_judging.store(false, Ordering::Release);
    }
}

impl Rollouts {
    /// Judges a rollout if an interval was sealed since it was judged last, or what failed then is
    /// to be tried again. When it returns, what the rollout tells is up to date, or another task
    /// is at it.
    pub(super) async fn judge(&self, live: &Arc<Live>) {
        if live.is_judging.swap(true, Ordering::AcqRel) {
            return;
        }
        let clock = self.engine.clock();
        let mut judging = Judging {
            live,
            due: clock.steady().plus(RETRY_MS),
        };
        let result = AssertUnwindSafe(self.judge_alone(live))
            .catch_unwind()
            .await;
        let now = self.now();
        let has_failed = match result {
            Ok(Ok(has_failed)) => has_failed,
            Ok(Err(error)) => {
                hold_unrecorded(live, &error, now);
                true
            }
            Err(panic) => {
                self.metrics.judgement_panicked();
                hold_unjudged(live, message_of(&*panic), now);
                true
            }
        };
        let wait_ms = next_due(&live.pipeline, now).since(now);
        let wait_ms = if has_failed {
            wait_ms.min(RETRY_MS)
        } else {
            wait_ms.saturating_add(spread_ms(live, self.memory.count(), now))
        };
        judging.due = clock.steady().plus(wait_ms);
        drop(judging);
        // It went on to another stage meanwhile, or was changed by somebody else.
        if let Some(Watched { stage, .. }) = live.present().watched(&live.pipeline)
            && !is_told(&live.present(), stage)
        {
            live.wake();
        }
    }

    /// Judges it, and says whether it is to be tried again soon.
    async fn judge_alone(&self, live: &Arc<Live>) -> Result<bool, RolloutError> {
        self.take_to_this_method(live).await?;
        let present = live.present();
        let Some(watched) = present.watched(&live.pipeline) else {
            return Ok(false);
        };
        let stage = watched.stage;
        let now = self.now();
        let end = sealed_end(&live.pipeline, now);
        let looked_at = looked_at(&live.pipeline, &watched, end);
        let is_up_to_date = present.judgement.as_ref().is_some_and(|judgement| {
            judgement.stage.names(stage)
                && looked_at.is_reached_by(judgement, end)
                && judgement.answer.is_some()
                && !may_be_over_soon(&judgement.reason_code)
        });
        if is_ahead(watched.started, now) {
            return self.begun_ahead(live, (stage, watched.started), now).await;
        }
        if is_up_to_date {
            return Ok(false);
        }
        let stages = match self.before(live, &present, end).await? {
            Known::Before(before) => Stages::After(before),
            Known::Late(fault) => Stages::Unknown(fault),
        };
        let input = AnalysisInput {
            pipeline: &live.pipeline,
            stage,
            populations: live.populations.clone(),
            start_ms: Some(looked_at.start.get()),
            end_ms: looked_at.end.map(UnixMillis::get),
            source: present.document.source.as_deref(),
            purpose: looked_at.purpose,
            carried: carried_by(live, &present, &stages),
            stages,
        };
        let analysis = self.analyse(&input).await;
        let (judgement, inputs) = match analysis {
            Ok(mut analysis) => {
                self.keep(live, &present, &input.stages, analysis.carried.take());
                let judgement = judgement_of(&input, watched.started, &analysis, self.now());
                (judgement, Some(analysis))
            }
            Err(error) => {
                let code = ReasonCode::NO_DATA;
                let times = (end, self.now());
                let watched = (stage, watched.started);
                (failed(live, watched, times, code, error.to_string()), None)
            }
        };
        let has_failed = may_be_over_soon(&judgement.reason_code);
        self.metrics
            .evaluation_lag(behind(&live.pipeline, &judgement));
        self.take_in(live, judgement, inputs).await?;
        Ok(has_failed)
    }

    /// Keeps what this judgement leaves for the next.
    fn keep(&self, live: &Live, present: &Present, stages: &Stages, carried: Option<Carried>) {
        let mut kept = live.carried.lock().unwrap_or_else(PoisonError::into_inner);
        // What was kept makes room first.
        *kept = None;
        if let (Stages::After(before), Some(carried)) = (stages, carried) {
            let record = present.document.current();
            *kept = self.carried.keep(record, before, carried);
        }
    }

    /// Lets a stage begin now that began while the clock was ahead: it would not be judged, nor its
    /// kill switches, until that time has come. It holds where the clock may be behind now instead.
    async fn begun_ahead(
        &self,
        live: &Arc<Live>,
        watched: (&Stage, UnixMillis),
        now: UnixMillis,
    ) -> Result<bool, RolloutError> {
        let _writing = live.writing.lock().await;
        if self.engine.clock().is_confirmed()
            && let Some(change) = transition::begun_ahead(&live.present(), now)
        {
            self.record(live, &change, None, None).await?;
            return Ok(true);
        }
        let reason = wording::begun_ahead(watched.1);
        let times = (sealed_end(&live.pipeline, now), now);
        live.note(failed(live, watched, times, ReasonCode::NO_DATA, reason));
        Ok(true)
    }

    /// The analysis within its time, else a `hold`.
    async fn analyse(
        &self,
        input: &AnalysisInput<'_>,
    ) -> Result<Analysis, crate::engine::AnalysisError> {
        let limit = self.settings.judgement_time;
        match tokio::time::timeout(limit, self.engine.analyse(input)).await {
            Ok(in_time) => in_time,
            Err(_elapsed) => self.engine.still_collecting(input, limit),
        }
    }

    /// Records what is news, then tells it.
    async fn take_in(
        &self,
        live: &Arc<Live>,
        judgement: Judgement,
        analysis: Option<Analysis>,
    ) -> Result<(), RolloutError> {
        let _writing = live.writing.lock().await;
        let present = live.present();
        if present.state != RolloutState::Open {
            return Ok(());
        }
        let news = transition::judged(&present.document, &live.pipeline, &judgement, self.now());
        let Some(change) = news else {
            live.note(judgement);
            return Ok(());
        };
        let inputs = analysis.map(|analysis| {
            pack(&*analysis.data).map(|bytes| Inputs {
                digest: analysis.digest,
                bytes,
            })
        });
        // A decision that cannot be computed again is recorded all the same.
        let inputs = inputs.transpose().unwrap_or_else(|error| {
            tracing::error!(rollout.id = %live.id, error = %error, "cannot keep the inputs: {error}");
            None
        });
        // When another process was first, its record counts, and this one is judged again.
        self.record(live, &change, inputs, Some(judgement)).await?;
        Ok(())
    }

    /// Judges a rollout now and waits for it, but not longer than `wait`: the judgement goes on.
    pub(crate) async fn judge_within(self: &Arc<Self>, live: &Arc<Live>, wait: Duration) {
        let mut changes = live.changes();
        let is_ready = || {
            let present = live.present();
            present
                .watched(&live.pipeline)
                .is_none_or(|watched| is_told(&present, watched.stage))
        };
        if is_ready() {
            return;
        }
        self.begin_judging(live);
        let ready = async {
            while !is_ready() {
                if changes.changed().await.is_err() {
                    return;
                }
            }
        };
        // What is not ready by then is told as still collecting.
        let _ = tokio::time::timeout(wait, ready).await;
    }

    /// Judges every open rollout up to the newest sealed interval, and returns when each was, or
    /// when `patience` is over. For a clock that jumps: the worker looks in real time.
    pub(crate) async fn catch_up(&self, patience: Duration) {
        /// How soon to look again after a judgement that another task makes.
        const LOOK_AGAIN: Duration = Duration::from_millis(5);
        let all = async {
            for live in self.memory.all() {
                while !is_caught_up(&live, self.now()) {
                    self.judge(&live).await;
                    if !is_caught_up(&live, self.now()) {
                        tokio::time::sleep(LOOK_AGAIN).await;
                    }
                }
            }
        };
        // What is not judged by then, the worker judges.
        let _ = tokio::time::timeout(patience, all).await;
    }

    /// Judges a rollout in a task of its own, when it is its turn.
    pub(super) fn begin_judging(self: &Arc<Self>, live: &Arc<Live>) {
        let (rollouts, live) = (Arc::clone(self), Arc::clone(live));
        self.tasks.spawn(async move {
            let present = live.present();
            let named = present.document.source.as_deref();
            let source = named.or(live.pipeline.sources.default.as_deref());
            // Without a name it is the default one, which may also have one: then it has twice the
            // turns.
            let _turn = rollouts.turns.next(source.unwrap_or_default()).await;
            rollouts.judge(&live).await;
        });
    }
}

/// Whether a rollout was judged with all that is sealed, whatever came of it.
fn is_caught_up(live: &Live, now: UnixMillis) -> bool {
    let present = live.present();
    let sealed = sealed_end(&live.pipeline, now);
    let Some(Watched { stage, started, .. }) = present.watched(&live.pipeline) else {
        return true;
    };
    present.judgement.as_ref().is_some_and(|judgement| {
        judgement.stage.names(stage) && (judgement.end_ms >= sealed || sealed <= started)
    })
}

/// Whether the stage was judged, whatever came of it.
fn is_told(present: &Present, stage: &Stage) -> bool {
    present
        .judgement
        .as_ref()
        .is_some_and(|judgement| judgement.stage.names(stage))
}

/// Whether what holds a judgement may be over soon, so that it is judged again before its next
/// interval is over.
fn may_be_over_soon(code: &ReasonCode) -> bool {
    match code {
        ReasonCode::Judge(code) => FaultCode::ALL
            .iter()
            .any(|fault| fault.is_transient() && *code == (*fault).into()),
        ReasonCode::Rollout(reason) => *reason == RolloutReason::StoreUnavailable,
        ReasonCode::Other(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_over_soon_is_judged_again_before_the_next_interval() {
        for fault in FaultCode::ALL.iter().copied() {
            let code = ReasonCode::Judge(fault.into());
            assert_eq!(may_be_over_soon(&code), fault.is_transient(), "{fault:?}");
        }
        // The source's last word, which asking again in five seconds would not change.
        let refused = ReasonCode::Judge(FaultCode::SourceRejectedQuery.into());
        assert!(!may_be_over_soon(&refused));
        let store = ReasonCode::Rollout(RolloutReason::StoreUnavailable);
        assert!(may_be_over_soon(&store));
        assert!(!may_be_over_soon(&ReasonCode::Other("later".to_owned())));
    }
}
