//! How old a stage is, in its own time.

use crate::data::StageData;
use crate::pipeline::{Pipeline, Stage};
use crate::proof::FEWEST_INTERVALS;
use crate::series::Grid;
use crate::text;

use super::silence;

pub(crate) const MILLISECONDS_PER_MINUTE: f64 = 60_000.0;
/// No stage promotes before [`FEWEST_INTERVALS`], nor before this time unless it is shorter.
/// Source: docs/design/statistics.md, "11. The verdict of a stage".
const LEAST_MINUTES: f64 = 5.0;
/// The canary's first request need not fall into a window's first intervals.
const MOST_INTERVALS_BEFORE_TRAFFIC: usize = 8;

/// How old the stage is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Age {
    /// Minutes of it that are judged.
    pub(super) minutes: f64,
    /// Whether its least duration is over.
    pub(super) is_over: bool,
}

impl Age {
    /// From the window's start, or from the canary's first traffic where the caller did not say
    /// when the stage began. The youngest interval is still within the lag, so a stage is over one
    /// interval before the grid reaches its end.
    pub(super) fn of(stage: &Stage, data: &StageData) -> Self {
        let grid = data.grid;
        let first = if data.starts_with_stage {
            0
        } else {
            let first = silence::first_canary_interval(data).unwrap_or(grid.intervals());
            // The canary's first request need not fall into the window's first interval.
            if first <= MOST_INTERVALS_BEFORE_TRAFFIC {
                0
            } else {
                first
            }
        };
        Self::since(grid.boundary_ms(first), stage, grid)
    }

    fn since(start_ms: i64, stage: &Stage, grid: Grid) -> Self {
        let elapsed_ms = grid.end_ms() - start_ms;
        let minutes = |milliseconds: i64| milliseconds as f64 / MILLISECONDS_PER_MINUTE;
        Self {
            minutes: minutes(elapsed_ms),
            is_over: minutes(elapsed_ms + grid.interval_ms()) >= stage.duration_minutes,
        }
    }

    /// Whether it is older than what no stage promotes before.
    pub(super) fn has_the_least(self, stage: &Stage, grid: Grid) -> bool {
        grid.intervals() >= FEWEST_INTERVALS && self.minutes >= least_minutes(stage)
    }
}

/// The time that a stage does not promote before.
pub(crate) fn least_minutes(stage: &Stage) -> f64 {
    LEAST_MINUTES.min(stage.duration_minutes)
}

/// Whether a stage that began with a grid is over at its end: the same rule that lets the judge
/// promote it.
pub fn is_stage_over(stage: &Stage, grid: Grid) -> bool {
    let age = Age::since(grid.start_ms(), stage, grid);
    age.is_over && age.has_the_least(stage, grid)
}

/// `stage 2 of 4`.
pub(super) fn position(pipeline: &Pipeline, stage: &Stage) -> String {
    let place = pipeline
        .stages
        .iter()
        .position(|other| other.id == stage.id)
        .map_or(1, |at| at + 1);
    format!("stage {place} of {}", pipeline.stages.len())
}

/// How far a stage is.
pub(super) fn progress(pipeline: &Pipeline, stage: &Stage, age: Age) -> String {
    // A stage is over while its last interval is still within the lag: "5.5 of 6 minutes" would
    // not be said of it.
    let elapsed_minutes = if age.is_over {
        age.minutes.max(stage.duration_minutes)
    } else {
        age.minutes
    };
    format!(
        "{}, {} of {} minutes",
        position(pipeline, stage),
        text::digits(libm::floor(elapsed_minutes * 10.0) / 10.0),
        text::digits(stage.duration_minutes)
    )
}
