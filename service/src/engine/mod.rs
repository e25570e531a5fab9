//! One analysis: plan the queries, ask them at once, judge the answers.

mod asked;
mod before;
mod budget;
mod chunks;
mod digest;
mod gather;
mod given;
mod guess;
mod history;
mod interval;
mod kept;
mod kept_histories;
mod late;
mod lookups;
mod past;
mod pieces;
mod reading;
mod seen_populations;
mod wanted_past;
mod window;

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;

use futures_util::future::join_all;
use serinus_analysis::data::{History, Purpose, StageData};
use serinus_analysis::judge::{Carried, StageVerdict, judge, judge_on};
use serinus_analysis::matchers::Matchers;
use serinus_analysis::parts::Part;
use serinus_analysis::pipeline::{Check, Pipeline, Stage};
use serinus_analysis::populations::not_apart;
use serinus_analysis::questions::QuestionError;
use serinus_analysis::series::{Grid, Populations};
use serinus_openapi::population::MAX_LABELS;

use crate::aside::aside;
use crate::clock::SharedClock;
use crate::prometheus::{ReadingOf, Room, Source, Sources};

use asked::Asked;
pub(crate) use before::{Before, MadeOf, Over, Stages, is_late};
use budget::read_error_budget;
pub(crate) use digest::digest;
pub(crate) use given::{Overlay, populations_of};
use history::Histories;
use interval::Scrapes;
use lookups::Lookups;
pub(crate) use past::{PastInput, PastReading, Reading};
use reading::Reader;
use window::Window;

/// What shall be analysed.
#[derive(Debug, Clone)]
pub(crate) struct AnalysisInput<'a> {
    /// The pipeline.
    pub pipeline: &'a Pipeline,
    /// One of its stages.
    pub stage: &'a Stage,
    /// The populations: what the caller gives, laid over the pipeline's own.
    pub populations: Populations<Matchers>,
    /// Start of the window in milliseconds since 1970; the stage's duration before the end when
    /// absent.
    pub start_ms: Option<i64>,
    /// End of the window in milliseconds since 1970; now less the lag when absent.
    pub end_ms: Option<i64>,
    /// The name of the source; the pipeline's, or the default when absent.
    pub source: Option<&'a str>,
    /// What for.
    pub purpose: Purpose,
    /// What else it is judged with.
    pub stages: Stages,
    /// What was kept of an earlier judgement of the same stage.
    pub carried: Option<Carried>,
}

/// Why an analysis cannot be made as it was asked for. The caller has to change something.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum AnalysisError {
    /// No source of that name is configured.
    #[error("unknown source {name:?}; configured are: {known}")]
    UnknownSource {
        /// The name asked for.
        name: String,
        /// The names configured.
        known: String,
    },
    /// The window makes no sense.
    #[error("{0}")]
    Window(String),
    /// The populations make no sense: one within the other, or a matcher that cannot be used.
    #[error("{0}")]
    Populations(String),
}

/// One query that was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct QueryRecord {
    /// The metrics it was asked for, `process start times`, or `error budget`.
    pub metric: String,
    /// The text as sent.
    pub promql: String,
    /// Series answered.
    pub series: usize,
    /// Samples answered.
    pub samples: usize,
}

/// What an analysis gave.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Analysis {
    /// The judge's answer.
    pub verdict: StageVerdict,
    /// The grid judged.
    pub grid: Grid,
    /// The queries asked, without those of the history.
    pub queries: Vec<QueryRecord>,
    /// `sha256:` and the digest of everything the verdict was computed from.
    pub digest: String,
    /// What was judged.
    pub data: Arc<StageData>,
    /// What is to be kept for the next judgement of the same stage.
    pub carried: Option<Carried>,
}

/// Makes analyses.
#[derive(Debug)]
pub(crate) struct Engine {
    clock: SharedClock,
    sources: Sources,
    reader: Arc<Reader>,
    histories: Arc<Histories>,
    lookups: Lookups,
    scrapes: Scrapes,
}

impl Engine {
    /// Returns an engine that reads the sources and takes "now" from the clock. All answers together
    /// have so much room.
    pub(crate) fn new(clock: SharedClock, sources: Sources, room: Arc<Room>) -> Self {
        Self {
            clock,
            sources,
            reader: Arc::new(Reader::new(room)),
            histories: Arc::default(),
            lookups: Lookups::default(),
            scrapes: Scrapes::default(),
        }
    }

    /// The clock.
    pub(crate) fn clock(&self) -> &SharedClock {
        &self.clock
    }

    /// Hears from the default source what time it is, if it answers.
    pub(crate) async fn hear_the_time(&self) {
        if let Some(source) = self.sources.get(None) {
            source.hear_the_time().await;
        }
    }

    /// Forgets what was read: it is read again where it is needed, and says the same.
    pub(crate) fn forget(&self) {
        self.reader.chunks.forget();
        self.lookups.forget();
        self.scrapes.forget();
        self.histories.forget();
    }

    /// The names of the sources.
    pub(crate) fn source_names(&self) -> impl Iterator<Item = &str> {
        self.sources.names()
    }

    /// Bytes of memory that answers of sources take now.
    pub(crate) fn answer_memory_bytes(&self) -> u64 {
        self.reader.room.taken_bytes()
    }

    /// Says whether the sources of an analysis are known.
    ///
    /// # Errors
    ///
    /// [`AnalysisError::UnknownSource`] tells those that are.
    pub(crate) fn check_sources(&self, input: &AnalysisInput<'_>) -> Result<(), AnalysisError> {
        for part in parts_of(input)? {
            self.sources_of(&part)?;
        }
        Ok(())
    }

    fn sources_of(&self, part: &Part<'_>) -> Result<Populations<&Arc<Source>>, AnalysisError> {
        Ok(Populations {
            control: self.source(part.sources.control.as_deref())?,
            canary: self.source(part.sources.canary.as_deref())?,
        })
    }

    /// The source of a name, or the default one.
    fn source(&self, name: Option<&str>) -> Result<&Arc<Source>, AnalysisError> {
        self.sources
            .get(name)
            .ok_or_else(|| AnalysisError::UnknownSource {
                name: name.unwrap_or_default().to_owned(),
                known: self.sources.names().collect::<Vec<_>>().join(", "),
            })
    }

    fn window(&self, input: &AnalysisInput<'_>) -> Result<Window, AnalysisError> {
        let settings = &input.pipeline.analysis;
        let now_ms = self.clock.now_ms();
        window::resolve(input.start_ms, input.end_ms, now_ms, settings, input.stage)
    }

    fn reader(&self) -> &Reader {
        &self.reader
    }

    /// Analyses one stage over one window. What the source does wrong is a `hold` in the answer,
    /// not an error.
    ///
    /// # Errors
    ///
    /// [`AnalysisError`] says what the caller must change.
    pub(crate) async fn analyse(
        &self,
        input: &AnalysisInput<'_>,
    ) -> Result<Analysis, AnalysisError> {
        let populations = input.populations.as_ref();
        let at_ms = self.began_ms(input)?;
        let settling = self.with_interval(input.pipeline, populations, input.source, at_ms);
        let (pipeline, stages) = match settling.await {
            Ok(settled) => (settled, input.stages.clone()),
            Err(fault) => (Cow::Borrowed(input.pipeline), Stages::Unknown(fault)),
        };
        let settled = AnalysisInput {
            pipeline: &pipeline,
            stages: Stages::Alone,
            ..input.clone()
        };
        let stages = self.read_stages_before(&settled, stages).await?;
        self.analyse_settled(&AnalysisInput { stages, ..settled })
            .await
    }

    async fn analyse_settled(&self, input: &AnalysisInput<'_>) -> Result<Analysis, AnalysisError> {
        let (mut data, queries) = self.read(input).await?;
        let (pipeline, stage) = (Arc::new(input.pipeline.clone()), input.stage.clone());
        let carried = input.carried.clone();
        let before = match &input.stages {
            Stages::Alone => None,
            Stages::After(before) => Some(Arc::clone(before)),
            Stages::Before(_) => Some(Arc::new(Before::nothing(input.pipeline))),
            Stages::Unknown(fault) => {
                data.history = History::Late(fault.clone());
                Some(Arc::new(Before::nothing(input.pipeline)))
            }
        };
        let analysis = aside(move || {
            let made_of = before.as_deref().map_or(&[][..], |before| &before.made_of);
            let (verdict, carried) = match before.as_deref() {
                Some(before) => judge_on(&before.course, carried, &pipeline, &stage, &data),
                None => (judge(&pipeline, &stage, &data), None),
            };
            Analysis {
                verdict,
                grid: data.grid,
                queries,
                digest: digest(&pipeline, &stage, &data, made_of),
                data: Arc::new(data),
                carried,
            }
        });
        Ok(analysis.await)
    }

    /// Reads the data of a stage over a window.
    ///
    /// # Errors
    ///
    /// As [`Self::analyse`].
    pub(crate) async fn read(
        &self,
        input: &AnalysisInput<'_>,
    ) -> Result<(StageData, Vec<QueryRecord>), AnalysisError> {
        let (pipeline, stage) = (input.pipeline, input.stage);
        let Window {
            grid,
            starts_with_stage,
        } = self.window(input)?;
        check_populations(input)?;
        let parts = parts_of(input)?;
        let mut asked = Vec::with_capacity(parts.len());
        for part in &parts {
            let sources = self.sources_of(part)?;
            asked.push(Asked { sources, part });
        }
        let source = self.source(input.source.or(pipeline.sources.default.as_deref()))?;
        let share = self.reader.room.begin(ReadingOf::Stage);
        let (read, budget) = tokio::join!(
            join_all(asked.iter().map(|asked| self.read_part(*asked, grid))),
            read_error_budget((source, pipeline, stage), grid, &share)
        );
        drop(share);
        let mut whole: Option<StageData> = None;
        let mut queries = Vec::new();
        for read in read {
            let (data, of_part) = read?;
            queries.extend(of_part);
            match &mut whole {
                Some(whole) => whole.absorb(data),
                None => whole = Some(data),
            }
        }
        // A stage has at least one part.
        let mut data = whole.unwrap_or_else(|| StageData::empty(grid));
        data.starts_with_stage = starts_with_stage;
        data.purpose = input.purpose;
        if let Some((read, asked_for_it)) = budget? {
            data.error_budget = Some(read);
            queries.extend(asked_for_it);
        }
        Ok((data, queries))
    }

    /// Reads a part of a stage, and what is to be known beside.
    async fn read_part(
        &self,
        asked: Asked<'_>,
        grid: Grid,
    ) -> Result<(StageData, Vec<QueryRecord>), AnalysisError> {
        let (mut data, queries) = self.reader.gather(asked, grid).await?;
        let (pipeline, stage) = (Arc::new(asked.pipeline().clone()), asked.stage().clone());
        let judged = (&pipeline, &stage);
        let control = &asked.part.populations.control;
        let (selectors, past) = tokio::join!(
            self.lookups.find_out(&self.reader.room, asked, &data),
            self.histories
                .of(&self.reader, asked.sources.control, judged, control, &data)
        );
        data.findings.selectors = selectors;
        data.history = past.history;
        data.pods_before = past.pods;
        data.gauges_before = past.gauges;
        if let Some(region) = &asked.part.region {
            data = data.of_region(region);
        }
        Ok((data, queries))
    }
}

/// The parts of what shall be analysed.
fn parts_of<'a>(input: &AnalysisInput<'a>) -> Result<Vec<Part<'a>>, AnalysisError> {
    let populations = input.populations.as_ref();
    Part::of_stage(input.pipeline, input.stage, populations, input.source).map_err(|errors| {
        let messages: Vec<String> = errors.iter().map(ToString::to_string).collect();
        AnalysisError::Populations(messages.join("; "))
    })
}

/// Refuses populations that would make a verdict about something else than the canary.
///
/// # Errors
///
/// [`AnalysisError::Populations`] says what to give.
pub(crate) fn check_populations(input: &AnalysisInput<'_>) -> Result<(), AnalysisError> {
    let Populations { control, canary } = &input.populations;
    let wrong = |message: &str| Err(AnalysisError::Populations(message.to_owned()));
    for (name, matchers) in [("control", control), ("canary", canary)] {
        let labels: BTreeSet<&str> = matchers.iter().map(|one| one.label.as_str()).collect();
        if labels.len() > MAX_LABELS {
            return wrong(&format!(
                "the {name} names {} labels, the pipeline's own included, more than {MAX_LABELS}: \
                 name fewer",
                labels.len()
            ));
        }
    }
    // A metric may tell the populations apart itself: what is read of each is looked at.
    let mut parts = parts_of(input)?.into_iter();
    parts.try_for_each(|part| check_part(&part))
}

fn check_part(part: &Part<'_>) -> Result<(), AnalysisError> {
    let Populations { control, canary } = &part.populations;
    let wrong = |message: &str| Err(AnalysisError::Populations(message.to_owned()));
    if canary.is_empty() {
        return wrong(
            "nothing selects the canary, so everything would be judged: give `canary`, such as \
             {\"track\": \"canary\"}",
        );
    }
    if control.is_empty() && part.stage.checks.iter().any(Check::is_relative) {
        return wrong(
            "nothing selects the control, so the canary would be compared with everything: give \
             `control`, such as {\"track\": \"stable\"}",
        );
    }
    // What is on another server is another population.
    let told = (!part.is_apart()).then(|| not_apart(part.populations.as_ref()));
    match told.flatten() {
        Some(message) => wrong(&message),
        None => Ok(()),
    }
}

impl From<Vec<QuestionError>> for AnalysisError {
    fn from(errors: Vec<QuestionError>) -> Self {
        let messages: Vec<String> = errors.iter().map(ToString::to_string).collect();
        Self::Populations(messages.join("; "))
    }
}

#[cfg(test)]
mod tests;
