//! Reads the control's past, from which the noise between its pods is measured.
//!
//! The window ends with the last whole hour at or before the start of what is judged: all polls and
//! all callers of one hour share it, and it never changes while a stage goes on. It is read once,
//! by a task of its own: a caller that stops waiting does not stop the reading, and the next poll
//! finds it. Until then the sequential checks hold. What the source will never tell is no history;
//! what it cannot tell now is asked again.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Serialize;
use serinus_analysis::data::{
    DataFault, FaultCode, History, HistoryData, MetricData, SHORTEST_HISTORY_MS, StageData,
};
use serinus_analysis::judge::{measure_noise, measure_pods};
use serinus_analysis::matchers::Matchers;
use serinus_analysis::pipeline::{Check, MOST_INTERVALS, Metric, Pipeline, Stage};
use serinus_analysis::proof::Pods;
use serinus_analysis::questions::{Answered, StageQuestions};
use serinus_analysis::series::{Grid, Populations, TargetLabels, fine_step_ms};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio_util::task::TaskTracker;

use crate::aside::aside;
use crate::packed::Name;
use crate::prometheus::Source;

use super::kept_histories::{Kept, Past, Told};
use super::pieces::Pieces;
use super::reading::{Reader, ask_all};

const HOUR_MS: i64 = 3_600_000;

/// Histories that are read at the same time: each may take a hundred megabytes meanwhile.
const MOST_AT_ONCE: usize = 2;

/// Pieces of one history that are read at the same time.
const MOST_PIECES_AT_ONCE: usize = 2;

/// Samples of one history: of what would be more, fewer hours are read. 64 MB.
const MOST_SAMPLES: usize = 4_000_000;

/// What is read of a past.
struct Wanted {
    grid: Grid,
    /// Whether the noise is, beside the pods.
    noise: bool,
}

/// The histories that were read, and those that are being read.
#[derive(Debug)]
pub(super) struct Histories {
    kept: Mutex<Kept>,
    turns: Semaphore,
    tasks: TaskTracker,
}

impl Default for Histories {
    fn default() -> Self {
        Self {
            kept: Mutex::default(),
            turns: Semaphore::new(MOST_AT_ONCE),
            tasks: TaskTracker::new(),
        }
    }
}

/// What a history is read for.
#[derive(Debug, Clone)]
pub(super) struct Subject {
    pub(super) source: Arc<Source>,
    pub(super) pipeline: Arc<Pipeline>,
    pub(super) stage: Stage,
    pub(super) control: Matchers,
    grid: Grid,
    wants_noise: bool,
}

impl Histories {
    /// The history for a stage that is judged on a grid.
    ///
    /// `data` is what was read of the stage itself: where it cannot be judged anyway, the past is
    /// not asked for.
    pub(super) async fn of(
        self: &Arc<Self>,
        reader: &Arc<Reader>,
        source: &Arc<Source>,
        (pipeline, stage): (&Arc<Pipeline>, &Stage),
        control: &Matchers,
        data: &StageData,
    ) -> Past {
        let wanted = match needed(pipeline, stage, control, data) {
            Ok(wanted) => wanted,
            Err(why) => return Past::without(History::Absent(why.to_owned())),
        };
        let subject = Subject {
            source: Arc::clone(source),
            pipeline: Arc::clone(pipeline),
            stage: stage.clone(),
            control: control.clone(),
            grid: wanted.grid,
            wants_noise: wanted.noise,
        };
        let key = subject.key();
        let mut told = self.join(reader, key, subject);
        let read = match told.wait_for(Option::is_some).await {
            Ok(read) => read.clone(),
            // The task ended without a word: it panicked, and the next poll tries again.
            Err(_closed) => None,
        };
        read.unwrap_or_else(unreadable)
    }

    /// Takes part in a reading, or begins one.
    fn join(self: &Arc<Self>, reader: &Arc<Reader>, key: Name, subject: Subject) -> Told {
        let mut kept = self.kept();
        if let Some(told) = kept.get(key) {
            return told;
        }
        let (tell, told) = watch::channel(None);
        kept.insert(key, told.clone());
        drop(kept);
        let (histories, reader) = (Arc::clone(self), Arc::clone(reader));
        self.tasks.spawn(async move {
            // Only fails when the semaphore is closed, which it never is.
            let turn = histories.turns.acquire().await;
            let history = subject.read(&reader).await;
            drop(turn);
            if matches!(history.history, History::Late(_)) {
                histories.kept().remove(key);
            }
            tell.send_replace(Some(history));
        });
        told
    }

    /// Forgets everything that was read.
    pub(super) fn forget(&self) {
        *self.kept() = Kept::default();
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is said where a reading was lost: the next poll tries again.
fn unreadable() -> Past {
    Past::without(History::Late(DataFault {
        code: FaultCode::StillCollecting,
        message: "the history of the control could not be read".to_owned(),
    }))
}

/// What a stage needs of the past, or why it needs nothing.
fn needed(
    pipeline: &Pipeline,
    stage: &Stage,
    control: &Matchers,
    data: &StageData,
) -> Result<Wanted, &'static str> {
    let is_off = pipeline.analysis.history_seconds.is_none();
    let wants_pods = pipeline.analysis.pod_spread
        && sequential_checks(stage)
            .iter()
            .any(|check| check.is_relative());
    if is_off && !wants_pods {
        return Err("analysis.history is off");
    }
    let sequential = sequential_checks(stage);
    if sequential.is_empty() {
        return Err("no check is judged by the sequential method on counts");
    }
    if control.is_empty() {
        return Err("nothing selects the control");
    }
    let can_be_judged = |check: &&Check| {
        matches!(
            data.metrics.get(&check.measured.name),
            Some(MetricData::Counts(_) | MetricData::Histogram(_))
        )
    };
    if !sequential.iter().any(can_be_judged) {
        return Err("nothing was read of the stage that it would be used for");
    }
    Ok(match pipeline.analysis.history_seconds {
        Some(seconds) => Wanted {
            grid: window(&data.grid, i64::from(seconds) * 1_000),
            noise: true,
        },
        None => Wanted {
            grid: hour_before(&data.grid),
            noise: false,
        },
    })
}

/// The last whole hour at or before the start of a grid.
fn hour_before(grid: &Grid) -> Grid {
    let end_ms = grid.start_ms().div_euclid(HOUR_MS) * HOUR_MS;
    Grid::covering(end_ms - HOUR_MS, end_ms, grid.interval_ms())
}

/// The window of a history: it ends with the last whole hour at or before the start of the grid,
/// and holds no more intervals than a stage may.
fn window(grid: &Grid, length_ms: i64) -> Grid {
    let end_ms = grid.start_ms().div_euclid(HOUR_MS) * HOUR_MS;
    let most_ms = i64::try_from(MOST_INTERVALS)
        .unwrap_or(i64::MAX)
        .saturating_mul(grid.interval_ms());
    let length_ms = length_ms.min(most_ms).max(SHORTEST_HISTORY_MS);
    Grid::covering(end_ms - length_ms, end_ms, grid.interval_ms())
}

/// The checks whose noise a history tells: on counts, by the sequential method.
fn sequential_checks(stage: &Stage) -> Vec<&Check> {
    stage
        .checks
        .iter()
        .filter(|check| check.method.is_valid_at_any_time())
        .filter(|check| !check.measured.kind.is_gauge())
        .collect()
}

/// What the key of a history is the name of. Of a check counts what it measures, and the limit that
/// its noise alone is held against.
#[derive(Serialize)]
struct Asked<'a> {
    source: &'a str,
    control: &'a Matchers,
    region_label: &'a str,
    target_labels: &'a TargetLabels,
    regions: &'a [String],
    traffic_percent: f64,
    grid: Grid,
    wants_noise: bool,
    pod_spread: bool,
    checks: Vec<(&'a Metric, Option<f64>)>,
}

impl Subject {
    /// Everything that the history depends on.
    fn key(&self) -> Name {
        let checks = sequential_checks(&self.stage)
            .into_iter()
            .map(|check| (&*check.measured, check.limit.absolute_value()));
        Name::of(&Asked {
            source: self.source.name(),
            control: &self.control,
            region_label: &self.pipeline.region_label,
            target_labels: &self.pipeline.target_labels,
            regions: &self.stage.regions,
            traffic_percent: self.stage.traffic_percent,
            grid: self.grid,
            wants_noise: self.wants_noise,
            pod_spread: self.pipeline.analysis.pod_spread,
            checks: checks.collect(),
        })
    }

    /// Reads the newest hours first: they tell how often is scraped, whether there is anything to
    /// split, and how much all would be.
    async fn read(self, reader: &Arc<Reader>) -> Past {
        let newest = self
            .grid
            .newest(intervals_of(SHORTEST_HISTORY_MS, &self.grid));
        let mut pieces = Pieces::new(&reader.room);
        let (step_ms, pods, split) = match self.read_newest(reader, newest, &mut pieces).await {
            Ok(read) => read,
            Err(history) => return Past::without(history),
        };
        let history = match split {
            _ if !self.wants_noise => History::Absent("analysis.history is off".to_owned()),
            Err(fault) => History::Absent(fault.message),
            Ok(()) => self.read_noise(reader, step_ms, pieces).await,
        };
        Past { history, pods }
    }

    /// Reads the rest, and measures the noise.
    async fn read_noise(self, reader: &Arc<Reader>, step_ms: i64, mut pieces: Pieces) -> History {
        let hours = affordable_hours(pieces.samples(), &self.grid);
        let grid = self.grid.newest(intervals_of(hours * HOUR_MS, &self.grid));
        if let Err(history) = self.read_all(reader, grid, step_ms, &mut pieces).await {
            return history;
        }
        let Ok(plan) = self.plan(reader, grid, step_ms) else {
            return cannot_plan();
        };
        let share = self.stage.traffic_percent / 100.0;
        aside(move || {
            let answers = pieces.take_out(&plan);
            let split = plan.assemble_split(&answers, share);
            // With the room that they take.
            drop((answers, pieces));
            let found = split.and_then(|(data, split)| HistoryData::new(data, split));
            match found {
                Ok(found) => {
                    let measured = measure_noise(&found, &self.stage);
                    History::Seen(Arc::new(measured))
                }
                Err(fault) => History::Absent(fault.message),
            }
        })
        .await
    }

    /// Reads the newest hours, and finds the coarsest step that sees every scrape. The step follows
    /// from the data alone, so that who knew it before gets the same history. Says also what the pods
    /// differ by, and whether there is anything to split.
    async fn read_newest(
        &self,
        reader: &Arc<Reader>,
        grid: Grid,
        pieces: &mut Pieces,
    ) -> Result<(i64, BTreeMap<String, Pods>, Result<(), DataFault>), History> {
        let seen = (
            self.source.name().to_owned(),
            Populations {
                control: self.control.clone(),
                canary: Matchers::new(),
            },
        );
        let interval_ms = grid.interval_ms();
        let first_step_ms = fine_step_ms(interval_ms, reader.remembered(&seen));
        let plan = self.read_all(reader, grid, first_step_ms, pieces).await?;
        let period_ms = looked_at(plan, pieces, reader, |plan, answers| {
            plan.scrape_period_ms(answers)
        })
        .await;
        if let Some(period_ms) = period_ms {
            reader.remember(seen, period_ms);
        }
        let step_ms = fine_step_ms(interval_ms, period_ms);
        if step_ms != first_step_ms {
            *pieces = Pieces::new(&reader.room);
        }
        let plan = self.read_all(reader, grid, step_ms, pieces).await?;
        let share = self.stage.traffic_percent / 100.0;
        let (pipeline, stage) = (Arc::clone(&self.pipeline), self.stage.clone());
        let (pods, split) = looked_at(plan, pieces, reader, move |plan, answers| {
            let pods = measure_pods(&plan.assemble_whole(answers), &pipeline, &stage);
            (pods, plan.assemble_split(answers, share).map(drop))
        })
        .await;
        Ok((step_ms, pods, split))
    }

    /// Reads what is not read yet of a grid, piece by piece, the newest first.
    async fn read_all(
        &self,
        reader: &Arc<Reader>,
        grid: Grid,
        step_ms: i64,
        pieces: &mut Pieces,
    ) -> Result<StageQuestions, History> {
        let plan = self
            .plan(reader, grid, step_ms)
            .map_err(|()| cannot_plan())?;
        let mut missing = pieces.missing(&plan);
        let mut reading = JoinSet::new();
        loop {
            while reading.len() < MOST_PIECES_AT_ONCE
                && let Some((_, questions)) = missing.pop_last()
            {
                let (source, share) = (Arc::clone(&self.source), Arc::clone(pieces.share()));
                reading.spawn(async move {
                    let answers = ask_all(Populations::same(&source), &questions, &share).await;
                    (questions, answers)
                });
            }
            let Some(read) = reading.join_next().await else {
                return Ok(plan);
            };
            if let Ok((questions, answers)) = read {
                for (question, answer) in questions.iter().zip(answers) {
                    pieces.take(question, answer)?;
                }
            }
        }
    }

    fn plan(&self, reader: &Reader, grid: Grid, step_ms: i64) -> Result<StageQuestions, ()> {
        let mut texts = reader.texts();
        StageQuestions::of_control(
            &self.pipeline,
            sequential_checks(&self.stage),
            &self.control,
            &self.stage.regions,
            grid,
            step_ms,
            &mut texts,
        )
        .map_err(|_errors| ())
    }
}

/// Looks at the answers to a plan, aside.
async fn looked_at<T: Send + 'static>(
    plan: StageQuestions,
    pieces: &mut Pieces,
    reader: &Reader,
    look: impl FnOnce(&StageQuestions, &[Answered]) -> T + Send + 'static,
) -> T {
    let mut all = std::mem::replace(pieces, Pieces::new(&reader.room));
    let (found, all) = aside(move || {
        let answers = all.take_out(&plan);
        let found = look(&plan, &answers);
        all.put_back(&plan, answers);
        (found, all)
    })
    .await;
    *pieces = all;
    found
}

/// The stage itself was planned with the same matchers and metrics, so this does not happen; if it
/// did, it would for ever.
fn cannot_plan() -> History {
    History::Absent("the questions about the control's past cannot be written".to_owned())
}

/// Whole hours that may be read when the newest ones have this many samples.
fn affordable_hours(newest_samples: usize, grid: &Grid) -> i64 {
    let newest_hours = SHORTEST_HISTORY_MS / HOUR_MS;
    let all_hours = (grid.end_ms() - grid.start_ms() + HOUR_MS - 1) / HOUR_MS;
    let newest_samples = i64::try_from(newest_samples.max(1)).unwrap_or(i64::MAX);
    let most = i64::try_from(MOST_SAMPLES).unwrap_or(i64::MAX);
    let hours = most.saturating_mul(newest_hours) / newest_samples;
    hours.min(all_hours).max(newest_hours)
}

/// Intervals of a grid that cover a time.
fn intervals_of(length_ms: i64, grid: &Grid) -> usize {
    let interval_ms = grid.interval_ms();
    let whole = length_ms / interval_ms + i64::from(length_ms % interval_ms != 0);
    usize::try_from(whole).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON_MS: i64 = 1_800_014_400_000 / HOUR_MS * HOUR_MS;

    fn grid(start_ms: i64) -> Grid {
        Grid::covering(start_ms, start_ms + 600_000, 30_000)
    }

    #[test]
    fn all_polls_of_an_hour_share_a_window() {
        let day_ms = 24 * HOUR_MS;
        let at_noon = window(&grid(NOON_MS), day_ms);
        assert_eq!((at_noon.end_ms(), at_noon.intervals()), (NOON_MS, 2_880));
        assert_eq!(window(&grid(NOON_MS + HOUR_MS - 30_000), day_ms), at_noon);
        assert_ne!(window(&grid(NOON_MS + HOUR_MS), day_ms), at_noon);
    }

    #[test]
    fn short_intervals_shorten_the_window_to_no_less_than_four_hours() {
        let every_second = Grid::covering(NOON_MS, NOON_MS + 60_000, 1_000);
        let past = window(&every_second, 24 * HOUR_MS);
        assert_eq!(past.intervals(), MOST_INTERVALS);
        assert!(past.end_ms() - past.start_ms() >= SHORTEST_HISTORY_MS);
    }

    #[test]
    fn much_data_shortens_the_window_to_no_less_than_four_hours() {
        let past = window(&grid(NOON_MS), 24 * HOUR_MS);
        assert_eq!(affordable_hours(0, &past), 24);
        assert_eq!(affordable_hours(MOST_SAMPLES / 6, &past), 24);
        assert_eq!(affordable_hours(MOST_SAMPLES / 2, &past), 8);
        assert_eq!(affordable_hours(10 * MOST_SAMPLES, &past), 4);
    }
}
