//! Rollouts: one canary going through one pipeline, judged on the grid whether or not anyone asks.
//!
//! The store holds what is remembered; this keeps it in memory for the polls. Everything that an
//! answer may not contradict later (a stage that passed, a rollback) is in the store before it is
//! told. A judgement is a pure function of the data on the grid, so that a lost process, a lost
//! cache or another replica gives the same one.

mod document;
mod judging;
mod live;
mod recorded;
#[cfg(test)]
mod tests;
mod transition;
mod turns;
mod worker;

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

pub use document::Document;
pub use live::{Live, Present, Told, Unreadable};
pub use recorded::read_event;
use serinus_analysis::matchers::Matchers;
use serinus_analysis::pipeline::{Pipeline, Stage};
use serinus_analysis::series::Populations;
use serinus_openapi::population::Population;
use serinus_openapi::rollout::{AdvanceMode, EventKind, OverrideVerdict};
use tokio_util::task::TaskTracker;
use transition::{Change, TrailEntry};
pub use transition::{JUDGE, Refused};
use turns::Turns;
use uuid::{NoContext, Timestamp, Uuid};

use crate::engine::{AnalysisError, AnalysisInput, Engine};
use crate::metrics::{GateGauge, Metrics};
use crate::store::{NewRollout, Recorded, RolloutState, RolloutUpdate, Started, Store, StoreError};
use document::StageRecord;

/// Most rollouts that are over which are kept in memory.
const MOST_OVER_IN_MEMORY: usize = 10_000;

/// How the rollouts are judged and kept.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
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
pub enum RolloutError {
    /// The store cannot be used now.
    #[error("{0}")]
    Store(#[from] StoreError),
    /// What it holds cannot be read.
    #[error("{0}")]
    Unreadable(#[from] Unreadable),
    /// It cannot be changed as it was asked for.
    #[error("{0}")]
    Refused(#[from] Refused),
    /// A rollout with this key has other populations.
    #[error("{0}")]
    PopulationsDiffer(String),
    /// It changes faster than this change could be made.
    #[error("the rollout was changed by another process at the same time: ask again")]
    Busy,
}

/// A rollout to start.
#[derive(Debug, Clone)]
pub struct NewStart<'a> {
    /// The pipeline.
    pub pipeline: &'a Pipeline,
    /// Its text.
    pub pipeline_yaml: &'a str,
    /// The stage to begin with.
    pub stage: &'a Stage,
    /// The rollout's key.
    pub key: &'a str,
    /// The populations.
    pub populations: Populations<Matchers>,
    /// When the stage began, in milliseconds since 1970; now when absent.
    pub start_ms: Option<i64>,
    /// The name of the source.
    pub source: Option<&'a str>,
    /// Judge without acting.
    pub dry_run: bool,
    /// Who moves it to the next stage.
    pub advance: AdvanceMode,
    /// Who starts it.
    pub caused_by: &'a str,
}

/// All rollouts.
#[derive(Debug)]
pub struct Rollouts {
    store: Store,
    engine: Arc<Engine>,
    settings: Settings,
    index: RwLock<Index>,
    turns: Turns,
    tasks: TaskTracker,
    metrics: Arc<Metrics>,
    /// The ids of the first rollouts that are started here.
    first_ids: Mutex<VecDeque<Uuid>>,
}

#[derive(Debug, Default)]
struct Index {
    by_id: HashMap<Uuid, Arc<Live>>,
    /// The current ones: by pipeline, then by key.
    by_key: HashMap<String, HashMap<String, Arc<Live>>>,
}

impl Rollouts {
    /// Returns the rollouts of a store. Those that are open are judged when the worker runs.
    pub fn new(store: Store, engine: Arc<Engine>, settings: Settings) -> Self {
        let turns = Turns::new(settings.concurrent_judgements);
        Self {
            store,
            engine,
            settings,
            index: RwLock::default(),
            turns,
            tasks: TaskTracker::new(),
            metrics: Arc::new(Metrics::new()),
            first_ids: Mutex::default(),
        }
    }

    /// Gives the first rollouts that are started here these ids, so that they can be named before:
    /// for a store that begins empty. Later ones get new ones.
    #[must_use]
    pub fn with_first_ids(mut self, ids: impl IntoIterator<Item = Uuid>) -> Self {
        self.first_ids = Mutex::new(ids.into_iter().collect());
        self
    }

    /// Counts into these figures, which others count into as well.
    #[must_use]
    pub fn with_metrics(mut self, metrics: Arc<Metrics>) -> Self {
        self.metrics = metrics;
        self
    }

    /// The store.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Whether other processes use the same store.
    pub fn is_store_shared(&self) -> bool {
        self.settings.is_store_shared
    }

    fn next_id(&self, now_ms: i64) -> Uuid {
        let mut first = self
            .first_ids
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        first.pop_front().unwrap_or_else(|| new_id(now_ms))
    }

    fn now_ms(&self) -> i64 {
        self.engine.clock().now_ms()
    }

    /// Finds the rollout that a call with this key means.
    ///
    /// # Errors
    ///
    /// [`RolloutError`] when the store cannot be asked.
    pub async fn current(
        &self,
        pipeline: &str,
        key: &str,
    ) -> Result<Option<Arc<Live>>, RolloutError> {
        let found = {
            let index = self.index.read().unwrap_or_else(PoisonError::into_inner);
            index
                .by_key
                .get(pipeline)
                .and_then(|keys| keys.get(key))
                .cloned()
        };
        if let Some(live) = found {
            self.refresh(&live).await?;
            if live.present().is_current {
                return Ok(Some(live));
            }
        }
        match self.store.current(pipeline, key).await? {
            Some(stored) => Ok(Some(self.adopt(&stored)?)),
            None => Ok(None),
        }
    }

    /// Finds a rollout by its id.
    ///
    /// # Errors
    ///
    /// [`RolloutError`] when the store cannot be asked.
    pub async fn by_id(&self, id: Uuid) -> Result<Option<Arc<Live>>, RolloutError> {
        let found = {
            let index = self.index.read().unwrap_or_else(PoisonError::into_inner);
            index.by_id.get(&id).cloned()
        };
        if let Some(live) = found {
            self.refresh(&live).await?;
            return Ok(Some(live));
        }
        match self.store.rollout(id).await? {
            Some(stored) => Ok(Some(self.adopt(&stored)?)),
            None => Ok(None),
        }
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

    /// Takes what the store holds into memory, unless it is there.
    fn adopt(&self, stored: &crate::store::StoredRollout) -> Result<Arc<Live>, RolloutError> {
        let read = Arc::new(Live::read(stored)?);
        let mut index = self.index.write().unwrap_or_else(PoisonError::into_inner);
        let live = Arc::clone(index.by_id.entry(stored.id).or_insert(read));
        if stored.is_current {
            let keys = index.by_key.entry(stored.pipeline.clone()).or_default();
            keys.insert(stored.key.clone(), Arc::clone(&live));
        }
        Ok(live)
    }

    /// All rollouts in memory.
    fn in_memory(&self) -> Vec<Arc<Live>> {
        let index = self.index.read().unwrap_or_else(PoisonError::into_inner);
        index.by_id.values().cloned().collect()
    }

    fn in_memory_count(&self) -> usize {
        let index = self.index.read().unwrap_or_else(PoisonError::into_inner);
        index.by_id.len()
    }

    /// Forgets those that are over until a time. The store still tells those that it keeps.
    fn forget_over_since(&self, until_ms: i64) {
        let over = self.over().into_iter();
        self.forget(over.filter(|(updated_ms, _)| *updated_ms <= until_ms));
    }

    /// Forgets the oldest of those that are over. The store still knows them.
    fn forget_too_many(&self) {
        let mut over = self.over();
        let too_many = over.len().saturating_sub(MOST_OVER_IN_MEMORY);
        over.sort_unstable();
        self.forget(over.into_iter().take(too_many));
    }

    /// Those in memory that are over, with the time.
    fn over(&self) -> Vec<(i64, Uuid)> {
        let in_memory = self.in_memory();
        let present = in_memory.iter().map(|live| (live.present(), live.id));
        present
            .filter(|(present, _)| present.state != RolloutState::Open)
            .map(|(present, id)| (present.updated_ms, id))
            .collect()
    }

    fn forget(&self, forgotten: impl Iterator<Item = (i64, Uuid)>) {
        let mut index = self.index.write().unwrap_or_else(PoisonError::into_inner);
        for (_, id) in forgotten {
            if let Some(live) = index.by_id.remove(&id)
                && let Some(keys) = index.by_key.get_mut(&live.pipeline_name)
                && keys.get(&live.key).is_some_and(|known| known.id == id)
            {
                keys.remove(&live.key);
            }
        }
        index.by_key.retain(|_, keys| !keys.is_empty());
    }

    /// Says what is wrong with a rollout before it is started: a window, populations or a source
    /// that can never be judged.
    ///
    /// # Errors
    ///
    /// [`AnalysisError`] says what the caller must change.
    pub fn check(&self, start: &NewStart<'_>) -> Result<(), AnalysisError> {
        self.engine.check(&AnalysisInput {
            pipeline: start.pipeline,
            stage: start.stage,
            populations: start.populations.clone(),
            start_ms: Some(start.start_ms.unwrap_or_else(|| self.now_ms())),
            end_ms: None,
            source: start.source,
        })
    }

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
        let live = self.adopt(&stored)?;
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

    /// Refuses populations that differ from those that a rollout has.
    ///
    /// # Errors
    ///
    /// [`RolloutError::PopulationsDiffer`] names the population.
    pub fn same_populations(
        live: &Live,
        given: &Populations<Option<Matchers>>,
    ) -> Result<(), RolloutError> {
        let pairs = [
            ("control", &given.control, &live.populations.control),
            ("canary", &given.canary, &live.populations.canary),
        ];
        for (name, given, known) in pairs {
            if given.as_ref().is_some_and(|given| given != known) {
                let show = |matchers: &Matchers| {
                    let texts: Vec<String> = matchers.iter().map(ToString::to_string).collect();
                    texts.join(", ")
                };
                return Err(RolloutError::PopulationsDiffer(format!(
                    "the {name} of this key is {{{}}}, and {{{}}} is given: leave it out, or use \
                     another key",
                    show(known),
                    given.as_ref().map(show).unwrap_or_default()
                )));
            }
        }
        Ok(())
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
    async fn record(
        &self,
        live: &Arc<Live>,
        change: &Change,
        inputs: Option<crate::store::Inputs>,
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
            self.release_key(live);
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

    /// What the gates of open rollouts would answer, and of those that ended within the last hour.
    pub fn gauges(&self) -> Vec<GateGauge> {
        const SHOWN_AFTER_MS: i64 = 3_600_000;
        let since_ms = self.now_ms() - SHOWN_AFTER_MS;
        let shown = |live: &Arc<Live>| {
            let present = live.present();
            let is_recent = present.state == RolloutState::Open || present.updated_ms >= since_ms;
            if !is_recent || !present.is_current {
                return None;
            }
            let stage = present.document.current()?.stage.clone();
            let (verdict, _reason) = present.told(&live.pipeline, None).acted_on();
            let judgement = present.judgement.as_ref();
            let at_ms = judgement.map_or(present.updated_ms, |judgement| judgement.made_ms);
            Some(GateGauge {
                pipeline: live.pipeline_name.clone(),
                stage,
                key: live.key.clone(),
                verdict: verdict.into(),
                evaluated_at_seconds: at_ms as f64 / 1e3,
            })
        };
        self.in_memory().iter().filter_map(shown).collect()
    }

    /// A call with its key no longer means it.
    fn release_key(&self, live: &Live) {
        let mut index = self.index.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(keys) = index.by_key.get_mut(&live.pipeline_name)
            && keys.get(&live.key).is_some_and(|known| known.id == live.id)
        {
            keys.remove(&live.key);
        }
    }
}

/// A new id: a UUID of version 7, which sorts by time.
pub fn new_id(now_ms: i64) -> Uuid {
    let now_ms = u64::try_from(now_ms).unwrap_or(0);
    let nanoseconds = u32::try_from(now_ms % 1000 * 1_000_000).unwrap_or(0);
    Uuid::new_v7(Timestamp::from_unix(NoContext, now_ms / 1000, nanoseconds))
}
