//! A measured number beside what it shall be.

use std::fmt;

use serde::Serialize;

use super::super::measured::{Share, median};

/// How many standard errors a number may be off.
const STANDARD_ERRORS: f64 = 3.0;
/// Minutes of an interval of 30 s.
pub(super) const MINUTES: f64 = 0.5;

/// What a number shall be.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// At most this.
    AtMost(f64),
    /// What the design has measured by another implementation: this, within three standard errors of both.
    Near {
        /// What it has measured.
        value: f64,
        /// How far off chance and rounding may be.
        tolerance: f64,
    },
    /// Nothing is promised: it is reported.
    Report,
}

impl fmt::Display for Target {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AtMost(most) => write!(formatter, "at most {most}"),
            Self::Near { value, .. } => write!(formatter, "{value}"),
            Self::Report => formatter.write_str("reported"),
        }
    }
}

/// What a number counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// A share, of 100.
    Percent,
    /// Minutes.
    Minutes,
    /// Intervals.
    Intervals,
}

/// One measured number.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Line {
    /// What was measured.
    pub quantity: String,
    /// What it counts.
    pub unit: Unit,
    /// What version 1 of the method had, where the design says it.
    pub before: Option<f64>,
    /// The number; nothing when it is beyond the length of the simulated rollouts.
    pub measured: Option<f64>,
    /// Its standard error.
    pub standard_error: Option<f64>,
    /// What it shall be.
    pub target: Target,
    /// What stands behind it.
    pub detail: String,
}

/// What the design has measured.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Published {
    /// Version 1 of the method, where it is said.
    pub(super) before: Option<f64>,
    /// Version 2.
    pub(super) now: f64,
}

impl From<f64> for Published {
    fn from(now: f64) -> Self {
        Self { before: None, now }
    }
}

impl From<(f64, f64)> for Published {
    fn from((before, now): (f64, f64)) -> Self {
        Self {
            before: Some(before),
            now,
        }
    }
}

/// How well the design knows its numbers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Known {
    /// Rollouts of a cell.
    pub(super) replicates: f64,
    /// Half of the last digit of its shares, in percent.
    pub(super) rounding: f64,
}

impl Line {
    /// Whether the target is met; nothing where there is none.
    pub fn is_met(&self) -> Option<bool> {
        match self.target {
            Target::AtMost(most) => Some(self.measured.is_some_and(|value| value <= most)),
            Target::Near { value, tolerance } => Some(
                self.measured
                    .is_some_and(|measured| (measured - value).abs() <= tolerance),
            ),
            Target::Report => None,
        }
    }

    /// By how much the target is missed; nothing when it is met, or there is no number.
    pub fn missed_by(&self) -> Option<f64> {
        let missed = match self.target {
            Target::AtMost(most) => self.measured? - most,
            Target::Near { value, tolerance } => {
                let off = (self.measured? - value).abs();
                if off <= tolerance { 0.0 } else { off }
            }
            Target::Report => return None,
        };
        (missed > 0.0).then_some(missed)
    }

    /// A share in percent, beside what the design has measured in so many rollouts.
    pub(super) fn percent(
        quantity: impl Into<String>,
        share: Share,
        published: Published,
        known: Known,
    ) -> Self {
        let (count, of) = (share.count as f64, share.of as f64);
        let published_count = published.now / 100.0 * known.replicates;
        // The chance that both are of, and how far apart two shares of it are.
        let pooled = (count + published_count) / (of + known.replicates);
        let variance = pooled * (1.0 - pooled) * (1.0 / of.max(1.0) + 1.0 / known.replicates);
        let tolerance =
            known.rounding + 100.0 * STANDARD_ERRORS * libm::sqrt(f64::max(variance, 0.0));
        Self {
            quantity: quantity.into(),
            unit: Unit::Percent,
            before: published.before,
            measured: Some(100.0 * share.rate()),
            standard_error: Some(100.0 * share.standard_error()),
            target: Target::Near {
                value: published.now,
                tolerance,
            },
            detail: format!("{} of {}", share.count, share.of),
        }
    }

    /// A share in percent of which nothing is promised.
    pub(super) fn percent_reported(quantity: impl Into<String>, share: Share) -> Self {
        Self {
            quantity: quantity.into(),
            unit: Unit::Percent,
            before: None,
            measured: Some(100.0 * share.rate()),
            standard_error: Some(100.0 * share.standard_error()),
            target: Target::Report,
            detail: format!("{} of {}", share.count, share.of),
        }
    }

    /// A share in percent that the design bounds, by three standard errors.
    pub(super) fn percent_at_most(quantity: impl Into<String>, share: Share, most: f64) -> Self {
        Self {
            quantity: quantity.into(),
            unit: Unit::Percent,
            before: None,
            measured: Some(100.0 * share.rate()),
            standard_error: Some(100.0 * share.standard_error()),
            target: Target::AtMost(most + 100.0 * STANDARD_ERRORS * share.standard_error()),
            detail: format!("{} of {}", share.count, share.of),
        }
    }

    /// The median of times in intervals, told in units of which an interval is so many.
    pub(super) fn median_of(
        quantity: impl Into<String>,
        times: &[Option<usize>],
        (unit, of_an_interval): (Unit, f64),
        published: Published,
        known: Known,
    ) -> Self {
        let measured = median(times).map(|time| time * of_an_interval);
        // Ranks that are three standard errors from the middle, of both measurements.
        let size = times.len() as f64;
        let both = libm::sqrt(1.0 + size / known.replicates);
        let off = 0.5 * STANDARD_ERRORS * libm::sqrt(size) * both;
        let at = |rank: f64| rank_of(times, rank).map(|time| time * of_an_interval);
        let (low, high) = (at(0.5 * size - off), at(0.5 * size + off));
        let tolerance = measured.map_or(0.0, |measured| {
            let towards = if published.now < measured { low } else { high };
            towards.map_or(f64::INFINITY, |end| (end - measured).abs())
        });
        let one_error = libm::sqrt(size) * 0.5;
        let error = at(0.5 * size - one_error)
            .zip(at(0.5 * size + one_error))
            .map(|(low, high)| 0.5 * (high - low));
        let found = Share::counted(times, Option::is_some);
        Self {
            quantity: quantity.into(),
            unit,
            before: published.before,
            measured,
            standard_error: measured.and(error),
            target: Target::Near {
                value: published.now,
                tolerance: tolerance + 0.5 * of_an_interval,
            },
            detail: format!("{} of {}", found.count, found.of),
        }
    }
}

/// The time with this rank, which is rounded; nothing where it never happened.
fn rank_of(times: &[Option<usize>], rank: f64) -> Option<f64> {
    let mut sorted: Vec<usize> = times
        .iter()
        .map(|time| time.unwrap_or(usize::MAX))
        .collect();
    sorted.sort_unstable();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "`as` saturates at 0"
    )]
    let place = libm::round(rank) as usize;
    let found = *sorted.get(place.min(sorted.len().saturating_sub(1)))?;
    (found < usize::MAX).then_some(found as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: Known = Known {
        replicates: 300.0,
        rounding: 0.5,
    };

    #[test]
    fn a_share_is_met_within_three_standard_errors_of_both() {
        let line = |count| Line::percent("x", Share { count, of: 300 }, (90.0, 50.0).into(), KNOWN);
        // Two shares of a half of 300: 100 sqrt(2 / 1200) = 4.1 percent.
        for (count, is_met) in [(150, true), (186, true), (190, false), (110, false)] {
            assert_eq!(line(count).is_met(), Some(is_met), "{count}");
        }
        assert!((line(210).missed_by().unwrap() - 20.0).abs() < 1e-9);
        assert_eq!(line(210).before, Some(90.0));
    }

    #[test]
    fn a_median_is_met_by_what_its_ranks_allow() {
        let times: Vec<Option<usize>> = (0..300).map(Some).collect();
        let line = |target: f64| {
            let unit = (Unit::Minutes, MINUTES);
            Line::median_of("x", &times, unit, target.into(), KNOWN)
        };
        // The ranks 150 +- 3 sqrt(300 / 4) sqrt(2) are 113 and 187.
        for (target, is_met) in [(74.75, true), (57.0, true), (93.0, true), (50.0, false)] {
            assert_eq!(line(target).is_met(), Some(is_met), "{target}");
        }
        assert_eq!(line(74.75).measured, Some(74.75));
        let never = [None, None, Some(1)];
        let unit = (Unit::Minutes, MINUTES);
        let line = Line::median_of("x", &never, unit, 1.0.into(), KNOWN);
        assert_eq!((line.measured, line.is_met()), (None, Some(false)));
    }

    #[test]
    fn a_missed_target_says_by_how_much() {
        let share = Share { count: 30, of: 300 };
        let line = Line::percent_at_most("x", share, 4.0);
        assert_eq!(line.is_met(), Some(false));
        // 10 % against 4 % and three times 1.73 %.
        assert!((line.missed_by().unwrap() - 0.804).abs() < 1e-3);
        let reported = Line::percent_reported("x", share);
        assert_eq!((reported.is_met(), reported.missed_by()), (None, None));
    }
}
