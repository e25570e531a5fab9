//! Rollouts: one canary going through one pipeline, judged on the grid whether or not anyone asks.
//!
//! The store holds what is remembered; this keeps it in memory for the polls. Everything that an
//! answer may not contradict later (a stage that passed, a rollback) is in the store before it is
//! told. A judgement is a pure function of the data on the grid, so that a lost process, a lost
//! cache or another replica gives the same one.

mod changing;
mod document;
mod judging;
mod live;
mod memory;
mod recorded;
#[cfg(test)]
mod tests;
mod transition;
mod worker;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

pub use document::Document;
pub use live::{Live, Present, Told, Unreadable};
use memory::Memory;
pub use recorded::read_event;
use serinus_analysis::matchers::Matchers;
use serinus_analysis::pipeline::{Pipeline, Stage};
use serinus_analysis::series::Populations;
use serinus_openapi::rollout::AdvanceMode;
use tokio_util::task::TaskTracker;
pub use transition::{JUDGE, Refused};
use uuid::{NoContext, Timestamp, Uuid};

use crate::engine::{AnalysisError, AnalysisInput, Engine};
use crate::metrics::{GateGauge, Metrics};
use crate::store::{RolloutState, Store, StoreError};
use crate::turns::Turns;

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
    memory: Memory,
    turns: Turns,
    tasks: TaskTracker,
    metrics: Arc<Metrics>,
    /// The ids of the first rollouts that are started here.
    first_ids: Mutex<VecDeque<Uuid>>,
}

impl Rollouts {
    /// Returns the rollouts of a store. Those that are open are judged when the worker runs.
    pub fn new(store: Store, engine: Arc<Engine>, settings: Settings) -> Self {
        let turns = Turns::new(settings.concurrent_judgements);
        Self {
            store,
            engine,
            settings,
            memory: Memory::default(),
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

    /// Finds a rollout by its id.
    ///
    /// # Errors
    ///
    /// [`RolloutError`] when the store cannot be asked.
    pub async fn by_id(&self, id: Uuid) -> Result<Option<Arc<Live>>, RolloutError> {
        if let Some(live) = self.memory.by_id(id) {
            self.refresh(&live).await?;
            return Ok(Some(live));
        }
        match self.store.rollout(id).await? {
            Some(stored) => Ok(Some(self.memory.adopt(&stored)?)),
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
        self.memory.all().iter().filter_map(shown).collect()
    }
}

/// A new id: a UUID of version 7, which sorts by time.
pub fn new_id(now_ms: i64) -> Uuid {
    let now_ms = u64::try_from(now_ms).unwrap_or(0);
    let nanoseconds = u32::try_from(now_ms % 1000 * 1_000_000).unwrap_or(0);
    Uuid::new_v7(Timestamp::from_unix(NoContext, now_ms / 1000, nanoseconds))
}
