//! What an expression evaluates to, at all steps at once.

use super::super::column::is_absent;
use super::super::labels::Labels;

/// The times of an evaluation. An instant query has one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) struct Steps {
    start_ms: i64,
    step_ms: i64,
    count: usize,
}

impl Steps {
    /// Returns the one step of an instant query.
    pub(in super::super) fn instant(at_ms: i64) -> Self {
        Self {
            start_ms: at_ms,
            step_ms: 1,
            count: 1,
        }
    }

    /// Returns the steps from `start_ms` to at most `end_ms`; none if the step is not positive or
    /// the end is before the start.
    pub(in super::super) fn range(start_ms: i64, end_ms: i64, step_ms: i64) -> Self {
        let count = if step_ms > 0 && end_ms >= start_ms {
            usize::try_from((end_ms - start_ms) / step_ms).map_or(0, |last| last + 1)
        } else {
            0
        };
        Self {
            start_ms,
            step_ms,
            count,
        }
    }

    /// Returns how many steps there are.
    pub(in super::super) fn count(&self) -> usize {
        self.count
    }

    /// Returns the times of the steps, in milliseconds since 1970.
    pub(in super::super) fn times_ms(&self) -> impl Iterator<Item = i64> + use<> {
        let (start_ms, step_ms) = (self.start_ms, self.step_ms);
        (0_i64..)
            .take(self.count)
            .map(move |index| start_ms + index * step_ms)
    }
}

/// One series of a vector: a value for each step, or none (see [`is_absent`]).
#[derive(Debug, Clone)]
pub(in super::super) struct Row {
    pub(in super::super) labels: Labels,
    pub(in super::super) values: Vec<f64>,
}

impl Row {
    /// Returns whether the series has no value at any step.
    pub(in super::super) fn is_empty(&self) -> bool {
        self.values.iter().all(|value| is_absent(*value))
    }
}

/// The value of an expression.
#[derive(Debug, Clone)]
pub(in super::super) enum Value {
    /// A number for each step.
    Scalar(Vec<f64>),
    /// Series, by their labels.
    Vector(Vec<Row>),
    /// A string literal.
    Text(String),
}

/// A series of raw samples, (time in milliseconds, value).
#[derive(Debug, Clone)]
pub(in super::super) struct RawSeries {
    pub(in super::super) labels: Labels,
    pub(in super::super) samples: Vec<(i64, f64)>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_end_at_or_before_the_end() {
        let times: Vec<i64> = Steps::range(100, 131, 10).times_ms().collect();
        assert_eq!(times, [100, 110, 120, 130]);
        assert_eq!(Steps::range(100, 100, 10).count(), 1);
        assert_eq!(Steps::range(100, 99, 10).count(), 0);
        assert_eq!(Steps::range(0, 10, 0).count(), 0);
        assert_eq!(Steps::instant(7).times_ms().collect::<Vec<_>>(), [7]);
    }
}
