//! Changing a rollout: every change is in the store before it is told.

use std::sync::Arc;

use serinus_analysis::matchers::Matchers;
use serinus_openapi::population::Population;
use serinus_openapi::rollout::{EventKind, OverrideVerdict};

use super::document::{Document, StageRecord};
use super::live::{Live, Present};
use super::transition::{self, Change, Refused, TrailEntry};
use super::{NewStart, RolloutError, Rollouts, recorded};
use crate::store::{Inputs, NewRollout, Recorded, RolloutState, RolloutUpdate, Started};

impl Rollouts {
    /// Starts a rollout, or finds the one of this pipeline and key. Says whether it is new.
    ///
    /// # Errors
    ///
    /// [`RolloutError`] when nothing could be recorded.
    pub async fn start(&self, start: &NewStart<'_>) -> Result<(Arc<Live>, bool), RolloutError> {
        let now_ms = self.now_ms();
        let started_ms = start.start_ms.unwrap_or(now_ms);
        let population = |matchers: &Matchers| Population::from(matchers);
        let document = Document {
            pipeline_yaml: start.pipeline_yaml.to_owned(),
            control: population(&start.populations.control),
            canary: population(&start.populations.canary),
            source: start.source.map(str::to_owned),
            dry_run: start.dry_run,
            advance: start.advance,
            stages: vec![StageRecord {
                stage: start.stage.id.clone(),
                started_ms,
                passed_ms: None,
            }],
            decision: None,
        };
        let first = TrailEntry::new(EventKind::Started, &start.stage.id, start.caused_by);
        let started = self
            .store
            .start(NewRollout {
                id: self.next_id(now_ms),
                pipeline: start.pipeline.name.clone(),
                key: start.key.to_owned(),
                created_ms: now_ms,
                document: recorded::document(&document),
                first_event: recorded::event(&first, now_ms),
            })
            .await?;
        let (stored, is_new) = match started {
            Started::Created(stored) => (stored, true),
            Started::Existing(stored) => (stored, false),
        };
        let live = self.memory.adopt(&stored)?;
        if is_new {
            let (pipeline, stage, key) = (&start.pipeline.name, &start.stage.id, start.key);
            tracing::info!(
                rollout.id = %live.id, pipeline.name = pipeline, stage.id = stage,
                rollout.key = key, caused_by = start.caused_by,
                "rollout {key} of {pipeline} started at {stage}"
            );
        }
        Ok((live, is_new))
    }

    /// The caller has moved the traffic to a stage, or to the next one.
    ///
    /// # Errors
    ///
    /// [`RolloutError`] when the rollout cannot go there, or nothing could be recorded.
    pub async fn advance(
        &self,
        live: &Arc<Live>,
        stage: Option<&str>,
        start_ms: Option<i64>,
        caused_by: &str,
    ) -> Result<(), RolloutError> {
        let started_ms = start_ms.unwrap_or_else(|| self.now_ms());
        self.change(live, |present| {
            transition::advanced(
                &present.document,
                present.state,
                &live.pipeline,
                stage,
                caused_by,
                started_ms,
            )
        })
        .await
    }

    /// A human decides.
    ///
    /// # Errors
    ///
    /// [`RolloutError`] when the rollout is over, or nothing could be recorded.
    pub async fn decide(
        &self,
        live: &Arc<Live>,
        verdict: OverrideVerdict,
        reason: &str,
        caused_by: &str,
    ) -> Result<(), RolloutError> {
        let now_ms = self.now_ms();
        self.change(live, |present| {
            transition::overridden(
                &present.document,
                present.state,
                &live.pipeline,
                verdict,
                reason,
                caused_by,
                now_ms,
            )
            .map(Some)
        })
        .await
    }

    /// The rollout is cancelled, or its caller says that it is over.
    ///
    /// # Errors
    ///
    /// [`RolloutError`] when nothing could be recorded.
    pub async fn end(
        &self,
        live: &Arc<Live>,
        end: RolloutState,
        reason: Option<&str>,
        caused_by: &str,
    ) -> Result<(), RolloutError> {
        self.change(live, |present| {
            let (document, is_current) = (&present.document, present.is_current);
            Ok(transition::ended(
                document, is_current, end, reason, caused_by,
            ))
        })
        .await
    }

    /// Makes a change of what is remembered, in the store and then in memory.
    async fn change(
        &self,
        live: &Arc<Live>,
        decide: impl Fn(&Present) -> Result<Option<Change>, Refused>,
    ) -> Result<(), RolloutError> {
        /// Another process may change it as often as this while one change is made.
        const MOST_TRIES: usize = 5;
        let _writing = live.writing.lock().await;
        for _ in 0..MOST_TRIES {
            let Some(change) = decide(&live.present())? else {
                return Ok(());
            };
            if self.record(live, &change, None, None).await? {
                live.wake();
                return Ok(());
            }
        }
        Err(RolloutError::Busy)
    }

    /// Records a change. Says whether it was made; else another process was first, and what it
    /// recorded is taken over.
    pub(super) async fn record(
        &self,
        live: &Arc<Live>,
        change: &Change,
        inputs: Option<Inputs>,
        judgement: Option<transition::Judgement>,
    ) -> Result<bool, RolloutError> {
        let present = live.present();
        let now_ms = self.now_ms();
        let events = change
            .trail
            .iter()
            .map(|entry| recorded::event(entry, now_ms))
            .collect();
        let update = RolloutUpdate {
            state: change.state,
            is_current: change.is_current,
            updated_ms: now_ms,
            closed_ms: (change.state != RolloutState::Open).then_some(now_ms),
            document: recorded::document(&change.document),
        };
        let began_at = tokio::time::Instant::now();
        let recorded = self
            .store
            .record(live.id, present.version, update, events, inputs)
            .await;
        self.metrics
            .store_took("record", began_at.elapsed(), recorded.is_ok());
        let recorded = recorded?;
        let (stored, is_done, judgement) = match recorded {
            Recorded::Done(stored) => (stored, true, judgement),
            Recorded::Conflict(stored) => (stored, false, None),
            Recorded::Unknown => return Err(RolloutError::Busy),
        };
        live.take_over(&stored, judgement)?;
        if !stored.is_current {
            self.memory.release_key(live);
        }
        if is_done {
            for entry in &change.trail {
                if entry.kind == EventKind::Decided
                    && let Some(verdict) = entry.verdict
                {
                    self.metrics.verdict(verdict.into());
                }
                let kind = entry.kind.name();
                let reason = entry.reason.as_deref().unwrap_or_default();
                let (pipeline, key) = (&live.pipeline_name, &live.key);
                tracing::info!(
                    rollout.id = %live.id, pipeline.name = pipeline, rollout.key = key,
                    stage.id = entry.stage, caused_by = entry.caused_by, reason,
                    "rollout {key} of {pipeline} at {}: {kind}", entry.stage
                );
            }
        }
        Ok(is_done)
    }
}
