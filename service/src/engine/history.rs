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
    DataFault, FaultCode, GaugeBefore, History, HistoryData, SHORTEST_HISTORY_MS, StageData,
};
use serinus_analysis::judge::{gauges_with_a_past, measure_gauges, measure_noise, measure_pods};
use serinus_analysis::matchers::Matchers;
use serinus_analysis::pipeline::{Metric, Pipeline, Stage};
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
use super::reading::{Reader, Seen, ask_all};
use super::wanted_past::{
    HISTORY_IS_OFF, HOUR_MS, NO_COUNTS, Wanted, WantedCounts, needed, sequential_checks,
};

/// Histories that are read at the same time: each may take a hundred megabytes meanwhile.
const MOST_AT_ONCE: usize = 2;

/// Pieces of one history that are read at the same time.
const MOST_PIECES_AT_ONCE: usize = 2;

/// Samples of one history: of what would be more, fewer hours are read. 64 MB.
const MOST_SAMPLES: usize = 4_000_000;

/// What of a stage a past is read of.
#[derive(Debug, Clone, Copy)]
enum Subjects {
    Counts,
    Gauges,
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
    wanted: Wanted,
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
            wanted,
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
    wanted: Wanted,
    pod_spread: bool,
    checks: Vec<(&'a Metric, Option<f64>)>,
    gauges: Vec<&'a Metric>,
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
            wanted: self.wanted,
            pod_spread: self.pipeline.analysis.pod_spread,
            checks: checks.collect(),
            gauges: gauges_with_a_past(&self.stage)
                .into_iter()
                .map(|check| &*check.measured)
                .collect(),
        })
    }

    async fn read(self, reader: &Arc<Reader>) -> Past {
        let gauges = match self.wanted.gauges {
            Some(grid) => self.read_gauges(reader, grid).await,
            None => Ok(BTreeMap::new()),
        };
        let gauges = match gauges {
            Ok(gauges) => gauges,
            // It is asked again, and all with it.
            Err(late @ History::Late(_)) => return Past::without(late),
            Err(_) => BTreeMap::new(),
        };
        let of_counts = match self.wanted.counts {
            Some(wanted) => self.read_counts(reader, wanted).await,
            None => Past::without(History::Absent(NO_COUNTS.to_owned())),
        };
        Past {
            gauges,
            ..of_counts
        }
    }

    /// Reads what the gauges were, whole, and measures what they varied by.
    async fn read_gauges(
        &self,
        reader: &Arc<Reader>,
        grid: Grid,
    ) -> Result<BTreeMap<String, GaugeBefore>, History> {
        let mut pieces = Pieces::new(&reader.room);
        let step_ms = fine_step_ms(grid.interval_ms(), reader.remembered(&self.seen()));
        let wanted = (Subjects::Gauges, grid, step_ms);
        let plan = self.read_all(reader, wanted, &mut pieces).await?;
        let (pipeline, stage) = (Arc::clone(&self.pipeline), self.stage.clone());
        let measure = move |plan: &StageQuestions, answers: &[Answered]| {
            measure_gauges(&plan.assemble_whole(answers), &pipeline, &stage)
        };
        Ok(looked_at(plan, &mut pieces, reader, measure).await)
    }

    /// Reads the newest hours first: they tell how often is scraped, whether there is anything to
    /// split, and how much all would be.
    async fn read_counts(&self, reader: &Arc<Reader>, wanted: WantedCounts) -> Past {
        let newest = wanted
            .grid
            .newest(intervals_of(SHORTEST_HISTORY_MS, &wanted.grid));
        let mut pieces = Pieces::new(&reader.room);
        let (step_ms, pods, split) = match self.read_newest(reader, newest, &mut pieces).await {
            Ok(read) => read,
            Err(history) => return Past::without(history),
        };
        let history = match split {
            _ if !wanted.noise => History::Absent(HISTORY_IS_OFF.to_owned()),
            Err(fault) => History::Absent(fault.message),
            Ok(()) => {
                self.read_noise(reader, (wanted.grid, step_ms), pieces)
                    .await
            }
        };
        Past {
            pods,
            ..Past::without(history)
        }
    }

    /// Reads the rest, and measures the noise.
    async fn read_noise(
        &self,
        reader: &Arc<Reader>,
        (all, step_ms): (Grid, i64),
        mut pieces: Pieces,
    ) -> History {
        let hours = affordable_hours(pieces.samples(), &all);
        let grid = all.newest(intervals_of(hours * HOUR_MS, &all));
        let wanted = (Subjects::Counts, grid, step_ms);
        if let Err(history) = self.read_all(reader, wanted, &mut pieces).await {
            return history;
        }
        let Ok(plan) = self.plan(reader, wanted) else {
            return cannot_plan();
        };
        let share = self.stage.traffic_percent / 100.0;
        let stage = self.stage.clone();
        aside(move || {
            let answers = pieces.take_out(&plan);
            let split = plan.assemble_split(&answers, share);
            // With the room that they take.
            drop((answers, pieces));
            let found = split.and_then(|(data, split)| HistoryData::new(data, split));
            match found {
                Ok(found) => {
                    let measured = measure_noise(&found, &stage);
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
        let seen = self.seen();
        let interval_ms = grid.interval_ms();
        let first_step_ms = fine_step_ms(interval_ms, reader.remembered(&seen));
        let plan = self
            .read_all(reader, (Subjects::Counts, grid, first_step_ms), pieces)
            .await?;
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
        let plan = self
            .read_all(reader, (Subjects::Counts, grid, step_ms), pieces)
            .await?;
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
        wanted: (Subjects, Grid, i64),
        pieces: &mut Pieces,
    ) -> Result<StageQuestions, History> {
        let plan = self.plan(reader, wanted).map_err(|()| cannot_plan())?;
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

    fn plan(
        &self,
        reader: &Reader,
        (subjects, grid, step_ms): (Subjects, Grid, i64),
    ) -> Result<StageQuestions, ()> {
        let mut texts = reader.texts();
        let (pipeline, control, regions) = (&self.pipeline, &self.control, &self.stage.regions);
        let planned = match subjects {
            Subjects::Counts => {
                let checks = sequential_checks(&self.stage);
                StageQuestions::of_control(
                    pipeline, checks, control, regions, grid, step_ms, &mut texts,
                )
            }
            Subjects::Gauges => {
                let checks = gauges_with_a_past(&self.stage);
                StageQuestions::of_control_gauges(
                    pipeline, checks, control, regions, grid, step_ms, &mut texts,
                )
            }
        };
        planned.map_err(|_errors| ())
    }

    /// What the scrape period of the control is remembered by.
    fn seen(&self) -> Seen {
        (
            self.source.name().to_owned(),
            Populations {
                control: self.control.clone(),
                canary: Matchers::new(),
            },
        )
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

    #[test]
    fn much_data_shortens_the_window_to_no_less_than_four_hours() {
        let past = Grid::covering(0, 24 * HOUR_MS, 30_000);
        assert_eq!(affordable_hours(0, &past), 24);
        assert_eq!(affordable_hours(MOST_SAMPLES / 6, &past), 24);
        assert_eq!(affordable_hours(MOST_SAMPLES / 2, &past), 8);
        assert_eq!(affordable_hours(10 * MOST_SAMPLES, &past), 4);
    }
}
