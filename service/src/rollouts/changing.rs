//! Changing a rollout: every change is in the store before it is told.

use std::sync::Arc;

use serinus_openapi::rollout::{EventKind, OverrideVerdict};

use super::change::Change;
use super::document::StageId;
use super::judgement::Judgement;
use super::live::{Live, Present};
use super::reason::Reason;
use super::trail::TrailEntry;
use super::transition::{self, End, GoingOn, Overriding, Refused};
use super::{RolloutError, Rollouts, log, recorded};
use crate::store::{Inputs, Recorded, RolloutKey, RolloutState, RolloutUpdate};
use crate::time::UnixMillis;

impl Rollouts {
    /// The caller has moved the traffic to a stage, or to the next one. Says which stages it left.
    ///
    /// # Errors
    ///
    /// [`RolloutError`] when the rollout cannot go there, or not with this start, or nothing could
    /// be recorded.
    pub(crate) async fn advance(
        &self,
        live: &Arc<Live>,
        stage: Option<&str>,
        start: Option<UnixMillis>,
        caused_by: &str,
    ) -> Result<Vec<StageId>, RolloutError> {
        let now = self.now();
        let made = self.change(live, |present| {
            let (document, state) = (&present.document, present.state);
            let going = GoingOn {
                stage,
                start,
                judged_until: present.judged_until(),
                caused_by,
                now,
            };
            transition::advanced(document, state, &live.pipeline, going).map(Some)
        });
        let made = made.await?;
        Ok(made.map_or_else(Vec::new, |change| change.left()))
    }

    /// A human decides.
    ///
    /// # Errors
    ///
    /// [`RolloutError`] when the rollout is over, or nothing could be recorded.
    pub(crate) async fn decide(
        &self,
        live: &Arc<Live>,
        verdict: OverrideVerdict,
        reason: &Reason,
        caused_by: &str,
    ) -> Result<(), RolloutError> {
        let by = Overriding {
            verdict,
            reason: reason.as_str(),
            caused_by,
            now: self.now(),
        };
        let made = self.change(live, |present| {
            transition::overridden(present, &live.pipeline, by).map(Some)
        });
        made.await.map(drop)
    }

    /// The rollout is cancelled, or its caller says that it is over.
    ///
    /// # Errors
    ///
    /// [`RolloutError`] when nothing could be recorded.
    pub(crate) async fn end(
        &self,
        live: &Arc<Live>,
        end: End,
        reason: Option<&str>,
        caused_by: &str,
    ) -> Result<(), RolloutError> {
        let now = self.now();
        let made = self.change(live, |present| {
            Ok(transition::ended(present, end, reason, caused_by, now))
        });
        made.await.map(drop)
    }

    /// Cancels the rollout of a key, if it is open. One that is over stays as it is: a caller says
    /// this after a rollback too, and must not free the key by it.
    ///
    /// # Errors
    ///
    /// [`RolloutError`] when nothing could be read or recorded.
    pub(crate) async fn cancel(
        &self,
        pipeline: &str,
        key: &RolloutKey,
        reason: Option<&str>,
        caused_by: &str,
    ) -> Result<Option<Arc<Live>>, RolloutError> {
        let live = match self.current(pipeline, key).await? {
            Some(live) => Some(live),
            None => self.newest(pipeline, key).await?,
        };
        if let Some(live) = &live {
            let now = self.now();
            self.change(live, |present| {
                let is_open = present.state == RolloutState::Open;
                let ended = || transition::ended(present, End::Cancelled, reason, caused_by, now);
                Ok(is_open.then(ended).flatten())
            })
            .await?;
        }
        Ok(live)
    }

    /// Makes a change of what is remembered, in the store and then in memory. Says which.
    pub(super) async fn change(
        &self,
        live: &Arc<Live>,
        decide: impl Fn(&Present) -> Result<Option<Change>, Refused>,
    ) -> Result<Option<Change>, RolloutError> {
        /// Another process may change it as often as this while one change is made.
        const MOST_TRIES: usize = 5;
        let _writing = live.writing.lock().await;
        for _ in 0..MOST_TRIES {
            let Some(change) = decide(&live.present())? else {
                return Ok(None);
            };
            if self.record(live, &change, None, None).await? {
                live.wake();
                return Ok(Some(change));
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
        judgement: Option<Judgement>,
    ) -> Result<bool, RolloutError> {
        let present = live.present();
        let now = self.now();
        let events = change
            .trail()
            .iter()
            .map(|entry| recorded::event(entry, now))
            .collect();
        let update = RolloutUpdate {
            state: change.state(),
            is_current: change.is_current(),
            updated_ms: now,
            closed_ms: (change.state() != RolloutState::Open).then_some(now),
            document: recorded::document(change.document()),
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
            self.tell_of(live, change.trail());
        }
        Ok(is_done)
    }

    /// Counts and logs what was recorded.
    fn tell_of(&self, live: &Live, trail: &[TrailEntry]) {
        let decided = trail
            .iter()
            .filter(|entry| entry.kind == EventKind::Decided);
        for verdict in decided.filter_map(|entry| entry.verdict) {
            self.metrics.verdict(verdict.into());
        }
        log::tell(live, trail);
    }
}
