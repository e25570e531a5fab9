//! The control's past, read without a rollout: for plans and for calibration.

use std::collections::BTreeMap;
use std::sync::Arc;

use serinus_analysis::data::{ControlSplit, DataFault, FaultCode, StageData};
use serinus_analysis::matchers::Matchers;
use serinus_analysis::pipeline::{Check, MOST_INTERVALS, Pipeline};
use serinus_analysis::questions::{Answered, StageQuestions};
use serinus_analysis::series::{Grid, Populations, fine_step_ms};

use crate::prometheus::{ReadingOf, Share, Source};

use super::reading::{ask_all, ask_all_telling};
use super::{AnalysisError, Engine};

const MILLISECONDS_PER_HOUR: f64 = 3_600_000.0;
/// The newest hour tells how often is scraped.
const FIRST_HOURS: f64 = 1.0;
/// Questions that are asked at once.
const MOST_QUESTIONS_AT_ONCE: usize = 8;

/// Which past shall be read.
#[derive(Debug, Clone)]
pub(crate) struct PastInput<'a> {
    /// The pipeline.
    pub pipeline: &'a Pipeline,
    /// The checks whose metrics are read.
    pub checks: Vec<&'a Check>,
    /// Selects the control.
    pub control: &'a Matchers,
    /// Only these regions; all when empty.
    pub regions: &'a [String],
    /// How long a time before now.
    pub hours: f64,
    /// The name of the source; the pipeline's, or the default when absent.
    pub source: Option<&'a str>,
}

/// How far a reading is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reading {
    /// So many questions are asked.
    Asked(usize),
    /// One more of them was answered.
    Answered,
}

/// What was read: of each way in which metrics select the control, by itself.
#[derive(Debug)]
pub(crate) struct PastReading(Vec<ReadPart>);

/// What was read of metrics that select the control alike.
#[derive(Debug)]
struct ReadPart {
    plan: StageQuestions,
    answers: Vec<Answered>,
}

impl PastReading {
    /// What the whole service did: both populations are all of it.
    pub(crate) fn whole(&self) -> StageData {
        let parts = self.0.iter();
        together(parts.map(|part| part.plan.assemble_whole(&part.answers)))
    }

    /// Two groups of the service's targets, of which one plays the canary and has as nearly as
    /// possible this share of the traffic. What is told of them is that of the first way to select them.
    ///
    /// # Errors
    ///
    /// As [`StageQuestions::assemble_split`].
    pub(crate) fn split(&self, canary_share: f64) -> Result<(StageData, ControlSplit), DataFault> {
        let parts = self.0.iter();
        let split = parts.map(|part| part.plan.assemble_split(&part.answers, canary_share));
        let mut split = split.collect::<Result<Vec<_>, _>>()?.into_iter();
        let Some((mut data, of_first)) = split.next() else {
            return Err(nothing_to_read());
        };
        for (part, _) in split {
            data.absorb(part);
        }
        Ok((data, of_first))
    }

    /// The names of both groups' targets, of the first way to select them.
    ///
    /// # Errors
    ///
    /// As [`StageQuestions::assemble_split`].
    pub(crate) fn split_targets(
        &self,
        canary_share: f64,
    ) -> Result<Populations<Vec<String>>, DataFault> {
        let first = self.0.first().ok_or_else(nothing_to_read)?;
        first.plan.split_targets(&first.answers, canary_share)
    }

    /// How often is scraped, in milliseconds: where parts differ, the longest time.
    pub(crate) fn scrape_period_ms(&self) -> Option<i64> {
        let parts = self.0.iter();
        parts
            .filter_map(|part| part.plan.scrape_period_ms(&part.answers))
            .max()
    }

    /// Why nothing was read, when no question was answered.
    pub(crate) fn fault(&self) -> Option<&DataFault> {
        let answers = self.0.iter().flat_map(|part| &part.answers);
        let mut faults = answers.map(|answer| answer.as_ref().err());
        let first = faults.next()??;
        faults.all(|fault| fault.is_some()).then_some(first)
    }
}

/// The data of all parts.
fn together(parts: impl Iterator<Item = StageData>) -> StageData {
    let mut parts = parts;
    let mut whole = parts
        .next()
        .unwrap_or_else(|| StageData::empty(Grid::covering(0, 0, 1)));
    for part in parts {
        whole.absorb(part);
    }
    whole
}

fn nothing_to_read() -> DataFault {
    DataFault {
        code: FaultCode::NoData,
        message: "every metric selects the control by what a caller sends, and there is none"
            .to_owned(),
    }
}

/// The checks that select the control alike, with how they do. What needs something that only the caller
/// of a rollout sends cannot be read before there is one.
fn alike<'a>(input: &PastInput<'a>) -> BTreeMap<(Matchers, Option<String>), Vec<&'a Check>> {
    let nobody = Matchers::new();
    let mut alike = BTreeMap::<_, Vec<&Check>>::new();
    for check in &input.checks {
        let own = &check.measured.own.control;
        let control = match &own.matchers {
            None => input.control.clone(),
            Some(own) => {
                let sent = Populations {
                    control: input.control,
                    canary: &nobody,
                };
                let Ok(control) = own.filled(sent) else {
                    continue;
                };
                control
            }
        };
        let names = &input.pipeline.sources;
        let source = own.source.as_ref().or(names.populations.control.as_ref());
        let given = input.source.map(str::to_owned);
        let source = source.cloned().or(given).or_else(|| names.default.clone());
        alike.entry((control, source)).or_default().push(check);
    }
    alike
}

/// The whole intervals of so many hours that end before a time.
fn grid_before(end_ms: i64, hours: f64, interval_ms: i64) -> Grid {
    #[expect(clippy::cast_possible_truncation, reason = "saturates")]
    let length_ms = (hours * MILLISECONDS_PER_HOUR) as i64;
    let end_ms = end_ms.div_euclid(interval_ms) * interval_ms;
    Grid::covering(end_ms.saturating_sub(length_ms), end_ms, interval_ms)
}

impl Engine {
    /// Reads what some checks need of the control's past. `progress` is told how many questions are
    /// asked, and of each that was answered.
    ///
    /// # Errors
    ///
    /// [`AnalysisError`] says what the caller must change. What the source does wrong is in the
    /// reading.
    pub(crate) async fn read_past(
        &self,
        input: &PastInput<'_>,
        progress: impl Fn(Reading),
    ) -> Result<PastReading, AnalysisError> {
        let settings = &input.pipeline.analysis;
        let interval_ms = i64::from(settings.interval_seconds) * 1_000;
        let end_ms = self.clock().now_ms() - i64::from(settings.lag_seconds) * 1_000;
        let grid_of = |hours: f64| grid_before(end_ms, hours, interval_ms);
        let grid = grid_of(input.hours);
        if grid.intervals() > MOST_INTERVALS {
            return Err(AnalysisError::Window(format!(
                "{} h hold {} intervals of {} s, more than {MOST_INTERVALS}; read a shorter time, or \
                 set a longer analysis.interval in the pipeline",
                input.hours,
                grid.intervals(),
                settings.interval_seconds
            )));
        }
        let share = self.reader().room.begin(ReadingOf::Past);
        let alike = alike(input);
        let mut parts = Vec::with_capacity(alike.len());
        let mut hours = Vec::with_capacity(alike.len());
        for ((control, source), checks) in &alike {
            let source = self.source(source.as_deref())?;
            let plan_of = |grid: Grid, period_ms: Option<i64>| {
                let step_ms = fine_step_ms(interval_ms, period_ms);
                let mut texts = self.reader().texts();
                StageQuestions::of_control(
                    input.pipeline,
                    checks.iter().copied(),
                    control,
                    input.regions,
                    grid,
                    step_ms,
                    &mut texts,
                )
            };
            let first = plan_of(grid_of(FIRST_HOURS.min(input.hours)), None)?;
            let answers = ask_all(Populations::same(source), first.questions(), &share).await;
            let period_ms = first.scrape_period_ms(&answers);
            parts.push((source, plan_of(grid, period_ms)?));
            hours.push(ReadPart {
                plan: first,
                answers,
            });
        }
        // A source that does not answer at all is not asked for days.
        let hour = PastReading(hours);
        if hour.fault().is_some() {
            return Ok(hour);
        }
        Ok(PastReading(ask_for_all(parts, &share, progress).await))
    }
}

/// Asks everything, some questions at once.
async fn ask_for_all(
    parts: Vec<(&Arc<Source>, StageQuestions)>,
    share: &Arc<Share>,
    progress: impl Fn(Reading),
) -> Vec<ReadPart> {
    let questions = parts.iter().map(|(_, plan)| plan.questions().len());
    progress(Reading::Asked(questions.sum()));
    let mut read = Vec::with_capacity(parts.len());
    for (source, plan) in parts {
        let mut answers = Vec::with_capacity(plan.questions().len());
        for some in plan.questions().chunks(MOST_QUESTIONS_AT_ONCE) {
            let answered = || progress(Reading::Answered);
            let sources = Populations::same(source);
            answers.extend(ask_all_telling(sources, some, share, answered).await);
        }
        read.push(ReadPart { plan, answers });
    }
    read
}
