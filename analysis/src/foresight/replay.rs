//! Identical releases that never were: windows of the past in which some of the control's targets
//! play the canary, judged as a rollout would have been. Every rollback among them is a false one.

use std::sync::Arc;

use crate::pipeline::{Pipeline, Stage};
use crate::series::DataQuality;

use crate::data::{ControlSplit, History, HistoryData, MetricData, StageData};
use crate::judge::judge;
use crate::judge::levels::rolls_back;
use crate::judge::{CheckReport, Outcome, StageVerdict, Verdict, measure_noise};

/// A window that misses more than this share of its intervals is not judged.
const MOST_MISSING_SHARE: f64 = 0.2;

/// One window of the past, judged.
#[derive(Debug, Clone, PartialEq)]
pub struct Replay {
    /// Start of the window in milliseconds since 1970.
    pub start_ms: i64,
    /// Whether the noise before the window was known.
    pub has_history: bool,
    /// What came of it.
    pub outcome: WindowOutcome,
}

/// What came of a window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WindowOutcome {
    /// It was judged at every interval.
    Judged {
        /// Whether the verdict was ever `rollback`.
        is_rolled_back: bool,
        /// Conditions of the checks and kill switches that were ever broken.
        broken: Vec<String>,
    },
    /// Too much of its data is missing, for this reason.
    Missing(String),
}

/// Judges the `length` intervals from the one at index `first` on as a stage of an identical
/// release, at each of its intervals, with the history from before the window.
///
/// `split` is a long past of the control, of which some targets play the canary. Whether evidence
/// ever crossed is told by a single look at the end, as the sequential method is made to; other
/// methods and kill switches are asked after every interval. Gauges take no part: of them nothing is
/// read that could be split.
pub fn replay(
    pipeline: &Pipeline,
    stage: &Stage,
    split: &StageData,
    groups: ControlSplit,
    first: usize,
    length: usize,
) -> Replay {
    let mut window = split.slice(first, length);
    window.starts_with_stage = true;
    window.history = history_before(pipeline, stage, split, groups, first);
    let start_ms = window.grid.start_ms();
    let has_history = matches!(window.history, History::Seen(_));
    let outcome = match missing(stage, &window) {
        Some(why) => WindowOutcome::Missing(why),
        None => judged(pipeline, stage, &window, looks(pipeline, stage, length)),
    };
    Replay {
        start_ms,
        has_history,
        outcome,
    }
}

/// The intervals after which is looked.
fn looks(pipeline: &Pipeline, stage: &Stage, length: usize) -> std::ops::RangeInclusive<usize> {
    let one_look_is_enough = pipeline.kill_switch.is_empty()
        && stage
            .checks
            .iter()
            .all(|check| check.method.is_valid_at_any_time());
    if one_look_is_enough {
        length..=length
    } else {
        1..=length
    }
}

fn judged(
    pipeline: &Pipeline,
    stage: &Stage,
    window: &StageData,
    looks: std::ops::RangeInclusive<usize>,
) -> WindowOutcome {
    let mut is_rolled_back = false;
    let mut broken: Vec<String> = Vec::new();
    for length in looks {
        let mut seen = window.slice(0, length);
        seen.history = window.history.clone();
        let verdict: StageVerdict = judge(pipeline, stage, &seen);
        is_rolled_back |= verdict.verdict == Verdict::Rollback;
        for report in &verdict.checks {
            if is_broken(report) && !broken.contains(&report.condition) {
                broken.push(report.condition.clone());
            }
        }
        if is_rolled_back {
            break;
        }
    }
    WindowOutcome::Judged {
        is_rolled_back,
        broken,
    }
}

fn is_broken(report: &CheckReport) -> bool {
    rolls_back(report) || (report.warn_only && report.outcome == Outcome::Fail)
}

/// The noise before the window, from as long a time as the pipeline says.
fn history_before(
    pipeline: &Pipeline,
    stage: &Stage,
    split: &StageData,
    groups: ControlSplit,
    first: usize,
) -> History {
    let Some(seconds) = pipeline.analysis.history_seconds else {
        return History::Absent("the pipeline wants none".to_owned());
    };
    let intervals = i64::from(seconds) * 1_000 / split.grid.interval_ms();
    let intervals = usize::try_from(intervals).unwrap_or(usize::MAX).min(first);
    match HistoryData::new(split.slice(first - intervals, intervals), groups) {
        Ok(past) => History::Seen(Arc::new(measure_noise(&past, stage))),
        Err(fault) => History::Absent(fault.message),
    }
}

/// Why a window cannot be judged as a rollout would have been.
fn missing(stage: &Stage, window: &StageData) -> Option<String> {
    let most = MOST_MISSING_SHARE * window.grid.intervals() as f64;
    let tells = |quality: &DataQuality, name: &str| {
        let missing = quality.missing_intervals;
        (missing as f64 > most).then(|| {
            format!(
                "{name}: {missing} of {} intervals are missing",
                window.grid.intervals()
            )
        })
    };
    stage.checks.iter().find_map(|check| {
        let name = &check.measured.name;
        if check.measured.kind.is_gauge() {
            return None;
        }
        match window.metrics.get(name) {
            None => Some(format!("{name}: nothing was read")),
            Some(MetricData::Fault(fault)) => Some(format!("{name}: {}", fault.message)),
            Some(MetricData::Counts(counts)) => tells(&counts.quality, name),
            Some(MetricData::Histogram(histogram)) => tells(&histogram.quality, name),
            Some(MetricData::Gauge(_)) => None,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::tests::{
        below_baseline, check, counts, data, decided_by, error_rate_checks, grid, pipeline, stage,
        switch,
    };
    use crate::pipeline::{Condition, Method};

    const GROUPS: ControlSplit = ControlSplit {
        canary_targets: 1,
        control_targets: 9,
        canary_share: 0.1,
    };

    fn sequential(checks: Vec<crate::pipeline::Check>) -> Pipeline {
        let mut pipeline = pipeline(checks.clone());
        pipeline.stages = vec![stage("stage_1", 10.0, checks)];
        decided_by(&mut pipeline, Method::Sequential);
        pipeline
    }

    /// Windows of two hours, of which the canary is `factor` times as bad between two intervals, with
    /// scatter that depends on a seed.
    fn errors(seed: u64, factor: f64, bad: std::ops::Range<usize>) -> StageData {
        let mut found = data(
            240,
            vec![(
                "error_rate",
                counts(240, (240.0, 240_000.0), (24.0, 24_000.0)),
            )],
        );
        let Some(MetricData::Counts(counts)) = found.metrics.get_mut("error_rate") else {
            panic!("counts");
        };
        let mut state = seed;
        for (index, interval) in counts.intervals.iter_mut().enumerate() {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            let scatter = (state >> 33) % 4;
            let factor = if bad.contains(&index) { factor } else { 1.0 };
            interval.canary.events = (scatter as f64 * factor * 0.1).round();
        }
        found
    }

    fn is_ever_rolled_back(pipeline: &Pipeline, window: &StageData) -> bool {
        (1..=window.grid.intervals()).any(|length| {
            let verdict = judge(pipeline, &pipeline.stages[0], &window.slice(0, length));
            verdict.verdict == Verdict::Rollback
        })
    }

    #[test]
    fn a_single_look_at_the_end_knows_every_interval() {
        let second = check(
            "error_rate",
            "error_rate < baseline * 2",
            below_baseline(2.0),
        );
        let mut checks = error_rate_checks();
        checks.push(second);
        let pipeline = sequential(checks);
        let stage = &pipeline.stages[0];
        let mut seen = [false, false];
        for seed in 0..4 {
            // Good, bad throughout, and bad for a while only, so that the evidence falls again.
            for (factor, bad) in [(1.0, 0..0), (60.0, 0..240), (100.0, 20..40)] {
                let window = errors(seed, factor, bad);
                let replayed = replay(&pipeline, stage, &window, GROUPS, 0, 240);
                let WindowOutcome::Judged { is_rolled_back, .. } = replayed.outcome else {
                    panic!("{replayed:?}");
                };
                assert_eq!(is_rolled_back, is_ever_rolled_back(&pipeline, &window));
                seen[usize::from(is_rolled_back)] = true;
            }
        }
        assert_eq!(seen, [true, true], "both answers occur");
    }

    #[test]
    fn a_window_with_gaps_is_not_judged() {
        let pipeline = sequential(error_rate_checks());
        let mut split = errors(1, 1.0, 0..0);
        let Some(MetricData::Counts(counts)) = split.metrics.get_mut("error_rate") else {
            panic!("counts");
        };
        counts
            .intervals
            .retain(|interval| interval.first < 60 || interval.first >= 120);
        let outcome = |first| {
            let stage = &pipeline.stages[0];
            replay(&pipeline, stage, &split, GROUPS, first, 120).outcome
        };
        let WindowOutcome::Missing(why) = outcome(0) else {
            panic!("half of it is missing");
        };
        assert_eq!(why, "error_rate: 60 of 120 intervals are missing");
        assert!(matches!(outcome(120), WindowOutcome::Judged { .. }));
    }

    #[test]
    fn the_history_is_from_before_the_window_and_at_least_four_hours() {
        let pipeline = sequential(error_rate_checks());
        let mut split = data(
            960,
            vec![(
                "error_rate",
                counts(960, (960.0, 960_000.0), (96.0, 96_000.0)),
            )],
        );
        split.grid = grid(960);
        let has_history = |first| {
            let stage = &pipeline.stages[0];
            replay(&pipeline, stage, &split, GROUPS, first, 240).has_history
        };
        assert!(!has_history(0));
        assert!(!has_history(479));
        assert!(has_history(480));
    }

    #[test]
    fn a_kill_switch_is_asked_at_every_interval() {
        // A limit that no canary can break.
        let check_of_nothing = check(
            "error_rate",
            "error_rate < baseline * 1000",
            below_baseline(1_000.0),
        );
        let mut pipeline = sequential(vec![check_of_nothing]);
        pipeline.kill_switch = vec![switch(
            "error_rate",
            "error_rate > 20%",
            Condition::Absolute {
                comparison: crate::pipeline::Comparison::Greater,
                limit: 0.2,
            },
        )];
        let mut split = errors(1, 1.0, 0..0);
        let Some(MetricData::Counts(counts)) = split.metrics.get_mut("error_rate") else {
            panic!("counts");
        };
        for interval in counts.intervals.iter_mut().skip(20).take(10) {
            interval.canary.events = interval.canary.exposure;
        }
        let stage = &pipeline.stages[0];
        let WindowOutcome::Judged { broken, .. } =
            replay(&pipeline, stage, &split, GROUPS, 0, 240).outcome
        else {
            panic!("judged");
        };
        assert!(
            broken
                .iter()
                .any(|condition| condition == "error_rate > 20%"),
            "{broken:?}"
        );
    }
}
