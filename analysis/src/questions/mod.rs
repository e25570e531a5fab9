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

use std::collections::BTreeMap;

use crate::data::{DataFault, StageData};
use crate::matchers::Matchers;
use crate::pipeline::{Check, MetricKind, Pipeline, Stage};
use crate::query::{self, QueryError};
use crate::series::{Grid, Populations, Series, affordable_step_ms, fine_step_ms};

pub use annotation::Annotation;
pub use chunk::{Chunk, ChunkData};
pub use question::{MetricQuestion, QuestionTime};
use question::{Questions, overlapping_pieces, pieces};
use reading::{Reading, Source};

/// How long before the grid the scrapes are asked for: as long as Prometheus repeats a sample, so
/// that the scrape behind the first value is among them.
const LOOKBACK_SECONDS: i64 = 300;

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
    step_ms: i64,
    canary_percent: f64,
    questions: Questions,
    readings: BTreeMap<ReadingKey, Reading>,
    metrics: BTreeMap<String, MetricKind>,
    /// The absolute limits of each metric, in base units: a native histogram has no bounds of its
    /// own, so it is counted at these.
    limits: BTreeMap<String, Vec<f64>>,
}

/// What a reading is of. Two metrics with the same text share it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum ReadingKey {
    Heartbeats,
    Counter(String),
    Histogram(String),
    NativeHistogram(String),
    Gauge(String),
}

/// What a text was written for: the reading, the matchers, the labels it is grouped by, and the
/// length of the window where that matters.
type TextName = (ReadingKey, Matchers, Vec<String>, Option<i64>);

/// Queries that were written before. The same question always has the same text.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct QueryTexts(BTreeMap<TextName, String>);

impl QueryTexts {
    /// Most texts that are kept; beyond, all are forgotten and written again.
    const MOST_TEXTS: usize = 4_096;

    fn remember(&mut self, name: TextName, text: &str) {
        if self.0.len() >= Self::MOST_TEXTS {
            self.0.clear();
        }
        self.0.insert(name, text.to_owned());
    }
}

impl StageQuestions {
    /// Plans the questions for a stage.
    ///
    /// Asked for are the metrics of the stage's checks and of the pipeline's kill switches, and
    /// those that an impact is of. `populations` select control and canary; the stage's regions
    /// are added. `step_ms` is the distance of the instants at which counters are read (see
    /// [`fine_step_ms`]; one that does not divide the interval is replaced by its default, and
    /// one that is too fine for a long window by one that is not).
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
        step_ms: i64,
    ) -> Result<Self, Vec<QuestionError>> {
        let mut texts = QueryTexts::default();
        Self::with_texts(pipeline, stage, populations, grid, step_ms, &mut texts)
    }

    /// As [`StageQuestions::new`], with texts that were written before: parsing and printing PromQL takes
    /// longer than all the rest of a plan.
    ///
    /// # Errors
    ///
    /// As [`StageQuestions::new`].
    pub fn with_texts(
        pipeline: &Pipeline,
        stage: &Stage,
        populations: Populations<&Matchers>,
        grid: Grid,
        step_ms: i64,
        texts: &mut QueryTexts,
    ) -> Result<Self, Vec<QuestionError>> {
        let errors = matcher_errors(populations);
        if !errors.is_empty() {
            return Err(errors);
        }
        let step_ms = usable_step_ms(&grid, step_ms);
        let mut plan = Self {
            grid,
            step_ms,
            canary_percent: stage.traffic_percent,
            questions: Questions::default(),
            readings: BTreeMap::new(),
            metrics: measured(stage.checks.iter().chain(&pipeline.kill_switch)),
            limits: absolute_limits(stage.checks.iter().chain(&pipeline.kill_switch)),
        };
        if grid.intervals() > 0 {
            let mut asker = Asker::new(pipeline, stage, populations, grid, step_ms, texts);
            plan.ask(&mut asker)?;
        }
        Ok(plan)
    }

    /// The questions, each once, in a fixed order.
    pub fn questions(&self) -> &[MetricQuestion] {
        self.questions.as_slice()
    }

    /// The distance of the instants at which counters are read, in milliseconds.
    pub fn step_ms(&self) -> i64 {
        self.step_ms
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

    fn ask(&mut self, asker: &mut Asker<'_>) -> Result<(), Vec<QuestionError>> {
        let mut errors = Vec::new();
        for (metric, kind) in self.metrics.clone() {
            for key in reading_keys(&kind) {
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
            let reading = asker.reading(key, &mut self.questions)?;
            self.readings.insert(key.clone(), reading);
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
    populations: Populations<Matchers>,
    combined: Option<query::Combined>,
    /// Which populations are asked for.
    asks: Populations<bool>,
    grid: Grid,
    step_ms: i64,
    /// Length of the pieces that a long past is read in; nothing for a window that is read as a
    /// whole.
    piece_ms: Option<i64>,
}

impl<'a> Asker<'a> {
    fn new(
        pipeline: &Pipeline,
        stage: &Stage,
        populations: Populations<&Matchers>,
        grid: Grid,
        step_ms: i64,
        texts: &'a mut QueryTexts,
    ) -> Self {
        let region = query::region_matcher(&pipeline.region_label, &stage.regions);
        let populations = populations.map(|matchers| {
            let mut matchers = matchers.clone();
            matchers.extend(region.clone());
            matchers
        });
        let has_control = stage.traffic_percent < ALL_TRAFFIC_PERCENT;
        let combined = has_control
            .then(|| query::combine(&populations.control, &populations.canary))
            .flatten();
        Self {
            texts,
            populations,
            combined,
            asks: Populations {
                control: has_control,
                canary: true,
            },
            grid,
            step_ms,
            piece_ms: None,
        }
    }

    fn reading(
        &mut self,
        key: &ReadingKey,
        questions: &mut Questions,
    ) -> Result<Reading, QueryError> {
        let times = self.times(key);
        let is_native = matches!(key, ReadingKey::NativeHistogram(_));
        // The values of an expression need not have the label that tells the populations apart.
        if let Some(combined) = self.combined.clone()
            && !matches!(key, ReadingKey::Gauge(_))
        {
            let promql = self.text(key, &combined.matchers, &[&combined.label])?;
            let asked = questions.ask(&promql, &times);
            let source = |value: &String| {
                Some(Source {
                    questions: asked.clone(),
                    told_by: Some((combined.label.clone(), value.clone())),
                })
            };
            let sources = Populations {
                control: source(&combined.control_value),
                canary: source(&combined.canary_value),
            };
            return Ok(Reading {
                sources,
                promql: Populations {
                    control: promql.clone(),
                    canary: promql,
                },
                is_native,
            });
        }
        let populations = self.populations.clone();
        let asks = self.asks;
        let mut text = |is_asked: bool, matchers: &Matchers| {
            is_asked.then(|| self.text(key, matchers, &[])).transpose()
        };
        let canary = text(asks.canary, &populations.canary)?;
        let control = text(asks.control, &populations.control)?;
        let mut source = |promql: &String| Source {
            questions: questions.ask(promql, &times),
            told_by: None,
        };
        Ok(Reading {
            sources: Populations {
                control: control.as_ref().map(&mut source),
                canary: canary.as_ref().map(&mut source),
            },
            promql: Populations {
                control: control.unwrap_or_default(),
                canary: canary.unwrap_or_default(),
            },
            is_native,
        })
    }

    fn times(&self, key: &ReadingKey) -> Vec<QuestionTime> {
        let grid = &self.grid;
        if let Some(piece_ms) = self.piece_ms {
            let ranges = overlapping_pieces(grid.start_ms(), grid.end_ms(), self.step_ms, piece_ms);
            return match key {
                ReadingKey::Heartbeats => ranges.iter().map(|range| range.at_its_end()).collect(),
                _ => ranges,
            };
        }
        match key {
            ReadingKey::Heartbeats => vec![QuestionTime::Instant {
                at_ms: grid.end_ms(),
            }],
            ReadingKey::Gauge(_) => pieces(grid.boundary_ms(1), grid.end_ms(), grid.interval_ms()),
            ReadingKey::Counter(_) | ReadingKey::Histogram(_) | ReadingKey::NativeHistogram(_) => {
                pieces(grid.start_ms(), grid.end_ms(), self.step_ms)
            }
        }
    }

    /// How much of the past one question for heartbeats covers, without the lookback.
    fn heartbeats_ms(&self) -> i64 {
        self.piece_ms
            .unwrap_or_else(|| self.grid.end_ms().saturating_sub(self.grid.start_ms()))
    }

    /// The text of a query: one written before, or a new one.
    fn text(
        &mut self,
        key: &ReadingKey,
        matchers: &Matchers,
        group_by: &[&str],
    ) -> Result<String, QueryError> {
        let groups: Vec<String> = group_by.iter().map(|&label| label.to_owned()).collect();
        // What the heartbeats ask for depends on the window's length, too.
        let seconds = matches!(key, ReadingKey::Heartbeats).then(|| self.heartbeats_ms());
        let name = (key.clone(), matchers.clone(), groups, seconds);
        if let Some(text) = self.texts.0.get(&name) {
            return Ok(text.clone());
        }
        let text = self.write(key, matchers, group_by)?;
        self.texts.remember(name, &text);
        Ok(text)
    }

    fn write(
        &self,
        key: &ReadingKey,
        matchers: &Matchers,
        group_by: &[&str],
    ) -> Result<String, QueryError> {
        match key {
            ReadingKey::Heartbeats => {
                let window_ms = self.heartbeats_ms();
                let window_seconds = window_ms / 1_000 + i64::from(window_ms % 1_000 != 0);
                query::process_starts(matchers, window_seconds.saturating_add(LOOKBACK_SECONDS))
            }
            ReadingKey::Counter(selector) => {
                query::counter_per_target(selector, matchers, group_by)
            }
            ReadingKey::Histogram(selector) => {
                query::histogram_per_target(selector, matchers, group_by)
            }
            ReadingKey::NativeHistogram(selector) => {
                query::native_histogram_per_target(selector, matchers, group_by)
            }
            ReadingKey::Gauge(expression) => query::gauge_values(expression, matchers),
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

/// What is read for a metric.
fn reading_keys(kind: &MetricKind) -> Vec<ReadingKey> {
    let counter = |selector: &String| ReadingKey::Counter(selector.clone());
    match kind {
        MetricKind::Proportion { events, total } => {
            vec![counter(events), counter(total), ReadingKey::Heartbeats]
        }
        MetricKind::EventRate { events, .. } => vec![counter(events), ReadingKey::Heartbeats],
        MetricKind::Quantile {
            histogram,
            is_native,
            ..
        } => vec![histogram_key(histogram, *is_native), ReadingKey::Heartbeats],
        MetricKind::Gauge { expression } => vec![ReadingKey::Gauge(expression.clone())],
    }
}

/// What is read for a histogram.
fn histogram_key(selector: &str, is_native: bool) -> ReadingKey {
    if is_native {
        ReadingKey::NativeHistogram(selector.to_owned())
    } else {
        ReadingKey::Histogram(selector.to_owned())
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
