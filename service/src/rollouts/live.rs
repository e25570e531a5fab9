//! A rollout in memory: what the store holds of it, and what was judged last.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use serinus_analysis::matchers::Matchers;
use serinus_analysis::pipeline::{Pipeline, Stage};
use serinus_analysis::series::Populations;
use tokio::sync::watch;

use super::RolloutError;
use super::carrying::Keeping;
use super::document::{Document, stage_of};
use super::judgement::Judgement;
use crate::engine::{Before, Overlay};
use crate::store::{RolloutId, RolloutKey, RolloutState, StoredRollout};
use crate::time::{SteadyMillis, UnixMillis};

/// A rollout in memory.
#[derive(Debug)]
pub(crate) struct Live {
    /// Its id.
    pub id: RolloutId,
    /// The pipeline's name.
    pub pipeline_name: String,
    /// Its key.
    pub key: RolloutKey,
    /// Which rollout with this key it is.
    pub attempt: i64,
    /// When it was started.
    pub created_ms: UnixMillis,
    /// The pipeline as it was when the rollout was started.
    pub pipeline: Arc<Pipeline>,
    /// Its populations.
    pub populations: Populations<Matchers>,
    /// Held while it is changed in the store.
    pub(super) writing: tokio::sync::Mutex<()>,
    /// Whether it is being judged.
    pub(super) is_judging: AtomicBool,
    /// When it is judged next, in milliseconds of the steady time: see [`Live::due`].
    due_ms: AtomicI64,
    present: RwLock<Arc<Present>>,
    /// The stages that are over, as the newest stage was judged with them.
    before: Mutex<Option<Arc<Before>>>,
    /// What the newest judgement left for the next.
    pub(super) carried: Mutex<Option<Keeping>>,
    changes: watch::Sender<u64>,
}

/// What is known of a rollout at one moment.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Present {
    /// Its version in the store.
    pub version: i64,
    /// Its state.
    pub state: RolloutState,
    /// Whether a call with its key means it.
    pub is_current: bool,
    /// When it changed last.
    pub updated_ms: UnixMillis,
    /// What is remembered.
    pub document: Document,
    /// What was judged last, of the stage it is at.
    pub judgement: Option<Judgement>,
}

/// Why what the store holds cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the stored rollout {id} cannot be read: {detail}")]
pub(crate) struct Unreadable {
    id: RolloutId,
    detail: String,
}

impl Live {
    /// Reads what the store holds.
    ///
    /// # Errors
    ///
    /// [`Unreadable`] for a document of another version that this one cannot read.
    pub(crate) fn read(stored: &StoredRollout) -> Result<Self, Unreadable> {
        let unreadable = |detail: String| Unreadable {
            id: stored.id,
            detail,
        };
        let document = read_document(stored)?;
        let pipeline = document.pipeline(&stored.pipeline).map_err(|mistakes| {
            let first = mistakes.first().map(|mistake| mistake.message.as_str());
            unreadable(format!("its pipeline: {}", first.unwrap_or_default()))
        })?;
        let populations = Populations {
            control: &document.control,
            canary: &document.canary,
        };
        // An absolute check needs no control, so a population may be empty.
        let populations =
            populations.map(|population| population.to_matchers().unwrap_or_default());
        Ok(Self {
            id: stored.id,
            pipeline_name: stored.pipeline.clone(),
            key: stored.key.clone(),
            attempt: stored.attempt,
            created_ms: stored.created_ms,
            pipeline: Arc::new(pipeline),
            populations,
            writing: tokio::sync::Mutex::default(),
            is_judging: AtomicBool::new(false),
            due_ms: AtomicI64::new(SteadyMillis::EARLIEST.get()),
            present: RwLock::new(Arc::new(Present {
                version: stored.version,
                state: stored.state,
                is_current: stored.is_current,
                updated_ms: stored.updated_ms,
                document,
                judgement: None,
            })),
            before: Mutex::default(),
            carried: Mutex::default(),
            changes: watch::Sender::default(),
        })
    }

    /// The share of the traffic to go back to from a stage, in percent.
    pub(crate) fn rollback_to_percent(&self, stage: &str) -> f64 {
        let present = self.present();
        let has_passed = |id: &str| {
            let record = present.document.record_of(id);
            record.is_some_and(|record| record.passed().is_some())
        };
        stage_of(&self.pipeline, stage).map_or(0.0, |(_, stage)| {
            serinus_analysis::judge::rollback_to_percent(&self.pipeline, stage, has_passed)
        })
    }

    /// What is known now.
    pub(crate) fn present(&self) -> Arc<Present> {
        Arc::clone(&self.present.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The stages that are over, as far as they are in memory.
    pub(super) fn before(&self) -> Option<Arc<Before>> {
        let before = self.before.lock().unwrap_or_else(PoisonError::into_inner);
        before.clone()
    }

    /// Keeps the stages that are over in memory.
    pub(super) fn keep_before(&self, known: &Arc<Before>) {
        let mut before = self.before.lock().unwrap_or_else(PoisonError::into_inner);
        *before = Some(Arc::clone(known));
    }

    /// Takes over what the store holds, with a judgement that belongs to it.
    pub(super) fn take_over(
        &self,
        stored: &StoredRollout,
        judgement: Option<Judgement>,
    ) -> Result<(), Unreadable> {
        let document = read_document(stored)?;
        if stored.state != RolloutState::Open {
            *self.carried.lock().unwrap_or_else(PoisonError::into_inner) = None;
        }
        self.publish(Present {
            version: stored.version,
            state: stored.state,
            is_current: stored.is_current,
            updated_ms: stored.updated_ms,
            document,
            judgement,
        });
        Ok(())
    }

    /// Takes over a judgement that changes nothing of what is remembered.
    pub(super) fn note(&self, judgement: Judgement) {
        let present = self.present();
        if judgement.is_of(present.document.current()) {
            self.publish(Present {
                judgement: Some(judgement),
                ..(*present).clone()
            });
        }
    }

    fn publish(&self, present: Present) {
        *self.present.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(present);
        self.changes.send_modify(|count| *count += 1);
    }

    /// Tells of every change from now on.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// Makes it due now.
    pub(super) fn wake(&self) {
        self.judge_at(SteadyMillis::EARLIEST);
    }

    /// When it is judged next. By the steady time: a wall clock that is set back must not put it off.
    pub(super) fn due(&self) -> SteadyMillis {
        SteadyMillis::new(self.due_ms.load(Ordering::Relaxed))
    }

    /// Says when it is judged next.
    pub(super) fn judge_at(&self, due: SteadyMillis) {
        self.due_ms.store(due.get(), Ordering::Relaxed);
    }

    /// Refuses populations that differ from its own, which are fixed: what is given, laid over
    /// them, has to change nothing. So a call may name all labels, some or none.
    ///
    /// # Errors
    ///
    /// [`RolloutError::PopulationsDiffer`] names the population.
    pub(super) fn check_populations(
        &self,
        given: &Populations<Overlay>,
    ) -> Result<(), RolloutError> {
        let pairs = [
            ("control", &given.control, &self.populations.control),
            ("canary", &given.canary, &self.populations.canary),
        ];
        for (name, given, known) in pairs {
            let would_be = given.over(known);
            if would_be != *known {
                return Err(RolloutError::PopulationsDiffer(format!(
                    "the {name} of this key is {{{}}}, and with what is given it would be {{{}}}: \
                     leave it out, or use another key",
                    shown(known),
                    shown(&would_be)
                )));
            }
        }
        Ok(())
    }
}

fn shown(matchers: &Matchers) -> String {
    let texts: Vec<String> = matchers.iter().map(ToString::to_string).collect();
    texts.join(", ")
}

fn read_document(stored: &StoredRollout) -> Result<Document, Unreadable> {
    let read = serde_json::from_str(&stored.document).map_err(|error| Unreadable {
        id: stored.id,
        detail: error.to_string(),
    });
    read.map(Document::completed)
}

/// The stage whose traffic is looked at.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Watched<'a> {
    /// The stage.
    pub stage: &'a Stage,
    /// When it began.
    pub started: UnixMillis,
    /// Whether only what is found wrong counts: it has passed, or its traffic has not begun.
    pub counts_only_what_is_wrong: bool,
}

impl Present {
    /// Until when the stage was judged that it is at and that has not passed. What was looked at
    /// since a stage has passed may belong to the next one, whose traffic was moved meanwhile.
    pub(super) fn judged_until(&self) -> Option<UnixMillis> {
        let current = self.document.current();
        let judged = self.judgement.as_ref();
        let judged = judged.filter(|one| one.is_of(current) && current.passed().is_none());
        judged.map(|judgement| judgement.end_ms)
    }

    /// The stage whose traffic is looked at, as long as the rollout is open: from the moment that
    /// it has passed until the next one begins, too.
    pub(crate) fn watched<'a>(&self, pipeline: &'a Pipeline) -> Option<Watched<'a>> {
        let current = self.document.current();
        if self.state != RolloutState::Open {
            return None;
        }
        let (_, stage) = stage_of(pipeline, current.stage().as_str())?;
        Some(Watched {
            stage,
            started: current.started(),
            counts_only_what_is_wrong: current.passed().is_some()
                || self.document.awaits_its_traffic(),
        })
    }
}
