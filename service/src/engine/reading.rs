//! Reads what a stage needs of a stretch of time: all questions at once, again as sums by target when
//! there are too many series.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serinus_analysis::data::{DataFault, FaultCode};
use serinus_analysis::matchers::Matchers;
use serinus_analysis::questions::{Answered, Form, MetricQuestion, QueryTexts, StageQuestions};
use serinus_analysis::series::{Grid, Population, Populations, fine_step_ms};
use tokio::task::JoinSet;

use crate::prometheus::{Question, ReadingOf, Room, Share, Source};
use crate::turns::Turns;

use super::AnalysisError;
use super::asked::Asked;
use super::chunks::Chunks;

/// Most populations of which the scrape period is remembered; beyond, all are forgotten.
const MOST_REMEMBERED: usize = 10_000;

/// What was read for a stage.
pub(super) struct Reading {
    /// What was asked.
    pub(super) plan: StageQuestions,
    /// The answers, in the order of its questions.
    pub(super) answers: Vec<Answered>,
    /// The room that the answers take, until they are dropped.
    _share: Arc<Share>,
}

/// Which scrapes a period was seen of: the source's name and both populations.
pub(super) type Seen = (String, Populations<Matchers>);

/// Most stretches of more than [`LONG_CHUNKS`] chunks that are read from one source at the same time:
/// each takes some megabytes until it is counted. A process that goes on with old rollouts reads many of them.
const MOST_LONG_READS: usize = 4;

/// Most chunks of a stretch that takes little memory.
pub(super) const LONG_CHUNKS: usize = 3;

/// Reads stages, and remembers what was read and how often populations are scraped. Those are
/// hints only: they save asking twice, the counts are the same without them.
#[derive(Debug)]
pub(super) struct Reader {
    pub(super) room: Arc<Room>,
    pub(super) chunks: Chunks,
    pub(super) long_reads: Turns,
    scrape_periods_ms: Mutex<BTreeMap<Seen, i64>>,
    texts: Mutex<QueryTexts>,
}

impl Reader {
    /// Returns a reader whose answers have so much room.
    pub(super) fn new(room: Arc<Room>) -> Self {
        Self {
            room,
            chunks: Chunks::default(),
            long_reads: Turns::new(MOST_LONG_READS),
            scrape_periods_ms: Mutex::default(),
            texts: Mutex::default(),
        }
    }

    /// Reads what a stage needs from a source: every sample, or where there are too many series the
    /// sum of each target, at instants that see every scrape.
    pub(super) async fn read(
        &self,
        asked: Asked<'_>,
        grid: Grid,
    ) -> Result<Reading, AnalysisError> {
        let plan = self.plan(asked, grid, Form::Samples)?;
        let samples = self.ask(asked.sources, plan).await;
        if !samples.answers.iter().any(is_too_much) {
            return Ok(samples);
        }
        let period_ms = samples.plan.scrape_period_ms(&samples.answers);
        let step_ms = fine_step_ms(grid.interval_ms(), period_ms);
        let plan = self.plan(asked, grid, Form::Sums { step_ms })?;
        // What was read so far would only take room.
        drop(samples);
        Ok(self.ask(asked.sources, plan).await)
    }

    async fn ask(&self, sources: Populations<&Arc<Source>>, plan: StageQuestions) -> Reading {
        let share = self.room.begin(ReadingOf::Stage);
        let answers = ask_all(sources, plan.questions(), &share).await;
        Reading {
            plan,
            answers,
            _share: share,
        }
    }

    pub(super) fn plan(
        &self,
        asked: Asked<'_>,
        grid: Grid,
        form: Form,
    ) -> Result<StageQuestions, AnalysisError> {
        let mut texts = self.texts();
        Ok(StageQuestions::with_texts(
            asked.part, grid, form, &mut texts,
        )?)
    }

    /// The texts that were written before.
    pub(super) fn texts(&self) -> MutexGuard<'_, QueryTexts> {
        self.texts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn remembered(&self, seen: &Seen) -> Option<i64> {
        let periods = self
            .scrape_periods_ms
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        periods.get(seen).copied()
    }

    pub(super) fn remember(&self, seen: Seen, period_ms: i64) {
        let mut periods = self
            .scrape_periods_ms
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if periods.len() >= MOST_REMEMBERED {
            periods.clear();
        }
        periods.insert(seen, period_ms);
    }
}

/// Whether the series were too many to be read one by one.
fn is_too_much(answer: &Answered) -> bool {
    answer.as_ref().is_err_and(|fault| {
        matches!(
            fault.code,
            FaultCode::TooManySeries | FaultCode::AnswerTooLarge
        )
    })
}

/// Asks all questions at once and returns the answers in their order.
/// They take their room from the share, whose owner drops it after them.
pub(super) async fn ask_all(
    sources: Populations<&Arc<Source>>,
    questions: &[MetricQuestion],
    share: &Arc<Share>,
) -> Vec<Answered> {
    ask_all_telling(sources, questions, share, || ()).await
}

/// The same, and tells of each answer when it is there.
pub(super) async fn ask_all_telling(
    sources: Populations<&Arc<Source>>,
    questions: &[MetricQuestion],
    share: &Arc<Share>,
    answered: impl Fn(),
) -> Vec<Answered> {
    let mut tasks = JoinSet::new();
    for (index, planned) in questions.iter().enumerate() {
        let question = Question {
            promql: planned.promql.clone(),
            at: planned.time,
        };
        // Where both populations have one source, it is the canary's as well.
        let source = sources.get(planned.of.unwrap_or(Population::Canary));
        let (source, share) = (Arc::clone(source), Arc::clone(share));
        tasks.spawn(async move {
            let answer = source.ask(&question, &share).await;
            (
                index,
                answer
                    .map(|answer| (answer.series, answer.annotations))
                    .map_err(DataFault::from),
            )
        });
    }
    let mut answers: Vec<Answered> = questions
        .iter()
        .map(|_| {
            Err(DataFault {
                code: FaultCode::StillCollecting,
                message: "the answer was not ready in time".to_owned(),
            })
        })
        .collect();
    while let Some(finished) = tasks.join_next().await {
        answered();
        if let Ok((index, answer)) = finished
            && let Some(slot) = answers.get_mut(index)
        {
            *slot = answer;
        }
    }
    answers
}
