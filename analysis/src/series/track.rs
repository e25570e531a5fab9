//! One series of a target as it is followed: its samples that can be values of a counter.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::heartbeat::TargetBeats;
use super::pace::{Pace, Usual};
use super::{Sampling, Series};

/// The samples of one counter.
#[derive(Debug, Clone)]
pub(super) struct Track<'a> {
    pub(super) labels: &'a BTreeMap<String, String>,
    /// Which of the counts these add to.
    pub(super) column: usize,
    pub(super) times_ms: Cow<'a, [i64]>,
    pub(super) values: Cow<'a, [f64]>,
    pub(super) pace: Pace,
    /// When the series was created, where its process says so: that tells more than the start of the
    /// process.
    pub(super) created: Option<&'a TargetBeats>,
}

/// A value that is less than the one before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Fall {
    pub(super) earlier_ms: i64,
    pub(super) later_ms: i64,
    /// Whether the new value can be that of a counter that began anew.
    pub(super) is_anew: bool,
}

impl<'a> Track<'a> {
    /// The samples of a series that can be values of a counter, and how many cannot.
    pub(super) fn of(
        series: &'a Series,
        column: usize,
        sampling: Sampling,
        usual: Usual,
        created: Option<&'a TargetBeats>,
    ) -> (Self, usize) {
        let (times_ms, values, left_out) = countable(series);
        let known_ms = match sampling {
            Sampling::Instants { step_ms } => Some(step_ms),
            Sampling::Scrapes { .. } => None,
        };
        let pace = Pace::of(&times_ms, &values, known_ms, usual);
        let track = Self {
            labels: &series.labels,
            column,
            times_ms,
            values,
            pace,
            created,
        };
        (track, left_out)
    }

    /// The samples with their times.
    pub(super) fn samples(&self) -> impl Iterator<Item = (i64, f64)> + '_ {
        self.times_ms
            .iter()
            .copied()
            .zip(self.values.iter().copied())
    }

    /// Every value that is less than the one before.
    pub(super) fn falls(&self) -> impl Iterator<Item = Fall> + '_ {
        let pairs = self.times_ms.windows(2).zip(self.values.windows(2));
        pairs.filter_map(|pair| match pair {
            (&[earlier_ms, later_ms], &[before, now]) if now < before => Some(Fall {
                earlier_ms,
                later_ms,
                is_anew: self.pace.is_anew(before, now, later_ms - earlier_ms),
            }),
            _ => None,
        })
    }

    /// Whether the series shows that its process went on over a time: it was there on both sides, did
    /// not fall, and is more than it can have counted anew.
    pub(super) fn goes_on(&self, earlier_ms: i64, later_ms: i64) -> bool {
        let Some((before_ms, before)) = self.at_or_before(earlier_ms) else {
            return false;
        };
        let next = self.times_ms.partition_point(|&time_ms| time_ms < later_ms);
        let (Some(&after_ms), Some(&after)) = (self.times_ms.get(next), self.values.get(next))
        else {
            return false;
        };
        let time_ms = after_ms - before_ms;
        let is_near = time_ms <= (later_ms - earlier_ms).saturating_add(self.pace.overdue_ms());
        is_near && after >= before && after > self.pace.most_in(time_ms)
    }

    /// The latest sample up to a time.
    pub(super) fn at_or_before(&self, at_ms: i64) -> Option<(i64, f64)> {
        let next = self.times_ms.partition_point(|&time_ms| time_ms <= at_ms);
        let index = next.checked_sub(1)?;
        Some((*self.times_ms.get(index)?, *self.values.get(index)?))
    }
}

/// About how much a counter grew, for what only weighs series against each other: the first value is the
/// base, and what fell counts whole. What is judged is counted by [`super::walker`].
pub(crate) fn growth(values: &[f64]) -> f64 {
    let mut previous: Option<f64> = None;
    let mut sum = 0.0;
    for &value in values.iter().filter(|value| value.is_finite()) {
        sum += match previous {
            Some(before) if value >= before => value - before,
            Some(_) => value.max(0.0),
            None => 0.0,
        };
        previous = Some(value);
    }
    sum
}

/// Whether a sample can be the value of a counter.
pub(super) fn is_countable(value: f64) -> bool {
    value.is_finite() && value >= 0.0
}

/// The samples in ascending order of time that can be values of a counter, and how many cannot.
fn countable(series: &Series) -> (Cow<'_, [i64]>, Cow<'_, [f64]>, usize) {
    let is_whole = series.values.iter().all(|&value| is_countable(value))
        && series.values.len() == series.timestamps_ms.len()
        && series
            .timestamps_ms
            .is_sorted_by(|earlier, later| earlier < later);
    if is_whole {
        return (
            Cow::Borrowed(&series.timestamps_ms),
            Cow::Borrowed(&series.values),
            0,
        );
    }
    let mut times_ms: Vec<i64> = Vec::new();
    let mut values = Vec::new();
    let mut left_out = 0;
    for (&time_ms, &value) in series.timestamps_ms.iter().zip(&series.values) {
        if !is_countable(value) {
            left_out += 1;
        } else if times_ms.last().is_none_or(|&last_ms| last_ms < time_ms) {
            times_ms.push(time_ms);
            values.push(value);
        }
    }
    (Cow::Owned(times_ms), Cow::Owned(values), left_out)
}
