//! Counts that are there already, judged by the code that judges real ones.

use std::sync::Arc;

use super::laws::STEP_SECONDS;
use super::scenario::Rollout as Counts;
use crate::proof::{Counted, Input, Interval, Line, Member, PastNoise, Rollout, Settings, Stream};
use crate::sequential::{IntervalCounts, RelativeLimit};

/// Counts that are there already, judged against `baseline * ratio`.
#[derive(Debug, Clone)]
pub(super) struct Replay {
    rollout: Rollout,
    /// Where stages begin, the first left out: the next one last.
    begins: Vec<usize>,
}

impl Replay {
    /// Before the first interval.
    pub(super) fn new(limit: RelativeLimit, counted: &Counts) -> Self {
        let before = counted.history.as_deref();
        let past = before.and_then(|before| PastNoise::measure(before, limit.ratio()));
        let settings = Settings {
            line: Line::Relative(limit),
            interval_seconds: STEP_SECONDS,
            counted: Counted::Events,
            past: past.map(Arc::new),
        };
        let member = Member::new(Stream::new(settings, 1), 1.0, None);
        let mut rollout = Rollout::new(counted.stages.clone(), vec![member]);
        rollout.ask(|_| true);
        let ends = counted.stages.iter().scan(0, |end, stage| {
            *end += stage;
            Some(*end)
        });
        let mut begins: Vec<usize> = ends.collect();
        begins.reverse();
        Self { rollout, begins }
    }

    /// Adds an interval, and returns `ln E`.
    pub(super) fn push(&mut self, counts: &IntervalCounts) -> f64 {
        while self
            .begins
            .pop_if(|at| *at == self.rollout.intervals())
            .is_some()
        {
            self.rollout.begin_stage();
        }
        let lanes = [Interval::from(*counts)];
        self.rollout.push(&[Input {
            lanes: &lanes,
            ..Input::default()
        }])
    }

    /// What it proves.
    pub(super) fn member(&self) -> Option<&Member> {
        self.rollout.members().first()
    }
}
