//! Rollouts: one canary going through one pipeline, judged on the grid whether or not anyone asks.
//!
//! The store holds what is remembered; this keeps it in memory for the polls. Everything that an
//! answer may not contradict later (a stage that passed, a rollback) is in the store before it is
//! told. A judgement is a pure function of the data on the grid, so that a lost process, a lost
//! cache or another replica gives the same one.

mod acting;
mod beginning;
mod carrying;
mod change;
mod changing;
mod course;
mod document;
mod gate;
mod hearing;
mod judgement;
mod judging;
mod live;
mod log;
mod memory;
mod reason;
mod recorded;
mod schedule;
#[cfg(test)]
mod shape;
mod standing;
mod start;
mod steps;
mod telling;
#[cfg(test)]
mod tests;
mod trail;
mod transition;
mod unknown;
mod weight;
mod wording;
mod worker;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

pub(crate) use course::before_stage;
pub(crate) use document::{Document, StageRecord};
pub(crate) use gate::{GateCall, GateError, GateTold};
pub(crate) use hearing::Event;
pub(crate) use live::{Live, Present, Unreadable};
use memory::Memory;
pub(crate) use reason::{InvalidReason, Reason};
pub(crate) use recorded::read_event;
use serinus_openapi::analysis::Verdict;
pub(crate) use standing::Visit;
pub(crate) use start::NewStart;
pub(crate) use steps::{Family, StepCall, StepTold};
pub(crate) use telling::Told;
use tokio_util::task::TaskTracker;
pub(crate) use transition::{End, Refused};

use crate::engine::{AnalysisError, Engine};
use crate::metrics::{GateGauge, Metrics};
use crate::store::{
    Filter, Page, RolloutId, RolloutKey, RolloutState, Store, StoreError, StoredRollout,
};
use crate::time::UnixMillis;
use crate::turns::Turns;

/// How the rollouts are judged and kept.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Settings {
    /// Longest time that one judgement may take, waiting for Prometheus included.
    pub judgement_time: Duration,
    /// Most judgements of one source at the same time.
    pub concurrent_judgements: usize,
    /// Whether other processes use the same store: then every poll looks whether it changed.
    pub is_store_shared: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            judgement_time: Duration::from_secs(7),
            concurrent_judgements: 16,
            is_store_shared: false,
        }
    }
}

/// Why a rollout cannot be told or changed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RolloutError {
    /// The store cannot be used now.
    #[error("{0}")]
    Store(#[from] StoreError),
    /// What it holds cannot be read.
    #[error("{0}")]
    Unreadable(#[from] Unreadable),
    /// It cannot be changed as it was asked for.
    #[error("{0}")]
    Refused(#[from] Refused),
    /// It can never be judged as it was asked for.
    #[error("{0}")]
    Impossible(#[from] AnalysisError),
    /// A rollout with this key has other populations.
    #[error("{0}")]
    PopulationsDiffer(String),
    /// It changes faster than this change could be made.
    #[error("the rollout was changed by another process at the same time: ask again")]
    Busy,
}

impl RolloutError {
    /// Whether the caller has to change something.
    pub(crate) fn is_callers(&self) -> bool {
        match self {
            Self::Impossible(_) | Self::Refused(_) | Self::PopulationsDiffer(_) => true,
            Self::Store(_) | Self::Unreadable(_) | Self::Busy => false,
        }
    }
}

/// All rollouts.
#[derive(Debug)]
pub(crate) struct Rollouts {
    store: Store,
    engine: Arc<Engine>,
    settings: Settings,
    memory: Memory,
    turns: Turns,
    carried: carrying::Room,
    tasks: TaskTracker,
    metrics: Arc<Metrics>,
    /// The ids of the first rollouts that are started here.
    first_ids: Mutex<VecDeque<RolloutId>>,
}

impl Rollouts {
    /// Returns the rollouts of a store. Those that are open are judged when the worker runs.
    pub(crate) fn new(store: Store, engine: Arc<Engine>, settings: Settings) -> Self {
        let turns = Turns::new(settings.concurrent_judgements);
        Self {
            store,
            engine,
            settings,
            memory: Memory::default(),
            turns,
            carried: carrying::Room::default(),
            tasks: TaskTracker::new(),
            metrics: Arc::new(Metrics::new()),
            first_ids: Mutex::default(),
        }
    }

    /// Gives the first rollouts that are started here these ids, so that they can be named before:
    /// for a store that begins empty. Later ones get new ones.
    #[must_use]
    pub(crate) fn with_first_ids(mut self, ids: impl IntoIterator<Item = RolloutId>) -> Self {
        self.first_ids = Mutex::new(ids.into_iter().collect());
        self
    }

    /// Counts into these figures, which others count into as well.
    #[must_use]
    pub(crate) fn with_metrics(mut self, metrics: Arc<Metrics>) -> Self {
        self.metrics = metrics;
        self
    }

    /// The store.
    pub(crate) fn store(&self) -> &Store {
        &self.store
    }

    /// Whether other processes use the same store.
    pub(crate) fn is_store_shared(&self) -> bool {
        self.settings.is_store_shared
    }

    fn next_id(&self, now: UnixMillis) -> RolloutId {
        let mut first = self
            .first_ids
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        first
            .pop_front()
            .unwrap_or_else(|| RolloutId::begun_at(now))
    }

    fn now(&self) -> UnixMillis {
        self.engine.clock().now()
    }

    /// Finds the rollout that a call with this key means.
    ///
    /// # Errors
    ///
    /// [`RolloutError`] when the store cannot be asked.
    pub(crate) async fn current(
        &self,
        pipeline: &str,
        key: &RolloutKey,
    ) -> Result<Option<Arc<Live>>, RolloutError> {
        if let Some(live) = self.memory.current(pipeline, key) {
            self.refresh(&live).await?;
            if live.present().is_current {
                return Ok(Some(live));
            }
        }
        match self.store.current(pipeline, key).await? {
            Some(stored) => Ok(Some(self.memory.adopt(&stored)?)),
            None => Ok(None),
        }
    }

    /// The newest rollout that had a key, also one that the key no longer means.
    ///
    /// # Errors
    ///
    /// [`RolloutError`] when the store cannot be asked.
    async fn newest(
        &self,
        pipeline: &str,
        key: &RolloutKey,
    ) -> Result<Option<Arc<Live>>, RolloutError> {
        let filter = Filter {
            pipeline: Some(pipeline.to_owned()),
            key: Some(key.to_string()),
            ..Filter::default()
        };
        let first = Page {
            limit: 1,
            after: None,
        };
        let found = self.store.list(&filter, first).await?;
        match found.rollouts.first() {
            Some(stored) => self.by_id(stored.id).await,
            None => Ok(None),
        }
    }

    /// Finds a rollout by its id.
    ///
    /// # Errors
    ///
    /// [`RolloutError`] when the store cannot be asked.
    pub(crate) async fn by_id(&self, id: RolloutId) -> Result<Option<Arc<Live>>, RolloutError> {
        if let Some(live) = self.memory.by_id(id) {
            self.refresh(&live).await?;
            return Ok(Some(live));
        }
        match self.store.rollout(id).await? {
            Some(stored) => Ok(Some(self.memory.adopt(&stored)?)),
            None => Ok(None),
        }
    }

    /// One that a list of the store holds, with what was judged of it here. A list brings none into
    /// memory.
    ///
    /// # Errors
    ///
    /// [`RolloutError::Unreadable`] for a document of another version.
    pub(crate) fn listed(&self, stored: &StoredRollout) -> Result<Arc<Live>, RolloutError> {
        match self.memory.by_id(stored.id) {
            Some(live) if live.present().version == stored.version => Ok(live),
            _ => Ok(Arc::new(Live::read(stored)?)),
        }
    }

    /// What is told of a rollout now, or of one stage of it.
    fn told(&self, live: &Live, stage: Option<&str>) -> Told {
        self.told_by(&live.present(), live, stage)
    }

    /// What is told by what is known of a rollout. By a store that is lost nothing but a rollback that
    /// was recorded: that is true whatever becomes of the store, and the rest may be contradicted by
    /// the next process.
    pub(crate) fn told_by(&self, present: &Present, live: &Live, stage: Option<&str>) -> Told {
        let told = present.told(&live.pipeline, stage);
        let doubt = match told.verdict {
            Verdict::Rollback => None,
            Verdict::Promote => self.doubt(),
            Verdict::Hold => self.store.loss().map(|loss| loss.to_string()),
        };
        match doubt {
            Some(doubt) => told.lost(&doubt),
            None => told.with_news(self.forgotten(present, live).as_deref()),
        }
    }

    /// What may have been forgotten of an open rollout: it was there before the store was parted from
    /// what was recorded last, which may have been that it was rolled back.
    fn forgotten(&self, present: &Present, live: &Live) -> Option<String> {
        let is_open = present.state == RolloutState::Open;
        let parted = is_open.then(|| self.store.parted(self.now())).flatten()?;
        (live.created_ms < parted.since).then(|| parted.to_string())
    }

    /// Why the store does not bear out a promotion now.
    fn doubt(&self) -> Option<String> {
        if let Err(loss) = self.store.look() {
            return Some(loss.to_string());
        }
        if !self.store.was_changed() {
            return None;
        }
        let store = self.store.clone();
        // What comes of it is told by the next look.
        self.tasks.spawn(async move { store.check().await });
        Some("another program wrote into the file of the store, which is looked through now".into())
    }

    /// Looks whether another process has changed it.
    async fn refresh(&self, live: &Live) -> Result<(), RolloutError> {
        if !self.settings.is_store_shared {
            return Ok(());
        }
        if let Some(stored) = self.store.rollout(live.id).await?
            && stored.version != live.present().version
        {
            let _writing = live.writing.lock().await;
            // While this waited, the change may have been taken over.
            if stored.version > live.present().version {
                live.take_over(&stored, None)?;
                live.wake();
            }
        }
        Ok(())
    }

    /// What the gates of open rollouts would answer, and of those that ended within the last hour.
    pub(crate) fn gauges(&self) -> Vec<GateGauge> {
        const SHOWN_AFTER_MS: i64 = 3_600_000;
        let since = self.now().minus(SHOWN_AFTER_MS);
        let shown = |live: &Arc<Live>| {
            let present = live.present();
            let is_recent = present.state == RolloutState::Open || present.updated_ms >= since;
            if !is_recent || !present.is_current {
                return None;
            }
            let stage = present.document.current().stage().to_string();
            let verdict = self.told(live, None).verdict;
            let judgement = present.judgement.as_ref();
            let at = judgement.map_or(present.updated_ms, |judgement| judgement.made_ms);
            Some(GateGauge {
                pipeline: live.pipeline_name.clone(),
                stage,
                key: live.key.to_string(),
                verdict: verdict.into(),
                evaluated_at_seconds: at.get() as f64 / 1e3,
            })
        };
        self.memory.all().iter().filter_map(shown).collect()
    }
}
