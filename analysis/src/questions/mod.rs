//! Which questions to ask for a stage, and what their answers say.
//!
//! A [`StageQuestions`] is made from the pipeline, the stage, the populations and the grid; it lists every
//! query once, however many checks need it. The answers, in the order of the questions, become
//! the [`StageData`] that the judge reads. Both directions are pure: the network is between them.

mod annotation;
mod assemble;
mod chunk;
mod control;
mod question;
mod reading;
mod split;
mod unaskable;

use std::collections::BTreeMap;

use crate::data::{DataFault, StageData};
use crate::matchers::Matchers;
use crate::parts::Part;
use crate::pipeline::{Check, MetricKind, Pipeline, Selection, Stage};
use crate::query::{self, Narrowing, QueryError};
use crate::series::{
    Grid, Population, Populations, Sampling, Series, TargetLabels, affordable_step_ms, fine_step_ms,
};

pub use annotation::Annotation;
pub use chunk::{Chunk, ChunkData};
pub use question::{MetricQuestion, QuestionTime};
use question::{Questions, overlapping_pieces, pieces};
use reading::{Reading, Source};
pub use unaskable::unaskable;

/// How long before the grid the scrapes are asked for where counters are read at instants: as long as
/// Prometheus repeats a sample, so that the scrape behind the first value is among them.
const LOOKBACK_SECONDS: i64 = 300;

/// How long before the grid samples are read, so that the scrape before its start is among them: of
/// targets that are scraped once a minute, with half a minute of delay.
const SAMPLES_BEFORE_MS: i64 = 90_000;

/// Most of the time that one question for samples covers.
const SAMPLES_PIECE_MS: i64 = 30 * 60_000;

/// Most instants at which one counter is read over the whole window: twenty queries of the longest
/// that a Prometheus answers.
const MOST_INSTANTS: usize = 200_000;

/// The share of the traffic from which on nothing is left for the control, in percent.
const ALL_TRAFFIC_PERCENT: f64 = 100.0;

/// What came back for one question: the series with what the source said beside its answer, or why
/// there is no answer.
pub type Answered = Result<(Vec<Series>, Vec<Annotation>), DataFault>;

/// Why a stage cannot be asked about. The caller has to change the pipeline or the populations.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum QuestionError {
    /// The query of a metric cannot be written for these populations.
    #[error("cannot ask for metric {metric:?}: {error}")]
    Metric {
        /// The name.
        metric: String,
        /// What to change.
        error: QueryError,
    },
    /// The matchers of a population cannot be used.
    #[error("cannot use the matchers of the {population}: {error}")]
    Matchers {
        /// `control` or `canary`.
        population: &'static str,
        /// What to change.
        error: QueryError,
    },
}

/// The questions of a stage, and how to read their answers.
#[derive(Debug, Clone, PartialEq)]
pub struct StageQuestions {
    grid: Grid,
    form: Form,
    target_labels: TargetLabels,
    canary_percent: f64,
    questions: Questions,
    readings: BTreeMap<ReadingKey, Reading>,
    metrics: BTreeMap<String, MetricKind>,
    /// By metric, what tells its events from the other series of its total, where they are some of them
    /// and can be told apart.
    telling: BTreeMap<String, Narrowing>,
    /// The absolute limits of each metric, in base units: a native histogram has no bounds of its
    /// own, so it is counted at these.
    limits: BTreeMap<String, Vec<f64>>,
}

/// In which form counters are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Every sample of every series, as it was scraped.
    Samples,
    /// The sum of each target at the instants of a step: of a long past, or where there are too many
    /// series. A fall of one series is not seen.
    Sums {
        /// The distance of the instants, in milliseconds.
        step_ms: i64,
    },
}

/// What a reading is of. Two metrics with the same text share it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum ReadingKey {
    Heartbeats,
    /// When each series of a counter or of a histogram's buckets was created, as its process says.
    Created(Selection),
    Counter(Selection),
    Histogram(Selection),
    NativeHistogram(Selection),
    /// An expression, by its values at the ends of intervals.
    Gauge(Selection),
    /// A selector, by its samples.
    GaugeSamples(Selection),
}

/// What one text reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum ReadingKind {
    Heartbeats,
    Created,
    Counter,
    Histogram,
    NativeHistogram,
    Gauge,
    GaugeSamples,
}

impl ReadingKey {
    fn kind(&self) -> ReadingKind {
        match self {
            Self::Heartbeats => ReadingKind::Heartbeats,
            Self::Created(_) => ReadingKind::Created,
            Self::Counter(_) => ReadingKind::Counter,
            Self::Histogram(_) => ReadingKind::Histogram,
            Self::NativeHistogram(_) => ReadingKind::NativeHistogram,
            Self::Gauge(_) => ReadingKind::Gauge,
            Self::GaugeSamples(_) => ReadingKind::GaugeSamples,
        }
    }

    /// What is asked for of each population, text by text.
    fn texts(&self) -> Populations<Vec<String>> {
        match self {
            // There is nothing to say of whose starts are asked for but the matchers.
            Self::Heartbeats => Populations {
                control: vec![String::new()],
                canary: vec![String::new()],
            },
            Self::Created(selection)
            | Self::Counter(selection)
            | Self::Histogram(selection)
            | Self::NativeHistogram(selection)
            | Self::Gauge(selection)
            | Self::GaugeSamples(selection) => selection.texts().map(<[String]>::to_vec),
        }
    }
}

/// What a text was written for: what is read by which text of the file, the matchers, the labels that tell
/// targets apart and the others it is grouped by, and the length of the window where that matters.
type TextName = (
    ReadingKind,
    String,
    Matchers,
    TargetLabels,
    Vec<String>,
    Option<i64>,
);

/// Queries that were written before. The same question always has the same text.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct QueryTexts {
    texts: BTreeMap<TextName, String>,
    /// How one selector narrows another, by their texts.
    narrowings: BTreeMap<(String, String), Option<Narrowing>>,
}

impl QueryTexts {
    /// Most texts that are kept; beyond, all are forgotten and written again.
    const MOST_TEXTS: usize = 4_096;

    fn remember(&mut self, name: TextName, text: &str) {
        if self.texts.len() >= Self::MOST_TEXTS {
            self.texts.clear();
        }
        self.texts.insert(name, text.to_owned());
    }

    fn narrowing(&mut self, wider: &str, narrower: &str) -> Option<Narrowing> {
        if self.narrowings.len() >= Self::MOST_TEXTS {
            self.narrowings.clear();
        }
        let names = (wider.to_owned(), narrower.to_owned());
        let known = self.narrowings.entry(names);
        known
            .or_insert_with(|| Narrowing::of(wider, narrower))
            .clone()
    }
}

impl StageQuestions {
    /// Plans the questions for a stage.
    ///
    /// Asked for are the metrics of the stage's checks and of the pipeline's kill switches, and
    /// those that an impact is of. `populations` select control and canary; the stage's regions
    /// are added. A step of `form` that does not divide the interval is replaced by its default (see
    /// [`fine_step_ms`]), and one that is too fine for a long window by one that is not.
    ///
    /// Where one label tells the populations apart, one query at the same instants answers for
    /// both. At 100 % of the traffic there is no control, and it is not asked for. An empty grid
    /// asks nothing.
    ///
    /// # Errors
    ///
    /// Everything that the caller has to change, at once.
    pub fn new(
        pipeline: &Pipeline,
        stage: &Stage,
        populations: Populations<&Matchers>,
        grid: Grid,
        form: Form,
    ) -> Result<Self, Vec<QuestionError>> {
        let mut texts = QueryTexts::default();
        let whole = Part::whole(pipeline, stage, populations);
        Self::with_texts(&whole, grid, form, &mut texts)
    }

    /// As [`StageQuestions::new`], for a part of a stage, with texts that were written before: parsing and
    /// printing PromQL takes longer than all the rest of a plan.
    ///
    /// # Errors
    ///
    /// As [`StageQuestions::new`].
    pub fn with_texts(
        part: &Part<'_>,
        grid: Grid,
        form: Form,
        texts: &mut QueryTexts,
    ) -> Result<Self, Vec<QuestionError>> {
        let (pipeline, stage) = (&*part.pipeline, &*part.stage);
        let populations = part.populations.as_ref();
        let errors = matcher_errors(populations);
        if !errors.is_empty() {
            return Err(errors);
        }
        let form = form.usable(&grid);
        let mut plan = Self {
            grid,
            form,
            target_labels: pipeline.target_labels.clone(),
            canary_percent: stage.traffic_percent,
            questions: Questions::default(),
            readings: BTreeMap::new(),
            metrics: measured(stage.checks.iter().chain(&pipeline.kill_switch)),
            telling: BTreeMap::new(),
            limits: absolute_limits(stage.checks.iter().chain(&pipeline.kill_switch)),
        };
        plan.telling = plan.telling(texts);
        if grid.intervals() > 0 {
            let mut asker = Asker::new(part, (grid, form), texts);
            plan.ask(&mut asker)?;
        }
        Ok(plan)
    }

    /// The questions, each once, in a fixed order.
    pub fn questions(&self) -> &[MetricQuestion] {
        self.questions.as_slice()
    }

    /// The form in which counters are read.
    pub fn form(&self) -> Form {
        self.form
    }

    fn sampling(&self) -> Sampling {
        match self.form {
            Form::Samples => Sampling::Scrapes {
                from_ms: samples_from_ms(&self.grid),
            },
            Form::Sums { step_ms } => Sampling::Instants { step_ms },
        }
    }

    /// Puts the answers together. `answers` are in the order of [`StageQuestions::questions`]; one that is
    /// missing is one that was not ready in time.
    ///
    /// A fault of a question is a fault of each metric that needs it. The canary must have series
    /// of every metric, but may have none of the events of a proportion: a healthy service has no
    /// failed requests. The heartbeats may be missing: what they would tell is then taken from
    /// the counters as far as possible. The window is taken to start with the stage; who knows
    /// better says so in [`StageData::starts_with_stage`]. What the source said about its answers, and a fault of the
    /// heartbeats, is told as a warning of every metric concerned.
    pub fn assemble(&self, answers: &[Answered]) -> StageData {
        assemble::assemble(self, answers)
    }

    /// The usual time between two scrapes, in milliseconds, as the answers tell it: the shorter
    /// of both populations'. It makes the next plan's step ([`fine_step_ms`]).
    pub fn scrape_period_ms(&self, answers: &[Answered]) -> Option<i64> {
        let heartbeats = assemble::heartbeats(self, answers)?;
        assemble::scrape_period_ms(heartbeats.as_ref())
    }

    /// What tells events from the other series of their totals. Sums do not tell their series apart.
    fn telling(&self, texts: &mut QueryTexts) -> BTreeMap<String, Narrowing> {
        if self.form != Form::Samples {
            return BTreeMap::new();
        }
        let shares = self.metrics.iter().filter_map(|(name, kind)| match kind {
            MetricKind::Proportion { events, total, .. } => Some((
                name.clone(),
                texts.narrowing(total.only()?, events.only()?)?,
            )),
            MetricKind::EventRate { .. }
            | MetricKind::Quantile { .. }
            | MetricKind::Gauge { .. }
            | MetricKind::PerRequest { .. } => None,
        });
        shares.collect()
    }

    fn ask(&mut self, asker: &mut Asker<'_>) -> Result<(), Vec<QuestionError>> {
        let mut errors = Vec::new();
        for (metric, kind) in self.metrics.clone() {
            for key in reading_keys(&kind, self.form) {
                if let Err(error) = self.read(asker, &metric, &key) {
                    errors.push(QuestionError::Metric {
                        metric: metric.clone(),
                        error,
                    });
                }
            }
        }
        if errors.is_empty() {
            Ok(())
        } else {
            Err(errors)
        }
    }

    /// Adds a reading that a metric needs.
    fn read(
        &mut self,
        asker: &mut Asker<'_>,
        metric: &str,
        key: &ReadingKey,
    ) -> Result<(), QueryError> {
        if !self.readings.contains_key(key) {
            let reading = asker.reading(key, &self.readings, &mut self.questions)?;
            let is_whole = reading.is_whole();
            self.readings.insert(key.clone(), reading);
            if let (ReadingKey::Counter(selector) | ReadingKey::Histogram(selector), Form::Samples) =
                (key, self.form)
                && is_whole
            {
                self.read(asker, metric, &ReadingKey::Created(selector.clone()))?;
            }
        }
        if let Some(reading) = self.readings.get(key) {
            for questions in reading.questions() {
                self.questions.serve(questions, metric);
            }
        }
        Ok(())
    }
}

/// Writes the questions of readings.
struct Asker<'a> {
    texts: &'a mut QueryTexts,
    target_labels: &'a TargetLabels,
    /// Whether the populations are on servers of their own.
    is_apart: bool,
    populations: Populations<Matchers>,
    combined: Option<query::Combined>,
    /// Which populations are asked for.
    asks: Populations<bool>,
    grid: Grid,
    form: Form,
    /// Length of the pieces that a long past is read in; nothing for a window that is read as a
    /// whole.
    piece_ms: Option<i64>,
}

impl<'a> Asker<'a> {
    fn new(part: &'a Part<'_>, (grid, form): (Grid, Form), texts: &'a mut QueryTexts) -> Self {
        let (pipeline, stage) = (&*part.pipeline, &*part.stage);
        let region = query::region_matcher(&pipeline.region_label, &stage.regions);
        let populations = part.populations.as_ref().map(|matchers| {
            let mut matchers = matchers.clone();
            matchers.extend(region.clone());
            matchers
        });
        let is_apart = part.is_apart();
        let has_control = stage.traffic_percent < ALL_TRAFFIC_PERCENT;
        let labels = &pipeline.target_labels;
        let combined = (has_control && !is_apart)
            .then(|| query::combine(&populations.control, &populations.canary, labels))
            .flatten();
        Self {
            texts,
            target_labels: labels,
            is_apart,
            populations,
            combined,
            asks: Populations {
                control: has_control,
                canary: true,
            },
            grid,
            form,
            piece_ms: None,
        }
    }

    fn reading(
        &mut self,
        key: &ReadingKey,
        known: &BTreeMap<ReadingKey, Reading>,
        questions: &mut Questions,
    ) -> Result<Reading, QueryError> {
        let times = self.times(key);
        let texts = key.texts();
        let mut reading = Reading {
            is_native: matches!(key, ReadingKey::NativeHistogram(_)),
            ..Reading::default()
        };
        for population in [Population::Control, Population::Canary] {
            if !*self.asks.get(population) {
                continue;
            }
            let mut shown = Vec::new();
            for text in texts.get(population) {
                let source = match self.among(key, text, known, population)? {
                    Some(among) => among,
                    None => self.source(key, text, &texts, population, (&times, questions))?,
                };
                shown.push(source.promql.clone());
                reading.sources.get_mut(population).push(source);
            }
            *reading.promql.get_mut(population) = shown.join(" + ");
        }
        Ok(reading)
    }

    /// Asks for one text of a population, together with the other population where both have it and one
    /// label tells them apart.
    fn source(
        &mut self,
        key: &ReadingKey,
        text: &str,
        texts: &Populations<Vec<String>>,
        population: Population,
        (times, questions): (&[QuestionTime], &mut Questions),
    ) -> Result<Source, QueryError> {
        let is_of_both = texts.control.iter().any(|one| one == text)
            && texts.canary.iter().any(|one| one == text);
        // The values of an expression need not have the label that tells the populations apart.
        let combined = self.combined.clone();
        let combined = combined.filter(|_| is_of_both && !matches!(key, ReadingKey::Gauge(_)));
        // One that leaves out a population is told of that one.
        let combined = combined.and_then(|combined| {
            let value = match population {
                Population::Control => combined.control_value,
                Population::Canary => combined.canary_value,
            };
            let promql = self.text(key, text, &combined.matchers, &[&combined.label]);
            Some((promql.ok()?, Some((combined.label, value))))
        });
        let (promql, told_by) = if let Some(combined) = combined {
            combined
        } else {
            let matchers = self.populations.get(population).clone();
            (self.text(key, text, &matchers, &[])?, None)
        };
        let of = self.is_apart.then_some(population);
        Ok(Source {
            questions: questions.ask((&promql, of), times),
            promql,
            told_by,
            narrowing: None,
        })
    }

    /// A counter that is some of the series of another one that is read: those need not be asked for
    /// again. Sums do not tell their series apart.
    fn among(
        &mut self,
        key: &ReadingKey,
        text: &str,
        known: &BTreeMap<ReadingKey, Reading>,
        population: Population,
    ) -> Result<Option<Source>, QueryError> {
        let (ReadingKey::Counter(_), Form::Samples) = (key, self.form) else {
            return Ok(None);
        };
        for (other, reading) in known {
            let ReadingKey::Counter(selection) = other else {
                continue;
            };
            let texts = selection.texts();
            let wider = texts
                .get(population)
                .iter()
                .zip(reading.sources.get(population));
            for (wider, source) in wider.filter(|(_, source)| source.narrowing.is_none()) {
                if let Some(narrowing) = self.texts.narrowing(wider, text) {
                    let matchers = self.populations.get(population).clone();
                    return Ok(Some(Source {
                        promql: self.text(key, text, &matchers, &[])?,
                        narrowing: Some(narrowing),
                        ..source.clone()
                    }));
                }
            }
        }
        Ok(None)
    }

    fn times(&self, key: &ReadingKey) -> Vec<QuestionTime> {
        let grid = &self.grid;
        let step_ms = match (key, self.form) {
            (ReadingKey::Gauge(_), _) => {
                return pieces(grid.boundary_ms(1), grid.end_ms(), grid.interval_ms());
            }
            (_, Form::Samples) => return SamplePieces::of(grid).times(),
            (_, Form::Sums { step_ms }) => step_ms,
        };
        if let Some(piece_ms) = self.piece_ms {
            let ranges = overlapping_pieces(grid.start_ms(), grid.end_ms(), step_ms, piece_ms);
            return match key {
                ReadingKey::Heartbeats => ranges.iter().map(|range| range.at_its_end()).collect(),
                _ => ranges,
            };
        }
        match key {
            ReadingKey::Heartbeats => vec![QuestionTime::Instant {
                at_ms: grid.end_ms(),
            }],
            _ => pieces(grid.start_ms(), grid.end_ms(), step_ms),
        }
    }

    /// How much of the past one question for samples covers, in seconds; nothing where a key is not
    /// read so.
    fn seconds(&self, key: &ReadingKey) -> Option<i64> {
        match (key, self.form) {
            (ReadingKey::Gauge(_), _) => None,
            (_, Form::Samples) => Some(SamplePieces::of(&self.grid).seconds),
            (ReadingKey::Heartbeats, Form::Sums { .. }) => {
                let whole_ms = || self.grid.end_ms().saturating_sub(self.grid.start_ms());
                let window_ms = self.piece_ms.unwrap_or_else(whole_ms);
                Some(seconds_of(window_ms).saturating_add(LOOKBACK_SECONDS))
            }
            (_, Form::Sums { .. }) => None,
        }
    }

    /// The text of a query: one written before, or a new one.
    fn text(
        &mut self,
        key: &ReadingKey,
        text: &str,
        matchers: &Matchers,
        group_by: &[&str],
    ) -> Result<String, QueryError> {
        let groups: Vec<String> = group_by.iter().map(|&label| label.to_owned()).collect();
        // What samples are asked for depends on the window's length, too.
        let seconds = self.seconds(key);
        let labels = self.target_labels.clone();
        let (kind, of) = (key.kind(), text.to_owned());
        let name = (kind, of, matchers.clone(), labels, groups, seconds);
        if let Some(promql) = self.texts.texts.get(&name) {
            return Ok(promql.clone());
        }
        let promql = self.write(kind, text, matchers, (group_by, seconds))?;
        self.texts.remember(name, &promql);
        Ok(promql)
    }

    fn write(
        &self,
        kind: ReadingKind,
        text: &str,
        matchers: &Matchers,
        (group_by, seconds): (&[&str], Option<i64>),
    ) -> Result<String, QueryError> {
        let labels = self.target_labels;
        match (kind, seconds) {
            (ReadingKind::Heartbeats, seconds) => {
                query::process_starts(matchers, seconds.unwrap_or(LOOKBACK_SECONDS))
            }
            (ReadingKind::Created, seconds) => {
                query::created_samples(text, matchers, seconds.unwrap_or(LOOKBACK_SECONDS))
            }
            (ReadingKind::Counter, Some(seconds)) => {
                query::counter_samples(text, matchers, seconds)
            }
            (ReadingKind::Counter, None) => {
                query::counter_per_target(text, matchers, labels, group_by)
            }
            (ReadingKind::Histogram, Some(seconds)) => {
                query::histogram_samples(text, matchers, seconds)
            }
            (ReadingKind::Histogram, None) => {
                query::histogram_per_target(text, matchers, labels, group_by)
            }
            (ReadingKind::NativeHistogram, Some(seconds)) => {
                query::native_histogram_samples(text, matchers, seconds)
            }
            (ReadingKind::NativeHistogram, None) => {
                query::native_histogram_per_target(text, matchers, labels, group_by)
            }
            (ReadingKind::GaugeSamples, Some(seconds)) => {
                query::gauge_samples(text, matchers, seconds)
            }
            (ReadingKind::Gauge | ReadingKind::GaugeSamples, _) => {
                query::gauge_values(text, matchers)
            }
        }
    }
}

/// The time from which on the samples of a grid are read, exclusive.
fn samples_from_ms(grid: &Grid) -> i64 {
    let interval_and_half_ms = grid.interval_ms().saturating_mul(3) / 2;
    grid.start_ms()
        .saturating_sub(SAMPLES_BEFORE_MS.max(interval_and_half_ms))
}

/// The questions for the samples of a grid: of equal length, one after the other, the last ending
/// with the grid.
struct SamplePieces {
    end_ms: i64,
    count: i64,
    seconds: i64,
}

impl SamplePieces {
    fn of(grid: &Grid) -> Self {
        let all_ms = grid.end_ms().saturating_sub(samples_from_ms(grid)).max(1);
        let count = all_ms.div_euclid(SAMPLES_PIECE_MS) + i64::from(all_ms % SAMPLES_PIECE_MS != 0);
        let piece_ms = all_ms / count + i64::from(all_ms % count != 0);
        Self {
            end_ms: grid.end_ms(),
            count,
            seconds: seconds_of(piece_ms),
        }
    }

    fn times(&self) -> Vec<QuestionTime> {
        let before = (0..self.count).rev();
        let at = before.map(|before| self.end_ms.saturating_sub(before * self.seconds * 1_000));
        at.map(|at_ms| QuestionTime::Instant { at_ms }).collect()
    }
}

/// Whole seconds that cover a time.
fn seconds_of(time_ms: i64) -> i64 {
    time_ms / 1_000 + i64::from(time_ms % 1_000 != 0)
}

impl Form {
    /// The same with a step that a grid can be read at.
    fn usable(self, grid: &Grid) -> Self {
        match self {
            Self::Samples => Self::Samples,
            Self::Sums { step_ms } => Self::Sums {
                step_ms: usable_step_ms(grid, step_ms),
            },
        }
    }
}

/// The step at which counters are read: the one asked for, unless it does not divide the interval
/// or is too fine for a long window.
fn usable_step_ms(grid: &Grid, step_ms: i64) -> i64 {
    let divides = step_ms > 0 && grid.interval_ms() % step_ms == 0;
    let step_ms = if divides {
        step_ms
    } else {
        fine_step_ms(grid.interval_ms(), None)
    };
    affordable_step_ms(grid, step_ms, MOST_INSTANTS)
}

/// What is read for a gauge: samples as they were scraped, where its expression is a selector by itself.
fn gauge_key(expression: &Selection, form: Form) -> ReadingKey {
    let texts = expression.texts();
    let mut all = texts.control.iter().chain(texts.canary);
    match form {
        Form::Samples if all.all(|text| query::is_selector(text)) => {
            ReadingKey::GaugeSamples(expression.clone())
        }
        Form::Samples | Form::Sums { .. } => ReadingKey::Gauge(expression.clone()),
    }
}

/// What is read for a metric.
fn reading_keys(kind: &MetricKind, form: Form) -> Vec<ReadingKey> {
    let counter = |selection: &Selection| ReadingKey::Counter(selection.clone());
    match kind {
        MetricKind::Proportion { events, total, .. } => {
            // The total first: its answer may hold the events.
            vec![counter(total), counter(events), ReadingKey::Heartbeats]
        }
        MetricKind::EventRate { events, .. } => vec![counter(events), ReadingKey::Heartbeats],
        MetricKind::Quantile {
            histogram,
            is_native,
            ..
        } => vec![histogram_key(histogram, *is_native), ReadingKey::Heartbeats],
        MetricKind::Gauge {
            expression, load, ..
        } => {
            let mut keys = vec![gauge_key(expression, form), ReadingKey::Heartbeats];
            keys.extend(load.iter().map(counter));
            keys
        }
        MetricKind::PerRequest {
            counter: used,
            total,
        } => vec![counter(total), counter(used), ReadingKey::Heartbeats],
    }
}

/// What is read for a histogram.
fn histogram_key(histogram: &Selection, is_native: bool) -> ReadingKey {
    if is_native {
        ReadingKey::NativeHistogram(histogram.clone())
    } else {
        ReadingKey::Histogram(histogram.clone())
    }
}

/// The limits by which checks and kill switches hold each metric against a number.
fn absolute_limits<'a>(checks: impl IntoIterator<Item = &'a Check>) -> BTreeMap<String, Vec<f64>> {
    let mut limits = BTreeMap::<String, Vec<f64>>::new();
    for check in checks {
        if let Some(limit) = check.limit.absolute_value() {
            let of_metric = limits.entry(check.measured.name.clone()).or_default();
            of_metric.push(limit);
        }
    }
    limits
}

/// What some checks measure, by name.
fn measured<'c>(checks: impl IntoIterator<Item = &'c Check>) -> BTreeMap<String, MetricKind> {
    checks
        .into_iter()
        .map(|check| (check.measured.name.clone(), check.measured.kind.clone()))
        .collect()
}

/// What is wrong with the matchers, told once and not for each metric.
fn matcher_errors(populations: Populations<&Matchers>) -> Vec<QuestionError> {
    [
        ("control", populations.control),
        ("canary", populations.canary),
    ]
    .into_iter()
    .filter_map(|(population, matchers)| {
        let error = query::validate_matchers(matchers).err()?;
        Some(QuestionError::Matchers { population, error })
    })
    .collect()
}

#[cfg(test)]
mod tests;
