//! The stages of a rollout that are over: what later ones are judged with.
//!
//! When a stage has ended, what was measured in it until the next one began is kept in the store once, so that every
//! process, and whoever computes a decision again, judges the later stages with the same data.
//!
//! Source: docs/design/counts.md, "9. Many checks, all stages".

use std::sync::Arc;

use serinus_analysis::data::{DataFault, Purpose, StageData};
use serinus_analysis::pipeline::{Pipeline, Stage};
use serinus_analysis::series::Grid;
use serinus_openapi::rollout::EventKind;

use super::change::Change;
use super::document::{METHOD_VERSION, StageRecord, stage_of};
use super::judgement::JUDGE;
use super::live::{Live, Present};
use super::{Document, RolloutError, Rollouts};
use crate::engine::{AnalysisInput, Before, MadeOf, Stages, is_late};
use crate::packed::{Name, pack, unpack};
use crate::store::{Inputs, Store};
use crate::time::UnixMillis;

/// The stages that are over, or why they are not known now.
#[derive(Debug, Clone)]
pub(super) enum Known {
    /// What they have left.
    Before(Arc<Before>),
    /// One of them could not be read.
    Late(DataFault),
}

/// A stage that is over and counts for later ones.
struct Over<'a> {
    stage: &'a Stage,
    record: &'a StageRecord,
    /// When the next one began.
    until: UnixMillis,
}

/// The stages that later ones are judged with: not those that were judged without acting, nor those of before.
fn over<'a>(document: &'a Document, pipeline: &'a Pipeline) -> Vec<Over<'a>> {
    let course = Before::nothing(pipeline).course;
    let all = document.stages.over();
    let counts = all.filter_map(|(record, until)| {
        let (_, stage) = stage_of(pipeline, record.stage().as_str())?;
        let is_one = course.has(stage) && !record.is_of_before();
        is_one.then_some(Over {
            stage,
            record,
            until,
        })
    });
    counts.collect()
}

/// What the decisions of a stage of a rollout can have been made with: of all stages before it, and of ever fewer of
/// them, since the first ones may be made before the data of the last stage is complete. The name of a decision's
/// inputs says which it was. Nothing after the first stage whose data is not kept.
///
/// # Errors
///
/// [`RolloutError`] when the store cannot be asked.
pub(crate) async fn before_stage(
    store: &Store,
    document: &Document,
    pipeline: &Pipeline,
    stage: &str,
) -> Result<Vec<Before>, RolloutError> {
    let mut all = vec![Before::nothing(pipeline)];
    let earlier = over(document, pipeline);
    for one in earlier.iter().take_while(|one| one.stage.id != stage) {
        let Some(digest) = one.record.sealed() else {
            break;
        };
        let Some(data) = kept(store, digest).await? else {
            break;
        };
        let is_decided = one.record.is_decided();
        let next = all
            .last()
            .map(|before| before.and(pipeline, one.stage, (digest, &data), is_decided));
        all.extend(next);
    }
    all.reverse();
    Ok(all)
}

/// The data of a stage, if it is kept and can be read.
async fn kept(store: &Store, digest: &str) -> Result<Option<StageData>, RolloutError> {
    let bytes = store.inputs(digest).await?;
    Ok(bytes.and_then(|bytes| unpack(&bytes).ok()))
}

impl Rollouts {
    /// The stages of a rollout that are over. One that has only just ended is read until the next began, and kept
    /// in the store; `sealed_end` is the end of what may be read.
    pub(super) async fn before(
        &self,
        live: &Arc<Live>,
        present: &Arc<Present>,
        sealed_end: UnixMillis,
    ) -> Result<Known, RolloutError> {
        let all = over(&present.document, &live.pipeline);
        let mut before = live
            .before()
            .filter(|known| is_of(known, &all))
            .unwrap_or_else(|| Arc::new(Before::nothing(&live.pipeline)));
        for one in all.iter().skip(before.made_of.len()) {
            let kept_data = match one.record.sealed() {
                Some(digest) => {
                    let data = kept(&self.store, digest).await?;
                    data.map(|data| (digest.to_owned(), data))
                }
                None => None,
            };
            let is_sealed = sealed_end >= rounded_down(one.until, &live.pipeline);
            let (digest, data) = match kept_data {
                Some(found) => found,
                // Its last interval is not sealed yet, and so is none of the next one.
                None if !is_sealed => return Ok(Known::Before(before)),
                None => match self.read_over(live, present, one).await? {
                    Ok(read) => read,
                    Err(fault) => return Ok(Known::Late(fault)),
                },
            };
            let is_decided = one.record.is_decided();
            let next = before.and(&live.pipeline, one.stage, (&digest, &data), is_decided);
            before = Arc::new(next);
        }
        live.keep_before(&before);
        Ok(Known::Before(before))
    }

    /// Reads a stage that is over, and keeps its data: nothing of one that was left at once.
    async fn read_over(
        &self,
        live: &Arc<Live>,
        present: &Arc<Present>,
        one: &Over<'_>,
    ) -> Result<Result<(String, StageData), DataFault>, RolloutError> {
        let input = AnalysisInput {
            pipeline: &live.pipeline,
            stage: one.stage,
            populations: live.populations.clone(),
            start_ms: Some(one.record.started().get()),
            end_ms: Some(one.until.get()),
            source: present.document.source.as_deref(),
            purpose: Purpose::Decide,
            stages: Stages::Alone,
            carried: None,
        };
        let data = match self.engine.read(&input).await {
            Ok((data, _)) => data,
            // A window without a whole interval is refused.
            Err(_) => StageData::empty(Grid::covering(0, 0, interval_ms(&live.pipeline))),
        };
        if let Some(fault) = is_late(&data) {
            return Ok(Err(fault));
        }
        let digest = Name::of(&data).to_string();
        let bytes = match pack(&data) {
            Ok(bytes) => bytes,
            Err(error) => {
                tracing::error!(rollout.id = %live.id, error = %error, "cannot keep a stage: {error}");
                return Ok(Ok((digest, data)));
            }
        };
        let _writing = live.writing.lock().await;
        let now = live.present();
        let change = Change::sealed(&now, (one.record.stage(), one.record.started()), &digest);
        let inputs = Inputs {
            digest: digest.clone(),
            bytes,
        };
        // Where another process was first, it has read the same.
        let judgement = now.judgement.clone();
        self.record(live, &change, Some(inputs), judgement).await?;
        Ok(Ok((digest, data)))
    }

    /// What it changes when a rollout was begun by a version that judged each stage by itself: its stages that are
    /// over stay as they were decided, and the one it is at is judged anew.
    pub(super) async fn take_to_this_method(&self, live: &Arc<Live>) -> Result<(), RolloutError> {
        if live.present().document.method_version >= METHOD_VERSION {
            return Ok(());
        }
        let made = self.change(live, |present| {
            let is_older = present.document.method_version < METHOD_VERSION;
            Ok(is_older.then(|| {
                let mut change = Change::to_this_method(present);
                change.note(
                    EventKind::JudgedAnew,
                    JUDGE,
                    "version 2 of the method judges it through all stages: this stage from its start, those \
                     before stay as they were decided",
                );
                change
            }))
        });
        made.await.map(drop)
    }
}

fn interval_ms(pipeline: &Pipeline) -> i64 {
    i64::from(pipeline.analysis.interval_seconds).max(1) * 1_000
}

/// The end of the last whole interval that ends at or before a moment.
fn rounded_down(moment: UnixMillis, pipeline: &Pipeline) -> UnixMillis {
    let interval_ms = interval_ms(pipeline);
    UnixMillis::new(moment.get().div_euclid(interval_ms) * interval_ms)
}

/// Whether what is in memory was made of these stages as they are recorded, or of the first of them.
fn is_of(known: &Before, all: &[Over<'_>]) -> bool {
    let is_it = |(made_of, one): (&MadeOf, &Over<'_>)| {
        made_of.stage == one.stage.id
            && Some(made_of.digest.as_str()) == one.record.sealed()
            && made_of.is_decided == one.record.is_decided()
    };
    known.made_of.len() <= all.len() && known.made_of.iter().zip(all).all(is_it)
}
