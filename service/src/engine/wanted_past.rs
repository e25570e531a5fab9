//! What of the time before a rollout is read for a stage.
//!
//! The window ends with the last whole hour at or before the start of what is judged: all polls and all callers of one
//! hour share it, and it never changes while a stage goes on.

use serde::Serialize;
use serinus_analysis::data::{GAUGE_PAST_MS, MetricData, SHORTEST_HISTORY_MS, StageData};
use serinus_analysis::judge::gauges_with_a_past;
use serinus_analysis::matchers::Matchers;
use serinus_analysis::pipeline::{Check, MOST_INTERVALS, Pipeline, Stage};
use serinus_analysis::series::Grid;

pub(super) const HOUR_MS: i64 = 3_600_000;

pub(super) const HISTORY_IS_OFF: &str = "analysis.history is off";
pub(super) const NO_COUNTS: &str = "no check is judged by the sequential method on counts";

/// What is read of a past.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(super) struct Wanted {
    /// Of the counts; nothing where they are not.
    pub(super) counts: Option<WantedCounts>,
    /// Of the gauges.
    pub(super) gauges: Option<Grid>,
}

/// What is read of the past of counts.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(super) struct WantedCounts {
    pub(super) grid: Grid,
    /// Whether the noise is measured, beside the pods.
    pub(super) noise: bool,
}

/// What a stage needs of the past, or why it needs nothing.
pub(super) fn needed(
    pipeline: &Pipeline,
    stage: &Stage,
    control: &Matchers,
    data: &StageData,
) -> Result<Wanted, &'static str> {
    let gauges = gauges_needed(pipeline, stage, data);
    match (counts_needed(pipeline, stage, data), gauges) {
        (Err(why), None) => Err(why),
        (_, _) if control.is_empty() => Err("nothing selects the control"),
        (counts, gauges) => Ok(Wanted {
            counts: counts.ok(),
            gauges,
        }),
    }
}

fn counts_needed(
    pipeline: &Pipeline,
    stage: &Stage,
    data: &StageData,
) -> Result<WantedCounts, &'static str> {
    let sequential = sequential_checks(stage);
    let wants_pods =
        pipeline.analysis.pod_spread && sequential.iter().any(|check| check.is_relative());
    if pipeline.analysis.history_seconds.is_none() && !wants_pods {
        return Err(HISTORY_IS_OFF);
    }
    if sequential.is_empty() {
        return Err(NO_COUNTS);
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
        Some(seconds) => WantedCounts {
            grid: window(&data.grid, i64::from(seconds) * 1_000),
            noise: true,
        },
        None => WantedCounts {
            grid: hours_before(&data.grid, HOUR_MS),
            noise: false,
        },
    })
}

/// The time of which the gauges of a stage are read.
fn gauges_needed(pipeline: &Pipeline, stage: &Stage, data: &StageData) -> Option<Grid> {
    pipeline.analysis.history_seconds?;
    let was_read = |check: &&Check| {
        matches!(
            data.metrics.get(&check.measured.name),
            Some(MetricData::Gauge(_))
        )
    };
    let is_any = gauges_with_a_past(stage).iter().any(was_read);
    is_any.then(|| hours_before(&data.grid, GAUGE_PAST_MS))
}

/// So much time before the last whole hour at or before the start of a grid.
fn hours_before(grid: &Grid, length_ms: i64) -> Grid {
    let end_ms = grid.start_ms().div_euclid(HOUR_MS) * HOUR_MS;
    Grid::covering(end_ms - length_ms, end_ms, grid.interval_ms())
}
/// The window of a history: it ends with the last whole hour at or before the start of the grid,
/// and holds no more intervals than a stage may.
fn window(grid: &Grid, length_ms: i64) -> Grid {
    let most_ms = i64::try_from(MOST_INTERVALS)
        .unwrap_or(i64::MAX)
        .saturating_mul(grid.interval_ms());
    let length_ms = length_ms.min(most_ms).max(SHORTEST_HISTORY_MS);
    hours_before(grid, length_ms)
}

/// The checks whose noise a history tells: on counts, by the sequential method.
pub(super) fn sequential_checks(stage: &Stage) -> Vec<&Check> {
    stage
        .checks
        .iter()
        .filter(|check| check.method.is_valid_at_any_time())
        .filter(|check| !check.measured.kind.is_gauge())
        .collect()
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
}
