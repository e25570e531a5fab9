//! The control's past, read without a rollout: for plans and for calibration.

use serinus_analysis::data::{ControlSplit, DataFault, StageData};
use serinus_analysis::matchers::Matchers;
use serinus_analysis::pipeline::{Check, MOST_INTERVALS, Pipeline};
use serinus_analysis::questions::{Answered, StageQuestions};
use serinus_analysis::series::{Grid, Populations, fine_step_ms};

use crate::prometheus::ReadingOf;

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

/// What was read.
#[derive(Debug)]
pub(crate) struct PastReading {
    plan: StageQuestions,
    answers: Vec<Answered>,
}

impl PastReading {
    /// What the whole service did: both populations are all of it.
    pub(crate) fn whole(&self) -> StageData {
        self.plan.assemble_whole(&self.answers)
    }

    /// Two groups of the service's targets, of which one plays the canary and has as nearly as
    /// possible this share of the traffic.
    ///
    /// # Errors
    ///
    /// As [`StageQuestions::assemble_split`].
    pub(crate) fn split(&self, canary_share: f64) -> Result<(StageData, ControlSplit), DataFault> {
        self.plan.assemble_split(&self.answers, canary_share)
    }

    /// The names of both groups' targets.
    ///
    /// # Errors
    ///
    /// As [`StageQuestions::assemble_split`].
    pub(crate) fn split_targets(
        &self,
        canary_share: f64,
    ) -> Result<Populations<Vec<String>>, DataFault> {
        self.plan.split_targets(&self.answers, canary_share)
    }

    /// Why nothing was read, when no question was answered.
    pub(crate) fn fault(&self) -> Option<&DataFault> {
        let mut faults = self.answers.iter().map(|answer| answer.as_ref().err());
        let first = faults.next()??;
        faults.all(|fault| fault.is_some()).then_some(first)
    }
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
        let source = self.source(input.source.or(input.pipeline.sources.default.as_deref()))?;
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
        let plan_of = |grid: Grid, period_ms: Option<i64>| {
            let step_ms = fine_step_ms(interval_ms, period_ms);
            let checks = input.checks.iter().copied();
            let mut texts = self.reader().texts();
            StageQuestions::of_control(
                input.pipeline,
                checks,
                input.control,
                input.regions,
                grid,
                step_ms,
                &mut texts,
            )
        };
        let share = self.reader().room.begin(ReadingOf::Past);
        let first = plan_of(grid_of(FIRST_HOURS.min(input.hours)), None)?;
        let answers = ask_all(Populations::same(source), first.questions(), &share).await;
        let first = PastReading {
            plan: first,
            answers,
        };
        // A source that does not answer at all is not asked for days.
        if first.fault().is_some() {
            return Ok(first);
        }
        let period_ms = first.plan.scrape_period_ms(&first.answers);
        let plan = plan_of(grid, period_ms)?;
        let questions = plan.questions();
        let mut answers = Vec::with_capacity(questions.len());
        progress(Reading::Asked(questions.len()));
        for some in questions.chunks(MOST_QUESTIONS_AT_ONCE) {
            let answered = || progress(Reading::Answered);
            answers
                .extend(ask_all_telling(Populations::same(source), some, &share, answered).await);
        }
        Ok(PastReading { plan, answers })
    }
}
