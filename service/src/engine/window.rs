//! Which stretch of time an analysis looks at.

use serinus_analysis::pipeline::{AnalysisSettings, MOST_INTERVALS, Stage};
use serinus_analysis::series::Grid;

use super::AnalysisError;

const MILLISECONDS_PER_SECOND: i64 = 1_000;
const MILLISECONDS_PER_MINUTE: f64 = 60_000.0;

/// The stretch of time that an analysis looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Window {
    /// Its intervals.
    pub(super) grid: Grid,
    /// Whether it starts with the stage, because the caller said when: a window that was only
    /// made as long as the stage does not show that the stage is over.
    pub(super) starts_with_stage: bool,
}

/// Returns the window of an analysis.
///
/// Without an end the window reaches to now less the lag, without a start it is as long as the
/// stage. What is younger than the lag is left out whatever was asked for: late samples must not
/// rewrite what was judged. A stage that has only just started gives an empty grid.
///
/// # Errors
///
/// [`AnalysisError::Window`] for a window that is inverted, empty, enormous, in the future or
/// before 1970.
pub(super) fn resolve(
    start_ms: Option<i64>,
    end_ms: Option<i64>,
    now_ms: i64,
    settings: &AnalysisSettings,
    stage: &Stage,
) -> Result<Window, AnalysisError> {
    let interval_ms = i64::from(settings.interval_seconds) * MILLISECONDS_PER_SECOND;
    let sealed_ms = now_ms - i64::from(settings.lag_seconds) * MILLISECONDS_PER_SECOND;
    for (name, value) in [("start", start_ms), ("end", end_ms)] {
        if value.is_some_and(|at_ms| at_ms > now_ms) {
            return Err(in_the_future(name));
        }
        if value.is_some_and(|at_ms| at_ms < 0) {
            return wrong(format!(
                "{name} lies before 1970; give a time of the rollout"
            ));
        }
    }
    if let (Some(start), Some(end)) = (start_ms, end_ms) {
        if start >= end {
            return wrong(format!(
                "the window is {}: start must lie before end",
                if start == end { "empty" } else { "inverted" }
            ));
        }
        if Grid::covering(start, end, interval_ms).intervals() == 0 {
            return wrong(format!(
                "the window holds no whole interval of {} s; make it longer, or set a shorter \
                 analysis.interval in the pipeline",
                settings.interval_seconds
            ));
        }
    }
    let end = end_ms.unwrap_or(sealed_ms).min(sealed_ms);
    let start = start_ms.unwrap_or_else(|| stage_before(end, interval_ms, stage));
    let grid = Grid::covering(start, end, interval_ms);
    if grid.intervals() > MOST_INTERVALS {
        return wrong(format!(
            "the window holds {} intervals of {} s, more than {MOST_INTERVALS}; give a later \
             start, or a longer analysis.interval in the pipeline",
            grid.intervals(),
            settings.interval_seconds
        ));
    }
    Ok(Window {
        grid,
        starts_with_stage: start_ms.is_some(),
    })
}

/// A moment that is given lies in the future.
fn in_the_future(name: &str) -> AnalysisError {
    AnalysisError::Window(format!(
        "{name} lies in the future; give a time up to now, or leave it out"
    ))
}

fn wrong(message: String) -> Result<Window, AnalysisError> {
    Err(AnalysisError::Window(message))
}

/// The start of a window that ends with `end_ms` and holds the stage's whole duration in whole
/// intervals.
fn stage_before(end_ms: i64, interval_ms: i64, stage: &Stage) -> i64 {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "durations are bounded by the pipeline"
    )]
    let duration_ms = (stage.duration_minutes * MILLISECONDS_PER_MINUTE).ceil() as i64;
    let intervals =
        duration_ms.div_euclid(interval_ms) + i64::from(duration_ms.rem_euclid(interval_ms) != 0);
    (end_ms.div_euclid(interval_ms) - intervals) * interval_ms
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW_MS: i64 = 1_800_000_000_000;

    fn stage(duration_minutes: f64) -> Stage {
        Stage {
            id: "stage_1".to_owned(),
            name: "One".to_owned(),
            traffic_percent: 1.0,
            duration_minutes,
            max_duration_minutes: 2.0 * duration_minutes,
            promote_early: false,
            regions: Vec::new(),
            rollback_point: false,
            shadow: false,
            warm_up_seconds: None,
            cold_start_seconds: None,
            checks: Vec::new(),
            inherits_checks: false,
        }
    }

    fn window(start_ms: Option<i64>, end_ms: Option<i64>) -> Result<Grid, AnalysisError> {
        resolved(start_ms, end_ms).map(|window| window.grid)
    }

    fn resolved(start_ms: Option<i64>, end_ms: Option<i64>) -> Result<Window, AnalysisError> {
        resolve(
            start_ms,
            end_ms,
            NOW_MS,
            &AnalysisSettings::default(),
            &stage(60.0),
        )
    }

    #[test]
    fn a_window_without_bounds_is_the_stage_up_to_now_less_the_lag() {
        let grid = window(None, None).unwrap();
        assert_eq!(grid.end_ms(), NOW_MS - 30_000);
        assert_eq!(grid.intervals(), 120);
    }

    /// As long as the stage, but nobody said when the stage began.
    #[test]
    fn a_window_starts_with_the_stage_only_if_the_caller_says_so() {
        let starts_with_stage = |start, end| resolved(start, end).unwrap().starts_with_stage;
        assert!(!starts_with_stage(None, None));
        assert!(!starts_with_stage(None, Some(NOW_MS - 60_000)));
        assert!(starts_with_stage(Some(NOW_MS - 600_000), None));
    }

    #[test]
    fn what_is_younger_than_the_lag_is_left_out() {
        let grid = window(Some(NOW_MS - 600_000), Some(NOW_MS)).unwrap();
        assert_eq!(grid.end_ms(), NOW_MS - 30_000);
    }

    #[test]
    fn a_stage_that_has_only_just_started_has_an_empty_grid() {
        assert_eq!(window(Some(NOW_MS - 10_000), None).unwrap().intervals(), 0);
    }

    #[test]
    fn windows_that_make_no_sense_are_refused_with_what_to_change() {
        let message = |start, end| window(Some(start), Some(end)).unwrap_err().to_string();
        assert!(message(NOW_MS - 1_000, NOW_MS - 600_000).contains("inverted"));
        assert!(message(NOW_MS - 1_000, NOW_MS - 1_000).contains("empty"));
        assert!(message(NOW_MS - 10_000, NOW_MS - 1_000).contains("no whole interval of 30 s"));
        assert!(message(0, NOW_MS - 1_000).contains("more than 20160"));
        assert!(message(NOW_MS - 1_000, NOW_MS + 1_000).contains("end lies in the future"));
        assert!(message(-1, NOW_MS - 1_000).contains("before 1970"));
    }
}
