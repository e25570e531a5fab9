//! The questions of a plan: each text once, in pieces that a Prometheus answers.

use std::collections::BTreeSet;
use std::ops::Range;

use crate::series::Population;

/// Most instants of one range query. Prometheus refuses more than 11,000.
const MAX_POINTS: i64 = 10_000;

/// When a query is evaluated, in milliseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum QuestionTime {
    /// Once.
    Instant {
        /// The time.
        at_ms: i64,
    },
    /// At every step from start to end, both included.
    Range {
        /// First time.
        start_ms: i64,
        /// Last time.
        end_ms: i64,
        /// Distance.
        step_ms: i64,
    },
}

impl QuestionTime {
    /// The last time at which the query is evaluated.
    pub fn end_ms(self) -> i64 {
        match self {
            Self::Instant { at_ms } => at_ms,
            Self::Range { end_ms, .. } => end_ms,
        }
    }

    /// The last time alone.
    pub(super) fn at_its_end(self) -> Self {
        Self::Instant {
            at_ms: self.end_ms(),
        }
    }
}

/// A query to ask, and for whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MetricQuestion {
    /// The names of the metrics that the answer serves.
    pub metrics: BTreeSet<String>,
    /// The PromQL text.
    pub promql: String,
    /// When it is evaluated.
    pub time: QuestionTime,
    /// The population whose source is asked; nothing where both have the same.
    pub of: Option<Population>,
}

/// Cuts a range into consecutive pieces that are short enough to be answered.
pub(super) fn pieces(start_ms: i64, end_ms: i64, step_ms: i64) -> Vec<QuestionTime> {
    let step_ms = step_ms.max(1);
    let length_ms = step_ms.saturating_mul(MAX_POINTS);
    let mut pieces = Vec::new();
    let mut from_ms = start_ms;
    while from_ms <= end_ms {
        let next_ms = from_ms.saturating_add(length_ms);
        pieces.push(QuestionTime::Range {
            start_ms: from_ms,
            end_ms: end_ms.min(next_ms.saturating_sub(step_ms)),
            step_ms,
        });
        if next_ms == i64::MAX {
            break;
        }
        from_ms = next_ms;
    }
    pieces
}

/// Cuts a range from its end backwards into pieces of `piece_ms` (a multiple of the step), shorter
/// where Prometheus would not answer one of that length. Neighbours have the instant between them
/// in common, so that a longer past has the same newest pieces as a shorter one.
pub(super) fn overlapping_pieces(
    start_ms: i64,
    end_ms: i64,
    step_ms: i64,
    piece_ms: i64,
) -> Vec<QuestionTime> {
    let step_ms = step_ms.max(1);
    let most_ms = step_ms.saturating_mul(MAX_POINTS - 1);
    let piece_ms = (piece_ms.min(most_ms) / step_ms)
        .max(1)
        .saturating_mul(step_ms);
    let mut pieces = Vec::new();
    let mut until_ms = end_ms;
    while until_ms > start_ms {
        let from_ms = until_ms.saturating_sub(piece_ms).max(start_ms);
        pieces.push(QuestionTime::Range {
            start_ms: from_ms,
            end_ms: until_ms,
            step_ms,
        });
        until_ms = from_ms;
    }
    pieces.reverse();
    pieces
}

/// The questions of a plan so far.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Questions {
    all: Vec<MetricQuestion>,
}

impl Questions {
    /// Adds a text at consecutive times, or finds it where it was asked for before. Says where
    /// its questions are.
    pub(super) fn ask(
        &mut self,
        (promql, of): (&str, Option<Population>),
        times: &[QuestionTime],
    ) -> Range<usize> {
        let known = self.all.iter().position(|question| {
            let is_same_text = question.promql == promql && question.of == of;
            is_same_text && times.first() == Some(&question.time)
        });
        let first = known.unwrap_or(self.all.len());
        if known.is_none() {
            self.all.extend(times.iter().map(|&time| MetricQuestion {
                metrics: BTreeSet::new(),
                promql: promql.to_owned(),
                time,
                of,
            }));
        }
        first..first + times.len()
    }

    /// Notes that a metric needs the answers to some questions.
    pub(super) fn serve(&mut self, questions: Range<usize>, metric: &str) {
        for question in self.all.get_mut(questions).into_iter().flatten() {
            if !question.metrics.contains(metric) {
                question.metrics.insert(metric.to_owned());
            }
        }
    }

    /// All questions, in the order in which they were first asked for.
    pub(super) fn as_slice(&self) -> &[MetricQuestion] {
        &self.all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_range_is_cut_into_pieces_that_meet_without_overlap() {
        let cut = pieces(0, 25_000 * 7, 7);
        let range = |start: i64, end: i64| QuestionTime::Range {
            start_ms: start * 7,
            end_ms: end * 7,
            step_ms: 7,
        };
        assert_eq!(
            cut,
            [
                range(0, 9_999),
                range(10_000, 19_999),
                range(20_000, 25_000)
            ]
        );
    }

    #[test]
    fn a_range_of_as_many_points_as_allowed_stays_whole() {
        assert_eq!(pieces(0, 9_999, 1).len(), 1);
        assert_eq!(pieces(0, 10_000, 1).len(), 2);
        assert_eq!(pieces(5, 5, 1).len(), 1);
        assert_eq!(pieces(i64::MAX - 3, i64::MAX, 1).len(), 1);
    }

    #[test]
    fn a_past_is_cut_from_its_end_so_that_a_shorter_one_has_the_same_newest_pieces() {
        let cut = |start| overlapping_pieces(start, 100, 5, 40);
        let range = |start_ms, end_ms| QuestionTime::Range {
            start_ms,
            end_ms,
            step_ms: 5,
        };
        assert_eq!(cut(0), [range(0, 20), range(20, 60), range(60, 100)]);
        assert_eq!(cut(20), cut(0)[1..]);
        assert_eq!(cut(100), []);
        let seconds = overlapping_pieces(0, 86_400_000, 250, 7_200_000);
        let most = 250 * (MAX_POINTS - 1);
        for piece in seconds {
            let QuestionTime::Range {
                start_ms, end_ms, ..
            } = piece
            else {
                panic!("{piece:?} is no range");
            };
            assert!(end_ms - start_ms <= most);
        }
    }

    #[test]
    fn the_same_question_is_asked_once() {
        let mut questions = Questions::default();
        let times = pieces(0, 20_000, 1);
        let first = questions.ask(("a", None), &times);
        let other = questions.ask(("b", None), &times);
        assert_eq!(questions.ask(("a", None), &times), first);
        assert_eq!((first, other), (0..3, 3..6));
        assert_eq!(questions.as_slice().len(), 6);
    }
}
