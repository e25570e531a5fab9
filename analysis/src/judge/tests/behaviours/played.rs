//! A rollout of a pipeline file that is asked about while it goes on.

use super::*;
use crate::pipeline::parse;

/// What was answered, and when.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Told {
    /// Minutes from the stage's start, in whole intervals.
    pub(super) minutes: Vec<f64>,
    pub(super) answers: Vec<StageVerdict>,
}

impl Told {
    /// The minute of the first answer of a verdict.
    pub(super) fn first(&self, verdict: Verdict) -> Option<f64> {
        let place = self.answers.iter().position(|one| one.verdict == verdict)?;
        self.minutes.get(place).copied()
    }

    pub(super) fn last(&self) -> &StageVerdict {
        self.answers.last().unwrap()
    }

    /// The answer of a minute that was asked about.
    pub(super) fn at(&self, minute: f64) -> &StageVerdict {
        let mut minutes = self.minutes.iter();
        let place = minutes.position(|one| (one - minute).abs() < 1e-9);
        &self.answers[place.unwrap()]
    }

    /// Whether a verdict comes by a minute.
    pub(super) fn has(&self, verdict: Verdict, by_minute: f64) -> bool {
        self.first(verdict).is_some_and(|first| first <= by_minute)
    }

    /// All that is said to a person, for a test's own message.
    pub(super) fn reasons(&self) -> String {
        let each = self.minutes.iter().zip(&self.answers);
        let lines: Vec<String> = each
            .map(|(minute, one)| format!("{minute}: {:?} {}", one.verdict, one.reason))
            .collect();
        lines.join("\n")
    }
}

/// A pipeline as a file says it.
pub(super) fn file(text: &str) -> Pipeline {
    parse(text, "test").unwrap_or_else(|error| panic!("{error:?}\n{text}"))
}

/// The answers about the first stage after each of these numbers of intervals, of all that was read of it. Who asks
/// keeps what the answer before has gathered.
pub(super) fn asked(
    pipeline: &Pipeline,
    whole: &StageData,
    looks: impl IntoIterator<Item = usize>,
) -> Told {
    stage_asked((&Course::of_rollout(pipeline), 0), pipeline, whole, looks)
}

/// The same of a stage of a rollout that has come so far.
pub(super) fn stage_asked(
    (course, place): (&Course, usize),
    pipeline: &Pipeline,
    whole: &StageData,
    looks: impl IntoIterator<Item = usize>,
) -> Told {
    let minutes_of = |intervals: usize| intervals as f64 * whole.grid.interval_ms() as f64 / 6e4;
    let mut carried = None;
    let mut told = Told {
        minutes: Vec::new(),
        answers: Vec::new(),
    };
    for intervals in looks {
        let mut data = whole.slice(0, intervals);
        data.settled_intervals = intervals;
        let stage = &pipeline.stages[place];
        let (answer, kept) = judge_on(course, carried, pipeline, stage, &data);
        carried = kept;
        told.minutes.push(minutes_of(intervals));
        told.answers.push(answer);
    }
    told
}

/// What was read of these metrics on a grid of so many intervals that begins with the stage.
pub(super) fn read_of(
    intervals: usize,
    interval_ms: i64,
    metrics: Vec<(&str, MetricData)>,
) -> StageData {
    let mut whole = data(intervals, metrics);
    whole.grid = grid_of(intervals, interval_ms);
    whole
}

pub(super) fn grid_of(intervals: usize, interval_ms: i64) -> Grid {
    let start_ms = grid(0).start_ms();
    let length_ms = i64::try_from(intervals).unwrap() * interval_ms;
    Grid::covering(start_ms, start_ms + length_ms, interval_ms)
}

/// Asserts that at least this part of the seeds is so, less two standard errors of as many seeds.
#[track_caller]
pub(super) fn assert_part(found: usize, of: usize, part: f64) {
    let error = (part * (1.0 - part) / of as f64).sqrt();
    let needed = (part - 2.0 * error) * of as f64;
    assert!(found as f64 >= needed, "{found} of {of}, not {part}");
}
