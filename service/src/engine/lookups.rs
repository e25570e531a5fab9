//! Finds out, where a selector found nothing, whether it could have found something.
//!
//! Nothing is asked while every selector finds something. What was found out is kept for ten minutes of
//! the grid, so that polls cost nothing.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serinus_analysis::data::{DataFault, FaultCode, SelectorFinding, StageData};
use serinus_analysis::matchers::Matchers;
use serinus_analysis::pipeline::Pipeline;
use serinus_analysis::query::{QueryError, series_count};
use serinus_analysis::questions::Annotation;
use serinus_analysis::selectors::{
    Ask, Looked, Lookup, Proposal, ProposalStep, Step, needed, not_looked_at, of_file, said_of_all,
};
use serinus_analysis::series::{Grid, Populations};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::packed::Name;
use crate::prometheus::{
    IndexOf, IndexQuestion, Question, QuestionTime, ReadingOf, Room, Share, Source, SourceFault,
};

use super::asked::Asked;
use super::kept::Kept;
use super::{AnalysisError, Engine};

/// The time over which labels and names are looked for where the pipeline reads no history.
const LOOKED_FOR_MS: i64 = 24 * 3_600_000;

/// How long, on the grid, it is believed what was found out.
pub(super) const KEPT_MS: i64 = 600_000;

/// Longest time for one lookup, all its questions together: a poll waits for it.
pub(super) const LONGEST: Duration = Duration::from_secs(10);

/// When something is looked up.
#[derive(Debug, Clone, Copy)]
struct Times {
    /// Labels and names are looked for from here on.
    from_ms: i64,
    /// The window that is judged.
    window: Grid,
}

impl Times {
    /// The window of a stage, with so much time before its end.
    fn of(window: Grid, history_seconds: Option<u32>) -> Self {
        let history_ms =
            history_seconds.map_or(LOOKED_FOR_MS, |seconds| i64::from(seconds) * 1_000);
        let from_ms = window
            .end_ms()
            .saturating_sub(history_ms.max(LOOKED_FOR_MS));
        Self {
            from_ms: from_ms.min(window.start_ms()),
            window,
        }
    }
}

/// What was found out lately of selectors.
pub(super) type Lookups = Kept<SelectorFinding>;

impl Lookups {
    /// Finds out what a stage needs to know beside its counts, by the name of the metric.
    pub(super) async fn find_out(
        &self,
        room: &Arc<Room>,
        asked: Asked<'_>,
        data: &StageData,
    ) -> BTreeMap<String, SelectorFinding> {
        let populations = asked.part.populations.as_ref();
        let needed = needed(asked.pipeline(), asked.stage(), populations, data);
        if needed.is_empty() {
            return BTreeMap::new();
        }
        let times = Times::of(data.grid, asked.pipeline().analysis.history_seconds);
        let share = room.begin(ReadingOf::Stage);
        let mut tasks = JoinSet::new();
        for one in needed {
            let (source, share) = (Arc::clone(asked.sources.canary), Arc::clone(&share));
            let kept = self.of(key(source.name(), &one.lookup, times));
            tasks.spawn(async move {
                let looking = kept.get_or_try_init(|| look_up(&source, &one.lookup, times, &share));
                let found = match looking.await {
                    Ok(found) => found.clone(),
                    Err(fault) => SelectorFinding::Unknown(fault),
                };
                (one.metric, found)
            });
        }
        let found = tasks.join_all().await;
        found.into_iter().collect()
    }
}

/// What a lookup is kept by. The window's start counts, since a canary's series are looked for in it.
fn key(source: &str, lookup: &Lookup, times: Times) -> Name {
    let part = times.window.end_ms().div_euclid(KEPT_MS);
    // It says everything that is looked for.
    let what = format!("{lookup:?}");
    Name::of(&(source, what, part, times.window.start_ms()))
}

/// Asks until it is found out. A fault that asking again would not change is a finding as well.
///
/// # Errors
///
/// A fault after which it is worth to ask again.
async fn look_up(
    source: &Source,
    lookup: &Lookup,
    times: Times,
    share: &Arc<Share>,
) -> Result<SelectorFinding, DataFault> {
    let looking = timeout(LONGEST, steps(source, lookup, times, share));
    let fault = match looking.await {
        Ok(Ok(found)) => return Ok(found),
        Ok(Err(fault)) => fault,
        Err(_elapsed) => DataFault {
            code: FaultCode::StillCollecting,
            message: format!("no answer within {} s", LONGEST.as_secs()),
        },
    };
    if fault.code.is_transient() {
        Err(fault)
    } else {
        Ok(SelectorFinding::Unknown(fault))
    }
}

async fn steps(
    source: &Source,
    lookup: &Lookup,
    times: Times,
    share: &Arc<Share>,
) -> Result<SelectorFinding, DataFault> {
    let mut answers = Vec::new();
    loop {
        match lookup.next(&answers).map_err(|error| unwritten(&error))? {
            Step::Found(found) => return Ok(found),
            Step::Ask(ask) => answers.push(answer(source, ask, times, share).await?),
        }
    }
}

async fn propose(
    source: &Source,
    proposal: &Proposal,
    times: Times,
    share: &Arc<Share>,
) -> Result<Option<Looked>, DataFault> {
    let mut answers = Vec::new();
    loop {
        let next = proposal.next(&answers);
        match next.map_err(|error| unwritten(&error))? {
            ProposalStep::Say(said) => return Ok(said),
            ProposalStep::Ask(ask) => answers.push(answer(source, ask, times, share).await?),
        }
    }
}

/// The question was written of parts that were written before, so this does not happen.
fn unwritten(error: &QueryError) -> DataFault {
    DataFault {
        code: FaultCode::SourceRejectedQuery,
        message: error.to_string(),
    }
}

async fn answer(
    source: &Source,
    ask: Ask,
    times: Times,
    share: &Arc<Share>,
) -> Result<Vec<String>, DataFault> {
    let index = |of, selectors| IndexQuestion {
        of,
        selectors,
        start_ms: times.from_ms,
        end_ms: times.window.end_ms(),
    };
    let question = match ask {
        Ask::LabelNames { selector } => index(IndexOf::LabelNames, vec![selector]),
        Ask::LabelValues { label, selectors } => index(IndexOf::ValuesOf(label), selectors),
        Ask::AnySeries { selector } => return any_series(source, &selector, times, share).await,
    };
    Ok(source.ask_index(&question, share).await?)
}

/// By a query and not by the index, which keeps blocks of hours: the series of an earlier canary would
/// be among them.
async fn any_series(
    source: &Source,
    selector: &str,
    times: Times,
    share: &Arc<Share>,
) -> Result<Vec<String>, DataFault> {
    let window_ms = times.window.end_ms() - times.window.start_ms();
    let seconds = (window_ms / 1_000 + i64::from(window_ms % 1_000 != 0)).max(1);
    let question = Question {
        promql: series_count(selector, seconds).map_err(|error| unwritten(&error))?,
        at: QuestionTime::Instant {
            at_ms: times.window.end_ms(),
        },
    };
    let answer = source.ask(&question, share).await?;
    let found: Vec<String> = answer.series.iter().map(|_| "yes".to_owned()).collect();
    match answer.annotations.iter().find_map(Annotation::partial) {
        Some(message) if found.is_empty() => Err(SourceFault {
            code: FaultCode::PartialData,
            message: message.to_owned(),
        }
        .into()),
        _ => Ok(found),
    }
}

impl Engine {
    /// Holds every selector of a pipeline against its source, over the last day, and its populations over the last
    /// minutes, and proposes a preset where a metric is not there. What the source does wrong is in what is said.
    ///
    /// # Errors
    ///
    /// [`AnalysisError`] for a source that is not known.
    pub(crate) async fn look_through(
        &self,
        pipeline: &Pipeline,
        populations: Populations<&Matchers>,
        source: Option<&str>,
    ) -> Result<Vec<Looked>, AnalysisError> {
        let name = source;
        let usual = name.or(pipeline.sources.default.as_deref());
        let now_ms = self.clock().now_ms();
        let times = Times {
            from_ms: now_ms.saturating_sub(LOOKED_FOR_MS),
            window: Grid::covering(now_ms.saturating_sub(LOOKED_FOR_MS), now_ms, 1_000),
        };
        let share = self.reader().room.begin(ReadingOf::Past);
        let lookups = of_file(pipeline, populations);
        let mut found = Vec::new();
        for one in &lookups {
            let source = self.source(one.source.as_deref().or(usual))?;
            match look_up(source, &one.lookup, times, &share).await {
                Ok(finding) => found.push(finding),
                Err(fault) => {
                    // Who does not answer is not asked for each of the others as well.
                    found.push(SelectorFinding::Unknown(fault));
                    break;
                }
            }
        }
        let found: Vec<_> = lookups.iter().zip(&found).collect();
        let mut said: Vec<Looked> = said_of_all(pipeline, &found);
        said.extend(not_looked_at(pipeline, populations));
        if !found
            .iter()
            .any(|(_, finding)| matches!(finding, SelectorFinding::Unknown(_)))
        {
            said.extend(self.look_at_populations(pipeline, populations, name).await);
        }
        said.dedup();
        if let (Some(proposal), Ok(source)) = (Proposal::of(found), self.source(usual)) {
            // Without an answer nothing is proposed: what is wrong has been told.
            let proposing = timeout(LONGEST, propose(source, &proposal, times, &share));
            said.extend(proposing.await.ok().and_then(Result::ok).flatten());
        }
        Ok(said)
    }
}
