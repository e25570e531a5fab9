//! The start of a rollout.

use std::sync::Arc;
use std::time::Duration;

use serinus_analysis::data::Purpose;
use serinus_analysis::matchers::Matchers;
use serinus_analysis::pipeline::{Pipeline, Stage};
use serinus_analysis::series::Populations;
use serinus_openapi::population::Population;
use serinus_openapi::rollout::{AdvanceMode, EventKind};
use tokio::time::timeout;

use super::beginning::check_start;
use super::document::{Begun, Document, METHOD_VERSION, StageId, StageRecord, Steps, stage_of};
use super::live::Live;
use super::standing::left_by;
use super::trail::TrailEntry;
use super::transition::{End, Refused};
use super::{RolloutError, Rollouts, log, recorded, telling};
use crate::engine::{self, AnalysisInput, Overlay, Stages};
use crate::store::{NewRollout, RolloutKey, RolloutState, Started};
use crate::time::UnixMillis;

/// Who starts a rollout waits no longer to learn how often its control is scraped.
const LONGEST_WAIT: Duration = Duration::from_secs(2);

/// A rollout to start.
#[derive(Debug, Clone)]
pub(crate) struct NewStart<'a> {
    /// The pipeline.
    pub pipeline: &'a Pipeline,
    /// Its text.
    pub pipeline_yaml: &'a str,
    /// The stage to begin with.
    pub stage: &'a Stage,
    /// The rollout's key.
    pub key: &'a RolloutKey,
    /// What the caller lays over the pipeline's populations.
    pub given: &'a Populations<Overlay>,
    /// When the stage began; now when absent.
    pub start: Option<UnixMillis>,
    /// The name of the source.
    pub source: Option<&'a str>,
    /// Judge without acting.
    pub dry_run: bool,
    /// Who moves it to the next stage.
    pub advance: AdvanceMode,
    /// Who starts it.
    pub caused_by: &'a str,
}

impl NewStart<'_> {
    /// What is remembered of it first.
    fn document(
        &self,
        populations: &Populations<Matchers>,
        first: StageRecord,
        interval_seconds: u32,
    ) -> Document {
        let settings = &self.pipeline.analysis;
        Document {
            pipeline_yaml: self.pipeline_yaml.to_owned(),
            control: Population::from(&populations.control),
            canary: Population::from(&populations.canary),
            source: self.source.map(str::to_owned),
            dry_run: self.dry_run,
            advance: self.advance,
            stages: Begun::first(first),
            decision: None,
            ended_as: None,
            superseded_ms: None,
            steps: Steps::default(),
            interval_seconds: Some(interval_seconds).filter(|_| !settings.is_interval_given),
            method_version: METHOD_VERSION,
        }
    }
}

impl Rollouts {
    /// What a start says once: which stages it leaves, and that what was found about its key before
    /// may have been forgotten.
    pub(super) fn news(&self, new: &NewStart<'_>) -> Option<String> {
        let stage = stage_of(new.pipeline, &new.stage.id);
        let left = stage.and_then(|(place, stage)| {
            telling::news(&left_by(new.pipeline, None, place), &stage.id)
        });
        let parted = self.store.parted(self.now()).map(|one| one.to_string());
        let all: Vec<String> = left.into_iter().chain(parted).collect();
        (!all.is_empty()).then(|| all.join("; "))
    }

    /// Starts a rollout, or finds the one of this pipeline and key. Says whether it is new.
    ///
    /// # Errors
    ///
    /// [`RolloutError::Impossible`] for a start, populations or a source that can never be judged,
    /// [`RolloutError::PopulationsDiffer`] for one that is there with others; otherwise when
    /// nothing could be recorded.
    pub(crate) async fn start(
        &self,
        new: &NewStart<'_>,
    ) -> Result<(Arc<Live>, bool), RolloutError> {
        // Sent again it finds the same rollout, whatever its start says by then.
        if let Some(live) = self.current(&new.pipeline.name, new.key).await?
            && live.present().state != RolloutState::Superseded
        {
            live.check_populations(new.given)?;
            return Ok((live, false));
        }
        let now = self.now();
        let populations = engine::populations_of(new.pipeline, new.given);
        let first = self.first_stage(new, &populations, now)?;
        let interval_seconds = self.interval_of(new, &populations, first.started()).await;
        let document = new.document(&populations, first, interval_seconds);
        let stage = document.current().stage();
        let mut first = TrailEntry::new(EventKind::Started, stage, new.caused_by);
        first.reason = self.news(new);
        let to_start = NewRollout {
            id: self.next_id(now),
            pipeline: new.pipeline.name.clone(),
            key: new.key.clone(),
            created_ms: now,
            document: recorded::document(&document),
            first_event: recorded::event(&first, now),
        };
        let mut started = self.store.start(to_start.clone()).await?;
        if let Started::Existing(stored) = &started
            && stored.state == RolloutState::Superseded
        {
            // Only a call that may start comes here: it begins anew.
            let superseded = self.memory.adopt(stored)?;
            let reason = Some("a call with its key begins anew");
            self.end(&superseded, End::Closed, reason, new.caused_by)
                .await?;
            started = self.store.start(to_start).await?;
        }
        match started {
            Started::Created(stored) => {
                let live = self.memory.adopt(&stored)?;
                log::tell(&live, &[first]);
                Ok((live, true))
            }
            Started::Existing(stored) => {
                let live = self.memory.adopt(&stored)?;
                live.check_populations(new.given)?;
                Ok((live, false))
            }
        }
    }

    /// The length of the intervals of a rollout that begins then. A source that does not answer now is not waited
    /// for: the rollout begins, with the default.
    async fn interval_of(
        &self,
        new: &NewStart<'_>,
        populations: &Populations<Matchers>,
        started: UnixMillis,
    ) -> u32 {
        let settling = self.engine.with_interval(
            new.pipeline,
            populations.as_ref(),
            new.source,
            started.get(),
        );
        match timeout(LONGEST_WAIT, settling).await {
            Ok(Ok(settled)) => settled.analysis.interval_seconds,
            Ok(Err(_)) | Err(_) => new.pipeline.analysis.interval_seconds,
        }
    }

    /// The record of the stage that a rollout is started at, once its source, its start and its
    /// populations were looked at.
    fn first_stage(
        &self,
        new: &NewStart<'_>,
        populations: &Populations<Matchers>,
        now: UnixMillis,
    ) -> Result<StageRecord, RolloutError> {
        let input = AnalysisInput {
            pipeline: new.pipeline,
            stage: new.stage,
            populations: populations.clone(),
            start_ms: None,
            end_ms: None,
            source: new.source,
            purpose: Purpose::Decide,
            stages: Stages::Alone,
            carried: None,
        };
        self.engine.check_sources(&input)?;
        let start = check_start(new.start, new.stage, &[], now).map_err(Refused::Start)?;
        engine::check_populations(&input)?;
        Ok(StageRecord::begins(StageId::of(new.stage), start))
    }
}
