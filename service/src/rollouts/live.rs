//! A rollout in memory: what the store holds of it, and what was judged last.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use serinus_analysis::matchers::Matchers;
use serinus_analysis::pipeline::{Pipeline, Stage};
use serinus_analysis::series::Populations;
use serinus_openapi::analysis::{ReasonCode, Verdict};
use tokio::sync::watch;
use uuid::Uuid;

use super::document::{Decision, Document, stage_of};
use super::transition::Judgement;
use crate::store::{RolloutState, StoredRollout};

/// A rollout in memory.
#[derive(Debug)]
pub struct Live {
    /// Its id.
    pub id: Uuid,
    /// The pipeline's name.
    pub pipeline_name: String,
    /// Its key.
    pub key: String,
    /// Which rollout with this key it is.
    pub attempt: i64,
    /// When it was started, in milliseconds since 1970.
    pub created_ms: i64,
    /// The pipeline as it was when the rollout was started.
    pub pipeline: Arc<Pipeline>,
    /// Its populations.
    pub populations: Populations<Matchers>,
    /// Held while it is changed in the store.
    pub(super) writing: tokio::sync::Mutex<()>,
    /// Whether it is being judged.
    pub(super) is_judging: AtomicBool,
    /// When it is judged next, in milliseconds since 1970.
    pub(super) due_ms: AtomicI64,
    present: RwLock<Arc<Present>>,
    changes: watch::Sender<u64>,
}

/// What is known of a rollout at one moment.
#[derive(Debug, Clone, PartialEq)]
pub struct Present {
    /// Its version in the store.
    pub version: i64,
    /// Its state.
    pub state: RolloutState,
    /// Whether a call with its key means it.
    pub is_current: bool,
    /// When it changed last, in milliseconds since 1970.
    pub updated_ms: i64,
    /// What is remembered.
    pub document: Document,
    /// What was judged last, of the stage it is at.
    pub judgement: Option<Judgement>,
}

/// What is told of a rollout, or of one stage of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// The true verdict.
    pub verdict: Verdict,
    /// Why, as a token.
    pub reason_code: ReasonCode,
    /// Why, in one sentence.
    pub reason: String,
    /// How far it is.
    pub progress: String,
    /// Whether it is judged without acting.
    pub dry_run: bool,
}

/// Why what the store holds cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the stored rollout {id} cannot be read: {detail}")]
pub struct Unreadable {
    id: Uuid,
    detail: String,
}

impl Live {
    /// Reads what the store holds.
    ///
    /// # Errors
    ///
    /// [`Unreadable`] for a document of another version that this one cannot read.
    pub fn read(stored: &StoredRollout) -> Result<Self, Unreadable> {
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
            due_ms: AtomicI64::new(i64::MIN),
            present: RwLock::new(Arc::new(Present {
                version: stored.version,
                state: stored.state,
                is_current: stored.is_current,
                updated_ms: stored.updated_ms,
                document,
                judgement: None,
            })),
            changes: watch::Sender::default(),
        })
    }

    /// The share of the traffic to go back to from a stage, in percent.
    pub fn rollback_to_percent(&self, stage: &str) -> f64 {
        stage_of(&self.pipeline, stage).map_or(0.0, |(_, stage)| {
            serinus_analysis::judge::rollback_to_percent(&self.pipeline, stage)
        })
    }

    /// What is known now.
    pub fn present(&self) -> Arc<Present> {
        Arc::clone(&self.present.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Takes over what the store holds, with a judgement that belongs to it.
    pub(super) fn take_over(
        &self,
        stored: &StoredRollout,
        judgement: Option<Judgement>,
    ) -> Result<(), Unreadable> {
        let document = read_document(stored)?;
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
        if present
            .document
            .current()
            .is_some_and(|current| current.stage == judgement.stage)
        {
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
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// Makes it due now.
    pub(super) fn wake(&self) {
        self.due_ms.store(i64::MIN, Ordering::Relaxed);
    }
}

fn read_document(stored: &StoredRollout) -> Result<Document, Unreadable> {
    serde_json::from_str(&stored.document).map_err(|error| Unreadable {
        id: stored.id,
        detail: error.to_string(),
    })
}

impl Told {
    /// What the caller is to do, and why: under a dry run always `promote`.
    pub fn acted_on(&self) -> (Verdict, String) {
        if !self.dry_run {
            return (self.verdict, self.reason.clone());
        }
        let name = match self.verdict {
            Verdict::Promote => "promote",
            Verdict::Hold => "hold",
            Verdict::Rollback => "rollback",
        };
        let reason = format!("dry run, the verdict is {name}: {}", self.reason);
        (Verdict::Promote, reason)
    }
}

impl Present {
    /// Whether the rollout is at a stage before this one, and goes on.
    pub fn is_at_an_earlier_stage(&self, pipeline: &Pipeline, stage: &str) -> bool {
        let place = |id: &str| stage_of(pipeline, id).map(|(place, _)| place);
        let at = self.document.current().and_then(|at| place(&at.stage));
        self.state == RolloutState::Open && at < place(stage)
    }

    /// The stage that waits for its judgement, if there is one.
    pub fn open_stage<'a>(&self, pipeline: &'a Pipeline) -> Option<(&'a Stage, i64)> {
        let current = self.document.current()?;
        if self.state != RolloutState::Open || current.passed_ms.is_some() {
            return None;
        }
        let (_, stage) = stage_of(pipeline, &current.stage)?;
        Some((stage, current.started_ms))
    }

    /// What is told of one stage, or of the whole rollout.
    pub fn told(&self, pipeline: &Pipeline, stage: Option<&str>) -> Told {
        let shown = stage.or_else(|| {
            let current = self.document.current()?;
            Some(current.stage.as_str())
        });
        let shown = shown.unwrap_or_default();
        let (place, is_shadow) = stage_of(pipeline, shown)
            .map_or((0, false), |(place, stage)| (place + 1, stage.shadow));
        let told = |verdict, reason_code, reason: String, progress: Option<&str>| Told {
            verdict,
            reason_code,
            reason,
            progress: progress.map_or_else(
                || format!("stage {place} of {}", pipeline.stages.len()),
                str::to_owned,
            ),
            dry_run: self.document.dry_run || pipeline.dry_run || is_shadow,
        };
        let decided = |verdict, decision: &Decision| {
            let code = decision.reason_code.clone();
            told(
                verdict,
                code,
                decision.reason.clone(),
                Some(&decision.progress),
            )
        };
        match (self.state, &self.document.decision) {
            (RolloutState::RolledBack, Some(decision)) => {
                return decided(Verdict::Rollback, decision);
            }
            (RolloutState::RolledBack, None) => {
                let reason = "it was rolled back".to_owned();
                return told(Verdict::Rollback, ReasonCode::OVERRIDE, reason, None);
            }
            (RolloutState::Cancelled | RolloutState::Closed, _) => {
                let reason = format!("the rollout is over ({})", self.state.as_str());
                return told(Verdict::Hold, ReasonCode::CANCELLED, reason, None);
            }
            (RolloutState::Promoted, _) => {
                let progress = format!("all {} stages passed", pipeline.stages.len());
                let reason = format!("every stage of {} has passed", pipeline.name);
                return told(
                    Verdict::Promote,
                    ReasonCode::PASSED,
                    reason,
                    Some(&progress),
                );
            }
            (RolloutState::Open, _) => {}
        }
        let has_passed = self
            .document
            .record_of(shown)
            .is_some_and(|record| record.passed_ms.is_some());
        let at = self.document.current().map_or("", |record| &record.stage);
        if has_passed {
            if let Some(decision) = &self.document.decision
                && decision.stage == shown
                && decision.verdict == Verdict::Promote
            {
                return decided(Verdict::Promote, decision);
            }
            let reason = format!("{shown} has passed; the rollout is at {at}");
            return told(Verdict::Promote, ReasonCode::PASSED, reason, None);
        }
        if at != shown {
            let reason = format!("the rollout is at {at}, and {shown} was not shown to pass");
            return told(Verdict::Hold, ReasonCode::STILL_COLLECTING, reason, None);
        }
        match &self.judgement {
            Some(judgement) if judgement.verdict == Verdict::Hold => told(
                Verdict::Hold,
                judgement.reason_code.clone(),
                judgement.reason.clone(),
                Some(&judgement.progress),
            ),
            // What is not recorded is not told.
            _ => told(
                Verdict::Hold,
                ReasonCode::STILL_COLLECTING,
                format!("{shown} is not judged yet"),
                None,
            ),
        }
    }
}
